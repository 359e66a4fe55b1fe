import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName, inspect } from 'node:util';
import { type Address, formatAddress } from '../ip/address.ts';

/**
 * An address to answer for. `interfaces` holds names and globs (`eth*`), and need not exist yet: an interface that
 * comes later is used from then on. An empty list announces nowhere.
 */
export type Announcement = { readonly address: Address; readonly interfaces: readonly string[] | 'all' };

export type ResponderOptions = {
  /** Names and globs of interfaces that are left alone, whatever an announcement says. */
  readonly excludeInterfaces: readonly string[];
  /**
   * Events that JavaScript does not take in time, over a thousand, are dropped and counted in `eventsDropped`;
   * `interfaces()` is right all the same.
   */
  readonly onEvent: (event: ResponderEvent) => void;
  /**
   * How often an address is announced unasked (1 to 100), and how far apart in ms (10 to 60,000). IPv6 keeps within
   * RFC 4861: 3 times at most, 1 s apart at least.
   */
  readonly gratuitous?: { readonly rounds: number; readonly interval: number };
};

/** `up` and `down` are of an interface that is switched on and has a carrier. */
export type InterfaceChange = 'added' | 'removed' | 'up' | 'down' | 'mac' | 'renamed';

export type ResponderEvent =
  | { readonly type: 'interface'; readonly name: string; readonly index: number; readonly change: InterfaceChange }
  | {
      /** Told once when something starts to fail; the responder keeps trying. */
      readonly type: 'error';
      readonly operation: string;
      /** For instance `EPERM`. */
      readonly code: string;
      /** The interface, when the failure is about one. */
      readonly name?: string;
      readonly index?: number;
    };

export type InterfaceState = {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly up: boolean;
  readonly carrier: boolean;
  /** Whether addresses can be announced here; with `reason` when not. */
  readonly eligible: boolean;
  readonly reason?: IneligibleReason;
};

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
  'dropForeignClaim',
] as const;

export type CounterName = (typeof counterNames)[number];
export type Counters = { readonly [name in CounterName]: number };

/** How many names and globs a list of interfaces may have. */
export const maxInterfacePatterns = 4096;

/**
 * Whether an interface could ever have the name, or match the glob: 15 bytes as Linux allows them, 64 for a glob. The
 * responder takes nothing else. As in native/interface_pattern.cc: byte 0xa0 is a blank to the kernel wherever it is.
 */
