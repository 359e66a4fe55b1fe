import { getSystemErrorName, inspect } from 'node:util';
import { type Address, addressFromBytes, formatAddress, parseAddress } from '../ip/address.ts';
import { loadAddonFile } from './addon.ts';
import {
  type BfdDrops,
  type BfdEchoDrops,
  type BfdEvent,
  type BfdSession,
  type BfdSessionState,
  bfdDropNames,
  bfdDrops,
  bfdEchoDropNames,
  bfdEchoDrops,
  bfdSessionState,
  type NativeBfdReport,
  packBfdSessions,
} from './bfd.ts';
import { isInterfacePattern } from './interface-pattern.ts';

/**
 * An address to answer for. `interfaces` holds names and globs (`eth*`), and need not exist yet: an interface that
 * comes later is used from then on. An empty list announces nowhere. A `held` address is watched for the claims of
 * other hosts, and neither answered for nor announced.
 */
export type Announcement = {
  readonly address: Address;
  readonly interfaces: readonly string[] | 'all';
  readonly held?: boolean;
};

export type ResponderOptions = {
  /** Names and globs of interfaces that are left alone, whatever an announcement says. */
  readonly excludeInterfaces: readonly string[];
  /**
   * Events that JavaScript does not take in time, over a thousand, are dropped and counted in `eventsDropped`;
   * `interfaces()` is right all the same.
   */
  readonly onEvent: (event: ResponderEvent) => void;
  readonly gratuitous?: Partial<GratuitousOptions>;
  /**
   * For how many ms (0 to a day) the responder goes on without `renew` before it falls silent; 0, which is the default:
   * for ever. A process that hangs must not hold for ever what others have taken over.
   */
  readonly deadline?: number;
  /**
   * For how many ms (100 to a day) the native thread may not run, because the process was stopped, the machine suspended
   * or its processor taken, without falling silent when it runs again; 0, which is the default: for ever. It is noticed
   * up to a quarter of the time early.
   */
  readonly lapse?: number;
  /** Whether the native thread may run before ordinary ones (SCHED_FIFO), where the system permits it; by default it may. */
  readonly realtime?: boolean;
  /**
   * Which socket filter keeps other people's frames away: `classic` BPF, which needs no capability of its own; an eBPF
   * `map`, where CAP_BPF is held; or `auto`, the map where a classic program is not exact.
   */
  readonly filter?: 'auto' | 'classic' | 'map';
};

/** How addresses are announced unasked. */
export type GratuitousOptions = {
  /** How often (1 to 100); IPv6 keeps within RFC 4861: 3 times at most, 1 s apart at least. */
  readonly rounds: number;
  /** How far apart, in ms (10 to 60,000). */
  readonly interval: number;
  /** Frames a second on one interface (1 to 1,000,000). Switches let a few hundred through and drop the rest. */
  readonly rate: number;
  /** Frames that may go out at once after a pause (1 to 65,536). */
  readonly burst: number;
  /** Announce again about every so many ms (1,000 to a day), as long as the address is in the table; 0: do not. */
  readonly refresh: number;
  /** Whom to tell in person as well: some routers take no notice of what is announced to everyone. */
  readonly unicast: 'off' | 'gateways' | 'neighbors';
};

/** `up` and `down` are of an interface that is switched on and has a carrier. */
export type InterfaceChange = 'added' | 'removed' | 'up' | 'down' | 'mac' | 'renamed';

export type ResponderEvent =
  | { readonly type: 'interface'; readonly name: string; readonly index: number; readonly change: InterfaceChange }
  | ConflictEvent
  | AnswerEvent
  /** The native thread did not run for so long. It is silent, until it gets a table that is made from now on. */
  | { readonly type: 'lapse'; readonly milliseconds: number }
  | BfdEvent
  | {
      /** Told once when something starts to fail; the responder keeps trying. */
      readonly type: 'error';
      readonly operation: string;
      /** For instance `EPERM`. */
      readonly code: string;
      /** The interface, when the failure is about one. */
      readonly name?: string;
      readonly index?: number;
      /** The address, when the failure is about one. */
      readonly address?: Address;
    };

