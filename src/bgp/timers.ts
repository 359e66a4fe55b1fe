import type { Clock, Timer } from '../runtime/clock.ts';

/** Timers by name, each at most once. */
export class Timers<Name extends string> {
  readonly #clock: Clock;
  readonly #armed = new Map<Name, { readonly timer: Timer; readonly due: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In `delay` milliseconds `expire` is told how late it is. One of the name that runs starts again. */
  start(name: Name, delay: number, expire: (late: number) => void): void {
    this.stop(name);
    const due = this.#clock.now() + delay;
    const run = () => {
      this.#armed.delete(name);
      expire(this.#clock.now() - due);
    };
    this.#armed.set(name, { timer: this.#clock.after(delay, run), due });
  }

  stop(...names: readonly Name[]): void {
    for (const name of names) {
      this.#armed.get(name)?.timer.cancel();
      this.#armed.delete(name);
    }
  }

  /** When it expires, by `clock.now()`; undefined when it does not run. */
  due(name: Name): number | undefined {
    return this.#armed.get(name)?.due;
  }
}
