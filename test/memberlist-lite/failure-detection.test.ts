import assert from 'node:assert/strict';
import { type Config, fast, lan } from '../../src/memberlist-lite/config.ts';
import { encodeMessage } from '../../src/memberlist-lite/messages.ts';
import { suite } from '../support/suite.ts';
import { seenBy, withRings } from './ring.ts';

const test = suite('memberlist-lite/failure-detection');

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Milliseconds. Those of `lan`, which are those of the Go implementation, are in simulation.test.ts. */
const crashes: readonly [
  preset: string,
  config: Config,
  members: number,
  seeds: number,
  all: { readonly mean: readonly [least: number, most: number]; readonly worst: number },
][] = [
  ['fast', fast, 3, 30, { mean: [1050, 1350], worst: 1600 }],
  ['fast', fast, 10, 15, { mean: [1050, 1500], worst: 2400 }],
  ['fast', fast, 30, 4, { mean: [1300, 2000], worst: 2600 }],
];
for (const [preset, config, members, seeds, all] of crashes) {
  test(`a silent crash among ${members} with ${preset} timers is noticed by all in about ${all.mean.join('-')} ms`, async () => {
    const times: number[] = [];
    await withRings(seeds, async (ring, seed) => {
      const nodes = await ring.grow(members, config);
      await ring.clock.advance(3000 + 137 * seed);
      const victim = nodes[seed % members];
      assert.ok(victim);
      const time = await ring.crash(victim);
      assert.ok(time.all <= all.worst, `noticed after ${time.all} ms`);
      if (config.announceVerdicts) assert.ok(time.all - time.first < 1, 'the verdict reaches all at once');
      times.push(time.all);
    });
    const [least, most] = all.mean;
    assert.ok(mean(times) >= least && mean(times) <= most, `mean of ${times.map(Math.round).join(' ')}`);
  });
}

test('one fast member among slow ones makes the detection faster for all', async () => {
  await withRings(10, async (ring, seed) => {
    for (let i = 1; i <= 3; i++) await ring.add(`node-${i}`, i === 1 ? fast : lan);
    for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
    await ring.converge(['node-1', 'node-2', 'node-3']);
    await ring.clock.advance(1000 + 100 * seed);
    const victim = ring.nodes[2];
    assert.ok(victim);
    assert.ok((await ring.crash(victim)).all < 2500);
  });
});

for (const [preset, config] of [
  ['lan', lan],
  ['fast', fast],
] as const) {
  test(`nobody is lost in two minutes on a network that loses 5 % of all packets, with ${preset} timers`, async () => {
    await withRings(2, async (ring) => {
      const nodes = await ring.grow(10, config);
      ring.network.setConditions({ loss: 0.05, delay: [0.1, 5] });
      await ring.clock.advance(120_000);
      const departures = nodes.flatMap((node) => node.events).filter((event) => event.type === 'leave');
      assert.deepEqual(departures, []);
    });
  });
}

test('whoever two members cannot reach directly stays, because a third one can', async () => {
  await withRings(3, async (ring) => {
    const nodes = await ring.grow(3, lan);
    ring.network.sever('192.0.2.1', '192.0.2.2', 'everything');
    await ring.clock.advance(60_000);
    for (const node of nodes) assert.equal(seenBy(node).length, 3);
    assert.ok(nodes.every((node) => node.member.counters.probesMissed === 0));
  });
});

test('whom packets do not reach stays, because streams do', async () => {
  await withRings(3, async (ring) => {
    const nodes = await ring.grow(2, lan);
    ring.network.sever('192.0.2.1', '192.0.2.2', 'packets');
    await ring.clock.advance(60_000);
    for (const node of nodes) assert.equal(seenBy(node).length, 2);
  });
});

test('a member that is held up for longer than the others wait accuses nobody when it runs again', async () => {
  await withRings(10, async (ring, seed) => {
    const [stalled, ...others] = await ring.grow(4, fast);
    assert.ok(stalled);
    // Slow enough that a probe is likely to be under way.
    ring.network.setConditions({ loss: 0, delay: [20, 40] });
    await ring.clock.advance(1000 + 50 * seed);
    stalled.process.hold();
    await ring.clock.advance(3000);
    assert.ok(others.every((node) => !seenBy(node).includes(stalled.name)));
    stalled.process.resume();
    await ring.converge(['node-1', 'node-2', 'node-3', 'node-4'], ring.nodes, 5000);
    await ring.clock.advance(5000);
    assert.equal(stalled.member.counters.stalls, 1);
    assert.equal(stalled.member.counters.probesMissed, 0);
    assert.deepEqual(
      stalled.events.filter((event) => event.type === 'leave'),
      [],
    );
  });
});

test('a member that is held up while it suspects someone hears the objection before it decides', async () => {
  await withRings(5, async (ring) => {
    const [stalled] = await ring.grow(4, fast);
    assert.ok(stalled);
    await ring.clock.advance(1000);
    const rumour = encodeMessage({ type: 'suspect', node: 'node-2', incarnation: 1, from: 'node-3' });
    ring.network.carryPacket({ address: '192.0.2.200', port: 7946 }, { address: stalled.address, port: 7946 }, rumour);
    await ring.clock.advance(1);
    stalled.process.hold();
    await ring.clock.advance(3000);
    stalled.process.resume();
    await ring.clock.advance(5000);
    const lost = ring.nodes.flatMap((node) => node.events).filter((event) => event.type === 'leave');
    assert.deepEqual([...new Set(lost.map((event) => event.member.name))], [stalled.name]);
  });
});

test('a member that stutters does not lose those that are well', async () => {
  await withRings(3, async (ring) => {
    const [stutterer, ...others] = await ring.grow(3, fast);
    assert.ok(stutterer);
    for (let i = 0; i < 100; i++) {
      stutterer.process.hold();
      await ring.clock.advance(150 + i);
      stutterer.process.resume();
      await ring.clock.advance(50);
    }
    assert.ok(stutterer.member.counters.stalls >= 50);
    const accused = ring.nodes.flatMap((node) => node.events).filter((event) => event.type === 'leave');
    const lost = accused.map((event) => event.member.name).filter((name) => name !== stutterer.name);
    assert.deepEqual(lost, []);
    assert.equal(others.length, 2);
  });
});

test('the dead are forgotten after their time', async () => {
  await withRings(1, async (ring) => {
    const nodes = await ring.grow(3, lan);
    const victim = nodes[2];
    assert.ok(victim);
    await ring.crash(victim);
    await ring.clock.advance(60_000);
    // A stranger at another address takes the name: refused as long as anyone remembers.
    const heir = await ring.add('node-3', lan);
    void heir.member.join([ring.endpoint(0)]);
    await ring.converge(['node-1', 'node-2', 'node-3'], nodes.slice(0, 2));
    assert.equal(nodes[0]?.member.members().find(({ name }) => name === 'node-3')?.address, heir.address);
  });
});
