import type { Address, Family } from '../ip/address.ts';
import { type Range, rangeSize } from '../ip/range.ts';
import { type RangeEntry, RangeMap } from '../ip/range-map.ts';
import { type Position, toPosition } from './position.ts';

/**
 * The addresses of one family that a pool may give out, each with a position: 0, 1, 2 and so on in the order of use,
 * which is the order of `spec.addresses`. What is excluded has no position:
 *
 *   ranges      192.0.2.8-192.0.2.13      192.0.2.0-192.0.2.3       excluded: 192.0.2.10-192.0.2.11
 *   pieces      .8 .9      .12 .13        .0 .1 .2 .3
 *   positions    0  1        2   3         4  5  6  7
 */
export class FamilyLayout {
  readonly family: Family;
  /** How many positions there are. */
  readonly size: bigint;
  /** In the order of use, so `start` ascends. */
  readonly #pieces: readonly Piece[];
  readonly #pieceByAddress: RangeMap<Piece>;

  /** `excluded` is sorted, and its ranges do not overlap. */
  constructor(family: Family, ranges: readonly Range[], excluded: readonly Range[]) {
    this.family = family;
    const holes = excluded.filter((range) => range.family === family);
    const pieces: Piece[] = [];
    let start = 0n;
    for (const range of ranges) {
      if (range.family !== family) continue;
      for (const part of without(range, holes)) {
        pieces.push({ range: part, start });
        start += rangeSize(part);
      }
    }
    this.size = start;
    this.#pieces = pieces;
    this.#pieceByAddress = new RangeMap(
      pieces.map((piece): RangeEntry<Piece> => ({ range: piece.range, value: piece })),
    );
  }

  position(address: Address): Position | undefined {
    const piece = this.#pieceByAddress.get(address);
    return piece && toPosition(piece.start + (address.value - piece.range.first));
  }

  /** The caller knows that there is the position. */
  address(position: Position): Address {
    const after = partition(this.#pieces, (piece) => piece.start <= position);
    const { range, start } = this.#pieces[after - 1] as Piece;
    return { family: this.family, value: range.first + (BigInt(position) - start) };
  }

  /** The pieces in the order of their addresses: first and last position of each. */
  ascending(): readonly (readonly [first: Position, last: Position])[] {
    const pieces = this.#pieces.toSorted((a, b) => (a.range.first < b.range.first ? -1 : 1));
    return pieces.map(({ range, start }) => [toPosition(start), toPosition(start + rangeSize(range) - 1n)]);
  }

  /** How many of the addresses end in .0 or .255. */
  buggy(): bigint {
    return this.family === 6 ? 0n : this.#pieces.reduce((sum, { range }) => sum + buggyIn(range), 0n);
  }
}

/** Whether some old routers drop packets to the address: those that `avoidBuggyIPs` keeps back. */
export function isBuggy(address: Address): boolean {
  const lowest = address.value & 0xffn;
  return address.family === 4 && (lowest === 0n || lowest === 0xffn);
}

type Piece = { readonly range: Range; readonly start: bigint };

/** What the holes leave of the range, ascending. */
function without(range: Range, holes: readonly Range[]): readonly Range[] {
  const parts: Range[] = [];
  let first = range.first;
  for (let i = partition(holes, (hole) => hole.last < range.first); i < holes.length; i++) {
    const hole = holes[i] as Range;
    if (hole.first > range.last) break;
    if (hole.first > first) parts.push({ family: range.family, first, last: hole.first - 1n });
    first = hole.last + 1n;
  }
  if (first <= range.last) parts.push({ family: range.family, first, last: range.last });
  return parts;
}

function buggyIn(range: Range): bigint {
  // How many addresses below the value end in .0, and how many in .255.
  const below = (value: bigint) => (value + 255n) / 256n + value / 256n;
  return below(range.last + 1n) - below(range.first);
}

/** How many leading items are `before`. */
function partition<T>(items: readonly T[], before: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