/**
 * A host with a MAC address that is none of this machine says that it holds an address of the table (RFC 5227 section
 * 2.4). Told at most once in 10 s for the same three, and at most 16 times a second in all.
 */
export type ConflictEvent = {
  readonly type: 'conflict';
  readonly address: Address;
  readonly mac: string;
  /** The interface it was heard on. */
  readonly name: string;
  readonly index: number;
};

/** A host says that it has an address that was asked for with `ask`. Told at most four times of one question. */
export type AnswerEvent = Omit<ConflictEvent, 'type'> & { readonly type: 'answer' };

export type InterfaceState = {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly up: boolean;
  readonly carrier: boolean;
  /** Whether addresses can be announced here; with `reason` when not. */
  readonly eligible: boolean;
  readonly reason?: IneligibleReason;
  /**
   * Why an eligible interface is not among "all", and serves only addresses that name it: its traffic is routed apart,
   * or it hears the same requests as the interface it is part of.
   */
  readonly onlyByName?: 'vrf-member' | 'shares-parent';
};

export type ResponderStatus = {
  /** How the native thread gets the processor when others want it too: real time, sooner than others, or in its turn. */
  readonly scheduling: 'fifo' | 'slice' | 'ordinary';
  /** Which frames wake it: those about our addresses, those and some more, or for a moment any. */
  readonly arpFilter: FilterForm;
  readonly ndpFilter: FilterForm;
  /** The deadline has passed, or the native thread lapsed: nothing is answered or announced. */
  readonly silent: boolean;
};

export type FilterForm = 'open' | 'exact' | 'ranges' | 'map';

export type IneligibleReason =
  | 'excluded'
  | 'loopback'
  | 'not-ethernet'
  | 'point-to-point'
  | 'no-arp'
  | 'enslaved'
  | 'down';

/** What is counted since the responder was made; native/stats.h and native/drop_reason.h say what each means. */
export const counterNames = [
  'arpReceived',
  'arpAnswered',
  'ndpReceived',
  'ndpAnswered',
  'gratuitousArpSent',
  'unsolicitedNaSent',
  'probesSent',
  'conflictsReported',
  'conflictsSuppressed',
  'silences',
  'lapses',
  'sendFailures',
  'kernelDrops',
  'tableSwaps',
  'linkChanges',
  'linkResyncs',
  'groupJoinFailures',
  'socketFailures',
  'eventsDropped',
  'wakeups',
  'dropTooShort',
  'dropTooLong',
  'dropOtherHost',
  'dropMalformed',
  'dropNotRequest',
  'dropBadSender',
  'dropOwnSender',
  'dropBadHopLimit',
  'dropBadChecksum',
  'dropBadOption',
  'dropBadSource',
  'dropBadTarget',
  'dropNotAnnounced',
  'dropWrongInterface',
  'dropHeld',
  'dropSilent',
  'dropForeignClaim',
] as const;

/** What is counted of one address while it is in the table, and for some time after. */
export type AddressCounters = {
  readonly address: Address;
  /** Requests and solicitations for the address where it is announced, and what was answered of them. */
  readonly requestsReceived: number;
  readonly responsesSent: number;
  /** Frames that announced the address. An IPv4 round has two, and one more for each neighbour told in person. */
  readonly gratuitousSent: number;
};

export type CounterName = (typeof counterNames)[number];
export type Counters = { readonly [name in CounterName]: number };

/** How many names and globs a list of interfaces may have. */
export const maxInterfacePatterns = 4096;

export { isInterfacePattern };

