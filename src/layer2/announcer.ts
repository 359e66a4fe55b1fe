import { type Address, formatAddress } from '../ip/address.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { type Announcement, isInterfacePattern, maxInterfacePatterns, type Responder } from './responder.ts';

/** What one Service wants announced from this node. The interfaces may be any texts: they come from a manifest. */
export type ServiceAnnouncement = {
  readonly addresses: readonly Address[];
  readonly interfaces: readonly string[] | 'all';
};

export type AnnouncerOptions = {
  readonly responder: Pick<Responder, 'setAnnouncements' | 'announce'>;
  readonly clock: Clock;
};

/**
 * Turns what each Service wants into the responder's one table. Changes made within one turn of the event loop reach
 * the responder as one swap; an address that is new in the table, or new on an interface, is announced by a
 * gratuitous burst, and an address that stays is not.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #desired = new Map<string, ServiceAnnouncement>(); // service key -> what it wants
  #table = new Map<string, Announcement>(); // address text -> what the responder was given last
  #pending: Timer | undefined;
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Replaces what a Service wants; undefined withdraws it. Does nothing when that is already so. */
  set(service: string, announcement: ServiceAnnouncement | undefined): void {
    const possible = announcement && possiblePart(announcement);
    if (possible === undefined) {
      if (!this.#desired.delete(service)) return;
    } else {
      const before = this.#desired.get(service);
      if (before !== undefined && sameAnnouncement(before, possible)) return;
      this.#desired.set(service, possible);
    }
    this.#pending ??= this.#options.clock.after(0, () => this.flush());
  }

  /** The Services that announce something now, in no order. */
  services(): IterableIterator<string> {
    return this.#desired.keys();
  }

  /** Hands the table to the responder now. Called by itself after `set`. */
  flush(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    if (this.#closed) return;
    const table = merge(this.#desired.values());
    const fresh = [...table.values()].filter((entry) => isFresh(entry, this.#table.get(formatAddress(entry.address))));
    this.#options.responder.setAnnouncements([...table.values()]);
    this.#table = table;
    if (fresh.length > 0) this.#options.responder.announce(fresh.map((entry) => entry.address));
  }

  /** Announces everything anew: somebody else may have claimed it meanwhile, and the neighbours believed it. */
  repeat(): void {
    this.flush();
    if (this.#table.size > 0) {
      this.#options.responder.announce([...this.#table.values()].map((entry) => entry.address));
    }
  }

  /** Withdraws everything. The responder stays open: its owner closes it. */
  close(): void {
    if (this.#closed) return;
    this.#desired.clear();
    this.flush();
    this.#closed = true;
  }
}

/**
 * Without names that no interface can have, nor more names than a host has interfaces: the responder would refuse the
 * table of all Services for one of them. Undefined when no name is left, because that is no wish for every interface.
 */
function possiblePart({ addresses, interfaces }: ServiceAnnouncement): ServiceAnnouncement | undefined {
  if (interfaces === 'all') return { addresses, interfaces };
  const possible = interfaces.filter(isInterfacePattern).slice(0, maxInterfacePatterns);
  return possible.length === 0 ? undefined : { addresses, interfaces: possible };
}

/** Services that share an address announce it on the union of their interfaces. */
function merge(wishes: Iterable<ServiceAnnouncement>): Map<string, Announcement> {
  const table = new Map<string, Announcement>();
  for (const { addresses, interfaces } of wishes) {
    for (const address of addresses) {
      const key = formatAddress(address);
      const other = table.get(key);
      table.set(key, { address, interfaces: other === undefined ? interfaces : union(other.interfaces, interfaces) });
    }
  }
  return table;
}

function union(a: Announcement['interfaces'], b: Announcement['interfaces']): Announcement['interfaces'] {
  return a === 'all' || b === 'all' ? 'all' : [...new Set([...a, ...b])].sort().slice(0, maxInterfacePatterns);
}

function isFresh(now: Announcement, before: Announcement | undefined): boolean {
  if (before === undefined) return true;
  if (before.interfaces === 'all') return false;
  if (now.interfaces === 'all') return true;
  return now.interfaces.some((name) => !before.interfaces.includes(name));
}

function sameAnnouncement(a: ServiceAnnouncement, b: ServiceAnnouncement): boolean {
  const text = (announcement: ServiceAnnouncement) =>
    JSON.stringify([announcement.addresses.map(formatAddress), announcement.interfaces]);
  return text(a) === text(b);
}
