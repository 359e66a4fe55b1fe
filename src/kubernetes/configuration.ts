import { formatProblem } from '../api/field.ts';
import type { Labels } from '../api/resource.ts';
import { type ConfigError, compile, type Resources } from '../config/compile.ts';
import { Config } from '../config/config.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { ApiClient } from './client.ts';
import {
  type AddressReservationObject,
  addressReservations,
  bfdProfiles,
  bgpAdvertisements,
  bgpPeers,
  communities,
  ipAddressPools,
  l2Advertisements,
  layer2Policies,
  type PoolObject,
} from './config-kinds.ts';
import type { KubernetesObject } from './core.ts';
import { metalClasses, metalConfigurations, metalPeers, metalPools } from './metal-kinds.ts';
import type { Resource } from './resource.ts';
import type { Saved } from './saved-state.ts';
import type { Store } from './store.ts';
import { WatchedKind } from './watched-kind.ts';

export type ConfigurationOptions = {
  readonly client: ApiClient;
  /** Where the resources are honoured; those of other namespaces are not read. */
  readonly namespace: string;
  /** Whether the kinds of network.deckhouse.io are read, too: the cluster's, which are in no namespace. */
  readonly deckhouse?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** What a configuration is made of, where it comes from, and whether it has to be there. */
const kinds = {
  pools: [ipAddressPools, 'required'],
  l2Advertisements: [l2Advertisements, 'required'],
  bgpAdvertisements: [bgpAdvertisements, 'optional'],
  peers: [bgpPeers, 'optional'],
  bfdProfiles: [bfdProfiles, 'optional'],
  communities: [communities, 'optional'],
  reservations: [addressReservations, 'optional'],
  layer2Policies: [layer2Policies, 'optional'],
  metalClasses: [metalClasses, 'on request'],
  metalPools: [metalPools, 'on request'],
  metalPeers: [metalPeers, 'on request'],
  metalConfigurations: [metalConfigurations, 'on request'],
} as const satisfies Readonly<Record<keyof Resources, readonly [object, 'required' | 'optional' | 'on request']>>;

/** For whoever asks for kinds that the cluster does not have. */
const remedyOnRequest = 'apply deploy/crds/deckhouse, or leave --deckhouse out';

/** Whether the resources as they are now make a configuration; not known until all of them have been read. */
export type Verdict = 'Valid' | 'Invalid' | 'Unknown';

type OnRequest = {
  [Key in keyof typeof kinds]: (typeof kinds)[Key][1] extends 'on request' ? Key : never;
}[keyof typeof kinds];

/** Those on request are there if they are asked for. */
type Kinds = Readonly<
  Record<Exclude<keyof Resources, OnRequest>, WatchedKind<KubernetesObject>> &
    Partial<Record<OnRequest, WatchedKind<KubernetesObject>>>
>;

/**
 * The last configuration without a fault. Watches the resources of one namespace; a change with a fault is reported
 * and leaves what is in force as it is. A kind that the cluster does not have is as one without objects, but for pools
 * and L2Advertisements: while those are being installed anew, nobody shall lose an address.
 */
export class Configuration {
  /**
   * Resolves when the first configuration is in force; an empty one counts. Until then nothing may be decided: who
   * starts while the resources have a fault would otherwise take every address away. Rejects when stopped before.
   */
  readonly inForce: Promise<void>;
  /** The pools as they are in the API, whether they are in force or not. */
  readonly pools: Pick<Store<PoolObject>, 'get' | 'list' | 'onChange'>;
  /** The same of the reservations. */
  readonly reservations: Pick<Store<AddressReservationObject>, 'get' | 'list' | 'onChange'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #kinds: Kinds;
  readonly #listeners = new Set<(config: Config) => void>();
  readonly #verdictListeners = new Set<() => void>();
  readonly #first = Promise.withResolvers<void>();
  /** For which BGP resources are judged. */
  #nodes: readonly Labels[] = [];
  #current: Config | undefined;
  #verdict: Verdict = 'Unknown';
  #errors: readonly ConfigError[] = [];
  /** Of what is in force. */
  #resources: Resources | undefined;
  #pending: Timer | undefined;

  constructor(options: ConfigurationOptions) {
    const { clock, log } = options;
    this.#clock = clock;
    this.#log = log;
    const wanted = Object.entries(kinds).filter(([, [, need]]) => need !== 'on request' || options.deckhouse);
    const watched = wanted.map(([key, [resource, need]]) => [
      key,
      watchedKind(resource as Resource<never>, need, options),
    ]);
    this.#kinds = Object.fromEntries(watched) as unknown as Kinds;
    this.pools = this.#kinds.pools.store as unknown as Store<PoolObject>;
    this.reservations = this.#kinds.reservations.store as unknown as Store<AddressReservationObject>;
    for (const { store } of this.#all()) store.onChange((_key, now, before) => this.#onChange(now, before));
    this.inForce = this.#first.promise;
    // Nobody has to wait for it, and a rejection that nobody waits for would end the process.
    this.inForce.catch(() => {});
  }

  start(): void {
    for (const kind of this.#all()) kind.start();
    // For empty lists, which no change announces. Rejects only when stopped, as `inForce` does.
    void Promise.all(this.#all().map((kind) => kind.ready)).then(
      () => this.#compile(),
      () => {},
    );
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#listeners.clear();
    this.#verdictListeners.clear();
    await Promise.all(this.#all().map((kind) => kind.stop()));
    this.#pending?.cancel();
    this.#first.reject(new Error('configuration: stopped before there was one without a fault'));
  }

  /**
   * The labels of the nodes for which BGP resources are judged: a speaker's own. None, as at the beginning, leaves them
   * all out of the configuration, faults and all.
   */
  judgeFor(nodes: readonly Labels[]): void {
    if (JSON.stringify(nodes) === JSON.stringify(this.#nodes)) return;
    this.#nodes = nodes;
    this.#compileSoon();
  }

  /** What is in force; empty before `inForce` has resolved. */
  current(): Config {
    return this.#current ?? Config.empty;
  }

  /** What stands against the resources as they are now. Empty when `current()` is what they say. */
  errors(): readonly ConfigError[] {
    return this.#errors;
  }

  /** Whether `resources()` is all there is. */
  get isSynced(): boolean {
    return this.#all().every((kind) => kind.isReady);
  }

  /** The resources as they are in the API, whether they are in force or not. */
  resources(): Resources {
    const lists = Object.entries(this.#kinds).map(([key, { store }]) => [key, store.list()]);
    return Object.fromEntries(lists) as Resources;
  }

  verdict(): Verdict {
    return this.#verdict;
  }

  /** Whether there is one in force, be it older than what the resources say now. */
  get isInForce(): boolean {
    return this.#current !== undefined;
  }

  /**
   * To be saved for a later run, which is given what was in force: a fault that was made meanwhile must not keep it from
   * working.
   */
  saved(): readonly Saved[] {
    const entries = Object.entries(this.#kinds) as (readonly [keyof Resources, WatchedKind<KubernetesObject>])[];
    return entries.map(([key, kind]) => ({
      kind,
      objects: () => this.#resources?.[key] as readonly KubernetesObject[] | undefined,
    }));
  }

  /** Calls `listener` when `verdict()` or `errors()` are others; returns the way to stop that. */
  onVerdict(listener: () => void): () => void {
    this.#verdictListeners.add(listener);
    return () => void this.#verdictListeners.delete(listener);
  }

  /** Called when another configuration is in force. */
  onChange(listener: (config: Config) => void): void {
    this.#listeners.add(listener);
  }

  #all(): readonly WatchedKind<KubernetesObject>[] {
    return Object.values(this.#kinds);
  }

  /** Our own writes to the status of an object are no change. */
  #onChange(now: KubernetesObject | undefined, before: typeof now): void {
    if (declared(now) !== declared(before)) this.#compileSoon();
  }

  /** Changes that arrive together are compiled together. */
  #compileSoon(): void {
    if (this.isSynced) this.#pending ??= this.#clock.after(0, () => this.#compile());
  }

  #compile(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    const resources = this.resources();
    const compiled = compile(resources, { nodes: this.#nodes });
    if ('errors' in compiled) {
      this.#refuse(compiled.errors);
      return;
    }
    this.#resources = resources;
    this.#put(compiled.config);
  }

  #refuse(errors: readonly ConfigError[]): void {
    const before = this.#errors.map(formatProblem);
    const problems = errors.map(formatProblem);
    this.#errors = errors;
    this.#verdict = 'Invalid';
    if (problems.join('\n') === before.join('\n')) return;
    const inForce = this.#current === undefined ? 'none' : 'the last one without a fault';
    this.#log.error('configuration refused', { problems, inForce });
    this.#tellVerdict();
  }

  #put(config: Config): void {
    const judgedAnew = this.#verdict !== 'Valid';
    const changed = this.#current === undefined || !this.#current.equals(config);
    this.#verdict = 'Valid';
    this.#errors = [];
    if (changed || judgedAnew) {
      this.#log.info('configuration in force', { pools: config.pools.map((pool) => pool.name) });
    }
    if (changed) {
      this.#current = config;
      this.#first.resolve();
      for (const listener of this.#listeners) listener(config);
    }
    if (judgedAnew) this.#tellVerdict();
  }

  #tellVerdict(): void {
    for (const listener of this.#verdictListeners) listener();
  }
}

function watchedKind(
  resource: Resource<KubernetesObject>,
  need: (typeof kinds)[keyof typeof kinds][1],
  options: ConfigurationOptions,
): WatchedKind<KubernetesObject> {
  const kind = { ...options, resource, optional: need !== 'required' };
  return new WatchedKind(need === 'on request' ? { ...kind, namespace: undefined, remedy: remedyOnRequest } : kind);
}

/** All that `compile` reads of an object. */
function declared(object: KubernetesObject | undefined): string {
  if (object === undefined) return '';
  const { metadata, spec } = object as KubernetesObject & { readonly spec?: unknown };
  return JSON.stringify([metadata.labels, metadata.annotations, spec]);
}
