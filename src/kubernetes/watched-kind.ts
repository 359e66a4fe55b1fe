import { sleep } from '../runtime/clock.ts';
import { ApiError } from './api-error.ts';
import type { KubernetesObject } from './core.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import type { Resource } from './resource.ts';
import { Store } from './store.ts';

/** Between looks for a kind that is not served; milliseconds. Whoever installs it waits this long at most. */
const lookAgainAfter = 60_000;

export type WatchedKindOptions<T extends KubernetesObject> = Omit<ReflectorOptions<T>, 'store' | 'resource'> & {
  readonly resource: Resource<T>;
  /** A kind that has to be there is waited for; any other counts as having no objects while it is not served. */
  readonly optional: boolean;
};

/** The objects of one kind of ours, of which a cluster may not have the definition. */
export class WatchedKind<T extends KubernetesObject> {
  readonly store: Store<T>;
  /** Resolves when all objects are in the store, or the kind is known to be absent. Rejects when stopped before. */
  readonly ready: Promise<void>;
  readonly #options: WatchedKindOptions<T>;
  readonly #reflector: Reflector<T>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  #looking: Promise<void> | undefined;
  #absent = false;

  constructor(options: WatchedKindOptions<T>) {
    this.#options = options;
    this.store = new Store({ log: options.log });
    this.#reflector = new Reflector({ ...options, store: this.store });
    this.ready = this.#ready.promise;
    // Nobody has to wait for it, and a rejection that nobody waits for would end the process.
    this.ready.catch(() => {});
  }

  /** Resolves when all objects are in the store, however long the kind is absent. Rejects when stopped before. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  /** Whether the store says what there is. */
  get isReady(): boolean {
    return this.#absent || this.store.hasSynced;
  }

  start(): void {
    this.#reflector.synced.then(this.#ready.resolve, this.#ready.reject);
    if (!this.#options.optional) this.#reflector.start();
    else this.#looking ??= this.#look();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
    await this.#reflector.stop();
    this.#ready.reject(new Error(`watch ${this.#options.resource.plural}: stopped before the first list`));
  }

  /** Starts the reflector once the kind is served to us. */
  async #look(): Promise<void> {
    const { clock, log, resource } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const why = await this.#whyAbsent();
      if (signal.aborted) return;
      if (why === undefined) {
        if (this.#absent) log.info('kind served', { kind: resource.kind });
        return this.#reflector.start();
      }
      if (!this.#absent) {
        log.info('kind not served', { kind: resource.kind, why, remedy: 'apply deploy/crds to make use of it' });
        this.#absent = true;
        this.#ready.resolve();
      }
      // Rejects only when stopped, which the loop's condition sees.
      await sleep(clock, lookAgainAfter, signal).catch(() => {});
    }
  }

  /** Undefined when the kind is there, or when it cannot be said: a reflector knows how to wait for a server. */
  async #whyAbsent(): Promise<string | undefined> {
    const { client, resource, namespace } = this.#options;
    try {
      await client.list(resource, { namespace, limit: 1, signal: this.#stopping.signal });
      return undefined;
    } catch (error) {
      const isAbsent = error instanceof ApiError && (error.status === 404 || error.status === 403);
      return isAbsent ? error.message : undefined;
    }
  }
}
