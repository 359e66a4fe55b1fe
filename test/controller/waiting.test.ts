import assert from 'node:assert/strict';
import type { TestCluster } from '../support/cluster.ts';
import { suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/waiting');

const wantAddress = 'metallb.io/loadBalancerIPs';
const wantPool = 'metallb.io/address-pool';
const share = 'metallb.io/allow-shared-ip';

for (const [how, free] of [
  ['is deleted', (cluster) => cluster.deleteService('holder')],
  ['becomes a ClusterIP', (cluster) => cluster.edit('holder', { type: 'ClusterIP' })],
  ['moves to another pool', (cluster) => cluster.annotate('holder', { [wantPool]: 'other' })],
] as const satisfies readonly (readonly [string, (cluster: TestCluster) => unknown])[]) {
  test(
    `an address goes to the Service that waits for it when its holder ${how}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(1));
      await cluster.pool('other', ['198.18.1.1/32'], { autoAssign: false });
      await world.start();
      await cluster.service('holder');
      await world.has('holder', '192.0.2.10');
      await cluster.service('waiting');
      await world.told('waiting', 'AllocationFailed', 1);
      await free(cluster);
      await world.has('waiting', '192.0.2.10');
    }),
  );
}

test(
  'a Service that comes to ask for nonsense does not keep the others waiting',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    await cluster.service('holder');
    await world.has('holder', '192.0.2.10');
    for (const name of ['first', 'second']) {
      await cluster.service(name);
      await world.told(name, 'AllocationFailed', 1);
    }
    await cluster.annotate('first', { [wantAddress]: 'one' });
    await world.told('first', 'AllocationFailed', 2);
    await cluster.deleteService('holder');
    await world.has('second', '192.0.2.10');
  }),
);

for (const [how, holder, change] of [
  ['begins to share', {}, { annotations: { [share]: 'key' } }],
  ['changes its key to theirs', { [share]: 'other' }, { annotations: { [share]: 'key' } }],
  ['gives up the port', { [share]: 'key' }, { spec: { ports: [{ port: 443 }] } }],
] as const) {
  test(
    `a Service that waits for a shared address is given it when its holder ${how}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(1));
      await world.start();
      await cluster.service('holder', {}, { annotations: holder });
      await world.has('holder', '192.0.2.10');
      const port = 'spec' in change ? 80 : 443;
      const annotations = { [share]: 'key', [wantAddress]: '192.0.2.10' };
      await cluster.service('waiting', { ports: [{ port }] }, { annotations });
      await world.told('waiting', 'AllocationFailed', 1);
      await cluster.edit('holder', 'spec' in change ? change.spec : {}, {}, 'spec' in change ? {} : change.annotations);
      await world.has('waiting', '192.0.2.10');
      assert.equal(await cluster.addresses('holder'), '192.0.2.10');
    }),
  );
}

test(
  'Services wait in the order in which they began to',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    await cluster.service('holder');
    await world.has('holder', '192.0.2.10');
    for (const name of ['zebra', 'ape']) {
      await cluster.service(name);
      await world.told(name, 'AllocationFailed', 1);
    }
    await cluster.deleteService('holder');
    await world.has('zebra', '192.0.2.10');
    await cluster.deleteService('zebra');
    await world.has('ape', '192.0.2.10');
  }),
);
