import assert from 'node:assert/strict';
import { parseAddress } from '../../src/ip/address.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { Announcer } from '../../src/layer2/announcer.ts';
import { Conflicts } from '../../src/speaker/conflicts.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';
import { FakeResponder, sha256 } from './support.ts';

const test = suite('speaker/two-speakers');

const shared = parseAddress('192.0.2.1')!;
const nodes = ['node-a', 'node-b'] as const;
const macs = { 'node-a': '02:00:00:00:00:0a', 'node-b': '02:00:00:00:00:0b' };

/** Two speakers of which each believes that 192.0.2.1 is its own, and what they tell each other. */
function scene(since: { 'node-a'?: number; 'node-b'?: number }) {
  const clock = new FakeClock();
  const claims = new Map<string, number>(Object.entries(since));
  const alive = new Set<string>(nodes);
  const told: string[] = [];
  const counted: string[] = [];
  const speakers = nodes.map((node) => {
    const responder = new FakeResponder();
    const announcer: Announcer = new Announcer({ responder, probe: 'off', rate: 400, clock, onRefused() {} });
    const service: Service = { metadata: { name: 'web', namespace: 'default' }, spec: {} };
    const conflicts = new Conflicts({
      announcer,
      services: { get: () => service },
      siblings: {
        find: (mac) => {
          const found = nodes.find((one) => macs[one] === mac);
          return found && { node: found, alive: alive.has(found) };
        },
        hostAt: () => undefined,
        isAlive: (name) => alive.has(name),
      },
      events: { record: (_service, { reason, message }) => void told.push(`${node} ${reason}: ${message}`) },
      policy: () => 'defend',
      claimsOf: () => [...claims].map(([name, at]) => ({ node: name, since: at })),
      hash: sha256,
      metrics: { conflict: (kind) => void counted.push(`${node} ${kind}`) },
      node,
      clock,
      log: new RecordedLog(),
    });
    announcer.set('default/web', { addresses: [shared], interfaces: 'all' });
    announcer.flush();
    return { node, responder, announcer, conflicts };
  });
  const [a, b] = speakers as [(typeof speakers)[0], (typeof speakers)[0]];
  /** Each hears the other. */
  const hear = () => {
    for (const { conflicts, node } of speakers) {
      const mac = macs[node === 'node-a' ? 'node-b' : 'node-a'];
      conflicts.claimed({ type: 'conflict', address: shared, mac, name: 'eth0', index: 2 });
    }
  };
  const look = () => {
    for (const { conflicts } of speakers) conflicts.look();
  };
  return { a, b, clock, claims, alive, told, counted, hear, look };
}

test('of two that both announce an address the older claim yields within a second, and both tell of it once', async () => {
  const { a, b, clock, told, counted, hear } = scene({ 'node-a': 1_000, 'node-b': 2_000 });
  a.responder.bursts.length = 0;
  b.responder.bursts.length = 0;
  hear();
  await clock.advance(999);
  assert.equal(a.responder.table(), '192.0.2.1@all(held)');
  assert.equal(b.responder.table(), '192.0.2.1@all');
  assert.deepEqual([a.responder.bursts, b.responder.bursts], [[], ['192.0.2.1 x1']]);
  await clock.advance(10_000);
  hear();
  await clock.advance(1_000);
  assert.deepEqual(counted.sort(), ['node-a speaker', 'node-b speaker']);
  const end = 'Node "node-b" keeps it, whose claim is the newest, and the other yields.';
  assert.equal(told.length, 2);
  assert.ok(told.every((one) => one.includes('from node "node-') && one.includes(end)));
});

for (const [what, change] of [
  ['dies', ({ alive }: ReturnType<typeof scene>) => void alive.delete('node-b')],
  ['gives it up', ({ claims }: ReturnType<typeof scene>) => void claims.delete('node-b')],
  ['is overtaken', ({ claims }: ReturnType<typeof scene>) => void claims.set('node-a', 3_000)],
] as const) {
  test(`the one that yielded announces the address again as soon as the other ${what}`, async () => {
    const at = scene({ 'node-a': 1_000, 'node-b': 2_000 });
    at.hear();
    await at.clock.advance(500);
    at.look();
    assert.equal(at.a.responder.table(), '192.0.2.1@all(held)');
    change(at);
    at.look();
    assert.equal(at.a.responder.table(), '192.0.2.1@all');
    assert.equal(at.a.responder.bursts.at(-1), '192.0.2.1');
    assert.equal(at.a.conflicts.record.of(shared), undefined);
  });
}

for (const [what, since, change] of [
  [
    'that ends within half a second',
    { 'node-a': 1_000, 'node-b': 2_000 },
    ({ a }: ReturnType<typeof scene>) => a.announcer.set('default/web', undefined),
  ],
  [
    'of which the other has no claim any more',
    { 'node-a': 1_000, 'node-b': 2_000 },
    ({ claims }: ReturnType<typeof scene>) => claims.clear(),
  ],
  ['of speakers that do not tell what they have', {}, () => {}],
] as const) {
  test(`a handover ${what} is no conflict`, async () => {
    const at = scene(since);
    at.hear();
    await at.clock.advance(400);
    change(at);
    if (what.startsWith('that ends')) at.claims.delete('node-a');
    await at.clock.advance(1_000);
    assert.deepEqual([at.told, at.counted], [[], []]);
    assert.equal(at.b.responder.table(), '192.0.2.1@all');
  });
}
