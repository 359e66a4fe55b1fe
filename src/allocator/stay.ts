import { type Address, formatAddress, sameAddress } from '../ip/address.ts';
import { choosable, isWanted, type Place } from './choice.ts';
import { notOfClass } from './class-pools.ts';
import type { PoolSpace } from './pool-space.ts';
import type { PoolSpaces } from './pool-spaces.ts';
import { admits, type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';
import { notForService } from './words.ts';

/** Which of its addresses a Service keeps, in their order; and why it loses others, which is there when it keeps none. */
export type Stay = { readonly places: readonly Place[]; readonly lost: Refusal | undefined };

/**
 * Which of these addresses the Service may keep under the wish as it is now. When a whole family goes, all go: what
 * comes instead must be of one pool again. A Service whose addresses may be of several pools keeps what it can do with.
 * Addresses that are asked for by name, all or nothing, are kept or lost together. Of more addresses than the Service
 * asks for, the last ones are left out, but none that it wants; that is no loss, unless all are.
 */
export function stay(spaces: PoolSpaces, service: ServiceKey, wish: Wish, addresses: readonly Address[]): Stay {
  const objection = wholeObjection(wish, addresses);
  if (objection) return { places: [], lost: objection };
  const places: Place[] = [];
  let lost: Refusal | undefined;
  for (const address of addresses) {
    const found = placeOf(spaces, wish, address, places[0]?.space);
    const objection = 'refused' in found ? found : found.space.objectionToStay(address, service, wish);
    if (objection) lost ??= objection;
    else if (!('refused' in found)) places.push(found);
  }
  if (wish.addresses.length > 0) return { places: places.length < addresses.length ? [] : places, lost };
  const left = places.map(({ address }) => address);
  const isEnough = wish.pools.length > 0 ? familiesFit(left, wish) : familiesOf(left) === familiesOf(addresses);
  if (!isEnough) return { places: [], lost };
  const kept = askedFor(wish, places);
  return { places: kept, lost: lost ?? (kept.length > 0 ? undefined : notRequested(addresses, wish.wanted)) };
}

/** The addresses that the Service asks for by name, or why it may not have them. */
export function requested(spaces: PoolSpaces, service: ServiceKey, wish: Wish): readonly Place[] | Refusal {
  const objection = wholeObjection(wish, wish.addresses);
  if (objection) return objection;
  const places: Place[] = [];
  for (const address of wish.addresses) {
    const found = place(spaces, service, wish, address, places[0]?.space);
    if ('refused' in found) return found;
    places.push(found);
  }
  return places;
}

/** The place of an address for a Service that asks for it by name, beside addresses of `base`; or why it is not had. */
export function place(
  spaces: PoolSpaces,
  service: ServiceKey,
  wish: Wish,
  address: Address,
  base: PoolSpace | undefined,
): Place | Refusal {
  const found = placeOf(spaces, wish, address, base);
  if ('refused' in found) return found;
  const isThere = found.space.tenancy(address)?.has(service);
  const objection = isThere
    ? found.space.objectionToStay(address, service, wish)
    : found.space.objectionToCome(address, service, wish);
  return objection ?? found;
}

/** What stands against the addresses as a whole, whatever pools there are. */
function wholeObjection(wish: Wish, addresses: readonly Address[]): Refusal | undefined {
  const list = addresses.map(formatAddress).join(', ');
  if (!familiesFit(addresses, wish)) {
    return refusal('family-mismatch', `${list} for ${wish.families.map((family) => `IPv${family}`).join(' and ')}`);
  }
  if (wish.addresses.length === 0 || sameSet(addresses, wish.addresses)) return undefined;
  return notRequested(addresses, wish.addresses);
}

function notRequested(has: readonly Address[], requested: readonly Address[]): Refusal {
  const [list, others] = [has, requested].map((addresses) => addresses.map(formatAddress).join(', '));
  return refusal('not-requested', `${list}, but ${others} is requested`);
}

/** The address in the pool that has it, if the Service may use that, beside addresses of `base`. */
export function placeOf(
  spaces: PoolSpaces,
  wish: Wish,
  address: Address,
  base: PoolSpace | undefined,
): Place | Refusal {
  const space = spaces.at(address);
  const text = formatAddress(address);
  if (!space) return refusal('not-in-pool', `${text} is not in one of the pools`);
  const { name } = space.pool;
  if (wish.pool !== undefined && wish.pool !== name) {
    return refusal('other-pool', `${text} is in pool ${name}, but pool ${wish.pool} is requested`);
  }
  if (wish.pools.length > 0 && !wish.pools.includes(name)) {
    return refusal('other-pool', `${text} is in pool ${name}, but one of ${wish.pools.join(', ')} is requested`);
  }
  if (wish.pools.length === 0 && base && base !== space) {
    const remedy = 'all must be of one pool, unless garpoon.io/address-pools names both';
    return refusal('not-in-pool', `${text} is in pool ${name}, but others are in pool ${base.pool.name}: ${remedy}`);
  }
  if (!admits(space.pool, wish)) {
    return notOfClass([space.pool]) ?? notForService([name]);
  }
  return { address, space };
}

/** All different, of the families of the Service, and of each of them unless it only prefers two. */
function familiesFit(addresses: readonly Address[], wish: Wish): boolean {
  if (addresses.length > 1 && new Set(addresses.map(formatAddress)).size < addresses.length) return false;
  if (!addresses.every((address) => wish.families.includes(address.family))) return false;
  if (wish.familyPolicy === 'PreferDualStack') return addresses.length > 0;
  return wish.families.every((family) => addresses.some((address) => address.family === family));
}

function sameSet(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address) => b.some((other) => sameAddress(address, other)));
}

function familiesOf(addresses: readonly Address[]): number {
  return new Set(addresses.map(({ family }) => family)).size;
}

/** Those that are wanted, and of the others of each family the first, as many as are chosen. */
function askedFor(wish: Wish, places: readonly Place[]): readonly Place[] {
  const left = { 4: choosable(4, wish), 6: choosable(6, wish) };
  return places.filter(({ address }) => isWanted(address, wish) || left[address.family]-- > 0);
}
