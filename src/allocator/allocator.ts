import type { Pool } from '../config/config.ts';
import { type Address, type Family, formatAddress, sameAddress } from '../ip/address.ts';
import { RangeMap } from '../ip/range-map.ts';
import { type PoolCounters, PoolSpace } from './pool-space.ts';
import { admits, type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';

/** The addresses of a Service, all of one pool. The first one decides which node announces them. */
export type Assignment = { readonly pool: string; readonly addresses: readonly Address[] };

export type Decision = {
  readonly outcome: Assignment | Refusal;
  /** Set when the Service could not keep the addresses it had: why. They are released, whatever the outcome. */
  readonly lost: Refusal | undefined;
};

/**
 * Decides which Service has which address. Level-triggered: `assign` may be called any number of times with the wish
 * as it is now, and an address once given stays while the wish and the pools allow it.
 *
 * At start, `adopt` every Service that has addresses in its status before the first `assign`, so that nobody is given
 * an address that somebody else still believes to have.
 */
export class Allocator {
  /** By name. */
  #spaces: readonly PoolSpace[] = [];
  #spaceByAddress = new RangeMap<PoolSpace>([]);
  /** Every address here has a tenancy in the space, and the other way round. */
  readonly #held = new Map<ServiceKey, Holding>();

  /**
   * Replaces the pools. Services keep their addresses where the new pools allow it, also when the pool is renamed or
   * split; the others are released and returned with the reason. Assign every Service again afterwards: the pool of
   * an assignment may have another name now, and Services that wait may find room.
   */
  setPools(pools: readonly Pool[]): ReadonlyMap<ServiceKey, Refusal> {
    this.#spaces = pools.map((pool) => new PoolSpace(pool)).sort((a, b) => (a.pool.name < b.pool.name ? -1 : 1));
    this.#spaceByAddress = new RangeMap(
      this.#spaces.flatMap((space) => space.pool.addresses.map((range) => ({ range, value: space }))),
    );
    const before = [...this.#held];
    this.#held.clear();
    const lost = new Map<ServiceKey, Refusal>();
    for (const [service, { wish, addresses }] of before) {
      const outcome = this.adopt(service, wish, addresses);
      if ('refused' in outcome) lost.set(service, outcome);
    }
    return lost;
  }

  /** Takes over addresses that the Service has from an earlier run, if it may keep them. First come, first served. */
  adopt(service: ServiceKey, wish: Wish, addresses: readonly Address[]): Assignment | Refusal {
    this.release(service);
    const space = this.#spaceFor(service, wish, addresses);
    return space instanceof PoolSpace ? this.#hold(service, wish, space, addresses) : space;
  }

  /** Keeps, completes, replaces or gives the addresses of the Service. */
  assign(service: ServiceKey, wish: Wish): Decision {
    const held = this.#held.get(service);
    const kept = held && this.#spaceFor(service, wish, held.addresses);
    this.release(service);
    if (held && kept instanceof PoolSpace) {
      const addresses = [...held.addresses, ...completion(service, wish, kept, held.addresses)];
      return { outcome: this.#hold(service, wish, kept, addresses), lost: undefined };
    }
    const lost = kept instanceof PoolSpace ? undefined : kept;
    const choice = this.#choose(service, wish);
    const outcome = 'refused' in choice ? choice : this.#hold(service, wish, choice.space, choice.addresses);
    return { outcome, lost };
  }

  /** The Service is gone, or is no LoadBalancer any more. Returns what it had. */
  release(service: ServiceKey): Assignment | undefined {
    const held = this.#held.get(service);
    if (!held) return undefined;
    for (const address of held.addresses) held.space.release(address, service);
    this.#held.delete(service);
    return assignmentOf(held);
  }

  assignment(service: ServiceKey): Assignment | undefined {
    const held = this.#held.get(service);
    return held && assignmentOf(held);
  }

  /** The Services on an address, in the order they came. */
  holders(address: Address): readonly ServiceKey[] {
    return this.#spaceByAddress.get(address)?.holders(address) ?? [];
  }

  /** By pool name. */
  counters(): ReadonlyMap<string, PoolCounters> {
    return new Map(this.#spaces.map((space) => [space.pool.name, space.counters()]));
  }

  #hold(service: ServiceKey, wish: Wish, space: PoolSpace, addresses: readonly Address[]): Assignment {
    for (const address of addresses) space.take(address, service, wish);
    const held = { wish, space, addresses };
    this.#held.set(service, held);
    return assignmentOf(held);
  }

  /** The pool from which the Service may have just these addresses, or why it may not. */
  #spaceFor(service: ServiceKey, wish: Wish, addresses: readonly Address[]): PoolSpace | Refusal {
    const list = addresses.map(formatAddress).join(', ');
    if (!familiesFit(addresses, wish)) return refusal('family-mismatch', `${list} for ${familiesText(wish.families)}`);
    if (wish.addresses.length > 0 && !sameSet(addresses, wish.addresses)) {
      return refusal('not-requested', `${list}, but ${wish.addresses.map(formatAddress).join(', ')} is requested`);
    }
    const [space, ...others] = new Set(addresses.map((address) => this.#spaceByAddress.get(address)));
    if (!space || others.length > 0) return refusal('not-in-pool', `${list} is not in one of the pools`);
    const { name } = space.pool;
    if (wish.pool !== undefined && wish.pool !== name) {
      return refusal('other-pool', `${list} is in pool ${name}, but pool ${wish.pool} is requested`);
    }
    if (!admits(space.pool, wish)) return refusal('pool-not-for-service', notFor(space.pool));
    for (const address of addresses) {
      const objection = space.objection(address, service, wish);
      if (objection) return objection;
    }
    return space;
  }

  #choose(service: ServiceKey, wish: Wish): Choice | Refusal {
    if (wish.addresses.length > 0) {
      const space = this.#spaceFor(service, wish, wish.addresses);
      return space instanceof PoolSpace ? { space, addresses: wish.addresses } : space;
    }
    if (wish.pool !== undefined) {
      const space = this.#spaces.find(({ pool }) => pool.name === wish.pool);
      if (!space) return refusal('no-such-pool', `pool ${wish.pool} is requested but does not exist`);
      if (!admits(space.pool, wish)) return refusal('pool-not-for-service', notFor(space.pool));
      return pick([space], service, wish) ?? exhausted([space], wish);
    }
    const automatic = this.#spaces.filter(({ pool }) => pool.autoAssign && admits(pool, wish));
    if (automatic.length === 0) return refusal('no-pool', 'no pool gives addresses to this Service automatically');
    const pinned = automatic.filter(({ pool }) => pool.serviceAllocation).sort(byPriority);
    const open = automatic.filter(({ pool }) => !pool.serviceAllocation);
    return pick(pinned, service, wish) ?? pick(open, service, wish) ?? exhausted(automatic, wish);
  }
}

type Holding = { readonly wish: Wish; readonly space: PoolSpace; readonly addresses: readonly Address[] };

type Choice = { readonly space: PoolSpace; readonly addresses: readonly Address[] };

/** The address of the second family, for a Service that prefers two, has one, and whose pool has the other now. */
function completion(
  service: ServiceKey,
  wish: Wish,
  space: PoolSpace,
  addresses: readonly Address[],
): readonly Address[] {
  if (wish.addresses.length > 0) return [];
  const missing = wish.families.filter((family) => addresses.every((address) => address.family !== family));
  return missing.flatMap((family) => space.first(family, service, wish) ?? []);
}

/** The first pool that has every family of the Service; failing that, if it only prefers two, one with either. */
function pick(spaces: readonly PoolSpace[], service: ServiceKey, wish: Wish): Choice | undefined {
  const [primary, secondary] = wish.families;
  const fallbacks = new Map<Family, Choice>();
  for (const space of spaces) {
    const found = ([4, 6] as const).flatMap((family) =>
      wish.families.includes(family) ? (space.first(family, service, wish) ?? []) : [],
    );
    if (found.length === wish.families.length) return { space, addresses: found };
    for (const address of found) {
      if (!fallbacks.has(address.family)) fallbacks.set(address.family, { space, addresses: [address] });
    }
  }
  if (wish.familyPolicy !== 'PreferDualStack' || !primary || !secondary) return undefined;
  return fallbacks.get(primary) ?? fallbacks.get(secondary);
}

/** Priority 1 first, unset last; the name decides between equals. `sort` is stable and the spaces come by name. */
function byPriority(a: PoolSpace, b: PoolSpace): number {
  const rank = ({ pool }: PoolSpace) => {
    const priority = pool.serviceAllocation?.priority ?? 0;
    return priority > 0 ? priority : Number.MAX_SAFE_INTEGER;
  };
  return rank(a) - rank(b);
}

function familiesFit(addresses: readonly Address[], wish: Wish): boolean {
  const distinct = new Set(addresses.map((address) => address.family));
  const wanted = addresses.every((address) => wish.families.includes(address.family));
  if (!wanted || distinct.size !== addresses.length || addresses.length === 0) return false;
  return addresses.length === wish.families.length || wish.familyPolicy === 'PreferDualStack';
}

function sameSet(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address) => b.some((other) => sameAddress(address, other)));
}

function assignmentOf({ space, addresses }: Holding): Assignment {
  return { pool: space.pool.name, addresses };
}

function notFor(pool: Pool): string {
  return `pool ${pool.name} is reserved for other namespaces or Services (serviceAllocation)`;
}

function exhausted(spaces: readonly PoolSpace[], wish: Wish): Refusal {
  const names = spaces.map(({ pool }) => pool.name).join(', ');
  return refusal('exhausted', `no address left for ${familiesText(wish.families)} in pool ${names}`);
}

function familiesText(families: readonly Family[]): string {
  return families.map((family) => `IPv${family}`).join(' and ');
}
