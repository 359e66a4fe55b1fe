import { admits, type RefusalReason, type Wish } from '../../src/allocator/wish.ts';
import type { Pool, Reservation } from '../../src/config/config.ts';
import { type Address, formatAddress, sameAddress } from '../../src/ip/address.ts';
import { shown } from './support.ts';

type Place = { readonly address: Address; readonly pool: string };
type Held = { readonly wish: Wish; readonly places: readonly Place[] };
type Kept = { readonly service: string; readonly since: number; readonly retainFor: number; readonly until: number };
type Told = {
  readonly outcome: string | undefined;
  readonly lost: RefusalReason | undefined;
  readonly missing: boolean;
};

/** The rules of the allocator once more, by going through every address and every Service. For small pools. */
export class Model {
  pools: readonly Pool[] = [];
  nodes: readonly Address[] = [];
  reservations: readonly Reservation[] = [];
  held = new Map<string, Held>();
  /** By the text of the address. */
  kept = new Map<string, Kept>();
  now = 0;

  copy(): Model {
    return Object.assign(new Model(), this, { held: new Map(this.held), kept: new Map(this.kept) });
  }

  passTime(time: number): void {
    this.now += time;
    for (const [address, { until }] of this.kept) if (until <= this.now) this.kept.delete(address);
  }

  setPools(pools: readonly Pool[]): [string, RefusalReason][] {
    const changed = pools.filter((pool) => !this.pools.some((one) => textOf(one) === textOf(pool)));
    const isIn = (list: readonly Pool[], place: Place) => list.some(({ name }) => name === place.pool);
    const gone = this.pools.filter((pool) => !pools.some((one) => textOf(one) === textOf(pool)));
    const affected = [...this.held].filter(([, { places }]) => places.some((place) => isIn(gone, place)));
    // In pools that have changed, everybody starts outside, and comes in one after the other.
    for (const [service, { wish, places }] of affected) {
      this.held.set(service, { wish, places: places.filter((place) => !isIn(gone, place)) });
    }
    this.pools = pools;
    for (const [text, kept] of this.kept) {
      const pool = this.pools.find((one) => this.#all(one).some((address) => formatAddress(address) === text));
      if (!pool || !changed.includes(pool)) continue;
      const until = kept.since + Math.max(pool.coolDown, kept.retainFor);
      if (until > this.now) this.kept.set(text, { ...kept, until });
      else this.kept.delete(text);
    }
    const lost: [string, RefusalReason][] = [];
    for (const [service, before] of affected) {
      const stayed = this.#stay(
        service,
        before.wish,
        before.places.map(({ address }) => address),
      );
      this.#put(service, before.wish, stayed.places, before.places);
      if (stayed.lost) lost.push([service, stayed.lost]);
    }
    return lost;
  }

  adopt(service: string, wish: Wish, addresses: readonly Address[]): void {
    this.#put(service, wish, this.#stay(service, wish, addresses).places, []);
  }

  release(service: string): void {
    const before = this.held.get(service)?.places ?? [];
    this.held.delete(service);
    for (const { address } of before) this.#keep(service, address);
  }

  assign(service: string, wish: Wish): Told {
    const before = this.held.get(service)?.places ?? [];
    const had = before.map(({ address }) => address);
    const stayed = before.length > 0 ? this.#stay(service, wish, had) : { places: [], lost: undefined };
    const completed = stayed.places.length > 0 ? this.#completed(service, wish, stayed.places) : [];
    const found = isEnough(completed, wish) ? completed : this.#find(service, wish);
    if (typeof found === 'string') {
      this.release(service);
      return { outcome: found, lost: stayed.lost, missing: false };
    }
    // Whoever is given something else begins anew, at the end, as the allocator has it: both go through the Services in
    // one order.
    const staysOn = wish.addresses.length > 0 || had.some((address) => wants(wish, address));
    if (found !== completed && !staysOn) this.held.delete(service);
    this.#put(service, wish, found, before);
    const missing = wish.addresses.length === 0 && found.length < wish.families.length * wish.count;
    return { outcome: shown({ addresses: found }), lost: stayed.lost, missing };
  }

