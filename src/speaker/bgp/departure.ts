import type { Route } from '../../bgp/route.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { drained } from './drain.ts';

/** `leaving`: routers are told to prefer others. `gone`: they are told nothing. */
export type DepartureStage = 'here' | 'leaving' | 'gone';

export type DepartureOptions = {
  /** Between the first word and the withdrawal, in milliseconds; 0: no word goes before it. */
  readonly drainTime: number;
  /** Routes are others now, of all peers but the exempt. */
  readonly onChange: () => void;
  readonly clock: Clock;
};

/** How a node takes its routes back while its traffic goes on: with a word to prefer others, and time (RFC 8326). */
export class Departure {
  readonly #options: DepartureOptions;
  #stage: DepartureStage = 'here';
  #exempt: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  readonly #waiters: (() => void)[] = [];

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  get stage(): DepartureStage {
    return this.#stage;
  }

  /** Does nothing once begun. Of the exempt peers no routes change. `atOnce`: there is nobody to tell. */
  begin({ exempt = new Set(), atOnce = false }: { exempt?: ReadonlySet<string>; atOnce?: boolean } = {}): void {
    if (this.#stage !== 'here') return;
    const { drainTime, clock } = this.#options;
    this.#exempt = exempt;
    if (atOnce || drainTime === 0) {
      this.#move('gone');
      return;
    }
    this.#move('leaving');
    this.#timer = clock.after(drainTime, () => this.#move('gone'));
  }

  /** The node is to be used again. */
  cancel(): void {
    this.#timer?.cancel();
    if (this.#stage !== 'here') this.#move('here');
  }

  /** Resolves when the time is over. To be called once begun. */
  gone(): Promise<void> {
    return this.#stage === 'gone' ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** What the peer is to be told, of what it would be. */
  routes(peer: string, routes: Iterable<Route>): Iterable<Route> {
    if (this.#stage === 'here' || this.#exempt.has(peer)) return routes;
    return this.#stage === 'leaving' ? drained(routes) : [];
  }

  close(): void {
    this.#timer?.cancel();
  }

  #move(stage: DepartureStage): void {
    this.#stage = stage;
    this.#options.onChange();
    if (stage === 'gone') for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
