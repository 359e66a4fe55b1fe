import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { ApiError, isDenial, refusal } from './api-error.ts';
import { type BackoffRange, backoffDelay } from './backoff.ts';
import type { ApiClient, Selection } from './client.ts';
import type { KubernetesObject } from './core.ts';
import { apiVersionOf, keyOf, type Resource } from './resource.ts';
import { SilenceLimit } from './silence-limit.ts';
import type { ChangeListener, Store } from './store.ts';
import { type WatchEvent, watchEvents } from './watch-stream.ts';

const pageSize = 500;
/** A server that hands out `continue` tokens for ever is not followed beyond half a million objects. */
const maxPages = 1_000;
/** A connection that held this long was a good one: what fails after it is a first failure again. Milliseconds. */
const goodLifetime = 60_000;
/** A watch that ends sooner than this counts as failed, whatever it brought; proxies do that. Milliseconds. */
const shortestWatch = 1_000;

export type ReflectorLimits = {
  /** Between failures; milliseconds. */
  readonly backoff: BackoffRange;
  /** For how long the server is asked to keep a watch; drawn anew for each. Seconds, both inclusive. */
  readonly watchSeconds: { readonly least: number; readonly most: number };
  /** A watch that is silent for this much longer than it may last is given up; milliseconds. */
  readonly silenceGrace: number;
};

const defaultLimits: ReflectorLimits = {
  backoff: { base: 500, max: 30_000 },
  watchSeconds: { least: 240, most: 480 },
  silenceGrace: 10_000,
};

export type ReflectorOptions<T extends KubernetesObject> = Selection & {
  readonly client: ApiClient;
  readonly resource: Resource<T>;
  readonly store: Pick<Store<T>, 'replace' | 'restore' | 'set' | 'delete' | 'onChange'>;
  /** Drops what we do not use. `metadata.managedFields` is always dropped. */
  readonly trim?: (object: T) => T;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly limits?: Partial<ReflectorLimits>;
};

export type ReflectorCounters = {
  /** Complete lists. */
  readonly lists: number;
  /** Watches that the server accepted. */
  readonly watches: number;
  /** Lists and watches that failed. */
  readonly failures: number;
  /** Events received, bookmarks included. */
  readonly events: number;
  /** Milliseconds since the last list, event or bookmark; undefined before the first. */
  readonly lastEventAge: number | undefined;
};

/**
 * Keeps a store equal to the objects of one kind: lists, then watches, and begins again whatever happens, until
 * stopped.
 *
 *     list ──▶ watch ──(ended)──▶ watch from the last resourceVersion
 *      ▲         │
 *      └─────────┴──(410, or a line lost)    any failure waits for the back-off first
 *
 * One loop does everything, and nothing else writes to the store: after `stop()` has resolved nothing changes, and an
 * event of a watch that was given up cannot arrive late.
 */
export class Reflector<T extends KubernetesObject> {
  /** Resolves when the first complete list is in the store. Rejects when the reflector is stopped before. */
  readonly synced: Promise<void>;
  /** The same, or when the objects of an earlier run are in the store. */
  readonly filled: Promise<void>;
  /** Resolves when the first attempt to list has ended, well or not. */
  readonly attempted: Promise<void>;
  readonly resource: Resource<T>;
  readonly mayBeAbsent = false;
  readonly #options: ReflectorOptions<T>;
  readonly #limits: ReflectorLimits;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  readonly #firstList = Promise.withResolvers<void>();
  readonly #firstContent = Promise.withResolvers<void>();
  readonly #firstAttempt = Promise.withResolvers<void>();

