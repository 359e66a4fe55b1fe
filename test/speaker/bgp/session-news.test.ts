import assert from 'node:assert/strict';
import { newSessionCounters, type SessionStatus } from '../../../src/bgp/session-status.ts';
import { SessionNews } from '../../../src/speaker/bgp/session-news.ts';
import { suite } from '../../support/suite.ts';
import { address } from './support.ts';

const test = suite('speaker/bgp/session-news');

const idle: SessionStatus = {
  state: 'Idle',
  since: 0,
  flaps: 0,
  families: [],
  capabilities: { ours: [], theirs: [] },
  announced: { 4: 0, 6: 0 },
  pending: { 4: 0, 6: 0 },
  withheld: {},
  received: { 4: 0, 6: 0 },
  counters: newSessionCounters(),
};
const failed = (text: string): SessionStatus => ({ ...idle, lastError: { text, at: 0, sent: true } });
const up: SessionStatus = {
  ...failed('of long ago'),
  state: 'Established',
  peerAsn: 64_513,
  remoteAddress: address('198.51.100.1'),
};
const gone = undefined;

type Sight = SessionStatus | string | undefined;

for (const [what, sights, told] of [
  ['a session that comes up is told of once', [idle, up, up], ['sessionEstablished']],
  [
    'one that is lost is told of once',
    [up, failed('refused'), failed('refused')],
    ['sessionEstablished', 'sessionLost'],
  ],
  [
    'one that is lost and cannot be had again for another reason is told of twice',
    [up, failed('closed'), failed('refused')],
    ['sessionEstablished', 'sessionLost', 'sessionNotEstablished'],
  ],
  [
    'what stands in the way is told of once, and again when it is something else',
    ['a', 'a', 'b'],
    [not('a'), not('b')],
  ],
  ['a session that is only beginning is nothing to tell', [idle, idle], []],
  ['a BGPPeer that goes is forgotten', [up, gone, up], ['sessionEstablished', 'sessionEstablished']],
] as const satisfies readonly (readonly [string, readonly Sight[], readonly string[]])[]) {
  test(what, () => {
    const heard: string[] = [];
    const news = new SessionNews({
      node: 'node-a',
      events: { record: (_object, { reason, message }) => void heard.push(`${reason}: ${message}`) },
      objectOf: (name) => ({ metadata: { name } }),
    });
    for (const sight of sights as readonly Sight[]) {
      if (typeof sight === 'string') news.see('tor', undefined, sight);
      else news.see('tor', sight, undefined);
    }
    assert.equal(heard.length, told.length);
    for (const [i, start] of told.entries()) assert.ok(heard[i]?.startsWith(start), heard[i]);
  });
}

test('of a peer that is no object, there is nobody to tell', () => {
  const events = { record: () => assert.fail('recorded') };
  new SessionNews({ node: 'node-a', events, objectOf: () => undefined }).see('tor', up, undefined);
});

function not(problem: string): string {
  return `sessionNotEstablished: node "node-a": no BGP session: ${problem}`;
}
