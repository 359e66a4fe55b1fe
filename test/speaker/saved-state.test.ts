import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customResourceDefinitions } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { SpeakerOptions } from '../../src/speaker/speaker.ts';
import type { TestCluster } from '../support/cluster.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type Station, type World } from './support.ts';

const test = suite('speaker/saved-state');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];

/** A disk of the node beside its world; `at` is what a speaker is told of it. */
type Disk = { readonly directory: string; readonly at: Partial<SpeakerOptions>; readonly saved: () => string };

function withDisk(
  nodes: readonly string[],
  run: (world: World, disk: Disk, cluster: TestCluster) => Promise<void>,
): () => Promise<void> {
  return inWorld(nodes, async (world, cluster) => {
    const directory = mkdtempSync(join(tmpdir(), 'garpoon-state-'));
    const file = join(directory, 'speaker.state');
    const saved = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    try {
      await run(world, { directory, at: { stateDirectory: directory, maxStateAge: 86_400_000 }, saved }, cluster);
    } finally {
      await world.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  });
}

/** What a speaker that ran for a while and was stopped leaves behind. */
async function ranOn(node: string, world: World, disk: Disk, table: string): Promise<void> {
  const earlier = await world.start(node, disk.at);
  await world.announces(earlier, table);
  await earlier.speaker.stop();
}

const tables = ({ steps }: Station) => steps.filter((step) => step.includes('@') || step === '');

test(
  'a speaker that starts while the API server is away announces what it announced before, and is ready',
  withDisk(ab, async (world, disk, cluster) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    await world.serve('local', '192.0.2.9', ['node-a'], { externalTrafficPolicy: 'Local' });
    await world.pod('node-a', '198.18.0.1');
    await world.pod('node-b', '198.18.0.2');
    world.ring.add('node-b');
    await ranOn('node-a', world, disk, '192.0.2.1@all 192.0.2.9@all');
    await cluster.away();
    const station = await world.start('node-a', disk.at);
    assert.equal(station.responder.table(), '192.0.2.1@all 192.0.2.9@all');
    assert.deepEqual(station.speaker.unready(), []);
    assert.ok((station.speaker.stateAge() ?? 0) > 0);
    assert.equal(station.log.of('working from saved state').length, 1);
    assert.deepEqual([...station.liveness.peers()].sort(), ['198.18.0.1', '198.18.0.2']);
    // The addresses are those of before, so nobody is asked whether they are free.
    assert.deepEqual(station.responder.probes, []);
    world.ring.remove('node-b');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all 192.0.2.9@all');
  }),
);

test(
  'when the API server is back, only what has changed meanwhile changes',
  withDisk(['node-a'], async (world, disk, cluster) => {
    for (const i of [1, 2, 3, 4]) await world.serve(`web-${i}`, `192.0.2.${i}`);
    await ranOn('node-a', world, disk, '192.0.2.1@all 192.0.2.2@all 192.0.2.3@all 192.0.2.4@all');
    await cluster.setAddresses('web-2', ['192.0.2.22']);
    await cluster.away();
    const station = await world.start('node-a', disk.at);
    const before = tables(station).length;
    const bursts = station.responder.bursts.length;
    await cluster.back();
    await world.announces(station, '192.0.2.1@all 192.0.2.22@all 192.0.2.3@all 192.0.2.4@all');
    await eventually('all is as the API server has it', () => station.speaker.stateAge() === 0);
    await eventually('it is told', () => station.log.of('saved state replaced').length === 1);
    assert.deepEqual(tables(station).slice(before), ['192.0.2.1@all 192.0.2.22@all 192.0.2.3@all 192.0.2.4@all']);
    assert.deepEqual(station.responder.bursts.slice(bursts), ['192.0.2.22']);
    await eventually('it is saved', () => disk.saved().includes('"192.0.2.22"'));
  }),
);

test(
  'what was deleted meanwhile goes, and what is new comes',
  withDisk(['node-a'], async (world, disk, cluster) => {
    await world.serve('old', '192.0.2.1');
    await world.serve('kept', '192.0.2.2');
    await ranOn('node-a', world, disk, '192.0.2.1@all 192.0.2.2@all');
    await cluster.deleteService('old');
    await world.serve('new', '192.0.2.3');
    await cluster.away();
    const station = await world.start('node-a', disk.at);
    assert.equal(station.responder.table(), '192.0.2.1@all 192.0.2.2@all');
    await cluster.back();
    await world.announces(station, '192.0.2.2@all 192.0.2.3@all');
  }),
);

test(
  'a second start while it is away is as the first, and as old',
  withDisk(['node-a'], async (world, disk, cluster) => {
    await world.serve('web', '192.0.2.1');
    await ranOn('node-a', world, disk, '192.0.2.1@all');
    await cluster.away();
    const saved = disk.saved();
    await ranOn('node-a', world, disk, '192.0.2.1@all');
    assert.equal(disk.saved(), saved);
    const station = await world.start('node-a', disk.at);
    assert.equal(station.responder.table(), '192.0.2.1@all');
  }),
);

test(
  'an API server that takes connections and answers nothing is away as well',
  withDisk(['node-a'], async (world, disk, cluster) => {
    await world.serve('web', '192.0.2.1');
    await ranOn('node-a', world, disk, '192.0.2.1@all');
    cluster.api.faults.pause();
    const hasty = { ...systemClock, after: (delay: number, run: () => void) => systemClock.after(delay / 20, run) };
    const station = await world.start('node-a', { ...disk.at, clock: hasty });
    assert.equal(station.responder.table(), '192.0.2.1@all');
    cluster.api.faults.resume();
    await eventually('all is as the API server has it', () => station.speaker.stateAge() === 0);
    assert.equal(station.responder.table(), '192.0.2.1@all');
  }),
);