export function isInterfacePattern(text: string): boolean {
  const bytes = Buffer.from(text).toString('latin1');
  const limit = /[*?[]/.test(text) ? 64 : 15;
  return bytes.length <= limit && !/^$|^\.{1,2}$|[/:\0-\x20\x7f\xa0]/.test(bytes);
}

const defaultGratuitous = { rounds: 5, interval: 1100 };

/**
 * Answers ARP requests and neighbour solicitations for a table of addresses, on a native thread that goes on while
 * JavaScript is busy, and announces addresses unasked. It works in the network namespace of the process. Close it:
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
    const { excludeInterfaces, onEvent, gratuitous = defaultGratuitous } = options;
    checkPatterns('excludeInterfaces', excludeInterfaces);
    if (typeof onEvent !== 'function') throw new TypeError(`onEvent: not a function: ${inspect(onEvent)}`);
    checkInteger('gratuitous.rounds', gratuitous.rounds, 1, 100);
    checkInteger('gratuitous.interval', gratuitous.interval, 10, 60_000);
    this.#addon = loadAddon();
    try {
      this.#handle = this.#addon.open(excludeInterfaces, gratuitous.rounds, gratuitous.interval, (event) =>
        onEvent(event.type === 'error' ? withCode(event) : event),
      );
    } catch (cause) {
      if (!(cause instanceof Error) || !('errno' in cause)) throw cause;
      const code = getSystemErrorName(-Number(cause.errno));
      throw Object.assign(new Error(`start the responder: ${cause.message}: ${code}`, { cause }), { code });
    }
  }

  /** Whether the native thread runs before ordinary ones (SCHED_FIFO); it needs CAP_SYS_NICE for that. */
  get realtime(): boolean {
    return this.#handle.realtime;
  }

  /**
   * Replaces the whole table. A request that comes in meanwhile is answered by the old table or the new one. Says
   * nothing to the neighbours: see `announce`.
   */
  setAnnouncements(table: readonly Announcement[]): void {
    const { packed, interfaceSets } = pack('announcements', table);
    this.#addon.setAnnouncements(this.#handle, packed, interfaceSets);
  }

  /**
   * Tells the neighbours at once where the addresses are, and again for the rounds that `gratuitous` asks for. An
   * address that is not in the table is passed over, and so is the rest of its rounds when it leaves the table.
   */
  announce(addresses: readonly Address[]): void {
    checkArray('addresses', addresses);
    const { packed } = pack(
      'addresses',
      addresses.map((address) => ({ address, interfaces: 'all' })),
    );
    this.#addon.announce(this.#handle, packed);
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

  /** Stops answering. Returns when the native thread has ended; no event comes afterwards. Idempotent. */
  close(): void {
    this.#addon.close(this.#handle);
  }
}

// ---- the addon

type Handle = { readonly counters: BigUint64Array; readonly realtime: boolean };

type NativeError = { type: 'error'; operation: string; errno: number; name?: string; index?: number };
type NativeEvent = Exclude<ResponderEvent, { type: 'error' }> | NativeError;

function withCode({ errno, ...event }: NativeError): ResponderEvent {
  return { ...event, code: getSystemErrorName(-errno) };
}

/** As in native/addon.cc. */
type Addon = {
  readonly counterNames: readonly CounterName[];
  open(exclude: readonly string[], rounds: number, interval: number, onEvent: (event: NativeEvent) => void): Handle;
  setAnnouncements(handle: Handle, packed: Uint8Array, interfaceSets: readonly (readonly string[])[]): void;
  announce(handle: Handle, packed: Uint8Array): void;
  interfaces(handle: Handle): InterfaceState[];
  unresolved(handle: Handle): string[];
  close(handle: Handle): void;
};

let loaded: Addon | undefined;

/** Loads the addon on first use, so that what only needs the types runs without it. */
function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  // From dist/, beside the bundle or in the checkout; from src/layer2/.
  const places = ['./garpoon.node', '../build/Release/garpoon.node', '../../build/Release/garpoon.node'];
  const path = places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((file) => existsSync(file));
  if (path === undefined)
    throw new Error(
      'the native addon garpoon.node is not built: npm run build:native, or npm rebuild garpoon where it is installed',
    );
  const addon = createRequire(import.meta.url)(path) as Addon;
  if (addon.counterNames.join() !== counterNames.join()) {
    throw new Error(`${path} is of another version: npm run build:native`);
  }
  loaded = addon;
  return addon;
}

// ---- what crosses to it

/** As in native/address_table.h: address (16 bytes) | family | 0 | index of the interface set, little-endian. */
const packedSize = 20;
const maxAnnouncements = 2 ** 20;
const maxInterfaceSets = 2 ** 16;

function pack(what: string, table: readonly Announcement[]) {
  checkArray(what, table);
  if (table.length > maxAnnouncements) throw new RangeError(`${what}: ${table.length}, over ${maxAnnouncements}`);
  const sets = new InterfaceSets();
  const packed = new Uint8Array(table.length * packedSize);
  const view = new DataView(packed.buffer);
  let length = 0;
  for (const entry of table) {
    const { address, interfaces } = entry ?? {};
    checkAddress(what, address);
    // To the addon an empty list means every interface.
    if (interfaces?.length === 0) continue;
    if (address.family === 4) {
      view.setUint32(length, Number(address.value));
    } else {
      view.setBigUint64(length, address.value >> 64n);
      view.setBigUint64(length + 8, BigInt.asUintN(64, address.value));
    }
    view.setUint8(length + 16, address.family);
    view.setUint16(length + 18, sets.indexOf(interfaces, address), true);
    length += packedSize;
  }
  return { packed: packed.subarray(0, length), interfaceSets: sets.list };
}

/** Gives every different list of interfaces an index. */
class InterfaceSets {
  readonly list: (readonly string[])[] = [];
  readonly #byIdentity = new Map<Announcement['interfaces'], number>();
  readonly #byContent = new Map<string, number>();

  indexOf(interfaces: Announcement['interfaces'], address: Address): number {
    const known = this.#byIdentity.get(interfaces);
    if (known !== undefined) return known;
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

const highest = { 4: (1n << 32n) - 1n, 6: (1n << 128n) - 1n } as const;

function checkAddress(what: string, address: Address): void {
  if (typeof address?.value !== 'bigint' || (address.family !== 4 && address.family !== 6)) {
    throw new TypeError(`${what}: not an address: ${inspect(address)}`);
  }
  if (address.value < 0n || address.value > highest[address.family]) {
    throw new RangeError(`${what}: not an IPv${address.family} address: ${inspect(address)}`);
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
