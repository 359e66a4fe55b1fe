import { parseIPAddressPool } from '../api/ip-address-pool.ts';
import { type Address, parseAddress } from '../ip/address.ts';
import { rangeHas } from '../ip/range.ts';
import type { PoolObject } from '../kubernetes/config-kinds.ts';

/** The addresses that are named one by one. */
const maxNamed = 5;

/**
 * Warnings about Services that lose their addresses when a pool becomes `next`, or goes when that is undefined: by the
 * status of the pool, which names the first of its addresses.
 */
export function lostAddresses(pool: PoolObject | undefined, next: unknown): readonly string[] {
  const { assignments = [], assignmentsOmitted = 0 } = pool?.status ?? {};
  const offers = offerOf(next);
  const lost = assignments.filter(({ address }) => {
    const parsed = parseAddress(address);
    return parsed && !offers(parsed);
  });
  const named = lost.slice(0, maxNamed).map(({ address, services }) => `${address} is taken from ${owners(services)}`);
  const more = lost.length - named.length;
  const rest = more === 0 ? [] : [`${more} more addresses are taken from their Services`];
  if (assignmentsOmitted === 0 || (next !== undefined && lost.length === 0)) return [...named, ...rest];
  return [...named, ...rest, `${assignmentsOmitted} more addresses of the pool are in use, and perhaps taken as well`];
}

/** Whether a Service may have an address of the pool. A pool with a fault is refused, or changes nothing. */
function offerOf(pool: unknown): (address: Address) => boolean {
  if (pool === undefined) return () => false;
  const parsed = parseIPAddressPool(pool);
  if (!('value' in parsed)) return () => true;
  const { addresses, excluded } = parsed.value;
  return (address) =>
    addresses.some((range) => rangeHas(range, address)) && !excluded.some((range) => rangeHas(range, address));
}

function owners(services: readonly string[]): string {
  const [first = 'its Service', ...others] = services;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}
