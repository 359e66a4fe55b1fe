import { OrderedMap } from './ordered-map.ts';
import { next, type Position, previous } from './position.ts';

/**
 * A set of positions kept as spans which neither overlap nor touch: whatever is consecutive is one entry, be it two
 * positions or 2^64. Each operation is O(log n) in the number of spans.
 */
export class SpanSet {
  /** By their last position: what is taken is mostly the first of a span, and that changes no key. */
  readonly #spans = new OrderedMap<Position, Span>();

  /** The lowest position in the set that is not below this one. */
  from(position: Position): Position | undefined {
    const span = this.#spans.ceiling(position);
    return span && (span.first > position ? span.first : position);
  }

  /** The caller knows that none of these is in the set. */
  add(first: Position, last: Position = first): void {
    const before = first === 0 ? undefined : this.#endingAt(previous(first));
    const after = this.#spans.ceiling(last);
    const joined = before ? before.first : first;
    if (before) this.#spans.delete(before.last);
    if (after && after.first === next(last)) after.first = joined;
    else this.#spans.set(last, { first: joined, last });
  }

  /** The caller knows that it is in the set. */
  remove(position: Position): void {
    const span = this.#spans.ceiling(position)!;
    const { first, last } = span;
    if (position === last) this.#spans.delete(last);
    else span.first = next(position);
    if (position > first) this.#spans.set(previous(position), { first, last: previous(position) });
  }

  #endingAt(position: Position): Span | undefined {
    const span = this.#spans.ceiling(position);
    return span?.last === position ? span : undefined;
  }
}

type Span = { first: Position; readonly last: Position };
