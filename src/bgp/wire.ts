import type { Family } from '../ip/address.ts';

/** What every message has in front: 16 bytes of ones, length, type (RFC 4271 section 4.1). */
export const headerBytes = 19;
/** RFC 4271 section 4.1. */
export const maxMessageBytes = 4096;
/** RFC 8654, for all but OPEN and KEEPALIVE. */
export const maxExtendedMessageBytes = 65_535;

export const messageTypes = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

/** Stands for a number of four bytes where there is room for two (RFC 6793). */
export const asTrans = 23_456;
export const maxTwoOctetAsn = 65_535;

/** Address family numbers, and the one sub-family that we speak (RFC 4760). */
export const afis = { 4: 1, 6: 2 } as const;
export const unicast = 1;

export const noBytes = new Uint8Array(0);

/** Undefined for what we do not speak. */
export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== unicast) return undefined;
  return afi === afis[4] ? 4 : afi === afis[6] ? 6 : undefined;
}

/** Address family and sub-family as they stand in MP_REACH_NLRI and MP_UNREACH_NLRI. */
export function familyBytes(family: Family): readonly [number, number, number] {
  return [0, afis[family], unicast];
}

/** One message: header and body. */
export function messageOf(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, headerBytes);
  if (length > maxMessageBytes) throw new RangeError(`a message of ${length} bytes: ${maxMessageBytes} is the most`);
  const message = new Uint8Array(length).fill(0xff, 0, 16);
  message.set([length >> 8, length & 0xff, type], 16);
  let at = headerBytes;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A copy. `slice` is none where sockets are concerned: they give Buffers, whose `slice` shares memory. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** The caller has checked that the bytes are there. */
export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The caller has checked that the bytes are there. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function uint16Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value);
}

export function uint32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The first bytes as hexadecimal digits, for people. */
export function hexText(bytes: Uint8Array, most = 32): string {
  const digits = Array.from(bytes.subarray(0, most), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > most ? `${digits}… (${bytes.length} bytes)` : digits;
}
