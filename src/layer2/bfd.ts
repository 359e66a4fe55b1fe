import { inspect } from 'node:util';
import { type Address, addressBytes, formatAddress, isLinkLocal } from '../ip/address.ts';
import { isInterfacePattern } from './interface-pattern.ts';

/**
 * A BFD session (RFC 5880) that the native thread keeps with one peer. Intervals are in ms, with fractions down to the
 * microsecond. An id, and a peer together with its interface and listenPort, may come once.
 */
export type BfdSession = {
  /** Of the caller: events and states are told by it. 1 to 255 bytes. */
  readonly id: string;
  readonly peer: Address;
  /** The address to send from, and the only one to be addressed by. */
  readonly local?: Address;
  /** The only interface to send on and to hear from. An IPv6 link-local peer needs one. */
  readonly interface?: string;
  /** Where the peer listens: 3784 for one hop (RFC 5881), 4784 for several (RFC 5883), or what peers have agreed on. */
  readonly port: number;
  /** Where this session listens; by default `port`. */
  readonly listenPort?: number;
  /** Without it, the peer is on this link, and what has passed a router is refused (TTL 255, RFC 5881 section 5). */
  readonly multihop: boolean;
  /** With `multihop`: the least TTL (1 to 255) with which packets may arrive; by default 1. */
  readonly minimumTtl?: number;
  /** How often we want to send while Up (1 to 60,000). The peer may ask for less. */
  readonly desiredMinTx: number;
  /** How often the peer may send (1 to 60,000). */
  readonly requiredMinRx: number;
  /** After how many missed packets the peer gives us up (1 to 255). */
  readonly detectMultiplier: number;
  /** Speak only when spoken to. */
  readonly passive?: boolean;
  /** Once Up, ask the peer to be silent, and ask now and again whether it is there (RFC 5880 section 6.6). */
  readonly demand?: boolean;
  /**
   * Watch the path by packets that the peer's forwarding sends back (RFC 5880 section 6.4), and tell the peer that it may
   * do so, too, where the kernel forwards IPv4. On one hop of IPv4 only. With a peer that returns none, the session is as
   * it is without.
   */
  readonly echo?: BfdEcho;
  readonly authentication?: BfdAuthentication;
  /** Down, and told to the peer as a failure, while the responder is silent: see `deadline` of the responder. */
  readonly tiedToLease?: boolean;
};

export type BfdEcho = {
  /** How often we send such packets at most, and the peer may: 1 to 60,000 ms. */
  readonly interval: number;
};

export type BfdAuthentication = {
  readonly type: 'password' | 'md5' | 'meticulousMd5' | 'sha1' | 'meticulousSha1';
  /** 0 to 255. */
  readonly keyId: number;
  /** 1 to 16 bytes, of SHA-1 to 20. */
  readonly key: Uint8Array;
  /** Other keys that the peer may use, so that keys can be changed without losing the session. At most 7. */
  readonly accept?: readonly { readonly keyId: number; readonly key: Uint8Array }[];
};

export type BfdState = 'adminDown' | 'down' | 'init' | 'up';

/** RFC 5880 section 4.1. */
export type BfdDiagnostic =
  | 'none'
  | 'detectionTimeExpired'
  | 'echoFailed'
  | 'neighborSignaledDown'
  | 'forwardingPlaneReset'
  | 'pathDown'
  | 'concatenatedPathDown'
  | 'administrativelyDown'
  | 'reverseConcatenatedPathDown'
  | 'reserved';

/** Told at every change of `state`. */
export type BfdEvent = {
  readonly type: 'bfd';
  readonly id: string;
  readonly state: BfdState;
  /** Why. */
  readonly diagnostic: BfdDiagnostic;
  /** What the peer said last; `adminDown` is no failure (RFC 5882 section 4.2). */
  readonly remoteState: BfdState;
  readonly remoteDiagnostic: BfdDiagnostic;
  /** When, in ms since 1970. */
  readonly at: number;
};

/** Why packets were not taken; native/bfd_drop.h says what each means. */
export const bfdDropNames = [
  'truncated',
  'badVersion',
  'badLength',
  'zeroMultiplier',
  'multipoint',
  'zeroDiscriminator',
  'missingDiscriminator',
  'unknownDiscriminator',
  'unknownPeer',
  'wrongPeer',
  'ttlTooLow',
  'unexpectedAuthentication',
  'missingAuthentication',
  'badAuthentication',
  'unknownKey',
  'wrongKey',
  'replayed',
  'adminDown',
] as const;

