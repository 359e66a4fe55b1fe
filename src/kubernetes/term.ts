import type { Clock, Timer } from '../runtime/clock.ts';
import type { Uptime } from '../runtime/uptime.ts';
import type { Fence } from './fence.ts';

/**
 * One candidate's time as the leader. It ends, by the local clock, before anybody else may take the lease, whether
 * this process runs then or not. Once ended it stays so: whoever leads again begins a new term.
 */
export class Term implements Fence {
  readonly #clock: Clock;
  readonly #uptime: Uptime;
  readonly #onLapse: () => void;
  readonly #ended = new AbortController();
  #until: number;
  #timer: Timer;

  /** `until` is in uptime. `onLapse` is called when that moment passes without a renewal. */
  constructor(options: {
    readonly until: number;
    readonly clock: Clock;
    readonly uptime: Uptime;
    readonly onLapse: () => void;
  }) {
    this.#clock = options.clock;
    this.#uptime = options.uptime;
    this.#onLapse = options.onLapse;
    this.#until = options.until;
    this.#timer = this.#arm();
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  holds(): boolean {
    return !this.#ended.signal.aborted && this.#uptime() < this.#until;
  }

  /** The lease was renewed. */
  extend(until: number): void {
    this.#timer.cancel();
    this.#until = until;
    this.#timer = this.#arm();
  }

  /** Idempotent. */
  end(): void {
    this.#timer.cancel();
    this.#ended.abort();
  }

  #arm(): Timer {
    return this.#clock.after(this.#until - this.#uptime(), () => {
      // A timer may be early by a step of the uptime.
      if (this.#uptime() < this.#until) this.#timer = this.#arm();
      else this.#onLapse();
    });
  }
}
