import assert from 'node:assert/strict';
import { type FsmAction, type FsmEvent, type FsmState, idle, step } from '../../src/bgp/fsm.ts';
import { ceaseFor } from '../../src/bgp/session-errors.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/fsm');

const timing = { holdTime: 90, keepaliveTime: 30 };
const fault = (code: number, subcode: number) => ({ code, subcode, data: new Uint8Array(), text: 'a fault' });

/** By the names of RFC 4271 section 8.1, with the numbers there. */
const events = {
  '1 Start': { type: 'Start', passive: false },
  '4 Start passive': { type: 'Start', passive: true },
  '2 Stop': { type: 'Stop', notification: ceaseFor('administrativeShutdown', '') },
  '8 Stop in silence': { type: 'Stop', notification: undefined },
  '9 ConnectRetryTimer': { type: 'ConnectRetryTimerExpires' },
  '10 HoldTimer': { type: 'HoldTimerExpires' },
  '11 KeepaliveTimer': { type: 'KeepaliveTimerExpires' },
  '12 DelayOpenTimer': { type: 'DelayOpenTimerExpires' },
  '17 TcpConfirmed': { type: 'TcpConnectionConfirmed' },
  '18 TcpFails': { type: 'TcpConnectionFails', error: undefined },
  '19 Open': { type: 'BgpOpen', timing },
  '21 HeaderErr': { type: 'BgpHeaderError', error: fault(1, 2) },
  '22 OpenMsgErr': { type: 'BgpOpenMessageError', error: fault(2, 2) },
  '23 CollisionDump': { type: 'OpenCollisionDump' },
  '24 NotifMsgVerErr': { type: 'NotificationMessage', notification: { ...fault(2, 1), type: 'notification' } },
  '25 NotifMsg': { type: 'NotificationMessage', notification: { ...fault(6, 2), type: 'notification' } },
  '26 KeepAliveMsg': { type: 'KeepaliveMessage' },
  '27 UpdateMsg': { type: 'UpdateMessage' },
  '28 UpdateMsgErr': { type: 'UpdateMessageError', error: fault(3, 1) },
  RouteRefreshMsg: { type: 'RouteRefreshMessage' },
  SendHoldTimer: { type: 'SendHoldTimerExpires' },
} as const satisfies Record<string, FsmEvent>;
type EventName = keyof typeof events;

const states = {
  Idle: idle,
  Connect: { ...idle, name: 'Connect' },
  'Connect, delaying': { ...idle, name: 'Connect', delaying: true },
  Active: { ...idle, name: 'Active' },
  'Active, delaying': { ...idle, name: 'Active', delaying: true },
  'Active, passive': { ...idle, name: 'Active', passive: true },
  OpenSent: { ...idle, name: 'OpenSent' },
  OpenConfirm: { ...idle, name: 'OpenConfirm', timing },
  Established: { ...idle, name: 'Established', timing },
  'Established without hold time': { ...idle, name: 'Established', timing: { holdTime: 0, keepaliveTime: 0 } },
} as const satisfies Record<string, FsmState>;

const nothing = '';
const closed = 'stop drop failed';
const opened = 'stop(connect-retry delay-open) open hold=240';
const confirmed = 'keepalive keepalive=30 hold=90';
const unanswered = 'stop(delay-open) drop connect-retry dial';

/** What each event leads to: the next state, and what is done. */
type Row = Record<EventName, readonly [next: FsmState['name'], actions: string]>;

const ignoredInIdle = Object.fromEntries(
  Object.keys(events).map((name) => [name, ['Idle', nothing]]),
) as unknown as Row;

const beforeOpen: Omit<Row, '9 ConnectRetryTimer' | '17 TcpConfirmed' | '18 TcpFails' | '19 Open'> = {
  '1 Start': ['Connect', nothing],
  '4 Start passive': ['Connect', nothing],
  '2 Stop': ['Idle', `${closed}=stopped`],
  '8 Stop in silence': ['Idle', `${closed}=stopped`],
  '10 HoldTimer': ['Idle', `${closed}=refused`],
  '11 KeepaliveTimer': ['Idle', `${closed}=refused`],
  '12 DelayOpenTimer': ['OpenSent', opened],
  '21 HeaderErr': ['Idle', `${closed}=refused`],
  '22 OpenMsgErr': ['Idle', `${closed}=refused`],
  '23 CollisionDump': ['Idle', `${closed}=refused`],
  '24 NotifMsgVerErr': ['Idle', `${closed}=notified`],
  '25 NotifMsg': ['Idle', `${closed}=notified`],
  '26 KeepAliveMsg': ['Idle', `${closed}=refused`],
  '27 UpdateMsg': ['Idle', `${closed}=refused`],
  '28 UpdateMsgErr': ['Idle', `${closed}=refused`],
  RouteRefreshMsg: ['Idle', `${closed}=refused`],
  SendHoldTimer: ['Idle', `${closed}=refused`],
};
const stays = { '1 Start': ['Active', nothing], '4 Start passive': ['Active', nothing] } as const;

