import assert from 'node:assert/strict';
import { parseAddress } from '../../src/ip/address.ts';
import type { BfdDiagnostic, BfdEvent, BfdSession, BfdState } from '../../src/layer2/bfd.ts';
import { PeerSessions, type SessionPeer, sessionNews } from '../../src/liveness/peer-sessions.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';

const test = suite('liveness/peer-sessions');

const ours = Uint8Array.of(1);
const nameOf = (i: number) => `node-${String(i).padStart(3, '0')}`;
const peerOf = (i: number, meta = ours): SessionPeer => ({ name: nameOf(i), address: `198.18.0.${i}`, meta });

/** The sessions of one speaker, as they are handed down. */
function made(node = nameOf(1), key?: Uint8Array) {
  const handed: (readonly BfdSession[])[] = [];
  const sessions = new PeerSessions({
    responder: { setBfdSessions: (all) => void handed.push(all) },
    node,
    local: parseAddress('198.18.0.1')!,
    port: 7947,
    interval: 100,
    multiplier: 3,
    key,
    isOurs: (meta) => meta[0] === 1,
    log: silentLogger,
  });
  return { sessions, handed, ids: () => (handed.at(-1) ?? []).map(({ id }) => id) };
}

const event = (id: string, state: BfdState, more: Partial<BfdEvent> = {}): BfdEvent => ({
  ...{ type: 'bfd', id, state, diagnostic: 'none', remoteState: 'up', remoteDiagnostic: 'none', at: 0 },
  ...more,
});

test('there is a session with every speaker of ours, and none with those of MetalLB', () => {
  const { sessions, ids } = made();
  sessions.set([peerOf(2), peerOf(3, new Uint8Array()), peerOf(4)]);
  assert.deepEqual(ids(), [nameOf(2), nameOf(4)]);
});

test('all of them end with the dead man’s switch, and are authenticated where there is a key', () => {
  const { sessions, handed } = made(nameOf(1), new Uint8Array(20));
  sessions.set([peerOf(2)]);
  const [session] = handed[0]!;
  assert.equal(session?.tiedToLease, true);
  assert.equal(session?.authentication?.type, 'meticulousSha1');
});

test('the same members again, in another order, are not handed down again', () => {
  const { sessions, handed } = made();
  sessions.set([peerOf(2), peerOf(3)]);
  sessions.set([peerOf(3), peerOf(2)]);
  assert.equal(handed.length, 1);
  sessions.set([peerOf(3)]);
  assert.equal(handed.length, 2);
});

test('a member at an address that is none, or of the other family, has no session', () => {
  const { sessions, ids } = made();
  sessions.set([{ ...peerOf(2), address: '2001:db8::2' }, { ...peerOf(3), address: 'x' }, peerOf(4)]);
  assert.deepEqual(ids(), [nameOf(4)]);
});

for (const count of [33, 100]) {
  test(`of ${count} speakers each has sessions with six, and both sides of each agree`, () => {
    const random = seededRandom(1);
    const partners = new Map<string, readonly string[]>();
    for (let own = 1; own <= count; own++) {
      const { sessions, ids } = made(nameOf(own));
      const others = Array.from({ length: count }, (_, i) => i + 1).filter((i) => i !== own);
      sessions.set(shuffled(others, random).map((i) => peerOf(i)));
      partners.set(nameOf(own), ids());
    }
    for (const [node, all] of partners) {
      assert.equal(all.length, 6, node);
      for (const other of all) assert.ok(partners.get(other)?.includes(node), `${node} and ${other}`);
    }
  });
}

test('a peer is up as long as its session is, and no longer than there is one', () => {
  const { sessions } = made();
  sessions.set([peerOf(2), peerOf(3)]);
  sessions.see(event(nameOf(2), 'up'));
  sessions.see(event(nameOf(3), 'up'));
  sessions.see(event(nameOf(3), 'down'));
  assert.deepEqual([sessions.isUp(nameOf(2)), sessions.isUp(nameOf(3))], [true, false]);
  sessions.set([]);
  assert.equal(sessions.isUp(nameOf(2)), false);
});

for (const [what, state, diagnostic, more, expected] of [
  ['is up', 'up', 'none', {}, 'up'],
  ['is not heard any more', 'down', 'detectionTimeExpired', {}, 'lost'],
  ['does not hear us', 'down', 'neighborSignaledDown', { remoteDiagnostic: 'detectionTimeExpired' }, undefined],
  ['stops', 'down', 'neighborSignaledDown', { remoteState: 'adminDown' }, 'gave-up'],
  [
    'has a control plane that hangs',
    'down',
    'neighborSignaledDown',
    { remoteDiagnostic: 'forwardingPlaneReset' },
    'gave-up',
  ],
  ['is being met', 'init', 'none', {}, undefined],
  ['is not to be watched any more', 'adminDown', 'administrativelyDown', {}, undefined],
] as const satisfies readonly (readonly [string, BfdState, BfdDiagnostic, Partial<BfdEvent>, string | undefined])[]) {
  test(`of a peer that ${what} the news is "${expected}"`, () => {
    assert.equal(sessionNews(event('b', state, { diagnostic, ...more })), expected);
  });
}
