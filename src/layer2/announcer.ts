import { type Address, formatAddress, sameAddress } from '../ip/address.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { AddressProbe, type AddressProbeOptions, type Claimant } from './address-probe.ts';
import { type Announcement, isInterfacePattern, maxInterfacePatterns, type Responder } from './responder.ts';

/** What one Service wants announced from this node. The interfaces may be any texts: they come from a manifest. */
export type ServiceAnnouncement = {
  readonly addresses: readonly Address[];
  readonly interfaces: readonly string[] | 'all';
  /** Those of the addresses that no node has announced yet: somebody else may have them. To be told once. */
  readonly newlyAssigned?: readonly Address[];
};

/**
 * What is done about a newly assigned address: nothing; ask the neighbours for it while it is announced, so that a claim
 * comes to light; or ask first, and announce it only if nobody claims it.
 */
export type ProbePolicy = 'off' | 'warn' | 'refuse';

export type AnnouncerOptions = {
  readonly responder: Pick<Responder, 'setAnnouncements' | 'announce' | 'probe'>;
  readonly probe: ProbePolicy;
  /** The responder's `gratuitous.rate`. */
  readonly rate: number;
  readonly clock: Clock;
  /** With policy `refuse`: a newly assigned address is not announced, because somebody else has it. */
  readonly onRefused: AddressProbeOptions['onRefused'];
  /** The responder has been given a table that differs in this. */
  readonly onChange?: (change: AnnouncerChange) => void;
};

/** What a table changes for the neighbours. */
export type AnnouncerChange = {
  /** Answered for from now on. */
  readonly announced: readonly Address[];
  /** Not answered for any more, because nobody here wants it, or because it is held. */
  readonly withdrawn: readonly Address[];
  /** The Services that have anything to do with it, also those of which only the interfaces are others. */
  readonly services: ReadonlySet<string>;
};

/** An entry of the table, and the Services that want it. */
type Entry = Announcement & { readonly held: boolean; readonly services: readonly string[] };