  /** In the order of use: range by range as written, ascending inside. */
  usable(pool: Pool): Address[] {
    return this.#all(pool).filter((address) => this.#refusal(pool, address) === undefined);
  }

  /** What may be given to anybody. */
  available(pool: Pool): Address[] {
    if (pool.draining) return [];
    const isFree = (address: Address) => this.holders(address).length === 0 && !this.#withheld(pool, address);
    return this.usable(pool).filter(isFree);
  }

  holders(address: Address): [string, Held][] {
    return [...this.held].filter(([, { places }]) => places.some((place) => sameAddress(place.address, address)));
  }

  conflict(pool: Pool, address: Address, service: string, wish: Wish): RefusalReason | undefined {
    const others = this.holders(address).filter(([holder]) => holder !== service);
    const isNear = (other: Wish) => pool.sharingScope === 'cluster' || other.namespace === wish.namespace;
    const shares = (a: Wish, b: Wish) => a.sharingKey && a.sharingKey === b.sharingKey && a.backend === b.backend;
    if (others.some(([, other]) => !shares(other.wish, wish) || !isNear(other.wish))) return 'in-use';
    const ports = others.flatMap(([, other]) => other.wish.ports);
    const taken = wish.ports.some((a) => ports.some((b) => a.port === b.port && a.protocol === b.protocol));
    return taken ? 'port-conflict' : undefined;
  }

