import type { Family } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import { grown, PrefixIndex } from './prefix-index.ts';
import type { RouteAttributes } from './route.ts';

/** In the place of attributes. */
const none = 0;
/** The peer has something, and is to be told whatever is wished: never wished itself. */
const stale = 1;

/**
 * What is wished and what was sent of one family, as numbers that stand for attributes. A prefix is in the queue when
 * the two differ, and only then; it is forgotten when both are none. After whatever changes one of them, `#settle`
 * makes that so again.
 */
export class FamilyRib {
  readonly family: Family;
  readonly #attributes: AttributeNumbers;
  readonly #index: PrefixIndex;
  /** By the number of the prefix: none, or a number of `#attributes`, each use of which is counted there. */
  #wished = new Uint32Array(0);
  /** As `#wished`, or stale. */
  #sent = new Uint32Array(0);
  /** The place in the queue and one, or 0. */
  #places = new Uint32Array(0);
  #queue = new Uint32Array(0);
  #pending = 0;
  #announced = 0;

  constructor(family: Family, attributes: AttributeNumbers) {
    this.family = family;
    this.#attributes = attributes;
    this.#index = new PrefixIndex(family);
  }

  get announced(): number {
    return this.#announced;
  }

  get pending(): number {
    return this.#pending;
  }

  /** For the prefixes that are wished again, of those there are. */
  mark(): Marks {
    return new Marks(this.#index.end);
  }

  /** What is not marked is wished no more. */
  sweep(marks: Marks): void {
    for (let entry = 0; entry < marks.end; entry++) {
      if (!marks.has(entry) && this.#index.has(entry)) this.#change(entry, none);
    }
  }

  /** Keeps wishing only what holds. */
  keep(holds: (prefix: Prefix) => boolean): void {
    for (let entry = 0; entry < this.#index.end; entry++) {
      if (this.#index.has(entry) && !holds(this.#index.prefixAt(entry))) this.#change(entry, none);
    }
  }

  wish(prefix: Prefix, attributes: RouteAttributes): number {
    const entry = this.#index.add(prefix);
    if (entry >= this.#wished.length) this.#grow(entry + 1 + (entry >> 2));
    this.#change(entry, this.#attributes.acquire(attributes));
    return entry;
  }

  unwish(prefix: Prefix): void {
    const entry = this.#index.find(prefix);
    if (entry !== undefined) this.#change(entry, none);
  }

  take(tell: (prefix: Prefix, attributes: RouteAttributes | undefined) => void): void {
    const pending = this.#pending;
    this.#pending = 0;
    for (let place = 0; place < pending; place++) {
      const entry = this.#queue[place] as number;
      const wished = this.#wished[entry] as number;
      this.#places[entry] = 0;
      tell(this.#index.prefixAt(entry), this.#attributes.at(wished));
      this.#attributes.use(wished);
      this.#setSent(entry, wished);
      if (wished === none) this.#index.remove(entry);
    }
  }

  resend(): void {
    this.#each((entry) => {
      if (this.#sent[entry] !== none) this.#setSent(entry, stale);
    });
  }

  reset(): void {
    this.#each((entry) => this.#setSent(entry, none));
  }

  #each(change: (entry: number) => void): void {
    for (let entry = 0; entry < this.#index.end; entry++) {
      if (!this.#index.has(entry)) continue;
      change(entry);
      this.#settle(entry);
    }
  }

  /** `wished` has been acquired for this. */
  #change(entry: number, wished: number): void {
    this.#attributes.release(this.#wished[entry] as number);
    this.#wished[entry] = wished;
    this.#settle(entry);
  }

  #setSent(entry: number, sent: number): void {
    const before = this.#sent[entry] as number;
    this.#announced += Number(sent !== none) - Number(before !== none);
    this.#attributes.release(before);
    this.#sent[entry] = sent;
  }

  /** Puts the prefix into the queue or takes it out, and forgets one that is neither wished nor sent. */
  #settle(entry: number): void {
    const differs = this.#wished[entry] !== this.#sent[entry];
    const place = this.#places[entry] as number;
    if (differs && place === 0) {
      this.#queue[this.#pending] = entry;
      this.#pending += 1;
      this.#places[entry] = this.#pending;
    } else if (!differs && place !== 0) {
      this.#pending -= 1;
      const last = this.#queue[this.#pending] as number;
      this.#queue[place - 1] = last;
      this.#places[last] = place;
      this.#places[entry] = 0;
    }
    if (this.#wished[entry] === none && this.#sent[entry] === none) this.#index.remove(entry);
  }

  #grow(capacity: number): void {
    this.#wished = grown(this.#wished, capacity);
    this.#sent = grown(this.#sent, capacity);
    this.#places = grown(this.#places, capacity);
    this.#queue = grown(this.#queue, capacity);
  }
}

/** Numbers of prefixes below an end. */
class Marks {
  readonly end: number;
  readonly #marks: Uint8Array;

  constructor(end: number) {
    this.end = end;
    this.#marks = new Uint8Array(end);
  }

  add(entry: number): void {
    if (entry < this.end) this.#marks[entry] = 1;
  }

  has(entry: number): boolean {
    return this.#marks[entry] === 1;
  }
}

/** Numbers for attributes, from 2; one is free again when nobody uses it. */
export class AttributeNumbers {
  readonly #numbers = new Map<RouteAttributes, number>();
  readonly #attributes: (RouteAttributes | undefined)[] = [undefined, undefined];
  readonly #uses: number[] = [0, 0];
  readonly #free: number[] = [];

  at(number: number): RouteAttributes | undefined {
    return this.#attributes[number];
  }

  /** `attributes` are interned. */
  acquire(attributes: RouteAttributes): number {
    const known = this.#numbers.get(attributes);
    const number = known ?? this.#free.pop() ?? this.#attributes.length;
    if (known === undefined) {
      this.#numbers.set(attributes, number);
      this.#attributes[number] = attributes;
      this.#uses[number] = 0;
    }
    this.use(number);
    return number;
  }

  /** Of none and stale nobody counts the uses. */
  use(number: number): void {
    if (number > stale) this.#uses[number] = (this.#uses[number] ?? 0) + 1;
  }

  release(number: number): void {
    if (number <= stale) return;
    const left = (this.#uses[number] ?? 0) - 1;
    this.#uses[number] = left;
    const attributes = this.#attributes[number];
    if (left > 0 || attributes === undefined) return;
    this.#numbers.delete(attributes);
    this.#attributes[number] = undefined;
    this.#free.push(number);
  }
}
