import { isAlreadyExists, isNotFound } from '../kubernetes/api-error.ts';
import { mergePatch } from '../kubernetes/apply.ts';
import type { ApiClient, NewObject } from '../kubernetes/client.ts';
import type { KubernetesObject, OwnerReference } from '../kubernetes/core.ts';
import { OwnPod } from '../kubernetes/own-pod.ts';
import { type ObjectKey, type Resource, splitKey } from '../kubernetes/resource.ts';
import { StatusWriter, type StatusWriterOptions } from '../kubernetes/status-writer.ts';
import { WatchedKind } from '../kubernetes/watched-kind.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Pace } from '../runtime/pace.ts';
import type { Random } from '../runtime/random.ts';

/** Changes within this time are one write; milliseconds. */
const gatherTime = 200;
/** Between two looks at whether the API server is back; milliseconds. */
const awayTime = 2_000;
/** All writes of all objects: a node that dies leaves its addresses to others, thousands at once. */
const pace = { rate: 50, burst: 50 };
/** How long an object that somebody deletes, and again, is not made anew; milliseconds. It doubles each time. */
const recreation = { first: 1_000, longest: 60_000, forgottenAfter: 300_000 };

/** What an object is about, such as the key of a Service. */
export type Subject = string;

export type NodeStatusesOptions<T extends KubernetesObject, S extends object> = {
  readonly client: ApiClient;
  readonly namespace: string;
  /** The Pod that owns the objects, so that they go with it; empty: nobody does. */
  readonly podName: string;
  readonly resource: Resource<T>;
  /** Selects the objects of this node. */
  readonly labelSelector: string;
  /** Undefined for an object that does not say. The labels are there from the beginning, the status is not. */
  readonly subjectOf: (object: T | undefined) => Subject | undefined;
  /** The same for the same subject, so that two are never made by accident. */
  readonly nameOf: (subject: Subject) => string;
  readonly labelsOf: (subject: Subject) => Readonly<Record<string, string>>;
  /** Whether there is to be an object. */
  readonly isWanted: (subject: Subject) => boolean;
  /** What it is to say; null takes a field away. */
  readonly wanted: (subject: Subject) => { readonly [Field in keyof S]: S[Field] | null } | undefined;
  readonly textOf: StatusWriterOptions<T, S>['textOf'];
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Keeps one object of a kind for each subject that this node has something to say of, and none for any other. It touches
 * the objects of its own node only, whoever has made them: those of other nodes are theirs, and go with their Pods. Where
 * somebody else deletes one again and again, it is made anew less and less often.
 */
export class NodeStatuses<T extends KubernetesObject & { readonly status?: S | undefined }, S extends object> {
  readonly #options: NodeStatusesOptions<T, S>;
  readonly #pod: OwnPod;
  readonly #kind: WatchedKind<T>;
  readonly #queue: WorkQueue;
  readonly #writer: StatusWriter<T, S>;
  readonly #pace: Pace;
  /** Subject → the names of the objects about it. */
  readonly #names = new Map<Subject, Set<string>>();
  /** The names of objects → whose they are, of all that were looked at: labels may be too short to say so. */
  readonly #subjects = new Map<string, Subject>();
  /** Subjects that were looked at before it was known what there is. */
  readonly #early = new Set<Subject>();
  /** Objects that are deleted by us. */
  readonly #deleting = new Set<string>();
  /** Subject → how often in a row somebody else deleted its object, and when last. */
  readonly #robbed = new Map<Subject, { readonly count: number; readonly at: number }>();

  constructor(options: NodeStatusesOptions<T, S>) {
    const { resource, clock } = options;
    this.#options = options;
    this.#pod = new OwnPod(options);
    this.#pace = new Pace({ ...pace, clock });
    this.#kind = new WatchedKind({ ...options, optional: true });
    this.#kind.store.onChange((key, now, before) => this.#see(splitKey(key).name, now, before));
    this.#queue = new WorkQueue({
      ...options,
      name: resource.plural,
      reconcile: (subject) => this.#reconcile(subject),
      backoff: { base: 100, max: 30_000 },
    });
    this.#writer = new StatusWriter<T, S>({
      ...options,
      objects: this.#kind.store,
      wanted: (name) => this.#wanted(name),
      pace: this.#pace,
    });
  }

  /** To be called when it is known what there is to say: what is left of an earlier run may be deleted. */
  start(): void {
    this.#kind.synced.then(
      () => {
        for (const subject of this.#early) this.look(subject);
        this.#early.clear();
      },
      () => {}, // Stopped.
    );
    this.#kind.start();
  }

  /** To be called when something that is told of the subject may have changed. Returns at once. */
  look(subject: Subject): void {
    // Who stops leaves the objects to the next run or to the Pod's end.
    if (this.#options.signal.aborted) return;
    if (this.#options.isWanted(subject)) this.#subjects.set(this.#options.nameOf(subject), subject);
    else this.#subjects.delete(this.#options.nameOf(subject));
    if (!this.#kind.store.hasSynced) {
      this.#early.add(subject);
      return;
    }
    this.#queue.addAfter(subject, gatherTime);
  }

  /** The objects stay and say what they said: they go with the Pod. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([this.#queue.stop(), this.#writer.stop(), this.#kind.stop()]);
  }

  #see(name: string, now: T | undefined, before: T | undefined): void {
    const subject = this.#subjects.get(name) ?? this.#options.subjectOf(now ?? before);
    if (subject === undefined) return;
    const names = this.#names.get(subject) ?? new Set();
    if (now === undefined) names.delete(name);
    else names.add(name);
    if (names.size === 0) this.#names.delete(subject);
    else this.#names.set(subject, names);
    if (now === undefined && !this.#deleting.delete(name)) this.#count(subject);
    this.look(subject);
  }

  async #reconcile(subject: Subject): Promise<void> {
    const { isWanted, nameOf, signal } = this.#options;
    if (signal.aborted) return;
    // One line of the log says that the API server is away, not one for each subject.
    if (this.#kind.staleSince !== undefined) {
      this.#queue.addAfter(subject, awayTime);
      return;
    }
    const name = nameOf(subject);
    for (const other of this.#names.get(subject) ?? []) {
      // One too many is what a speaker of MetalLB leaves that ran here before.
      if (other !== name || !isWanted(subject)) await this.#delete(other);
    }
    if (!isWanted(subject)) return;
    const metadata = await this.#metadata(subject);
    const seen = this.#kind.store.get(this.#keyOf(name));
    const penalty = seen === undefined ? this.#penalty(subject) : 0;
    if (penalty > 0) {
      this.#queue.addAfter(subject, penalty);
      return;
    }
    if (seen === undefined) {
      await this.#turn();
      await this.#create(name, metadata);
      return;
    }
    if (!isAs(seen, metadata)) {
      await this.#turn();
      await this.#adopt(name, metadata);
    }
    this.#writer.look(name, 0);
  }

  async #create(name: string, metadata: OwnMetadata): Promise<void> {
    const { client, namespace, resource, signal } = this.#options;
    const object = { metadata: { namespace, name, ...metadata }, spec: {} };
    try {
      await client.create(resource, object as unknown as NewObject<T>, { signal });
    } catch (error) {
      // We have not seen it yet, or cannot: somebody took its labels away.
      if (!isAlreadyExists(error)) throw error;
      await this.#adopt(name, metadata);
    }
  }

  async #adopt(name: string, metadata: OwnMetadata): Promise<void> {
    const { client, resource, signal } = this.#options;
    try {
      await mergePatch(client, resource, this.#keyOf(name), { metadata }, { signal });
    } catch (error) {
      // Gone in the meantime, as the watch will tell.
      if (!isNotFound(error)) throw error;
    }
  }

  async #delete(name: string): Promise<void> {
    const { client, resource, signal } = this.#options;
    const uid = this.#kind.store.get(this.#keyOf(name))?.metadata.uid;
    if (uid === undefined) return;
    await this.#turn();
    this.#deleting.add(name);
    try {
      const wasThere = await client.delete(resource, this.#keyOf(name), { preconditions: { uid }, signal });
      if (!wasThere) this.#deleting.delete(name);
    } catch (error) {
      this.#deleting.delete(name);
      throw error;
    }
  }

  async #metadata(subject: Subject): Promise<OwnMetadata> {
    const owner = await this.#pod.reference();
    const labels = this.#options.labelsOf(subject);
    return owner === undefined ? { labels } : { labels, ownerReferences: [owner] };
  }

  #wanted(name: string) {
    const { subjectOf, nameOf, wanted } = this.#options;
    const subject = this.#subjects.get(name) ?? subjectOf(this.#kind.store.get(this.#keyOf(name)));
    if (subject === undefined || this.#kind.staleSince !== undefined) return undefined;
    // Another object about the same is about to be deleted.
    return name === nameOf(subject) ? wanted(subject) : undefined;
  }

  #count(subject: Subject): void {
    const at = this.#options.clock.now();
    const before = this.#robbed.get(subject);
    const count = before !== undefined && at - before.at < recreation.forgottenAfter ? before.count + 1 : 1;
    this.#robbed.set(subject, { count, at });
  }

  /** How long the object is not to be made anew, in milliseconds. */
  #penalty(subject: Subject): number {
    const robbed = this.#robbed.get(subject);
    if (robbed === undefined) return 0;
    const passed = this.#options.clock.now() - robbed.at;
    if (passed >= recreation.forgottenAfter) this.#robbed.delete(subject);
    return Math.min(recreation.longest, recreation.first * 2 ** (robbed.count - 1)) - passed;
  }

  async #turn(): Promise<void> {
    const wait = this.#pace.take();
    if (wait > 0) await sleep(this.#options.clock, wait, this.#options.signal);
  }

  #keyOf(name: string): ObjectKey {
    return `${this.#options.namespace}/${name}`;
  }
}

type OwnMetadata = {
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
};

function isAs({ metadata }: KubernetesObject, { labels, ownerReferences }: OwnMetadata): boolean {
  const isLabelled = Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
  const [first, ...others] = metadata.ownerReferences ?? [];
  const isOwned = ownerReferences === undefined || (first?.uid === ownerReferences[0]?.uid && others.length === 0);
  return isLabelled && isOwned;
}
