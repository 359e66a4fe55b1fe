import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { AdjRibOut } from './adj-rib-out.ts';
import { Backoff } from './backoff.ts';
import { surviving } from './collision.ts';
import { BgpConnection } from './connection.ts';
import type { Cause } from './fsm.ts';
import { Lingering } from './lingering.ts';
import type { Open, Update } from './message.ts';
import { isMessageError, type MessageError } from './message-error.ts';
import { lesserOffer, type Negotiated, negotiate, type Offer, ourOpen } from './negotiation.ts';
import type { PeerSettings } from './peer-settings.ts';
import { RouteSender } from './route-sender.ts';
import { bfdIsDown, ceaseFor, collisionResolution, hardReset } from './session-errors.ts';
import { describeFailure } from './session-failure.ts';
import { leading, SessionRecord } from './session-record.ts';
import type { SessionStatus } from './session-status.ts';
import { Timers } from './timers.ts';
import type { IncomingConnection, Transport } from './transport.ts';

export type BgpSessionOptions = {
  readonly settings: PeerSettings;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of this peer alone. What is in it when the session is up is told; of later changes `routesChanged` has to tell. */
  readonly routes: AdjRibOut;
  /** After every change of state and every error; counts change without it. */
  readonly onChange: (status: SessionStatus) => void;
};

/**
 * `shutdown` tells what is left to tell and then says goodbye, `hard` says it at once; after both the peer has no
 * routes of ours. `restart` lets a peer with graceful restart keep them.
 */
export type StopKind = 'shutdown' | 'restart' | 'hard';

/** A session that has lasted this long starts again without delay, where there is no hold time. In milliseconds. */
const lastingWithoutHold = 90_000;
const longestRetry = 60_000;
/** Between two connections of a peer that has one already. */
const leastPause = 1_000;
/** One that is established, and one of a peer that has lost it and comes back (RFC 4724 section 5). */
const maxIncoming = 2;

/** The session with one peer: it connects, is connected to, keeps one connection of several, and tries again. */
export class BgpSession {
  readonly #options: BgpSessionOptions;
  readonly #backoff: Backoff;
  readonly #lingering: Lingering;
  readonly #record: SessionRecord;
  readonly #outgoing: BgpConnection;
  readonly #incoming = new Set<BgpConnection>();
  #offer: Offer = 'all';
  /** We have restarted, and the peer does not know it yet (RFC 4724, the R bit). */
  #restarted: boolean;
  #sender: RouteSender | undefined;
  readonly #timers: Timers<'idle-hold' | 'flush'>;
  /** Who connects to us earlier than this, by `clock.now()`, is refused. */
  #refusing = -Infinity;
  #stopped = false;

  constructor(options: BgpSessionOptions) {
    const { clock, random, settings } = options;
    this.#options = options;
    this.#backoff = new Backoff({ longest: settings.connectTime ?? longestRetry, random });
    this.#lingering = new Lingering(clock);
    this.#timers = new Timers(clock);
    this.#record = new SessionRecord(clock);
    this.#restarted = settings.gracefulRestart?.restarted ?? false;
    this.#outgoing = this.#newConnection('outgoing');
  }

