import type { Clock } from '../runtime/clock.ts';
import type { BgpConnection } from './connection.ts';
import type { Open, Update } from './message.ts';
import { capabilityNames, type Negotiated } from './negotiation.ts';
import { newSessionCounters, type SessionError, type SessionState, type SessionStatus } from './session-status.ts';

const ranks: Readonly<Record<SessionState, number>> = {
  Idle: 0,
  Active: 1,
  Connect: 2,
  OpenSent: 3,
  OpenConfirm: 4,
  Established: 5,
};

/** The connection that is the session to people: the one that got furthest. */
export function leading(connections: readonly BgpConnection[]): BgpConnection {
  return connections.reduce((first, each) => (ranks[each.state] > ranks[first.state] ? each : first));
}

/** What is remembered of a session, for its status. */
export class SessionRecord {
  readonly counters = newSessionCounters();
  readonly #clock: Clock;
  #state: SessionState = 'Idle';
  #since: number;
  #up: { readonly at: number; readonly wallTime: number; readonly holdTime: number } | undefined;
  #flaps = 0;
  #peer: Open | undefined;
  #received = { 4: 0, 6: 0 };
  #lastError: SessionError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.wallTime();
  }

  get lastError(): SessionError | undefined {
    return this.#lastError;
  }

  /** Whether that is news. */
  moved(state: SessionState): boolean {
    if (state === this.#state) return false;
    this.#state = state;
    this.#since = this.#clock.wallTime();
    return true;
  }

  established({ peer, timing }: Negotiated): void {
    this.#peer = peer;
    this.#received = { 4: 0, 6: 0 };
    this.#up = { at: this.#clock.now(), wallTime: this.#clock.wallTime(), holdTime: timing.holdTime };
  }

  /** For how many milliseconds it was up, and with which hold time. */
  lost(): { readonly duration: number; readonly holdTime: number } {
    const up = this.#up;
    this.#up = undefined;
    this.#flaps++;
    return { duration: up ? this.#clock.now() - up.at : 0, holdTime: up?.holdTime ?? 0 };
  }

  failed(error: Omit<SessionError, 'at'>): void {
    this.#lastError = { ...error, at: this.#clock.wallTime() };
  }

  received({ announced }: Update): void {
    for (const { family } of announced) this.#received[family]++;
  }

  of(
    connection: BgpConnection,
    ours: Open,
  ): Omit<SessionStatus, 'announced' | 'pending' | 'withheld' | 'oversized' | 'nextAttempt'> {
    const { negotiated, tcp } = connection;
    const peer = negotiated?.peer ?? this.#peer;
    return {
      state: connection.state,
      since: this.#since,
      establishedAt: this.#up?.wallTime,
      flaps: this.#flaps,
      peerAsn: peer?.asn,
      peerRouterId: peer?.routerId,
      holdTime: negotiated?.timing.holdTime,
      keepaliveTime: negotiated?.timing.keepaliveTime,
      families: negotiated?.families ?? [],
      capabilities: { ours: capabilityNames(connection.ours ?? ours), theirs: peer ? capabilityNames(peer) : [] },
      received: { ...this.#received },
      counters: { ...this.counters },
      lastError: this.#lastError,
      localAddress: tcp?.localAddress,
      remoteAddress: tcp?.remoteAddress,
    };
  }
}