/** Why echo packets were not taken, or not returned; native/bfd_echo_drop.h says what each means. */
export const bfdEchoDropNames = [
  'echoTruncated',
  'echoMalformed',
  'echoNotOurs',
  'echoUnknownDiscriminator',
  'echoWrongPath',
  'echoTtlTooLow',
  'echoWrongTag',
  'echoStale',
  'echoInactive',
  'echoUnknownPeer',
  'echoTooLong',
  'echoTooFast',
] as const;

export type BfdEchoDrops = { readonly [name in (typeof bfdEchoDropNames)[number]]: number };

/** In `trial` none has come back since the session is up, and nothing follows from that. */
export type BfdEchoPhase = 'off' | 'trial' | 'working';

export type BfdEchoState = {
  readonly state: BfdEchoPhase;
  /** How often we send at most, in ms, once they come back; 0 when off. */
  readonly interval: number;
  /** The peer is told that what it sends comes back. */
  readonly offered: boolean;
  readonly sent: number;
  readonly sendFailures: number;
  /** Of ours, that came back. */
  readonly received: number;
  /** Of the peer's, that were addressed to us. What it addresses to itself is the kernel's, and not counted. */
  readonly returned: number;
  readonly drops: BfdEchoDrops;
};

export type BfdDrops = { readonly [name in (typeof bfdDropNames)[number]]: number };

export type BfdSessionState = Omit<BfdEvent, 'type' | 'at'> & {
  readonly discriminator: number;
  /** 0 while the peer is not heard. */
  readonly remoteDiscriminator: number;
  /** When the state changed last, in ms since 1970. */
  readonly since: number;
  /** As negotiated, in ms: how often we send at most, how often the peer does, and how long it may be silent. */
  readonly transmitInterval: number;
  readonly receiveInterval: number;
  readonly detectionTime: number;
  readonly sent: number;
  /** Packets that the kernel did not take. */
  readonly sendFailures: number;
  readonly received: number;
  /** How often it was up and then was not. */
  readonly flaps: number;
  /** How often the peer got more time because we were late ourselves. */
  readonly excused: number;
  readonly drops: BfdDrops;
  readonly echo: BfdEchoState;
};

/** As in native/bfd_report.h. */
export type NativeBfdReport = Omit<BfdSessionState, 'id' | 'drops' | 'echo'> &
  BfdDrops &
  BfdEchoDrops & {
    readonly echoState: BfdEchoPhase;
    readonly echoInterval: number;
    readonly echoOffered: number;
    readonly echoSent: number;
    readonly echoSendFailures: number;
    readonly echoReceived: number;
    readonly echoReturned: number;
  };

export function bfdSessionState(report: NativeBfdReport & { readonly id: string }): BfdSessionState {
  const milliseconds = (nanoseconds: number) => nanoseconds / 1e6;
  const { id, state, diagnostic, remoteState, remoteDiagnostic, discriminator, remoteDiscriminator } = report;
  return {
    ...{ id, state, diagnostic, remoteState, remoteDiagnostic, discriminator, remoteDiscriminator },
    since: milliseconds(report.since),
    transmitInterval: milliseconds(report.transmitInterval),
    receiveInterval: milliseconds(report.receiveInterval),
    detectionTime: milliseconds(report.detectionTime),
    sent: report.sent,
    sendFailures: report.sendFailures,
    received: report.received,
    flaps: report.flaps,
    excused: report.excused,
    drops: bfdDrops(report),
    echo: {
      state: report.echoState,
      interval: milliseconds(report.echoInterval),
      offered: report.echoOffered !== 0,
      sent: report.echoSent,
      sendFailures: report.echoSendFailures,
      received: report.echoReceived,
      returned: report.echoReturned,
      drops: bfdEchoDrops(report),
    },
  };
}

export function bfdDrops(report: BfdDrops): BfdDrops {
  return Object.fromEntries(bfdDropNames.map((name) => [name, report[name]])) as BfdDrops;
}

export function bfdEchoDrops(report: BfdEchoDrops): BfdEchoDrops {
  return Object.fromEntries(bfdEchoDropNames.map((name) => [name, report[name]])) as BfdEchoDrops;
}

/** How many sessions there may be. */
export const maxBfdSessions = 1024;

const maxKeys = 8;
const types = ['none', 'password', 'md5', 'meticulousMd5', 'sha1', 'meticulousSha1'] as const;
const longestKey = { password: 16, md5: 16, meticulousMd5: 16, sha1: 20, meticulousSha1: 20 } as const;
const flag = { passive: 1, demand: 2, tiedToLease: 4, local: 8 } as const;
/** As in native/bfd_packed.h, without what has no fixed length. */
const fixedSize = 56;
const maxNameBytes = 15;
const maxIdBytes = 255;
/** Of echo packets, RFC 5881 section 4. */
const echoPort = 3785;

