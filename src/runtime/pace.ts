import type { Clock } from './clock.ts';

export type PaceOptions = {
  /** How many a second. */
  readonly rate: number;
  /** How many at once after a pause. */
  readonly burst: number;
  readonly clock: Clock;
};

/** Bounds how often something is done: so many at once, and then so many a second. */
export class Pace {
  readonly #interval: number;
  readonly #burst: number;
  readonly #clock: Clock;
  /** When the next turn would be if there were no burst, by `clock.now()`. */
  #next = -Infinity;

  constructor({ rate, burst, clock }: PaceOptions) {
    this.#interval = 1_000 / rate;
    this.#burst = burst;
    this.#clock = clock;
  }

  /** Takes the next turn. Returns in how many milliseconds it is; 0: now. */
  take(): number {
    const now = this.#clock.now();
    this.#next = Math.max(this.#next, now - (this.#burst - 1) * this.#interval);
    const wait = Math.max(0, this.#next - now);
    this.#next += this.#interval;
    return wait;
  }
}
