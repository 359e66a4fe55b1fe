import { additions, lacking, type Place, pickOfOnePool, pickOfPools } from './choice.ts';
import { notOfClass } from './class-pools.ts';
import type { PoolSpace } from './pool-space.ts';
import type { PoolSpaces } from './pool-spaces.ts';
import { queuesForAddresses, queuesForRoom } from './queues.ts';
import type { Reservations } from './reservations.ts';
import { requested } from './stay.ts';
import type { Queue } from './waiting-list.ts';
import { admits, type Refusal, type ServiceKey, type Wish } from './wish.ts';
import { exhausted, noPool, noSuchPool, notForService, shortfall } from './words.ts';

/** What Services could be given as things are, and what they would wait for. Changes nothing. */
export class Choices {
  readonly #spaces: PoolSpaces;
  readonly #reservations: Reservations;

  constructor(spaces: PoolSpaces, reservations: Reservations) {
    this.#spaces = spaces;
    this.#reservations = reservations;
  }

  /** The places for a Service that can keep none, or why there are none. */
  choose(service: ServiceKey, wish: Wish): readonly Place[] | Refusal {
    if (wish.addresses.length > 0) return requested(this.#spaces, service, wish);
    const stages = this.#stages(service, wish);
    if ('refused' in stages) return stages;
    const pick = wish.pools.length > 0 ? pickOfPools : pickOfOnePool;
    for (const stage of stages) {
      const found = pick(stage, service, wish);
      if (found) return found;
    }
    return exhausted(allOf(stages), wish);
  }

  /** What the Service lacks beside the places that it has, as far as there is room. */
  completion(service: ServiceKey, wish: Wish, places: readonly Place[]): readonly Place[] {
    const isComplete = wish.families.every((family) => lacking(family, wish, places) <= 0);
    if (isComplete || wish.addresses.length > 0) return [];
    return additions(this.#beside(wish, places), service, wish, places);
  }

  /** What the Service lacks beside the places that it has, in words; undefined when it lacks nothing. */
  shortfall(wish: Wish, places: readonly Place[]): Refusal | undefined {
    return shortfall(wish, places, this.#beside(wish, places));
  }

  /** Where the Service waits for what it lacks, having these places. */
  queues(service: ServiceKey, wish: Wish, places: readonly Place[]): readonly Queue[] {
    if (places.length > 0) return queuesForRoom(this.#beside(wish, places), service, wish, places);
    if (wish.addresses.length > 0) {
      const spaces = wish.addresses.flatMap((address) => this.#spaces.at(address) ?? []);
      return queuesForAddresses(spaces, service, wish);
    }
    const stages = this.#stages(service, wish);
    return 'refused' in stages ? [] : queuesForRoom(allOf(stages), service, wish, []);
  }

  /** The pools that may serve the Service, those of one stage before those of the next; or why there are none. */
  #stages(service: ServiceKey, wish: Wish): readonly (readonly PoolSpace[])[] | Refusal {
    if (wish.pool !== undefined || wish.pools.length > 0) {
      const names = wish.pool === undefined ? wish.pools : [wish.pool];
      const known = names.flatMap((name) => this.#spaces.named(name) ?? []);
      const admitting = known.filter(({ pool }) => admits(pool, wish));
      if (admitting.length > 0) return [admitting];
      if (known.length === 0) return noSuchPool(names);
      return notOfClass(known.map(({ pool }) => pool)) ?? notForService(names);
    }
    const restricted = this.#spaces.restricted.filter(({ pool }) => admits(pool, wish));
    const { open } = this.#spaces;
    const reserved = this.#reservations.spacesFor(service).filter(({ pool }) => admits(pool, wish));
    if (reserved.length > 0) return [reserved, restricted, open];
    return restricted.length > 0 || open.length > 0 ? [restricted, open] : noPool();
  }

  /** The pools that may complete what a Service has. */
  #beside(wish: Wish, places: readonly Place[]): readonly PoolSpace[] {
    if (wish.pools.length === 0) return places.slice(0, 1).map(({ space }) => space);
    return wish.pools.flatMap((name) => this.#spaces.named(name) ?? []).filter(({ pool }) => admits(pool, wish));
  }
}

function allOf(stages: readonly (readonly PoolSpace[])[]): readonly PoolSpace[] {
  return [...new Set(stages.flat())];
}
