import { type ApiProblem, fieldOf } from '../api/field.ts';
import type { PoolDeclaration } from '../api/ip-address-pool.ts';
import { compareTexts } from '../api/label-selector.ts';
import { compareRanges, formatRange, type Range } from '../ip/range.ts';

/** Names are how Services and other resources refer to an object; the input is sorted by name. */
export function findDuplicateNames(objects: readonly { object: string; name: string }[]): readonly ApiProblem[] {
  return objects.flatMap(({ object, name }, index) => {
    const earlier = objects[index - 1];
    if (earlier?.name !== name) return [];
    const message = `is also the name of ${earlier.object}: rename one of the two`;
    return [{ object, field: 'metadata.name', value: name, message }];
  });
}

/**
 * Ranges that share addresses, within a pool or between two. Each range is compared with the one reaching furthest
 * among those that start before it, so every overlapping range is told at least once, in O(n log n).
 */
export function findOverlaps(pools: readonly PoolDeclaration[]): readonly ApiProblem[] {
  const places = pools
    .flatMap((pool) => pool.addresses.map((range, index) => ({ pool, range, index })))
    .sort(comparePlaces);
  const problems: ApiProblem[] = [];
  let furthest: Place | undefined;
  for (const place of places) {
    const sameFamily = furthest?.range.family === place.range.family;
    if (furthest && sameFamily && place.range.first <= furthest.range.last) problems.push(overlap(place, furthest));
    if (!furthest || !sameFamily || place.range.last > furthest.range.last) furthest = place;
  }
  return problems;
}

/** One entry of `spec.addresses`. */
type Place = { readonly pool: PoolDeclaration; readonly range: Range; readonly index: number };

function comparePlaces(a: Place, b: Place): number {
  return compareRanges(a.range, b.range) || compareTexts(a.pool.object, b.pool.object) || a.index - b.index;
}

/** Told on the object that comes later by name, or on the later entry of one object. */
function overlap(a: Place, b: Place): ApiProblem {
  const isLater = compareTexts(a.pool.object, b.pool.object) || a.index - b.index;
  const [later, earlier] = isLater > 0 ? [a, b] : [b, a];
  const where = later.pool === earlier.pool ? placeText(earlier) : earlier.pool.object;
  return {
    object: later.pool.object,
    field: placeText(later),
    value: formatRange(later.range),
    message: `overlaps with ${formatRange(earlier.range)} of ${where}: an address can be in one range only`,
  };
}

function placeText({ pool, index }: Place): string {
  return `${fieldOf(pool, 'spec.addresses')}[${index}]`;
}
