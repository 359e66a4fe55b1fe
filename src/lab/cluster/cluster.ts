import type { Network } from '../network/network.ts';
import { CommandError } from '../process/command.ts';
import type { ProcessTable } from '../process/process-table.ts';
import { type ClusterContext, ClusterState } from './cluster-state.ts';
import { DeploymentController } from './deployment-controller.ts';
import { EndpointSliceController } from './endpoint-slice-controller.ts';
import { type ApplyRuleset, KubeProxy } from './kube-proxy.ts';
import { Kubelet } from './kubelet.ts';
import { NodeMonitor } from './node-monitor.ts';
import { NetworkSandboxes } from './pod-sandboxes.ts';
import { RouterProbe } from './router-probe.ts';

export type ClusterOptions = ClusterContext & {
  readonly network: Network;
  readonly processes: ProcessTable;
  /** How long a node may be silent before it counts as lost, in milliseconds; 2 s unless given. */
  readonly gracePeriod?: number;
};

/**
 * The parts of Kubernetes that a load balancer leans on, over any API server: nodes, pods, endpoints and the rules that
 * send a Service's traffic to them. The network must be up. Ended in the order: the cluster, the process table, the network.
 */
export class Cluster {
  readonly state: ClusterState;
  readonly #parts: readonly { start(): void; stop(): Promise<void> }[];

  constructor(options: ClusterOptions) {
    const { network, processes, clock, gracePeriod } = options;
    const { topology } = network;
    this.state = new ClusterState(options);
    this.#parts = [
      new NodeMonitor(this.state, topology, new RouterProbe(network, processes, clock), gracePeriod),
      new DeploymentController(this.state),
      new Kubelet(this.state, topology, new NetworkSandboxes(network, processes, clock)),
      new EndpointSliceController(this.state),
      new KubeProxy(
        this.state,
        topology.nodes.map((node) => node.name),
        rulesetIn(network),
      ),
    ];
  }

  /** Resolves when the API server's objects are known and every part works. Rejects when stopped before. */
  async start(): Promise<void> {
    await this.state.start();
    for (const part of this.#parts) part.start();
  }

  /** Stops deciding; what runs goes on running. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop()));
    await this.state.stop();
  }
}

/** Applies rulesets by `nft` in the nodes' namespaces. */
export function rulesetIn(network: Network): ApplyRuleset {
  return async (node, ruleset) => {
    const result = await network.exec(node, ['nft', '-f', '-'], { input: ruleset });
    if (result.status !== 0) throw new CommandError('FAILED', `nft -f - on ${node}: ${result.stderr.trim()}`);
  };
}
