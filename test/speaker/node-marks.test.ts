import assert from 'node:assert/strict';
import type { NodeInterface } from '../../src/election/interface-fitness.ts';
import { events, nodes } from '../../src/kubernetes/resource.ts';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import type { SpeakerOptions } from '../../src/speaker/speaker.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type Station, type World } from './support.ts';

const test = suite('speaker/node-marks');

// With the nodes a and b, 192.0.2.1 is for node-a.
const ab = ['node-a', 'node-b'];

async function annotate(cluster: TestCluster, node: string, annotations: Record<string, string>): Promise<void> {
  await cluster.change(nodes, node, (one) => ({ ...one, metadata: { ...one.metadata, annotations } }));
}

async function startOurs(world: World, node: string, options: Partial<SpeakerOptions> = {}): Promise<Station> {
  const station = world.station(node, options);
  station.liveness.meta = encodeMemberMeta([]);
  await station.speaker.start();
  return station;
}

test(
  'a node that drains hands over among ours, and not while a speaker of MetalLB is in the ring',
  inWorld(ab, async (world, cluster) => {
    const a = await startOurs(world, 'node-a');
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    await annotate(cluster, 'node-a', { 'garpoon.io/drain': 'true' });
    await world.announces(b, '192.0.2.1@all');
    await world.announces(a, '');
    // It has no Node, so that it is no candidate itself.
    world.ring.add('node-z');
    await world.announces(a, '192.0.2.1@all');
    await world.announces(b, '');
    world.ring.remove('node-z');
    await world.announces(b, '192.0.2.1@all');
    world.ring.remove('node-b');
    await world.announces(a, '192.0.2.1@all');
  }),
);

test(
  'a cordon moves nothing, and a bad annotation is told to the Node by its own speaker alone',
  inWorld(ab, async (world, cluster) => {
    const a = await startOurs(world, 'node-a');
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    await cluster.change(nodes, 'node-a', (one) => ({ ...one, spec: { unschedulable: true } }));
    await annotate(cluster, 'node-a', { 'garpoon.io/weight': 'heavy' });
    const told = async () =>
      ((await cluster.client.list(events, { namespace: 'default' })).items ?? []).filter(
        ({ reason }) => reason === 'invalidAnnotation',
      );
    await eventually('the Node is told', async () => (await told()).length === 1);
    const [event] = await told();
    assert.equal(event?.involvedObject.kind, 'Node');
    assert.match(event?.message ?? '', /^Node node-a: .*weight.*from 0 to 100.*\(found "heavy"\)$/);
    await world.announces(a, '192.0.2.1@all');
    assert.equal(b.log.of('node annotations refused').length, 0);
  }),
);

test(
  'a node whose interface loses its carrier is no candidate, while no speaker of MetalLB is in the ring',
  inWorld(ab, async (world) => {
    const eth0: NodeInterface = { name: 'eth0', up: true, prefixes: [] };
    let ofA = [eth0];
    const a = await startOurs(world, 'node-a', { interfaces: () => ofA });
    const b = await startOurs(world, 'node-b', { interfaces: () => [eth0] });
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    ofA = [{ ...eth0, up: false }];
    a.speaker.linksChanged();
    await world.announces(b, '192.0.2.1@all');
    await world.announces(a, '');
    world.ring.add('node-z');
    await world.announces(a, '192.0.2.1@all');
    world.ring.remove('node-z');
    await world.announces(b, '192.0.2.1@all');
    ofA = [eth0];
    a.speaker.linksChanged();
    await world.announces(a, '192.0.2.1@all');
    await world.announces(b, '');
  }),
);
