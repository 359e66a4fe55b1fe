import { copyOf } from './bytes.ts';
import { maxKeyBytes, maxMapKeys, maxSkippedValues } from './limits.ts';
import type { DropReason } from './malformed.ts';

/**
 * The msgpack of HashiCorp's Go library: the old specification, in which text and bytes are the same "raw" type, and
 * structs are maps whose keys are sorted. What we write is byte for byte what Go writes; what we read is every form
 * that Go may send, and the newer tags besides.
 */

const nil = 0xc0;
const text = new TextEncoder();
/** The mark would be swallowed otherwise, and a name must come back out as it came in. */
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class MsgpackWriter {
  #bytes = new Uint8Array(128);
  #length = 0;

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** `keys` is below 16, as in every struct of the protocol. */
  map(keys: number): void {
    this.byte(0x80 | keys);
  }

  boolean(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  /** A field that is unsigned in Go: up to 32 bits. */
  unsigned(value: number): void {
    if (value < 0x80) this.byte(value);
    else if (value <= 0xff) this.#tagged(0xcc, value, 1);
    else if (value <= 0xffff) this.#tagged(0xcd, value, 2);
    else this.#tagged(0xce, value, 4);
  }

  /** A field that is a plain `int` in Go, never negative: go-msgpack 2 writes signed tags. */
  int(value: number): void {
    if (value < 0x80) this.byte(value);
    else if (value <= 0x7fff) this.#tagged(0xd1, value, 2);
    else this.#tagged(0xd2, value, 4);
  }

  text(value: string): void {
    const bytes = text.encode(value);
    this.#rawHeader(bytes.length);
    this.raw(bytes);
  }

  /** Go's nil slice and its empty slice mean the same in every message; we write nil. */
  binary(bytes: Uint8Array): void {
    if (bytes.length === 0) {
      this.byte(nil);
    } else {
      this.#rawHeader(bytes.length);
      this.raw(bytes);
    }
  }

  #rawHeader(length: number): void {
    if (length < 32) this.byte(0xa0 | length);
    else if (length <= 0xffff) this.#tagged(0xda, length, 2);
    else this.#tagged(0xdb, length, 4);
  }

  #tagged(tag: number, value: number, width: number): void {
    this.byte(tag);
    for (let shift = width - 1; shift >= 0; shift--) this.byte((value / 2 ** (8 * shift)) & 0xff);
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + extra));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/**
 * Reads values one after another. The first thing wrong is kept in `fault`; from then on every read returns the zero
 * value and moves nothing, so that a caller reads a whole record and looks at `fault` once. `nil` reads as the zero
 * value of any type, as in Go.
 */
export class MsgpackReader {
  offset: number;
  fault: DropReason | undefined;
  readonly #bytes: Uint8Array;
  #skipsLeft = maxSkippedValues;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  /** The number of keys that follow. */
  map(): number {
    const tag = this.#byte();
    if (tag === nil) return 0;
    const keys = tag >= 0x80 && tag <= 0x8f ? tag & 0x0f : tag === 0xde ? this.#bigEndian(2) : this.#wrong();
    return keys > maxMapKeys ? this.#fail('too-big') : keys;
  }

  key(): string {
    return this.text(maxKeyBytes);
  }

  boolean(): boolean {
    const tag = this.#byte();
    if (tag !== 0xc2 && tag !== 0xc3 && tag !== nil) this.#wrong();
    return tag === 0xc3;
  }

  /** Any integer tag. A negative number is malformed, one above `max` too big. */
  integer(max: number): number {
    const value = this.#unsignedInteger(this.#byte());
    return value > max ? this.#fail('too-big') : value;
  }

  /** UTF-8; anything else is malformed, because a name that we mangled could not be passed on. */
  text(maxBytes: number): string {
    const bytes = this.#take(this.#rawLength(maxBytes));
    try {
      return strictText.decode(bytes);
    } catch {
      this.#wrong();
      return '';
    }
  }

  /** A copy, which does not keep the packet alive. */
  binary(maxBytes: number): Uint8Array {
    return copyOf(this.#take(this.#rawLength(maxBytes)));
  }

  /** Moves past one value of any kind, ext and nested ones included. */
  skip(): void {
    for (let pending = 1; pending > 0 && this.fault === undefined; pending--, this.#skipsLeft--) {
      if (pending > this.#skipsLeft) this.#fail('too-big');
      else pending += this.#skipOne(this.#byte());
    }
  }

  /** Moves past one tag and its own bytes; returns how many values are nested in it. */
  #skipOne(tag: number): number {
    if (tag <= 0x7f || tag >= 0xe0 || tag === nil || tag === 0xc2 || tag === 0xc3) return 0;
    if (tag <= 0x8f) return (tag & 0x0f) * 2;
    if (tag <= 0x9f) return tag & 0x0f;
    if (tag === 0xdc || tag === 0xdd) return this.#bigEndian(tag === 0xdc ? 2 : 4);
    if (tag === 0xde || tag === 0xdf) return this.#bigEndian(tag === 0xde ? 2 : 4) * 2;
    this.#take(this.#scalarLength(tag));
    return 0;
  }

  #scalarLength(tag: number): number {
    if (tag >= 0xc7 && tag <= 0xc9) return this.#bigEndian(2 ** (tag - 0xc7)) + 1;
    if (tag >= 0xd4 && tag <= 0xd8) return 1 + 2 ** (tag - 0xd4);
    switch (tag) {
      case 0xca:
        return 4;
      case 0xcb:
        return 8;
      default: {
        const width = integerWidth(tag);
        return width > 0 ? width : this.#lengthOfRaw(tag);
      }
    }
  }

  #rawLength(max: number): number {
    const tag = this.#byte();
    if (tag === nil) return 0;
    const length = this.#lengthOfRaw(tag);
    return length > max ? this.#fail('too-big') : length;
  }

  #lengthOfRaw(tag: number): number {
    if (tag >= 0xa0 && tag <= 0xbf) return tag & 0x1f;
    if (tag === 0xd9 || tag === 0xc4) return this.#bigEndian(1);
    if (tag === 0xda || tag === 0xc5) return this.#bigEndian(2);
    if (tag === 0xdb || tag === 0xc6) return this.#bigEndian(4);
    return this.#wrong();
  }

  #unsignedInteger(tag: number): number {
    if (tag <= 0x7f) return tag;
    if (tag === nil) return 0;
    const width = integerWidth(tag);
    const bytes = this.#take(width);
    const negative = tag >= 0xd0 && (bytes[0] ?? 0) >= 0x80;
    return width === 0 || negative ? this.#wrong() : fromBigEndian(bytes);
  }

  #bigEndian(width: number): number {
    return fromBigEndian(this.#take(width));
  }

  #byte(): number {
    return this.#take(1)[0] ?? nil;
  }

  #take(length: number): Uint8Array {
    if (this.fault !== undefined || length > this.#bytes.length - this.offset) {
      this.#fail('truncated');
      return nothing;
    }
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }

  #wrong(): 0 {
    return this.#fail('malformed');
  }

  #fail(reason: DropReason): 0 {
    this.fault ??= reason;
    return 0;
  }
}

const nothing = new Uint8Array(0);

function fromBigEndian(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** Bytes that follow an integer tag; 0 when the tag is none. */
function integerWidth(tag: number): number {
  if (tag >= 0xcc && tag <= 0xcf) return 2 ** (tag - 0xcc);
  if (tag >= 0xd0 && tag <= 0xd3) return 2 ** (tag - 0xd0);
  return 0;
}
