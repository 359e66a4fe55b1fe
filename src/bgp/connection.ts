import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { jittered } from './backoff.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import { type Cause, type FsmAction, type FsmEvent, type FsmState, type FsmTimer, idle, step } from './fsm.ts';
import type { Lingering } from './lingering.ts';
import type { Message, Notification, Open, RouteRefresh, Update } from './message.ts';
import { isMessageError, type MessageError } from './message-error.ts';
import type { Negotiated } from './negotiation.ts';
import { defaultConnectTime, type PeerSettings } from './peer-settings.ts';
import type { SessionCounters, SessionState } from './session-status.ts';
import { TcpLink } from './tcp-link.ts';
import { Timers } from './timers.ts';
import type { Connection, IncomingConnection, Transport } from './transport.ts';

/** Who has the connection decides what goes beyond it. */
export type ConnectionOwner = {
  ourOpen(): Open;
  /** What an OPEN makes of the connection: nothing when another one stays in its place. */
  judge(connection: BgpConnection, ours: Open, peer: Open): Negotiated | MessageError | undefined;
  /** Milliseconds until the next attempt, after one that did not get far. */
  retryDelay(): number;
  moved(): void;
  established(connection: BgpConnection): void;
  failed(connection: BgpConnection, cause: Cause): void;
  updated(update: Update): void;
  refreshAsked(refresh: RouteRefresh): void;
  drained(): void;
};

export type BgpConnectionOptions = {
  readonly direction: 'outgoing' | 'incoming';
  readonly settings: PeerSettings;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: SessionCounters;
  readonly lingering: Lingering;
  readonly owner: ConnectionOwner;
};

/** RFC 9687 section 3. */
const leastSendHoldTime = 480;
/** A timer that is later than this was held up by us: what has arrived meanwhile is to be read first. */
const lateness = 500;

/** One state machine with its timers, and its TCP connection when there is one. */
export class BgpConnection {
  readonly direction: 'outgoing' | 'incoming';
  readonly #options: BgpConnectionOptions;
  readonly #link: TcpLink;
  readonly #timers: Timers<FsmTimer | 'send-hold'>;
  #state: FsmState = idle;
  #ours: Open | undefined;
  #negotiated: Negotiated | undefined;
  /** The message that the state machine is at. */
  #message: Update | RouteRefresh | undefined;

