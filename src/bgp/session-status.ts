import type { Address, Family } from '../ip/address.ts';

export type SessionState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

export type PerFamily = { readonly 4: number; readonly 6: number };

/** A session as people and metrics see it. Times are wall times in milliseconds. */
export type SessionStatus = {
  readonly state: SessionState;
  readonly since: number;
  readonly establishedAt?: number | undefined;
  /** How often the session was lost after it had been established. */
  readonly flaps: number;
  readonly peerAsn?: number | undefined;
  readonly peerRouterId?: number | undefined;
  /** Negotiated, in seconds. */
  readonly holdTime?: number | undefined;
  readonly keepaliveTime?: number | undefined;
  /** Negotiated. */
  readonly families: readonly Family[];
  readonly capabilities: { readonly ours: readonly string[]; readonly theirs: readonly string[] };
  readonly announced: PerFamily;
  readonly pending: PerFamily;
  /** Why no route of a family can be told to this peer. */
  readonly withheld: { readonly 4?: string | undefined; readonly 6?: string | undefined };
  /** How many routes cannot be told because no message holds their attributes, in words. */
  readonly oversized?: string | undefined;
  /** How often the peer has announced a prefix in this session. What it announces is not kept. */
  readonly received: PerFamily;
  readonly counters: Readonly<SessionCounters>;
  readonly lastError?: SessionError | undefined;
  /** When we connect again. */
  readonly nextAttempt?: number | undefined;
  readonly localAddress?: Address | undefined;
  readonly remoteAddress?: Address | undefined;
};

export type SessionError = {
  readonly text: string;
  readonly at: number;
  /** Of the NOTIFICATION that went with it. */
  readonly code?: number | undefined;
  readonly subcode?: number | undefined;
  /** Whether we have sent it, otherwise the peer. */
  readonly sent: boolean;
};

/** Of all connections of the session's life. */
export type SessionCounters = {
  opensSent: number;
  opensReceived: number;
  notificationsSent: number;
  notificationsReceived: number;
  updatesSent: number;
  updatesReceived: number;
  keepalivesSent: number;
  keepalivesReceived: number;
  routeRefreshSent: number;
  routeRefreshReceived: number;
  /** Messages of all types. */
  totalSent: number;
  totalReceived: number;
};

export function newSessionCounters(): SessionCounters {
  return {
    opensSent: 0,
    opensReceived: 0,
    notificationsSent: 0,
    notificationsReceived: 0,
    updatesSent: 0,
    updatesReceived: 0,
    keepalivesSent: 0,
    keepalivesReceived: 0,
    routeRefreshSent: 0,
    routeRefreshReceived: 0,
    totalSent: 0,
    totalReceived: 0,
  };
}
