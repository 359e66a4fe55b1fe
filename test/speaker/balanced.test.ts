import assert from 'node:assert/strict';
import { type Layer2PolicyObject, layer2Policies } from '../../src/kubernetes/config-kinds.ts';
import { events, nodes } from '../../src/kubernetes/resource.ts';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type Station, sha256, type World } from './support.ts';

const test = suite('speaker/balanced');

const abc = ['node-a', 'node-b', 'node-c'];

/** A speaker of ours. */
function speakerOf(world: World, node: string): Station {
  const station = world.station(node);
  station.liveness.meta = encodeMemberMeta([]);
  return station;
}

/** Three speakers with balanced, and so many Services. */
async function balancedWorld(world: World, cluster: TestCluster, services: number): Promise<readonly Station[]> {
  const metadata = { name: 'default', namespace: system };
  const policy: Layer2PolicyObject = { metadata, spec: { election: 'balanced' } };
  await cluster.put(layer2Policies, policy);
  const stations = abc.map((node) => speakerOf(world, node));
  await Promise.all(stations.map(({ speaker }) => speaker.start()));
  for (let i = 1; i <= services; i++) await world.serve(`web-${i}`, `192.0.2.${i}`);
  await eventually('each address has one owner', () => tablesOf(stations).length === services);
  return stations;
}

function tablesOf(stations: readonly Station[]): readonly string[] {
  const all = stations.flatMap(({ responder }) => responder.table().split(' ').filter(Boolean));
  return new Set(all).size === all.length ? all.sort() : [];
}

const loadsOf = (stations: readonly Station[]) =>
  stations.map(({ responder }) => responder.table().split(' ').filter(Boolean).length);

test(
  'the addresses are spread over the speakers, and those of one that dies over the others, who keep theirs',
  inWorld(abc, async (world, cluster) => {
    const stations = await balancedWorld(world, cluster, 12);
    assert.deepEqual(loadsOf(stations), [4, 4, 4]);
    const [a, b] = stations as [Station, Station];
    const before = [a, b].map(({ responder }) => responder.table().split(' '));
    world.ring.remove('node-c');
    await eventually('two have all', () => tablesOf([a, b]).length === 12);
    assert.deepEqual(loadsOf([a, b]), [6, 6]);
    for (const [i, { responder }] of [a, b].entries()) {
      for (const entry of before[i]!) assert.ok(responder.table().split(' ').includes(entry), entry);
    }
  }),
);

test(
  'the addresses of one Service are announced by several speakers, each of which says what it announces',
  inWorld(abc, async (world, cluster) => {
    const stations = await balancedWorld(world, cluster, 1);
    await world.serve('dual', '192.0.2.101 2001:db8::1');
    await eventually('both are announced', () => tablesOf(stations).length === 3);
    assert.deepEqual(loadsOf(stations), [1, 1, 1]);
    await eventually('both say so', async () => (await cluster.events('dual', 'nodeAssigned')).length === 2);
    const messages = (await cluster.events('dual', 'nodeAssigned')).map(({ message, source }) => {
      return message.replace(source.host ?? '', 'NODE');
    });
    assert.deepEqual(messages.sort(), [
      'announcing 192.0.2.101 from node "NODE" with protocol "layer2"',
      'announcing 2001:db8::1 from node "NODE" with protocol "layer2"',
    ]);
  }),
);

test(
  'a node that is to be drained hands everything over',
  inWorld(abc, async (world, cluster) => {
    const stations = await balancedWorld(world, cluster, 6);
    const annotations = { 'garpoon.io/drain': 'true' };
    await cluster.change(nodes, 'node-b', (node) => ({ ...node, metadata: { ...node.metadata, annotations } }));
    const [a, b, c] = stations as [Station, Station, Station];
    await world.announces(b, '');
    await eventually('the others have all', () => tablesOf([a, c]).length === 6);
    assert.deepEqual(loadsOf(stations), [3, 0, 3]);
  }),
);

test(
  'while a speaker of MetalLB is in the ring everybody decides as it does, and one says so, once',
  inWorld(abc, async (world, cluster) => {
    const stations = await balancedWorld(world, cluster, 6);
    const lines = (event: string) => stations.map(({ log }) => log.of(event).length);
    world.ring.add('node-z');
    const asMetallb = abc.map((node) => ips.filter((ip) => firstFor(ip) === node).map((ip) => `${ip}@all`));
    for (const [i, station] of stations.entries()) await world.announces(station, asMetallb[i]!.join(' '));
    assert.deepEqual(lines('election not as in the Layer2Policy'), [1, 1, 1]);
    world.ring.remove('node-z');
    const isSpread = () => loadsOf(stations).every((load) => load >= 1 && load <= 3);
    await eventually('each has about its part', () => isSpread() && tablesOf(stations).length === 6);
    assert.deepEqual(lines('election as in the Layer2Policy'), [1, 1, 1]);
    const told = async () => (await cluster.client.list(events, { namespace: system })).items ?? [];
    const isOver = async () => (await told()).some(({ reason }) => reason === 'electionInForce');
    await eventually('that it is over is told', isOver);
    const [event, ...more] = (await told()).filter(({ reason }) => reason === 'electionNotBalanced');
    assert.deepEqual([event?.involvedObject.kind, event?.source.host, more.length], ['Layer2Policy', 'node-a', 0]);
    assert.ok(event?.message.endsWith("MetalLB's speakers are in the ring, on node-z: remove them"), event?.message);
  }),
);

const ips = [1, 2, 3, 4, 5, 6].map((i) => `192.0.2.${i}`);

function firstFor(ip: string): string | undefined {
  return abc.toSorted((a, b) => Buffer.compare(sha256(`${a}#${ip}`), sha256(`${b}#${ip}`)))[0];
}