  constructor(options: BgpConnectionOptions) {
    this.direction = options.direction;
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#link = new TcpLink({
      ...options,
      connected: () => this.#fire({ type: 'TcpConnectionConfirmed' }),
      failed: (error) => this.#fire({ type: 'TcpConnectionFails', error }),
      message: (bytes) => this.#receive(bytes),
      fault: (error) => this.#fire({ type: 'BgpHeaderError', error }),
      drained: () => {
        this.#timers.stop('send-hold');
        options.owner.drained();
      },
    });
  }

  get state(): SessionState {
    return this.#state.name;
  }

  get tcp(): Connection | undefined {
    return this.#link.tcp;
  }

  get ours(): Open | undefined {
    return this.#ours;
  }

  /** From OpenConfirm on. */
  get negotiated(): Negotiated | undefined {
    return this.#negotiated;
  }

  /** When it dials again, by `clock.now()`, where it waits for that. */
  get nextDial(): number | undefined {
    return this.state === 'Active' ? this.#timers.due('connect-retry') : undefined;
  }

  start(): void {
    this.#fire({ type: 'Start', passive: this.#options.settings.passive });
  }

  /** The peer has connected to us. */
  take(incoming: IncomingConnection): void {
    this.#fire({ type: 'Start', passive: true });
    this.#link.take(incoming);
  }

  /** Without a notification only the TCP connection is closed. */
  stop(notification: MessageError | undefined): void {
    this.#fire({ type: 'Stop', notification });
  }

  /** Another connection stays. */
  dump(): void {
    this.#fire({ type: 'OpenCollisionDump' });
  }

  /** The peer has restarted, and connected anew: it is not told anything here (RFC 4724 section 5). */
  replaced(): void {
    this.#fire({ type: 'TcpConnectionFails', error: new Error('the router has connected anew') });
  }

  /** Messages of the owner. Nothing happens once the connection is lost. */
  write(bytes: Uint8Array): void {
    this.#link.write(bytes);
    this.#watchSending();
  }

  #fire(event: FsmEvent): void {
    const before = this.#state.name;
    const { state, actions } = step(this.#state, event, { delayOpen: this.#options.settings.delayOpen !== undefined });
    this.#state = state;
    for (const action of actions) this.#do(action);
    if (before !== state.name) this.#options.owner.moved();
  }

  #do(action: FsmAction): void {
    switch (action.type) {
      case 'start-timer':
        this.#arm(action.timer, this.#durationOf(action.timer, action.seconds));
        break;
      case 'stop-timers':
        this.#timers.stop(...action.timers);
        break;
      case 'dial':
        // Never rejects.
        void this.#link.dial();
        break;
      case 'send':
        this.#send(action.message);
        break;
      case 'notify':
        this.#notify(action.error);
        break;
      case 'drop':
        this.#drop();
        break;
      case 'established':
        this.#options.owner.established(this);
        break;
      case 'deliver':
        this.#deliver();
        break;
      case 'failed':
        this.#options.owner.failed(this, action.cause);
        break;
      default:
        action satisfies never;
    }
  }

  #durationOf(timer: FsmTimer, seconds: number | undefined): number {
    const { settings, random, owner } = this.#options;
    switch (timer) {
      case 'connect-retry':
        if (this.#state.name === 'Active') return owner.retryDelay();
        return jittered(settings.connectTime ?? defaultConnectTime, random);
      case 'delay-open':
        return (settings.delayOpen ?? 0) * 1_000;
      case 'keepalive':
        // RFC 4271 section 4.4: not more often than once a second.
        return Math.max(1_000, jittered((seconds ?? 0) * 1_000, random));
      case 'hold':
        return (seconds ?? 0) * 1_000;
      default:
        return timer satisfies never;
    }
  }

  #receive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes, { fourOctetAsn: this.#negotiated?.fourOctetAsn ?? true });
    this.#options.counters.totalReceived++;
    if (isMessageError(message)) {
      this.#fire(errorEvent(message));
      return;
    }
    this.#hear(message);
  }

  #hear(message: Message): void {
    const { counters } = this.#options;
    switch (message.type) {
      case 'open':
        counters.opensReceived++;
        this.#opened(message);
        break;
      case 'notification':
        counters.notificationsReceived++;
        this.#fire({ type: 'NotificationMessage', notification: message });
        break;
      case 'keepalive':
        counters.keepalivesReceived++;
        this.#fire({ type: 'KeepaliveMessage' });
        break;
      case 'update':
        counters.updatesReceived++;
        this.#message = message;
        this.#fire({ type: 'UpdateMessage' });
        break;
      case 'route-refresh':
        counters.routeRefreshReceived++;
        this.#message = message;
        this.#fire({ type: 'RouteRefreshMessage' });
        break;
      default:
        message satisfies never;
    }
  }

  #opened(peer: Open): void {
    const waitsForOpen = this.#state.name === 'OpenSent' || this.#state.delaying;
    if (!waitsForOpen) {
      this.#fire({ type: 'BgpOpen', timing: { holdTime: 0, keepaliveTime: 0 } });
      return;
    }
    this.#ours ??= this.#options.owner.ourOpen();
    const verdict = this.#options.owner.judge(this, this.#ours, peer);
    if (verdict === undefined) {
      this.dump();
      return;
    }
    if (isMessageError(verdict)) {
      this.#fire({ type: 'BgpOpenMessageError', error: verdict });
      return;
    }
    this.#negotiated = verdict;
    this.#fire({ type: 'BgpOpen', timing: verdict.timing });
  }

  #deliver(): void {
    const message = this.#message;
    this.#message = undefined;
    if (message?.type === 'update') this.#options.owner.updated(message);
    else if (message !== undefined) this.#options.owner.refreshAsked(message);
  }

  #send(message: 'open' | 'keepalive'): void {
    const { counters, owner } = this.#options;
    counters.totalSent++;
    if (message === 'keepalive') {
      counters.keepalivesSent++;
      this.write(encodeMessage({ type: 'keepalive' }));
      return;
    }
    counters.opensSent++;
    this.#ours ??= owner.ourOpen();
    this.write(encodeMessage(this.#ours));
  }

  #notify({ code, subcode, data }: MessageError): void {
    const notification: Notification = { type: 'notification', code, subcode, data };
    this.#options.counters.totalSent++;
    this.#options.counters.notificationsSent++;
    this.write(encodeMessage(notification));
  }

  #drop(): void {
    this.#ours = undefined;
    this.#negotiated = undefined;
    this.#message = undefined;
    this.#timers.stop('send-hold');
    this.#link.close();
  }

  /** RFC 9687: something of what we have sent has to reach the peer within the send hold time. */
  #watchSending(): void {
    const holdTime = this.#state.timing?.holdTime ?? 0;
    const buffered = this.tcp?.bufferedBytes ?? 0;
    if (holdTime === 0 || buffered === 0 || this.#timers.due('send-hold') !== undefined) return;
    const { taken } = this.#link;
    this.#timers.start('send-hold', Math.max(leastSendHoldTime, 2 * holdTime) * 1_000, () => {
      if (this.#link.taken > taken) this.#watchSending();
      else this.#fire({ type: 'SendHoldTimerExpires' });
    });
  }

  #arm(timer: FsmTimer, delay: number): void {
    const expired = () => this.#fire({ type: expiries[timer] });
    this.#timers.start(timer, delay, (late) => {
      if (timer === 'hold' && late > lateness) this.#timers.start('hold', lateness, expired);
      else expired();
    });
  }
}

const expiries = {
  'connect-retry': 'ConnectRetryTimerExpires',
  'delay-open': 'DelayOpenTimerExpires',
  hold: 'HoldTimerExpires',
  keepalive: 'KeepaliveTimerExpires',
} as const;

function errorEvent(error: MessageError): FsmEvent {
  if (error.code === 2) return { type: 'BgpOpenMessageError', error };
  return { type: error.code === 3 ? 'UpdateMessageError' : 'BgpHeaderError', error };
}
