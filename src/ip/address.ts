import { isIP } from 'node:net';

export type Family = 4 | 6;

/** An IPv4 or IPv6 address without a zone. `value` is the address as an unsigned number, network order. */
export type Address = { readonly family: Family; readonly value: bigint };

/** Address length in bits. */
export const addressBits = { 4: 32, 6: 128 } as const;

/**
 * Parses the canonical and the other RFC 4291 spellings. Refuses what `inet_aton` would take (`1`, `0x7f.1`, leading
 * zeros), zones (`fe80::1%eth0`) and IPv4-mapped IPv6, which would be two names for one host.
 * Returns undefined when the text is not an address.
 */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 4) return { family: 4, value: parseDotted(text) };
  if (family !== 6 || text.includes('%')) return undefined;
  const value = parseColons(text);
  return value >> 32n === 0xffffn ? undefined : { family: 6, value };
}

/** The canonical text: dotted quad, or RFC 5952 (lower case, longest run of zeros compressed). */
export function formatAddress(address: Address): string {
  if (address.family === 4) {
    const value = Number(address.value);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const groups = Array.from({ length: 8 }, (_, i) => Number((address.value >> BigInt(112 - 16 * i)) & 0xffffn));
  const run = longestZeroRun(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/** IPv4 before IPv6, then by value. */
export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/** Whether the address, or the lowest of a prefix, is in fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocal({ family, value }: Address): boolean {
  return family === 6 && value >> 118n === 0x3fan;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

/** 4 or 16 bytes, network order. */
export function addressBytes(address: Address): Uint8Array {
  const length = addressBits[address.family] / 8;
  const bytes = new Uint8Array(length);
  let rest = address.value;
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** From 4 or 16 bytes in network order; undefined for any other length. */
export function addressFromBytes(bytes: Uint8Array): Address | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

function parseDotted(text: string): bigint {
  return BigInt(text.split('.').reduce((value, part) => value * 256 + Number(part), 0));
}

function parseColons(text: string): bigint {
  const tail = text.lastIndexOf('.') === -1 ? undefined : text.slice(text.lastIndexOf(':') + 1);
  const dotted = tail === undefined ? undefined : parseDotted(tail);
  const colons =
    dotted === undefined || tail === undefined
      ? text
      : `${text.slice(0, -tail.length)}${(dotted >> 16n).toString(16)}:${(dotted & 0xffffn).toString(16)}`;
  const [head = '', rest] = colons.split('::');
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groupsOf(head);
  const right = rest === undefined ? [] : groupsOf(rest);
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.reduce((value, group) => (value << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
