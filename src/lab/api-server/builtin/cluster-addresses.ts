import { parsePrefix } from '../../../ip/prefix.ts';
import { prefixRange, type Range } from '../../../ip/range.ts';

/** A range that cluster addresses are taken from. Throws a RangeError: the text comes from our own configuration. */
export function parseServiceRange(text: string): Range {
  const prefix = parsePrefix(text);
  if (typeof prefix === 'string') throw new RangeError(`service range ${JSON.stringify(text)}: ${prefix}`);
  return prefixRange(prefix);
}