/** With a connection that waits for the peer's OPEN, what is wrong is said. */
const delaying = {
  '10 HoldTimer': ['Idle', `notify=5/0 ${closed}=refused`],
  '11 KeepaliveTimer': ['Idle', `notify=5/0 ${closed}=refused`],
  '19 Open': ['OpenConfirm', `stop(connect-retry delay-open) open ${confirmed}`],
  '21 HeaderErr': ['Idle', `notify=1/2 ${closed}=refused`],
  '22 OpenMsgErr': ['Idle', `notify=2/2 ${closed}=refused`],
  '26 KeepAliveMsg': ['Idle', `notify=5/0 ${closed}=refused`],
  '27 UpdateMsg': ['Idle', `notify=5/0 ${closed}=refused`],
  '28 UpdateMsgErr': ['Idle', `notify=3/1 ${closed}=refused`],
  RouteRefreshMsg: ['Idle', `notify=5/0 ${closed}=refused`],
  SendHoldTimer: ['Idle', `notify=5/0 ${closed}=refused`],
} as const;

const afterOpen = (subcode: number) =>
  ({
    '2 Stop': ['Idle', `notify=6/2 ${closed}=stopped`],
    '8 Stop in silence': ['Idle', `${closed}=stopped`],
    '9 ConnectRetryTimer': ['Idle', `notify=5/0 ${closed}=refused`],
    '10 HoldTimer': ['Idle', `notify=4/0 ${closed}=refused`],
    '11 KeepaliveTimer': ['Idle', `notify=5/0 ${closed}=refused`],
    '12 DelayOpenTimer': ['Idle', `notify=5/0 ${closed}=refused`],
    '18 TcpFails': ['Idle', `${closed}=lost`],
    '19 Open': ['Idle', `notify=5/${subcode} ${closed}=refused`],
    '21 HeaderErr': ['Idle', `notify=1/2 ${closed}=refused`],
    '22 OpenMsgErr': ['Idle', `notify=2/2 ${closed}=refused`],
    '23 CollisionDump': ['Idle', `notify=6/7 ${closed}=refused`],
    '24 NotifMsgVerErr': ['Idle', `${closed}=notified`],
    '25 NotifMsg': ['Idle', `${closed}=notified`],
    '26 KeepAliveMsg': ['Idle', `notify=5/${subcode} ${closed}=refused`],
    '27 UpdateMsg': ['Idle', `notify=5/${subcode} ${closed}=refused`],
    '28 UpdateMsgErr': ['Idle', `notify=3/1 ${closed}=refused`],
    RouteRefreshMsg: ['Idle', `notify=5/${subcode} ${closed}=refused`],
    SendHoldTimer: ['Idle', `notify=8/0 ${closed}=refused`],
  }) as const;
const ignored = (state: FsmState['name']) =>
  ({
    '1 Start': [state, nothing],
    '4 Start passive': [state, nothing],
    '17 TcpConfirmed': [state, nothing],
  }) as const;

