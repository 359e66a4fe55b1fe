import type { Random } from '../runtime/random.ts';

/** Milliseconds. */
export type BackoffRange = { readonly base: number; readonly max: number };

/**
 * How long to wait after `failures` failures in a row (at least 1), in milliseconds: uniform between `base` and a
 * ceiling that starts at twice `base` and doubles up to `max`. The spread keeps a thousand speakers that lost the API
 * server in one moment from coming back in one moment.
 */
export function backoffDelay(range: BackoffRange, failures: number, random: Random): number {
  const ceiling = Math.min(range.max, range.base * 2 ** failures);
  return range.base + random.float() * Math.max(0, ceiling - range.base);
}
