import type { Family } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';

/** What speakers tell each other: RFC 4271 section 4, RFC 2918. The codec is in ./codec.ts. */
export type Message = Open | Update | Notification | { readonly type: 'keepalive' } | RouteRefresh;

export type Open = {
  readonly type: 'open';
  /** Of the capability of RFC 6793 where it is there, otherwise the field of two bytes. */
  readonly asn: number;
  /** Seconds. */
  readonly holdTime: number;
  /** The BGP identifier, 32 bits, not 0 (RFC 6286). */
  readonly routerId: number;
  readonly capabilities: readonly Capability[];
};

/** RFC 5492. Unicast routes only: a multiprotocol capability of any other SAFI is `unknown`. */
export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: Family }
  | { readonly kind: 'route-refresh' }
  | { readonly kind: 'enhanced-route-refresh' }
  | { readonly kind: 'extended-message' }
  | { readonly kind: 'four-octet-asn'; readonly asn: number }
  /** RFC 8950: routes of `family` may have next hops of `nextHop`. */
  | {
      readonly kind: 'extended-next-hop';
      readonly tuples: readonly { readonly family: Family; readonly nextHop: Family }[];
    }
  | GracefulRestartCapability
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

/** RFC 4724 section 3, RFC 8538 section 2. */
export type GracefulRestartCapability = {
  readonly kind: 'graceful-restart';
  /** The R bit: the sender has restarted. */
  readonly restarted: boolean;
  /** The N bit: it also keeps routes over a NOTIFICATION. */
  readonly notification: boolean;
  /** Seconds, 12 bits. */
  readonly restartTime: number;
  readonly families: readonly { readonly family: Family; readonly forwardingPreserved: boolean }[];
};

/** As received. What the attributes say is looked at only as far as counting routes asks for. */
export type Update = {
  readonly type: 'update';
  readonly announced: readonly Prefix[];
  readonly withdrawn: readonly Prefix[];
  /** The family whose initial routes are complete (RFC 4724 section 2). */
  readonly endOfRib: Family | undefined;
  /** What was malformed, and so counted as withdrawn or left out (RFC 7606); in words, empty when nothing was. */
  readonly faults: readonly string[];
};

export type Notification = {
  readonly type: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
};

export type RouteRefresh =
  | { readonly type: 'route-refresh'; readonly family: Family; readonly subtype: 'request' | 'begin' | 'end' }
  /** Of a family or a kind that we do not know: to be ignored (RFC 2918 section 4, RFC 7313 section 5). */
  | { readonly type: 'route-refresh'; readonly family: undefined; readonly subtype: 'unknown' };
