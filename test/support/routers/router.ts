import type { Family } from '../../../src/ip/address.ts';
import type { Netns } from '../netns.ts';

/** What a router is to be. The same description starts any of them. */
export type RouterDescription = {
  readonly netns: Netns;
  readonly asn: number;
  readonly routerId: string;
  /** Its own, where it listens. */
  readonly addresses: { readonly [family in Family]?: string };
  readonly neighbors: readonly Neighbor[];
};

export type Neighbor = {
  /** Undefined: whoever is behind `interface` (unnumbered). */
  readonly address?: string;
  /** Needed with a link-local address. */
  readonly interface?: string;
  readonly asn: number;
  readonly families: readonly Family[];
  readonly password?: string;
  /** Waits to be called. */
  readonly passive?: boolean;
  /** Seconds. */
  readonly timers?: { readonly hold: number; readonly keepalive: number };
  /** Seconds. */
  readonly connectRetry?: number;
  /** RFC 5082: at most so many hops away. */
  readonly gtsm?: number;
  /** At most so many hops away, by the TTL it sends with. */
  readonly multihop?: number;
  /** Seconds; a helper keeps the neighbor's routes only; undefined: a session lost takes its routes with it. */
  readonly gracefulRestart?: { readonly restartTime: number } | 'helper';
  /** RFC 8950. */
  readonly extendedNextHop?: boolean;
  /** Milliseconds. */
  readonly bfd?: { readonly interval: number; readonly multiplier: number };
};

export const defaults = { timers: { hold: 9, keepalive: 3 }, connectRetry: 1 } as const;

/** Communities as `65000:100` and `64512:1:2`. */
export type Announcement = {
  readonly prefix: string;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
};

/** A path it has received. Several of one prefix are several. */
export type RouteSeen = {
  readonly prefix: string;
  /** The global one where there are two. */
  readonly nextHop: string;
  readonly asPath: readonly number[];
  readonly localPref?: number;
  readonly med?: number;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
};

export type PeerState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

export type PeerSeen = {
  readonly state: PeerState;
  /** Negotiated; seconds. */
  readonly holdTime?: number;
  /** Seconds since it is Established. */
  readonly uptime?: number;
  readonly prefixesReceived: number;
  /** That the peer restarts gracefully, as far as the router says. */
  readonly gracefulRestart?: boolean;
  readonly lastError?: string;
};

export type BfdSeen = {
  readonly up: boolean;
  /** Milliseconds; as far as the router says. */
  readonly interval?: number;
  readonly detectionTime?: number;
};

/** A daemon that runs in a namespace, with the state of its own tables to look at. */
export interface Router {
  /** What it has received of a family, before it chooses. */
  routes(family: Family): Promise<RouteSeen[]>;
  /** `address` as in the description, or the interface of an unnumbered one. */
  peer(address: string): Promise<PeerSeen>;
  bfd?(address: string): Promise<BfdSeen>;
  /** Sends these to all its neighbors, beside what it sends already. */
  announce(...announcements: readonly Announcement[]): Promise<void>;
  withdraw(...prefixes: readonly string[]): Promise<void>;
  /** Ends what is left of it in the orderly way, starts it anew and announces the same as before. */
  restart(): Promise<void>;
  /** Sends a signal to the daemon that has the sessions; with SIGKILL resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** The end of what it has logged. */
  log(): string;
  /** Ends it and removes all it has written. Idempotent. */
  stop(): Promise<void>;
}

/** What not every daemon can do. */
export type Feature =
  | 'bfd'
  | 'extended next hop'
  | 'forwarding'
  | 'graceful restart'
  | 'gtsm'
  | 'hold time of 3 s'
  | 'unnumbered';

export type RouterKind = {
  readonly name: 'FRR' | 'BIRD' | 'GoBGP' | 'ExaBGP' | 'OpenBGPD';
  /** Debian's. */
  readonly package: string;
  installed(): boolean;
  /** Why not. */
  readonly cannot: { readonly [feature in Feature]?: string };
  /** Resolves once it may be asked. Its sessions are not up yet. */
  start(description: RouterDescription): Promise<Router>;
};

/** As `defaults`, where the neighbor's description says nothing. */
export function timersOf(neighbor: Neighbor): { hold: number; keepalive: number; connectRetry: number } {
  return { connectRetry: defaults.connectRetry, ...defaults.timers, ...dropUndefined(neighbor) };
}

function dropUndefined({ timers, connectRetry }: Neighbor): Partial<ReturnType<typeof timersOf>> {
  return { ...timers, ...(connectRetry === undefined ? {} : { connectRetry }) };
}

/** The address it is called by. */
export function neighborName({ address, interface: name }: Neighbor): string {
  const found = address ?? name;
  if (found === undefined) throw new Error('a neighbor needs an address or an interface');
  return found;
}

export function familyOf(addressOrPrefix: string): Family {
  return addressOrPrefix.includes(':') ? 6 : 4;
}

/** Daemons name those of RFC 1997, 8326 and 7999. */
export function communityText(text: string): string {
  return wellKnown[text.toLowerCase().replaceAll('_', '-')] ?? text;
}

const wellKnown: { readonly [name: string]: string } = {
  'graceful-shutdown': '65535:0',
  blackhole: '65535:666',
  'no-export': '65535:65281',
  'no-advertise': '65535:65282',
  'local-as': '65535:65283',
  'no-export-subconfed': '65535:65283',
};

export async function started<R extends { start(): Promise<void> }>(router: R): Promise<R> {
  await router.start();
  return router;
}
