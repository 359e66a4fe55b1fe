import { apply } from '../../kubernetes/apply.ts';
import type { Endpoint, Service, ServicePort } from '../../kubernetes/core.ts';
import { keyOf, type ObjectKey, splitKey } from '../../kubernetes/resource.ts';
import { WorkQueue } from '../../kubernetes/workqueue.ts';
import type { ClusterState } from './cluster-state.ts';
import {
  isReady,
  type LabPod,
  matchesLabels,
  type PortedSlice,
  portedSlices,
  type SlicePort,
  serviceNameLabel,
} from './workload-objects.ts';

const families = ['IPv4', 'IPv6'] as const;

/**
 * Stands in for the EndpointSlice controller: each Service with a selector has one slice for each of its families,
 * SERVICE-ipv4 and SERVICE-ipv6. The key is the Service's.
 */
export class EndpointSliceController {
  readonly #state: ClusterState;
  readonly #queue: WorkQueue;
  #unsubscribe: readonly (() => void)[] = [];

  constructor(state: ClusterState) {
    this.#state = state;
    const reconcile = (key: ObjectKey) => this.#reconcile(key);
    this.#queue = new WorkQueue({ ...state.context, name: 'endpoint-slice', reconcile });
  }

  start(): void {
    const { pods, services, slices } = this.#state;
    this.#unsubscribe = [
      services.onChange((key) => this.#queue.add(key)),
      slices.onChange((_, now, before) => {
        for (const slice of [now, before])
          if (slice !== undefined && isOurs(slice)) this.#queue.add(serviceKeyOf(slice));
      }),
      pods.onChange((key) => {
        const { namespace } = splitKey(key);
        for (const service of services.keys()) if (splitKey(service).namespace === namespace) this.#queue.add(service);
      }),
    ];
    for (const key of services.keys()) this.#queue.add(key);
    for (const slice of slices.list().filter(isOurs)) this.#queue.add(serviceKeyOf(slice));
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#queue.stop();
  }

  async #reconcile(key: ObjectKey): Promise<void> {
    const { client } = this.#state.context;
    const service = this.#state.services.get(key);
    const wanted = service === undefined ? [] : slicesOf(service, this.#state.pods.list());
    for (const slice of this.#state.slices.list()) {
      if (!isOurs(slice) || serviceKeyOf(slice) !== key) continue;
      if (!wanted.some((one) => keyOf(one) === keyOf(slice))) await client.delete(portedSlices, keyOf(slice));
    }
    // Applying what is there already changes nothing, not even the resourceVersion.
    for (const slice of wanted) await apply(client, portedSlices, slice);
  }
}

/** Pure: the slices that a Service should have. None without a selector: those endpoints are somebody else's. */
export function slicesOf(service: Service, pods: readonly LabPod[]): readonly PortedSlice[] {
  const { name, namespace, uid = '' } = service.metadata;
  const { selector, ports = [], ipFamilies = ['IPv4'], type } = service.spec ?? {};
  if (selector === undefined || Object.keys(selector).length === 0 || type === 'ExternalName') return [];
  const selected = pods
    .filter((pod) => pod.metadata.namespace === namespace && matchesLabels(selector, pod.metadata.labels))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return families
    .filter((family) => ipFamilies.includes(family))
    .map((family) => ({
      metadata: {
        name: `${name}-${family.toLowerCase()}`,
        ...(namespace === undefined ? {} : { namespace }),
        labels: { [serviceNameLabel]: name, [managedByLabel]: manager },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid, controller: true }],
      },
      addressType: family,
      ports: ports.map((port) => slicePort(port, selected)),
      endpoints: selected.flatMap((pod) => endpointOf(pod, family) ?? []),
    }));
}

const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const manager = 'garpoon-lab';

function isOurs(slice: PortedSlice): boolean {
  return slice.metadata.labels?.[managedByLabel] === manager;
}

function serviceKeyOf(slice: PortedSlice): ObjectKey {
  return `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel]}`;
}

function endpointOf(pod: LabPod, family: 'IPv4' | 'IPv6'): Endpoint | undefined {
  const colon = family === 'IPv6';
  const address = pod.status?.podIPs?.find(({ ip }) => ip.includes(':') === colon)?.ip;
  const phase = pod.status?.phase;
  if (address === undefined || phase === 'Succeeded' || phase === 'Failed') return undefined;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  return {
    addresses: [address],
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    conditions: { ready: serving && !terminating, serving, terminating },
  };
}

/** A target port by name is looked up in the first Pod that declares it: Pods of one Service agree here. */
function slicePort(port: ServicePort, pods: readonly LabPod[]): SlicePort {
  const target = port.targetPort ?? port.port;
  const declared = pods.flatMap((pod) => pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const number = typeof target === 'number' ? target : declared.find((one) => one.name === target)?.containerPort;
  return {
    name: port.name ?? '',
    protocol: port.protocol ?? 'TCP',
    ...(number === undefined ? {} : { port: number }),
  };
}
