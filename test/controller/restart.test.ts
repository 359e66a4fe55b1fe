import assert from 'node:assert/strict';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { addressText } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/restart');

const wantAddress = 'metallb.io/loadBalancerIPs';

for (let seed = 1; seed <= 20; seed++) {
  test(
    `every Service keeps its address over a restart, whoever waits for it (order ${seed})`,
    inWorld(async (world, cluster) => {
      const random = seededRandom(seed);
      await cluster.pool('lan', lan(3));
      const first = await world.start();
      for (const name of shuffled(['m', 'n', 'o'], random)) await cluster.service(name);
      await eventually('the pool is used up', async () => (await assigned()).length === 3);
      const before = await assigned();
      await first.stop();
      // By name before and after the holders; some ask for the very addresses that the others have.
      const competitors = [
        ['a', {}],
        ['b', { [wantAddress]: '192.0.2.10' }],
        ['y', { [wantAddress]: '192.0.2.11' }],
        ['z', {}],
      ] as const;
      for (const [name, annotations] of shuffled(competitors, random)) await cluster.service(name, {}, { annotations });
      await world.start();
      for (const [name] of competitors) await world.told(name, 'AllocationFailed', 1);
      assert.deepEqual(await assigned(), before);

      async function assigned(): Promise<readonly string[]> {
        const all = await cluster.listServices();
        return all.flatMap((service) => {
          const text = addressText(service);
          return text === '' ? [] : `${service.metadata.name} ${text}`;
        });
      }
    }),
  );
}

test(
  'of two Services that both claim an address, the older keeps it',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    await cluster.service('older');
    const { creationTimestamp } = (await cluster.getService('older')).metadata;
    await eventually('the clock has gone on by a second', async () => {
      const younger = await cluster.service('first-by-name');
      if (younger.metadata.creationTimestamp !== creationTimestamp) return true;
      await cluster.deleteService('first-by-name');
      return false;
    });
    for (const name of ['older', 'first-by-name']) await cluster.setAddresses(name, ['192.0.2.10']);
    await world.start();
    await world.has('first-by-name', '192.0.2.11');
    await world.told('first-by-name', 'ClearAssignment', 1);
    assert.equal(await cluster.addresses('older'), '192.0.2.10');
  }),
);

for (const [what, found, expected] of [
  ['that no pool has', ['198.18.9.9'], '192.0.2.10'],
  ['of a family that the Service does not have', ['2001:db8::10'], '192.0.2.10'],
  ['that the Service may have', ['192.0.2.12'], '192.0.2.12'],
] as const) {
  test(
    `a controller that finds an address ${what} makes it ${expected}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', [...lan(3), '2001:db8::10-2001:db8::12']);
      await cluster.service('web');
      await cluster.setAddresses('web', found);
      await world.start();
      await world.has('web', expected);
      await world.told('web', 'ClearAssignment', found[0] === expected ? 0 : 1);
    }),
  );
}

test(
  'two addresses keep the order in which the status has them, because the first decides who announces',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', [...lan(3), '2001:db8::10-2001:db8::12']);
    await cluster.service('web', { ipFamilyPolicy: 'RequireDualStack' });
    await cluster.setAddresses('web', ['2001:db8::11', '192.0.2.11']);
    await world.start();
    await eventually('it is adopted', async () => {
      const { metadata } = await cluster.getService('web');
      return metadata.annotations?.['metallb.io/ip-allocated-from-pool'] === 'lan';
    });
    assert.equal(await cluster.addresses('web'), '2001:db8::11 192.0.2.11');
  }),
);

test(
  'a Service with a slip in its annotation keeps its address over a restart, whoever waits for it',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    const first = await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.annotate('web', { [wantAddress]: 'one' });
    await world.told('web', 'LoadBalancerFailed', 1);
    await first.stop();
    await cluster.service('a-competitor');
    await world.start();
    await world.told('a-competitor', 'AllocationFailed', 1);
    assert.equal(await cluster.addresses('web'), '192.0.2.10');
  }),
);

test(
  'what changed while no controller ran is caught up with',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    const first = await world.start();
    const annotations = { 'metallb.io/allow-shared-ip': 'key' };
    await cluster.service('gone', {}, { annotations });
    await cluster.service('demoted', { ports: [{ port: 443 }] }, { annotations });
    await world.has('gone', '192.0.2.10');
    await world.has('demoted', '192.0.2.10');
    await first.stop();
    await cluster.deleteService('gone');
    await cluster.edit('demoted', { type: 'ClusterIP' });
    await cluster.service('late');
    await world.start();
    await world.has('late', '192.0.2.10');
    await eventually('the demoted one has no annotation of ours left', async () => {
      const { metadata } = await cluster.getService('demoted');
      return metadata.annotations?.['metallb.io/ip-allocated-from-pool'] === undefined;
    });
  }),
);
