import assert from 'node:assert/strict';
import { services } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

const test = suite('speaker/outage');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];

test(
  'with the API server away, what is announced stays, a death is acted on, and what was missed is caught up with',
  inWorld(ab, async (world, cluster) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    world.ring.add('node-b');
    const station = await world.start('node-a');
    await world.announces(station, '192.0.2.1@all');
    await cluster.away();
    await eventually('it is missed', () => station.log.of('watch failing').length > 0);
    assert.equal(station.responder.table(), '192.0.2.1@all');
    assert.deepEqual(station.speaker.unready(), []);
    world.ring.remove('node-b');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
    await cluster.back();
    await cluster.client.delete(services, 'default/web');
    await world.announces(station, '192.0.2.2@all');
    await world.told('dns', 'nodeAssigned', 1);
  }),
);

test(
  'when a member that was lost is back, what stays here is announced anew, and what goes back is not',
  inWorld(ab, async (world) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    world.ring.add('node-b');
    const station = await world.start('node-a');
    await world.announces(station, '192.0.2.1@all');
    world.ring.remove('node-b');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
    station.responder.bursts.length = 0;
    world.ring.add('node-b');
    await world.announces(station, '192.0.2.1@all');
    await eventually('it is announced anew', () => station.responder.bursts.length > 0);
    assert.deepEqual(station.responder.bursts, ['192.0.2.1']);
  }),
);

test(
  'a member that is new is no reason to announce anything anew',
  inWorld(ab, async (world) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    const station = await world.start('node-a');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
    station.responder.bursts.length = 0;
    world.ring.add('node-b');
    await world.announces(station, '192.0.2.1@all');
    assert.deepEqual(station.responder.bursts, []);
  }),
);

for (const [what, harm] of [
  ['closes its watches', (cluster) => cluster.api.faults.closeWatches()],
  [
    'has forgotten what the watches missed',
    async (cluster) => {
      await cluster.away();
      await cluster.back();
      await cluster.deleteService('gone');
      cluster.api.faults.compact();
    },
  ],
  [
    'answers 500 now and then',
    (cluster) => {
      cluster.api.faults.errorRate = 0.3;
      cluster.api.faults.closeWatches();
    },
  ],
] as const satisfies readonly (readonly [
  string,
  (cluster: Parameters<Parameters<typeof inWorld>[1]>[1]) => unknown,
])[]) {
  test(
    `a speaker comes to the same end when the API server ${what}`,
    inWorld(['node-a'], async (world, cluster) => {
      await world.serve('gone', '192.0.2.1');
      await world.serve('web', '192.0.2.2');
      const station = await world.start('node-a');
      await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
      await harm(cluster);
      await eventually('deleted', () => cluster.deleteService('gone').then(() => true));
      await eventually('changed', () => cluster.setAddresses('web', ['192.0.2.3']).then(() => true));
      await world.announces(station, '192.0.2.3@all');
    }),
  );
}

test(
  'a speaker that starts while the API server is away is in no ring until it knows what to announce',
  inWorld(['node-a'], async (world, cluster) => {
    await world.serve('web', '192.0.2.1');
    await cluster.away();
    const station = world.station('node-a');
    const started = station.speaker.start();
    await eventually('it has tried', () => station.log.of('watch failing').length > 0);
    assert.deepEqual(world.ring.names(), []);
    assert.equal(station.speaker.unready().length, 1);
    await cluster.back();
    await started;
    assert.deepEqual(world.ring.names(), ['node-a']);
    assert.equal(station.responder.table(), '192.0.2.1@all');
    assert.deepEqual(station.speaker.unready(), []);
  }),
);

test(
  'a speaker that starts while the configuration is faulty is in no ring until it is repaired',
  inWorld(['node-a'], async (world, cluster) => {
    await world.serve('web', '192.0.2.1');
    await cluster.pool('overlapping', ['192.0.2.1/32']);
    const station = world.station('node-a');
    const started = station.speaker.start();
    await eventually('it says why', () => station.speaker.unready().some((why) => why.includes('overlaps')));
    assert.deepEqual(world.ring.names(), []);
    await cluster.removePool('overlapping');
    await started;
    assert.deepEqual(world.ring.names(), ['node-a']);
    assert.equal(station.responder.table(), '192.0.2.1@all');
  }),
);

