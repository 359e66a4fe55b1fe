import { additions, isEnough, lacking, type Place, pickOfOnePool, pickOfPools } from './choice.ts';
import { notOfClass } from './class-pools.ts';
import type { PoolSpace } from './pool-space.ts';
import type { PoolSpaces } from './pool-spaces.ts';
import { canPass, ownQueue, queuesForAddresses, queuesForRoom } from './queues.ts';
import type { Reservations } from './reservations.ts';
import { requested } from './stay.ts';
import type { Queue } from './waiting-list.ts';
import { spacesOfWanted, type Wanted, wantedBeside } from './wanted.ts';
import { admits, type Refusal, type ServiceKey, type Wish } from './wish.ts';
import { allOfThese, exhausted, noPool, noSuchPool, notForService, shortfall } from './words.ts';

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
    const besideWanted = this.#besideWanted(wish);
    if (besideWanted.length > 0) return this.#chooseWanted(besideWanted, service, wish);
    const chosen = this.#chooseAny(service, wish);
    if (!('refused' in chosen) || wish.wanted.length === 0) return chosen;
    const { unmet } = wantedBeside(this.#spaces, service, wish, [], undefined);
    const isAnyChosen = wish.families.some((family) => lacking(family, wish, []) > 0);
    return firstThatCanPass([...unmet.map(({ why }) => why), ...(isAnyChosen ? [chosen] : [])]);
  }

  /** What the Service lacks beside the places that it has, as far as there is room. */
  completion(service: ServiceKey, wish: Wish, places: readonly Place[]): readonly Place[] {
    if (isComplete(wish, places)) return [];
    const wanted = this.#wantedBeside(service, wish, places).places;
    return [...wanted, ...additions(this.#beside(wish, places), service, wish, places)];
  }

  /** What the Service lacks beside the places that it has, in words; undefined when it lacks nothing. */
  shortfall(service: ServiceKey, wish: Wish, places: readonly Place[]): Refusal | undefined {
    if (isComplete(wish, places)) return undefined;
    const unmet = this.#wantedBeside(service, wish, places).unmet.map(({ why }) => why);
    return shortfall(wish, places, unmet, this.#beside(wish, places));
  }

  /** Where the Service waits for what it lacks, having these places. */
  queues(service: ServiceKey, wish: Wish, places: readonly Place[]): readonly Queue[] {
    if (wish.addresses.length > 0) {
      const spaces = wish.addresses.flatMap((address) => this.#spaces.at(address) ?? []);
      return queuesForAddresses(spaces, service, wish, wish.addresses);
    }
    if (places.length > 0) {
      const { unmet } = this.#wantedBeside(service, wish, places);
      const addresses = unmet.filter(({ why }) => canPass(why.refused)).map(({ address }) => address);
      const beside = this.#beside(wish, places);
      const isAnyChosen = wish.families.some((family) => lacking(family, wish, places) > 0);
      return [
        ...addresses.flatMap((address) => queuesForAddresses(this.#spacesAt([address]), service, wish, [address])),
        ...(isAnyChosen ? queuesForRoom(beside, service, wish, places) : []),
      ];
    }
    const besideWanted = this.#besideWanted(wish).flat();
    const stages = this.#stages(service, wish);
    const spaces = besideWanted.length > 0 || 'refused' in stages ? besideWanted : allOf(stages);
    const rooms = queuesForRoom(spaces, service, wish, []);
    if (wish.wanted.length === 0) return spaces.length > 0 ? rooms : [];
    return [ownQueue(service, [...queuesForAddresses([], service, wish, wish.wanted), ...rooms])];
  }

  /** Of the first pools that have enough. */
  #chooseWanted(
    groups: readonly (readonly PoolSpace[])[],
    service: ServiceKey,
    wish: Wish,
  ): readonly Place[] | Refusal {
    const why: Refusal[] = [];
    for (const spaces of groups) {
      const base = wish.pools.length > 0 ? undefined : spaces[0];
      const { places, unmet } = wantedBeside(this.#spaces, service, wish, [], base);
      const found = [...places, ...additions(spaces, service, wish)];
      if (isEnough(found, wish)) return found;
      const short = wish.families.filter((family) => lacking(family, wish, found) > 0);
      why.push(...unmet.map((one) => one.why), ...(short.length > 0 ? [exhausted(spaces, short)] : []));
    }
    return firstThatCanPass(why);
  }

  #chooseAny(service: ServiceKey, wish: Wish): readonly Place[] | Refusal {
    const stages = this.#stages(service, wish);
    if ('refused' in stages) return stages;
    const pick = wish.pools.length > 0 ? pickOfPools : pickOfOnePool;
    for (const stage of stages) {
      const found = pick(stage, service, wish);
      if (found) return found;
    }
    return exhausted(allOf(stages), wish.families);
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

  /** The pools that may serve a Service together that wants addresses of them by name, in the order of preference. */
  #besideWanted(wish: Wish): readonly (readonly PoolSpace[])[] {
    const spaces = spacesOfWanted(this.#spaces, wish);
    if (spaces.length === 0) return [];
    return wish.pools.length > 0 ? [this.#beside(wish, [])] : spaces.map((space) => [space]);
  }

  /** The pools that may complete what a Service has. */
  #beside(wish: Wish, places: readonly Place[]): readonly PoolSpace[] {
    if (wish.pools.length === 0) return places.slice(0, 1).map(({ space }) => space);
    return wish.pools.flatMap((name) => this.#spaces.named(name) ?? []).filter(({ pool }) => admits(pool, wish));
  }

  #wantedBeside(service: ServiceKey, wish: Wish, places: readonly Place[]): Wanted {
    return wantedBeside(this.#spaces, service, wish, places, places[0]?.space);
  }

  #spacesAt(addresses: Wish['wanted']): readonly PoolSpace[] {
    return addresses.flatMap((address) => this.#spaces.at(address) ?? []);
  }
}

function isComplete(wish: Wish, places: readonly Place[]): boolean {
  return wish.addresses.length > 0 || places.length >= wish.families.length * wish.count;
}

function allOf(stages: readonly (readonly PoolSpace[])[]): readonly PoolSpace[] {
  return [...new Set(stages.flat())];
}

/** While anything may pass, the Service waits. */
function firstThatCanPass(reasons: readonly Refusal[]): Refusal {
  const first = reasons.find(({ refused }) => canPass(refused)) ?? reasons[0]!;
  return { refused: first.refused, detail: allOfThese(reasons.map(({ detail }) => detail)) };
}
