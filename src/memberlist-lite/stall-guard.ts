import type { Clock, Timer } from '../runtime/clock.ts';

/**
 * A clock that notices when its timers fire late: the event loop was busy, the process was starved or the machine was
 * suspended. During that time packets lay unread, so whatever seems to have been missed may be our own fault. The
 * owner is told before the late timer runs, and voids what it was about to conclude.
 */
export class StallGuard implements Clock {
  readonly #clock: Clock;
  readonly #tolerance: number;
  readonly #onStall: (duration: number) => void;
  /** When a timer of ours ran last: several that are late together are one stall. */
  #ran: number;

  /** Lateness of more than `tolerance` milliseconds counts. */
  constructor(clock: Clock, tolerance: number, onStall: (duration: number) => void) {
    this.#clock = clock;
    this.#tolerance = tolerance;
    this.#onStall = onStall;
    this.#ran = clock.now();
  }

  now(): number {
    return this.#clock.now();
  }

  wallTime(): number {
    return this.#clock.wallTime();
  }

  after(delay: number, run: () => void): Timer {
    const due = this.now() + delay;
    return this.#clock.after(delay, () => {
      this.#check(due);
      run();
    });
  }

  every(period: number, run: () => void): Timer {
    let due = this.now() + period;
    return this.#clock.every(period, () => {
      this.#check(due);
      due = this.now() + period;
      run();
    });
  }

  #check(due: number): void {
    const now = this.now();
    const stalled = now - Math.max(due, this.#ran);
    this.#ran = now;
    if (stalled > this.#tolerance) this.#onStall(stalled);
  }
}
