import { isAlreadyExists } from '../../kubernetes/api-error.ts';
import { updateStatus } from '../../kubernetes/apply.ts';
import type { Node } from '../../kubernetes/core.ts';
import { nodes } from '../../kubernetes/resource.ts';
import { WorkQueue } from '../../kubernetes/workqueue.ts';
import { type Timer, timestamp } from '../../runtime/clock.ts';
import type { LabNode, Topology } from '../network/topology.ts';
import type { ClusterState } from './cluster-state.ts';

/** Looks for the nodes again and again, and calls back with the name of each that answers. */
export interface NodeProbe {
  start(onAnswer: (node: string) => void): void;
  /** Idempotent. */
  stop(): void;
}

/** How long a node may be silent before it counts as lost, in milliseconds. A real cluster takes 40 s. */
const defaultGracePeriod = 2_000;

/** How often the API hears that a node is well, in milliseconds. */
const heartbeatPeriod = 10_000;

/**
 * Stands in for the part of the kubelet that registers its Node, and for the node lifecycle controller: a node is Ready
 * while it answers on the LAN. A real cluster judges by the kubelet's Lease, which travels to the API server instead;
 * here the two networks are apart, and it is the LAN that pods are reached over. The key is the node's name.
 */
export class NodeMonitor {
  readonly #state: ClusterState;
  readonly #topology: Topology;
  readonly #probe: NodeProbe;
  readonly #gracePeriod: number;
  readonly #queue: WorkQueue;
  /** The nodes that have answered within the grace period, with the timer that ends it. */
  readonly #answering = new Map<string, Timer>();
  /** Those that ever answered: before, a node is NotReady, not Unknown. */
  readonly #seen = new Set<string>();
  #unsubscribe: readonly (() => void)[] = [];
  #stopped = false;

  constructor(state: ClusterState, topology: Topology, probe: NodeProbe, gracePeriod = defaultGracePeriod) {
    this.#state = state;
    this.#topology = topology;
    this.#probe = probe;
    this.#gracePeriod = gracePeriod;
    const reconcile = (name: string) => this.#reconcile(name);
    this.#queue = new WorkQueue({ ...state.context, name: 'node', reconcile });
  }

  start(): void {
    // A Node that someone deletes is registered again, as a kubelet would.
    this.#unsubscribe = [this.#state.nodes.onChange((name, now) => now === undefined && this.#queue.add(name))];
    for (const { name } of this.#topology.nodes) this.#queue.add(name);
    this.#probe.start((name) => this.#answered(name));
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#probe.stop();
    for (const timer of this.#answering.values()) timer.cancel();
    this.#answering.clear();
    await this.#queue.stop();
  }

  #answered(name: string): void {
    if (this.#stopped) return;
    const before = this.#answering.get(name);
    before?.cancel();
    const lost = () => {
      this.#answering.delete(name);
      this.#state.context.log.warn('node lost', { node: name, silentFor: this.#gracePeriod });
      this.#queue.add(name);
    };
    this.#answering.set(name, this.#state.context.clock.after(this.#gracePeriod, lost));
    this.#seen.add(name);
    if (before !== undefined) return;
    this.#state.context.log.info('node answers', { node: name });
    this.#queue.add(name);
  }

  async #reconcile(name: string): Promise<void> {
    const node = this.#topology.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) return;
    const { client, clock } = this.#state.context;
    if (this.#state.nodes.get(name) === undefined) {
      await client.create(nodes, newNode(node)).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
      });
    }
    const ready = this.#answering.has(name) ? 'True' : this.#seen.has(name) ? 'Unknown' : 'False';
    const now = timestamp(clock);
    await updateStatus(client, nodes, name, (current) => withStatus(current, node, ready, now));
    this.#queue.addAfter(name, heartbeatPeriod);
  }
}

function newNode({ name, podPrefix }: LabNode): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'node.kubernetes.io/lab': 'garpoon' },
    },
    spec: { podCIDR: podPrefix.v4, podCIDRs: [podPrefix.v4, podPrefix.v6] } as NonNullable<Node['spec']>,
  };
}

const reasons = {
  True: { reason: 'KubeletReady', message: 'the node answers on the LAN' },
  False: { reason: 'KubeletNotReady', message: 'the node has not answered yet' },
  Unknown: { reason: 'NodeStatusUnknown', message: 'the node stopped answering on the LAN' },
} as const;

function withStatus(current: Node, node: LabNode, status: keyof typeof reasons, now: string): Node {
  const before = current.status?.conditions?.find(({ type }) => type === 'Ready') as Partial<NodeCondition> | undefined;
  const ready: NodeCondition = {
    type: 'Ready',
    status,
    ...reasons[status],
    // A lost node's last heartbeat stays what it was.
    lastHeartbeatTime: status === 'Unknown' ? (before?.lastHeartbeatTime ?? now) : now,
    lastTransitionTime: before?.status === status ? (before.lastTransitionTime ?? now) : now,
  };
  return {
    ...current,
    status: {
      ...current.status,
      addresses: [
        { type: 'InternalIP', address: node.address.v4 },
        { type: 'InternalIP', address: node.address.v6 },
        { type: 'Hostname', address: node.name },
      ],
      conditions: [...(current.status?.conditions ?? []).filter(({ type }) => type !== 'Ready'), ready],
    },
  };
}

type NodeCondition = {
  readonly type: 'Ready';
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastHeartbeatTime: string;
  readonly lastTransitionTime: string;
};
