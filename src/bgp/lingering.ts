import type { Clock, Timer } from '../runtime/clock.ts';
import type { Connection } from './transport.ts';

/** How long a peer may take to read our last words and to close. */
const patience = 1_000;

/** Connections that are done with. Each has `patience` to close in order, then it is cut. */
export class Lingering {
  readonly #clock: Clock;
  readonly #timers = new Map<Connection, Timer>();
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes over a connection that is open. */
  add(connection: Connection): void {
    const cut = () => {
      connection.destroy();
      this.closed(connection);
    };
    this.#timers.set(connection, this.#clock.after(patience, cut));
    connection.end();
  }

  /** To be told of each that has closed; of others too. */
  closed(connection: Connection): void {
    this.#timers.get(connection)?.cancel();
    this.#timers.delete(connection);
    if (this.#timers.size > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when none is left. */
  emptied(): Promise<void> {
    if (this.#timers.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
