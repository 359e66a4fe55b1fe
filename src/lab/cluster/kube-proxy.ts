import { WorkQueue } from '../../kubernetes/workqueue.ts';
import type { ClusterState } from './cluster-state.ts';
import { proxyRuleset } from './proxy-ruleset.ts';
import { proxyTable } from './proxy-table.ts';

/** Hands a ruleset to `nft -f -` on a node. Throws when the kernel refuses it. */
export type ApplyRuleset = (node: string, ruleset: string) => Promise<void>;

/**
 * Stands in for kube-proxy on every node: keeps each node's nftables equal to the Services and EndpointSlices. The key
 * is the node's name.
 *
 * It runs beside the nodes, not on them: taking a node off the management network does not stop it, as it would stop a
 * real one.
 */
export class KubeProxy {
  readonly #state: ClusterState;
  readonly #nodes: readonly string[];
  readonly #apply: ApplyRuleset;
  readonly #queue: WorkQueue;
  /** By node: the ruleset that the kernel has. */
  readonly #applied = new Map<string, string>();
  #unsubscribe: readonly (() => void)[] = [];

  constructor(state: ClusterState, nodes: readonly string[], apply: ApplyRuleset) {
    this.#state = state;
    this.#nodes = nodes;
    this.#apply = apply;
    const reconcile = (node: string) => this.#reconcile(node);
    this.#queue = new WorkQueue({ ...state.context, name: 'kube-proxy', reconcile, concurrency: nodes.length });
  }

  /** The state must be complete: what is absent from it is taken away. */
  start(): void {
    const all = () => {
      for (const node of this.#nodes) this.#queue.add(node);
    };
    this.#unsubscribe = [this.#state.services.onChange(all), this.#state.slices.onChange(all)];
    all();
  }

  /** Leaves the rules as they are. Idempotent. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#queue.stop();
  }

  async #reconcile(node: string): Promise<void> {
    const ruleset = proxyRuleset(proxyTable(this.#state.services.list(), this.#state.slices.list(), node));
    if (this.#applied.get(node) === ruleset) return;
    await this.#apply(node, ruleset);
    this.#applied.set(node, ruleset);
  }
}
