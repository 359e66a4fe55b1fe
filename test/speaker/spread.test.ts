import assert from 'node:assert/strict';
import { nodes } from '../../src/kubernetes/resource.ts';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type Station, sha256, type World } from './support.ts';

/** Speakers that elect as MetalLB does, and Services with several addresses. */
const test = suite('speaker/spread');

const abc = ['node-a', 'node-b', 'node-c'];

async function speakers(world: World): Promise<readonly Station[]> {
  const stations = abc.map((node) => {
    const station = world.station(node);
    station.liveness.meta = encodeMemberMeta([]);
    return station;
  });
  await Promise.all(stations.map(({ speaker }) => speaker.start()));
  return stations;
}

const tableOf = ({ responder }: Station) => responder.table().split(' ').filter(Boolean);

function firstFor(ip: string): string | undefined {
  return abc.toSorted((a, b) => Buffer.compare(sha256(`${a}#${ip}`), sha256(`${b}#${ip}`)))[0];
}

test(
  'three addresses are announced by three speakers, and those of single ones by whom MetalLB has',
  inWorld(abc, async (world) => {
    const stations = await speakers(world);
    for (let i = 1; i <= 5; i++) await world.serve(`one-${i}`, `192.0.2.${i}`);
    for (let i = 1; i <= 4; i++) {
      await world.serve(`three-${i}`, [0, 1, 2].map((k) => `192.0.2.${100 + 10 * i + k}`).join(' '));
    }
    const tensOf = (station: Station) => tableOf(station).flatMap((entry) => /\.1(\d)\d@/.exec(entry)?.[1] ?? []);
    // In their first two seconds speakers may not know of each other what they hold.
    await eventually('each has one of each', () => stations.every((station) => tensOf(station).join('') === '1234'));
    for (const station of stations) {
      const single = tableOf(station).filter((entry) => !/\.1\d\d@/.test(entry));
      const own = [1, 2, 3, 4, 5].map((i) => `192.0.2.${i}`).filter((ip) => firstFor(ip) === station.node);
      assert.deepEqual(
        single,
        own.map((ip) => `${ip}@all`),
      );
    }
  }),
);

test(
  'what a drained node announces of it is handed over, and what dies is taken over, by one of the others each',
  inWorld(abc, async (world, cluster) => {
    const [a, b, c] = (await speakers(world)) as [Station, Station, Station];
    await world.serve('two', '192.0.2.101 192.0.2.102');
    const loads = () => [a, b, c].map((station) => tableOf(station).length);
    await eventually(
      'both are announced',
      () => loads().join('') !== '000' && Math.max(...loads()) === 1 && sum(loads()) === 2,
    );
    const leader = [a, b, c].find((station) => tableOf(station).length === 1)!;
    const annotations = { 'garpoon.io/drain': 'true' };
    await cluster.change(nodes, leader.node, (node) => ({ ...node, metadata: { ...node.metadata, annotations } }));
    const others = [a, b, c].filter((station) => station !== leader);
    await eventually('the others have one each', () => others.every((station) => tableOf(station).length === 1));
    await world.announces(leader, '');
    world.ring.remove(others[0]!.node);
    await eventually('the last one has both', () => tableOf(others[1]!).length === 2);
  }),
);

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

test(
  'while a speaker of MetalLB is in the ring, one node has all addresses of a Service, which is told so by one, once',
  inWorld(abc, async (world, cluster) => {
    const stations = await speakers(world);
    await world.serve('three', '192.0.2.101 192.0.2.102 192.0.2.103');
    const isSpread = () => stations.every((station) => tableOf(station).length === 1);
    await eventually('each has one', isSpread);
    const leader = stations.find(({ node }) => node === firstFor('192.0.2.101'))!;
    world.ring.add('node-z');
    const all = '192.0.2.101@all 192.0.2.102@all 192.0.2.103@all';
    for (const station of stations) await world.announces(station, station === leader ? all : '');
    await world.told('three', 'addressesNotSpread', 1);
    const [event] = await cluster.events('three', 'addressesNotSpread');
    assert.equal(
      event?.message,
      "one node announces all addresses, because MetalLB's speakers are in the ring, on node-z: remove them",
    );
    assert.equal(event.source.host, 'node-a');
    world.ring.remove('node-z');
    await eventually('each has one again', isSpread);
    for (const { log } of stations) {
      assert.equal(log.of('all addresses of a Service on one node').length, 1);
      assert.equal(log.of('addresses of one Service on different nodes again').length, 1);
      assert.equal(log.of('election not as in the Layer2Policy').length, 0);
    }
  }),
);
