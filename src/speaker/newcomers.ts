import { acquaintance, type Beginnings, returningNodes } from '../election/returning.ts';
import type { Clock, Timer } from '../runtime/clock.ts';

/** Timers cannot wait for a month; milliseconds. */
const longestWait = 86_400_000;

export type NewcomersOptions = {
  /** When the speaker of a living node began, and when its Node was made, as far as is known. */
  readonly beginningOf: (node: string) => Beginnings;
  /** One of them is none any more. */
  readonly onChange: () => void;
  readonly clock: Clock;
};

/** The living nodes that `balanced` moves nothing to yet: those that have returned, and those that were met just now. */
export class Newcomers {
  readonly #options: NewcomersOptions;
  #nodes: ReadonlySet<string> = new Set();
  /** Who is alive, and since when, as far as we have looked on. */
  #metAt: ReadonlyMap<string, number> = new Map();
  #timer: Timer | undefined;

  constructor(options: NewcomersOptions) {
    this.#options = options;
  }

  has(node: string): boolean {
    return this.#nodes.has(node);
  }

  /**
   * These live, of whom those in `members` take part. Looks again when the next one is no newcomer any more. Who is there
   * before we have `begun` counts as met long ago.
   */
  look(
    alive: Iterable<string>,
    { members, failBackAfter, begun }: { members: Iterable<string>; failBackAfter: number | undefined; begun: boolean },
  ): void {
    const { beginningOf, onChange, clock } = this.#options;
    const beginnings = [...members].map(beginningOf);
    const { nodes, until = Infinity } = returningNodes(beginnings, clock.wallTime(), failBackAfter);
    const met = this.#justMet(alive, begun);
    this.close();
    const wait = Math.min(until - clock.wallTime(), ...met.values());
    this.#timer = wait === Infinity ? undefined : clock.after(Math.min(wait, longestWait), onChange);
    this.#nodes = new Set([...nodes, ...met.keys()]);
  }

  /** There is no election that asks for them. */
  clear(): void {
    this.#nodes = new Set();
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Those of whom we may know only what a former speaker of theirs has said, and for how much longer. */
  #justMet(alive: Iterable<string>, begun: boolean): ReadonlyMap<string, number> {
    const now = this.#options.clock.now();
    const at = begun ? now : -Infinity;
    this.#metAt = new Map([...alive].map((name) => [name, this.#metAt.get(name) ?? at]));
    const left = [...this.#metAt].map(([name, met]) => [name, met + acquaintance - now] as const);
    return new Map(left.filter(([, wait]) => wait > 0));
  }
}
