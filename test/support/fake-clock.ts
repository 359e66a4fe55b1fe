import type { Clock, Timer } from '../../src/runtime/clock.ts';

type Due = { readonly at: number; readonly order: number; readonly run: () => void; cancelled: boolean };

/**
 * Virtual time. Nothing happens until `advance` or `until` is called; then timers run in the order in which they are
 * due, those due at one instant in the order in which they were armed. Between two timers every promise that can
 * settle does, so code that awaits sees the same order of events as on a real clock.
 *
 * Real input and output (sockets, files) does not follow this clock; do not mix the two.
 */
export class FakeClock implements Clock {
  readonly #origin: number;
  /** Sorted by (at, order), the next one last. */
  readonly #timers: Due[] = [];
  #now = 0;
  #armed = 0;

  /** `wallOrigin` is the wall time, in milliseconds since 1970, at which this clock starts. */
  constructor(wallOrigin = Date.UTC(2026, 0, 1)) {
    this.#origin = wallOrigin;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#origin + this.#now;
  }

  after(delay: number, run: () => void): Timer {
    const due: Due = { at: this.#now + Math.max(0, delay), order: this.#armed++, run, cancelled: false };
    this.#insert(due);
    return {
      cancel: () => {
        due.cancelled = true;
      },
    };
  }

  every(period: number, run: () => void): Timer {
    let current: Timer;
    const tick = () => {
      current = this.after(period, tick);
      run();
    };
    current = this.after(period, tick);
    return { cancel: () => current.cancel() };
  }

  /** How many timers are armed. After a clean stop there are none. */
  pending(): number {
    return this.#timers.filter((due) => !due.cancelled).length;
  }

  /** Lets `duration` milliseconds pass. */
  async advance(duration: number): Promise<void> {
    const end = this.#now + duration;
    await settle();
    while (await this.#step(end));
    this.#now = end;
  }

  /** Lets time pass until `condition` holds and returns how long that took; throws after `limit` milliseconds. */
  async until(what: string, condition: () => boolean, limit: number): Promise<number> {
    const start = this.#now;
    await settle();
    while (!condition()) {
      if (!(await this.#step(start + limit))) {
        this.#now = start + limit;
        throw new Error(`not within ${limit} ms of virtual time: ${what}`);
      }
    }
    return this.#now - start;
  }

  /** Runs the next timer that is due by `end`; false when there is none. */
  async #step(end: number): Promise<boolean> {
    let next = this.#timers.at(-1);
    while (next?.cancelled) {
      this.#timers.pop();
      next = this.#timers.at(-1);
    }
    if (next === undefined || next.at > end) return false;
    this.#timers.pop();
    this.#now = next.at;
    next.run();
    await settle();
    return true;
  }

  #insert(due: Due): void {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle] as Due).at > due.at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, due);
  }
}

/** A turn of the event loop runs only when the queue of microtasks is empty. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
