import { admits, type RefusalReason, type Wish } from '../../src/allocator/wish.ts';
import type { Pool } from '../../src/config/config.ts';
import { type Address, formatAddress, sameAddress } from '../../src/ip/address.ts';
import { shown } from './support.ts';

type Held = { readonly wish: Wish; readonly pool: string; readonly addresses: readonly Address[] };

/** The rules of the allocator once more, by going through every address and every Service. For small pools. */
export class Model {
  pools: readonly Pool[] = [];
  readonly held = new Map<string, Held>();

  setPools(pools: readonly Pool[]): [string, RefusalReason][] {
    this.pools = pools;
    const before = [...this.held];
    const lost: [string, RefusalReason][] = [];
    for (const [service, { wish, addresses }] of before) {
      const pool = this.#check(service, wish, addresses);
      if (typeof pool === 'string') {
        lost.push([service, pool]);
        this.held.delete(service);
      } else {
        this.held.set(service, { wish, addresses, pool: pool.name });
      }
    }
    return lost;
  }

  release(service: string): void {
    this.held.delete(service);
  }

  assign(service: string, wish: Wish): { outcome: string | undefined; lost: RefusalReason | undefined } {
    const held = this.held.get(service);
    const kept = held && this.#check(service, wish, held.addresses);
    this.held.delete(service);
    const found =
      held && typeof kept === 'object'
        ? { pool: kept, addresses: [...held.addresses, ...this.#missing(service, wish, kept, held.addresses)] }
        : this.#find(service, wish);
    const lost = typeof kept === 'string' ? kept : undefined;
    if (typeof found === 'string') return { outcome: found, lost };
    const now = { wish, pool: found.pool.name, addresses: found.addresses };
    // At the end, as the allocator does, so that both go through the Services in one order.
    this.held.set(service, now);
    return { outcome: shown(now), lost };
  }

  /** In the order of use: range by range as written, ascending inside. */
  usable(pool: Pool): Address[] {
    const all = pool.addresses.flatMap(({ family, first, last }) =>
      Array.from({ length: Number(last - first) + 1 }, (_, i) => ({ family, value: first + BigInt(i) })),
    );
    return all.filter((address) => !(pool.avoidBuggyIPs && /^\d+\.\d+\.\d+\.(0|255)$/.test(formatAddress(address))));
  }

  holders(address: Address): [string, Held][] {
    return [...this.held].filter(([, held]) => held.addresses.some((one) => sameAddress(one, address)));
  }

  conflict(address: Address, service: string, wish: Wish): RefusalReason | undefined {
    const others = this.holders(address).filter(([holder]) => holder !== service);
    const shares = (a: Wish, b: Wish) => a.sharingKey && a.sharingKey === b.sharingKey && a.backend === b.backend;
    if (others.some(([, other]) => !shares(other.wish, wish))) return 'in-use';
    const ports = others.flatMap(([, other]) => other.wish.ports);
    const taken = wish.ports.some((a) => ports.some((b) => a.port === b.port && a.protocol === b.protocol));
    return taken ? 'port-conflict' : undefined;
  }

  #check(service: string, wish: Wish, addresses: readonly Address[]): Pool | RefusalReason {
    const families = addresses.map((address) => address.family).sort();
    const wanted = [...wish.families].sort();
    const fits =
      String(families) === String(wanted) ||
      (wish.familyPolicy === 'PreferDualStack' && families.length === 1 && wanted.includes(families[0]!));
    if (!fits) return 'family-mismatch';
    const texts = (list: readonly Address[]) => String(list.map(formatAddress).sort());
    if (wish.addresses.length > 0 && texts(addresses) !== texts(wish.addresses)) return 'not-requested';
    const isIn = (pool: Pool, { family, value }: Address) =>
      pool.addresses.some((range) => range.family === family && range.first <= value && value <= range.last);
    const pool = this.pools.find((one) => addresses.every((address) => isIn(one, address)));
    if (!pool) return 'not-in-pool';
    if (wish.pool !== undefined && wish.pool !== pool.name) return 'other-pool';
    if (!admits(pool, wish)) return 'pool-not-for-service';
    for (const address of addresses) {
      if (!this.usable(pool).some((one) => sameAddress(one, address))) return 'address-avoided';
      const conflict = this.conflict(address, service, wish);
      if (conflict) return conflict;
    }
    return pool;
  }

  #first(service: string, wish: Wish, pool: Pool, family: number): Address[] {
    const possible = this.usable(pool).filter((one) => one.family === family && !this.conflict(one, service, wish));
    return possible.slice(0, 1);
  }

  #missing(service: string, wish: Wish, pool: Pool, addresses: readonly Address[]): Address[] {
    if (wish.addresses.length > 0 || addresses.length === wish.families.length) return [];
    const missing = wish.families.find((family) => family !== addresses[0]?.family);
    return this.#first(service, wish, pool, missing ?? 0);
  }

  #find(service: string, wish: Wish): { pool: Pool; addresses: readonly Address[] } | RefusalReason {
    if (wish.addresses.length > 0) {
      const pool = this.#check(service, wish, wish.addresses);
      return typeof pool === 'string' ? pool : { pool, addresses: wish.addresses };
    }
    const named = this.pools.find((pool) => pool.name === wish.pool);
    if (wish.pool !== undefined && !named) return 'no-such-pool';
    if (named && !admits(named, wish)) return 'pool-not-for-service';
    const automatic = this.pools.filter((pool) => pool.autoAssign && admits(pool, wish));
    if (!named && automatic.length === 0) return 'no-pool';
    const pinned = automatic.filter((pool) => pool.serviceAllocation);
    pinned.sort((a, b) => (a.serviceAllocation?.priority ?? 0) - (b.serviceAllocation?.priority ?? 0));
    const stages = named ? [[named]] : [pinned, automatic.filter((pool) => !pool.serviceAllocation)];
    for (const stage of stages) {
      const offers = stage.map((pool) => ({
        pool,
        addresses: wish.families.toSorted().flatMap((family) => this.#first(service, wish, pool, family)),
      }));
      const whole = offers.find((offer) => offer.addresses.length === wish.families.length);
      const ofFamily = (family: number) => offers.find((offer) => offer.addresses[0]?.family === family);
      const half =
        wish.familyPolicy === 'PreferDualStack' ? wish.families.map(ofFamily).find((offer) => offer) : undefined;
      const best = whole ?? half;
      if (best) return best;
    }
    return 'exhausted';
  }
}