  /** Where the next watch begins; undefined: list first. */
  #resourceVersion: string | undefined;
  /** Failures since the last good minute. */
  #failuresInARow = 0;
  /** Whether the last failure was a 410. */
  #expired = false;
  /** What was last reported, so that each change of state is one line. */
  #reported: string | undefined;
  #lists = 0;
  #watches = 0;
  #failures = 0;
  #events = 0;
  #lastEvent: number | undefined;
  #isFilled = false;
  #isDenied = false;
  #staleSince: number | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#log = options.log.with({ resource: options.resource.plural });
    this.resource = options.resource;
    this.synced = this.#firstList.promise;
    this.filled = this.#firstContent.promise;
    this.attempted = this.#firstAttempt.promise;
    // Nobody has to wait for them, and a rejection that nobody waits for would end the process.
    this.synced.catch(() => {});
    this.filled.catch(() => {});
  }

  /** Begins. A second call does nothing. */
  start(): void {
    if (!this.#stopping.signal.aborted) this.#running ??= this.#run();
  }

  /** Resolves when everything has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const error = new Error(`list ${this.#options.resource.plural}: stopped before the first list`);
    this.#firstList.reject(error);
    this.#firstContent.reject(error);
  }

  /** Resolves when the store has been what the API server has; it may be stale since. */
  get caughtUp(): Promise<void> {
    return this.synced;
  }

  get isFilled(): boolean {
    return this.#isFilled;
  }

  /** Whether the API server is there and says no. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /**
   * The moment up to which the store is known to be right, in milliseconds since 1970; undefined while it follows the
   * API server, and before it has any content.
   */
  get staleSince(): number | undefined {
    return this.#staleSince;
  }

  onChange(listener: ChangeListener<T>): () => void {
    return this.#options.store.onChange(listener);
  }

  /** Fills the store with the objects of an earlier run, which were right at `asOf`; nothing once it has content. */
  restore(objects: readonly T[], asOf: number): void {
    if (this.#isFilled || this.#stopping.signal.aborted) return;
    this.#isFilled = true;
    this.#staleSince = asOf;
    this.#options.store.restore(objects);
    this.#firstContent.resolve();
  }

  counters(): ReflectorCounters {
    return {
      lists: this.#lists,
      watches: this.#watches,
      failures: this.#failures,
      events: this.#events,
      lastEventAge: this.#lastEvent === undefined ? undefined : this.#options.clock.now() - this.#lastEvent,
    };
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const begun = clock.now();
      const failure = await this.#listAndWatch();
      if (signal.aborted) return;
      if (clock.now() - begun >= goodLifetime) this.#failuresInARow = 0;
      if (failure === undefined) continue;
      this.#failures += 1;
      this.#noteStale(failure);
      // A server that says so is there again: a restarted one refuses every resourceVersion from before.
      const expired = failure instanceof ApiError && failure.status === 410;
      if (expired && !this.#expired) this.#failuresInARow = 0;
      this.#expired = expired;
      this.#failuresInARow += 1;
      if (this.#mustRelist(failure)) this.#resourceVersion = undefined;
      const delay = this.#delayAfter(failure);
      this.#reportFailure(failure, delay);
      // Rejects only when stopped, which the loop's condition sees.
      await sleep(clock, delay, signal).catch(() => {});
    }
  }

  /** Undefined when the server ended the watch in good order. */
  async #listAndWatch(): Promise<unknown> {
    try {
      if (this.#resourceVersion === undefined) await this.#list();
      await this.#watch();
      return undefined;
    } catch (failure) {
      return failure ?? new Error('failed without a reason');
    }
  }

  async #list(): Promise<void> {
    const { client, resource, store } = this.#options;
    const objects: T[] = [];
    let next: string | undefined;
    let resourceVersion: string | undefined;
    for (let pages = 0; next !== undefined || pages === 0; pages++) {
      if (pages === maxPages) throw this.#error('too-large', `more than ${maxPages} pages`);
      const options = { ...this.#selection(), limit: pageSize, continue: next, signal: this.#stopping.signal };
      const page = await client.list(resource, options);
      for (const item of page.items ?? []) objects.push(this.#prepare(item));
      resourceVersion = page.metadata?.resourceVersion;
      next = page.metadata?.continue || undefined;
    }
    if (resourceVersion === undefined) throw this.#error('garbled', 'the list has no resourceVersion');
    if (this.#stopping.signal.aborted) return;
    store.replace(objects);
    this.#resourceVersion = resourceVersion;
    this.#lists += 1;
    this.#lastEvent = this.#options.clock.now();
    this.#noteLive();
    this.#isFilled = true;
    this.#firstList.resolve();
    this.#firstContent.resolve();
    this.#firstAttempt.resolve();
  }

  /** Returns when the server has ended the watch; throws on everything else. */
  async #watch(): Promise<void> {
    const { client, clock, random, resource } = this.#options;
    const { least, most } = this.#limits.watchSeconds;
    const timeoutSeconds = least + random.integer(most - least + 1);
    const silence = new SilenceLimit(clock, timeoutSeconds * 1000 + this.#limits.silenceGrace);
    const signal = AbortSignal.any([this.#stopping.signal, silence.signal]);
    const begun = clock.now();
    try {
      const resourceVersion = this.#resourceVersion ?? '';
      const bytes = await client.watch(resource, { ...this.#selection(), resourceVersion, timeoutSeconds, signal });
      this.#watches += 1;
      this.#noteLive();
      this.#reportRecovery();
      for await (const events of watchEvents<T>(`watch ${resource.plural}`, silence.watching(bytes))) {
        for (const event of events) {
          if (signal.aborted) break;
          this.#take(event);
        }
      }
    } catch (error) {
      if (silence.passed) throw this.#error('timeout', `nothing was heard for ${silence.limit} ms`);
      throw error;
    } finally {
      silence.stop();
    }
    if (clock.now() - begun < shortestWatch) throw this.#error('unreachable', 'the server ended the watch at once');
  }

  #take(event: WatchEvent<T>): void {
    const { resource, store } = this.#options;
    this.#events += 1;
    this.#lastEvent = this.#options.clock.now();
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        store.set(this.#prepare(event.object));
        break;
      case 'DELETED':
        store.delete(keyOf(event.object));
        break;
      case 'BOOKMARK':
        break;
      case 'ERROR':
        throw refusal(`watch ${resource.plural}`, event.object);
      default:
        event satisfies never;
    }
    this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
  }

  /** One shape for objects from lists, which state no kind, and from watches. */
  #prepare(object: T): T {
    const { resource, trim } = this.#options;
    const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
    const prepared = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
    return trim === undefined ? prepared : trim(prepared);
  }

  #selection(): Selection {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }

  /**
   * Whether the last resourceVersion is of no more use: it expired (410), the server never had it (400, 504 after a
   * restored backup), or a line was lost that the same watch would stumble over again.
   */
  #mustRelist(failure: unknown): boolean {
    if (!(failure instanceof ApiError)) return true;
    if (failure.code === 'garbled' || failure.code === 'too-large') return true;
    return failure.status === 410 || failure.status === 400 || failure.status === 504;
  }

  #noteStale(failure: unknown): void {
    const { clock } = this.#options;
    this.#isDenied = isDenial(failure);
    if (this.#lastEvent !== undefined) this.#staleSince ??= clock.wallTime() - (clock.now() - this.#lastEvent);
    this.#firstAttempt.resolve();
  }

  #noteLive(): void {
    this.#isDenied = false;
    this.#staleSince = undefined;
  }

  #delayAfter(failure: unknown): number {
    const asked = failure instanceof ApiError ? failure.retryAfter : undefined;
    const expired = failure instanceof ApiError && failure.status === 410;
    // An old resourceVersion is no trouble of the server's, so the first relist need not wait.
    if (expired && this.#failuresInARow === 1) return asked ?? 0;
    return Math.max(asked ?? 0, backoffDelay(this.#limits.backoff, this.#failuresInARow, this.#options.random));
  }

  #error(code: ApiError['code'], why: string): ApiError {
    return new ApiError(`watch ${this.#options.resource.plural}`, why, { code });
  }

  #reportFailure(failure: unknown, delay: number): void {
    const what = failure instanceof Error ? failure.message : String(failure);
    const fields = { error: failure, relist: this.#resourceVersion === undefined, retryIn: Math.round(delay) };
    // A lost connection or an expired version is everyday; only what comes back is worth a warning.
    if (this.#failuresInARow === 1 || what === this.#reported) {
      this.#log.debug('watch interrupted', fields);
      return;
    }
    this.#reported = what;
    this.#log.warn('watch failing', fields);
  }

  #reportRecovery(): void {
    if (this.#reported === undefined) return;
    this.#reported = undefined;
    this.#log.info('watch recovered');
  }
}
