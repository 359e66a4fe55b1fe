import { crc32 } from 'node:zlib';
import type { BFDProfile, Peer } from '../../config/config.ts';
import { type Labels, selects } from '../../election/advertisement.ts';
import { type Address, type Family, formatAddress } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { Password } from './passwords.ts';
import { type BGPNode, isOnLink, sourceAddressOf } from './source-address.ts';

/** What one session is to be, as far as configuration and the node say it. Whatever is on the wire or below depends on it. */
export type PeerWish = {
  /** Of the BGPPeer. */
  readonly name: string;
  /** The AS that this peer sees. */
  readonly localAsn: number;
  readonly peerAsn: number | 'internal' | 'external';
  /** 32 bits, not 0. */
  readonly routerId: number;
  /** Undefined for whoever is at the other end of the link of `interface`. */
  readonly address?: Address;
  readonly interface?: string;
  readonly port: number;
  readonly sourceAddress?: Address;
  /** A VRF. */
  readonly device?: string;
  readonly password?: string;
  readonly ttl: number;
  readonly minimumTtl?: number;
  readonly passive: boolean;
  /** Milliseconds; undefined: the session's own. */
  readonly connectTime?: number;
  /** Seconds; 0: neither side sends KEEPALIVE. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the negotiated hold time. */
  readonly keepaliveTime?: number;
  readonly families: readonly Family[];
  /** Whether IPv4 routes may have an IPv6 next hop, if the peer agrees (RFC 8950). */
  readonly extendedNextHop: boolean;
  readonly gracefulRestart: { readonly restartTime: number; readonly restarted: boolean } | undefined;
  /** For routes that have none of their own; undefined: none is sent. */
  readonly medDefault?: number;
  /** For routes of the family that the session is not of. */
  readonly nextHop?: { readonly 4?: Address; readonly 6?: Address };
};

/** A peer of this node. */
export type Peering = {
  readonly wish: PeerWish;
  /** The only prefixes that it is ever told of; undefined: any. */
  readonly allowedPrefixes: readonly Prefix[] | undefined;
  /** Multihop where the peer may be more than one hop away (RFC 5883). */
  readonly bfd: { readonly profile: BFDProfile; readonly multihop: boolean } | undefined;
};

/** Why there is no session with a peer that selects this node, though there should be; for people. */
export type PeerFault = {
  readonly peer: string;
  readonly reason: PeerFaultReason;
  readonly text: string;
  /** Where the peer is, and the AS that it is to see. */
  readonly peerAddress: string;
  readonly localAsn: number;
};

export type PeerFaultReason =
  | 'passwordUnread'
  | 'passwordMissing'
  | 'passwordTooLong'
  | 'sourceAddressMissing'
  | 'sourceAddressFamily';

export type PeeringOptions = {
  readonly node: BGPNode & { readonly labels: Labels };
  /** Where Secrets are. */
  readonly namespace: string;
  /** What the Secret `namespace/name` has. */
  readonly passwordOf: (secret: string) => Password;
  /** Which of MetalLB's two ways holds for what a BGPPeer leaves open. */
  readonly defaults: keyof typeof defaultsLike;
  /** Whether this speaker follows one that left its routes in place. */
  readonly restarted: boolean;
};

/** MetalLB's own speaker sends no metric; FRR sends 0 for the routes of a `network` statement. */
const defaultsLike = {
  native: { holdTime: 90, keepaliveTime: undefined, med: undefined },
  frr: { holdTime: 180, keepaliveTime: 60, med: 0 },
} as const;

/** Seconds: longer than a Pod takes to restart, and not much longer than traffic may go astray when it does not. */
const restartTime = 30;
/** Of Linux (TCP_MD5SIG_MAXKEYLEN). */
const maxPasswordBytes = 80;
const farthest = 255;

/** The sessions that this node is to have, by name. Pure. */
export function peeringsOf(
  peers: readonly Peer[],
  options: PeeringOptions,
): { readonly peerings: readonly Peering[]; readonly faults: readonly PeerFault[] } {
  const own = peers.filter(({ nodeSelectors }) => selects(nodeSelectors, options.node.labels));
  const found = own.map((peer) => peeringOf(peer, options));
  return {
    peerings: found.flatMap((one) => ('wish' in one ? [one] : [])),
    faults: found.flatMap((one) => ('reason' in one ? [one] : [])),
  };
}

/** The Secrets with their passwords, as `namespace/name`; `namespace` is that of those that name none. */
export function secretsOf(peers: readonly Peer[], namespace: string): ReadonlySet<string> {
  return new Set(
    peers.flatMap(({ password }) => (typeof password === 'object' ? [secretOf(password, namespace)] : [])),
  );
}

/**
 * Whether a session goes on when its wish changes from one to the other. What is only ever looked at when a session
 * begins, or is told with the routes, is no reason to end one.
 */
export function keepsSession(before: PeerWish, after: PeerWish): boolean {
  return sessionText(before) === sessionText(after);
}

/** The identifier of a node that has no IPv4 address is made of its name. */
export function routerIdOf({ name, addresses }: Pick<BGPNode, 'name' | 'addresses'>): number {
  const first = addresses.find(({ family, value }) => family === 4 && value !== 0n);
  return first === undefined ? crc32(name) || 1 : Number(first.value);
}

