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
  /** Called when the responder has been told to announce other addresses than before, or not to. Must not throw. */
  readonly onAnnounced?: (added: readonly Address[], removed: readonly Address[]) => void;
};

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
  readonly #probe: AddressProbe;
  #table: ReadonlyMap<string, Announcement> = new Map(); // address text -> what the responder was given last
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
    this.#flushSoon();
  }

  /** The Services that announce something now, in no order. */
  services(): IterableIterator<string> {
    return this.#desired.keys();
  }

  /** Each Service with those of its addresses that are announced. */
  *announced(): Generator<readonly [service: string, addresses: readonly Address[]]> {
    for (const [service, { addresses }] of this.#desired) {
      yield [service, addresses.filter((address) => this.#table.get(formatAddress(address))?.held === false)];
    }
  }

  /** Those that want the address announced. */
  servicesOf(address: Address): readonly string[] {
    const wants = ({ addresses }: ServiceAnnouncement) => addresses.some((each) => sameAddress(each, address));
    return [...this.#desired].flatMap(([service, wish]) => (wants(wish) ? [service] : []));
  }

  /** What a Service has announced, or is about to. */
  announcementOf(service: string): ServiceAnnouncement | undefined {
    return this.#desired.get(service);
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
    if (this.#table.get(formatAddress(address))?.held === false) this.#options.responder.announce([address], 1);
  }

  /** Hands the table to the responder now. Called by itself after `set`. */
  flush(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    if (this.#closed) return;
    const { responder, probe } = this.#options;
    const wishes = merge(this.#desired.values());
    const unproven = [...this.#unproven].flatMap((key) => wishes.get(key)?.address ?? []);
    this.#unproven.clear();
    for (const key of this.#table.keys()) if (!wishes.has(key)) this.#probe.forget(key);
    if (probe === 'refuse') for (const address of unproven) this.#probe.hold(address);
    const table = new Map<string, Announcement & { readonly held: boolean }>();
    for (const [key, wish] of wishes) table.set(key, { ...wish, held: this.#probe.isHeld(key) });
    const fresh = [...table].filter(([key, entry]) => isFresh(entry, this.#table.get(key)));
    const before = this.#table;
    responder.setAnnouncements([...table.values()]);
    this.#table = table;
    if (fresh.length > 0) responder.announce(fresh.map(([, { address }]) => address));
    this.#tellAnnounced(before);
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

  #tellAnnounced(before: ReadonlyMap<string, Announcement>): void {
    const notIn = (one: ReadonlyMap<string, Announcement>, other: ReadonlyMap<string, Announcement>) =>
      [...one].flatMap(([key, { held, address }]) => (held || other.get(key)?.held === false ? [] : [address]));
    const [added, removed] = [notIn(this.#table, before), notIn(before, this.#table)];
    if (added.length + removed.length > 0) this.#options.onAnnounced?.(added, removed);
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
