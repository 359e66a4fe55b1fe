import { type Malformed, malformed } from './malformed.ts';

/**
 * The decoder for Go's compress/lzw with least significant bits first and 8-bit literals, the only compression of the
 * protocol: GIF's LZW. Codes are packed from the low bit on and start 9 bits wide. 256 empties the dictionary, 257
 * ends the data, 258 and up are the dictionary.
 */
export const clear = 256;
export const end = 257;
const firstCode = 258;
export const minWidth = 9;
export const maxWidth = 12;
const dictionarySize = 1 << maxWidth;

/**
 * The dictionary: entry `code` is the text of `prefix[code]` followed by the byte `suffix[code]`; `text` is where one
 * entry is spelled out, from its end. Shared by all calls, which run one after another; entries that a call has not
 * defined are never looked at.
 */
const prefix = new Uint16Array(dictionarySize);
const suffix = new Uint8Array(dictionarySize);
const text = new Uint8Array(dictionarySize);

/** At most `maxBytes` come out; a stream that would give more is refused, so nothing peers send can exhaust memory. */
export function decompress(input: Uint8Array, maxBytes: number): Uint8Array | Malformed {
  const output = new Output(maxBytes);
  let next = firstCode;
  let width = minWidth;
  let previous: number | undefined;
  let bits = 0;
  let bitCount = 0;

  for (const byte of input) {
    bits |= byte << bitCount;
    bitCount += 8;
    if (bitCount < width) continue;
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    bitCount -= width;

    if (code === end) return output.finish();
    if (code === clear) {
      next = firstCode;
      width = minWidth;
      previous = undefined;
      continue;
    }
    // `code === next` names the entry that this very code is about to define: the previous text and its first byte.
    if (code > next || (code === next && previous === undefined)) return malformed('compression');
    let start = dictionarySize;
    let at = code === next && previous !== undefined ? previous : code;
    while (at >= firstCode) {
      text[--start] = suffix[at] ?? 0;
      at = prefix[at] ?? 0;
    }
    text[--start] = at;
    if (!output.append(text.subarray(start))) return malformed('too-big');
    if (code === next && !output.append(text.subarray(start, start + 1))) return malformed('too-big');

    if (previous !== undefined && next < dictionarySize) {
      prefix[next] = previous;
      suffix[next] = at;
      next++;
    }
    previous = code;
    if (next === 1 << width && width < maxWidth) width++;
  }
  return malformed('compression');
}

class Output {
  readonly #maxBytes: number;
  #bytes = new Uint8Array(1024);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  append(bytes: Uint8Array): boolean {
    const length = this.#length + bytes.length;
    if (length > this.#maxBytes) return false;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
    return true;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
