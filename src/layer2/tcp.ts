import { closeSync } from 'node:fs';
import { inspect } from 'node:util';
import { type Address, addressBytes, formatAddress } from '../ip/address.ts';
import { loadAddonPart } from './addon.ts';
import { isInterfacePattern } from './interface-pattern.ts';
import { type TcpError, tcpError } from './tcp-error.ts';

export type { TcpError };

/** How a peer is spoken to, whoever connects. */
export type TcpPeerOptions = {
  readonly address: Address;
  /** For TCP MD5 (RFC 2385), 1 to 80 bytes of UTF-8. With another one, or none, the peer hears nothing at all. */
  readonly password?: string | undefined;
  /** Of what is sent, IPv6's hop limit (1 to 255); the system's when undefined. */
  readonly ttl?: number | undefined;
  /** What arrives with less is dropped by the kernel (1 to 255; GTSM, RFC 5082). */
  readonly minimumTtl?: number | undefined;
};

export type DialOptions = TcpPeerOptions & {
  readonly port: number;
  /** The interface that a link-local address is on. */
  readonly interface?: string | undefined;
  /** An address of this machine, of the same family. */
  readonly sourceAddress?: Address | undefined;
  /** The interface or VRF that the socket is bound to. */
  readonly device?: string | undefined;
  /** For how many ms what was sent may stay unacknowledged before the connection is given up; the system's limit if undefined. */
  readonly userTimeout?: number | undefined;
};

export type ListenOptions = {
  /** May be unspecified (`0.0.0.0`, `::`); a listener is of this family only. */
  readonly address: Address;
  /** 0: the system chooses. Below 1024 it needs CAP_NET_BIND_SERVICE. */
  readonly port: number;
  readonly interface?: string | undefined;
  readonly device?: string | undefined;
  /** Those of the other family are passed over. Whoever is not among them can connect, without a key. */
  readonly peers: readonly TcpPeerOptions[];
};

export type TcpInfo = {
  /** The kernel's number: 1 is ESTABLISHED. */
  readonly state: number;
  /** Smoothed, ms; and how much it varies. */
  readonly rtt: number;
  readonly rttVariance: number;
  /** Segments sent again since the connection began. */
  readonly retransmits: number;
  /** Segments. */
  readonly unacknowledged: number;
  /** How often in a row what is being sent has gone unanswered. */
  readonly timeouts: number;
};

const maxPasswordBytes = 80;
const maxTimeout = 0x7fff_ffff;
const listenerPeers = 4096;

/**
 * Connects, with everything set before the first segment: TCP_NODELAY, DSCP CS6 and what the options say. Resolves to a
 * descriptor that is the caller's. Waits without a thread, for ever if nobody answers: `signal` gives up, and then it
 * rejects with the signal's reason.
 *
 * Rejects with a TcpError; with a TypeError or RangeError when an option cannot be right.
 */
export async function dialTcp(options: DialOptions, signal?: AbortSignal): Promise<number> {
  const { address, port, sourceAddress } = options;
  checkPeer('options', options);
  checkInteger('port', port, 1, 65_535);
  if (sourceAddress !== undefined && sourceAddress.family !== address.family) {
    throw new TypeError(
      `sourceAddress: ${formatAddress(sourceAddress)} is not of the family of ${formatAddress(address)}`,
    );
  }
  const native = {
    ...nativePeer(options),
    port,
    interface: checkName('interface', options.interface),
    source: sourceAddress === undefined ? new Uint8Array() : addressBytes(sourceAddress),
    device: checkName('device', options.device),
    userTimeout: options.userTimeout ?? 0,
  };
  if (options.userTimeout !== undefined) checkInteger('userTimeout', options.userTimeout, 1, maxTimeout);
  signal?.throwIfAborted();
  try {
    const fd = await startDial(native, options, signal);
    // It may have connected and been given up within one turn of the event loop.
    if (signal?.aborted) closeSync(fd);
    signal?.throwIfAborted();
    return fd;
  } finally {
    native.key.fill(0);
  }
}

/** A listening descriptor, which is the caller's. Throws a TcpError. */
export function listenTcp(options: ListenOptions): number {
  const { address, port, peers } = options;
  checkInteger('port', port, 0, 65_535);
  if (!Array.isArray(peers)) throw new TypeError(`peers: not an array: ${inspect(peers)}`);
  if (peers.length > listenerPeers) throw new RangeError(`peers: ${peers.length} of them, over ${listenerPeers}`);
  for (const [index, peer] of peers.entries()) checkPeer(`peers[${index}]`, peer);
  const native = peers.map(nativePeer);
  try {
    return addon().tcpListen({
      address: addressBytes(address),
      port,
      interface: checkName('interface', options.interface),
      device: checkName('device', options.device),
      peers: native,
    });
  } catch (cause) {
    const { peer } = cause as { peer?: number };
    throw tcpError(cause, 'listen on', options, peer === undefined ? undefined : peers[peer]!.address);
  } finally {
    for (const { key } of native) key.fill(0);
  }
}

