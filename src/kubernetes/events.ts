import { type Clock, sleep, timestamp } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Pace } from '../runtime/pace.ts';
import type { Random } from '../runtime/random.ts';
import { ApiError, isAlreadyExists, isNotFound } from './api-error.ts';
import { mergePatch } from './apply.ts';
import { type BackoffRange, backoffDelay } from './backoff.ts';
import type { ApiClient } from './client.ts';
import type { EventObject, EventType, KubernetesObject, ObjectReference } from './core.ts';
import { events, type ObjectKey, splitKey } from './resource.ts';

/** An event that repeats within this time is counted instead of written anew, as client-go does. Milliseconds. */
const repeatWindow = 600_000;
/** Per object, as client-go's spam filter: so many at once, then one per period (milliseconds). */
const burst = 25;
const refillPeriod = 300_000;
/** How many objects and events are remembered for counting; the longest unused are forgotten, as in client-go. */
const maxRemembered = 4_096;
/** Events that wait for the API server. What comes on top is dropped. */
const maxWaiting = 4_000;
/** Of the writes of all events: when a node dies, thousands of Services have something to tell. */
const defaultPace = { rate: 50, burst: 100 };
/** The API's own limits. */
const maxMessageLength = 1_024;
const maxNameLength = 253;
const maxAttempts = 10;

export type EventRecorderOptions = {
  readonly client: ApiClient;
  /** `garpoon-speaker`. */
  readonly component: string;
  /** The node. */
  readonly host?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly backoff?: BackoffRange;
  /** How many events a second are written, and how many at once after a pause. */
  readonly pace?: { readonly rate: number; readonly burst: number };
  /** How long `stop()` goes on sending; milliseconds. */
  readonly flushLimit?: number;
};

export type Occurrence = { readonly type: EventType; readonly reason: string; readonly message: string };

export type EventRecorderCounters = {
  /** Writes that the API server took. */
  readonly sent: number;
  /** Dropped: too many for one object, too many waiting, or refused. */
  readonly dropped: number;
};

/** One event on the server, or on its way there. */
type Entry = Occurrence & {
  readonly key: ObjectKey;
  readonly involved: ObjectReference;
  readonly first: string;
  last: string;
  /** When it last happened, by `clock.now()`. */
  lastSeen: number;
  count: number;
  created: boolean;
};