test(
  'a faulty configuration leaves what is announced as it is',
  inWorld(['node-a'], async (world, cluster) => {
    await world.serve('web', '192.0.2.1');
    const station = await world.start('node-a');
    await cluster.pool('overlapping', ['192.0.2.1/32']);
    await eventually('it is said', () => station.log.of('configuration refused').length === 1);
    await world.serve('late', '192.0.2.2');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
  }),
);

test(
  'a speaker with peers announces nothing until it has heard one, and then only what is its own',
  inWorld(ab, async (world) => {
    await world.pod('node-a', '198.18.0.1');
    await world.pod('node-b', '198.18.0.2');
    await world.pod('node-z', '198.18.0.9', 'Failed');
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    world.ring.add('node-b');
    const station = world.station('node-a');
    station.liveness.slow = true;
    const started = station.speaker.start();
    await eventually('it has joined', () => station.steps.includes('join'));
    assert.deepEqual([...station.liveness.peers()].sort(), ['198.18.0.1', '198.18.0.2']);
    // Pods are read after it joined, so the speaker is at work here; it just does not announce.
    await world.pod('node-c', '198.18.0.3');
    await eventually('it looks for the new peer', () => station.liveness.rejoins > 0);
    assert.deepEqual(station.steps, ['join']);
    station.liveness.meet();
    await started;
    assert.equal(station.responder.table(), '192.0.2.1@all');
    assert.ok(!station.steps.some((step) => step.includes('192.0.2.2')));
  }),
);

test(
  'a speaker without peers waits for none',
  inWorld(['node-a'], async (world) => {
    await world.pod('node-a', '198.18.0.1');
    await world.pod('node-z', '198.18.0.9', 'Succeeded');
    await world.serve('web', '192.0.2.1');
    // Whatever takes seconds never comes about.
    const never = { cancel() {} };
    const after = (delay: number, run: () => void) => (delay < 1_000 ? systemClock.after(delay, run) : never);
    const station = await world.start('node-a', { clock: { ...systemClock, after } });
    assert.equal(station.responder.table(), '192.0.2.1@all');
  }),
);

test(
  'a speaker whose peers are all silent works alone after a while',
  inWorld(ab, async (world) => {
    await world.pod('node-b', '198.18.0.2');
    await world.serve('dns', '192.0.2.2');
    const hasty = { ...systemClock, after: (delay: number, run: () => void) => systemClock.after(delay / 100, run) };
    const station = await world.start('node-a', { clock: hasty });
    assert.equal(station.responder.table(), '192.0.2.2@all');
    assert.deepEqual(station.log.of('no other speaker heard').at(0)?.peers, ['198.18.0.2']);
  }),
);

test(
  'a speaker leaves the ring before it falls silent, and stops for good',
  inWorld(ab, async (world) => {
    await world.serve('web', '192.0.2.1');
    const a = await world.start('node-a');
    const b = await world.start('node-b');
    await world.announces(a, '192.0.2.1@all');
    await Promise.all([a.speaker.stop(), a.speaker.stop()]);
    await a.speaker.stop();
    assert.deepEqual(a.steps.slice(-3), ['leave', '', 'close']);
    assert.ok(a.responder.closed);
    await world.announces(b, '192.0.2.1@all');
  }),
);

test(
  'a speaker that cannot leave the ring falls silent all the same',
  inWorld(['node-a'], async (world) => {
    await world.serve('web', '192.0.2.1');
    const station = await world.start('node-a');
    station.liveness.stop = () => Promise.reject(new Error('no route'));
    await station.speaker.stop();
    assert.ok(station.responder.closed);
    assert.equal(station.responder.table(), '');
  }),
);

test(
  'a speaker that is stopped while it starts never joins, or leaves at once',
  inWorld(ab, async (world, cluster) => {
    await world.pod('node-b', '198.18.0.2');
    const joining = world.station('node-a');
    joining.liveness.slow = true;
    const refused = assert.rejects(joining.speaker.start());
    await eventually('it has joined', () => joining.steps.includes('join'));
    await joining.speaker.stop();
    await refused;
    assert.deepEqual(world.ring.names(), []);
    cluster.api.faults.pause();
    const reading = world.station('node-b');
    const alsoRefused = assert.rejects(reading.speaker.start(), /stopped before/);
    await reading.speaker.stop();
    await alsoRefused;
    assert.ok(!reading.steps.includes('join'));
    assert.ok(reading.responder.closed);
    cluster.api.faults.resume();
  }),
  10_000,
);
