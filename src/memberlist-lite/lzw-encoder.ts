import { clear, end, maxWidth, minWidth } from './lzw.ts';

/**
 * The encoder for the same format, byte for byte what Go's compress/lzw gives. Codes count up from `end`; at the last
 * one the dictionary starts again.
 */
const lastCode = (1 << maxWidth) - 1;

/**
 * text of a code and one byte more → its code: open addressing, 20 bits of key and 12 of code in each slot, 0 for a
 * free one. It has twice the slots that a full dictionary needs. Shared by all calls, which run one after another.
 */
const slots = new Uint32Array(1 << (maxWidth + 1));
const slotMask = slots.length - 1;

export function compress(input: Uint8Array): Uint8Array {
  // No code takes more than 12 bits, and there are at most as many as bytes, plus resets of the dictionary and the end.
  const output = new Uint8Array(Math.ceil(input.length * 1.51) + 8);
  let length = 0;
  let bits = 0;
  let bitCount = 0;
  let width = minWidth;
  let code = end;

  const write = (value: number) => {
    bits |= value << bitCount;
    bitCount += width;
    for (; bitCount >= 8; bitCount -= 8) {
      output[length++] = bits & 0xff;
      bits >>>= 8;
    }
  };
  /** False when the dictionary is full and has been emptied. */
  const countUp = (): boolean => {
    code++;
    if (code === 1 << width) width++;
    if (code < lastCode) return true;
    write(clear);
    width = minWidth;
    code = end;
    slots.fill(0);
    return false;
  };

  slots.fill(0);
  write(clear);
  let prefix = input[0];
  for (let at = 1; at < input.length; at++) {
    const byte = input[at] as number;
    const key = ((prefix as number) << 8) | byte;
    let slot = hash(key);
    while (slots[slot] !== 0 && (slots[slot] as number) >>> maxWidth !== key) slot = (slot + 1) & slotMask;
    const found = slots[slot] as number;
    if (found !== 0) {
      prefix = found & lastCode;
      continue;
    }
    write(prefix as number);
    if (countUp()) slots[slot] = ((key << maxWidth) | code) >>> 0;
    prefix = byte;
  }
  if (prefix !== undefined) {
    write(prefix);
    countUp();
  }
  write(end);
  if (bitCount > 0) output[length++] = bits & 0xff;
  return output.slice(0, length);
}

function hash(key: number): number {
  return ((key >>> maxWidth) ^ (key * 0x9e5)) & slotMask;
}
