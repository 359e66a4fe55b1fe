import type { Pool } from '../config/config.ts';
import type { Address, Family } from '../ip/address.ts';
import { RangeMap } from '../ip/range-map.ts';
import type { SpaceNews } from './family-space.ts';
import { PoolSpace } from './pool-space.ts';

/** The pools in force, found by name, by address and in the order in which they are tried. */
export class PoolSpaces {
  readonly #newsOf: (pool: string, family: Family) => SpaceNews;
  #byName: ReadonlyMap<string, Entry> = new Map();
  #byAddress = new RangeMap<PoolSpace>([]);
  /** Pools for certain namespaces or Services that are given out without being asked for by name; by priority. */
  restricted: readonly PoolSpace[] = [];
  /** Pools for everybody that are given out without being asked for by name; by name. */
  open: readonly PoolSpace[] = [];

  constructor(newsOf: (pool: string, family: Family) => SpaceNews) {
    this.#newsOf = newsOf;
  }

  named(name: string): PoolSpace | undefined {
    return this.#byName.get(name)?.space;
  }

  /** The pool in whose ranges the address is, excluded or not. */
  at(address: Address): PoolSpace | undefined {
    return this.#byAddress.get(address);
  }

  /** Whether the space is in force, and not one of an earlier shape of the pool. */
  includes(space: PoolSpace): boolean {
    return this.named(space.pool.name) === space;
  }

  /**
   * Puts other pools in force. A pool that has not changed in what concerns the allocator keeps its space and all that
   * is in it; the others begin with an empty one, and those are returned.
   */
  replace(pools: readonly Pool[]): readonly PoolSpace[] {
    const made: PoolSpace[] = [];
    const entries = pools.map((pool) => {
      const text = textOf(pool);
      const before = this.#byName.get(pool.name);
      if (before?.text === text) return before;
      const space = new PoolSpace(pool, { 4: this.#newsOf(pool.name, 4), 6: this.#newsOf(pool.name, 6) });
      made.push(space);
      return { space, text };
    });
    const spaces = entries.map(({ space }) => space).sort((a, b) => (a.pool.name < b.pool.name ? -1 : 1));
    const automatic = spaces.filter(({ pool }) => pool.autoAssign);
    this.#byName = new Map(entries.map((entry) => [entry.space.pool.name, entry]));
    this.#byAddress = new RangeMap(
      spaces.flatMap((space) => space.pool.addresses.map((range) => ({ range, value: space }))),
    );
    this.restricted = automatic.filter(({ pool }) => pool.serviceAllocation).sort(byPriority);
    this.open = automatic.filter(({ pool }) => !pool.serviceAllocation);
    return made;
  }
}

type Entry = { readonly space: PoolSpace; readonly text: string };

/** Priority 1 first, unset last; the name decides between equals. `sort` is stable and the spaces come by name. */
function byPriority(a: PoolSpace, b: PoolSpace): number {
  const rank = ({ pool }: PoolSpace) => {
    const priority = pool.serviceAllocation?.priority ?? 0;
    return priority > 0 ? priority : Number.MAX_SAFE_INTEGER;
  };
  return rank(a) - rank(b);
}

/** All of a pool that concerns the allocator: how it is announced does not. */
function textOf(pool: Pool): string {
  const { l2Advertisements: _onTheLan, bgpAdvertisements: _toRouters, ...rest } = pool;
  return JSON.stringify(rest, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
