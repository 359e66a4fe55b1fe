import type { Prefix } from './prefix.ts';
import { prefixRange, type Range } from './range.ts';
import { RangeSet } from './range-set.ts';

/**
 * What no host can hold: exactly the addresses for which the native responder refuses a table (`MayBeHeld` in
 * native/address_table.cc).
 */
const unholdable: readonly Prefix[] = [
  { family: 4, value: 0n, length: 8 }, // this host on this network, RFC 1122 section 3.2.1.3
  { family: 4, value: 0x7f000000n, length: 8 }, // loopback
  { family: 4, value: 0xe0000000n, length: 4 }, // multicast, RFC 5771
  { family: 4, value: 0xffffffffn, length: 32 }, // broadcast
  { family: 6, value: 0n, length: 127 }, // unspecified and loopback, RFC 4291 sections 2.5.2 and 2.5.3
  { family: 6, value: 0xffn << 120n, length: 8 }, // multicast, RFC 4291 section 2.7
];

/** What of the range a host can hold, ascending. */
export function holdableParts(range: Range): readonly Range[] {
  const parts = new RangeSet([range]);
  for (const prefix of unholdable) parts.remove(prefixRange(prefix));
  return parts.ranges();
}

/** Whether a host can hold each address of the range. */
export function isHoldable(range: Range): boolean {
  return !unholdable.some((prefix) => overlap(range, prefixRange(prefix)));
}

function overlap(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}
