import type { Reservation } from '../config/config.ts';
import { type Address, type Family, formatAddress } from '../ip/address.ts';
import { additions, type Place } from './choice.ts';
import type { PoolSpace } from './pool-space.ts';
import type { PoolSpaces } from './pool-spaces.ts';
import { topics } from './queues.ts';
import { ReservationBook } from './reservation-book.ts';
import { WaitingList } from './waiting-list.ts';
import type { ServiceKey, Wish } from './wish.ts';
import { shortages } from './words.ts';

/** What a reservation has come to. */
export type ReservationState = {
  /** Those it names, or those found for it; empty while there are none. */
  readonly addresses: readonly { readonly address: Address; readonly pool: string | undefined }[];
  /** Its Service, when that has one of the addresses. */
  readonly holder: ServiceKey | undefined;
  /** Since when; milliseconds since 1970. */
  readonly since: number | undefined;
  /** What keeps the Service from having all of it, in words; undefined when nothing does. */
  readonly obstacle: string | undefined;
};

/**
 * Keeps the reserved addresses withheld in the pools, whichever pools are in force. A reservation that names no address
 * is for what its Service has; while that has none, an address is found for it, as soon as there is one.
 */
export class Reservations {
  readonly #spaces: PoolSpaces;
  readonly #placesOf: (service: ServiceKey) => readonly Place[];
  readonly #book = new ReservationBook();
  /** By name, those for which no address has been found. */
  readonly #unmet = new WaitingList();

  constructor(spaces: PoolSpaces, placesOf: (service: ServiceKey) => readonly Place[]) {
    this.#spaces = spaces;
    this.#placesOf = placesOf;
  }