function peeringOf(peer: Peer, options: PeeringOptions): Peering | PeerFault {
  const { node, defaults } = options;
  const { name, neighbor, timers, peerASN, connectTime, ttlSecurity, vrf, routerID } = peer;
  const localAsn = peer.localASN ?? peer.myASN;
  const peerAddress = 'address' in neighbor ? formatAddress(neighbor.address) : neighbor.interface;
  const fault = (reason: PeerFaultReason, text: string): PeerFault => ({
    peer: name,
    reason,
    text,
    peerAddress,
    localAsn,
  });
  const password = passwordOf(peer, options);
  if (typeof password === 'object') return fault(password.reason, password.text);
  const source = sourceAddressOf(peer, node);
  if ('reason' in source) return fault(source.reason, source.text);
  const isInternal = peerASN === 'internal' || peerASN === localAsn;
  const mayBeFar = isInternal || peer.ebgpMultiHop;
  const byDefault = defaultsLike[defaults];
  // None at all would let the session end by its hold time.
  const keepaliveTime = timers === undefined ? byDefault.keepaliveTime : timers.keepalive / 1000 || undefined;
  const families = familiesOf(peer);
  const nextHop = nextHopsOf(peer, node);
  const wish: PeerWish = {
    name,
    localAsn,
    peerAsn: peerASN,
    routerId: routerID === undefined ? routerIdOf(node) : Number(routerID.value),
    ...('address' in neighbor ? { address: neighbor.address } : { interface: neighbor.interface }),
    port: peer.port,
    ...(source.address === undefined ? {} : { sourceAddress: source.address }),
    ...(vrf === undefined ? {} : { device: vrf }),
    ...(password === undefined ? {} : { password }),
    ttl: mayBeFar || ttlSecurity !== undefined ? farthest : 1,
    ...(ttlSecurity === undefined ? {} : { minimumTtl: farthest + 1 - ttlSecurity }),
    passive: peer.passive,
    ...(connectTime === undefined ? {} : { connectTime }),
    holdTime: timers === undefined ? byDefault.holdTime : timers.hold / 1000,
    ...(keepaliveTime === undefined ? {} : { keepaliveTime }),
    families,
    extendedNextHop: families.includes(4) && !('address' in neighbor && neighbor.address.family === 4),
    gracefulRestart: peer.gracefulRestart ? { restartTime, restarted: options.restarted } : undefined,
    ...(byDefault.med === undefined ? {} : { medDefault: byDefault.med }),
    ...(nextHop === undefined ? {} : { nextHop }),
  };
  const { bfdProfile } = peer;
  const bfd =
    bfdProfile === undefined ? undefined : { profile: bfdProfile, multihop: isMultihop(peer, mayBeFar, node) };
  return { wish, allowedPrefixes: peer.allowedPrefixes, bfd };
}

function passwordOf(
  { password }: Peer,
  { namespace, passwordOf: inSecret }: PeeringOptions,
): string | undefined | { readonly reason: PeerFaultReason; readonly text: string } {
  if (password === undefined) return undefined;
  const given = typeof password === 'string' ? { password } : inSecret(secretOf(password, namespace));
  if ('problem' in given) return { reason: given.isUnread ? 'passwordUnread' : 'passwordMissing', text: given.problem };
  const text = given.password;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxPasswordBytes) return text;
  const told = `the password has ${bytes} bytes, and TCP MD5 takes ${maxPasswordBytes}: shorten it here and on the router`;
  return { reason: 'passwordTooLong', text: told };
}

function secretOf(place: Extract<Peer['password'], object>, namespace: string): string {
  return `${place.namespace ?? namespace}/${place.secret}`;
}

function familiesOf({ neighbor, dualStack }: Peer): readonly Family[] {
  return dualStack || 'interface' in neighbor ? [4, 6] : [neighbor.address.family];
}

/** The address of the session is a next hop of its own family alone. */
function nextHopsOf({ neighbor, dualStack }: Peer, { addresses }: BGPNode): PeerWish['nextHop'] {
  if (!dualStack || 'interface' in neighbor) return undefined;
  const other = neighbor.address.family === 4 ? 6 : 4;
  const address = addresses.find(({ family }) => family === other);
  return address === undefined ? undefined : { [other]: address };
}

/** As FRR decides: an internal peer on the same subnet is one hop away. */
function isMultihop({ neighbor, ebgpMultiHop, ttlSecurity = 1 }: Peer, mayBeFar: boolean, node: BGPNode): boolean {
  if ('interface' in neighbor) return false;
  return ebgpMultiHop || ttlSecurity > 1 || (mayBeFar && !isOnLink(neighbor.address, node));
}

function sessionText({ medDefault: _, gracefulRestart, ...wish }: PeerWish): string {
  const graceful = gracefulRestart && { restartTime: gracefulRestart.restartTime };
  return JSON.stringify({ ...wish, graceful }, (_key, value) =>
    typeof value === 'object' && value !== null && 'family' in value ? formatAddress(value as Address) : value,
  );
}
