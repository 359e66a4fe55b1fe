import type { Pool } from '../config/config.ts';
import { type Address, type Family, formatAddress } from '../ip/address.ts';
import { type Range, rangeSize } from '../ip/range.ts';
import { RangeSet } from '../ip/range-set.ts';
import { portsOf, sharingOf, Tenancy } from './tenancy.ts';
import { type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';

/** What the status of a pool shows. A shared address counts once; each number stops at 2^53 - 1. */
export type PoolCounters = {
  readonly assignedIPv4: number;
  readonly assignedIPv6: number;
  readonly availableIPv4: number;
  readonly availableIPv6: number;
};

/**
 * The addresses of one pool: every usable one is either in `#free` or has a Tenancy, never both.
 *
 *   pool.addresses   [ . . . . . . . . . . . ]
 *   #free              ~ . . . .     .   . .     ranges; ~ is an avoided address, taken out when first met
 *   #tenancies                   T T   T         T's with one sharing text are also in #shared, ascending
 */
export class PoolSpace {
  readonly pool: Pool;
  readonly #free: RangeSet;
  readonly #tenancies: Record<Family, Map<bigint, Tenancy>> = { 4: new Map(), 6: new Map() };
  readonly #shared: Record<Family, Map<string, Tenancy[]>> = { 4: new Map(), 6: new Map() };

  constructor(pool: Pool) {
    this.pool = pool;
    this.#free = new RangeSet(pool.addresses);
  }

  /** Why the Service may not have this address of the pool, or undefined when it may. */
  objection(address: Address, service: ServiceKey, wish: Wish): Refusal | undefined {
    if (this.pool.avoidBuggyIPs && isAvoided(address)) {
      return refusal('address-avoided', `pool ${this.pool.name} keeps ${formatAddress(address)} back (avoidBuggyIPs)`);
    }
    return this.#tenancies[address.family].get(address.value)?.objection(service, wish);
  }

  /**
   * The lowest address that the Service may have, be it free or shared with it. O(log n) in the addresses, and linear
   * in those already shared under the Service's own sharing key.
   */
  first(family: Family, service: ServiceKey, wish: Wish): Address | undefined {
    const free = this.#firstFree(family);
    const ports = portsOf(wish);
    for (const tenancy of this.#shared[family].get(sharingOf(wish) ?? '') ?? []) {
      if (free !== undefined && tenancy.address.value > free.value) break;
      if (tenancy.takenPort(service, ports) === undefined) return tenancy.address;
    }
    return free;
  }

  /** The caller knows that there is no objection, and that the Service does not hold the address. */
  take(address: Address, service: ServiceKey, wish: Wish): void {
    let tenancy = this.#tenancies[address.family].get(address.value);
    if (!tenancy) {
      tenancy = new Tenancy(address, sharingOf(wish));
      this.#tenancies[address.family].set(address.value, tenancy);
      this.#free.remove(single(address));
      this.#list(tenancy);
    }
    tenancy.join(service, wish);
  }

  release(address: Address, service: ServiceKey): void {
    const tenancy = this.#tenancies[address.family].get(address.value);
    if (!tenancy) return;
    tenancy.leave(service);
    if (tenancy.services.size > 0) return;
    this.#tenancies[address.family].delete(address.value);
    this.#free.add(single(address));
    this.#unlist(tenancy);
  }

  holders(address: Address): readonly ServiceKey[] {
    return [...(this.#tenancies[address.family].get(address.value)?.services ?? [])];
  }

  counters(): PoolCounters {
    const assigned = (family: Family) => this.#tenancies[family].size;
    const available = (family: Family) => saturated(this.#usable(family) - BigInt(assigned(family)));
    return {
      assignedIPv4: assigned(4),
      assignedIPv6: assigned(6),
      availableIPv4: available(4),
      availableIPv6: available(6),
    };
  }

  // Avoided addresses leave #free here, one by one and for good, and not when the pool is made: a pool of 0.0.0.0/0
  // has 33 million of them.
  #firstFree(family: Family): Address | undefined {
    for (;;) {
      const address = this.#free.first(family);
      if (!address || !this.pool.avoidBuggyIPs || !isAvoided(address)) return address;
      this.#free.remove(single(address));
    }
  }

  #usable(family: Family): bigint {
    const ranges = this.pool.addresses.filter((range) => range.family === family);
    const size = (range: Range) => rangeSize(range) - (this.pool.avoidBuggyIPs ? avoidedIn(range) : 0n);
    return ranges.reduce((sum, range) => sum + size(range), 0n);
  }

  #list(tenancy: Tenancy): void {
    if (tenancy.sharing === undefined) return;
    const { family, value } = tenancy.address;
    const listed = this.#shared[family].get(tenancy.sharing) ?? [];
    const next = listed.findIndex((other) => other.address.value > value);
    listed.splice(next === -1 ? listed.length : next, 0, tenancy);
    this.#shared[family].set(tenancy.sharing, listed);
  }

  #unlist(tenancy: Tenancy): void {
    if (tenancy.sharing === undefined) return;
    const lists = this.#shared[tenancy.address.family];
    const rest = (lists.get(tenancy.sharing) ?? []).filter((other) => other !== tenancy);
    if (rest.length > 0) lists.set(tenancy.sharing, rest);
    else lists.delete(tenancy.sharing);
  }
}

/** Whether `avoidBuggyIPs` keeps the address back: some old routers drop IPv4 packets to .0 and .255. */
function isAvoided(address: Address): boolean {
  const lowest = address.value & 0xffn;
  return address.family === 4 && (lowest === 0n || lowest === 0xffn);
}

function avoidedIn(range: Range): bigint {
  if (range.family === 6) return 0n;
  // How many of 0..value end in .0 and .255.
  const upTo = (value: bigint) => value / 256n + 1n + (value + 1n) / 256n;
  return upTo(range.last) - (range.first === 0n ? 0n : upTo(range.first - 1n));
}

function single({ family, value }: Address): Range {
  return { family, first: value, last: value };
}

function saturated(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}
