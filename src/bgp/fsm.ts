import type { Notification } from './message.ts';
import type { MessageError } from './message-error.ts';
import {
  collisionResolution,
  holdTimeExpired,
  sendHoldTimeExpired,
  unexpectedEvent,
  unexpectedMessage,
} from './session-errors.ts';
import type { SessionState } from './session-status.ts';

/**
 * The state machine of RFC 4271 section 8 for one connection: an event in, the next state and what is to be done out.
 * It has no clock and no socket. Two of them may run for one peer; who decides between them is ./collision.ts.
 */
export type FsmState = {
  readonly name: SessionState;
  /** Never dials. */
  readonly passive: boolean;
  /** In Connect and Active: connected, and waiting for the peer's OPEN before ours goes (DelayOpenTimer runs). */
  readonly delaying: boolean;
  /** Negotiated; from OpenConfirm on. */
  readonly timing: Timing | undefined;
};

/** Seconds. With a hold time of 0 there are no KEEPALIVEs. */
export type Timing = { readonly holdTime: number; readonly keepaliveTime: number };

/** The names are those of RFC 4271 section 8.1; behind them the numbers there. */
export type FsmEvent =
  | { readonly type: 'Start'; readonly passive: boolean } // 1, 3 to 7, and 13
  | { readonly type: 'Stop'; readonly notification: MessageError | undefined } // 2, 8
  | { readonly type: 'ConnectRetryTimerExpires' } // 9
  | { readonly type: 'HoldTimerExpires' } // 10
  | { readonly type: 'KeepaliveTimerExpires' } // 11
  | { readonly type: 'DelayOpenTimerExpires' } // 12
  | { readonly type: 'TcpConnectionConfirmed' } // 16, 17
  | { readonly type: 'TcpConnectionFails'; readonly error: Error | undefined } // 18
  | { readonly type: 'BgpOpen'; readonly timing: Timing } // 19, 20
  | { readonly type: 'BgpHeaderError'; readonly error: MessageError } // 21
  | { readonly type: 'BgpOpenMessageError'; readonly error: MessageError } // 22
  | { readonly type: 'OpenCollisionDump' } // 23
  | { readonly type: 'NotificationMessage'; readonly notification: Notification } // 24, 25
  | { readonly type: 'KeepaliveMessage' } // 26
  | { readonly type: 'UpdateMessage' } // 27
  | { readonly type: 'UpdateMessageError'; readonly error: MessageError } // 28
  | { readonly type: 'RouteRefreshMessage' } // RFC 2918
  | { readonly type: 'SendHoldTimerExpires' }; // RFC 9687

export type FsmTimer = 'connect-retry' | 'delay-open' | 'hold' | 'keepalive';

export type FsmAction =
  /** Without `seconds` how long it runs is for the owner to say. A timer that runs starts again. */
  | { readonly type: 'start-timer'; readonly timer: FsmTimer; readonly seconds?: number }
  | { readonly type: 'stop-timers'; readonly timers: readonly FsmTimer[] }
  | { readonly type: 'dial' }
  | { readonly type: 'send'; readonly message: 'open' | 'keepalive' }
  | { readonly type: 'notify'; readonly error: MessageError }
  /** Closes the connection, or gives up to dial; there may be neither. */
  | { readonly type: 'drop' }
  | { readonly type: 'established' }
  /** The UPDATE or ROUTE-REFRESH that this event is about counts. */
  | { readonly type: 'deliver' }
  | { readonly type: 'failed'; readonly cause: Cause };

/** Why an attempt or a session has ended, and in which state. */
export type Cause =
  | { readonly kind: 'stopped'; readonly state: SessionState; readonly sent: MessageError | undefined }
  | { readonly kind: 'unanswered'; readonly state: SessionState }
  | { readonly kind: 'lost'; readonly state: SessionState; readonly error: Error | undefined }
  | { readonly kind: 'refused'; readonly state: SessionState; readonly sent: MessageError }
  | { readonly kind: 'notified'; readonly state: SessionState; readonly notification: Notification };

export type FsmStep = { readonly state: FsmState; readonly actions: readonly FsmAction[] };

export type FsmOptions = { readonly delayOpen: boolean };

export const idle: FsmState = { name: 'Idle', passive: false, delaying: false, timing: undefined };

/** RFC 4271 section 4.2 and 8.2.2: how long a peer may take for its OPEN. */
const openHoldTime = 240;