  start(): void {
    if (!this.#stopped) this.#outgoing.start();
  }

  /** Resolves when no connection is left, which takes a second at most. Idempotent; there is no way back. */
  stop(how: StopKind, text = ''): Promise<void> {
    if (!this.#stopped) this.#stop(how, text);
    return this.#lingering.emptied();
  }

  /** The peer is no longer reached: what is connected is closed, and tried again. No peer is to keep the routes. */
  bfdDown(): void {
    for (const connection of this.#connections()) {
      if (connection.tcp === undefined) continue;
      connection.stop(connection.negotiated?.gracefulNotification ? hardReset(bfdIsDown) : bfdIsDown);
    }
  }

  /** Something has changed in the Adj-RIB-Out. It is sent in the next turn of the event loop, with what else changes. */
  routesChanged(): void {
    if (this.#sender === undefined || this.#stopped) return;
    if (this.#timers.due('flush') === undefined) this.#timers.start('flush', 0, () => this.#sender?.pump());
  }

  /** The peer has connected to us. False, and nothing happens to the connection, when it is not wanted now. */
  accept(incoming: IncomingConnection): boolean {
    const early = this.#options.clock.now() < this.#refusing;
    if (early || this.#stopped || this.#incoming.size >= maxIncoming) return false;
    const connection = this.#newConnection('incoming');
    this.#incoming.add(connection);
    connection.take(incoming);
    return true;
  }

  status(): SessionStatus {
    const { clock, routes, settings } = this.#options;
    const withheld = this.#sender?.withheld ?? {};
    const due = this.#timers.due('idle-hold') ?? this.#outgoing.nextDial;
    const { counts: oversized = { 4: 0, 6: 0 }, problem } = this.#sender?.oversized ?? {};
    const counts = (of: (family: 4 | 6) => number) => ({ 4: withheld[4] ? 0 : of(4), 6: withheld[6] ? 0 : of(6) });
    return {
      ...this.#record.of(leading(this.#connections()), ourOpen(settings, this.#offer)),
      announced: counts((family) => (this.#sender === undefined ? 0 : routes.announced[family] - oversized[family])),
      pending: counts((family) => routes.pending[family]),
      withheld,
      oversized: problem,
      nextAttempt: due === undefined ? undefined : clock.wallTime() + (due - clock.now()),
    };
  }

  /** Whether the peer keeps our routes when the connection is lost, until we are back (RFC 4724). */
  get keepsRoutes(): boolean {
    return this.#connections().some(({ state, negotiated }) => state === 'Established' && negotiated?.gracefulRestart);
  }

  #stop(how: StopKind, text: string): void {
    this.#stopped = true;
    this.#timers.stop('idle-hold', 'flush');
    if (how !== 'hard') this.#sender?.pump();
    for (const connection of this.#connections()) connection.stop(farewell(how, text, connection.negotiated));
  }

  #newConnection(direction: 'outgoing' | 'incoming'): BgpConnection {
    const { settings, transport, clock, random } = this.#options;
    return new BgpConnection({
      direction,
      settings,
      transport,
      clock,
      random,
      counters: this.#record.counters,
      lingering: this.#lingering,
      owner: {
        ourOpen: () => this.#ourOpen(),
        judge: (connection, ours, peer) => this.#judge(connection, ours, peer),
        retryDelay: () => this.#backoff.next('connection'),
        moved: () => this.#moved(),
        established: (connection) => this.#established(connection),
        failed: (connection, cause) => this.#failed(connection, cause),
        updated: (update) => this.#updated(update),
        refreshAsked: ({ family, subtype }) => {
          if (subtype === 'request') this.#sender?.refresh(family);
        },
        drained: () => this.#sender?.pump(),
      },
    });
  }

  #connections(): BgpConnection[] {
    return [this.#outgoing, ...this.#incoming];
  }

  #isConnected(): boolean {
    return this.#connections().some(({ state }) => isOpened(state));
  }

  #ourOpen(): Open {
    const { settings } = this.#options;
    const restart = settings.gracefulRestart;
    const gracefulRestart = restart && { ...restart, restarted: this.#restarted };
    return ourOpen({ ...settings, gracefulRestart }, this.#offer);
  }

  /** Nothing when another connection to the same speaker stays (RFC 4271 section 6.8). */
  #judge(connection: BgpConnection, ours: Open, peer: Open): Negotiated | MessageError | undefined {
    const verdict = negotiate(this.#options.settings, ours, peer);
    if (isMessageError(verdict)) return verdict;
    const stays = surviving(ours, peer);
    for (const other of this.#connections()) {
      if (other === connection) continue;
      if (other.state === 'Established') {
        // A peer that has restarted has no other way to say so, and is to keep the routes (RFC 4724 section 5).
        if (!other.negotiated?.gracefulRestart) return undefined;
        other.replaced();
      } else if (other.state === 'OpenConfirm') {
        if (other.direction === stays) return undefined;
        other.dump();
      }
    }
    return verdict;
  }

  #established(connection: BgpConnection): void {
    const { settings, routes, log } = this.#options;
    const { negotiated } = connection;
    if (negotiated === undefined) return;
    this.#timers.stop('idle-hold');
    for (const other of this.#connections()) if (other !== connection) other.dump();
    this.#restarted = false;
    this.#record.established(negotiated);
    log.info('session established', {
      peer: settings.name,
      asn: negotiated.peer.asn,
      holdTime: negotiated.timing.holdTime,
    });
    const { counters } = this.#record;
    this.#sender = new RouteSender({ connection, settings, negotiated, routes, counters, log });
    this.#sender.start();
  }

  #failed(connection: BgpConnection, cause: Cause): void {
    this.#incoming.delete(connection);
    const lasted = cause.state === 'Established' ? this.#lost() : 0;
    if (!isCollision(cause) || !this.#isConnected()) this.#explain(cause);
    if (cause.state !== 'Established' && !isCollision(cause)) this.#offer = offerAfter(cause, this.#offer);
    if (!this.#stopped) this.#tryAgain(connection, cause, lasted);
  }

  /** Returns for how many milliseconds the session was up, compared with what counts as lasting: at least 1 is lasting. */
  #lost(): number {
    const { routes } = this.#options;
    const { duration, holdTime } = this.#record.lost();
    this.#timers.stop('flush');
    this.#sender = undefined;
    this.#offer = 'all';
    routes.reset();
    return duration / (holdTime * 1_000 || lastingWithoutHold);
  }

  /** RFC 4271 section 8, IdleHoldTimer and DampPeerOscillations. */
  #tryAgain(connection: BgpConnection, cause: Cause, lasted: number): void {
    const { clock } = this.#options;
    if (lasted >= 1) this.#backoff.reset();
    // It has a timer of its own.
    if (connection.direction === 'outgoing' && connection.state !== 'Idle') return;
    if (this.#isConnected()) {
      if (connection.direction === 'incoming') this.#refusing = clock.now() + leastPause;
      return;
    }
    const delay = this.#backoff.next(isProtocolError(cause) ? 'protocol' : 'connection');
    const connected = cause.state !== 'Connect' && cause.state !== 'Active';
    if (connected && lasted < 1) this.#refusing = clock.now() + delay;
    if (this.#outgoing.state !== 'Idle' || this.#timers.due('idle-hold') !== undefined) return;
    this.#timers.start('idle-hold', delay, () => this.#outgoing.start());
  }

  #explain(cause: Cause): void {
    const { log, settings } = this.#options;
    const error = describeFailure(cause, settings);
    const known = this.#record.lastError?.text === error.text;
    this.#record.failed(error);
    if (cause.state === 'Established') log.warn('session lost', { peer: settings.name, ...error });
    else if (!known) log.warn('session not established', { peer: settings.name, ...error });
    this.#changed();
  }

  #updated(update: Update): void {
    this.#record.received(update);
    if (update.faults.length === 0) return;
    this.#options.log.debug('malformed update', { peer: this.#options.settings.name, faults: update.faults });
  }

  #moved(): void {
    if (this.#record.moved(leading(this.#connections()).state)) this.#changed();
  }

  #changed(): void {
    this.#record.moved(leading(this.#connections()).state);
    this.#options.onChange(this.status());
  }
}

/** What a connection is closed with. */
function farewell(how: StopKind, text: string, negotiated: Negotiated | undefined): MessageError | undefined {
  if (how === 'restart') return negotiated?.gracefulRestart ? undefined : ceaseFor('administrativeReset', text);
  const cease = ceaseFor('administrativeShutdown', text);
  return negotiated?.gracefulNotification ? hardReset(cease) : cease;
}

function isOpened(state: string): boolean {
  return state === 'OpenSent' || state === 'OpenConfirm' || state === 'Established';
}

/** Nothing is wrong, as long as another connection stays. */
function isCollision(cause: Cause): boolean {
  if (cause.state === 'Established') return false;
  if (cause.kind === 'refused') return cause.sent === collisionResolution;
  return cause.kind === 'notified' && cause.notification.code === 6 && cause.notification.subcode === 7;
}

/** What trying again does not mend. To be offered less may. */
function isProtocolError(cause: Cause): boolean {
  if (cause.kind === 'refused') return [1, 2, 3, 5].includes(cause.sent.code);
  return cause.kind === 'notified' && [1, 2, 3, 5].includes(cause.notification.code) && !wantsLess(cause.notification);
}

/** Who has refused a lesser offer, too, or something else of it, may be another router by now: all is offered again. */
function offerAfter(cause: Cause, before: Offer): Offer {
  if (cause.kind === 'notified' && wantsLess(cause.notification)) return lesserOffer(before);
  return cause.kind === 'notified' || cause.kind === 'refused' ? 'all' : before;
}

/** RFC 5492 sections 3 and 5. */
function wantsLess({ code, subcode }: { readonly code: number; readonly subcode: number }): boolean {
  return code === 2 && (subcode === 4 || subcode === 7);
}
