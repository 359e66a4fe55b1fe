import type { Clock } from '../../runtime/clock.ts';

/** One request of the client. Times are those of the clock, in milliseconds. */
export type Request = { readonly sent: number; readonly ended: number; readonly answered: boolean };

export type Outage = {
  /** From `since` to the first answer after a failure; 0 when no request failed. */
  readonly firstAnswer: number;
  /** From `since` to the end of the last request that failed; 0 when none did. */
  readonly lastFailure: number;
  readonly failed: number;
  readonly sent: number;
};

/** A client that asks for the same page again and again, each time on a new connection. */
export class Traffic {
  readonly #ask: () => Promise<boolean>;
  readonly #clock: Clock;
  readonly #requests: Request[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;

  /** `ask` makes one request, waits for it a fraction of a second at most, and tells whether it was answered. */
  constructor(clock: Clock, ask: () => Promise<boolean>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  requests(): readonly Request[] {
    return this.#requests;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const sent = this.#clock.now();
      const answered = await this.#ask();
      this.#requests.push({ sent, ended: this.#clock.now(), answered });
    }
  }
}

/** How many requests in a row must be answered before the service counts as restored. */
const restoredAfter = 10;

/** What the requests after `since` say. Undefined while it is not over: fewer than ten answers in a row at the end. */
export function outageSince(requests: readonly Request[], since: number): Outage | undefined {
  const after = requests.filter(({ ended }) => ended >= since);
  if (after.length < restoredAfter || after.slice(-restoredAfter).some(({ answered }) => !answered)) return undefined;
  const firstFailure = after.findIndex(({ answered }) => !answered);
  if (firstFailure === -1) return { firstAnswer: 0, lastFailure: 0, failed: 0, sent: after.length };
  const recovered = after.slice(firstFailure).find(({ answered }) => answered);
  const lastFailure = after.findLast(({ answered }) => !answered);
  return {
    firstAnswer: (recovered?.ended ?? since) - since,
    lastFailure: (lastFailure?.ended ?? since) - since,
    failed: after.filter(({ answered }) => !answered).length,
    sent: after.length,
  };
}
