import { type Random, shuffled } from '../runtime/random.ts';

/**
 * The order in which members are probed: each once per round, in an order that changes from round to round. So every
 * member is probed within two rounds, and no two members probe in step (SWIM, section 4.3).
 */
export class ProbeRotation {
  readonly #random: Random;
  #names: string[] = [];
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#names.length;
  }

  /** A new member takes a random place among those whose turn is still to come. */
  add(name: string): void {
    const waiting = this.#names.length - this.#next;
    this.#names.splice(this.#next + this.#random.integer(waiting + 1), 0, name);
  }

  /** Whose turn it is; undefined at the end of the round. */
  next(): string | undefined {
    const name = this.#names[this.#next];
    if (name !== undefined) this.#next++;
    return name;
  }

  /** Gives the last one its turn again. */
  back(): void {
    this.#next = Math.max(0, this.#next - 1);
  }

  /** Starts a round with these members. */
  restart(names: readonly string[]): void {
    this.#names = shuffled(names, this.#random);
    this.#next = 0;
  }
}
