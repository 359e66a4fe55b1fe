import type { ApiObject, ObjectMeta } from './json.ts';

/** One step of the store's history: exactly one object of one resource, at one revision. */
export type Change = {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The stored resource, such as `services` or `ipaddresspools.metallb.io`. */
  readonly resource: string;
  /** The object now; for DELETED its last state, carrying the revision of the deletion. */
  readonly object: ApiObject;
  readonly before: ApiObject | undefined;
};

/** How many changes a watch can be behind before it has to list again. */
export const historyLength = 4096;

/** `namespace/name`, or `name` for what lives in no namespace: the key inside one resource. */
export function keyOf(metadata: ObjectMeta): string {
  return metadata.namespace === undefined ? (metadata.name ?? '') : `${metadata.namespace}/${metadata.name}`;
}

/**
 * All objects in memory under one revision counter, with enough history to resume a watch and to read the recent
 * past. Objects are shared with readers and never edited in place.
 */
export class Store {
  readonly #objects = new Map<string, Map<string, ApiObject>>();
  // Contiguous: #history[i].revision === #forgotten + 1 + i, and the last one is #revision.
  #history: Change[] = [];
  #forgotten = 1;
  #revision = 1;
  readonly #listeners = new Set<(change: Change) => void>();

  get revision(): number {
    return this.#revision;
  }

  get(resource: string, key: string): ApiObject | undefined {
    return this.#objects.get(resource)?.get(key);
  }

  /** In the order of their keys, as etcd has them. */
  list(resource: string, namespace?: string): ApiObject[] {
    return inOrder(this.#objects.get(resource) ?? new Map(), namespace);
  }

  /** As `list`, at a past revision; undefined when the history does not reach back to it or it is yet to come. */
  listAt(revision: number, resource: string, namespace?: string): ApiObject[] | undefined {
    const since = this.since(revision);
    if (since === undefined) return undefined;
    const past = new Map(this.#objects.get(resource));
    for (const change of since.toReversed()) {
      if (change.resource !== resource) continue;
      const key = keyOf(change.object.metadata);
      if (change.before === undefined) past.delete(key);
      else past.set(key, change.before);
    }
    return inOrder(past, namespace);
  }

  /** Stores the object under its own key, at a new revision, and returns it as stored. Takes ownership of it. */
  put(resource: string, object: ApiObject): ApiObject {
    const key = keyOf(object.metadata);
    const before = this.get(resource, key);
    object.metadata.resourceVersion = String(this.#revision + 1);
    const objects = this.#objects.get(resource) ?? new Map<string, ApiObject>();
    this.#objects.set(resource, objects.set(key, object));
    this.#record(before === undefined ? 'ADDED' : 'MODIFIED', resource, object, before);
    return object;
  }

  /** Removes an object and returns its last state; undefined when there is none. */
  remove(resource: string, key: string): ApiObject | undefined {
    const before = this.get(resource, key);
    if (before === undefined) return undefined;
    this.#objects.get(resource)?.delete(key);
    const last = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#revision + 1) } };
    this.#record('DELETED', resource, last, before);
    return last;
  }

  /** The changes after `revision`, oldest first; undefined when they are forgotten or `revision` is yet to come. */
  since(revision: number): readonly Change[] | undefined {
    if (revision < this.#forgotten || revision > this.#revision) return undefined;
    return this.#history.slice(revision - this.#forgotten);
  }

  /** Forgets the history, as a compaction of etcd does. */
  compact(): void {
    this.#history = [];
    this.#forgotten = this.#revision;
  }

  /** Calls `listener` after every change, in the order of subscription. It may change the store itself. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #record(type: Change['type'], resource: string, object: ApiObject, before: ApiObject | undefined): void {
    this.#revision += 1;
    const change = { revision: this.#revision, type, resource, object, before };
    this.#history.push(change);
    // Cut in large steps, so that a full history does not cost a copy for every change.
    if (this.#history.length > 2 * historyLength) {
      this.#history = this.#history.slice(-historyLength);
      this.#forgotten = this.#revision - historyLength;
    }
    for (const listener of this.#listeners) listener(change);
  }
}

function inOrder(objects: ReadonlyMap<string, ApiObject>, namespace: string | undefined): ApiObject[] {
  const keys = [...objects.keys()].sort();
  const wanted = namespace === undefined ? keys : keys.filter((key) => key.startsWith(`${namespace}/`));
  return wanted.map((key) => objects.get(key) as ApiObject);
}