const unexpectedOpen = ['Idle', `${closed}=refused`] as const;
const tables: Record<keyof typeof states, Row> = {
  Idle: {
    ...ignoredInIdle,
    '1 Start': ['Connect', 'connect-retry dial'],
    '4 Start passive': ['Active', nothing],
  },
  Connect: {
    ...beforeOpen,
    '9 ConnectRetryTimer': ['Connect', `${unanswered} failed=unanswered`],
    '17 TcpConfirmed': ['OpenSent', opened],
    '18 TcpFails': ['Idle', `${closed}=lost`],
    '19 Open': unexpectedOpen,
  },
  'Connect, delaying': {
    ...beforeOpen,
    ...delaying,
    '9 ConnectRetryTimer': ['Connect', `${unanswered} failed=unanswered`],
    '17 TcpConfirmed': ['OpenSent', opened],
    '18 TcpFails': ['Active', 'stop(hold keepalive delay-open) drop connect-retry failed=lost'],
  },
  Active: {
    ...beforeOpen,
    ...stays,
    '9 ConnectRetryTimer': ['Connect', unanswered],
    '17 TcpConfirmed': ['OpenSent', opened],
    '18 TcpFails': ['Idle', `${closed}=lost`],
    '19 Open': unexpectedOpen,
  },
  'Active, delaying': {
    ...beforeOpen,
    ...delaying,
    ...stays,
    '9 ConnectRetryTimer': ['Connect', unanswered],
    '17 TcpConfirmed': ['OpenSent', opened],
    '18 TcpFails': ['Idle', `${closed}=lost`],
  },
  'Active, passive': {
    ...beforeOpen,
    ...stays,
    '9 ConnectRetryTimer': ['Active', nothing],
    '17 TcpConfirmed': ['OpenSent', opened],
    '18 TcpFails': ['Idle', `${closed}=lost`],
    '19 Open': unexpectedOpen,
  },
  OpenSent: {
    ...afterOpen(1),
    ...ignored('OpenSent'),
    '18 TcpFails': ['Active', 'stop(hold keepalive delay-open) drop connect-retry failed=lost'],
    '19 Open': ['OpenConfirm', `stop(connect-retry) ${confirmed}`],
  },
  OpenConfirm: {
    ...afterOpen(2),
    ...ignored('OpenConfirm'),
    '11 KeepaliveTimer': ['OpenConfirm', 'keepalive keepalive=30'],
    '26 KeepAliveMsg': ['Established', 'hold=90 established'],
  },
  Established: {
    ...afterOpen(3),
    ...ignored('Established'),
    '11 KeepaliveTimer': ['Established', 'keepalive keepalive=30'],
    '26 KeepAliveMsg': ['Established', 'hold=90'],
    '27 UpdateMsg': ['Established', 'hold=90 deliver'],
    RouteRefreshMsg: ['Established', 'deliver'],
  },
  'Established without hold time': {
    ...afterOpen(3),
    ...ignored('Established'),
    '11 KeepaliveTimer': ['Established', 'keepalive'],
    '26 KeepAliveMsg': ['Established', nothing],
    '27 UpdateMsg': ['Established', 'deliver'],
    RouteRefreshMsg: ['Established', 'deliver'],
  },
};

for (const [name, table] of Object.entries(tables)) {
  for (const [event, [next, actions]] of Object.entries(table)) {
    test(`${name}: ${event} leads to ${next}`, () => {
      const from = states[name as keyof typeof states];
      const { state, actions: done } = step(from, events[event as EventName], { delayOpen: false });
      assert.deepEqual([state.name, text(done)], [next, actions]);
    });
  }
}

for (const name of ['Connect', 'Active'] as const) {
  test(`${name}: with DelayOpen a connection waits for the peer's OPEN`, () => {
    const { state, actions } = step(states[name], events['17 TcpConfirmed'], { delayOpen: true });
    assert.deepEqual([state.name, state.delaying, text(actions)], [name, true, 'stop(connect-retry) delay-open']);
  });
}

test('OpenSent: a hold time of 0 stops the hold timer and sends one KEEPALIVE', () => {
  const event = { type: 'BgpOpen', timing: { holdTime: 0, keepaliveTime: 0 } } as const;
  const { actions } = step(states.OpenSent, event, { delayOpen: false });
  assert.equal(text(actions), 'stop(connect-retry) keepalive stop(hold)');
});

function text(actions: readonly FsmAction[]): string {
  return actions.map(wordOf).join(' ');
}

function wordOf(action: FsmAction): string {
  switch (action.type) {
    case 'start-timer':
      return action.seconds === undefined ? action.timer : `${action.timer}=${action.seconds}`;
    case 'stop-timers':
      return action.timers.length === 4 ? 'stop' : `stop(${action.timers.join(' ')})`;
    case 'send':
      return action.message;
    case 'notify':
      return `notify=${action.error.code}/${action.error.subcode}`;
    case 'failed':
      return `failed=${action.cause.kind}`;
    default:
      return action.type;
  }
}