/** Rounds and interval are MetalLB's. */
export const defaultGratuitous: GratuitousOptions = {
  rounds: 5,
  interval: 1100,
  rate: 400,
  burst: 64,
  refresh: 0,
  unicast: 'off',
};

const day = 86_400_000;

/**
 * Answers ARP requests and neighbour solicitations for a table of addresses, on a native thread that goes on while
 * JavaScript is busy, announces addresses unasked, and tells of other hosts that claim them. It works in the network namespace of the process. Close it:
 * until then it answers. It does not keep the process alive.
 *
 * Methods throw a TypeError or RangeError that names the value when an argument cannot be right, and a TypeError when
 * the responder is closed.
 */
export class Responder {
  readonly #addon: Addon;
  readonly #handle: Handle;

  /** Throws an Error with a `code` when the system refuses the thread or its descriptors. */
  constructor(options: ResponderOptions) {
    const { excludeInterfaces, onEvent, deadline = 0, lapse = 0, realtime = true, filter = 'auto' } = options;
    const gratuitous = { ...defaultGratuitous, ...options.gratuitous };
    checkPatterns('excludeInterfaces', excludeInterfaces);
    if (typeof onEvent !== 'function') throw new TypeError(`onEvent: not a function: ${inspect(onEvent)}`);
    checkInteger('gratuitous.rounds', gratuitous.rounds, 1, 100);
    checkInteger('gratuitous.interval', gratuitous.interval, 10, 60_000);
    checkInteger('gratuitous.rate', gratuitous.rate, 1, 1_000_000);
    checkInteger('gratuitous.burst', gratuitous.burst, 1, 65_536);
    if (gratuitous.refresh !== 0) checkInteger('gratuitous.refresh', gratuitous.refresh, 1_000, day);
    checkInteger('deadline', deadline, 0, day);
    if (lapse !== 0) checkInteger('lapse', lapse, 100, day);
    this.#addon = loadAddon();
    try {
      const settings = { excludeInterfaces, ...gratuitous, deadline, lapse, realtime, filter, seed: process.pid };
      this.#handle = this.#addon.open(settings, (event) => onEvent(fromNative(event)));
    } catch (cause) {
      if (!(cause instanceof Error) || !('errno' in cause)) throw cause;
      const code = getSystemErrorName(-Number(cause.errno));
      throw Object.assign(new Error(`start the responder: ${cause.message}: ${code}`, { cause }), { code });
    }
  }

  /**
   * Replaces the whole table, within a moment. A request that comes in meanwhile is answered by the old table or the
   * new one. Says nothing to the neighbours: see `announce`. A table that has an address twice is not taken, and an
   * error event says so. Does what `renew` does, and ends the silence after a missed deadline or a lapse.
   */
  setAnnouncements(table: readonly Announcement[]): void {
    const { packed, interfaceSets } = pack('announcements', table);
    this.#addon.setAnnouncements(this.#handle, packed, interfaceSets);
  }

  /**
   * Tells the neighbours at once where the addresses are, and again: in as many rounds as `gratuitous` says, or in
   * `rounds` (1 to 100). An address that is not in the table is passed over, and so is the rest of its rounds when it leaves the table.
   */
  announce(addresses: readonly Address[], rounds?: number): void {
    if (rounds !== undefined) checkInteger('rounds', rounds, 1, 100);
    this.#addon.announce(this.#handle, packAddresses(addresses), rounds ?? 0);
  }

  /**
   * Asks the neighbours whether one of them holds these addresses of the table, three times within a second (RFC 5227
   * section 2.1.1, RFC 4862 section 5.4.2). An answer comes as a conflict.
   */
  probe(addresses: readonly Address[]): void {
    this.#addon.probe(this.#handle, packAddresses(addresses));
  }