/** Every event has a meaning in every state. */
export function step(state: FsmState, event: FsmEvent, options: FsmOptions): FsmStep {
  switch (state.name) {
    case 'Idle':
      return inIdle(state, event);
    case 'Connect':
    case 'Active':
      return beforeOpen(state, event, options);
    case 'OpenSent':
      return inOpenSent(state, event);
    case 'OpenConfirm':
      return inOpenConfirm(state, event);
    case 'Established':
      return inEstablished(state, event);
    default:
      return state.name satisfies never;
  }
}

function inIdle(state: FsmState, event: FsmEvent): FsmStep {
  if (event.type !== 'Start') return { state, actions: [] };
  if (event.passive) return { state: { ...idle, name: 'Active', passive: true }, actions: [] };
  return { state: { ...idle, name: 'Connect' }, actions: [startRetry, { type: 'dial' }] };
}

/** Connect, where a connection is being made, and Active, where one is waited for. */
function beforeOpen(state: FsmState, event: FsmEvent, { delayOpen }: FsmOptions): FsmStep {
  switch (event.type) {
    case 'Start':
      return { state, actions: [] };
    case 'Stop':
      return ended(state, { kind: 'stopped', state: state.name, sent: undefined });
    case 'ConnectRetryTimerExpires':
      return redialled(state);
    case 'DelayOpenTimerExpires':
      return openSent(state);
    case 'TcpConnectionConfirmed':
      if (!delayOpen) return openSent(state);
      return {
        state: { ...state, delaying: true },
        actions: [stop('connect-retry'), { type: 'start-timer', timer: 'delay-open' }],
      };
    case 'TcpConnectionFails':
      if (!state.delaying || state.name === 'Active') return ended(state, lost(state, event.error));
      return waiting(state, lost(state, event.error));
    case 'BgpOpen':
      if (!state.delaying) return refused(state, unexpectedMessage('open', state.name));
      return confirming(state, event.timing, [stop('connect-retry', 'delay-open'), { type: 'send', message: 'open' }]);
    case 'BgpHeaderError':
    case 'BgpOpenMessageError':
    case 'UpdateMessageError':
      return refused(state, event.error);
    case 'NotificationMessage':
      return ended(state, { kind: 'notified', state: state.name, notification: event.notification });
    case 'OpenCollisionDump':
      return ended(state, { kind: 'refused', state: state.name, sent: collisionResolution });
    default:
      return unexpected(state, event);
  }
}

function inOpenSent(state: FsmState, event: FsmEvent): FsmStep {
  switch (event.type) {
    case 'TcpConnectionFails':
      return waiting(state, lost(state, event.error));
    case 'BgpOpen':
      return confirming(state, event.timing, [stop('connect-retry')]);
    default:
      return opened(state, event);
  }
}

function inOpenConfirm(state: FsmState, event: FsmEvent): FsmStep {
  switch (event.type) {
    case 'TcpConnectionFails':
      return ended(state, lost(state, event.error));
    case 'KeepaliveTimerExpires':
      return { state, actions: keepalive(state) };
    case 'KeepaliveMessage':
      return { state: { ...state, name: 'Established' }, actions: [...restartHold(state), { type: 'established' }] };
    default:
      return opened(state, event);
  }
}

function inEstablished(state: FsmState, event: FsmEvent): FsmStep {
  switch (event.type) {
    case 'TcpConnectionFails':
      return ended(state, lost(state, event.error));
    case 'KeepaliveTimerExpires':
      return { state, actions: keepalive(state) };
    case 'KeepaliveMessage':
      return { state, actions: restartHold(state) };
    case 'UpdateMessage':
      return { state, actions: [...restartHold(state), { type: 'deliver' }] };
    case 'RouteRefreshMessage':
      return { state, actions: [{ type: 'deliver' }] };
    default:
      return opened(state, event);
  }
}

