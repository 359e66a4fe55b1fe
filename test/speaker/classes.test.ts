import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metalClasses } from '../../src/kubernetes/metal-kinds.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

const test = suite('speaker/classes');

const frontend = { 'node-role.deckhouse.io/frontend': '' };
const ofWeb = { loadBalancerClass: 'web' };

/** On the frontends, on eth1. */
async function webClass(cluster: TestCluster): Promise<void> {
  const spec = { addressPool: ['198.51.100.0/28'], l2: { interfaces: ['eth1'] }, nodeSelector: frontend };
  await cluster.put(metalClasses, { metadata: { name: 'web' }, spec });
}

test(
  'a Service of a class is announced by the nodes and on the interfaces of the class, for as long as there is one',
  inWorld(
    [],
    async (world, cluster) => {
      await cluster.node('node-a');
      await cluster.node('node-b', frontend);
      await webClass(cluster);
      await world.serve('web', '198.51.100.1', ['node-a'], ofWeb);
      const a = await world.start('node-a', { deckhouse: true });
      const b = await world.start('node-b', { deckhouse: true });
      await world.announces(b, '198.51.100.1@eth1');
      assert.equal(a.responder.table(), '');
      await cluster.client.delete(metalClasses, 'web');
      await world.announces(b, '');
      await webClass(cluster);
      await world.announces(b, '198.51.100.1@eth1');
    },
    { deckhouse: true },
  ),
);

for (const [what, options, spec] of [
  ['of a class that does not exist', { deckhouse: true }, { loadBalancerClass: 'mail' }],
  ['of a class, while classes are not asked for', {}, ofWeb],
] as const) {
  test(
    `a Service ${what} is left to others`,
    inWorld(
      ['node-a'],
      async (world, cluster) => {
        await webClass(cluster);
        await world.serve('other', '192.0.2.1', ['node-a'], spec);
        await world.serve('ours', '192.0.2.2');
        const station = await world.start('node-a', options);
        await world.announces(station, '192.0.2.2@all');
      },
      { deckhouse: true },
    ),
  );
}

test(
  'a speaker that starts while the API server is away knows the classes of before',
  inWorld(
    [],
    async (world, cluster) => {
      const directory = mkdtempSync(join(tmpdir(), 'garpoon-state-'));
      const options = { deckhouse: true, stateDirectory: directory, maxStateAge: 86_400_000 };
      try {
        await cluster.node('node-a', frontend);
        await webClass(cluster);
        await world.serve('web', '198.51.100.1', ['node-a'], ofWeb);
        const earlier = await world.start('node-a', options);
        await world.announces(earlier, '198.51.100.1@eth1');
        await earlier.speaker.stop();
        await cluster.away();
        const station = await world.start('node-a', options);
        assert.equal(station.responder.table(), '198.51.100.1@eth1');
        await cluster.back();
        await eventually('all is as the API server has it', () => station.speaker.stateAge() === 0);
        assert.equal(station.responder.table(), '198.51.100.1@eth1');
      } finally {
        await world.stop();
        rmSync(directory, { recursive: true, force: true });
      }
    },
    { deckhouse: true },
  ),
);