test(
  'a fault that was made in the configuration does not keep it from working, now or when the API server is back',
  withDisk(['node-a'], async (world, disk, cluster) => {
    await world.serve('web', '192.0.2.1');
    const earlier = await world.start('node-a', disk.at);
    await cluster.pool('overlapping', ['192.0.2.1/32']);
    await eventually('it is said', () => earlier.log.of('configuration refused').length === 1);
    await earlier.speaker.stop();
    await cluster.away();
    const station = await world.start('node-a', disk.at);
    assert.equal(station.responder.table(), '192.0.2.1@all');
    await cluster.back();
    await eventually('it is said', () => station.log.of('configuration refused').length === 1);
    assert.equal(station.responder.table(), '192.0.2.1@all');
    assert.deepEqual(station.speaker.unready(), []);
  }),
);

test(
  'a kind that the cluster does not have holds up nothing when the API server is back',
  withDisk(['node-a'], async (world, disk, cluster) => {
    await world.serve('web', '192.0.2.1');
    await ranOn('node-a', world, disk, '192.0.2.1@all');
    await cluster.client.delete(customResourceDefinitions, 'bgppeers.metallb.io');
    await cluster.away();
    const station = await world.start('node-a', disk.at);
    await cluster.back();
    await eventually('all is as the API server has it', () => station.speaker.stateAge() === 0);
    assert.equal(station.responder.table(), '192.0.2.1@all');
  }),
);

for (const [what, change] of [
  ['of another node', ({ directory }) => ({ stateDirectory: directory, nodeName: 'node-b' })],
  ['too old', ({ directory }) => ({ stateDirectory: directory, maxStateAge: -1 })],
  ['in another directory', ({ directory }) => ({ stateDirectory: join(directory, 'elsewhere') })],
] as const satisfies readonly (readonly [string, (disk: Disk) => Partial<SpeakerOptions>])[]) {
  test(
    `a speaker whose state is ${what} waits for the API server`,
    withDisk(ab, async (world, disk, cluster) => {
      await world.serve('web', '192.0.2.1');
      await ranOn('node-a', world, disk, '192.0.2.1@all');
      await cluster.away();
      const station = world.station('node-a', change(disk));
      const started = station.speaker.start();
      const told = () => [...station.log.of('saved state refused'), ...station.log.of('no saved state')];
      await eventually('it is told', () => told().length === 1);
      assert.equal(station.responder.table(), '');
      assert.equal(station.speaker.unready().length, 1);
      assert.equal(station.speaker.stateAge(), undefined);
      await cluster.back();
      await started;
    }),
  );
}

test(
  'a speaker of another cluster at the same node name does not use it',
  withDisk(['node-a'], async (world, disk, cluster) => {
    await world.serve('web', '192.0.2.1');
    await ranOn('node-a', world, disk, '192.0.2.1@all');
    const copy = join(disk.directory, 'copy');
    cpSync(join(disk.directory, 'speaker.state'), join(copy, 'speaker.state'));
    const other = inWorld(['node-a'], async (elsewhere, there) => {
      await there.away();
      const station = elsewhere.station('node-a', { stateDirectory: copy });
      const started = station.speaker.start();
      const refused = await eventually('it is told', () => station.log.of('saved state refused')[0]);
      assert.equal(refused.reason, 'owner');
      await there.back();
      await started;
    });
    await other();
    await cluster.away();
  }),
);

test(
  'the file is for its owner alone, and has no Secret in it',
  withDisk(['node-a'], async (world, disk, cluster) => {
    const secret = { metadata: { name: 'memberlist', namespace: 'metallb-system' } };
    await cluster.client.create({ group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true }, {
      ...secret,
      data: { secretkey: 'c2VjcmV0' },
    } as typeof secret);
    await world.serve('web', '192.0.2.1');
    chmodSync(disk.directory, 0o755);
    await ranOn('node-a', world, disk, '192.0.2.1@all');
    assert.equal(statSync(join(disk.directory, 'speaker.state')).mode & 0o777, 0o600);
    assert.ok(!disk.saved().includes('c2VjcmV0'));
    assert.ok(!disk.saved().includes('Secret'));
  }),
);

test(
  'with the API server away for a minute under a running speaker, nothing moves, and then it catches up',
  withDisk(ab, async (world, disk, cluster) => {
    for (const [name, address] of [['web', '192.0.2.1'], ['dns', '192.0.2.2']] as const) await world.serve(name, address); // biome-ignore format: a row
    world.ring.add('node-b');
    const clock = new FakeClock();
    const station = world.station('node-a', { ...disk.at, clock });
    const started = station.speaker.start();
    await eventually('it announces', async () => {
      await clock.advance(10);
      return station.responder.table() === '192.0.2.1@all';
    });
    await started;
    await cluster.away();
    const before = station.steps.length;
    const begun = clock.now();
    // Real connections are refused between the steps of virtual time.
    while (clock.now() - begun < 60_000) {
      await clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(station.log.of('watch failing').length > 0);
    assert.deepEqual(station.steps.slice(before), []);
    assert.equal(station.responder.table(), '192.0.2.1@all');
    assert.deepEqual(station.speaker.unready(), []);
    assert.ok((station.speaker.stateAge() ?? 0) >= 60_000);
    await cluster.back();
    await cluster.setAddresses('web', ['192.0.2.1', '2001:db8::1']);
    await eventually('it catches up', async () => {
      await clock.advance(100);
      return station.responder.table() === '192.0.2.1@all 2001:db8::1@all' && station.speaker.stateAge() === 0;
    });
    assert.equal(station.log.of('working from saved state').length, 0);
  }),
);
