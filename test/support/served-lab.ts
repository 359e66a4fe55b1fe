import { mergePatch } from '../../src/kubernetes/apply.ts';
import { ipAddressPools, l2Advertisements } from '../../src/kubernetes/config-kinds.ts';
import type { KubernetesObject, OwnerReference, Service } from '../../src/kubernetes/core.ts';
import { daemonSets, nodes, pods, services } from '../../src/kubernetes/resource.ts';
import { deployments, isReady, labPods, portedSlices } from '../../src/lab/cluster/workload-objects.ts';
import { podName, systemNamespace } from '../../src/lab/garpoon-processes.ts';
import { Lab } from '../../src/lab/lab.ts';
import { inNamespace } from '../../src/lab/process/namespace.ts';
import { sleep, systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { Asker } from './asker.ts';
import { eventually } from './eventually.ts';
import { OwnerWatch } from './owner-watch.ts';

export type ServedLabOptions = {
  /** Where runs are recorded. */
  readonly state: string;
  readonly addresses: number;
  readonly program?: readonly string[];
  readonly speakerArguments?: readonly string[];
};

/** A node is lost to the cluster after as long as in a real one: until then only the speakers know. */
const gracePeriod = 40_000;
const namespace = 'default';
/** RFC 862. */
const echoPort = 7;
const labels = { app: 'echo' };
const daemonSet = 'garpoon-speaker';
const speakerLabels = { app: 'garpoon', component: 'speaker' };
/** For how long nobody else must have answered before owners count as settled; milliseconds. */
const calm = 700;
const patience = 60_000;

/**
 * A lab of three nodes with so many Services, each with one IPv4 address, and a Pod on every node that sends back what it
 * gets by UDP. Under `externalTrafficPolicy: Local`, so that a request depends on one node only: whoever has the address.
 */
export class ServedLab {
  static async start({ addresses, ...options }: ServedLabOptions): Promise<ServedLab> {
    const lab = await Lab.start({
      ...options,
      gracePeriod,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
    });
    const served = new ServedLab(lab, addresses);
    try {
      await served.#serve();
      return served;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  readonly lab: Lab;
  readonly nodes: readonly string[];
  readonly addresses: readonly string[];
  readonly #client: { command(...argv: readonly string[]): string[] };

  private constructor(lab: Lab, count: number) {
    this.lab = lab;
    this.nodes = lab.network.topology.nodes.map(({ name }) => name);
    this.addresses = Array.from({ length: count }, (_, i) => `198.18.0.${100 + i}`);
    this.#client = { command: (...argv) => [...inNamespace(lab.network.namespace('client'), argv)] };
  }

  /** The client asks for every address, `rate` times a second each. */
  ask(rate: number): Promise<Asker> {
    return Asker.start(this.#client, { addresses: this.addresses, port: echoPort, rate });
  }

  watch(rate: number): Promise<OwnerWatch> {
    return OwnerWatch.start(this.#client, { interfaceName: 'eth0', addresses: this.addresses, rate });
  }

  /** The node with this MAC address on the LAN; the MAC address itself when none has it. */
  nodeOf(mac: string): string {
    return this.lab.network.topology.nodes.find((node) => node.mac === mac)?.name ?? mac;
  }

  macOf(node: string): string {
    return this.lab.network.node(node).mac;
  }

  /**
   * Resolves when every speaker is at work and knows all the others, every node's Pod is an endpoint of every Service, and
   * every address has had one owner for a moment. Returns the owners: by the index of the address, the name of the node.
   */
  async settled(): Promise<ReadonlyMap<number, string>> {
    await eventually('every speaker knows all the others', () => this.#ringIsWhole(), patience);
    await eventually('every Pod is ready', async () => (await this.#readyPods()) === this.nodes.length, patience);
    await eventually('every Pod is an endpoint of every Service', () => this.#endpointsAreWhole(), patience);
    const watch = await this.watch(20);
    try {
      let before = '';
      let since = 0;
      await eventually(
        'every address has one owner',
        () => {
          const now = JSON.stringify([...watch.owners()].sort());
          if (now !== before || watch.owners().size < this.addresses.length) since = performance.now();
          before = now;
          return performance.now() - since > calm;
        },
        patience,
      );
    } finally {
      await watch.stop();
    }
    return new Map([...watch.owners()].map(([target, mac]) => [target, this.nodeOf(mac)]));
  }

  /** Resolves when the speaker says that it is at work. */
  async ready(node: string): Promise<void> {
    await eventually(
      `the speaker of ${node} is ready`,
      () => this.#page(node, 'http://127.0.0.1:17473/readyz'),
      patience,
    );
  }

  /** What `kubectl drain` does, and the mark by which a node is to give its addresses away. */
  async drain(node: string): Promise<void> {
    await mergePatch(this.lab.client, nodes, node, {
      metadata: { annotations: { [drainAnnotation]: 'true' } },
      spec: { unschedulable: true },
    });
    await this.lab.client.delete(labPods, `${namespace}/echo-${node}-1`);
  }

  /** As in a cluster: whoever stops a speaker knows that the DaemonSet will start another, and so does the speaker. */
  async putBehindDaemonSet(): Promise<void> {
    const { client } = this.lab;
    const template = { metadata: { labels: speakerLabels }, spec: { containers: [{ name: 'speaker', image: 'x' }] } };
    const { metadata } = await client.create(daemonSets, {
      metadata: { namespace: systemNamespace, name: daemonSet },
      spec: { selector: { matchLabels: speakerLabels }, template },
    } as KubernetesObject);
    await this.#ownSpeakers([{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: daemonSet, uid: metadata.uid! }]);
  }

  async takeFromDaemonSet(): Promise<void> {
    await this.#ownSpeakers([]);
    await this.lab.client.delete(daemonSets, `${systemNamespace}/${daemonSet}`);
  }

  async #ownSpeakers(ownerReferences: readonly OwnerReference[]): Promise<void> {
    for (const node of this.nodes) {
      const pod = `${systemNamespace}/${podName(node)}`;
      await mergePatch(this.lab.client, pods, pod, { metadata: { ownerReferences } });
    }
  }

  async undrain(node: string): Promise<void> {
    await mergePatch(this.lab.client, nodes, node, {
      metadata: { annotations: { [drainAnnotation]: null } },
      spec: { unschedulable: null },
    });
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  async #serve(): Promise<void> {
    const { client } = this.lab;
    const pool = `${this.addresses[0]}-${this.addresses.at(-1)}`;
    const named = { namespace: systemNamespace, name: 'lan' };
    await client.create(ipAddressPools, { metadata: named, spec: { addresses: [pool] } });
    await client.create(l2Advertisements, { metadata: named, spec: {} });
    for (const node of this.nodes) await client.create(deployments, echoOn(node));
    await eventually('every Pod is ready', async () => (await this.#readyPods()) === this.nodes.length, patience);
    // One after the other: then each gets the address of its number, and the owners are the same in every lab.
    for (const [i] of this.addresses.entries()) await client.create(services, echoService(i));
  }

  async #readyPods(): Promise<number> {
    const { items } = await this.lab.client.list(labPods, { namespace });
    return (items ?? []).filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined).length;
  }

  /** Or an address would move while a trial goes on, when the Service's turn comes. */
  async #endpointsAreWhole(): Promise<boolean> {
    const { items } = await this.lab.client.list(portedSlices, { namespace });
    const whole = (items ?? []).filter(
      ({ endpoints }) => endpoints?.filter(({ conditions }) => conditions?.ready).length === this.nodes.length,
    );
    if (whole.length === this.addresses.length) return true;
    await sleep(systemClock, 100);
    return false;
  }

  async #ringIsWhole(): Promise<boolean> {
    const seen = await Promise.all(
      this.nodes.map(async (node) => {
        const page = await this.#page(node, 'http://127.0.0.1:9122/metrics');
        return Number(/^garpoon_memberlist_alive (\d+)$/m.exec(page ?? '')?.[1]);
      }),
    );
    if (seen.every((alive) => alive === this.nodes.length)) return true;
    await sleep(systemClock, 100); // asking costs the speakers something
    return false;
  }

  async #page(node: string, url: string): Promise<string | undefined> {
    const result = await this.lab.network.exec(node, ['curl', '-sf', '--max-time', '2', url]);
    return result.status === 0 ? result.stdout : undefined;
  }
}

const drainAnnotation = 'garpoon.io/drain';

function echoOn(node: string) {
  const containers = [{ name: 'echo', image: 'any', ports: [{ containerPort: echoPort, protocol: 'UDP' as const }] }];
  return {
    metadata: { namespace, name: `echo-${node}` },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { nodeSelector: { 'kubernetes.io/hostname': node }, containers } },
    },
  };
}

function echoService(index: number): Service {
  return {
    metadata: { namespace, name: `echo-${String(index).padStart(2, '0')}` },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      selector: labels,
      ports: [{ port: echoPort, protocol: 'UDP' }],
    },
  };
}
