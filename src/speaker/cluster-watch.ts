import type { ApiClient } from '../kubernetes/client.ts';
import { Configuration } from '../kubernetes/configuration.ts';
import type { Node, Pod, Service } from '../kubernetes/core.ts';
import { Reflector } from '../kubernetes/reflector.ts';
import { endpointSlices, nodes, pods, services } from '../kubernetes/resource.ts';
import { type Saved, SavedState } from '../kubernetes/saved-state.ts';
import { Store } from '../kubernetes/store.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { type SliceStore, sliceIndex } from './service-reconciler.ts';
import { type Host, hostsOf } from './siblings.ts';
import { trimNode, trimPod, trimService, trimSlice } from './trim.ts';

export type ClusterWatchOptions = {
  readonly client: ApiClient;
  readonly nodeName: string;
  readonly namespace: string;
  /** Whether the kinds of network.deckhouse.io are read, too. */
  readonly deckhouse?: boolean;
  /** Selects the Pods of the speakers. */
  readonly speakerLabels: string;
  /** What has been read of the cluster is kept in this directory; empty: nowhere. */
  readonly stateDirectory?: string;
  /** The oldest that is used of it, in milliseconds. */
  readonly maxStateAge?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** What a speaker knows of the cluster, from the API server or, while that is away, from its node's disk. */
export class ClusterWatch {
  readonly configuration: Configuration;
  readonly services: Store<Service>;
  readonly slices: SliceStore;
  readonly nodes: Store<Node>;
  /** Of the speakers. */
  readonly pods: Store<Pod>;
  readonly #nodeReflector: Reflector<Node>;
  readonly #reflectors: readonly Pick<Reflector<Node>, 'start' | 'stop' | 'filled'>[];
  readonly #savedState: SavedState;

  constructor(options: ClusterWatchOptions) {
    const { log, clock, nodeName, namespace } = options;
    this.configuration = new Configuration(options);
    this.services = new Store({ log });
    this.slices = new Store({ log, indexes: sliceIndex });
    this.nodes = new Store({ log });
    this.pods = new Store({ log });
    const everywhere = { ...options, namespace: undefined };
    this.#nodeReflector = new Reflector({ ...everywhere, resource: nodes, store: this.nodes, trim: trimNode });
    const ofServices = new Reflector({ ...everywhere, resource: services, store: this.services, trim: trimService });
    const ofSlices = new Reflector({
      ...everywhere,
      resource: endpointSlices,
      labelSelector: 'kubernetes.io/service-name',
      store: this.slices,
      trim: trimSlice,
    });
    const ofPods = new Reflector({
      ...options,
      resource: pods,
      labelSelector: options.speakerLabels,
      store: this.pods,
      trim: trimPod,
    });
    this.#reflectors = [ofServices, ofSlices, this.#nodeReflector, ofPods];
    const saved: readonly Saved[] = [
      { kind: this.#nodeReflector, objects: () => this.nodes.list() },
      { kind: ofPods, objects: () => this.pods.list() },
      { kind: ofServices, objects: () => this.services.list() },
      { kind: ofSlices, objects: () => this.slices.list() },
    ];
    this.#savedState = new SavedState({
      directory: options.stateDirectory ?? '',
      maxAge: options.maxStateAge ?? Number.POSITIVE_INFINITY,
      owner: () => ({ node: nodeName, cluster: options.client.cluster(), namespace }),
      kinds: [...saved, ...this.configuration.saved()],
      clock,
      log,
    });
  }

  /** Resolves when everything is there, from wherever, and a configuration is in force. Rejects when stopped before. */
  async start(): Promise<void> {
    this.#savedState.start();
    this.configuration.start();
    for (const reflector of this.#reflectors) reflector.start();
    await Promise.all([this.configuration.inForce, ...this.#reflectors.map((reflector) => reflector.filled)]);
  }

  /** Resolves when the API server has told of all Nodes. Rejects when stopped before. */
  get nodesRead(): Promise<void> {
    return this.#nodeReflector.synced;
  }

  /** Where the speakers are by their Pods, ours included. */
  hosts(): readonly Host[] {
    return hostsOf(this.pods.list());
  }

  /** How long ago this was known to be the API server's, in milliseconds; 0 while it is. */
  age(): number {
    return this.#savedState.age();
  }

  /** Writes what is to be kept, and follows nothing any more. Idempotent. */
  async stop(): Promise<void> {
    await this.#savedState.stop();
    await Promise.all([this.configuration.stop(), ...this.#reflectors.map((reflector) => reflector.stop())]);
  }
}
