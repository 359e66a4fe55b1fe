import type { Address, Family } from '../ip/address.ts';

/** What one session is to be. A change of any of it needs a new session. */
export type PeerSettings = {
  /** Of the BGPPeer, for what is said to people. */
  readonly name: string;
  /** The AS that this peer sees. */
  readonly localAsn: number;
  /** By kind: the peer's OPEN says it, and it must be ours (internal) or another (external). */
  readonly peerAsn: number | 'internal' | 'external';
  /** 32 bits, not 0. */
  readonly routerId: number;
  readonly address: Address;
  /** The interface behind which the address is, for a link-local one. */
  readonly interface?: string | undefined;
  readonly port: number;
  readonly sourceAddress?: Address | undefined;
  /** A VRF or an interface that the socket is bound to. */
  readonly device?: string | undefined;
  readonly password?: string | undefined;
  /** What our packets leave with: 255 with `minimumTtl`, 1 for an external peer on the link, more over several hops. */
  readonly ttl: number;
  readonly minimumTtl?: number | undefined;
  /** Never dials: waits for the peer to connect. */
  readonly passive: boolean;
  /** Milliseconds: how long one attempt may take, and the longest wait between two. */
  readonly connectTime?: number | undefined;
  /** Seconds; 0: neither side sends KEEPALIVE. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the negotiated hold time. */
  readonly keepaliveTime?: number | undefined;
  /** Seconds to wait for the peer's OPEN before ours (RFC 4271, DelayOpen); undefined: ours goes at once. */
  readonly delayOpen?: number | undefined;
  readonly families: readonly Family[];
  /** Whether IPv4 routes may have an IPv6 next hop, if the peer agrees (RFC 8950). */
  readonly extendedNextHop: boolean;
  readonly gracefulRestart: { readonly restartTime: number; readonly restarted: boolean } | undefined;
  /** For routes that have none of their own; undefined: none is sent. */
  readonly medDefault?: number | undefined;
  /**
   * The next hop for routes of the family that the connection is not of, where it cannot be the connection's own
   * address. `linkLocal` is told along with a global IPv6 next hop, to a peer on the same link (RFC 2545 section 3).
   */
  readonly nextHop?:
    | {
        readonly 4?: Address | undefined;
        readonly 6?: Address | undefined;
        readonly linkLocal?: Address | undefined;
      }
    | undefined;
};

/** The interval within which an attempt to connect has to succeed, in milliseconds. */
export const defaultConnectTime = 10_000;
