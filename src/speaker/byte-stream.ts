/** Writes what `ByteReader` reads. Numbers take seven bits a byte, the lowest first; the last byte is below 0x80. */
export class ByteWriter {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  byte(value: number): void {
    this.#bytes.push(value);
  }

  raw(bytes: Iterable<number>): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  /** A whole number from 0 to 2^53 - 1. */
  number(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes.push((rest % 0x80) | 0x80);
    this.#bytes.push(rest);
  }

  big(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes.push(Number(rest & 0x7fn) | 0x80);
    this.#bytes.push(Number(rest));
  }

  text(text: string): void {
    const bytes = encoder.encode(text);
    this.number(bytes.length);
    this.raw(bytes);
  }
}

/**
 * Reads what came from the network. It never throws: after the first thing that cannot be right everything reads as
 * nothing, and `failed` says so.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** How many bytes have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Gives the rest up. */
  fail(): void {
    this.#failed = true;
    this.#at = this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.fail();
    else this.#at += 1;
    return byte ?? 0;
  }

  raw(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.fail();
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += bytes.length;
    return bytes;
  }

  /** Up to `most`, which is at most 2^53 - 1. */
  number(most: number): number {
    let value = 0;
    let byte = 0x80;
    for (let place = 1; byte >= 0x80; place *= 0x80) {
      byte = this.byte();
      value += (byte & 0x7f) * place;
      // Nor may it go on when nothing that is left could count.
      if (value > most || (byte >= 0x80 && place * 0x80 > most)) this.fail();
    }
    return this.#failed ? 0 : value;
  }

  big(most: bigint): bigint {
    let value = 0n;
    let byte = 0x80;
    for (let shift = 0n; byte >= 0x80; shift += 7n) {
      byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (value > most || (byte >= 0x80 && most >> (shift + 7n) === 0n)) this.fail();
    }
    return this.#failed ? 0n : value;
  }

  /** Valid UTF-8 of 1 to `most` bytes. */
  text(most: number): string {
    const length = this.number(most);
    if (length === 0) this.fail();
    try {
      return decoder.decode(this.raw(length));
    } catch {
      this.fail();
      return '';
    }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
