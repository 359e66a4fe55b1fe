import type { Item } from './item.ts';
import type { Hash } from './metallb.ts';

/** Numbers that look random, and are the same on every node. */
export type Chance = {
  lotOf(item: Item): number;
  /** Of the address that drew the lot, with the node. */
  of(lot: number, node: number): number;
};

/** One hash for each node and each address that is asked about, not for each pair: there may be a million pairs. */
export class HashChance implements Chance {
  readonly #hash: Hash;
  readonly #known: Map<string, number>;
  readonly #nodes: Float64Array;

  constructor(nodes: readonly { readonly name: string }[], hash: Hash) {
    this.#hash = hash;
    this.#known = knownBy(hash);
    this.#nodes = Float64Array.from(nodes, ({ name }) => this.#start(name));
  }

  lotOf(item: Item): number {
    if (item.lot < 0) item.lot = this.#start(item.address);
    return item.lot;
  }

  of(lot: number, node: number): number {
    return mixed(lot, this.#nodes[node]!);
  }

  /** The first 32 bits of the hash. */
  #start(text: string): number {
    let found = this.#known.get(text);
    if (found === undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = this.#hash(text);
      found = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
      this.#known.set(text, found);
    }
    return found;
  }
}

/**
 * What was hashed before: one decision follows another about the same addresses, and to hash these is most of the work.
 * Forgotten as a whole when it is too much.
 */
const known = new WeakMap<Hash, Map<string, number>>();
const mostKnown = 100_000;

function knownBy(hash: Hash): Map<string, number> {
  const before = known.get(hash);
  if (before !== undefined && before.size < mostKnown) return before;
  const fresh = new Map<string, number>();
  known.set(hash, fresh);
  return fresh;
}

/** Two numbers of 32 bits in one, by the finaliser of MurmurHash3. */
function mixed(a: number, b: number): number {
  let mix = a ^ Math.imul(b, 0x9e3779b1);
  mix = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}
