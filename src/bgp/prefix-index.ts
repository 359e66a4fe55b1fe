import type { Family } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';

/**
 * Numbers for the prefixes of one family, small and dense, so that what is known of a prefix can stand in typed arrays.
 * A number is used again once its prefix is removed. It grows with the most prefixes there have been, and never shrinks.
 *
 *     slots    [ 0 | 3 | 0 | 1 | 2 | 0 ... ]   an open hash table: 0, or a number and one; at most two thirds are taken
 *                    |       |   |
 *     numbers  0 ----|-------+   |             keys: one word of 32 bits for IPv4, four for IPv6
 *              1 ----|-----------+             lengths: of the prefix, or `unused`
 *              2 ----+
 *
 * Along the slots from where a key's hash points up to where the key stands, none is 0. The first words of the keys of
 * unused numbers are a list of them: the next one and one, or 0.
 */
export class PrefixIndex {
  readonly family: Family;
  readonly #words: 1 | 4;
  #keys: Uint32Array;
  #lengths: Uint8Array;
  #slots: Uint32Array;
  /** All numbers below have been used. */
  #end = 0;
  /** The first unused number below `#end`, and one. */
  #unused = 0;
  #size = 0;

  constructor(family: Family) {
    this.family = family;
    this.#words = family === 4 ? 1 : 4;
    this.#keys = new Uint32Array(smallest * this.#words);
    this.#lengths = new Uint8Array(smallest);
    this.#slots = new Uint32Array(2 * smallest);
  }

  get size(): number {
    return this.#size;
  }

  /** Greater than every number in use. */
  get end(): number {
    return this.#end;
  }

  /** The number of the prefix, which gets one if it has none. The prefix must be of the index's family. */
  add(prefix: Prefix): number {
    const found = this.#locate(prefix);
    if (found.entry >= 0) return found.entry;
    const entry = this.#take();
    this.#keys.set(scratch.subarray(0, this.#words), entry * this.#words);
    this.#lengths[entry] = prefix.length;
    this.#size += 1;
    if (this.#size * 3 > this.#slots.length * 2) this.#rehash(this.#slots.length * 2);
    else this.#slots[found.slot] = entry + 1;
    return entry;
  }

  /** Undefined when the prefix has none. */
  find(prefix: Prefix): number | undefined {
    const { entry } = this.#locate(prefix);
    return entry < 0 ? undefined : entry;
  }

  has(entry: number): boolean {
    return entry < this.#end && this.#lengths[entry] !== unused;
  }

  /** Of a number in use. */
  prefixAt(entry: number): Prefix {
    const length = this.#lengths[entry] as number;
    if (this.#words === 1) return { family: 4, value: BigInt(this.#keys[entry] as number), length };
    scratch.set(this.#keys.subarray(4 * entry, 4 * entry + 4));
    return { family: 6, value: ((scratch64[1] as bigint) << 64n) | (scratch64[0] as bigint), length };
  }

  /** The number is free for another prefix then. */
  remove(entry: number): void {
    const mask = this.#slots.length - 1;
    let hole = this.#hashOf(entry) & mask;
    while (this.#slots[hole] !== entry + 1) hole = (hole + 1) & mask;
    // Whatever stands behind the hole and was to stand at it or before it moves up.
    for (let at = (hole + 1) & mask; this.#slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashOf((this.#slots[at] as number) - 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#slots[hole] = this.#slots[at] as number;
      hole = at;
    }
    this.#slots[hole] = 0;
    this.#lengths[entry] = unused;
    this.#keys[entry * this.#words] = this.#unused;
    this.#unused = entry + 1;
    this.#size -= 1;
  }

  /** Leaves the key in the scratch words. `slot` is where the prefix would stand. */
  #locate({ value, length }: Prefix): { entry: number; slot: number } {
    if (this.#words === 1) scratch[0] = Number(value);
    else {
      scratch64[0] = value;
      scratch64[1] = value >> 64n;
    }
    const mask = this.#slots.length - 1;
    let slot = hash(scratch, 0, this.#words, length) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0 || (this.#lengths[entry] === length && this.#isAt(entry))) return { entry, slot };
    }
  }

  /** Whether the key in the scratch words is the one of the number. */
  #isAt(entry: number): boolean {
    const start = entry * this.#words;
    for (let word = 0; word < this.#words; word++) if (this.#keys[start + word] !== scratch[word]) return false;
    return true;
  }

  #take(): number {
    if (this.#unused !== 0) {
      const entry = this.#unused - 1;
      this.#unused = this.#keys[entry * this.#words] as number;
      return entry;
    }
    if (this.#end === this.#lengths.length) {
      // By a quarter: what is never filled counts for little.
      const capacity = this.#end + (this.#end >> 2);
      this.#lengths = grown(this.#lengths, capacity);
      this.#keys = grown(this.#keys, capacity * this.#words);
    }
    this.#end += 1;
    return this.#end - 1;
  }

  #rehash(length: number): void {
    const mask = length - 1;
    this.#slots = new Uint32Array(length);
    for (let entry = 0; entry < this.#end; entry++) {
      if (this.#lengths[entry] === unused) continue;
      let slot = this.#hashOf(entry) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }

  #hashOf(entry: number): number {
    return hash(this.#keys, entry * this.#words, this.#words, this.#lengths[entry] as number);
  }
}

/** The same with room for more, which is zeros. */
export function grown<T extends Uint8Array | Uint32Array>(array: T, length: number): T {
  const larger = new (array.constructor as new (length: number) => T)(length);
  larger.set(array);
  return larger;
}

const smallest = 16;
/** Longer than any prefix. */
const unused = 255;
/** The key of the prefix that is being looked for; in whatever order the machine has words. */
const scratch64 = new BigUint64Array(2);
const scratch = new Uint32Array(scratch64.buffer);

/** Addresses in a row, or that differ in one word alone, shall not meet: each word is mixed into all bits. */
function hash(words: Uint32Array, start: number, count: number, length: number): number {
  let mixed = length;
  for (let word = start; word < start + count; word++) {
    mixed = Math.imul(mixed ^ (words[word] as number), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
  }
  return mixed >>> 0;
}
