import type { Pool } from '../config/config.ts';
import { type Address, type Family, formatAddress } from '../ip/address.ts';
import { RangeMap } from '../ip/range-map.ts';
import { RangeSpace } from './range-space.ts';
import { type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';

/** What the status of a pool shows. A shared address counts once; each number stops at 2^53 - 1. */
export type PoolCounters = {
  readonly assignedIPv4: number;
  readonly assignedIPv6: number;
  readonly availableIPv4: number;
  readonly availableIPv6: number;
};

/** The addresses of one pool, range by range. Callers ask only about addresses that are in it. */
export class PoolSpace {
  readonly pool: Pool;
  /** In the order of `pool.addresses`, which is the order of their use. */
  readonly #spaces: readonly RangeSpace[];
  readonly #spaceByAddress: RangeMap<RangeSpace>;

  constructor(pool: Pool) {
    this.pool = pool;
    this.#spaces = pool.addresses.map((range) => new RangeSpace(range, pool.avoidBuggyIPs));
    this.#spaceByAddress = new RangeMap(this.#spaces.map((space) => ({ range: space.range, value: space })));
  }

  /** Why the Service may not have this address of the pool, or undefined when it may. */
  objection(address: Address, service: ServiceKey, wish: Wish): Refusal | undefined {
    const space = this.#spaceOf(address);
    if (space.avoids(address)) {
      return refusal('address-avoided', `pool ${this.pool.name} keeps ${formatAddress(address)} back (avoidBuggyIPs)`);
    }
    return space.objection(address, service, wish);
  }

  /** The lowest address that the Service may have, free or shared, of the first range that has one. */
  first(family: Family, service: ServiceKey, wish: Wish): Address | undefined {
    for (const space of this.#spaces) {
      const address = space.range.family === family ? space.first(service, wish) : undefined;
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** The caller knows that there is no objection, and that the Service does not hold the address. */
  take(address: Address, service: ServiceKey, wish: Wish): void {
    this.#spaceOf(address).take(address, service, wish);
  }

  release(address: Address, service: ServiceKey): void {
    this.#spaceOf(address).release(address, service);
  }

  holders(address: Address): readonly ServiceKey[] {
    return this.#spaceOf(address).holders(address);
  }

  counters(): PoolCounters {
    const v4 = this.#count(4);
    const v6 = this.#count(6);
    return {
      assignedIPv4: v4.assigned,
      assignedIPv6: v6.assigned,
      availableIPv4: v4.available,
      availableIPv6: v6.available,
    };
  }

  #spaceOf(address: Address): RangeSpace {
    const space = this.#spaceByAddress.get(address);
    if (!space) throw new Error(`${formatAddress(address)} is not of pool ${this.pool.name}`);
    return space;
  }

  #count(family: Family): { assigned: number; available: number } {
    const spaces = this.#spaces.filter(({ range }) => range.family === family);
    const assigned = spaces.reduce((sum, space) => sum + space.assigned, 0);
    const usable = spaces.reduce((sum, space) => sum + space.usable, 0n);
    return { assigned, available: saturated(usable - BigInt(assigned)) };
  }
}

function saturated(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}
