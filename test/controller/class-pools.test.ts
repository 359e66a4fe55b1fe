import assert from 'node:assert/strict';
import { metalClasses } from '../../src/kubernetes/metal-kinds.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/class-pools');

async function webClass(cluster: TestCluster, spec: object = {}): Promise<void> {
  const addressPool = ['198.51.100.0/28'];
  await cluster.put(metalClasses, { metadata: { name: 'web' }, spec: { addressPool, ...spec } });
}

for (const [what, annotations] of [
  ['asks for the pool', { 'metallb.io/address-pool': 'web' }],
  ['asks for the pool by the deprecated annotation', { 'metallb.universe.tf/address-pool': 'web' }],
  ['asks for the pool among others', { 'garpoon.io/address-pools': 'web,none' }],
  ['asks for an address of it', { 'metallb.io/loadBalancerIPs': '198.51.100.1' }],
] as const) {
  test(
    `a Service that is not bound to a class and ${what} is told whose it is, and has nothing`,
    inWorld(
      async (world, cluster) => {
        await webClass(cluster);
        await world.markers();
        await world.start({ deckhouse: true });
        await cluster.service('api', {}, { annotations });
        await world.told('api', 'AllocationFailed', 1);
        const [event] = await cluster.events('api', 'AllocationFailed');
        assert.match(
          event?.message ?? '',
          /pool web is for Services of the MetalLoadBalancerClass web alone: name web in/,
        );
        await world.settled();
        await world.has('api', '');
      },
      { deckhouse: true },
    ),
  );
}

test(
  'the pools of classes are for nobody who asks for nothing, and other Services have theirs as ever',
  inWorld(
    async (world, cluster) => {
      await webClass(cluster);
      await cluster.pool('lan', lan(1));
      await world.start({ deckhouse: true });
      await cluster.service('first');
      await world.has('first', '192.0.2.10');
      await cluster.service('second');
      await world.told('second', 'AllocationFailed', 1);
      await world.has('second', '');
    },
    { deckhouse: true },
  ),
);

test(
  'a Service that names a class is looked at when there is one, and left to others when there is none',
  inWorld(
    async (world, cluster) => {
      await world.markers();
      await world.start({ deckhouse: true });
      // An address that everybody may ask for tells who looks at it.
      const annotations = { 'metallb.io/address-pool': 'markers' };
      await cluster.service('shop', { loadBalancerClass: 'web' }, { annotations });
      await world.settled();
      await world.has('shop', '');
      await webClass(cluster);
      await world.told('shop', 'IPAllocated', 1);
      await cluster.client.delete(metalClasses, 'web');
      await eventually('it goes by the pool that it names', async () =>
        (await cluster.addresses('shop')).startsWith('203.'),
      );
      await cluster.service('late', { loadBalancerClass: 'web' }, { annotations });
      await world.settled();
      await world.has('late', '');
    },
    { deckhouse: true },
  ),
);