/** What ends a connection in the same way wherever our OPEN has been sent. */
function opened(state: FsmState, event: FsmEvent): FsmStep {
  switch (event.type) {
    // The other connection has an FSM of its own.
    case 'Start':
    case 'TcpConnectionConfirmed':
      return { state, actions: [] };
    case 'Stop':
      return ended(state, { kind: 'stopped', state: state.name, sent: event.notification }, event.notification);
    case 'HoldTimerExpires':
      return refused(state, holdTimeExpired);
    case 'SendHoldTimerExpires':
      return refused(state, sendHoldTimeExpired);
    // RFC 4271 asks for a FSM error after a header error in Established; the error itself says more, as all others do.
    case 'BgpHeaderError':
    case 'BgpOpenMessageError':
    case 'UpdateMessageError':
      return refused(state, event.error);
    case 'OpenCollisionDump':
      return refused(state, collisionResolution);
    // In OpenSent RFC 4271 asks for a NOTIFICATION here. None is ever sent in answer to one (section 6).
    case 'NotificationMessage':
      return ended(state, { kind: 'notified', state: state.name, notification: event.notification });
    default:
      return unexpected(state, event);
  }
}

function unexpected(state: FsmState, event: FsmEvent): FsmStep {
  switch (event.type) {
    case 'BgpOpen':
      return refused(state, unexpectedMessage('open', state.name));
    case 'UpdateMessage':
      return refused(state, unexpectedMessage('update', state.name));
    case 'KeepaliveMessage':
      return refused(state, unexpectedMessage('keepalive', state.name));
    case 'RouteRefreshMessage':
      return refused(state, unexpectedMessage('routeRefresh', state.name));
    default:
      return refused(state, unexpectedEvent(event.type, state.name));
  }
}

/** No answer in Connect: the same again. The end of the wait in Active: dial. */
function redialled(state: FsmState): FsmStep {
  if (state.passive) return { state, actions: [] };
  const cause: Cause = { kind: 'unanswered', state: state.name };
  return {
    state: { ...state, name: 'Connect', delaying: false },
    actions: [
      stop('delay-open'),
      { type: 'drop' },
      startRetry,
      { type: 'dial' },
      ...(state.name === 'Connect' ? [{ type: 'failed', cause } as const] : []),
    ],
  };
}

function openSent(state: FsmState): FsmStep {
  return {
    state: { ...state, name: 'OpenSent', delaying: false },
    actions: [
      stop('connect-retry', 'delay-open'),
      { type: 'send', message: 'open' },
      { type: 'start-timer', timer: 'hold', seconds: openHoldTime },
    ],
  };
}

function confirming(state: FsmState, timing: Timing, before: readonly FsmAction[]): FsmStep {
  const next: FsmState = { ...state, name: 'OpenConfirm', delaying: false, timing };
  const hold: readonly FsmAction[] = timing.holdTime === 0 ? [stop('hold')] : restartHold(next);
  return { state: next, actions: [...before, ...keepalive(next), ...hold] };
}

/** Back to Active, to dial again after a while. */
function waiting(state: FsmState, cause: Cause): FsmStep {
  return {
    state: { ...idle, name: 'Active', passive: state.passive },
    actions: [
      stop('hold', 'keepalive', 'delay-open'),
      { type: 'drop' },
      ...(state.passive ? [] : [startRetry]),
      { type: 'failed', cause },
    ],
  };
}

function refused(state: FsmState, error: MessageError): FsmStep {
  return ended(state, { kind: 'refused', state: state.name, sent: error }, error);
}

/** Back to Idle. A NOTIFICATION goes only where there is a connection. */
function ended(state: FsmState, cause: Cause, notification?: MessageError): FsmStep {
  const connected = state.delaying || (state.name !== 'Connect' && state.name !== 'Active');
  const farewell: FsmAction[] = notification && connected ? [{ type: 'notify', error: notification }] : [];
  return {
    state: idle,
    actions: [
      ...farewell,
      stop('connect-retry', 'delay-open', 'hold', 'keepalive'),
      { type: 'drop' },
      { type: 'failed', cause },
    ],
  };
}

function keepalive({ timing }: FsmState): FsmAction[] {
  const sent: FsmAction = { type: 'send', message: 'keepalive' };
  if (!timing || timing.holdTime === 0) return [sent];
  return [sent, { type: 'start-timer', timer: 'keepalive', seconds: timing.keepaliveTime }];
}

function restartHold({ timing }: FsmState): FsmAction[] {
  if (!timing || timing.holdTime === 0) return [];
  return [{ type: 'start-timer', timer: 'hold', seconds: timing.holdTime }];
}

function lost(state: FsmState, error: Error | undefined): Cause {
  return { kind: 'lost', state: state.name, error };
}

const startRetry: FsmAction = { type: 'start-timer', timer: 'connect-retry' };

function stop(...timers: FsmTimer[]): FsmAction {
  return { type: 'stop-timers', timers };
}