/**
 * Tells people, through Kubernetes Events, what happened to an object. `record` never throws and never waits; writing
 * goes on behind it, one event at a time, and gives up on an event rather than pile up.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #log: Logger;
  /** What makes two events the same → the event. Least recently seen first. */
  readonly #entries = new Map<string, Entry>();
  /** Object → its allowance. Least recently used first. */
  readonly #allowances = new Map<string, { left: number; refilled: number }>();
  /** To be written, in order; an entry that changes while it waits is written once. */
  readonly #waiting = new Set<Entry>();
  readonly #pace: Pace;
  readonly #hurry = new AbortController();
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;
  #stopped = false;
  #sent = 0;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#pace = new Pace({ ...defaultPace, ...options.pace, clock: options.clock });
  }

  /** `object` needs its kind and apiVersion, which objects of a Store have. Does nothing after `stop()`. */
  record(object: KubernetesObject, occurrence: Occurrence): void {
    if (this.#stopped) return;
    const entry = this.#allowed(object) ? this.#entryOf(object, occurrence) : undefined;
    if (entry === undefined || (this.#waiting.size >= maxWaiting && !this.#waiting.has(entry))) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.add(entry);
    this.#sending ??= this.#send();
  }

  /** Resolves when everything recorded is written, or after the flush limit. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#hurry.abort();
    if (this.#sending === undefined) return;
    const limit = this.#options.clock.after(this.#options.flushLimit ?? 2_000, () => this.#stopping.abort());
    await this.#sending;
    limit.cancel();
  }

  counters(): EventRecorderCounters {
    return { sent: this.#sent, dropped: this.#dropped };
  }

  #allowed(object: KubernetesObject): boolean {
    const now = this.#options.clock.now();
    const id = identify(object);
    const allowance = this.#allowances.get(id) ?? { left: burst, refilled: now };
    const refills = Math.floor((now - allowance.refilled) / refillPeriod);
    allowance.left = Math.min(burst, allowance.left + refills);
    allowance.refilled += refills * refillPeriod;
    remember(this.#allowances, id, allowance);
    if (allowance.left === 0) return false;
    allowance.left -= 1;
    return true;
  }

  /** The event that this one repeats, counted up, or a new one. */
  #entryOf(object: KubernetesObject, { type, reason, message: text }: Occurrence): Entry {
    const { clock } = this.#options;
    const message = text.slice(0, maxMessageLength);
    const id = [identify(object), type, reason, message].join('\n');
    const now = clock.now();
    const last = seconds(clock);
    let entry = this.#entries.get(id);
    if (entry !== undefined && now - entry.lastSeen < repeatWindow) {
      entry.count += 1;
      entry.last = last;
      entry.lastSeen = now;
    } else {
      const key = this.#newKey(object);
      const involved = referenceTo(object);
      entry = { key, involved, type, reason, message, first: last, last, lastSeen: now, count: 1, created: false };
    }
    remember(this.#entries, id, entry);
    return entry;
  }

  /** The form of client-go, `NAME.NANOSECONDS`; chance below the millisecond keeps two speakers apart. */
  #newKey(object: KubernetesObject): ObjectKey {
    const { clock, random } = this.#options;
    const nanoseconds = BigInt(Math.trunc(clock.wallTime())) * 1_000_000n + BigInt(random.integer(1_000_000));
    const suffix = `.${nanoseconds.toString(16)}`;
    const name = object.metadata.name.slice(0, maxNameLength - suffix.length) + suffix;
    return `${object.metadata.namespace ?? 'default'}/${name}`;
  }

  /** Never throws. */
  async #send(): Promise<void> {
    // Lets the caller finish first, so that what it records in one go is counted into one write.
    await Promise.resolve();
    for (const entry of this.#waiting) {
      await this.#turn();
      this.#waiting.delete(entry);
      if (this.#stopping.signal.aborted || !(await this.#deliver(entry))) this.#dropped += 1;
    }
    this.#sending = undefined;
  }

  /** Who stops waits for none. Never throws. */
  async #turn(): Promise<void> {
    const wait = this.#pace.take();
    if (wait > 0) await sleep(this.#options.clock, wait, this.#hurry.signal).catch(() => {});
  }

  async #deliver(entry: Entry): Promise<boolean> {
    const { clock, random, backoff = { base: 500, max: 10_000 } } = this.#options;
    const { signal } = this.#stopping;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#write(entry);
        this.#sent += 1;
        return true;
      } catch (error) {
        if (attempt === maxAttempts || signal.aborted || !isPassing(error)) {
          this.#log.debug('event not written', { event: entry.key, error });
          return false;
        }
        const asked = error instanceof ApiError ? (error.retryAfter ?? 0) : 0;
        // Rejects only when stopping: then one last attempt fails at once.
        await sleep(clock, Math.max(asked, backoffDelay(backoff, attempt, random)), signal).catch(() => {});
      }
    }
  }

  async #write(entry: Entry): Promise<void> {
    const { client } = this.#options;
    const { signal } = this.#stopping;
    if (entry.created) {
      try {
        await mergePatch(client, events, entry.key, { count: entry.count, lastTimestamp: entry.last }, { signal });
        return;
      } catch (error) {
        // Events expire on the server.
        if (!isNotFound(error)) throw error;
      }
    }
    try {
      await client.create(events, this.#eventOf(entry), { signal });
    } catch (error) {
      // The answer to an earlier attempt was lost.
      if (!isAlreadyExists(error)) throw error;
    }
    entry.created = true;
  }

  #eventOf(entry: Entry): EventObject {
    const { component, host } = this.#options;
    const { key, involved, type, reason, message, first, last, count } = entry;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: splitKey(key),
      involvedObject: involved,
      type,
      reason,
      message,
      source: host === undefined ? { component } : { component, host },
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: first,
      lastTimestamp: last,
      count,
    };
  }
}

function referenceTo({ apiVersion, kind, metadata }: KubernetesObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata;
  const reference = { apiVersion, kind, namespace, name, uid, resourceVersion };
  return Object.fromEntries(Object.entries(reference).filter(([, value]) => value !== undefined));
}

function identify({ kind, metadata }: KubernetesObject): string {
  return [kind, metadata.namespace, metadata.name, metadata.uid].join('\n');
}

/** Puts the entry last, and forgets the first when there are too many. */
function remember<V>(map: Map<string, V>, id: string, value: V): void {
  map.delete(id);
  map.set(id, value);
  if (map.size <= maxRemembered) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** Whether the same write may succeed later. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.code === 'refused') return error.status === 429 || error.status >= 500;
  return error.code === 'unreachable' || error.code === 'timeout' || error.code === 'credentials';
}

/** `metav1.Time` has whole seconds. */
function seconds(clock: Clock): string {
  return timestamp(clock).replace(/\.\d+Z$/, 'Z');
}
