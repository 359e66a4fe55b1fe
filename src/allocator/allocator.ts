import type { Pool, Reservation } from '../config/config.ts';
import { type Address, type Family, sameAddress } from '../ip/address.ts';
import { AddressMap } from './address-map.ts';
import { isEnough, isWanted, type Place } from './choice.ts';
import { Choices } from './choices.ts';
import type { SpaceNews } from './family-space.ts';
import type { AddressUse, PoolCounters } from './pool-space.ts';
import { PoolSpaces } from './pool-spaces.ts';
import { canPass, topics } from './queues.ts';
import { type ReservationState, Reservations } from './reservations.ts';
import { Retention } from './retention.ts';
import { stay } from './stay.ts';
import { WaitingList } from './waiting-list.ts';
import type { Refusal, ServiceKey, Wish } from './wish.ts';

/** The addresses of a Service, each with the name of its pool. The first one decides which node announces them. */
export type Assignment = { readonly addresses: readonly { readonly address: Address; readonly pool: string }[] };

export type Decision = {
  readonly outcome: Assignment | Refusal;
  /** Set when the Service could not keep all the addresses it had: why. What it lost is released. */
  readonly lost: Refusal | undefined;
  /** Set when the Service has addresses but waits for more: how many it has, and why not all. */
  readonly missing: Refusal | undefined;
};

/**
 * Decides which Service has which address. Level-triggered: `assign` may be called any number of times with the wish
 * as it is now, and an address once given stays while the wish and the pools allow it. Time is in milliseconds since
 * 1970, and is what the caller says it is.
 *
 * At start: `setPools`, `setNodeAddresses`, then `adopt` for every Service that has addresses in its status, then
 * `setReservations`, and only then the first `assign`; so that nobody is given what somebody else still believes to have.
 *
 * After any call, `takeCalled` says which of the Services that wait are to be assigned again, and `takeChanged` of
 * which pools the counters or the assignments are others.
 */
export class Allocator {
  readonly #spaces: PoolSpaces;
  readonly #reservations: Reservations;
  readonly #retention: Retention;
  readonly #choices: Choices;
  readonly #waiting = new WaitingList();
  /** What those who wait ask for. */
  readonly #waitingWishes = new Map<ServiceKey, Wish>();
  /** Every place here has a tenancy in its space, and the other way round. */
  readonly #held = new Map<ServiceKey, Holding>();
  readonly #changed = new Set<string>();
  /** Those who wait, and for whom an address is reserved or kept to which something has happened. */
  readonly #claimed = new Set<ServiceKey>();
  #nodeAddresses = new AddressMap<Address>();

  constructor() {
    this.#spaces = new PoolSpaces((pool, family) => this.#newsOf(pool, family));
    this.#reservations = new Reservations(this.#spaces, (service) => this.#held.get(service)?.places ?? []);
    this.#retention = new Retention(this.#spaces, this.#reservations);
    this.#choices = new Choices(this.#spaces, this.#reservations);
  }

