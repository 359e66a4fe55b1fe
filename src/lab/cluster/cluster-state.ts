import type { ApiClient } from '../../kubernetes/client.ts';
import type { KubernetesObject, Node, Service } from '../../kubernetes/core.ts';
import { Reflector } from '../../kubernetes/reflector.ts';
import { nodes, type Resource, services } from '../../kubernetes/resource.ts';
import { Store } from '../../kubernetes/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import {
  type Deployment,
  deployments,
  type LabPod,
  labPods,
  type PortedSlice,
  portedSlices,
} from './workload-objects.ts';

/** What every reconciler of the cluster works with. */
export type ClusterContext = {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** The cluster as last heard of, for all reconcilers together. They write through `client` and never here. */
export class ClusterState {
  readonly context: ClusterContext;
  readonly services: Store<Service>;
  readonly slices: Store<PortedSlice>;
  readonly nodes: Store<Node>;
  readonly pods: Store<LabPod>;
  readonly deployments: Store<Deployment>;
  readonly #reflectors: { readonly synced: Promise<void>; start(): void; stop(): Promise<void> }[] = [];

  constructor(context: ClusterContext) {
    this.context = context;
    this.services = this.#reflect(services);
    this.slices = this.#reflect(portedSlices);
    this.nodes = this.#reflect(nodes);
    this.pods = this.#reflect(labPods);
    this.deployments = this.#reflect(deployments);
  }

  /** Resolves when everything is known. Rejects when stopped before. */
  async start(): Promise<void> {
    for (const reflector of this.#reflectors) reflector.start();
    await Promise.all(this.#reflectors.map((reflector) => reflector.synced));
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  #reflect<T extends KubernetesObject>(resource: Resource<T>): Store<T> {
    const store = new Store<T>({ log: this.context.log });
    this.#reflectors.push(new Reflector({ ...this.context, resource, store }));
    return store;
  }
}

/** Whether the node's Ready condition is True. */
export function isNodeReady(node: Node | undefined): boolean {
  return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