/**
 * For the addon. It has the keys in it: to be overwritten with zeros once the addon has read it. Throws a TypeError or
 * RangeError that names the field and its value.
 */
export function packBfdSessions(sessions: readonly BfdSession[]): Uint8Array {
  if (!Array.isArray(sessions)) throw new TypeError(`sessions: not an array: ${inspect(sessions)}`);
  if (sessions.length > maxBfdSessions) throw new RangeError(`sessions: ${sessions.length}, over ${maxBfdSessions}`);
  const ids = new Set<string>();
  const peers = new Map<string, string>();
  const checked = sessions.map((session, index) => {
    check(session, `sessions[${index}]`);
    const { id, peer, listenPort = session.port, interface: name = '' } = session;
    if (ids.has(id)) throw new RangeError(`sessions[${index}].id: ${inspect(id)} comes twice`);
    ids.add(id);
    const place = `${formatAddress(peer)} on ${name === '' ? 'any interface' : name}, port ${listenPort}`;
    const other = peers.get(place);
    if (other !== undefined) {
      throw new RangeError(`sessions[${index}].peer: ${place}: ${inspect(other)} is with the same peer`);
    }
    peers.set(place, id);
    return { session, id: Buffer.from(id), name: Buffer.from(name), keys: keysOf(session) };
  });
  const sizes = checked.map(
    ({ id, name, keys }) =>
      fixedSize + name.length + id.length + keys.reduce((sum, { key }) => sum + 2 + key.length, 0),
  );
  // Not from Buffer's pool, where what is written may be seen in other buffers.
  const packed = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let offset = 0;
  for (const { session, id, name, keys } of checked) {
    write(session, id.length, name.length, keys.length, new DataView(packed.buffer, offset), packed, offset);
    offset += fixedSize;
    for (const part of [name, id]) {
      packed.set(part, offset);
      offset += part.length;
    }
    for (const { keyId, key } of keys) {
      packed.set([keyId, key.length], offset);
      packed.set(key, offset + 2);
      offset += 2 + key.length;
    }
  }
  return packed;
}

function write(
  session: BfdSession,
  idSize: number,
  nameSize: number,
  keyCount: number,
  view: DataView,
  packed: Uint8Array,
  offset: number,
): void {
  const { peer, local, port, listenPort = port, authentication } = session;
  let flags = local === undefined ? 0 : flag.local;
  for (const name of ['passive', 'demand', 'tiedToLease'] as const) if (session[name] === true) flags |= flag[name];
  view.setUint8(0, peer.family);
  view.setUint8(1, flags);
  view.setUint8(2, session.multihop ? (session.minimumTtl ?? 1) : 255);
  view.setUint8(3, session.detectMultiplier);
  view.setUint16(4, port);
  view.setUint16(6, listenPort);
  view.setUint32(8, Math.round(session.desiredMinTx * 1000));
  view.setUint32(12, Math.round(session.requiredMinRx * 1000));
  view.setUint32(16, Math.round((session.echo?.interval ?? 0) * 1000));
  packed.set(addressBytes(peer), offset + 20);
  if (local !== undefined) packed.set(addressBytes(local), offset + 36);
  view.setUint8(52, types.indexOf(authentication?.type ?? 'none'));
  view.setUint8(53, keyCount);
  view.setUint8(54, nameSize);
  view.setUint8(55, idSize);
}

const keysOf = ({ authentication }: BfdSession) =>
  authentication === undefined ? [] : [authentication, ...(authentication.accept ?? [])];