  /**
   * Asks the LAN once who has these addresses, which need not be in the table: on every interface that is among "all",
   * or on those of the names and globs. Whoever says within a second that he has one comes as an `answer`. It changes
   * no host's cache but that whoever answers for an IPv6 address learns ours.
   *
   * Returns how many of the addresses are asked for, from the first on; the others are too many for now: 128 are asked
   * for within a second, or fewer where `gratuitous` sets a lower `burst` and `rate`.
   */
  ask(addresses: readonly Address[], interfaces: Announcement['interfaces'] = 'all'): number {
    if (interfaces !== 'all') checkPatterns('interfaces', interfaces);
    const packed = packAddresses(addresses);
    // To the addon an empty list means every interface.
    return interfaces.length === 0 ? 0 : this.#addon.ask(this.#handle, packed, interfaces === 'all' ? [] : interfaces);
  }

  /**
   * Makes the BFD sessions these, within a moment. What is as before goes on undisturbed; timers, options and keys
   * change without the session going down; a session that is not among them any more tells its peer that this is no
   * failure.
   */
  setBfdSessions(sessions: readonly BfdSession[]): void {
    const packed = packBfdSessions(sessions);
    try {
      this.#addon.setBfdSessions(this.#handle, packed);
    } finally {
      packed.fill(0);
    }
  }

  /** The sessions that were set last as they are now, in that order. */
  bfdSessions(): readonly BfdSessionState[] {
    return this.#addon.bfdSessions(this.#handle).sessions.map(bfdSessionState);
  }

  /** BFD packets that were refused and belong to no session. */
  bfdDrops(): BfdDrops & BfdEchoDrops {
    const { unclaimed } = this.#addon.bfdSessions(this.#handle);
    return { ...bfdDrops(unclaimed), ...bfdEchoDrops(unclaimed) };
  }

  /**
   * Tells the native thread that this process is alive and knows what it announces. False when that comes after the
   * deadline or a lapse: others may have taken over, so the thread stays silent until it gets a table that was made since.
   */
  renew(): boolean {
    return this.#addon.renew(this.#handle);
  }

  status(): ResponderStatus {
    return this.#addon.status(this.#handle);
  }

  /** The interfaces of this network namespace as they are now. Complete from the start; changes come as events. */
  interfaces(): readonly InterfaceState[] {
    return this.#addon.interfaces(this.#handle);
  }

  /** The names and globs of the table that no present interface answers to. */
  unresolvedInterfaces(): readonly string[] {
    return this.#addon.unresolved(this.#handle);
  }

  /** Costs a few memory reads. Works after `close`, too, and then stays as it is. */
  counters(): Counters {
    const { counters } = this.#handle;
    return Object.fromEntries(
      this.#addon.counterNames.map((name, index) => [name, Number(counters[index])]),
    ) as Counters;
  }

