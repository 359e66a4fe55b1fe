import assert from 'node:assert/strict';
import { l2Advertisements } from '../../src/kubernetes/config-kinds.ts';
import { endpointSlices, nodes } from '../../src/kubernetes/resource.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type World } from './support.ts';

const test = suite('speaker/speaker');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];
const exclude = 'node.kubernetes.io/exclude-from-external-load-balancers';

test(
  'a speaker announces a Service that has an address and an endpoint, and says so once',
  inWorld(['node-a'], async (world, cluster) => {
    const station = await world.start('node-a');
    await cluster.service('web');
    await cluster.setAddresses('web', ['192.0.2.1', '2001:db8::1']);
    await cluster.endpoints('web', [{ node: 'node-a' }]);
    await world.announces(station, '192.0.2.1@all 2001:db8::1@all');
    await world.told('web', 'nodeAssigned', 1);
    await cluster.edit('web', {}, { version: '2' });
    await cluster.endpoints('web', [{ node: 'node-a' }, { node: 'node-b' }]);
    await cluster.advertisement('another');
    await cluster.node('node-c');
    station.liveness.see(['node-a', 'node-z']);
    // What comes after has been looked at only when all that has been looked at, too.
    await world.serve('mark', '192.0.2.9');
    await world.told('mark', 'nodeAssigned', 1);
    const [event, ...others] = await cluster.events('web', 'nodeAssigned');
    assert.equal(others.length, 0);
    assert.equal(event?.count, 1);
    assert.equal(event.message, 'announcing from node "node-a" with protocol "layer2"');
    assert.deepEqual(event.source, { component: 'metallb-speaker', host: 'node-a' });
    assert.deepEqual(
      station.log.of('serviceAnnounced').map(({ service }) => service),
      ['default/web', 'default/mark'],
    );
  }),
);

type Act = (world: World, cluster: TestCluster) => unknown;

const withdrawals: readonly (readonly [string, Act, Act, string?])[] = [
  [
    'its last endpoint is gone',
    (_world, cluster) => cluster.endpoints('web', []),
    (_world, cluster) => cluster.endpoints('web', [{ node: 'node-a' }]),
  ],
  [
    'its EndpointSlice is deleted',
    (_world, cluster) => cluster.client.delete(endpointSlices, 'default/web-1'),
    (_world, cluster) => cluster.endpoints('web', [{ node: 'node-a' }]),
  ],
  ['it is deleted', (_world, cluster) => cluster.deleteService('web'), (world) => world.serve('web', '192.0.2.1')],
  [
    'it is no LoadBalancer any more',
    (_world, cluster) => cluster.edit('web', { type: 'ClusterIP' }),
    async (_world, cluster) => {
      await cluster.edit('web', { type: 'LoadBalancer' });
      await cluster.setAddresses('web', ['192.0.2.1']);
    },
  ],
  [
    'its address is taken back',
    (_world, cluster) => cluster.setAddresses('web', []),
    (_world, cluster) => cluster.setAddresses('web', ['192.0.2.1']),
  ],
  [
    'its pool is removed',
    (_world, cluster) => cluster.removePool('lan'),
    (_world, cluster) => cluster.pool('lan', ['192.0.2.0/24']),
  ],
  [
    'its pool is not advertised any more',
    (_world, cluster) => cluster.client.delete(l2Advertisements, `${system}/everywhere`),
    (_world, cluster) => cluster.advertisement('everywhere'),
  ],
  [
    'it is advertised from other nodes',
    (_world, cluster) => cluster.advertisement('everywhere', { nodeSelectors: [{ matchLabels: { rack: '1' } }] }),
    (_world, cluster) => cluster.node('node-a', { rack: '1' }),
  ],
  [
    'another node owns it',
    (world) => void world.ring.add('node-b'),
    (world) => void world.ring.remove('node-b'),
    '192.0.2.2',
  ],
  [
    'its node is to be excluded',
    (_world, cluster) => cluster.node('node-a', { [exclude]: '' }),
    (_world, cluster) => cluster.node('node-a'),
  ],
  [
    'its node has no network',
    (_world, cluster) => cluster.node('node-a', {}, true),
    (_world, cluster) => cluster.node('node-a'),
  ],
  [
    'its node is deleted',
    (_world, cluster) => cluster.client.delete(nodes, 'node-a'),
    (_world, cluster) => cluster.node('node-a'),
  ],
];

for (const [how, undo, redo, address = '192.0.2.1'] of withdrawals) {
  test(
    `a Service is withdrawn when ${how}, and announced again when that is over`,
    inWorld(ab, async (world, cluster) => {
      const station = await world.start('node-a');
      await world.serve('web', address);
      await world.announces(station, `${address}@all`);
      await undo(world, cluster);
      await world.announces(station, '');
      await redo(world, cluster);
      await world.announces(station, `${address}@all`);
    }),
  );
}

