import { formatTimestamp } from '../runtime/clock.ts';

/**
 * The part of DER (ITU-T X.690) that a certificate is written in. Lengths are definite and as short as they can be;
 * every function returns one whole element.
 */
export function sequence(...elements: readonly Uint8Array[]): Buffer {
  return element(0x30, ...elements);
}

export function set(...elements: readonly Uint8Array[]): Buffer {
  return element(0x31, ...elements);
}

/** `[number]`, constructed: what it holds keeps its own tag. */
export function explicit(number: number, content: Uint8Array): Buffer {
  return element(0xa0 | number, content);
}

/** `[number]`, primitive: what it holds loses its own tag. */
export function implicit(number: number, content: Uint8Array): Buffer {
  return element(0x80 | number, content);
}

/** A number that is not negative, from its bytes, the most significant first. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
  return (digits[0] as number) >= 0x80 ? element(0x02, Uint8Array.of(0), digits) : element(0x02, digits);
}

export function boolean(value: boolean): Buffer {
  return element(0x01, Uint8Array.of(value ? 0xff : 0));
}

export function octets(content: Uint8Array): Buffer {
  return element(0x04, content);
}

/** `unused` bits at the end of the last byte do not count. */
export function bits(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Uint8Array.of(unused), content);
}

export function utf8(text: string): Buffer {
  return element(0x0c, Buffer.from(text));
}

/** From its dotted form. */
export function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return element(0x06, Uint8Array.from([40 * first + second, ...rest].flatMap(base128)));
}

/** RFC 5280, section 4.1.2.5: two digits for the year until 2049, four from 2050. In whole seconds. */
export function time(milliseconds: number): Buffer {
  const digits = `${formatTimestamp(milliseconds).slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return digits < '2050' ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}

/**
 * The elements one after the other in the content of a constructed element, whole. For what we or OpenSSL have read
 * before: throws a RangeError on what is cut off.
 */
export function elementsOf(constructed: Uint8Array): readonly Uint8Array[] {
  const elements: Uint8Array[] = [];
  const { start, end } = extentOf(constructed, 0);
  for (let at = start; at < end; ) {
    const next = extentOf(constructed, at).end;
    elements.push(constructed.subarray(at, next));
    at = next;
  }
  return elements;
}

export function contentOf(element: Uint8Array): Uint8Array {
  const { start, end } = extentOf(element, 0);
  return element.subarray(start, end);
}

function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  return Buffer.concat([Uint8Array.from([tag, ...lengthBytes(length)]), ...contents]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function base128(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [...base128(value >> 7).map((byte) => byte | 0x80), low];
}

/** Where the content of the element at `at` begins, and where it ends. */
function extentOf(bytes: Uint8Array, at: number): { readonly start: number; readonly end: number } {
  const first = bytes[at + 1] ?? 0;
  const count = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + count;
  const length = count === 0 ? first : Buffer.from(bytes).readUIntBE(at + 2, count);
  if (start + length > bytes.length) throw new RangeError(`an element of ${length} bytes at ${at} is cut off`);
  return { start, end: start + length };
}
