import type { Address, Family } from './address.ts';
import { type Range, rangeSize } from './range.ts';

/**
 * A mutable set of addresses kept as ranges: a /64 is one entry, whatever is taken out of its front.
 *
 * Per family an array of spans in ascending order which neither overlap nor touch, so both `first` and `last` ascend
 * and every search is binary. A change costs that search and one splice.
 */
export class RangeSet {
  readonly #spans: Record<Family, Span[]> = { 4: [], 6: [] };
  readonly #sizes: Record<Family, bigint> = { 4: 0n, 6: 0n };

  constructor(ranges: Iterable<Range> = []) {
    for (const range of ranges) this.add(range);
  }

  /** How many addresses of the family are in the set. */
  size(family: Family): bigint {
    return this.#sizes[family];
  }

  has(address: Address): boolean {
    const spans = this.#spans[address.family];
    const span = spans[firstEndingFrom(spans, address.value)];
    return span !== undefined && span.first <= address.value;
  }

  /** Whether any address of the range is in the set. */
  overlaps(range: Range): boolean {
    const spans = this.#spans[range.family];
    const span = spans[firstEndingFrom(spans, range.first)];
    return span !== undefined && span.first <= range.last;
  }

  /** The lowest address of the family. */
  first(family: Family): Address | undefined {
    const span = this.#spans[family][0];
    return span && { family, value: span.first };
  }

  /** The maximal ranges, IPv4 before IPv6, ascending. */
  ranges(): Range[] {
    return ([4, 6] as const).flatMap((family) => this.#spans[family].map((span) => ({ family, ...span })));
  }

  /** Adding what is there already changes nothing. */
  add(range: Range): void {
    const spans = this.#spans[range.family];
    // One wider on each side, so that spans which only touch are merged too.
    const from = firstEndingFrom(spans, range.first - 1n);
    const to = firstStartingAfter(spans, range.last + 1n);
    const low = spans[from];
    const high = spans[to - 1];
    const touched = from < to && low !== undefined && high !== undefined;
    const first = touched && low.first < range.first ? low.first : range.first;
    const last = touched && high.last > range.last ? high.last : range.last;
    this.#replace(range.family, from, to, [{ first, last }]);
  }

  /** Removing what is not there changes nothing. */
  remove(range: Range): void {
    const spans = this.#spans[range.family];
    const from = firstEndingFrom(spans, range.first);
    const to = firstStartingAfter(spans, range.last);
    const low = spans[from];
    const high = spans[to - 1];
    if (from >= to || low === undefined || high === undefined) return;
    const rest: Span[] = [];
    if (low.first < range.first) rest.push({ first: low.first, last: range.first - 1n });
    if (high.last > range.last) rest.push({ first: range.last + 1n, last: high.last });
    this.#replace(range.family, from, to, rest);
  }

  #replace(family: Family, from: number, to: number, spans: readonly Span[]): void {
    const removed = this.#spans[family].splice(from, to - from, ...spans);
    this.#sizes[family] += total(family, spans) - total(family, removed);
  }
}

type Span = { readonly first: bigint; readonly last: bigint };

/** Index of the first span with `last >= value`. */
function firstEndingFrom(spans: readonly Span[], value: bigint): number {
  return partition(spans, (span) => span.last < value);
}

/** Index of the first span with `first > value`. */
function firstStartingAfter(spans: readonly Span[], value: bigint): number {
  return partition(spans, (span) => span.first <= value);
}

/** How many leading spans are `before`. */
function partition(spans: readonly Span[], before: (span: Span) => boolean): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(spans[middle] as Span)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function total(family: Family, spans: readonly Span[]): bigint {
  return spans.reduce((sum, span) => sum + rangeSize({ family, ...span }), 0n);
}
