import type { Family } from '../ip/address.ts';
import { lacking, type Place } from './choice.ts';
import type { PoolSpace } from './pool-space.ts';
import { type Refusal, refusal, type Wish } from './wish.ts';

/** How many reasons a text gives at most. */
const mostTexts = 3;

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

/** None of the pools has an address of these families. */
export function exhausted(spaces: readonly PoolSpace[], families: readonly Family[]): Refusal {
  const reason = spaces.every(({ pool }) => pool.draining) ? 'pool-draining' : 'exhausted';
  return refusal(reason, shortages(spaces, families));
}

/**
 * What the Service still lacks, having these: `2 of 3 assigned, pool web is full: 2 of 2 in use`. `unmet` is why it has
 * not the addresses that it wants by name; the others are chosen from `spaces`.
 */
export function shortfall(
  wish: Wish,
  has: readonly Place[],
  unmet: readonly Refusal[],
  spaces: readonly PoolSpace[],
): Refusal {
  const short = wish.families.filter((family) => lacking(family, wish, has) > 0);
  const reasons = unmet.length > 0 ? [allOfThese(unmet.map(({ detail }) => detail))] : [];
  if (short.length > 0) reasons.push(shortages(spaces, short));
  return refusal('incomplete', `${assignedText(wish, has)}, ${reasons.join('; ')}`);
}

/** `2 of 3 assigned`, or `2 of 3 IPv4 and 3 of 3 IPv6 assigned`. */
export function assignedText(
  { families, count }: Pick<Wish, 'families' | 'count'>,
  has: readonly Pick<Place, 'address'>[],
): string {
  const counts = families.map((family) => {
    const number = has.filter(({ address }) => address.family === family).length;
    return `${number} of ${count}${families.length > 1 ? ` IPv${family}` : ''}`;
  });
  return `${counts.join(' and ')} assigned`;
}

/** Why the pools have no address of these families. */
export function shortages(spaces: readonly PoolSpace[], families: readonly Family[]): string {
  const texts = spaces.slice(0, mostTexts).map((space) => space.shortage(families));
  return withOthers(texts, spaces.length);
}

/** A few of the texts, each once. */
export function allOfThese(texts: readonly string[]): string {
  const different = [...new Set(texts)];
  return withOthers(different.slice(0, mostTexts), different.length);
}

function withOthers(texts: readonly string[], count: number): string {
  const others = count - texts.length;
  return [...texts, ...(others > 0 ? [`and so on for ${others} more`] : [])].join('; ');
}
