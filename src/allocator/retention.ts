import type { Address } from '../ip/address.ts';
import { AddressMap } from './address-map.ts';
import { OrderedMap } from './ordered-map.ts';
import type { PoolSpace } from './pool-space.ts';
import type { PoolSpaces } from './pool-spaces.ts';
import type { Reservations } from './reservations.ts';
import type { ServiceKey } from './wish.ts';

/**
 * The addresses that their Services have given back and that nobody else may have for a time, because the pool has a
 * cool-down or a reservation retains them. They are withheld in the pools until then. Times are in milliseconds since
 * 1970. Each operation is O(log n).
 */
export class Retention {
  readonly #spaces: PoolSpaces;
  readonly #reservations: Reservations;
  readonly #byAddress = new AddressMap<Kept>();
  readonly #byEnd = new OrderedMap<number, Batch>();

  constructor(spaces: PoolSpaces, reservations: Reservations) {
    this.#spaces = spaces;
    this.#reservations = reservations;
  }

  /** The Service has given the address back. Keeps it, unless others are on it or there is no reason to. */
  begin(address: Address, service: ServiceKey, now: number): void {
    const space = this.#spaces.at(address);
    if (!space || space.tenancy(address) || this.#byAddress.has(address)) return;
    const retainFor = this.#reservations.retainFor(service, address);
    this.#keep(space, { address, service, since: now, retainFor }, now);
  }

  /** Somebody has the address. */
  end(address: Address): void {
    const kept = this.#byAddress.size === 0 ? undefined : this.#byAddress.get(address);
    if (!kept) return;
    this.#byAddress.delete(address);
    const batch = this.#byEnd.floor(kept.until)!;
    batch.kept.delete(kept);
    if (batch.kept.size === 0) this.#byEnd.delete(batch.until);
    this.#spaces.at(address)?.unkeep(address, kept.service);
  }

  /** To be called before anything is decided, and with the time of that. */
  endDue(now: number): void {
    for (let batch = this.#byEnd.first(); batch && batch.until <= now; batch = this.#byEnd.first()) {
      for (const { address } of [...batch.kept]) this.end(address);
    }
  }

  /** When the next one ends. */
  nextEnd(): number | undefined {
    return this.#byEnd.first()?.until;
  }

  /** To be called when other pools are in force; `made` are those that begin empty, and may have another cool-down. */
  usePools(made: ReadonlySet<PoolSpace>, now: number): void {
    for (const kept of this.#byAddress.values()) {
      const space = this.#spaces.at(kept.address);
      if (!space || !made.has(space)) continue;
      this.end(kept.address);
      this.#keep(space, kept, now);
    }
  }

  #keep(space: PoolSpace, given: Omit<Kept, 'until'>, now: number): void {
    const until = given.since + Math.max(space.pool.coolDown, given.retainFor);
    if (until <= now) return;
    const kept = { ...given, until };
    this.#byAddress.set(kept.address, kept);
    const batch = this.#byEnd.floor(until);
    if (batch?.until === until) batch.kept.add(kept);
    else this.#byEnd.set(until, { until, kept: new Set([kept]) });
    space.keep(kept.address, kept.service);
  }
}

type Kept = {
  readonly address: Address;
  readonly service: ServiceKey;
  /** When it was given back. */
  readonly since: number;
  /** For how long a reservation keeps it, whatever the pool says. */
  readonly retainFor: number;
  readonly until: number;
};

/** All that end at one time. */
type Batch = { readonly until: number; readonly kept: Set<Kept> };
