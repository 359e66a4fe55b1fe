import type { Pool } from '../config/config.ts';
import type { Address, Family } from '../ip/address.ts';
import { FamilySpace, type SpaceNews } from './family-space.ts';
import { type Tenancy, type Terms, termsOf } from './tenancy.ts';
import { type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';

/**
 * Counts of addresses. One that several Services share counts once; each number stops at 2^53 - 1.
 *
 *   total      what could be in use at once: neither excluded nor avoided
 *   available  what any Service that the pool admits could still be given: neither in use nor reserved, kept for the
 *              Service that had it, or a node's; none in a pool that is drained
 */
export type PoolCounters = {
  readonly assignedIPv4: number;
  readonly assignedIPv6: number;
  readonly availableIPv4: number;
  readonly availableIPv6: number;
  readonly totalIPv4: number;
  readonly totalIPv6: number;
};

/** An address in use: by whom, and since when (milliseconds since 1970). */
export type AddressUse = {
  readonly address: Address;
  readonly services: readonly ServiceKey[];
  readonly since: number;
};

/** The addresses of one pool. Callers ask only about addresses in its ranges. */
export class PoolSpace {
  readonly pool: Pool;
  readonly #families: Readonly<Record<Family, FamilySpace>>;

  constructor(pool: Pool, news: Readonly<Record<Family, SpaceNews>>) {
    this.pool = pool;
    this.#families = { 4: new FamilySpace(4, pool, news[4]), 6: new FamilySpace(6, pool, news[6]) };
  }

  /** Why the Service may not stay on this address of the pool, or undefined when it may. */
  objectionToStay(address: Address, service: ServiceKey, wish: Wish): Refusal | undefined {
    return this.#of(address).objectionToStay(address, service, this.#termsOf(wish));
  }

  /** Why the Service may not be given this address of the pool, or undefined when it may. */
  objectionToCome(address: Address, service: ServiceKey, wish: Wish): Refusal | undefined {
    const objection = this.#of(address).objectionToCome(address, service, this.#termsOf(wish));
    return objection ?? (this.pool.draining ? drained(this.pool) : undefined);
  }

  /** Up to `count` addresses of the family that the Service may be given beside those that it has. */
  candidates(family: Family, count: number, service: ServiceKey, wish: Wish): readonly Address[] {
    return this.pool.draining ? [] : this.#families[family].candidates(count, service, this.#termsOf(wish));
  }

  /** Why nobody can have the address, whoever it is; undefined when somebody can. */
  refuses(address: Address): Refusal | undefined {
    return this.#of(address).refuses(address);
  }

  /** The caller knows that there is no objection. `before` is the wish under which the Service is there already. */
  take(address: Address, service: ServiceKey, wish: Wish, before: Wish, since: number): void {
    this.#of(address).take(address, service, this.#termsOf(wish), this.#termsOf(before), since);
  }

  /** The caller knows that the Service is on the address under the wish. */
  leave(address: Address, service: ServiceKey, wish: Wish): void {
    this.#of(address).leave(address, service, this.#termsOf(wish));
  }

  tenancy(address: Address): Tenancy | undefined {
    return this.#of(address).tenancy(address);
  }

  reserve(address: Address, service: ServiceKey): void {
    this.#of(address).reserve(address, service);
  }

  unreserve(address: Address, service: ServiceKey): void {
    this.#of(address).unreserve(address, service);
  }

  keep(address: Address, service: ServiceKey): void {
    this.#of(address).keep(address, service);
  }

  unkeep(address: Address, service: ServiceKey): void {
    this.#of(address).unkeep(address, service);
  }

  setNodes(address: Address, isNodes: boolean): void {
    if (this.pool.excludeNodeAddresses) this.#of(address).setNodes(address, isNodes);
  }

  /** Whether an address is reserved or kept for the Service. */
  withholdsFor(service: ServiceKey): boolean {
    return this.#families[4].withholdsFor(service) || this.#families[6].withholdsFor(service);
  }

  /** What the Services have, the first `limit` by address. */
  inUse(limit: number): readonly AddressUse[] {
    const v4 = this.#families[4].inUse(limit);
    const list = [...v4, ...this.#families[6].inUse(limit - v4.length)];
    return list.map(({ address, tenancy }) => ({ address, services: tenancy.services, since: tenancy.since }));
  }

  has(family: Family): boolean {
    return this.#families[family].usable > 0n;
  }

  /** Whether anybody could be given an address of the family. */
  hasRoom(family: Family): boolean {
    const { usable, assigned, withheld } = this.#families[family];
    return !this.pool.draining && usable > BigInt(assigned + withheld);
  }

  counters(): PoolCounters {
    const available = (family: Family) => {
      const { usable, assigned, withheld } = this.#families[family];
      return this.pool.draining ? 0 : saturated(usable - BigInt(assigned + withheld));
    };
    return {
      assignedIPv4: this.#families[4].assigned,
      assignedIPv6: this.#families[6].assigned,
      availableIPv4: available(4),
      availableIPv6: available(6),
      totalIPv4: saturated(this.#families[4].usable),
      totalIPv6: saturated(this.#families[6].usable),
    };
  }

  /** Why the pool has no address for those of the families that it has none for: `pool web is full: 3 of 3 in use`. */
  shortage(families: readonly Family[]): string {
    const { name, draining } = this.pool;
    if (draining) return `pool ${name} is drained`;
    const missing = families.filter((family) => !this.has(family));
    if (missing.length > 0) return `pool ${name} has no IPv${missing.join(' and no IPv')} addresses`;
    const full = families.filter((family) => !this.hasRoom(family));
    const uses = (full.length > 0 ? full : families).map((family) => this.#useText(family));
    return `pool ${name} is full: ${uses.join(' and ')}`;
  }

  #useText(family: Family): string {
    const { usable, assigned, withheld } = this.#families[family];
    const addresses = this.has(4) && this.has(6) ? ` IPv${family} addresses` : '';
    const kept = withheld > 0 ? ` and ${withheld} reserved, cooling down or of nodes` : '';
    return `${assigned} of ${usable}${addresses} in use${kept}`;
  }

  #of({ family }: Address): FamilySpace {
    return this.#families[family];
  }

  #termsOf(wish: Wish): Terms {
    return termsOf(wish, this.pool.sharingScope);
  }
}

export function drained(pool: Pool): Refusal {
  return refusal('pool-draining', `pool ${pool.name} is drained: it gives out nothing new (garpoon.io/drain)`);
}

function saturated(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}
