import { isNotFound } from '../../kubernetes/api-error.ts';
import { updateStatus } from '../../kubernetes/apply.ts';
import { type ObjectKey, objectPath } from '../../kubernetes/resource.ts';
import { WorkQueue } from '../../kubernetes/workqueue.ts';
import { timestamp } from '../../runtime/clock.ts';
import type { Topology } from '../network/topology.ts';
import { type ClusterState, isNodeReady } from './cluster-state.ts';
import type { PodSandboxes, Sandbox, SandboxSpec } from './pod-sandboxes.ts';
import { type ContainerPort, type LabPod, labPods, type PodCondition, type PodStatus } from './workload-objects.ts';

/** A Pod that is to go serves for this much longer, until no node sends to it any more. Milliseconds. */
const terminationDelay = 1_000;

/**
 * Stands in for the kubelet of every node: a Pod that is bound to a node gets a network namespace and a server. The
 * image and the command of its containers are ignored; only the ports they declare count. The key is the Pod's.
 *
 * A Pod is ready when its server listens and its node is ready. The second half is what the node lifecycle controller
 * does in a real cluster; here one writer decides both.
 */
export class Kubelet {
  readonly #state: ClusterState;
  readonly #topology: Topology;
  readonly #sandboxes: PodSandboxes;
  readonly #queue: WorkQueue;
  /** When the sandbox of a Pod that is to go may be removed, on the clock. */
  readonly #removeAt = new Map<ObjectKey, number>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor(state: ClusterState, topology: Topology, sandboxes: PodSandboxes) {
    this.#state = state;
    this.#topology = topology;
    this.#sandboxes = sandboxes;
    const reconcile = (key: ObjectKey) => this.#reconcile(key);
    this.#queue = new WorkQueue({ ...state.context, name: 'kubelet', reconcile, concurrency: 4 });
  }

  start(): void {
    const { nodes, pods } = this.#state;
    this.#sandboxes.onChange((key) => this.#queue.add(key));
    this.#unsubscribe = [
      pods.onChange((key) => this.#queue.add(key)),
      nodes.onChange((name, now, before) => {
        if (isNodeReady(now) === isNodeReady(before)) return;
        for (const key of pods.keys()) if (pods.get(key)?.spec?.nodeName === name) this.#queue.add(key);
      }),
    ];
    for (const key of pods.keys()) this.#queue.add(key);
  }

  /** Leaves the Pods running: they end with the process table and the network. Idempotent. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#queue.stop();
  }

  async #reconcile(key: ObjectKey): Promise<void> {
    const pod = this.#state.pods.get(key);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return this.#end(key, pod);
    this.#removeAt.delete(key);
    const node = this.#nodeOf(pod);
    if (node === undefined) return;
    const uid = pod.metadata.uid ?? '';
    if (this.#sandboxes.get(key)?.uid !== uid) await this.#sandboxes.remove(key);
    const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
    const sandbox = await this.#sandboxes.ensure(key, {
      uid,
      node: node.name,
      name: pod.metadata.name,
      ports: [...numbersOf('tcp', ports), ...numbersOf('udp', ports)],
    });
    const ready = sandbox.listening && isNodeReady(this.#state.nodes.get(node.name));
    const now = timestamp(this.#state.context.clock);
    await updateStatus(this.#state.context.client, labPods, key, (current) =>
      current.metadata.uid === uid
        ? { ...current, status: statusOf(current, sandbox, node.address.v4, ready, now) }
        : current,
    );
  }

  async #end(key: ObjectKey, pod: LabPod | undefined): Promise<void> {
    const { clock, client } = this.#state.context;
    if (this.#sandboxes.get(key) !== undefined) {
      const removeAt = this.#removeAt.get(key) ?? clock.now() + terminationDelay;
      this.#removeAt.set(key, removeAt);
      if (clock.now() < removeAt) return this.#queue.addAfter(key, removeAt - clock.now());
      await this.#sandboxes.remove(key);
    }
    this.#removeAt.delete(key);
    if (pod === undefined || this.#nodeOf(pod) === undefined) return;
    // An API server keeps a Pod that is bound to a node until its kubelet says that it is gone.
    const body = { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } };
    await client.request({ method: 'DELETE', path: objectPath(labPods, key), body }).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
  }

  /** Undefined for Pods that are none of ours: bound to no node, or processes that share their node's network. */
  #nodeOf(pod: LabPod) {
    if (pod.spec?.hostNetwork === true) return undefined;
    return this.#topology.nodes.find((node) => node.name === pod.spec?.nodeName);
  }
}

/** Each once, for two containers may declare one. The server has nobody behind other protocols. */
function numbersOf(protocol: 'tcp' | 'udp', ports: readonly ContainerPort[]): SandboxSpec['ports'] {
  const own = ports.filter((port) => (port.protocol ?? 'TCP') === protocol.toUpperCase());
  return [...new Set(own.map((port) => port.containerPort))].map((number) => ({ number, protocol }));
}

function statusOf(pod: LabPod, sandbox: Sandbox, hostIP: string, ready: boolean, now: string): PodStatus {
  const before = pod.status;
  const startTime = before?.startTime ?? now;
  const condition = (type: string, holds: boolean): PodCondition => {
    const status = holds ? 'True' : 'False';
    const known = before?.conditions?.find((one) => one.type === type && one.status === status);
    return { type, status, lastTransitionTime: known?.lastTransitionTime ?? now };
  };
  return {
    ...before,
    phase: 'Running',
    hostIP,
    podIP: sandbox.address.v4,
    podIPs: [{ ip: sandbox.address.v4 }, { ip: sandbox.address.v6 }],
    startTime,
    conditions: [
      condition('PodScheduled', true),
      condition('Initialized', true),
      condition('ContainersReady', sandbox.listening),
      condition('Ready', ready),
    ],
    containerStatuses: (pod.spec?.containers ?? []).map((container) => ({
      name: container.name,
      image: container.image ?? '',
      imageID: '',
      ready,
      started: sandbox.listening,
      restartCount: sandbox.restarts,
      state: { running: { startedAt: startTime } },
    })),
  };
}
