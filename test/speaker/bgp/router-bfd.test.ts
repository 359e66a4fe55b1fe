import assert from 'node:assert/strict';
import type { BFDProfile } from '../../../src/config/config.ts';
import { parseAddress } from '../../../src/ip/address.ts';
import type { BfdEvent, BfdSession, BfdSessionState } from '../../../src/layer2/bfd.ts';
import { RouterBfd, type RouterBfdWish } from '../../../src/speaker/bgp/router-bfd.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { suite } from '../../support/suite.ts';

const test = suite('speaker/bgp/router-bfd');

const profile: BFDProfile = {
  name: 'fast',
  receiveInterval: 50,
  transmitInterval: 60,
  detectMultiplier: 4,
  echoInterval: 50,
  echoMode: false,
  passiveMode: true,
  minimumTtl: 250,
};
const wish = (peer: string, address: string, more: Partial<RouterBfdWish> = {}): RouterBfdWish => {
  return { peer, address: parseAddress(address)!, profile, multihop: false, ...more };
};

function bench() {
  const handed: (readonly BfdSession[])[] = [];
  const told: string[] = [];
  const log = new RecordedLog();
  const bfd = new RouterBfd({
    share: {
      setBfdSessions: (sessions) => void handed.push(sessions),
      bfdSessions: () => (handed.at(-1) ?? []).map(({ id }) => ({ id, state: 'up' }) as BfdSessionState),
    },
    onLost: (peer, why) => told.push(`${peer}: ${why}`),
    onChange: (peer) => told.push(peer),
    log,
  });
  const see = (id: string, state: BfdEvent['state'], more: Partial<BfdEvent> = {}) =>
    bfd.see({
      type: 'bfd',
      id,
      state,
      diagnostic: 'none',
      remoteState: 'up',
      remoteDiagnostic: 'none',
      at: 0,
      ...more,
    });
  return { bfd, handed, told, log, see };
}

test('a profile becomes a session on one hop, or on several, each with its port', () => {
  const { bfd, handed } = bench();
  bfd.set([wish('far', '192.0.2.9', { multihop: true }), wish('tor', '198.18.1.1')]);
  const common = { desiredMinTx: 60, requiredMinRx: 50, detectMultiplier: 4, passive: true, tiedToLease: true };
  assert.deepEqual(handed, [
    [
      { ...common, id: 'far', peer: parseAddress('192.0.2.9'), port: 4784, multihop: true, minimumTtl: 250 },
      { ...common, id: 'tor', peer: parseAddress('198.18.1.1'), port: 3784, multihop: false },
    ],
  ]);
});

const echoing: BFDProfile = { ...profile, name: 'echoing', echoMode: true, echoInterval: 70 };

test('echoMode becomes echo on one hop of IPv4; elsewhere it is told once that there is none', () => {
  const { bfd, handed, log } = bench();
  const wishes = [
    wish('far', '192.0.2.9', { multihop: true, profile: echoing }),
    wish('tor', '198.18.1.1', { profile: echoing }),
    wish('v6', '2001:db8::1', { profile: echoing }),
  ];
  bfd.set(wishes);
  assert.deepEqual(
    handed[0]?.map(({ id, echo }) => [id, echo]),
    [
      ['far', undefined],
      ['tor', { interval: 70 }],
      ['v6', undefined],
    ],
  );
  const told = () => log.of('bfd echo not in use').map(({ object, field, peer }) => [object, field, peer]);
  const both = [
    ['BFDProfile echoing', 'spec.echoMode', 'far'],
    ['BFDProfile echoing', 'spec.echoMode', 'v6'],
  ];
  assert.deepEqual(told(), both);
  bfd.set([...wishes, wish('other', '198.18.1.2')]);
  assert.deepEqual(told(), both);
  bfd.set([wish('far', '192.0.2.9', { multihop: true })]);
  bfd.set([wish('far', '192.0.2.9', { multihop: true, profile: echoing })]);
  assert.equal(told().length, 3);
});

test('what does not change is not handed down again, in whatever order it comes', () => {
  const { bfd, handed } = bench();
  bfd.set([wish('a', '198.18.1.1'), wish('b', '198.18.1.2')]);
  bfd.set([wish('b', '198.18.1.2'), wish('a', '198.18.1.1')]);
  assert.equal(handed.length, 1);
});

test('peers at one place share a session, with the profile of the first, and that is said', () => {
  const { bfd, handed, told, log, see } = bench();
  bfd.set([wish('b', '198.18.1.1', { profile: { ...profile, name: 'slow' } }), wish('a', '198.18.1.1')]);
  assert.deepEqual(
    handed[0]?.map(({ id }) => id),
    ['a'],
  );
  assert.equal(log.of('bfd profile not in use').length, 1);
  see('a', 'up');
  assert.deepEqual(told, ['a', 'b']);
  assert.deepEqual([...bfd.states().keys()], ['a', 'b']);
});

test('a session that echo has found dead says so', () => {
  const { bfd, told, see } = bench();
  bfd.set([wish('tor', '198.18.1.1', { profile: echoing })]);
  see('tor', 'up');
  see('tor', 'down', { diagnostic: 'echoFailed' });
  assert.ok(told.includes('tor: BFD session down: what was sent to come back by way of the peer did not'));
});

for (const [what, states, lost] of [
  ['an up session that is not heard any more is lost', ['up', 'down'], true],
  ['one that was never up is not', ['down'], false],
  ['one that comes up is not', ['init', 'up'], false],
  ['one that was lost is lost once', ['up', 'down', 'down'], true],
] as const) {
  test(what, () => {
    const { bfd, told, see } = bench();
    bfd.set([wish('tor', '198.18.1.1')]);
    for (const state of states) see('tor', state, { diagnostic: 'detectionTimeExpired' });
    const losses = told.filter((line) => line.startsWith('tor: '));
    assert.deepEqual(
      losses,
      lost ? ['tor: BFD session down: nothing was heard of the peer for the detection time'] : [],
    );
  });
}

test('what cannot be is said once, and costs the others nothing', () => {
  const { bfd, handed, log } = bench();
  for (const more of [{}, { multihop: true }]) {
    bfd.set([wish('a', 'fe80::1'), wish('b', '224.0.0.1'), wish('c', '198.18.1.1', more)]);
    assert.deepEqual(
      handed.at(-1)?.map(({ id }) => id),
      ['c'],
    );
  }
  assert.deepEqual(
    log.of('bfd session not possible').map(({ peer }) => peer),
    ['a', 'b'],
  );
});

test('a peer that switches BFD off is not lost', () => {
  const { bfd, told, see } = bench();
  bfd.set([wish('tor', '198.18.1.1')]);
  see('tor', 'up');
  see('tor', 'down', { diagnostic: 'neighborSignaledDown', remoteState: 'adminDown' });
  assert.deepEqual(told, ['tor', 'tor']);
});