  #all(pool: Pool): Address[] {
    return pool.addresses.flatMap(({ family, first, last }) =>
      Array.from({ length: Number(last - first) + 1 }, (_, i) => ({ family, value: first + BigInt(i) })),
    );
  }

  #refusal(pool: Pool, address: Address): RefusalReason | undefined {
    const isIn = ({ family, first, last }: Pool['excluded'][number]) =>
      family === address.family && first <= address.value && address.value <= last;
    if (pool.excluded.some(isIn)) return 'address-excluded';
    const isBuggy = /^\d+\.\d+\.\d+\.(0|255)$/.test(formatAddress(address));
    return pool.avoidBuggyIPs && isBuggy ? 'address-avoided' : undefined;
  }

  #reservedFor(address: Address): string[] {
    const naming = this.reservations.filter(({ addresses }) => addresses.some((one) => sameAddress(one, address)));
    return naming.map(({ service }) => service);
  }

  /** Why not anybody may have it who may use the pool. */
  #withheld(pool: Pool, address: Address): boolean {
    return this.#comeObjection(pool, address, '', undefined) !== undefined;
  }

  #comeObjection(pool: Pool, address: Address, service: string, wish: Wish | undefined): RefusalReason | undefined {
    const conflict = wish && this.conflict(pool, address, service, wish);
    if (this.#refusal(pool, address) || conflict) return this.#refusal(pool, address) ?? conflict;
    if (pool.excludeNodeAddresses && this.nodes.some((one) => sameAddress(one, address))) return 'node-address';
    const reservedFor = this.#reservedFor(address);
    if (reservedFor.includes(service)) return undefined;
    if (reservedFor.length > 0) return 'address-reserved';
    const keptFor = this.kept.get(formatAddress(address))?.service;
    return keptFor !== undefined && keptFor !== service ? 'cooling-down' : undefined;
  }

  #poolOf(address: Address): Pool | undefined {
    return this.pools.find((pool) => this.#all(pool).some((one) => sameAddress(one, address)));
  }

  #wholeObjection(wish: Wish, addresses: readonly Address[]): RefusalReason | undefined {
    const texts = addresses.map(formatAddress).sort();
    const families = addresses.map(({ family }) => family);
    const isEach = wish.families.every((family) => families.includes(family));
    const isFit = isEach || (wish.familyPolicy === 'PreferDualStack' && addresses.length > 0);
    if (!isFit || new Set(texts).size < texts.length) return 'family-mismatch';
    if (!families.every((family) => wish.families.includes(family))) return 'family-mismatch';
    const isRequested =
      wish.addresses.length === 0 || String(texts) === String(wish.addresses.map(formatAddress).sort());
    return isRequested ? undefined : 'not-requested';
  }

  #placeOf(wish: Wish, address: Address, base: string | undefined): Pool | RefusalReason {
    const pool = this.#poolOf(address);
    if (!pool) return 'not-in-pool';
    const names = wish.pool === undefined ? wish.pools : [wish.pool];
    if (names.length > 0 && !names.includes(pool.name)) return 'other-pool';
    if (wish.pools.length === 0 && base !== undefined && base !== pool.name) return 'not-in-pool';
    return admits(pool, wish) ? pool : 'pool-not-for-service';
  }

  #stay(service: string, wish: Wish, addresses: readonly Address[]): { places: Place[]; lost?: RefusalReason } {
    const whole = this.#wholeObjection(wish, addresses);
    if (whole) return { places: [], lost: whole };
    const places: Place[] = [];
    const reasons: RefusalReason[] = [];
    for (const address of addresses) {
      const pool = this.#placeOf(wish, address, places[0]?.pool);
      const objection =
        typeof pool === 'string' ? pool : (this.#refusal(pool, address) ?? this.conflict(pool, address, service, wish));
      if (objection) reasons.push(objection);
      else places.push({ address, pool: (pool as Pool).name });
    }
    const lost = reasons[0] === undefined ? {} : { lost: reasons[0] };
    if (wish.addresses.length > 0) return { places: reasons.length > 0 ? [] : places, ...lost };
    const hasLostFamily = addresses.some(({ family }) => !places.some(({ address }) => address.family === family));
    const isTooFew = wish.pools.length === 0 || wish.familyPolicy !== 'PreferDualStack' || places.length === 0;
    if (hasLostFamily && isTooFew) return { places: [], ...lost };
    const chosen = (family: number) =>
      places.filter(({ address }) => address.family === family && !wants(wish, address));
    const kept = places.filter(
      (place) =>
        wants(wish, place.address) ||
        chosen(place.address.family).indexOf(place) < chosenCount(wish, place.address.family),
    );
    return { places: kept, ...(kept.length === 0 && lost.lost === undefined ? { lost: 'not-requested' } : lost) };
  }

  /** Up to `count` addresses: first those that wait for this Service, then those for anybody. */
  #candidates(pool: Pool, family: number, count: number, service: string, wish: Wish): Place[] {
    const has = this.held.get(service)?.places ?? [];
    const isNew = (address: Address) => !has.some((place) => sameAddress(place.address, address));
    const possible = this.usable(pool).filter(
      (address) =>
        address.family === family &&
        isNew(address) &&
        !wants(wish, address) &&
        !this.#comeObjection(pool, address, service, wish) &&
        !pool.draining,
    );
    const rank = (address: Address) => {
      if (this.#reservedFor(address).includes(service)) return 0;
      return this.kept.get(formatAddress(address))?.service === service ? 1 : 2;
    };
    const sorted = possible.toSorted((a, b) => rank(a) - rank(b));
    return sorted.slice(0, Math.max(0, count)).map((address) => ({ address, pool: pool.name }));
  }

  #additions(pools: readonly Pool[], service: string, wish: Wish, has: readonly Place[]): Place[] {
    const found: Place[] = [];
    for (const family of wish.families.toSorted()) {
      for (const pool of pools) {
        const chosen = [...has, ...found].filter(({ address }) => address.family === family && !wants(wish, address));
        const count = chosenCount(wish, family) - chosen.length;
        found.push(...this.#candidates(pool, family, count, service, wish));
      }
    }
    return found;
  }

  #completed(service: string, wish: Wish, places: readonly Place[]): readonly Place[] {
    if (wish.addresses.length > 0) return places;
    const wanted = this.#wanted(service, wish, places, places[0]?.pool).places;
    const named = wish.pools.length > 0 ? wish.pools : [places[0]?.pool];
    return [...places, ...wanted, ...this.#additions(this.#admitting(named, wish), service, wish, places)];
  }

  #find(service: string, wish: Wish): readonly Place[] | RefusalReason {
    if (wish.addresses.length > 0) return this.#requested(service, wish);
    // What was chosen for it is as good for it as what is free.
    const free = this.copy();
    const before = free.held.get(service);
    const wanted = before?.places.filter(({ address }) => wants(wish, address)) ?? [];
    if (before && wanted.length > 0) free.held.set(service, { ...before, places: wanted });
    else free.held.delete(service);
    return free.#findBesideWanted(service, wish);
  }

  /** Beside the wanted addresses, had or not, all of one pool; or of the pools that are named. */
  #findBesideWanted(service: string, wish: Wish): readonly Place[] | RefusalReason {
    const placed = wish.wanted.map((address) => this.#placeOf(wish, address, undefined));
    const bases = new Set(placed.flatMap((pool) => (typeof pool === 'string' ? [] : pool.name)));
    const groups = wish.pools.length === 0 ? [...bases].map((name) => [name]) : bases.size > 0 ? [wish.pools] : [];
    const why: RefusalReason[] = [];
    for (const names of groups) {
      const pools = this.#admitting(names, wish);
      const { places, unmet } = this.#wanted(service, wish, [], wish.pools.length > 0 ? undefined : names[0]);
      const found = [...places, ...this.#additions(pools, service, wish, [])];
      if (isEnough(found, wish)) return found;
      why.push(...unmet);
      const isShort = (family: number) =>
        found.filter(({ address }) => address.family === family && !wants(wish, address)).length <
        chosenCount(wish, family);
      if (wish.families.some(isShort))
        why.push(pools.every(({ draining }) => draining) ? 'pool-draining' : 'exhausted');
    }
    if (groups.length === 0) {
      const found = this.#findFree(service, wish);
      if (typeof found !== 'string' || wish.wanted.length === 0) return found;
      why.push(...this.#wanted(service, wish, [], undefined).unmet);
      if (wish.families.some((family) => chosenCount(wish, family) > 0)) why.push(found);
    }
    return why.find((reason) => passing.includes(reason)) ?? why[0]!;
  }

  #wanted(
    service: string,
    wish: Wish,
    has: readonly Place[],
    base: string | undefined,
  ): { readonly places: readonly Place[]; readonly unmet: readonly RefusalReason[] } {
    const lacking = wish.wanted.filter((address) => !has.some((place) => sameAddress(place.address, address)));
    const found = lacking.map((address) => this.#byName(service, wish, address, base));
    return {
      places: found.filter((one) => typeof one !== 'string'),
      unmet: found.filter((one) => typeof one === 'string'),
    };
  }

  #admitting(names: readonly (string | undefined)[], wish: Wish): readonly Pool[] {
    return names.flatMap((name) => this.pools.find((pool) => pool.name === name && admits(pool, wish)) ?? []);
  }

  #requested(service: string, wish: Wish): readonly Place[] | RefusalReason {
    const whole = this.#wholeObjection(wish, wish.addresses);
    if (whole) return whole;
    const places: Place[] = [];
    for (const address of wish.addresses) {
      const found = this.#byName(service, wish, address, places[0]?.pool);
      if (typeof found === 'string') return found;
      places.push(found);
    }
    return places;
  }

  #byName(service: string, wish: Wish, address: Address, base: string | undefined): Place | RefusalReason {
    const pool = this.#placeOf(wish, address, base);
    if (typeof pool === 'string') return pool;
    const isThere = this.holders(address).some(([holder]) => holder === service);
    const objection = isThere
      ? (this.#refusal(pool, address) ?? this.conflict(pool, address, service, wish))
      : (this.#comeObjection(pool, address, service, wish) ?? (pool.draining ? 'pool-draining' : undefined));
    return objection ?? { address, pool: pool.name };
  }

  #findFree(service: string, wish: Wish): readonly Place[] | RefusalReason {
    const names = wish.pool === undefined ? wish.pools : [wish.pool];
    const named = names.flatMap((name) => this.pools.find((pool) => pool.name === name) ?? []);
    if (names.length > 0 && named.length === 0) return 'no-such-pool';
    if (names.length > 0 && !named.some((pool) => admits(pool, wish))) return 'pool-not-for-service';
    const stages = names.length > 0 ? [named.filter((pool) => admits(pool, wish))] : this.#stages(service, wish);
    if (stages.flat().length === 0) return 'no-pool';
    for (const stage of stages) {
      const found = wish.pools.length > 0 ? this.#ofPools(stage, service, wish) : this.#ofOnePool(stage, service, wish);
      if (found) return found;
    }
    return stages.flat().every(({ draining }) => draining) ? 'pool-draining' : 'exhausted';
  }

  #stages(service: string, wish: Wish): readonly (readonly Pool[])[] {
    const automatic = this.pools.filter((pool) => pool.autoAssign && admits(pool, wish));
    const pinned = automatic.filter((pool) => pool.serviceAllocation);
    pinned.sort((a, b) => (a.serviceAllocation?.priority ?? 0) - (b.serviceAllocation?.priority ?? 0));
    const own = this.reservations.filter((reservation) => reservation.service === service);
    const reserved = own.flatMap(({ addresses }) => addresses.flatMap((address) => this.#poolOf(address) ?? []));
    const first = [...new Set(reserved)].filter((pool) => admits(pool, wish));
    return [first, pinned, automatic.filter((pool) => !pool.serviceAllocation)];
  }

  #ofPools(pools: readonly Pool[], service: string, wish: Wish): Place[] | undefined {
    const found = this.#additions(pools, service, wish, []);
    return isEnough(found, wish) ? found : undefined;
  }

  #ofOnePool(pools: readonly Pool[], service: string, wish: Wish): Place[] | undefined {
    const offers = pools.map((pool) => this.#additions([pool], service, wish, []));
    const of = (offer: Place[], family: number) => offer.filter(({ address }) => address.family === family);
    const most = wish.families.reduce((sum, family) => sum + chosenCount(wish, family), 0);
    const whole = offers.find((offer) => offer.length === most && isEnough(offer, wish));
    const each = offers.find((offer) => wish.families.every((family) => of(offer, family).length > 0));
    if (whole || each || wish.familyPolicy !== 'PreferDualStack') return whole ?? each;
    const halves = wish.families.map((family) =>
      offers.map((offer) => of(offer, family)).find((half) => half.length > 0),
    );
    return halves.find((half) => half !== undefined);
  }

  #put(service: string, wish: Wish, places: readonly Place[], before: readonly Place[]): void {
    if (places.length > 0) this.held.set(service, { wish, places });
    else this.held.delete(service);
    for (const { address } of places) this.kept.delete(formatAddress(address));
    for (const { address } of before) this.#keep(service, address);
  }

  #keep(service: string, address: Address): void {
    const pool = this.#poolOf(address);
    const text = formatAddress(address);
    if (!pool || this.holders(address).length > 0 || this.kept.has(text)) return;
    const own = this.reservations.filter((one) => one.service === service);
    const retaining = own.filter(({ addresses }) => addresses.some((one) => sameAddress(one, address)));
    const retainFor = Math.max(0, ...retaining.map((one) => one.retainFor));
    const until = this.now + Math.max(pool.coolDown, retainFor);
    if (until > this.now) this.kept.set(text, { service, since: this.now, retainFor, until });
  }
}

const passing: readonly RefusalReason[] = [
  'exhausted',
  'in-use',
  'port-conflict',
  'address-reserved',
  'cooling-down',
  'node-address',
];

function isEnough(places: readonly Place[], { families, familyPolicy }: Wish): boolean {
  const has = (family: number) => places.some(({ address }) => address.family === family);
  return familyPolicy === 'PreferDualStack' ? families.some(has) : families.every(has);
}

function wants({ wanted }: Wish, address: Address): boolean {
  return wanted.some((one) => sameAddress(one, address));
}

function chosenCount({ count, wanted }: Wish, family: number): number {
  return count - wanted.filter((address) => address.family === family).length;
}

function textOf(pool: Pool): string {
  return JSON.stringify(pool, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
