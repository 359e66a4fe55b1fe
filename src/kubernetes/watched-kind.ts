import { sleep } from '../runtime/clock.ts';
import { ApiError, isDenial } from './api-error.ts';
import { type BackoffRange, backoffDelay } from './backoff.ts';
import type { KubernetesObject } from './core.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import type { Resource } from './resource.ts';
import { type ChangeListener, Store } from './store.ts';

/** Between looks for a kind that is not served; milliseconds. Whoever installs it waits this long at most. */
const lookAgainAfter = 60_000;
/** Between looks while it cannot be said whether a kind is served; milliseconds. */
const unknownBackoff: BackoffRange = { base: 500, max: 30_000 };

export type WatchedKindOptions<T extends KubernetesObject> = Omit<ReflectorOptions<T>, 'store' | 'resource'> & {
  readonly resource: Resource<T>;
  /** A kind that has to be there is waited for; any other counts as having no objects while it is not served. */
  readonly optional: boolean;
  /** For a kind that somebody has asked for by a flag: what to do where it is absent, which is worth a warning then. */
  readonly remedy?: string;
};

/** The objects of one kind of ours, of which a cluster may not have the definition. */
export class WatchedKind<T extends KubernetesObject> {
  readonly store: Store<T>;
  /**
   * Resolves when all objects are in the store, be it those of an earlier run, or the kind is known to be absent. Rejects
   * when stopped before.
   */
  readonly ready: Promise<void>;
  /** The same, but for those of an earlier run. */
  readonly caughtUp: Promise<void>;
  /** Resolves when the first attempt to look at the kind has ended, well or not. */
  readonly attempted: Promise<void>;
  readonly resource: Resource<T>;
  readonly #options: WatchedKindOptions<T>;
  readonly #reflector: Reflector<T>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #caughtUp = Promise.withResolvers<void>();
  readonly #firstAttempt = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  #looking: Promise<void> | undefined;
  #absent = false;
  #isDenied = false;

  constructor(options: WatchedKindOptions<T>) {
    this.#options = options;
    this.store = new Store({ log: options.log });
    this.#reflector = new Reflector({ ...options, store: this.store });
    this.resource = options.resource;
    this.ready = this.#ready.promise;
    this.caughtUp = this.#caughtUp.promise;
    this.attempted = this.#firstAttempt.promise;
    // Nobody has to wait for them, and a rejection that nobody waits for would end the process.
    this.ready.catch(() => {});
    this.caughtUp.catch(() => {});
  }

  /** Resolves when all objects are in the store, however long the kind is absent. Rejects when stopped before. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  /** Whether the store says what there is. */
  get isReady(): boolean {
    return this.#absent || this.store.hasSynced;
  }

  get isFilled(): boolean {
    return this.isReady;
  }

  /** Whether a cluster may do without the kind. */
  get mayBeAbsent(): boolean {
    return this.#options.optional;
  }

  /** Whether the API server is there and says no, to a kind that has to be there. */
  get isDenied(): boolean {
    return this.#isDenied || this.#reflector.isDenied;
  }

  /** As of a reflector. */
  get staleSince(): number | undefined {
    const isEmpty = this.#absent && this.#reflector.counters().lists === 0;
    return isEmpty ? undefined : this.#reflector.staleSince;
  }

  onChange(listener: ChangeListener<T>): () => void {
    return this.store.onChange(listener);
  }

  /** Fills the store with the objects of an earlier run, which were right at `asOf`; nothing once it is known. */
  restore(objects: readonly T[], asOf: number): void {
    if (!this.isFilled) this.#reflector.restore(objects, asOf);
  }

  start(): void {
    this.#reflector.filled.then(this.#ready.resolve, this.#ready.reject);
    this.#reflector.synced.then(this.#caughtUp.resolve, this.#caughtUp.reject);
    void this.#reflector.attempted.then(this.#firstAttempt.resolve);
    if (!this.#options.optional) this.#reflector.start();
    else this.#looking ??= this.#look();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
    await this.#reflector.stop();
    const error = new Error(`watch ${this.#options.resource.plural}: stopped before the first list`);
    this.#ready.reject(error);
    this.#caughtUp.reject(error);
  }

  /** Starts the reflector once the kind is served to us. */
  async #look(): Promise<void> {
    const { clock, log, random, resource } = this.#options;
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted; ) {
      const failure = await this.#probe();
      if (signal.aborted) return;
      if (failure === undefined) {
        if (this.#absent) log.info('kind served', { kind: resource.kind });
        return this.#reflector.start();
      }
      const isAbsent = failure instanceof ApiError && (failure.status === 404 || failure.status === 403);
      if (isAbsent) this.#takeAsAbsent(failure.message);
      this.#isDenied = !isAbsent && isDenial(failure);
      this.#firstAttempt.resolve();
      failures = isAbsent ? 0 : failures + 1;
      // Rejects only when stopped, which the loop's condition sees.
      await sleep(clock, isAbsent ? lookAgainAfter : backoffDelay(unknownBackoff, failures, random), signal).catch(
        () => {},
      );
    }
  }

  #takeAsAbsent(why: string): void {
    const { log, resource, remedy } = this.#options;
    if (this.#absent) return;
    if (remedy !== undefined) log.warn('kind not served', { kind: resource.kind, why, remedy });
    else log.info('kind not served', { kind: resource.kind, why, remedy: 'apply deploy/crds to make use of it' });
    this.#absent = true;
    // What an earlier run has left of it is no more.
    if (this.store.size > 0) this.store.replace([]);
    this.#ready.resolve();
    this.#caughtUp.resolve();
  }

  /** Undefined when the kind is there. */
  async #probe(): Promise<unknown> {
    const { client, resource, namespace } = this.#options;
    try {
      await client.list(resource, { namespace, limit: 1, signal: this.#stopping.signal });
      return undefined;
    } catch (error) {
      return error ?? new Error('failed without a reason');
    }
  }
}
