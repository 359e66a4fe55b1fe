import { type Address, type Family, sameAddress } from '../ip/address.ts';
import type { PoolSpace } from './pool-space.ts';
import type { ServiceKey, Wish } from './wish.ts';

/** An address of a pool. */
export type Place = { readonly address: Address; readonly space: PoolSpace };

/**
 * The addresses to be chosen for the Service beside those it has, as far as the pools have them: of each family from
 * the first pool that has any, then from the next.
 */
export function additions(
  spaces: readonly PoolSpace[],
  service: ServiceKey,
  wish: Wish,
  has: readonly Place[] = [],
): readonly Place[] {
  const found: Place[] = [];
  for (const family of ascending(wish.families)) {
    let missing = lacking(family, wish, has);
    for (const space of spaces) {
      if (missing <= 0) break;
      const addresses = space.candidates(family, missing + wish.wanted.length, service, wish);
      // Whoever wants one by name has it for that, or may not have it.
      const chosen = addresses.filter((address) => !isWanted(address, wish)).slice(0, missing);
      for (const address of chosen) found.push({ address, space });
      missing -= chosen.length;
    }
  }
  return found;
}

/**
 * The addresses for a Service that has none, all of one pool: of the first that has all it asks for; failing that, of
 * the first that has one of each family at least; failing that, if it only prefers two families, of the first that has
 * the primary one, or the other.
 */
export function pickOfOnePool(
  spaces: readonly PoolSpace[],
  service: ServiceKey,
  wish: Wish,
): readonly Place[] | undefined {
  let each: readonly Place[] | undefined;
  const alone = new Map<Family, readonly Place[]>();
  const whole = wish.families.reduce((sum, family) => sum + lacking(family, wish, []), 0);
  for (const space of spaces) {
    const found = additions([space], service, wish);
    if (found.length === whole && isEnough(found, wish)) return found;
    if (hasEach(found, wish)) each ??= found;
    for (const family of wish.families) {
      const ofFamily = found.filter(({ address }) => address.family === family);
      if (ofFamily.length > 0 && !alone.has(family)) alone.set(family, ofFamily);
    }
  }
  if (each || wish.familyPolicy !== 'PreferDualStack') return each;
  return wish.families.map((family) => alone.get(family)).find((found) => found !== undefined);
}

/** The addresses for a Service that has none, whatever pools they are of. */
export function pickOfPools(
  spaces: readonly PoolSpace[],
  service: ServiceKey,
  wish: Wish,
): readonly Place[] | undefined {
  const found = additions(spaces, service, wish);
  return isEnough(found, wish) ? found : undefined;
}

/** Whether the Service can do with these: one of each family, or any if it only prefers two. */
export function isEnough(found: readonly Place[], wish: Wish): boolean {
  return wish.familyPolicy === 'PreferDualStack' ? found.length > 0 : hasEach(found, wish);
}

/** How many addresses of the family are still to be chosen. Those that the Service wants by name are not chosen. */
export function lacking(family: Family, wish: Wish, has: readonly Place[]): number {
  const chosen = has.filter(({ address }) => address.family === family && !isWanted(address, wish));
  return choosable(family, wish) - chosen.length;
}

/** How many addresses of the family are chosen when all have been found. */
export function choosable(family: Family, { count, wanted }: Wish): number {
  return count - wanted.filter((address) => address.family === family).length;
}

export function isWanted(address: Address, { wanted }: Wish): boolean {
  return wanted.some((one) => sameAddress(one, address));
}

function hasEach(found: readonly Place[], wish: Wish): boolean {
  return wish.families.every((family) => found.some(({ address }) => address.family === family));
}

function ascending(families: readonly Family[]): readonly Family[] {
  return families.length < 2 ? families : [4, 6];
}
