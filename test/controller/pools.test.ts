import assert from 'node:assert/strict';
import { serviceAnnotations } from '../../src/api/service-annotations.ts';
import { ApiClient, type WatchOptions } from '../../src/kubernetes/client.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { namespaces, type Resource } from '../../src/kubernetes/resource.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/pools');

const poolMark = serviceAnnotations.ipAllocatedFromPool;

for (const [how, change, expected] of [
  ['shrinks', (cluster) => cluster.pool('lan', ['192.0.2.11-192.0.2.12']), '192.0.2.11'],
  [
    'is reserved for others',
    (cluster) => cluster.pool('lan', lan(3), { serviceAllocation: { namespaces: ['kube-system'] } }),
    '198.18.1.1',
  ],
] as const satisfies readonly (readonly [string, (cluster: TestCluster) => Promise<void>, string])[]) {
  test(
    `a Service whose pool ${how} is told, and given another address`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(3));
      await world.start();
      await cluster.service('web');
      await world.has('web', '192.0.2.10');
      await cluster.pool('other', ['198.18.1.1/32']);
      await change(cluster);
      await world.has('web', expected);
      await world.told('web', 'ClearAssignment', 1);
      await world.told('web', 'IPAllocated', 2);
    }),
  );
}

test(
  'a Service whose pool is removed is given an address of another pool, and none when there is none',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3));
    await cluster.pool('other', ['198.18.1.1/32']);
    await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.removePool('lan');
    await world.has('web', '198.18.1.1');
    await world.told('web', 'ClearAssignment', 1);
    await cluster.removePool('other');
    await world.has('web', '');
    await world.told('web', 'ClearAssignment', 2);
    await world.told('web', 'AllocationFailed', 1);
    assert.equal((await cluster.getService('web')).metadata.annotations?.[poolMark], undefined);
    await cluster.pool('lan', lan(3));
    await world.has('web', '192.0.2.10');
  }),
);

test(
  'a Service keeps its address when the pool has another name, and is told nothing',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3));
    await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    // Both hold the address for a moment: that is refused, and what was in force stays in force.
    await cluster.pool('office', lan(3));
    await eventually('refused', () => world.log.of('configuration refused').length === 1);
    await cluster.removePool('lan');
    await eventually('the annotation follows', async () => {
      const { metadata } = await cluster.getService('web');
      return metadata.annotations?.[poolMark] === 'office';
    });
    assert.equal(await cluster.addresses('web'), '192.0.2.10');
    assert.equal(await cluster.eventCount('web', 'IPAllocated'), 1);
    assert.equal(await cluster.eventCount('web', 'ClearAssignment'), 0);
  }),
);

test(
  'a faulty configuration leaves the last good one in force, and says so',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    const controller = await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.pool('lan', ['192.0.2.20/31', '192.0.2.20/32']);
    const line = await eventually('it is said', () => world.log.of('configuration refused')[0]);
    assert.equal(line.level, 'error');
    assert.match(JSON.stringify(line), /IPAddressPool metallb-system\/lan/);
    await cluster.service('late');
    await world.has('late', '192.0.2.11');
    assert.equal(await cluster.addresses('web'), '192.0.2.10');
    assert.deepEqual(controller.unready(), []);
    await cluster.pool('lan', ['192.0.2.20-192.0.2.30']);
    await world.has('web', '192.0.2.20');
    await world.has('late', '192.0.2.21');
  }),
);

test(
  'a controller that starts while the configuration is faulty touches nothing until it is repaired',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    const first = await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await first.stop();
    await cluster.pool('lan2', lan(1));
    await cluster.service('waiting');
    const before = await cluster.getService('web');
    const second = world.controller();
    const started = second.start();
    await eventually('it says what is wrong', () => second.unready().some((why) => why.includes('overlaps')));
    assert.deepEqual(await cluster.getService('web'), before);
    await cluster.removePool('lan2');
    await started;
    await world.has('waiting', '192.0.2.11');
    assert.deepEqual(await cluster.getService('web'), before);
    assert.deepEqual(second.unready(), []);
  }),
);

test(
  'a namespace whose labels change is looked at again',
  inWorld(async (world, cluster) => {
    await cluster.namespace('shop');
    const namespaceSelectors = [{ matchLabels: { tier: 'front' } }];
    await cluster.pool('front', lan(2), { serviceAllocation: { namespaceSelectors } });
    await world.start();
    await cluster.service('shop/web');
    await world.told('shop/web', 'AllocationFailed', 1);
    await cluster.namespace('shop', { tier: 'front' });
    await world.has('shop/web', '192.0.2.10');
    await cluster.namespace('shop', { tier: 'back' });
    await world.has('shop/web', '');
  }),
);

test(
  'a Service that is heard of before its namespace is given an address when the labels of that are known',
  inWorld(async (world, cluster) => {
    const { promise: known, resolve: tell } = Promise.withResolvers<void>();
    class BelatedClient extends ApiClient {
      override async watch<T extends KubernetesObject>(of: Resource<T>, options: WatchOptions) {
        if (of.plural === namespaces.plural) await known;
        return super.watch(of, options);
      }
    }
    const namespaceSelectors = [{ matchLabels: { tier: 'front' } }];
    await cluster.pool('front', lan(2), { serviceAllocation: { namespaceSelectors } });
    await cluster.pool('open', ['198.18.1.0/24']);
    await world.start({ client: cluster.newClient(BelatedClient) });
    await cluster.namespace('shop', { tier: 'front' });
    await cluster.service('shop/web');
    await cluster.service('later');
    await world.has('later', '198.18.1.0');
    assert.equal(await cluster.addresses('shop/web'), '');
    tell();
    await world.has('shop/web', '192.0.2.10');
    assert.equal(await cluster.eventCount('shop/web', 'AllocationFailed'), 0);
  }),
);