/**
 * The key of a peer on a listening descriptor, from the next connection on, or on the peer's own, from the next segment
 * on; null: none. Throws a TcpError.
 */
export function setPeerKey(fd: number, address: Address, password: string | null): void {
  if (password !== null) checkPassword('password', password);
  const key = Buffer.from(password ?? '');
  try {
    attempt('set the key of', { address }, () => addon().setTcpKey(fd, { ...plainPeer(address), key }));
  } finally {
    key.fill(0);
  }
}

/** On a descriptor that is open: an accepted one has what all the listener's peers have in common. Throws a TcpError. */
export function setTcpTtl(fd: number, { address, ttl, minimumTtl }: Omit<TcpPeerOptions, 'password'>): void {
  checkPeer('options', { address, ttl, minimumTtl });
  attempt('set the TTL towards', { address }, () => addon().setTcpTtl(fd, ttl ?? 0, minimumTtl ?? 0));
}

/** Undefined when the descriptor is not that of a TCP socket (any more). */
export function tcpInfo(fd: number): TcpInfo | undefined {
  try {
    const info = addon().tcpInfo(fd);
    return { ...info, rtt: info.rtt / 1_000, rttVariance: info.rttVariance / 1_000 };
  } catch (cause) {
    if (cause instanceof Error && 'errno' in cause) return undefined;
    throw cause;
  }
}

// ---- the addon

type NativePeer = {
  readonly address: Uint8Array;
  readonly key: Uint8Array;
  readonly ttl: number;
  readonly minimumTtl: number;
};

type NativeDial = NativePeer & {
  readonly port: number;
  readonly interface: string;
  readonly source: Uint8Array;
  readonly device: string;
  readonly userTimeout: number;
};

/** As in native/addon_tcp.cc. */
type Addon = {
  tcpDial(options: NativeDial, done: (errno: number, operation: string, fd: number) => void): () => void;
  tcpListen(
    options: Pick<NativeDial, 'address' | 'port' | 'interface' | 'device'> & { readonly peers: readonly NativePeer[] },
  ): number;
  setTcpKey(fd: number, peer: Pick<NativePeer, 'address' | 'key'>): void;
  setTcpTtl(fd: number, ttl: number, minimumTtl: number): void;
  tcpInfo(fd: number): TcpInfo;
};

let loaded: Addon | undefined;

function addon(): Addon {
  loaded ??= loadAddonPart<Addon>(['tcpDial', 'tcpListen', 'setTcpKey', 'setTcpTtl', 'tcpInfo']);
  return loaded;
}

function startDial(native: NativeDial, options: DialOptions, signal?: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown) => reject(tcpError(cause, 'connect to', options));
    const giveUp = () => {
      abort();
      reject(signal!.reason);
    };
    const done = (errno: number, operation: string, fd: number) => {
      signal?.removeEventListener('abort', giveUp);
      if (errno === 0) resolve(fd);
      else refuse(Object.assign(new Error(operation), { errno }));
    };
    let abort: () => void;
    try {
      abort = addon().tcpDial(native, done);
    } catch (cause) {
      return refuse(cause);
    }
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}

function attempt(what: string, subject: { readonly address: Address }, body: () => void): void {
  try {
    body();
  } catch (cause) {
    throw tcpError(cause, what, subject);
  }
}

const plainPeer = (address: Address) => ({ address: addressBytes(address) });

function nativePeer({ address, password, ttl, minimumTtl }: TcpPeerOptions): NativePeer {
  return { ...plainPeer(address), key: Buffer.from(password ?? ''), ttl: ttl ?? 0, minimumTtl: minimumTtl ?? 0 };
}

function checkPeer(what: string, { password, ttl, minimumTtl }: TcpPeerOptions): void {
  if (password !== undefined) checkPassword(`${what}.password`, password);
  if (ttl !== undefined) checkInteger(`${what}.ttl`, ttl, 1, 255);
  if (minimumTtl !== undefined) checkInteger(`${what}.minimumTtl`, minimumTtl, 1, 255);
}

/** Says nothing of the password itself. */
function checkPassword(what: string, password: string): void {
  if (typeof password !== 'string') throw new TypeError(`${what}: not a string`);
  const bytes = Buffer.byteLength(password);
  if (bytes >= 1 && bytes <= maxPasswordBytes) return;
  throw new RangeError(
    `${what}: ${bytes} bytes, and TCP MD5 takes 1 to ${maxPasswordBytes}: give both ends a shorter one`,
  );
}

function checkName(what: string, name: string | undefined): string {
  if (name === undefined) return '';
  if (typeof name !== 'string') throw new TypeError(`${what}: not a string: ${inspect(name)}`);
  if (Buffer.byteLength(name) <= 15 && isInterfacePattern(name)) return name;
  throw new RangeError(`${what}: ${inspect(name)} cannot be an interface's name`);
}

function checkInteger(what: string, value: number, least: number, most: number): void {
  if (typeof value !== 'number') throw new TypeError(`${what}: not a number: ${inspect(value)}`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${what}: ${value} is not a whole number from ${least} to ${most}`);
  }
}
