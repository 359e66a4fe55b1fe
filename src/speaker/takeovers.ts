import { type Address, formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import type { AnnouncerChange } from '../layer2/announcer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { OwnershipMetrics, TakeoverCause } from './ownership-metrics.ts';

/** The loss of a node that is longer ago is not why an address comes here now; milliseconds. */
const longestDetection = 60_000;
/** Addresses named in one text. */
const maxNamed = 8;

/** `now` is of the monotonic clock, for durations; `at` is in milliseconds since 1970, for people. */
export type Moment = { readonly now: number; readonly at: number };

/** How an address came to this node. */
export type Takeover = {
  readonly address: Address;
  readonly services: readonly ObjectKey[];
  readonly cause: TakeoverCause;
  readonly previousOwner: string | undefined;
  /** When the previous owner was lost, or began to hand over; where there is none of it, as `elected`. */
  readonly detected: Moment;
  readonly elected: Moment;
  readonly announced: Moment;
};

/** Another speaker was told by the LAN that this node has the address. `at` is in milliseconds since 1970. */
export type Verified = { readonly at: number; readonly by: string; readonly mac: string };

/** An address that this node announces. */
export type Holding = {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Undefined: announced again, after a pause in which it was ours. */
  readonly takeover: Takeover | undefined;
  readonly verified: Verified | undefined;
};

type Pending = Omit<Takeover, 'announced' | 'services'> & { readonly services: Set<ObjectKey> };

export type TakeoversOptions = {
  readonly node: string;
  readonly services: Pick<Store<Service>, 'get'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<OwnershipMetrics, 'takeover'>;
  /** What is known of addresses of these Services has changed. */
  readonly onChange: (services: Iterable<ObjectKey>) => void;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * Records how addresses come to this node, and when. An address is elected, then announced, then verified; it is
 * forgotten when it is withdrawn. Invariant: an address is in #pending or in #holdings or in neither.
 */
export class Takeovers {
  readonly #options: TakeoversOptions;
  /** Elected here, and not announced yet; by the address's text. */
  readonly #pending = new Map<string, Pending>();
  /** Service → its addresses in #pending. */
  readonly #pendingOf = new Map<ObjectKey, ReadonlySet<string>>();
  readonly #holdings = new Map<string, Holding>(); // by the address's text
  readonly #lost = new Map<string, Moment>(); // by node
  readonly #handingOver = new Map<string, Moment>(); // by node
  #settled = false;

  constructor(options: TakeoversOptions) {
    this.#options = options;
  }

  /** What comes from now on was not found at the start. */
  settle(): void {
    this.#settled = true;
  }

  /** The speaker of the node is dead, or gone from the ring. */
  lost(node: string, when: Moment = this.#moment()): void {
    if (!this.#lost.has(node)) this.#lost.set(node, when);
  }

  /** The speaker of the node has begun to hand over what it has: it stops, or the node is drained. */
  handsOver(node: string, when: Moment = this.#moment()): void {
    if (!this.#handingOver.has(node)) this.#handingOver.set(node, when);
  }

  /** The node is alive, and hands nothing over. */
  isWell(node: string): void {
    this.#lost.delete(node);
    this.#handingOver.delete(node);
  }

  /**
   * This node is to announce these addresses of the Service. To be told as often as that is decided: what is announced
   * already is no takeover. `previousOwner` tells who had an address before.
   */
  elected(
    service: ObjectKey,
    addresses: readonly Address[],
    previousOwner: (address: string) => string | undefined,
  ): void {
    const texts = new Set(addresses.map(formatAddress).filter((text) => !this.#holdings.has(text)));
    this.#forget(service, texts);
    if (texts.size === 0) return;
    this.#pendingOf.set(service, texts);
    for (const address of addresses) {
      const text = formatAddress(address);
      if (!texts.has(text)) continue;
      const pending = this.#pending.get(text);
      if (pending !== undefined) pending.services.add(service);
      else this.#pending.set(text, { ...this.#begin(address, previousOwner(text)), services: new Set([service]) });
    }
  }

  /** This node is not to announce the Service after all. */
  unelected(service: ObjectKey): void {
    this.#forget(service, new Set());
  }

  /** The responder answers for other addresses than before. */
  changed({ announced, withdrawn }: Pick<AnnouncerChange, 'announced' | 'withdrawn'>): void {
    for (const address of withdrawn) this.#holdings.delete(formatAddress(address));
    const now = this.#moment();
    const done: Takeover[] = [];
    for (const address of announced) {
      const takeover = this.#complete(formatAddress(address), now);
      this.#holdings.set(formatAddress(address), { since: now.at, takeover, verified: undefined });
      if (takeover !== undefined) done.push(takeover);
    }
    this.#tell(done);
  }

  verified(address: Address, by: string, mac: string): void {
    const { onChange, metrics } = this.#options;
    const text = formatAddress(address);
    const holding = this.#holdings.get(text);
    if (holding === undefined) return;
    const { now, at } = this.#moment();
    this.#holdings.set(text, { ...holding, verified: { at, by, mac } });
    const { takeover } = holding;
    if (takeover === undefined) return;
    if (holding.verified === undefined) {
      metrics.takeover('verified', takeover.cause, (now - takeover.detected.now) / 1_000);
    }
    onChange(takeover.services);
  }

  /** Undefined when this node does not announce the address. */
  holding(address: Address): Holding | undefined {
    return this.#holdings.get(formatAddress(address));
  }

  #begin(address: Address, previous: string | undefined): Omit<Pending, 'services'> {
    const previousOwner = previous === this.#options.node ? undefined : previous;
    const elected = this.#moment();
    const [cause, detected] = this.#causeOf(previousOwner, elected);
    return { address, cause, previousOwner, elected, detected: detected ?? elected };
  }

  #causeOf(previousOwner: string | undefined, { now }: Moment): readonly [TakeoverCause, Moment?] {
    if (!this.#settled) return ['start'];
    if (previousOwner === undefined) return ['new'];
    const recent = (when: Moment | undefined) => (when && now - when.now < longestDetection ? when : undefined);
    const handingOver = recent(this.#handingOver.get(previousOwner));
    if (handingOver !== undefined) return ['handover', handingOver];
    const lost = this.#lost.get(previousOwner);
    if (lost === undefined) return ['failback'];
    return recent(lost) === undefined ? ['new'] : ['lost', lost];
  }

  /** Takes the Service away from those addresses that it does not wait for any longer. */
  #forget(service: ObjectKey, kept: ReadonlySet<string>): void {
    for (const text of this.#pendingOf.get(service) ?? []) {
      const pending = this.#pending.get(text);
      if (kept.has(text) || pending === undefined) continue;
      pending.services.delete(service);
      if (pending.services.size === 0) this.#pending.delete(text);
    }
    this.#pendingOf.delete(service);
  }

  #complete(text: string, announced: Moment): Takeover | undefined {
    const pending = this.#pending.get(text);
    if (pending === undefined) return undefined;
    this.#pending.delete(text);
    const takeover = { ...pending, services: [...pending.services], announced };
    const { metrics } = this.#options;
    const { cause, detected, elected } = takeover;
    metrics.takeover('elected', cause, (elected.now - detected.now) / 1_000);
    metrics.takeover('announced', cause, (announced.now - detected.now) / 1_000);
    return takeover;
  }

  /** A line for all that has one cause, and an event for each Service that another node had. */
  #tell(done: readonly Takeover[]): void {
    const { services, events, log } = this.#options;
    for (const together of groups(done, sameCause)) {
      const [{ cause, previousOwner }] = together;
      const fields = { cause, addresses: namesOf(together), count: together.length, ...timesOf(together) };
      if (previousOwner === undefined) log.debug('addresses taken', fields);
      else log.info('addresses taken over', { from: previousOwner, ...fields });
    }
    const others = done.filter(({ previousOwner }) => previousOwner !== undefined);
    const byService = others.flatMap((takeover) => takeover.services.map((service) => ({ ...takeover, service })));
    for (const together of groups(byService, (one) => `${one.service}\n${sameCause(one)}`)) {
      const service = services.get(together[0].service);
      if (service !== undefined) {
        events.record(service, { type: 'Normal', reason: 'TookOver', message: messageOf(together) });
      }
    }
  }

  #moment(): Moment {
    const { clock } = this.#options;
    return { now: clock.now(), at: clock.wallTime() };
  }
}

type Group<T> = readonly [T, ...T[]];

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Iterable<Group<T>> {
  const found = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = found.get(keyOf(item));
    if (group === undefined) found.set(keyOf(item), [item]);
    else group.push(item);
  }
  return found.values();
}

function sameCause({ cause, previousOwner = '' }: Takeover): string {
  return `${cause}\n${previousOwner}`;
}

/** `took over 192.0.2.10 from node-b, which was lost 312 ms before; announced after 14 ms` */
function messageOf(together: Group<Takeover>): string {
  const [{ previousOwner }] = together;
  const { announcedAfter } = timesOf(together);
  const names = namesOf(together).join(', ');
  const more = together.length > maxNamed ? ` and ${together.length - maxNamed} more` : '';
  const why = `from ${previousOwner}, ${reasonOf(together)}`;
  return `took over ${names}${more} ${why}; announced after ${announcedAfter} ms`;
}

function reasonOf(together: Group<Takeover>): string {
  const [{ cause }] = together;
  const { electedAfter } = timesOf(together);
  switch (cause) {
    case 'lost':
      return `which was lost ${electedAfter} ms before`;
    case 'handover':
      return `which began to hand over ${electedAfter} ms before`;
    case 'failback':
      return 'which gave it up for this node';
    case 'start':
      return 'when this speaker started';
    case 'new':
      return 'which has been gone for long';
    default:
      throw new TypeError(`no cause ${cause satisfies never}`);
  }
}

/** The longest of each, in whole milliseconds. */
function timesOf(together: Group<Takeover>): { readonly electedAfter: number; readonly announcedAfter: number } {
  const longest = (time: (takeover: Takeover) => number) =>
    Math.round(together.reduce((most, one) => Math.max(most, time(one)), 0));
  return {
    electedAfter: longest(({ elected, detected }) => elected.now - detected.now),
    announcedAfter: longest(({ announced, elected }) => announced.now - elected.now),
  };
}

function namesOf(together: readonly Takeover[]): readonly string[] {
  return together.slice(0, maxNamed).map(({ address }) => formatAddress(address));
}
