import { type Address, addressBits, type Family, formatAddress, parseAddress } from './address.ts';
import { formatPrefix, type Prefix, parsePrefix } from './prefix.ts';

/** Consecutive addresses of one family, both ends included; `first <= last`. */
export type Range = { readonly family: Family; readonly first: bigint; readonly last: bigint };

export type RangeProblem =
  | 'empty'
  | 'bare-address'
  | 'invalid-address'
  | 'invalid-length'
  | 'mixed-families'
  | 'reversed';

/** Parses `192.0.2.0/24` or `192.0.2.10 - 192.0.2.20`. One address alone is refused: it is written with its length. */
export function parseRange(text: string): Range | RangeProblem {
  if (text.trim() === '') return 'empty';
  const dash = text.indexOf('-');
  if (dash !== -1) return parseEnds(text.slice(0, dash).trim(), text.slice(dash + 1).trim());
  const prefix = parsePrefix(text);
  if (prefix === 'no-length') return 'bare-address';
  return typeof prefix === 'string' ? prefix : prefixRange(prefix);
}

export function prefixRange(prefix: Prefix): Range {
  const size = 1n << BigInt(addressBits[prefix.family] - prefix.length);
  return { family: prefix.family, first: prefix.value, last: prefix.value + size - 1n };
}

/** As a CIDR where the range is one, otherwise as `first-last`; `parseRange` reads both back. */
export function formatRange(range: Range): string {
  const length = prefixLength(range);
  if (length !== undefined) return formatPrefix({ family: range.family, value: range.first, length });
  const end = (value: bigint) => formatAddress({ family: range.family, value });
  return `${end(range.first)}-${end(range.last)}`;
}

export function rangeHas(range: Range, address: Address): boolean {
  return range.family === address.family && range.first <= address.value && address.value <= range.last;
}

export function rangeSize(range: Range): bigint {
  return range.last - range.first + 1n;
}

/** IPv4 before IPv6, then by first address, then by last. */
export function compareRanges(a: Range, b: Range): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last < b.last ? -1 : a.last > b.last ? 1 : 0;
}

function parseEnds(start: string, end: string): Range | RangeProblem {
  const first = parseAddress(start);
  const last = parseAddress(end);
  if (!first || !last) return 'invalid-address';
  if (first.family !== last.family) return 'mixed-families';
  if (first.value > last.value) return 'reversed';
  return { family: first.family, first: first.value, last: last.value };
}

function prefixLength(range: Range): number | undefined {
  const size = rangeSize(range);
  const hostBits = size.toString(2).length - 1;
  const isBlock = size === 1n << BigInt(hostBits) && range.first % size === 0n;
  return isBlock ? addressBits[range.family] - hostBits : undefined;
}
