import {
  labelValue,
  type ServiceL2StatusContent,
  serviceL2StatusLabels,
  serviceL2StatusName,
} from '../api/service-l2-status.ts';
import { serviceStatusLabels } from '../api/service-status.ts';
import type { NodeInterface } from '../election/interface-fitness.ts';
import type { Hash } from '../election/metallb.ts';
import { isAlreadyExists, isNotFound } from '../kubernetes/api-error.ts';
import { mergePatch } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import { type ServiceL2StatusObject, serviceL2Statuses } from '../kubernetes/config-kinds.ts';
import type { OwnerReference } from '../kubernetes/core.ts';
import { OwnPod } from '../kubernetes/own-pod.ts';
import { type ObjectKey, splitKey } from '../kubernetes/resource.ts';
import { StatusWriter } from '../kubernetes/status-writer.ts';
import { WatchedKind } from '../kubernetes/watched-kind.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Pace } from '../runtime/pace.ts';
import type { Random } from '../runtime/random.ts';
import { type Layer2Facts, layer2StatusOf, layer2StatusText } from './layer2-status-content.ts';

/** Changes within this time are one write; milliseconds. */
const gatherTime = 200;
/** How old what is known of the node's interfaces may be; milliseconds. */
const interfaceAge = 1_000;
/** Between two looks at whether the API server is back; milliseconds. */
const awayTime = 2_000;
/** All writes of all objects: a node that dies leaves its addresses to others, thousands at once. */
const pace = { rate: 50, burst: 50 };
/** How long an object that somebody deletes, and again, is not made anew; milliseconds. It doubles each time. */
const recreation = { first: 1_000, longest: 60_000, forgottenAfter: 300_000 };

