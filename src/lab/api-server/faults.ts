import type { Clock } from '../../runtime/clock.ts';
import { sleep } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import { internalError } from './status.ts';
import type { Store } from './store.ts';

/** The ways in which a test or a lab scenario makes the API server fail. */
export class Faults {
  /** The share of requests, 0 to 1, that are answered 500. */
  errorRate = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #store: Store;
  readonly #resumed = new Set<() => void>();
  readonly #watchClosers = new Set<() => void>();
  #delayMs = 0;
  #paused = false;

  constructor(clock: Clock, random: Random, store: Store) {
    this.#clock = clock;
    this.#random = random;
    this.#store = store;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Delays every answer by `milliseconds`, from now on. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /** Ends every open watch in good order, as a restarting server or a proxy does. */
  closeWatches(): void {
    for (const close of [...this.#watchClosers]) close();
  }

  /** Forgets the history: a watch from an older revision is answered 410. */
  compact(): void {
    this.#store.compact();
  }

  /** The half-open server: takes connections, answers nothing, and its watches fall silent. */
  pause(): void {
    this.#paused = true;
  }

  /** Ends a pause. What waited is answered; watches send what they missed. */
  resume(): void {
    this.#paused = false;
    for (const run of [...this.#resumed]) run();
  }

  /** Lets a request through when the faults allow it. Throws the Status of an injected failure. */
  async admit(): Promise<void> {
    while (this.#paused) await new Promise<void>((resolve) => this.#once(resolve));
    if (this.#delayMs > 0) await sleep(this.#clock, this.#delayMs);
    if (this.errorRate > 0 && this.#random.float() < this.errorRate) throw internalError('injected fault');
  }

  onResume(run: () => void): () => void {
    this.#resumed.add(run);
    return () => this.#resumed.delete(run);
  }

  onCloseWatches(close: () => void): () => void {
    this.#watchClosers.add(close);
    return () => this.#watchClosers.delete(close);
  }

  #once(run: () => void): void {
    const forget = this.onResume(() => {
      forget();
      run();
    });
  }
}
