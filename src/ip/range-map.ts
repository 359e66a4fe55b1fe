import type { Address } from './address.ts';
import { compareRanges, type Range, rangeHas } from './range.ts';

/** Ranges that do not overlap, each with a value; finds the value of the range an address lies in. Immutable. */
export class RangeMap<T> {
  /** Ascending by `compareRanges`. */
  readonly #entries: readonly RangeEntry<T>[];

  /** The caller has checked that no two ranges overlap. */
  constructor(entries: Iterable<RangeEntry<T>>) {
    this.#entries = [...entries].sort((a, b) => compareRanges(a.range, b.range));
  }

  get(address: Address): T | undefined {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { range } = this.#entries[middle] as RangeEntry<T>;
      const endsBefore =
        range.family < address.family || (range.family === address.family && range.last < address.value);
      if (endsBefore) low = middle + 1;
      else high = middle;
    }
    const entry = this.#entries[low];
    return entry !== undefined && rangeHas(entry.range, address) ? entry.value : undefined;
  }
}

export type RangeEntry<T> = { readonly range: Range; readonly value: T };
