import type { ServiceAllocation } from '../api/ip-address-pool.ts';
import type { PreferredNodes } from '../api/l2-advertisement.ts';
import type { LabelSelector } from '../api/label-selector.ts';
import type { Address } from '../ip/address.ts';
import type { Range } from '../ip/range.ts';
import { RangeMap } from '../ip/range-map.ts';

/**
 * Everything the pools and advertisements of a cluster say, checked against each other. Immutable, and canonical: the
 * same resources give the same Config in whatever order they arrive. Of their lists, only a pool's ranges have an order.
 *
 * It depends on those resources alone. Selectors of nodes, namespaces and Services stay selectors, and are held
 * against labels where the labels are at hand (allocator, election): so a node that joins, leaves or changes a label
 * makes no new Config, and nobody who only watches the configuration wakes up for it.
 */
export class Config {
  /** No pools: nothing can be assigned or announced. */
  static readonly empty = new Config([]);

  /** By name. */
  readonly pools: readonly Pool[];
  readonly #byAddress: RangeMap<Pool>;
  readonly #text: string;

  /** For `compile`, which has checked that names are unique and ranges do not overlap. */
  constructor(pools: readonly Pool[]) {
    this.pools = pools;
    this.#byAddress = new RangeMap(pools.flatMap((pool) => pool.addresses.map((range) => ({ range, value: pool }))));
    this.#text = JSON.stringify(pools, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  }

  pool(name: string): Pool | undefined {
    return this.pools.find((pool) => pool.name === name);
  }

  /** The pool that owns all the addresses; undefined when none does, or when they are of several. */
  poolOf(addresses: readonly Address[]): Pool | undefined {
    const [first, ...others] = addresses;
    const owner = first && this.#byAddress.get(first);
    return others.every((address) => this.#byAddress.get(address) === owner) ? owner : undefined;
  }

  equals(other: Config): boolean {
    return this.#text === other.#text;
  }
}

export type Pool = {
  readonly name: string;
  /** In the order in which they are used, the one of `spec.addresses`. No overlaps here or with other pools. */
  readonly addresses: readonly Range[];
  /** Whether Services that ask for nothing may be given addresses of this pool. */
  readonly autoAssign: boolean;
  /** Whether IPv4 addresses ending in .0 and .255 are kept back, which some old routers drop. */
  readonly avoidBuggyIPs: boolean;
  readonly serviceAllocation: ServiceAllocation | undefined;
  /** By name. */
  readonly l2Advertisements: readonly PoolL2Advertisement[];
};

/** How the addresses of a pool are announced on the LAN. All advertisements of a pool add up. */
export type PoolL2Advertisement = {
  readonly name: string;
  readonly nodeSelectors: readonly LabelSelector[];
  readonly preferredNodeSelectors: readonly PreferredNodes[];
  readonly interfaces: readonly string[] | 'all';
  readonly serviceSelectors: readonly LabelSelector[];
};
