import { formatAddress } from '../../../ip/address.ts';
import { parsePrefix } from '../../../ip/prefix.ts';
import { prefixRange, type Range } from '../../../ip/range.ts';

/** A range that cluster addresses are taken from. Throws a RangeError: the text comes from our own configuration. */
export function parseServiceRange(text: string): Range {
  const prefix = parsePrefix(text);
  if (typeof prefix === 'string') throw new RangeError(`service range ${JSON.stringify(text)}: ${prefix}`);
  return prefixRange(prefix);
}

/** The lowest free address; undefined when all are taken. The first and the last address are no host's. */
export function freeAddress(range: Range, taken: ReadonlySet<string>): string | undefined {
  for (let value = range.first + 1n; value < range.last; value++) {
    const text = formatAddress({ family: range.family, value });
    if (!taken.has(text)) return text;
  }
  return undefined;
}
