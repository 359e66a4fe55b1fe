/**
 * Go's compress/lzw encoder (least significant bits first, 8-bit literals) in its plainest form, for tests only: the
 * judge of the product's encoder and decoder.
 */
export function compress(input: Uint8Array): Uint8Array {
  const output: number[] = [];
  let bits = 0;
  let bitCount = 0;
  let width = 9;
  let next = 257;
  let codes = new Map<number, number>();

  const write = (code: number) => {
    bits |= code << bitCount;
    bitCount += width;
    while (bitCount >= 8) {
      output.push(bits & 255);
      bits >>>= 8;
      bitCount -= 8;
    }
  };
  /** Counts up after each code; at 4095 the dictionary is full and starts again. */
  const countUp = (): boolean => {
    next++;
    if (next === 1 << width && width < 12) width++;
    if (next < 4095) return true;
    write(256);
    width = 9;
    next = 257;
    codes = new Map();
    return false;
  };

  write(256);
  let prefix = -1;
  for (const byte of input) {
    const longer = prefix === -1 ? byte : codes.get(prefix * 256 + byte);
    if (longer !== undefined) {
      prefix = longer;
      continue;
    }
    write(prefix);
    if (countUp()) codes.set(prefix * 256 + byte, next);
    prefix = byte;
  }
  if (prefix !== -1) {
    write(prefix);
    countUp();
  }
  write(257);
  if (bitCount > 0) output.push(bits & 255);
  return Uint8Array.from(output);
}