  /**
   * Of the addresses of the table, and of the last thousand that left it: those go on where they stopped when they come
   * back. From one copy, made when this is called.
   */
  addressCounters(): Iterable<AddressCounters> {
    return unpackCounters(this.#addon.addressCounters(this.#handle));
  }

  /** Stops answering. Returns when the native thread has ended; no event comes afterwards. Idempotent. */
  close(): void {
    this.#addon.close(this.#handle);
  }
}

// ---- the addon

type Handle = { readonly counters: BigUint64Array };

type NativeEvent =
  | Extract<ResponderEvent, { type: 'interface' }>
  | Extract<ResponderEvent, { type: 'lapse' }>
  | BfdEvent
  | (Omit<ConflictEvent, 'address'> & { address: string })
  | (Omit<AnswerEvent, 'address'> & { address: string })
  | { type: 'error'; operation: string; errno: number; name?: string; index?: number; address?: string };

function fromNative(event: NativeEvent): ResponderEvent {
  switch (event.type) {
    case 'interface':
    case 'lapse':
    case 'bfd':
      return event;
    case 'conflict':
    case 'answer':
      return { ...event, address: parseAddress(event.address)! };
    case 'error': {
      const { errno, address, ...rest } = event;
      const code = getSystemErrorName(-errno);
      return address === undefined ? { ...rest, code } : { ...rest, code, address: parseAddress(address)! };
    }
    default:
      throw new TypeError(`no event of type ${event satisfies never}`);
  }
}

/** As in native/addon.cc. */
type Addon = {
  readonly counterNames: readonly CounterName[];
  readonly bfdDropNames: readonly string[];
  readonly bfdEchoDropNames: readonly string[];
  open(settings: NativeSettings, onEvent: (event: NativeEvent) => void): Handle;
  setAnnouncements(handle: Handle, packed: Uint8Array, interfaceSets: readonly (readonly string[])[]): void;
  announce(handle: Handle, packed: Uint8Array, rounds: number): void;
  probe(handle: Handle, packed: Uint8Array): void;
  ask(handle: Handle, packed: Uint8Array, interfaces: readonly string[]): number;
  addressCounters(handle: Handle): Uint8Array;
  setBfdSessions(handle: Handle, packed: Uint8Array): void;
  bfdSessions(handle: Handle): { sessions: (NativeBfdReport & { id: string })[]; unclaimed: NativeBfdReport };
  renew(handle: Handle): boolean;
  status(handle: Handle): ResponderStatus;
  interfaces(handle: Handle): InterfaceState[];
  unresolved(handle: Handle): string[];
  close(handle: Handle): void;
};

type NativeSettings = Required<
  Pick<ResponderOptions, 'excludeInterfaces' | 'deadline' | 'lapse' | 'realtime' | 'filter'>
> &
  GratuitousOptions & { readonly seed: number };

let loaded: Addon | undefined;

/** Loads the addon on first use, so that what only needs the types runs without it. */
function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  const file = loadAddonFile();
  const addon = file.addon as Addon;
  const names = [addon.counterNames, addon.bfdDropNames, addon.bfdEchoDropNames].join();
  if (names !== [counterNames, bfdDropNames, bfdEchoDropNames].join()) {
    throw new Error(`${file.path} is of another version: npm run build:native`);
  }
  loaded = addon;
  return addon;
}

// ---- what crosses to it

/** As in native/address_table.h: address (16 bytes) | family | flags | index of the interface set, little-endian. */
const packedSize = 20;
const heldFlag = 1;
const maxAnnouncements = 2 ** 20;
const maxInterfaceSets = 2 ** 16;

function pack(what: string, table: readonly Announcement[]) {
  checkArray(what, table);
  if (table.length > maxAnnouncements) throw new RangeError(`${what}: ${table.length}, over ${maxAnnouncements}`);
  const sets = new InterfaceSets();
  // Kept from table to table: the addon has read it when its function returns.
  if (scratch.byteLength < table.length * packedSize) scratch = new ArrayBuffer(table.length * packedSize);
  const view = new DataView(scratch);
  let length = 0;
  for (const entry of table) {
    const { address, interfaces, held } = entry ?? {};
    writeAddress(what, address, view, length);
    // To the addon an empty list means every interface.
    if (interfaces?.length === 0) continue;
    view.setUint8(length + 17, held === true ? heldFlag : 0);
    view.setUint16(length + 18, sets.indexOf(interfaces, address), true);
    length += packedSize;
  }
  return { packed: new Uint8Array(scratch, 0, length), interfaceSets: sets.list };
}

let scratch = new ArrayBuffer(0);

/** Throws when it is none. A hundred thousand at once must not keep the event loop, so no BigInt is made in vain. */
function writeAddress(what: string, address: Address, view: DataView, offset: number): void {
  const { family, value } = address ?? {};
  if (typeof value !== 'bigint' || (family !== 4 && family !== 6)) {
    throw new TypeError(`${what}: not an address: ${inspect(address)}`);
  }
  if (family === 4) {
    const number = Number(value);
    if (number < 0 || number > 0xffff_ffff) throw notOfFamily(what, address);
    view.setUint32(offset, number);
    view.setUint32(offset + 4, 0);
    view.setFloat64(offset + 8, 0);
  } else {
    const high = value >> 64n;
    if (high < 0n || high > highestHalf) throw notOfFamily(what, address);
    view.setBigUint64(offset, high);
    view.setBigUint64(offset + 8, value); // its lower half
  }
  view.setUint8(offset + 16, family);
}