/**
 * Turns what each Service wants into the responder's one table. Changes made within one turn of the event loop reach
 * the responder as one swap; an address that is new in the table, or new on an interface, is announced by a
 * gratuitous burst, and an address that stays is not.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #desired = new Map<string, ServiceAnnouncement>(); // service key -> what it wants
  /** Newly assigned addresses that the next table will be the first to have, by their texts. */
  readonly #unproven = new Set<string>();
  /** Addresses that another speaker has the better claim to, by their texts. */
  readonly #suspended = new Set<string>();
  /** Services that want something else than at the last flush. */
  readonly #changed = new Set<string>();
  readonly #probe: AddressProbe;
  #table: ReadonlyMap<string, Entry> = new Map(); // address text -> what the responder was given last
  #pending: Timer | undefined;
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#probe = new AddressProbe({ ...options, onFree: () => this.#flushSoon() });
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
      for (const text of (possible.newlyAssigned ?? []).map(formatAddress)) {
        if (!this.#table.has(text)) this.#unproven.add(text);
      }
    }
    this.#changed.add(service);
    this.#flushSoon();
  }

  /** The Services that announce something now, in no order. */
  services(): IterableIterator<string> {
    return this.#desired.keys();
  }

  /** Each Service with those of its addresses that are announced. */
  *announced(): Generator<readonly [service: string, addresses: readonly Address[]]> {
    for (const [service, { addresses }] of this.#desired) {
      yield [service, addresses.filter((address) => this.isAnnounced(address))];
    }
  }

  /** What a Service wants announced, whether it is yet or not. */
  wishOf(service: string): ServiceAnnouncement | undefined {
    return this.#desired.get(service);
  }

  /** What of a Service is announced; undefined for nothing. */
  announcementOf(service: string): Pick<ServiceAnnouncement, 'addresses' | 'interfaces'> | undefined {
    const wish = this.#desired.get(service);
    const addresses = wish?.addresses.filter((address) => this.isAnnounced(address)) ?? [];
    return wish === undefined || addresses.length === 0 ? undefined : { addresses, interfaces: wish.interfaces };
  }

  /** Whether the neighbours are told that the address is here. */
  isAnnounced(address: Address): boolean {
    return this.#table.get(formatAddress(address))?.held === false;
  }

  /** Those that want the address announced. */
  servicesOf(address: Address): readonly string[] {
    const wants = ({ addresses }: ServiceAnnouncement) => addresses.some((each) => sameAddress(each, address));
    return [...this.#desired].flatMap(([service, wish]) => (wants(wish) ? [service] : []));
  }

  /** The newly assigned addresses of a Service that have not been announced yet. */
  unannounced(service: string): readonly Address[] {
    const addresses = this.#desired.get(service)?.addresses ?? [];
    return addresses.filter((address) => this.#unproven.has(formatAddress(address)) || this.isHeld(address));
  }

  /** Whether the address is not announced because somebody else may have it. */
  isHeld(address: Address): boolean {
    return this.#probe.isHeld(formatAddress(address));
  }

  /** Another host says that the address is his. Not to be told of a speaker that is handing it over. */
  claimed(address: Address, by: Claimant): void {
    this.#probe.claimed(address, by);
  }

  /** Tells the neighbours once more that the address is here (RFC 5227 section 2.4, defence). */
  defend(address: Address): void {
    if (this.isAnnounced(address)) this.#options.responder.announce([address], 1);
  }

  /**
   * Gives way to a host that has the address, too: it is not announced any more until nobody answers for it, which is
   * asked every 30 s. Told of as a refusal.
   */
  giveWay(address: Address, by: Claimant): void {
    if (!this.isAnnounced(address)) return;
    this.#probe.hold(address);
    this.#probe.claimed(address, by);
    this.flush();
  }

  /** The address is not announced until `resume`, or until nobody here wants it any more. */
  suspend(address: Address): void {
    if (!this.isAnnounced(address)) return;
    this.#suspended.add(formatAddress(address));
    this.flush();
  }

  isSuspended(address: Address): boolean {
    return this.#suspended.has(formatAddress(address));
  }

  resume(address: Address): void {
    if (this.#suspended.delete(formatAddress(address))) this.flush();
  }

  /** Hands the table to the responder now. Called by itself after `set`. */
  flush(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    if (this.#closed) return;
    const { responder, probe, onChange } = this.#options;
    const wishes = merge(this.#desired);
    const unproven = [...this.#unproven].flatMap((key) => wishes.get(key)?.address ?? []);
    this.#unproven.clear();
    for (const key of this.#table.keys()) {
      if (wishes.has(key)) continue;
      this.#probe.forget(key);
      this.#suspended.delete(key);
    }
    if (probe === 'refuse') for (const address of unproven) this.#probe.hold(address);
    const table = new Map<string, Entry>();
    for (const [key, wish] of wishes) {
      table.set(key, { ...wish, held: this.#probe.isHeld(key) || this.#suspended.has(key) });
    }
    const fresh = [...table].filter(([key, entry]) => isFresh(entry, this.#table.get(key)));
    responder.setAnnouncements([...table.values()]);
    const before = this.#table;
    this.#table = table;
    if (fresh.length > 0) responder.announce(fresh.map(([, { address }]) => address));
    const change = difference(before, table, this.#changed);
    this.#changed.clear();
    if (change !== undefined) onChange?.(change);
    // Last: the responder hears claims of the addresses in its table only.
    if (probe !== 'off') this.#probe.ask(unproven);
  }

  /**
   * Announces everything anew but what is excepted: somebody else may have claimed it meanwhile, and the neighbours
   * believed it.
   */
  repeat(isExcepted: (address: Address) => boolean = () => false): void {
    this.flush();
    const announced = [...this.#table.values()].filter(({ held, address }) => !held && !isExcepted(address));
    if (announced.length > 0) this.#options.responder.announce(announced.map(({ address }) => address));
  }

  /** Withdraws everything. The responder stays open: its owner closes it. */
  close(): void {
    if (this.#closed) return;
    this.#desired.clear();
    this.flush();
    this.#probe.close();
    this.#closed = true;
  }

  #flushSoon(): void {
    this.#pending ??= this.#options.clock.after(0, () => this.flush());
  }
}

/**
 * Without names that no interface can have, nor more names than a host has interfaces: the responder would refuse the
 * table of all Services for one of them. Undefined when no name is left, because that is no wish for every interface.
 */
function possiblePart(wish: ServiceAnnouncement): ServiceAnnouncement | undefined {
  if (wish.interfaces === 'all') return wish;
  const possible = wish.interfaces.filter(isInterfacePattern).slice(0, maxInterfacePatterns);
  return possible.length === 0 ? undefined : { ...wish, interfaces: possible };
}

/** Services that share an address announce it on the union of their interfaces. */
function merge(wishes: ReadonlyMap<string, ServiceAnnouncement>): ReadonlyMap<string, Omit<Entry, 'held'>> {
  const table = new Map<string, { address: Address; interfaces: Announcement['interfaces']; services: string[] }>();
  for (const [service, { addresses, interfaces }] of wishes) {
    for (const address of addresses) {
      const key = formatAddress(address);
      const other = table.get(key);
      if (other === undefined) table.set(key, { address, interfaces, services: [service] });
      else {
        other.interfaces = union(other.interfaces, interfaces);
        other.services.push(service);
      }
    }
  }
  return table;
}

/** Undefined for nothing. `changed`: the Services whose wishes are others. */
function difference(
  before: ReadonlyMap<string, Entry>,
  now: ReadonlyMap<string, Entry>,
  changed: ReadonlySet<string>,
): AnnouncerChange | undefined {
  const isIn = (table: ReadonlyMap<string, Entry>, key: string) => table.get(key)?.held === false;
  const announced = [...now].flatMap(([key, entry]) => (entry.held || isIn(before, key) ? [] : [entry]));
  const withdrawn = [...before].flatMap(([key, entry]) => (entry.held || isIn(now, key) ? [] : [entry]));
  const concerned = [...announced, ...withdrawn];
  const services = new Set([...changed, ...concerned.flatMap((entry) => entry.services)]);
  if (services.size === 0) return undefined;
  const addressesOf = (entries: readonly Entry[]) => entries.map(({ address }) => address);
  return { announced: addressesOf(announced), withdrawn: addressesOf(withdrawn), services };
}

function union(a: Announcement['interfaces'], b: Announcement['interfaces']): Announcement['interfaces'] {
  return a === 'all' || b === 'all' ? 'all' : [...new Set([...a, ...b])].sort().slice(0, maxInterfacePatterns);
}

function isFresh(now: Announcement, before: Announcement | undefined): boolean {
  if (now.held) return false;
  if (before === undefined || before.held) return true;
  if (before.interfaces === 'all') return false;
  if (now.interfaces === 'all') return true;
  return now.interfaces.some((name) => !before.interfaces.includes(name));
}

/** Whether the addresses are new does not matter: it is news only the first time. */
function sameAnnouncement(a: ServiceAnnouncement, b: ServiceAnnouncement): boolean {
  const text = (announcement: ServiceAnnouncement) =>
    JSON.stringify([announcement.addresses.map(formatAddress), announcement.interfaces]);
  return text(a) === text(b);
}