test(
  'a Service that changes its address is announced at the new one only',
  inWorld(['node-a'], async (world, cluster) => {
    const station = await world.start('node-a');
    await world.serve('web', '192.0.2.1');
    await world.announces(station, '192.0.2.1@all');
    await cluster.setAddresses('web', ['192.0.2.77']);
    await world.announces(station, '192.0.2.77@all');
  }),
);

test(
  'a Service is announced on the interfaces of the advertisements that cover the node, as they change',
  inWorld(['node-a'], async (world, cluster) => {
    const nodeSelectors = [{ matchLabels: { rack: '1' } }];
    await cluster.advertisement('everywhere', { interfaces: ['eth1'] });
    await cluster.advertisement('rack-1', { interfaces: ['eth0'], nodeSelectors });
    const station = await world.start('node-a');
    await world.serve('web', '192.0.2.1');
    await world.announces(station, '192.0.2.1@eth1');
    await cluster.node('node-a', { rack: '1' });
    await world.announces(station, '192.0.2.1@eth0,eth1');
    await cluster.advertisement('everywhere');
    await world.announces(station, '192.0.2.1@all');
    await world.serve('mark', '192.0.2.9');
    await world.told('mark', 'nodeAssigned', 1);
    assert.equal(await cluster.eventCount('web', 'nodeAssigned'), 1);
  }),
);

test(
  'a node takes over when another dies, gives back when it returns, and is told of once per take-over',
  inWorld(ab, async (world) => {
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    const a = await world.start('node-a');
    const b = await world.start('node-b');
    const apart = async () => {
      await world.announces(a, '192.0.2.1@all');
      await world.announces(b, '192.0.2.2@all');
    };
    await apart();
    for (const round of [1, 2, 3]) {
      world.ring.remove('node-b');
      await world.announces(a, '192.0.2.1@all 192.0.2.2@all');
      b.liveness.meet();
      await apart();
      // Node a had it once more before node b was there.
      await eventually(`${round} take-overs are told`, async () => {
        const told = await world.cluster.events('dns', 'nodeAssigned');
        const byA = told.filter((event) => event.source.host === 'node-a');
        return byA.reduce((sum, event) => sum + event.count, 0) === round + 1;
      });
    }
    assert.equal(await world.cluster.eventCount('web', 'nodeAssigned'), 1);
    assert.ok(
      a.log.of('serviceWithdrawn').every(({ service, owner }) => service === 'default/dns' && owner === 'node-b'),
    );
  }),
);

for (const [address, names, order] of [
  ['10.0.0.1', ['node-a', 'node-b', 'node-c'], ['node-b', 'node-a', 'node-c']],
  ['10.0.0.2', ['node-a', 'node-b', 'node-c'], ['node-b', 'node-c', 'node-a']],
  ['10.20.30.1', ['node-a', 'node-b'], ['node-b', 'node-a']],
  ['10.20.30.1', ['edge-a', 'edge-b'], ['edge-b', 'edge-a']],
  ['10.20.30.1', ['iris1', 'iris2'], ['iris2', 'iris1']],
  ['10.20.30.2', ['iris1', 'iris2'], ['iris1', 'iris2']],
  ['10.20.30.3', ['iris1', 'iris2'], ['iris1', 'iris2']],
] as const) {
  test(
    `as with MetalLB, ${address} is announced by ${order.join(', then by ')}, and by one at a time`,
    inWorld(names, async (world, cluster) => {
      await cluster.pool('lan', ['10.0.0.0/8']);
      await world.serve('web', address);
      const stations = await Promise.all(names.map((name) => world.start(name)));
      for (const owner of order) {
        await eventually(`${owner} alone announces`, () =>
          stations.every(({ node, responder }) => responder.table() === (node === owner ? `${address}@all` : '')),
        );
        await stations.find(({ node }) => node === owner)?.speaker.stop();
      }
    }),
  );
}

test(
  'with traffic policy Local a Service follows its endpoints',
  inWorld(ab, async (world, cluster) => {
    const a = await world.start('node-a');
    const b = await world.start('node-b');
    await world.serve('web', '192.0.2.1', ['node-b'], { externalTrafficPolicy: 'Local' });
    await world.announces(b, '192.0.2.1@all');
    assert.equal(a.responder.table(), '');
    await cluster.endpoints('web', [{ node: 'node-a' }]);
    await world.announces(a, '192.0.2.1@all');
    await world.announces(b, '');
  }),
);

test(
  'without a ring every Node counts as alive',
  inWorld(ab, async (world, cluster) => {
    const station = await world.start('node-a', { liveness: undefined });
    await world.serve('web', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    await world.announces(station, '192.0.2.1@all');
    await cluster.client.delete(nodes, 'node-b');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
  }),
);