export type Layer2StatusOptions = Layer2Facts & {
  readonly client: ApiClient;
  readonly namespace: string;
  /** The Pod that owns the objects, so that they go with it; empty: nobody does. */
  readonly podName: string;
  readonly hash: Hash;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Keeps one ServiceL2Status for each Service that this node announces, and none for any other. It touches the objects
 * of its own node only, whoever has made them: those of other nodes are theirs, and go with their Pods, or see
 * ./departed-statuses.ts. A speaker of MetalLB that is elected deletes those of other nodes. That is no fight as long as
 * both find the same node elected; while they do not, ours is made anew less and less often.
 */
export class Layer2Status {
  readonly #options: Layer2StatusOptions;
  readonly #pod: OwnPod;
  readonly #kind: WatchedKind<ServiceL2StatusObject>;
  readonly #queue: WorkQueue;
  readonly #writer: StatusWriter<ServiceL2StatusObject, ServiceL2StatusContent>;
  readonly #pace: Pace;
  /** Service → the names of the objects about it. */
  readonly #names = new Map<ObjectKey, Set<string>>();
  /** Services that were looked at before it was known what there is. */
  readonly #early = new Set<ObjectKey>();
  /** Objects that are deleted by us. */
  readonly #deleting = new Set<string>();
  /** What is known of the node's interfaces. */
  #lately: { readonly at: number; readonly interfaces: readonly NodeInterface[] | undefined } | undefined;
  /** Service → how often in a row somebody else deleted its object, and when last. */
  readonly #robbed = new Map<ObjectKey, { readonly count: number; readonly at: number }>();

  constructor(options: Layer2StatusOptions) {
    const { node, hash, clock } = options;
    this.#options = options;
    this.#pod = new OwnPod(options);
    this.#pace = new Pace({ ...pace, clock });
    const labelSelector = `${serviceStatusLabels.node}=${labelValue(node, hash)}`;
    this.#kind = new WatchedKind({ ...options, resource: serviceL2Statuses, labelSelector, optional: true });
    this.#kind.store.onChange((key, now, before) => this.#see(splitKey(key).name, now, before));
    this.#queue = new WorkQueue({
      ...options,
      name: serviceL2Statuses.plural,
      reconcile: (service) => this.#reconcile(service),
      backoff: { base: 100, max: 30_000 },
    });
    this.#writer = new StatusWriter<ServiceL2StatusObject, ServiceL2StatusContent>({
      ...options,
      resource: serviceL2Statuses,
      objects: this.#kind.store,
      wanted: (name) => this.#wanted(name),
      textOf: layer2StatusText,
      pace: this.#pace,
    });
  }

  /** To be called when it is decided what this node announces: what is left of an earlier run may be deleted. */
  start(): void {
    this.#kind.synced.then(
      () => {
        for (const service of this.#early) this.look(service);
        this.#early.clear();
      },
      () => {}, // Stopped.
    );
    this.#kind.start();
  }

  /** To be called when something that is told of the Service may have changed. Returns at once. */
  look(service: ObjectKey): void {
    // Who stops withdraws everything, and leaves the objects to the next run or to the Pod's end.
    if (this.#options.signal.aborted) return;
    if (!this.#kind.store.hasSynced) {
      this.#early.add(service);
      return;
    }
    this.#queue.addAfter(service, gatherTime);
  }

  /** The objects stay and say what they said: they go with the Pod. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([this.#queue.stop(), this.#writer.stop(), this.#kind.stop()]);
  }

  #see(name: string, now: ServiceL2StatusObject | undefined, before: ServiceL2StatusObject | undefined): void {
    const service = serviceOf(now ?? before);
    if (service === undefined) return;
    const names = this.#names.get(service) ?? new Set();
    if (now === undefined) names.delete(name);
    else names.add(name);
    if (names.size === 0) this.#names.delete(service);
    else this.#names.set(service, names);
    if (now === undefined && !this.#deleting.delete(name)) this.#count(service);
    this.look(service);
  }

  async #reconcile(service: ObjectKey): Promise<void> {
    if (this.#options.signal.aborted) return;
    // One line of the log says that the API server is away, not one for each Service.
    if (this.#kind.staleSince !== undefined) {
      this.#queue.addAfter(service, awayTime);
      return;
    }
    const at = placeOf(service);
    const name = serviceL2StatusName(this.#options.node, at, this.#options.hash);
    const isAnnounced = () => this.#options.announcementOf(service) !== undefined;
    for (const other of this.#names.get(service) ?? []) {
      // One too many is what a speaker of MetalLB leaves that ran here before.
      if (other !== name || !isAnnounced()) await this.#delete(other);
    }
    if (!isAnnounced()) return;
    const metadata = await this.#metadata(at);
    const seen = this.#kind.store.get(this.#keyOf(name));
    const penalty = seen === undefined ? this.#penalty(service) : 0;
    if (penalty > 0) {
      this.#queue.addAfter(service, penalty);
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
    const { client, namespace, signal } = this.#options;
    try {
      await client.create(serviceL2Statuses, { metadata: { namespace, name, ...metadata }, spec: {} }, { signal });
    } catch (error) {
      // We have not seen it yet, or cannot: somebody took its labels away.
      if (!isAlreadyExists(error)) throw error;
      await this.#adopt(name, metadata);
    }
  }

  async #adopt(name: string, metadata: OwnMetadata): Promise<void> {
    const { client, signal } = this.#options;
    try {
      await mergePatch(client, serviceL2Statuses, this.#keyOf(name), { metadata }, { signal });
    } catch (error) {
      // Gone in the meantime, as the watch will tell.
      if (!isNotFound(error)) throw error;
    }
  }

  async #delete(name: string): Promise<void> {
    const { client, signal } = this.#options;
    const uid = this.#kind.store.get(this.#keyOf(name))?.metadata.uid;
    if (uid === undefined) return;
    await this.#turn();
    this.#deleting.add(name);
    try {
      const wasThere = await client.delete(serviceL2Statuses, this.#keyOf(name), { preconditions: { uid }, signal });
      if (!wasThere) this.#deleting.delete(name);
    } catch (error) {
      this.#deleting.delete(name);
      throw error;
    }
  }

  async #metadata(service: Place): Promise<OwnMetadata> {
    const { node, hash } = this.#options;
    const owner = await this.#pod.reference();
    const labels = serviceL2StatusLabels(node, service, hash);
    return owner === undefined ? { labels } : { labels, ownerReferences: [owner] };
  }

  #wanted(name: string) {
    const service = serviceOf(this.#kind.store.get(this.#keyOf(name)));
    if (service === undefined || this.#kind.staleSince !== undefined) return undefined;
    const at = placeOf(service);
    // Another object about the Service is about to be deleted.
    if (name !== serviceL2StatusName(this.#options.node, at, this.#options.hash)) return undefined;
    return layer2StatusOf(at, { ...this.#options, interfaces: () => this.#interfaces() });
  }

  /** To ask for them costs more than all the rest, and there may be thousands of statuses. */
  #interfaces(): readonly NodeInterface[] | undefined {
    const now = this.#options.clock.now();
    if (this.#lately === undefined || now - this.#lately.at >= interfaceAge) {
      this.#lately = { at: now, interfaces: this.#options.interfaces?.() };
    }
    return this.#lately.interfaces;
  }

  #count(service: ObjectKey): void {
    const at = this.#options.clock.now();
    const before = this.#robbed.get(service);
    const count = before !== undefined && at - before.at < recreation.forgottenAfter ? before.count + 1 : 1;
    this.#robbed.set(service, { count, at });
  }

  /** How long the object is not to be made anew, in milliseconds. */
  #penalty(service: ObjectKey): number {
    const robbed = this.#robbed.get(service);
    if (robbed === undefined) return 0;
    const passed = this.#options.clock.now() - robbed.at;
    if (passed >= recreation.forgottenAfter) this.#robbed.delete(service);
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

type Place = { readonly namespace: string; readonly name: string };

type OwnMetadata = {
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
};

function placeOf(service: ObjectKey): Place {
  const { namespace = '', name } = splitKey(service);
  return { namespace, name };
}

/** The labels are there from the beginning, the status is not. */
export function serviceOf(object: ServiceL2StatusObject | undefined): ObjectKey | undefined {
  const { labels } = object?.metadata ?? {};
  const name = object?.status?.serviceName ?? labels?.[serviceStatusLabels.serviceName];
  const namespace = object?.status?.serviceNamespace ?? labels?.[serviceStatusLabels.serviceNamespace];
  return name === undefined || namespace === undefined ? undefined : `${namespace}/${name}`;
}

function isAs({ metadata }: ServiceL2StatusObject, { labels, ownerReferences }: OwnMetadata): boolean {
  const isLabelled = Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
  const [first, ...others] = metadata.ownerReferences ?? [];
  const isOwned = ownerReferences === undefined || (first?.uid === ownerReferences[0]?.uid && others.length === 0);
  return isLabelled && isOwned;
}
