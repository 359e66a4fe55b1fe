import { type Clock, sleep, type Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { ApiError } from './api-error.ts';
import { type BackoffRange, backoffDelay } from './backoff.ts';

/** For how long reconciles that never wait may keep the event loop from everything else. Milliseconds. */
const longestSlice = 10;

export type WorkQueueOptions = {
  /** For log lines: `service`. */
  readonly name: string;
  /** Makes the world fit the key; a throw means "try again later". Never runs twice at once for one key. */
  readonly reconcile: (key: string) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How many keys may be reconciled at once; 1 when absent. */
  readonly concurrency?: number;
  readonly backoff?: BackoffRange;
};

export type WorkQueueCounters = {
  readonly waiting: number;
  readonly running: number;
  /** Keys that will be added later: `addAfter`, and the back-off of failures. */
  readonly delayed: number;
  readonly reconciles: number;
  readonly failures: number;
};

/**
 * Keys to be reconciled. A key is where it is in this picture, at most once in each place:
 *
 *     add ──▶ waiting ──▶ running ──▶ done
 *               ▲           │  └─ failed ──▶ delayed, longer each time in a row
 *               └─ again ◀──┘ (added while running)
 *
 * A key added many times before its turn is reconciled once; one added while running is reconciled once more.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #backoff: BackoffRange;
  readonly #log: Logger;
  /** In order of their turn. */
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Subset of #running. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly due: number; readonly timer: Timer }>();
  /** key → failures in a row and the last message. */
  readonly #failing = new Map<string, { readonly count: number; readonly message: string }>();
  readonly #workers = new Set<Promise<void>>();
  readonly #idleWaiters: (() => void)[] = [];
  readonly #stopping = new AbortController();
  #sliceBegun = 0;
  #reconciles = 0;
  #failures = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? { base: 5, max: 60_000 };
    this.#log = options.log.with({ queue: options.name });
  }

  /** Never runs the reconcile within the call. Does nothing after `stop()`. */
  add(key: string): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#running.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#employ();
  }

  /** Adds the key in `delay` milliseconds. Of several such wishes for one key only the earliest is kept. */
  addAfter(key: string, delay: number): void {
    if (this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    const due = clock.now() + delay;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined && earlier.due <= due) return;
    earlier?.timer.cancel();
    const timer = clock.after(delay, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { due, timer });
  }

  /** Resolves when no key is waiting or running. Delayed keys are not waited for. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0 && this.#workers.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Begins nothing more, and resolves when what runs has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#again.clear();
    await Promise.all(this.#workers);
  }

  counters(): WorkQueueCounters {
    return {
      waiting: this.#waiting.size + this.#again.size,
      running: this.#running.size,
      delayed: this.#delayed.size,
      reconciles: this.#reconciles,
      failures: this.#failures,
    };
  }

  #employ(): void {
    if (this.#workers.size >= (this.#options.concurrency ?? 1) || this.#waiting.size === 0) return;
    const worker = Promise.resolve()
      .then(() => this.#work())
      .finally(() => {
        this.#workers.delete(worker);
        if (this.#waiting.size > 0) this.#employ();
        else if (this.#workers.size === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
      });
    this.#workers.add(worker);
  }

  async #work(): Promise<void> {
    const { clock } = this.#options;
    this.#sliceBegun = clock.now();
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      this.#running.add(key);
      await this.#reconcile(key);
      this.#running.delete(key);
      if (this.#again.delete(key)) this.#waiting.add(key);
      if (this.#waiting.size > 0 && clock.now() - this.#sliceBegun > longestSlice) {
        // Rejects only when stopped, and then nothing waits any more.
        await sleep(clock, 0, this.#stopping.signal).catch(() => {});
        this.#sliceBegun = clock.now();
      }
    }
  }

  /** Never throws. */
  async #reconcile(key: string): Promise<void> {
    this.#reconciles += 1;
    try {
      await this.#options.reconcile(key);
      this.#failing.delete(key);
    } catch (error) {
      this.#failures += 1;
      this.#retryLater(key, error);
    }
  }

  #retryLater(key: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const before = this.#failing.get(key);
    const count = (before?.count ?? 0) + 1;
    const message = error instanceof Error ? error.message : String(error);
    this.#failing.set(key, { count, message });
    const asked = error instanceof ApiError ? (error.retryAfter ?? 0) : 0;
    const delay = Math.max(asked, backoffDelay(this.#backoff, count, this.#options.random));
    const fields = { key, failures: count, retryIn: Math.round(delay), error };
    if (before?.message === message) this.#log.debug('reconcile failed again', fields);
    else this.#log.warn('reconcile failed', fields);
    this.addAfter(key, delay);
  }
}