const highestHalf = (1n << 64n) - 1n;

function notOfFamily(what: string, address: Address): RangeError {
  return new RangeError(`${what}: not an IPv${address.family} address: ${inspect(address)}`);
}

function packAddresses(addresses: readonly Address[]): Uint8Array {
  checkArray('addresses', addresses);
  return pack(
    'addresses',
    addresses.map((address) => ({ address, interfaces: 'all' })),
  ).packed;
}

/** As in native/address_stats.h: address (16 bytes) | family | zeros | three counters. */
const packedCountersSize = 48;

function* unpackCounters(packed: Uint8Array): Generator<AddressCounters> {
  for (let offset = 0; offset < packed.length; offset += packedCountersSize) {
    const address = addressFromBytes(packed.subarray(offset, offset + (packed[offset + 16] === 4 ? 4 : 16)))!;
    const counters = new BigUint64Array(packed.buffer, packed.byteOffset + offset + 24, 3);
    const [requestsReceived, responsesSent, gratuitousSent] = Array.from(counters, Number) as [number, number, number];
    yield { address, requestsReceived, responsesSent, gratuitousSent };
  }
}

/** Gives every different list of interfaces an index. */
class InterfaceSets {
  readonly list: (readonly string[])[] = [];
  readonly #byIdentity = new Map<Announcement['interfaces'], number>();
  readonly #byContent = new Map<string, number>();
  #last: Announcement['interfaces'] | null = null;
  #lastIndex = 0;

  indexOf(interfaces: Announcement['interfaces'], address: Address): number {
    // In a large table most entries have the list of the one before.
    if (interfaces === this.#last) return this.#lastIndex;
    this.#lastIndex = this.#byIdentity.get(interfaces) ?? this.#add(interfaces, address);
    this.#last = interfaces;
    return this.#lastIndex;
  }

  #add(interfaces: Announcement['interfaces'], address: Address): number {
    if (interfaces !== 'all') checkPatterns(`interfaces of ${formatAddress(address)}`, interfaces);
    const names = interfaces === 'all' ? [] : [...new Set(interfaces)].sort();
    const content = names.join('/'); // which no name contains
    let index = this.#byContent.get(content);
    if (index === undefined) {
      index = this.list.push(names) - 1;
      if (index >= maxInterfaceSets) throw new RangeError(`more than ${maxInterfaceSets} different interface lists`);
      this.#byContent.set(content, index);
    }
    this.#byIdentity.set(interfaces, index);
    return index;
  }
}

function checkArray(what: string, value: readonly unknown[]): void {
  if (!Array.isArray(value)) throw new TypeError(`${what}: not an array: ${inspect(value)}`);
}

function checkPatterns(what: string, patterns: readonly string[]): void {
  checkArray(what, patterns);
  if (patterns.length > maxInterfacePatterns) {
    throw new RangeError(`${what}: ${patterns.length} names, over ${maxInterfacePatterns}`);
  }
  for (const pattern of patterns) {
    if (typeof pattern !== 'string') throw new TypeError(`${what}: not a string: ${inspect(pattern)}`);
    if (!isInterfacePattern(pattern)) {
      throw new RangeError(`${what}: ${inspect(pattern)} cannot be an interface's name`);
    }
  }
}

function checkInteger(what: string, value: number, least: number, most: number): void {
  if (typeof value !== 'number') throw new TypeError(`${what}: not a number: ${inspect(value)}`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${what}: ${value} is not a whole number from ${least} to ${most}`);
  }
}
