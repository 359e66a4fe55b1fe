import assert from 'node:assert/strict';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import { addressReservations, ipAddressPools } from '../../src/kubernetes/config-kinds.ts';
import { nodes } from '../../src/kubernetes/resource.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

/** What pools and reservations offer beyond MetalLB's, from the objects in the API to the status of the Services. */
const test = suite('controller/pool-options');

const withOptions = (options: Record<string, string>) => ({ annotations: options });

async function nodeWith(cluster: TestCluster, address: string): Promise<void> {
  await cluster.put(nodes, { metadata: { name: 'node-a' } });
  await updateStatus(cluster.client, nodes, 'node-a', (node) => ({
    ...node,
    status: {
      addresses: [
        { type: 'Hostname', address: 'node-a' },
        { type: 'InternalIP', address },
      ],
    },
  }));
}

async function assignments(cluster: TestCluster, pool: string) {
  return (await cluster.client.get(ipAddressPools, `${system}/${pool}`))?.status?.assignments ?? [];
}

async function reservation(cluster: TestCluster, name: string) {
  const { addresses = [], holder = '' } =
    (await cluster.client.get(addressReservations, `${system}/${name}`))?.status ?? {};
  return `${addresses.join(' ')} ${holder}`.trim();
}

test(
  'an excluded address is not handed out',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3), {}, withOptions({ 'garpoon.io/exclude-addresses': '192.0.2.10-192.0.2.11' }));
    await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.12');
  }),
);

test(
  'an address of a Node is not handed out, and is when the Node has another',
  inWorld(async (world, cluster) => {
    await nodeWith(cluster, '192.0.2.10');
    await cluster.pool('lan', lan(2), {}, withOptions({ 'garpoon.io/exclude-node-addresses': 'true' }));
    await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.11');
    await cluster.service('waiting');
    await world.told('waiting', 'AllocationFailed', 1);
    await nodeWith(cluster, '192.0.2.99');
    await world.has('waiting', '192.0.2.10');
  }),
);

test(
  'a drained pool keeps who is there and takes nobody in',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.pool('lan', lan(2), {}, withOptions({ 'garpoon.io/drain': 'true' }));
    await eventually('nothing is available', async () => {
      return (await cluster.client.get(ipAddressPools, `${system}/lan`))?.status?.availableIPv4 === 0;
    });
    await cluster.service('late');
    await world.told('late', 'AllocationFailed', 1);
    assert.equal(await cluster.addresses('web'), '192.0.2.10');
  }),
);

test(
  'an address cools down before another Service has it, and nobody has to do anything for that',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1), {}, withOptions({ 'garpoon.io/cool-down': '2s' }));
    await world.start();
    await cluster.service('first');
    await world.has('first', '192.0.2.10');
    await cluster.service('second');
    await world.told('second', 'AllocationFailed', 1);
    const released = performance.now();
    await cluster.deleteService('first');
    await world.has('second', '192.0.2.10');
    assert.ok(performance.now() - released > 1_900, 'it waited');
  }),
);

test(
  'a reserved address waits for its Service, and the status says who has it',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    await cluster.put(addressReservations, {
      metadata: { name: 'kept', namespace: system },
      spec: { service: { namespace: 'default', name: 'vip' }, addresses: ['192.0.2.10'] },
    });
    await world.start();
    await eventually('it is kept', async () => (await reservation(cluster, 'kept')) === '192.0.2.10');
    await cluster.service('web');
    await world.has('web', '192.0.2.11');
    await cluster.service('vip');
    await world.has('vip', '192.0.2.10');
    await eventually('it is had', async () => (await reservation(cluster, 'kept')) === '192.0.2.10 default/vip');
    await cluster.deleteService('vip');
    await eventually('it waits', async () => (await reservation(cluster, 'kept')) === '192.0.2.10');
    const { since } = (await cluster.client.get(addressReservations, `${system}/kept`))?.status ?? {};
    assert.equal(since, undefined);
  }),
);

test(
  'an address that was found for a reservation is the same after a restart',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    const first = await world.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.put(addressReservations, {
      metadata: { name: 'any', namespace: system },
      spec: { service: { namespace: 'default', name: 'vip' } },
    });
    await eventually('one is found', async () => (await reservation(cluster, 'any')) === '192.0.2.11');
    await first.stop();
    await cluster.deleteService('web');
    await world.start();
    await cluster.service('vip');
    await world.has('vip', '192.0.2.11');
  }),
);

test(
  'a pool says who has what, and since when, also after a restart',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    const first = await world.start();
    const annotations = { 'metallb.io/allow-shared-ip': 'key', 'metallb.io/loadBalancerIPs': '192.0.2.11' };
    await cluster.service('web', {}, { annotations });
    await cluster.service('dns', { ports: [{ port: 53 }] }, { annotations });
    await eventually('both are listed', async () => (await assignments(cluster, 'lan'))[0]?.services.length === 2);
    const [assignment] = await assignments(cluster, 'lan');
    assert.deepEqual([assignment?.address, assignment?.services], ['192.0.2.11', ['default/dns', 'default/web']]);
    await first.stop();
    const since = '2026-01-02T03:04:05Z';
    await updateStatus(cluster.client, ipAddressPools, `${system}/lan`, (pool) => ({
      ...pool,
      status: { ...pool.status!, assignments: [{ ...assignment!, since }] },
    }));
    await world.start();
    await cluster.service('late');
    await eventually('the late one is listed', async () => (await assignments(cluster, 'lan')).length === 2);
    assert.equal((await assignments(cluster, 'lan'))[1]?.since, since);
  }),
);
