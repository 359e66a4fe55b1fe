import assert from 'node:assert/strict';
import { eventually, suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

const test = suite('speaker/silence');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];
/** Renewed every 10 ms. */
const deadline = 50;

test(
  'a speaker tells the responder that it is alive, from its start to its stop',
  inWorld(['node-a'], async (world, cluster) => {
    await cluster.away();
    const station = world.station('node-a', { deadline });
    const started = station.speaker.start();
    await eventually('it renews while it starts', () => station.responder.renewals > 1);
    await cluster.back();
    await started;
    const atWork = station.responder.renewals;
    await eventually('it renews at work', () => station.responder.renewals > atWork);
    await station.speaker.stop();
    assert.deepEqual(station.log.of('silenced'), []);
  }),
);

test(
  'a speaker that hung decides everything anew, announces all of it, and looks for the ring',
  inWorld(ab, async (world) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    const { speaker, responder, liveness, log } = await world.start('node-a', { deadline });
    assert.equal(responder.table(), '192.0.2.1@all 192.0.2.2@all');
    responder.bursts.length = 0;
    responder.silent = true;
    await eventually('it announces again', () => responder.bursts.length > 0);
    assert.deepEqual(
      responder.bursts.map((burst) => burst.split(' ').sort()),
      [['192.0.2.1', '192.0.2.2']],
    );
    assert.equal(responder.silent, false);
    assert.ok(liveness.rejoins > 0);
    assert.deepEqual(speaker.unready(), []);
    const [line, ...more] = log.of('silenced');
    assert.equal(more.length, 0);
    assert.equal(line?.level, 'error');
    assert.ok(typeof line.hungFor === 'number' && line.hungFor >= 0);
  }),
);

test(
  'what went to another node while a speaker hung is not announced again',
  inWorld(ab, async (world) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    const station = await world.start('node-a', { deadline });
    station.responder.bursts.length = 0;
    // As after a hang: the silence and the news are there at the same time.
    station.responder.silent = true;
    world.ring.add('node-b');
    await eventually('it announces again', () => station.responder.bursts.length > 0);
    assert.deepEqual(station.responder.bursts, ['192.0.2.1']);
  }),
);

test(
  'only what a speaker decides after a hang is handed over',
  inWorld(['node-a'], async (world) => {
    await world.serve('web', '192.0.2.1');
    const { responder, liveness, steps } = await world.start('node-a', { deadline });
    responder.silent = 'forever';
    const before = steps.length;
    await world.serve('dns', '192.0.2.2');
    await eventually('the new Service is decided on', () => responder.table() === '192.0.2.1@all 192.0.2.2@all');
    await eventually('it has tried three times', () => liveness.rejoins >= 3);
    const tables = steps.length - before;
    assert.ok(tables <= liveness.rejoins, `${tables} tables after ${liveness.rejoins} decisions`);
  }),
);

test(
  'a speaker goes on until the responder is no longer silent, and tells of it once',
  inWorld(['node-a'], async (world) => {
    await world.serve('web', '192.0.2.1');
    const { responder, log } = await world.start('node-a', { deadline });
    responder.bursts.length = 0;
    responder.silent = 'forever';
    await eventually('it has tried three times', () => responder.bursts.length >= 3);
    assert.equal(log.of('silenced').length, 1);
    responder.silent = true;
    await eventually('it is over', () => responder.silent === false);
    const { renewals } = responder;
    await eventually('it renews', () => responder.renewals > renewals + 1);
    const announced = responder.bursts.length;
    await eventually('it renews', () => responder.renewals > renewals + 3);
    assert.equal(responder.bursts.length, announced);
  }),
);

test(
  'a silence during the start decides nothing before its time, and ends with the first table',
  inWorld(['node-a'], async (world, cluster) => {
    await world.serve('web', '192.0.2.1');
    await cluster.away();
    const station = world.station('node-a', { deadline });
    station.responder.silent = true;
    const started = station.speaker.start();
    await eventually('it is noticed', () => station.responder.renewals > 2);
    assert.deepEqual(station.steps, []);
    await cluster.back();
    await started;
    assert.equal(station.responder.silent, false);
    assert.equal(station.responder.table(), '192.0.2.1@all');
  }),
);

for (const lease of [{ deadline: 60_000 }, { deadline: 0 }]) {
  test(
    `a speaker whose packet thread lapsed decides everything anew at once, after looking for the ring (deadline ${lease.deadline})`,
    inWorld(ab, async (world) => {
      await world.serve('web', '192.0.2.1');
      await world.serve('dns', '192.0.2.2');
      const { speaker, responder, liveness, log } = await world.start('node-a', { ...lease, lapse: 500 });
      responder.bursts.length = 0;
      // As after a stop: the silence and the news are there at the same time.
      responder.silent = true;
      world.ring.add('node-b');
      speaker.lapsed(800);
      assert.equal(liveness.rejoins, 1);
      await eventually('it announces again', () => responder.bursts.length > 0);
      assert.deepEqual(responder.bursts, ['192.0.2.1']);
      assert.equal(responder.silent, false);
      assert.deepEqual(log.of('lapsed').length, 1);
      assert.deepEqual(log.of('silenced'), []);
    }),
  );
}

for (const [scheduling, remedy] of [
  ['fifo', false],
  ['slice', true],
  ['ordinary', true],
] as const) {
  test(
    `a speaker tells once that its packet thread is scheduled ${scheduling}, ${remedy ? 'and what to do' : 'and no more'}`,
    inWorld(['node-a'], async (world) => {
      const station = world.station('node-a');
      station.responder.scheduling = scheduling;
      await station.speaker.start();
      const [line, ...more] = station.log.of('packet thread scheduled');
      assert.equal(more.length, 0);
      assert.deepEqual([line?.level, line?.scheduling], ['info', scheduling]);
      assert.equal(typeof line?.remedy === 'string' && line.remedy.includes('CAP_SYS_NICE'), remedy);
    }),
  );
}