  /**
   * Replaces the pools. Services keep their addresses where the new pools allow it, also when the pool is renamed or
   * split; the others are released and returned with the reason. Assign every Service again afterwards: the pool of
   * an assignment may have another name now, and Services that wait may find room.
   */
  setPools(pools: readonly Pool[], now: number): ReadonlyMap<ServiceKey, Refusal> {
    this.#advance(now);
    const made = new Set(this.#spaces.replace(pools));
    for (const space of made) this.#changed.add(space.pool.name);
    for (const address of this.#nodeAddresses.values()) {
      const space = this.#spaces.at(address);
      if (space && made.has(space)) space.setNodes(address, true);
    }
    this.#reservations.usePools(made);
    this.#retention.usePools(made, now);
    const lost = new Map<ServiceKey, Refusal>();
    for (const [service, { wish, places }] of [...this.#held]) {
      if (places.every(({ space }) => this.#spaces.includes(space))) continue;
      const stayed = stay(this.#spaces, service, wish, addressesOf(places));
      this.#settle(service, wish, stayed.places, now);
      if (stayed.lost) lost.set(service, stayed.lost);
    }
    this.#reservations.findAnew();
    return lost;
  }

  /** Replaces the addresses of the nodes. A Service that has one of them keeps it. */
  setNodeAddresses(addresses: readonly Address[], now: number): void {
    this.#advance(now);
    const before = this.#nodeAddresses;
    const after = new AddressMap<Address>();
    for (const address of addresses) after.set(address, address);
    for (const address of after.values()) {
      if (!before.has(address)) this.#spaces.at(address)?.setNodes(address, true);
    }
    for (const address of before.values()) {
      if (!after.has(address)) this.#spaces.at(address)?.setNodes(address, false);
    }
    this.#nodeAddresses = after;
    this.#reservations.findUnmet();
  }

  /**
   * Replaces the reservations. A Service that has an address which is reserved for another keeps it. `known` are, by
   * name, the addresses that an earlier run has found for reservations that name none.
   */
  setReservations(
    reservations: readonly Reservation[],
    now: number,
    known: ReadonlyMap<string, readonly Address[]> = new Map(),
  ): void {
    this.#advance(now);
    this.#reservations.replace(reservations, known);
    this.#reservations.findUnmet();
  }

  /**
   * Takes over addresses that the Service has from an earlier run, as far as it may keep them. First come, first served.
   * `since` says when each came into use, as far as that is known.
   */
  adopt(
    service: ServiceKey,
    wish: Wish,
    addresses: readonly Address[],
    now: number,
    since: (address: Address) => number | undefined = () => undefined,
  ): Decision {
    this.#advance(now);
    const { places, lost } = stay(this.#spaces, service, wish, addresses);
    this.#settle(service, wish, places, now, (address) => Math.min(now, since(address) ?? now));
    this.#reservations.useAddressesOf(service);
    return { outcome: places.length > 0 ? assignmentOf(places) : lost!, lost, missing: undefined };
  }

  /** Keeps, completes, replaces or gives the addresses of the Service. */
  assign(service: ServiceKey, wish: Wish, now: number): Decision {
    this.#advance(now);
    const held = this.#held.get(service);
    const kept = held && stay(this.#spaces, service, wish, addressesOf(held.places));
    const completed = kept && this.#completed(service, wish, kept.places);
    if (completed) {
      this.#settle(service, wish, completed, now);
    } else {
      const refused = this.#replace(service, wish, now);
      if (refused) {
        this.#waitUnlessHopeless(service, wish, [], refused);
        return { outcome: refused, lost: kept?.lost, missing: undefined };
      }
    }
    const { places } = this.#held.get(service)!;
    const missing = this.#choices.shortfall(service, wish, places);
    this.#waitUnlessHopeless(service, wish, places, missing);
    this.#reservations.useAddressesOf(service);
    return { outcome: assignmentOf(places), lost: kept?.lost, missing };
  }

  /** The Service is gone, or is no LoadBalancer any more. Returns what it had. */
  release(service: ServiceKey, now: number): Assignment | undefined {
    this.#advance(now);
    const held = this.#held.get(service);
    this.#stopWaiting(service);
    this.#settle(service, undefined, [], now);
    this.#reservations.findUnmet();
    return held && assignmentOf(held.places);
  }

  /**
   * The Services that wait and that can be helped now, the longest waiting first among those who wait for the same.
   * Each is returned once until it has been assigned or released, and the one behind it only then.
   */
  takeCalled(now: number): readonly ServiceKey[] {
    this.#advance(now);
    for (const service of this.#claimed) this.#stirClaimant(service);
    this.#claimed.clear();
    if (this.#waiting.size === 0) return [];
    return this.#waiting.call((service) => this.#isHelped(service));
  }

  /** The pools whose counters or assignments have changed since the last call. */
  takeChanged(): readonly string[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** When the next address that is kept for its last Service can be given to others; call `takeCalled` then. */
  nextRelease(): number | undefined {
    return this.#retention.nextEnd();
  }

  assignment(service: ServiceKey): Assignment | undefined {
    const held = this.#held.get(service);
    return held && assignmentOf(held.places);
  }

  /** The Services on an address, in the order they came. */
  holders(address: Address): readonly ServiceKey[] {
    return this.#spaces.at(address)?.tenancy(address)?.services ?? [];
  }

  counters(pool: string): PoolCounters | undefined {
    return this.#spaces.named(pool)?.counters();
  }

  /** Who has what of the pool: the first `limit` addresses in use, ascending. */
  assignments(pool: string, limit: number): readonly AddressUse[] {
    return this.#spaces.named(pool)?.inUse(limit) ?? [];
  }

  reservation(name: string): ReservationState | undefined {
    return this.#reservations.state(name);
  }

  #advance(now: number): void {
    this.#retention.endDue(now);
    this.#reservations.findUnmet();
  }

  /** Makes these the places of the Service, whatever it had. What it had and still has stays in use all along. */
  #settle(
    service: ServiceKey,
    wish: Wish | undefined,
    places: readonly Place[],
    now: number,
    since: (address: Address) => number = () => now,
  ): void {
    const before = this.#held.get(service);
    const had = before?.places ?? [];
    for (const { address, space } of had) {
      const stays = places.some((place) => place.space === space && sameAddress(place.address, address));
      if (!stays && this.#spaces.includes(space)) space.leave(address, service, before!.wish);
    }
    if (wish && places.length > 0) {
      for (const { address, space } of places) {
        const was = had.find((place) => sameAddress(place.address, address))?.space.tenancy(address);
        space.take(address, service, wish, before?.wish ?? wish, was?.since ?? since(address));
        this.#retention.end(address);
      }
      this.#held.set(service, { wish, places });
    } else {
      this.#held.delete(service);
    }
    for (const { address } of had) this.#retention.begin(address, service, now);
  }

  /** The places with what the Service lacks, as far as there is room; undefined when it cannot do with them. */
  #completed(service: ServiceKey, wish: Wish, places: readonly Place[]): readonly Place[] | undefined {
    if (places.length === 0) return undefined;
    const all = [...places, ...this.#choices.completion(service, wish, places)];
    return isEnough(all, wish) ? all : undefined;
  }

  /** Gives the Service other places than it has, or says why there are none; then it has none. */
  #replace(service: ServiceKey, wish: Wish, now: number): Refusal | undefined {
    const held = this.#held.get(service);
    const sinces = new AddressMap<number>();
    if (wish.addresses.length === 0) {
      // What was chosen for it is as good for it as what is free, so it goes back first, and is not kept for anybody.
      const wanted = held?.places.filter(({ address }) => isWanted(address, wish)) ?? [];
      for (const { address, space } of held?.places ?? []) {
        sinces.set(address, space.tenancy(address)!.since);
        if (!isWanted(address, wish)) space.leave(address, service, held!.wish);
      }
      if (wanted.length > 0) this.#held.set(service, { wish: held!.wish, places: wanted });
      else this.#held.delete(service);
    }
    const found = this.#choices.choose(service, wish);
    this.#settle(service, wish, 'refused' in found ? [] : found, now, (address) => sinces.get(address) ?? now);
    for (const { address } of held?.places ?? []) this.#retention.begin(address, service, now);
    return 'refused' in found ? found : undefined;
  }

  /** The Service, which has these places, is to be called when what stood against its wish may have passed. */
  #waitUnlessHopeless(service: ServiceKey, wish: Wish, places: readonly Place[], why: Refusal | undefined): void {
    if (why === undefined || !canPass(why.refused)) {
      this.#stopWaiting(service);
    } else {
      this.#waiting.put(service, this.#choices.queues(service, wish, places));
      this.#waitingWishes.set(service, wish);
    }
  }

  /** Something has happened to an address that waits for this Service, and that sets it apart from others who wait. */
  #stirClaimant(service: ServiceKey): void {
    const wish = this.#waitingWishes.get(service);
    if (!wish) return;
    this.#waiting.put(service, this.#choices.queues(service, wish, this.#held.get(service)?.places ?? []));
    this.#waiting.stirKey(service);
  }

  #stopWaiting(service: ServiceKey): void {
    this.#waiting.remove(service);
    this.#waitingWishes.delete(service);
  }

  /** Whether the Service, which waits, would be given more than it has. */
  #isHelped(service: ServiceKey): boolean {
    const wish = this.#waitingWishes.get(service)!;
    const held = this.#held.get(service);
    if (held) return this.#choices.completion(service, wish, held.places).length > 0;
    return !('refused' in this.#choices.choose(service, wish));
  }

  #newsOf(pool: string, family: Family): SpaceNews {
    const room = topics.room(pool, family);
    return {
      use: () => this.#changed.add(pool),
      room: () => this.#stir(room),
      opening: (sharing) => this.#waiting.size > 0 && this.#stir(topics.opening(pool, sharing)),
      address: (address) => this.#waiting.size > 0 && this.#stir(topics.address(address)),
      own: (service) => this.#waiting.has(service) && this.#claimed.add(service),
    };
  }

  #stir(topic: string): void {
    this.#waiting.stir(topic);
    this.#reservations.stir(topic);
  }
}

type Holding = { readonly wish: Wish; readonly places: readonly Place[] };

function assignmentOf(places: readonly Place[]): Assignment {
  return { addresses: places.map(({ address, space }) => ({ address, pool: space.pool.name })) };
}

function addressesOf(places: readonly Place[]): readonly Address[] {
  return places.map(({ address }) => address);
}
