import type { Family } from '../ip/address.ts';
import { lacking, type Place } from './choice.ts';
import type { PoolSpace } from './pool-space.ts';
import { type Refusal, refusal, type Wish } from './wish.ts';

/** How many pools a text names at most. */
const mostPools = 3;

export function noSuchPool(names: readonly string[]): Refusal {
  if (names.length === 1) return refusal('no-such-pool', `pool ${names[0]} is requested but does not exist`);
  return refusal('no-such-pool', `one of the pools ${names.join(', ')} is requested, but none of them exists`);
}

export function notForService(names: readonly string[]): Refusal {
  const pools = names.length === 1 ? `pool ${names[0]} is` : `pools ${names.join(', ')} are`;
  return refusal('pool-not-for-service', `${pools} for other namespaces or Services (serviceAllocation)`);
}

export function noPool(): Refusal {
  return refusal('no-pool', 'no pool gives addresses to this Service automatically');
}

/** None of the pools has what the Service asks for. */
export function exhausted(spaces: readonly PoolSpace[], wish: Wish): Refusal {
  const reason = spaces.every(({ pool }) => pool.draining) ? 'pool-draining' : 'exhausted';
  return refusal(reason, shortages(spaces, wish.families));
}

/** What the Service still lacks, having these: `2 of 3 IPv4 addresses assigned: …`; undefined when it lacks nothing. */
export function shortfall(wish: Wish, has: readonly Place[], spaces: readonly PoolSpace[]): Refusal | undefined {
  if (wish.addresses.length > 0) return undefined;
  const short = wish.families.filter((family) => lacking(family, wish, has) > 0);
  if (short.length === 0) return undefined;
  const counts = short.map((family) => {
    const noun = wish.count === 1 ? 'address' : 'addresses';
    return `${wish.count - lacking(family, wish, has)} of ${wish.count} IPv${family} ${noun}`;
  });
  return refusal('incomplete', `${counts.join(' and ')} assigned: ${shortages(spaces, short)}`);
}

/** Why the pools have no address of these families. */
export function shortages(spaces: readonly PoolSpace[], families: readonly Family[]): string {
  const texts = spaces.slice(0, mostPools).map((space) => space.shortage(families));
  const others = spaces.length - texts.length;
  return [...texts, ...(others > 0 ? [`and so on for ${others} more`] : [])].join('; ');
}
