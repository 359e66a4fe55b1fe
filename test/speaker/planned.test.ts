import assert from 'node:assert/strict';
import { nodes } from '../../src/kubernetes/resource.ts';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import type { SpeakerOptions } from '../../src/speaker/speaker.ts';
import { suite } from '../support/suite.ts';
import { inWorld, type Station, type World } from './support.ts';

/** What is planned loses nothing: the next owner announces first. */
const test = suite('speaker/planned');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];

async function startOurs(world: World, node: string, options: Partial<SpeakerOptions> = {}): Promise<Station> {
  const station = world.station(node, options);
  station.liveness.meta = encodeMemberMeta([]);
  await station.speaker.start();
  return station;
}

/** What all of them announced and let go of, in the order in which they did. */
function followed(...stations: readonly Station[]): string[] {
  const steps: string[] = [];
  for (const { node, responder } of stations) {
    const { setAnnouncements } = responder;
    responder.setAnnouncements = (table) => {
      const before = responder.table();
      setAnnouncements.call(responder, table);
      if (responder.table() !== before) steps.push(`${node}: ${responder.table()}`);
    };
  }
  return steps;
}

test(
  'a speaker that stops announces on until the next owner does',
  inWorld(ab, async (world) => {
    const a = await startOurs(world, 'node-a');
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    const steps = followed(a, b);
    await a.speaker.stop();
    await world.announces(b, '192.0.2.1@all');
    assert.deepEqual(steps, ['node-b: 192.0.2.1@all', 'node-a: ']);
  }),
);

test(
  'what nobody else may announce is announced until the end',
  inWorld(ab, async (world) => {
    const a = await startOurs(world, 'node-a');
    await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1', ['node-a'], { externalTrafficPolicy: 'Local' });
    await world.announces(a, '192.0.2.1@all');
    await a.speaker.stop();
    assert.deepEqual(a.steps.slice(-3), ['leave', '', 'close']);
  }),
);

test(
  'a node that is drained by its label hands over, too, and so does one that a better node takes over from',
  inWorld(ab, async (world, cluster) => {
    const a = await startOurs(world, 'node-a');
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    const steps = followed(a, b);
    const label = (labels: Record<string, string>) =>
      cluster.change(nodes, 'node-a', (node) => ({ ...node, metadata: { ...node.metadata, labels } }));
    await label({ 'node.kubernetes.io/exclude-from-external-load-balancers': '' });
    await world.announces(a, '');
    await label({});
    await world.announces(b, '');
    assert.deepEqual(steps, ['node-b: 192.0.2.1@all', 'node-a: ', 'node-a: 192.0.2.1@all', 'node-b: ']);
  }),
);

test(
  'a successor that says nothing, as MetalLB’s speakers do, is waited for a second and no longer',
  inWorld(ab, async (world) => {
    const a = await startOurs(world, 'node-a');
    await world.serve('dns', '192.0.2.2');
    await world.announces(a, '192.0.2.2@all');
    const since = performance.now();
    world.ring.add('node-b');
    await world.announces(a, '');
    assert.ok(performance.now() - since > 900);
    assert.equal(a.log.of('successor not heard').length, 1);
  }),
);

test(
  'a speaker that comes back leaves what it announces with its node, and goes on where it was',
  inWorld(ab, async (world) => {
    const restart = { restartGrace: 5_000, willReturn: async () => true };
    const a = await startOurs(world, 'node-a', restart);
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    const steps = followed(a, b);
    await a.speaker.stop();
    assert.ok(a.log.of('restart announced').length === 1);
    // Everything has been decided anew without it once something else has been announced.
    await world.serve('dns', '192.0.2.2');
    await world.announces(b, '192.0.2.2@all');
    const again = await startOurs(world, 'node-a', restart);
    await world.announces(again, '192.0.2.1@all');
    assert.deepEqual(
      steps.filter((step) => step.startsWith('node-b')),
      ['node-b: 192.0.2.2@all'],
    );
  }),
);

test(
  'one that does not come back in time is replaced',
  inWorld(ab, async (world) => {
    const a = await startOurs(world, 'node-a', { restartGrace: 300, willReturn: async () => true });
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    await a.speaker.stop();
    await world.announces(b, '192.0.2.1@all');
  }),
);

test(
  'the speaker of a node that goes down hands over, even if it would come back',
  inWorld(ab, async (world, cluster) => {
    const taints = [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }];
    await cluster.change(nodes, 'node-a', (node) => ({ ...node, spec: { taints } }));
    let wasAsked = false;
    const willReturn = async () => {
      wasAsked = true;
      return true;
    };
    const a = await startOurs(world, 'node-a', { restartGrace: 5_000, willReturn });
    const b = await startOurs(world, 'node-b');
    await world.serve('web', '192.0.2.1');
    await world.announces(a, '192.0.2.1@all');
    await a.speaker.stop();
    await world.announces(b, '192.0.2.1@all');
    assert.equal(wasAsked, false);
  }),
);
