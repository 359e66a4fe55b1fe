import { addressBits, type Family } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';

/**
 * Prefixes as they stand in UPDATEs (RFC 4271 section 4.3): the length in bits, then as many bytes as hold them. What
 * the bits behind the length are does not matter: they are read as zero.
 */

/** Where a prefix is laid out before it is read as one number. */
const laidOut = new Uint8Array(16);
const numbers = new DataView(laidOut.buffer);

/** Appends the prefixes between `from` and `end` to `into`. Returns what is wrong, in words (RFC 7606 section 5.3). */
export function readPrefixes(
  bytes: Uint8Array,
  from: number,
  end: number,
  family: Family,
  into: Prefix[],
): string | undefined {
  for (let at = from; at < end; ) {
    const length = bytes[at++]!;
    if (length > addressBits[family]) return `an IPv${family} prefix of ${length} bits`;
    const next = at + ((length + 7) >> 3);
    if (next > end) return `an IPv${family} prefix of ${length} bits that is cut off`;
    into.push({ family, value: family === 4 ? readFour(bytes, at, length) : readSix(bytes, at, next, length), length });
    at = next;
  }
  return undefined;
}

/** Reads beyond the prefix, or beyond the message, and masks it off. */
function readFour(bytes: Uint8Array, at: number, length: number): bigint {
  if (length === 0) return 0n;
  const value = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  return BigInt(((value >>> (32 - length)) << (32 - length)) >>> 0);
}

function readSix(bytes: Uint8Array, from: number, end: number, length: number): bigint {
  laidOut.fill(0);
  for (let at = from; at < end; at++) laidOut[at - from] = bytes[at]!;
  if (length % 8 !== 0) laidOut[length >> 3]! &= 0xff << (8 - (length % 8));
  return (numbers.getBigUint64(0) << 64n) | numbers.getBigUint64(8);
}

/** Bytes that a prefix takes at most. */
export function longestPrefix(family: Family): number {
  return 1 + addressBits[family] / 8;
}

/** Fields of at most `room` bytes that hold all the prefixes, in their order. Each is valid until the next is asked for. */
export function* packed(prefixes: readonly Prefix[], family: Family, room: number): Generator<Uint8Array> {
  const most = longestPrefix(family);
  if (room < most) throw new RangeError('the attributes of a route leave no room for a prefix in an UPDATE');
  const field = new Uint8Array(Math.min(room, prefixes.length * most));
  let length = 0;
  for (const prefix of prefixes) {
    if (length + 1 + ((prefix.length + 7) >> 3) > field.length) {
      yield field.subarray(0, length);
      length = 0;
    }
    length = writePrefix(field, length, prefix);
  }
  if (length > 0) yield field.subarray(0, length);
}

/** Returns where the next one goes. */
function writePrefix(field: Uint8Array, at: number, prefix: Prefix): number {
  const bytes = (prefix.length + 7) >> 3;
  field[at] = prefix.length;
  if (prefix.family === 4) {
    const value = Number(prefix.value);
    for (let i = 0; i < bytes; i++) field[at + 1 + i] = value >>> (24 - 8 * i);
  } else {
    numbers.setBigUint64(0, prefix.value >> 64n);
    numbers.setBigUint64(8, BigInt.asUintN(64, prefix.value));
    for (let i = 0; i < bytes; i++) field[at + 1 + i] = laidOut[i]!;
  }
  return at + 1 + bytes;
}
