import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../runtime/logger.ts';
import type { KubernetesObject } from './core.ts';
import { keyOf, type ObjectKey } from './resource.ts';

/** The values under which an object is found by an index; none leaves it out. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** Called after a change; `now` is undefined when the object is gone, `before` when it was not there. */
export type ChangeListener<T> = (key: ObjectKey, now: T | undefined, before: T | undefined) => void;

type Change<T> = { readonly key: ObjectKey; readonly now: T | undefined; readonly before: T | undefined };

/**
 * The objects of one kind as last heard of, by key and by named indexes. Objects are shared: nobody changes them.
 *
 * Listeners are called after the store holds the new state, in order of subscription; after a `replace`, they see all
 * of the new state from the first call on. What a listener throws is logged and goes no further.
 */
export class Store<T extends KubernetesObject, IndexName extends string = never> {
  readonly #log: Logger;
  readonly #objects = new Map<ObjectKey, T>();
  readonly #indexFunctions: readonly (readonly [IndexName, IndexFunction<T>])[];
  /** index → value → key → object. Objects here are those of #objects. */
  readonly #indexes = new Map<IndexName, Map<string, Map<ObjectKey, T>>>();
  readonly #listeners = new Set<ChangeListener<T>>();
  #synced = false;
  /** The content is from an earlier run, which may have trimmed its objects differently. */
  #restored = false;

  constructor(options: { readonly log: Logger; readonly indexes?: Readonly<Record<IndexName, IndexFunction<T>>> }) {
    this.#log = options.log;
    this.#indexFunctions = Object.entries(options.indexes ?? {}) as [IndexName, IndexFunction<T>][];
    for (const [name] of this.#indexFunctions) this.#indexes.set(name, new Map());
  }

  /** Whether a complete list has been stored, be it one of an earlier run; it stays true. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  keys(): readonly ObjectKey[] {
    return [...this.#objects.keys()];
  }

  /** The objects that the index `name` files under `value`. */
  by(name: IndexName, value: string): readonly T[] {
    return [...(this.#indexes.get(name)?.get(value)?.values() ?? [])];
  }

  /** Returns the function that ends the subscription. Objects already there are not reported. */
  onChange(listener: ChangeListener<T>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Makes `objects` the whole content, and reports what differs. */
  replace(objects: readonly T[]): void {
    const changes = this.#fill(objects);
    this.#restored = false;
    this.#report(changes);
  }

  /** The same with the objects of an earlier run. To be called before any `replace`. */
  restore(objects: readonly T[]): void {
    const changes = this.#fill(objects);
    this.#restored = true;
    this.#report(changes);
  }

  set(object: T): void {
    this.#report(this.#put(keyOf(object), object));
  }

  delete(key: ObjectKey): void {
    this.#report(this.#put(key, undefined));
  }

  #fill(objects: readonly T[]): readonly Change<T>[] {
    const fresh = new Map(objects.map((object) => [keyOf(object), object]));
    const changes: Change<T>[] = [];
    for (const key of this.keys()) if (!fresh.has(key)) changes.push(...this.#put(key, undefined));
    for (const [key, object] of fresh) changes.push(...this.#put(key, object));
    this.#synced = true;
    return changes;
  }

  #put(key: ObjectKey, now: T | undefined): readonly Change<T>[] {
    const before = this.#objects.get(key);
    if (before === now || (before && now && this.#isSame(before, now))) return [];
    if (before !== undefined) this.#unindex(key, before);
    if (now === undefined) this.#objects.delete(key);
    else {
      this.#objects.set(key, now);
      this.#index(key, now);
    }
    // Deleted and created again while we were not looking: another object of the same name, so both are reported.
    if (before && now && before.metadata.uid !== now.metadata.uid) {
      return [
        { key, now: undefined, before },
        { key, now, before: undefined },
      ];
    }
    return [{ key, now, before }];
  }

  #isSame(before: T, now: T): boolean {
    return sameVersion(before, now) && (!this.#restored || isDeepStrictEqual(before, now));
  }

  #index(key: ObjectKey, object: T): void {
    for (const [name, valuesOf] of this.#indexFunctions) {
      const index = this.#indexes.get(name)!;
      for (const value of valuesOf(object)) {
        const filed = index.get(value);
        if (filed === undefined) index.set(value, new Map([[key, object]]));
        else filed.set(key, object);
      }
    }
  }

  #unindex(key: ObjectKey, object: T): void {
    for (const [name, valuesOf] of this.#indexFunctions) {
      const index = this.#indexes.get(name)!;
      for (const value of valuesOf(object)) {
        const filed = index.get(value);
        filed?.delete(key);
        if (filed?.size === 0) index.delete(value);
      }
    }
  }

  #report(changes: readonly Change<T>[]): void {
    for (const { key, now, before } of changes) {
      for (const listener of this.#listeners) {
        try {
          listener(key, now, before);
        } catch (error) {
          this.#log.error('store listener failed', { key, error });
        }
      }
    }
  }
}

function sameVersion(a: KubernetesObject, b: KubernetesObject): boolean {
  const version = a.metadata.resourceVersion;
  return version !== undefined && version === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid;
}