  /** Returns the Services of those that were not there before. `known` are addresses found in an earlier run. */
  replace(reservations: readonly Reservation[], known: ReadonlyMap<string, readonly Address[]>): void {
    const names = new Map(reservations.map((reservation) => [reservation.name, reservation]));
    for (const { reservation } of this.#book.all()) {
      const now = names.get(reservation.name);
      if (!now || textOf(now) !== textOf(reservation)) this.#drop(reservation.name);
    }
    const added = reservations.filter(({ name }) => !this.#book.get(name));
    for (const reservation of added) {
      const { name, addresses } = reservation;
      this.#put(reservation, addresses.length > 0 ? addresses : this.#stillInPools(reservation, known.get(name) ?? []));
    }
    for (const reservation of added) this.#findFor(reservation);
  }

  /** To be called when other pools are in force; `made` are those that begin empty. */
  usePools(made: ReadonlySet<PoolSpace>): void {
    for (const { reservation, addresses } of this.#book.all()) {
      for (const address of addresses) {
        const space = this.#spaces.at(address);
        if (space && made.has(space)) space.reserve(address, reservation.service);
      }
    }
  }

  /** To be called when the Services have found their place in other pools. */
  findAnew(): void {
    for (const { reservation, addresses } of this.#book.all()) {
      if (reservation.addresses.length > 0) continue;
      const left = this.#stillInPools(reservation, addresses);
      if (left.length < addresses.length) {
        this.#drop(reservation.name);
        this.#put(reservation, left);
      }
      this.#findFor(reservation);
    }
  }

  /** Something has happened. */
  stir(topic: string): void {
    this.#unmet.stir(topic);
  }

  /** To be called when addresses have come free: those who wait for a reservation are served before Services are. */
  findUnmet(): void {
    if (this.#unmet.size === 0) return;
    const canBeFound = (name: string) => this.#find(this.#book.get(name)!.reservation).length > 0;
    for (let names = this.#unmet.call(canBeFound); names.length > 0; names = this.#unmet.call(canBeFound)) {
      for (const name of names) this.#findFor(this.#book.get(name)!.reservation);
    }
  }

  /** To be called when the Service has been given addresses. */
  useAddressesOf(service: ServiceKey): void {
    for (const { reservation, addresses } of this.#book.of(service)) {
      if (addresses.length === 0) this.#findFor(reservation);
    }
  }

  /** The pools that have something reserved for the Service. */
  spacesFor(service: ServiceKey): readonly PoolSpace[] {
    const addresses = this.#book.of(service).flatMap((booking) => booking.addresses);
    return [...new Set(addresses.flatMap((address) => this.#spaces.at(address) ?? []))];
  }

  /** For how long the address is kept for the Service when that has gone; milliseconds. */
  retainFor(service: ServiceKey, address: Address): number {
    return this.#book.retainFor(service, address);
  }

  state(name: string): ReservationState | undefined {
    const booking = this.#book.get(name);
    if (!booking) return undefined;
    const { reservation, addresses } = booking;
    const placed = addresses.map((address) => ({ address, space: this.#spaces.at(address) }));
    const tenancies = placed.flatMap(({ address, space }) => space?.tenancy(address) ?? []);
    const own = tenancies.filter((tenancy) => tenancy.has(reservation.service));
    const obstacles = placed.flatMap(({ address, space }) => obstacleAt(address, space, reservation.service) ?? []);
    return {
      addresses: placed.map(({ address, space }) => ({ address, pool: space?.pool.name })),
      holder: own.length > 0 ? reservation.service : undefined,
      since: own.length > 0 ? Math.min(...own.map(({ since }) => since)) : undefined,
      obstacle: addresses.length === 0 ? this.#shortage(reservation) : obstacles[0],
    };
  }

  #put(reservation: Reservation, addresses: readonly Address[]): void {
    this.#book.set({ reservation, addresses });
    for (const address of addresses) this.#spaces.at(address)?.reserve(address, reservation.service);
  }

  #drop(name: string): void {
    const { reservation, addresses } = this.#book.get(name)!;
    this.#book.delete(name);
    this.#unmet.remove(name);
    for (const address of addresses) {
      if (this.#book.reserves(reservation.service, address)) continue;
      this.#spaces.at(address)?.unreserve(address, reservation.service);
    }
  }

  /** Finds addresses for a reservation that has none; if there are none, it waits. */
  #findFor(reservation: Reservation): void {
    const { name } = reservation;
    if (this.#book.get(name)!.addresses.length > 0) return;
    const found = this.#find(reservation);
    if (found.length > 0) {
      this.#unmet.remove(name);
      this.#put(reservation, found);
    } else {
      const pools = this.#poolsFor(reservation).map(({ pool }) => pool.name);
      const families = reservation.families ?? bothFamilies;
      const rooms = pools.flatMap((pool) => families.map((family) => topics.room(pool, family)));
      this.#unmet.put(name, [{ name: `${families} in ${pools.join(' ')}`, topics: rooms }]);
    }
  }

  #find(reservation: Reservation): readonly Address[] {
    const { pool, families, service } = reservation;
    const fits = ({ address, space }: Place) =>
      (pool === undefined || pool === space.pool.name) && (families === undefined || families.includes(address.family));
    const has = this.#placesOf(service).filter(fits);
    if (has.length > 0) return has.map(({ address }) => address);
    for (const space of this.#poolsFor(reservation)) {
      const wanted = families ?? bothFamilies.filter((family) => space.has(family));
      const found = additions([space], service, anyOf(wanted));
      if (found.length > 0 && found.length === wanted.length) return found.map(({ address }) => address);
    }
    return [];
  }

  #poolsFor({ pool }: Reservation): readonly PoolSpace[] {
    if (pool === undefined) return this.#spaces.open;
    const space = this.#spaces.named(pool);
    return space ? [space] : [];
  }

  /** Of addresses that were found for the reservation, those that are still of the pools that may serve it. */
  #stillInPools({ pool, families }: Reservation, addresses: readonly Address[]): readonly Address[] {
    return addresses.filter((address) => {
      const space = this.#spaces.at(address);
      const isOfPool = space !== undefined && (pool === undefined || pool === space.pool.name);
      return isOfPool && !space.refuses(address) && (families === undefined || families.includes(address.family));
    });
  }

  #shortage(reservation: Reservation): string {
    const pools = this.#poolsFor(reservation);
    const has = bothFamilies.filter((family) => pools.some((space) => space.has(family)));
    if (pools.length > 0) return shortages(pools, reservation.families ?? has);
    return reservation.pool === undefined ? 'no pool is for everybody' : `pool ${reservation.pool} does not exist`;
  }
}

const bothFamilies: readonly Family[] = [4, 6];

/** What a reservation asks for: an address that nobody else is on. */
function anyOf(families: readonly Family[]): Wish {
  return {
    namespace: '',
    namespaceLabels: {},
    labels: {},
    families,
    familyPolicy: 'RequireDualStack',
    addresses: [],
    wanted: [],
    count: 1,
    pool: undefined,
    pools: [],
    sharingKey: undefined,
    backend: '',
    ports: [],
  };
}

function obstacleAt(address: Address, space: PoolSpace | undefined, service: ServiceKey): string | undefined {
  if (!space) return `${formatAddress(address)} is in no pool`;
  const tenancy = space.tenancy(address);
  if (tenancy?.has(service)) return undefined;
  return tenancy
    ? `${formatAddress(address)} is in use by ${tenancy.services.join(', ')}`
    : space.refuses(address)?.detail;
}

function textOf(reservation: Reservation): string {
  return JSON.stringify(reservation, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
