import { type Address, formatAddress } from '../ip/address.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Announcement, Responder } from './responder.ts';

/** What one Service wants announced from this node. */
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
    if (announcement === undefined) {
      if (!this.#desired.delete(service)) return;
    } else {
      const before = this.#desired.get(service);
      if (before !== undefined && sameAnnouncement(before, announcement)) return;
      this.#desired.set(service, announcement);
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

  /** Withdraws everything. The responder stays open: its owner closes it. */
  close(): void {
    if (this.#closed) return;
    this.#desired.clear();
    this.flush();
    this.#closed = true;
  }
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
  return a === 'all' || b === 'all' ? 'all' : [...new Set([...a, ...b])].sort();
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