function check(session: BfdSession, what: string): void {
  if (session === null || typeof session !== 'object')
    throw new TypeError(`${what}: not an object: ${inspect(session)}`);
  const { id, peer, local, interface: name, port, listenPort, multihop, minimumTtl } = session;
  if (typeof id !== 'string') throw new TypeError(`${what}.id: not a string: ${inspect(id)}`);
  const idBytes = Buffer.byteLength(id);
  if (idBytes === 0 || idBytes > maxIdBytes) {
    throw new RangeError(`${what}.id: ${inspect(id)} has ${idBytes} bytes, not 1 to ${maxIdBytes}`);
  }
  checkHost(`${what}.peer`, peer);
  if (local !== undefined) {
    checkHost(`${what}.local`, local);
    if (local.family !== peer.family) {
      throw new RangeError(`${what}.local: ${formatAddress(local)} is not of the family of ${formatAddress(peer)}`);
    }
  }
  if (name !== undefined && (typeof name !== 'string' || Buffer.byteLength(name) > maxNameBytes || !isName(name))) {
    throw new RangeError(`${what}.interface: ${inspect(name)} cannot be an interface's name`);
  }
  if (name === undefined && isLinkLocal(peer)) {
    throw new RangeError(`${what}.peer: ${formatAddress(peer)} is link-local: name the interface`);
  }
  checkWhole(`${what}.port`, port, 1, 65_535);
  if (listenPort !== undefined) checkWhole(`${what}.listenPort`, listenPort, 1, 65_535);
  for (const [field, value] of [
    ['port', port],
    ['listenPort', listenPort],
  ] as const) {
    if (value === echoPort) throw new RangeError(`${what}.${field}: ${value} is the port of echo packets`);
  }
  checkFlag(`${what}.multihop`, multihop);
  if (minimumTtl !== undefined) checkWhole(`${what}.minimumTtl`, minimumTtl, multihop ? 1 : 255, 255);
  checkInterval(`${what}.desiredMinTx`, session.desiredMinTx);
  checkInterval(`${what}.requiredMinRx`, session.requiredMinRx);
  checkWhole(`${what}.detectMultiplier`, session.detectMultiplier, 1, 255);
  for (const each of ['passive', 'demand', 'tiedToLease'] as const) {
    if (session[each] !== undefined) checkFlag(`${what}.${each}`, session[each]);
  }
  checkEcho(`${what}.echo`, session);
  checkAuthentication(`${what}.authentication`, session);
}

function checkEcho(what: string, { echo, peer, multihop }: BfdSession): void {
  if (echo === undefined) return;
  if (echo === null || typeof echo !== 'object') throw new TypeError(`${what}: not an object: ${inspect(echo)}`);
  checkInterval(`${what}.interval`, echo.interval);
  if (multihop) throw new RangeError(`${what}: there is none over several hops`);
  if (peer.family !== 4) throw new RangeError(`${what}: there is none over IPv6: ${formatAddress(peer)}`);
}

/** Never says a key. */
function checkAuthentication(what: string, session: BfdSession): void {
  const { authentication } = session;
  if (authentication === undefined) return;
  const longest = longestKey[authentication?.type];
  if (longest === undefined) {
    throw new RangeError(`${what}.type: ${inspect(authentication?.type)} is none of ${types.slice(1).join(', ')}`);
  }
  const { accept } = authentication;
  if (accept !== undefined && !Array.isArray(accept)) throw new TypeError(`${what}.accept: not an array`);
  const keys = keysOf(session);
  if (keys.length > maxKeys) throw new RangeError(`${what}.accept: ${keys.length - 1} keys, over ${maxKeys - 1}`);
  for (const [index, each] of keys.entries()) {
    const where = index === 0 ? what : `${what}.accept[${index - 1}]`;
    checkWhole(`${where}.keyId`, each?.keyId, 0, 255);
    if (!(each.key instanceof Uint8Array)) throw new TypeError(`${where}.key: not a Uint8Array`);
    if (each.key.length === 0 || each.key.length > longest) {
      throw new RangeError(`${where}.key: ${each.key.length} bytes, not 1 to ${longest} as for ${authentication.type}`);
    }
  }
  const ids = keys.map(({ keyId }) => keyId);
  const twice = ids.find((keyId, index) => ids.indexOf(keyId) !== index);
  if (twice !== undefined) throw new RangeError(`${what}.accept: key id ${twice} comes twice`);
}

function checkHost(what: string, address: Address): void {
  const { family, value } = address ?? {};
  if (typeof value !== 'bigint' || (family !== 4 && family !== 6)) {
    throw new TypeError(`${what}: not an address: ${inspect(address)}`);
  }
  const bits = family === 4 ? 32n : 128n;
  if (value < 0n || value >> bits !== 0n)
    throw new RangeError(`${what}: not an IPv${family} address: ${inspect(address)}`);
  const multicast = family === 4 ? value >> 28n === 0xen : value >> 120n === 0xffn;
  if (value === 0n || multicast) throw new RangeError(`${what}: ${formatAddress(address)} is not a host's address`);
}

const isName = (text: string) => isInterfacePattern(text) && !/[*?[]/.test(text);

function checkInterval(what: string, value: number): void {
  if (typeof value !== 'number') throw new TypeError(`${what}: not a number: ${inspect(value)}`);
  if (!(value >= 1 && value <= 60_000)) throw new RangeError(`${what}: ${value} ms is not from 1 to 60000`);
}

function checkWhole(what: string, value: number, least: number, most: number): void {
  if (typeof value !== 'number') throw new TypeError(`${what}: not a number: ${inspect(value)}`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `${what}: ${value} is not ${least === most ? least : `a whole number from ${least} to ${most}`}`,
    );
  }
}

function checkFlag(what: string, value: boolean): void {
  if (typeof value !== 'boolean') throw new TypeError(`${what}: not a boolean: ${inspect(value)}`);
}
