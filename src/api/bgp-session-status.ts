import type { ResourceMeta } from './resource.ts';
import { serviceStatusLabels } from './service-status.ts';

/** `bgpsessionstatuses.garpoon.io/v1alpha1`: the session of one node with one BGPPeer. Written by that node's speaker. */
export type BGPSessionStatus = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec?: Readonly<Record<string, never>>;
  readonly status?: BGPSessionStatusContent;
};

/** Times are RFC 3339 with milliseconds. */
export type BGPSessionStatusContent = {
  readonly node?: string;
  /** The BGPPeer. */
  readonly peer?: string;
  /** RFC 4271 section 8.2.2; `NotStarted` when something is missing on our side: see `problem`. */
  readonly state?: 'NotStarted' | 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';
  readonly since?: string;
  /** Why the session is not established, or what is not announced over it, and what to do. */
  readonly problem?: string;
  readonly peerAddress?: string;
  readonly peerASN?: number;
  /** The peer's BGP identifier, written as an address. */
  readonly peerRouterID?: string;
  readonly localAddress?: string;
  /** The one that the peer sees. */
  readonly localASN?: number;
  /** As negotiated. */
  readonly holdTimeSeconds?: number;
  readonly keepaliveTimeSeconds?: number;
  /** `ipv4`, `ipv6`: as negotiated. */
  readonly families?: readonly string[];
  readonly localCapabilities?: readonly string[];
  readonly peerCapabilities?: readonly string[];
  readonly prefixes?: PrefixCounts;
  /** How often the session was lost after it had been established. */
  readonly flaps?: number;
  readonly lastError?: SessionFailure;
  /** When we connect again. */
  readonly nextAttempt?: string;
  readonly bfd?: SessionBfd;
};

export type PrefixCounts = {
  readonly announced: FamilyCounts;
  /** To be announced, and not yet sent. */
  readonly pending: FamilyCounts;
  /** Times that the peer has announced a prefix; nothing of that is used. */
  readonly received: FamilyCounts;
};

export type FamilyCounts = { readonly ipv4: number; readonly ipv6: number };

export type SessionFailure = {
  readonly message: string;
  readonly time: string;
  /** Of the NOTIFICATION that went with it. */
  readonly code?: number;
  readonly subcode?: number;
  /** `us` or `peer`: who has sent or noticed it. */
  readonly by: string;
};

export type SessionBfd = {
  readonly state: string;
  readonly since: string;
  readonly diagnostic: string;
  readonly transmitIntervalMilliseconds: number;
  readonly receiveIntervalMilliseconds: number;
  readonly detectionTimeMilliseconds: number;
  readonly flaps: number;
};

/** By which the objects are found: the node as with MetalLB's statuses, and the BGPPeer. */
export const bgpSessionStatusLabels = { node: serviceStatusLabels.node, peer: 'garpoon.io/bgp-peer' } as const;
