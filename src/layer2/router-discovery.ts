import { getSystemErrorName, inspect } from 'node:util';
import { type Address, parseAddress } from '../ip/address.ts';
import { loadAddonPart } from './addon.ts';
import { isInterfacePattern } from './interface-pattern.ts';

export type RouterDiscoveryEvent =
  /** A router of the interface's link is heard for the first time. */
  | { readonly type: 'router'; readonly name: string; readonly index: number; readonly address: Address }
  /** Told once when something starts to fail; it keeps trying, every second. */
  | {
      readonly type: 'error';
      readonly operation: string;
      /** For instance `ENODEV`. */
      readonly code: string;
      readonly name: string;
      readonly index?: number;
    };

export type DiscoveredRouter = {
  /** The interface. */
  readonly name: string;
  readonly index: number;
  /** Link-local. */
  readonly address: Address;
  /** For how many ms it has not been heard. */
  readonly age: number;
};

export type RouterDiscoveryOptions = {
  readonly onEvent: (event: RouterDiscoveryEvent) => void;
  /** How far apart our own advertisements are, ms (4,000 to 1,800,000); 10,000 if undefined. */
  readonly interval?: number;
};

const defaultInterval = 10_000;

/**
 * Finds the routers at the other end of links, for BGP over link-local addresses, by their router advertisements. A
 * router in turn takes connections only from whom it has heard, so this advertises us on those links too: as no default
 * router, with lifetime 0 (RFC 4861 section 6.2.3).
 *
 * Needs CAP_NET_RAW. Works in the network namespace of the process, does not keep it alive, and sends until it is closed.
 */
export class RouterDiscovery {
  readonly #native: NativeDiscovery;

  /** Throws an Error with a `code` when the system refuses the socket. */
  constructor({ onEvent, interval = defaultInterval }: RouterDiscoveryOptions) {
    if (typeof onEvent !== 'function') throw new TypeError(`onEvent: not a function: ${inspect(onEvent)}`);
    if (!Number.isInteger(interval) || interval < 4_000 || interval > 1_800_000) {
      throw new RangeError(`interval: ${inspect(interval)} is not a whole number from 4000 to 1800000`);
    }
    const addon = loadAddonPart<Addon>(['discoverRouters']);
    try {
      this.#native = addon.discoverRouters(interval, process.pid, (event) => onEvent(fromNative(event)));
    } catch (cause) {
      if (!(cause instanceof Error) || !('errno' in cause)) throw cause;
      const code = getSystemErrorName(-Number(cause.errno));
      const remedy = code === 'EPERM' ? ': it needs CAP_NET_RAW' : '';
      throw Object.assign(new Error(`discover routers: ${cause.message}: ${code}${remedy}`, { cause }), { code });
    }
  }

  /**
   * Makes the interfaces these, at most 256, which need not exist yet. All of them are advertised on within 3 s, and
   * their routers asked to do the same: also to be called when one has come or come up.
   */
  setInterfaces(names: readonly string[]): void {
    if (!Array.isArray(names)) throw new TypeError(`interfaces: not an array: ${inspect(names)}`);
    for (const name of names) {
      if (typeof name !== 'string') throw new TypeError(`interfaces: not a string: ${inspect(name)}`);
      if (Buffer.byteLength(name) > 15 || !isInterfacePattern(name)) {
        throw new RangeError(`interfaces: ${inspect(name)} cannot be an interface's name`);
      }
    }
    this.#native.setInterfaces(names);
  }

  /** Those that were heard on the interface, at most 8: the first is the one that was heard last. */
  routers(name: string): readonly DiscoveredRouter[] {
    const all = this.#native.routers().filter((router) => router.name === name);
    return all.map((router) => ({ ...router, address: parseAddress(router.address)! }));
  }

  /** No event comes afterwards. Idempotent. */
  close(): void {
    this.#native.close();
  }
}

// ---- the addon

type NativeEvent =
  | { type: 'router'; name: string; index: number; address: string }
  | { type: 'error'; name: string; index?: number; operation: string; errno: number };

type NativeDiscovery = {
  setInterfaces(names: readonly string[]): void;
  routers(): (Omit<DiscoveredRouter, 'address'> & { address: string })[];
  close(): void;
};

/** As in native/addon_router_discovery.cc. */
type Addon = {
  discoverRouters(interval: number, seed: number, onEvent: (event: NativeEvent) => void): NativeDiscovery;
};

function fromNative(event: NativeEvent): RouterDiscoveryEvent {
  if (event.type === 'router') return { ...event, address: parseAddress(event.address)! };
  const { errno, ...rest } = event;
  return { ...rest, code: getSystemErrorName(-errno) };
}
