import { type Address, sameAddress } from '../ip/address.ts';
import type { Place } from './choice.ts';
import type { PoolSpace } from './pool-space.ts';
import type { PoolSpaces } from './pool-spaces.ts';
import { place, placeOf } from './stay.ts';
import type { Refusal, ServiceKey, Wish } from './wish.ts';

/** What becomes of addresses that a Service wants by name: those it can be given, and why not the others. */
export type Wanted = { readonly places: readonly Place[]; readonly unmet: readonly Unmet[] };

type Unmet = { readonly address: Address; readonly why: Refusal };

/**
 * The wanted addresses that the Service does not have, each for itself. `base` is where all of them must be from,
 * unless the Service names several pools.
 */
export function wantedBeside(
  spaces: PoolSpaces,
  service: ServiceKey,
  wish: Wish,
  has: readonly Place[],
  base: PoolSpace | undefined,
): Wanted {
  const places: Place[] = [];
  const unmet: Unmet[] = [];
  for (const address of wish.wanted) {
    if (has.some((one) => sameAddress(one.address, address))) continue;
    const found = place(spaces, service, wish, address, base);
    if ('refused' in found) unmet.push({ address, why: found });
    else places.push(found);
  }
  return { places, unmet };
}

/** The pools that may serve the Service and that have wanted addresses, used or not, in the order of these. */
export function spacesOfWanted(spaces: PoolSpaces, wish: Wish): readonly PoolSpace[] {
  const found = wish.wanted.map((address) => placeOf(spaces, wish, address, undefined));
  return [...new Set(found.flatMap((one) => ('refused' in one ? [] : one.space)))];
}
