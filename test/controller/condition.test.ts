import assert from 'node:assert/strict';
import { changedConditions } from '../../src/controller/assigned-condition.ts';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import type { Condition } from '../../src/kubernetes/core.ts';
import { services } from '../../src/kubernetes/resource.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/condition');

const type = 'garpoon.io/AddressesAssigned';
const wantPool = 'metallb.io/address-pool';
const wantAddress = 'metallb.io/loadBalancerIPs';

async function conditionOf(cluster: TestCluster, service: string): Promise<Condition | undefined> {
  return (await cluster.getService(service)).status?.conditions?.find((condition) => condition.type === type);
}

/** Resolves when the condition is `status reason`, or absent for the empty text. */
async function says(cluster: TestCluster, service: string, expected: string): Promise<void> {
  await eventually(`the condition of ${service} is "${expected}"`, async () => {
    const condition = await conditionOf(cluster, service);
    return (condition === undefined ? '' : `${condition.status} ${condition.reason}`) === expected;
  });
}

for (const [what, annotations, reason, message] of [
  ['a full pool', {}, 'PoolFull', 'pool lan is full: 1 of 1 in use'],
  ['a pool that does not exist', { [wantPool]: 'none' }, 'NoSuchPool', 'pool none is requested but does not exist'],
  ['an address in use', { [wantAddress]: '192.0.2.10' }, 'AddressInUse', undefined],
  ['an address of no pool', { [wantAddress]: '198.18.9.9' }, 'AddressNotInPool', undefined],
  ['nonsense', { [wantAddress]: 'one' }, 'InvalidLoadBalancerIPs', undefined],
] as const) {
  test(
    `a Service that asks for ${what} has a condition that says so: ${reason}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(1));
      await world.start();
      await cluster.service('holder');
      await says(cluster, 'holder', 'True Assigned');
      await cluster.service('web', {}, { annotations });
      await says(cluster, 'web', `False ${reason}`);
      if (message !== undefined) assert.equal((await conditionOf(cluster, 'web'))?.message, message);
    }),
  );
}

test(
  'the condition comes with the addresses, and what merely waits is not written again',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.markers();
    await world.start();
    const created = await cluster.service('web');
    await world.has('web', '192.0.2.10');
    const served = await cluster.getService('web');
    assert.equal(served.status?.conditions?.length, 1);
    assert.notEqual(served.metadata.resourceVersion, created.metadata.resourceVersion);
    await cluster.service('waiting');
    await says(cluster, 'waiting', 'False PoolFull');
    const { resourceVersion } = (await cluster.getService('waiting')).metadata;
    await world.settled();
    assert.equal((await cluster.getService('web')).metadata.resourceVersion, served.metadata.resourceVersion);
    assert.equal((await cluster.getService('waiting')).metadata.resourceVersion, resourceVersion);
  }),
);

for (const [what, annotations, expected] of [
  ['one', {}, 'True Assigned 1 of 1 assigned'],
  ['three', { 'garpoon.io/external-ips-count': '3' }, 'True Assigned 3 of 3 assigned'],
  [
    'more than there are',
    { 'garpoon.io/external-ips-count': '4' },
    'False Incomplete 3 of 4 assigned, pool lan is full: 4 of 4 in use',
  ],
  [
    'one that another has',
    { 'garpoon.io/external-ips': '192.0.2.11,192.0.2.10' },
    'False Incomplete 1 of 2 assigned, 192.0.2.10 is in use by default/other, which has no sharing key',
  ],
] as const) {
  test(
    `a Service that asks for ${what} has a condition with the number: ${expected}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(4));
      await cluster.service('other', {}, { annotations: { [wantAddress]: '192.0.2.10' } });
      await world.start();
      await world.has('other', '192.0.2.10');
      await cluster.service('web', {}, { annotations });
      const [status, reason, ...message] = expected.split(' ');
      await says(cluster, 'web', `${status} ${reason}`);
      assert.equal((await conditionOf(cluster, 'web'))?.message, message.join(' '));
    }),
  );
}

const full: Condition = {
  type,
  status: 'False',
  reason: 'PoolFull',
  message: 'pool lan-2 is full: 2 of 2 in use',
  lastTransitionTime: '2026-01-02T03:04:05Z',
};

for (const [what, change, isNews, isTransition] of [
  ['another count', { message: 'pool lan-2 is full: 10 of 10 in use' }, false, false],
  ['another number of its own', { message: '2 of 3 assigned, pool lan-2 is full: 2 of 2 in use' }, true, false],
  ['another pool', { message: 'pool lan-3 is full: 2 of 2 in use' }, true, false],
  ['another reason', { reason: 'NoPool' }, true, false],
  ['another status', { status: 'True', reason: 'Assigned' }, true, true],
] as const) {
  test(`${what} is ${isNews ? 'written' : 'no news'}, ${isTransition ? 'and' : 'but'} ${isTransition ? 'a' : 'no'} transition`, () => {
    const { status, reason, message } = { ...full, ...change };
    const finding = { status, reason, message };
    const changed = changedConditions([full], { [type]: finding }, Date.UTC(2026, 5, 7, 8, 9, 10, 999));
    const lastTransitionTime = isTransition ? '2026-06-07T08:09:10Z' : full.lastTransitionTime;
    assert.deepEqual(changed, isNews ? [{ type, ...finding, lastTransitionTime }] : undefined);
  });
}

test(
  'conditions of others stay, and ours goes with the type LoadBalancer',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    const theirs = {
      type: 'example.com/Ready',
      status: 'True',
      reason: 'Ready',
      message: '',
      lastTransitionTime: '2026-01-02T03:04:05Z',
    } as const;
    await cluster.service('web');
    await updateStatus(cluster.client, services, 'default/web', (service) => ({
      ...service,
      status: { ...service.status, conditions: [theirs] },
    }));
    await world.start();
    await says(cluster, 'web', 'True Assigned');
    assert.deepEqual((await cluster.getService('web')).status?.conditions?.[0], theirs);
    await cluster.edit('web', { type: 'ClusterIP' });
    await says(cluster, 'web', '');
    assert.deepEqual((await cluster.getService('web')).status?.conditions, [theirs]);
  }),
);

test(
  'a Service that only prefers two families and has one is not found lacking',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    await cluster.service('web', { ipFamilyPolicy: 'PreferDualStack' });
    await says(cluster, 'web', 'True Assigned');
  }),
);
