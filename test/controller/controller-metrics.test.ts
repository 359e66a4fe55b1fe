import assert from 'node:assert/strict';
import { ControllerMetrics } from '../../src/controller/controller-metrics.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

const test = suite('controller/controller-metrics');

/** The samples of a scrape: name and labels → value. */
async function scrape(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

const allocator = (name: string, pool: string) => `metallb_allocator_${name}{pool="${pool}"}`;

test(
  'a scrape says what the pools have and what of it Services have',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', ['192.0.2.0/28', '2001:db8::/126']);
    await cluster.pool('spare', ['198.51.100.0/30'], { autoAssign: false });
    const metrics = new Metrics(silentLogger);
    const numbers = new ControllerMetrics(metrics);
    numbers.observe(await world.start());
    const shared = { 'metallb.io/allow-shared-ip': 'web', 'metallb.io/loadBalancerIPs': '192.0.2.1' };
    await cluster.service('web', { ports: [{ port: 80 }] }, { annotations: shared });
    await cluster.service('api', { ports: [{ port: 81 }] }, { annotations: shared });
    await cluster.service('mail');
    for (const [name, address] of Object.entries({ web: '192.0.2.1', api: '192.0.2.1', mail: '192.0.2.0' })) {
      await world.has(name, address);
    }
    const samples = await scrape(metrics);
    for (const [name, lan, spare] of [
      ['addresses_total', 20, 4],
      ['ipv4_addresses_total', 16, 4],
      ['ipv6_addresses_total', 4, 0],
      ['addresses_in_use_total', 2, 0],
      ['ipv4_addresses_in_use_total', 2, 0],
      ['ipv6_addresses_in_use_total', 0, 0],
      ['services_allocated_total', 3, 0],
    ] as const) {
      assert.deepEqual(
        [samples.get(allocator(name, 'lan')), samples.get(allocator(name, 'spare'))],
        [lan, spare],
        name,
      );
    }
    await cluster.deleteService('web');
    await eventually('one Service fewer', async () => {
      return (await scrape(metrics)).get(allocator('services_allocated_total', 'lan')) === 2;
    });
    await cluster.removePool('spare');
    await eventually('the pool is gone', async () => {
      return !(await scrape(metrics)).has(allocator('addresses_total', 'spare'));
    });
  }),
);

test(
  'it says whether a configuration is in force, and whether the resources have a fault',
  inWorld(async (world, cluster) => {
    const metrics = new Metrics(silentLogger);
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    const controller = new ControllerMetrics(metrics).observe(world.controller());
    const state = async () => {
      const samples = await scrape(metrics);
      return ['loaded', 'stale'].map((name) => samples.get(`metallb_k8s_client_config_${name}_bool`)).join(' ');
    };
    const started = controller.start();
    await eventually('it is refused', () => world.log.of('configuration refused').length === 1);
    assert.equal(await state(), '0 0');
    await cluster.removePool('reversed');
    await started;
    assert.equal(await state(), '1 0');
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    await eventually('it is stale', async () => (await state()) === '1 1');
    await cluster.removePool('reversed');
    await eventually('it is stale no more', async () => (await state()) === '1 0');
  }),
);

test(
  'a replica that stands by says nothing of pools and configuration, and goes on counting in its next term',
  inWorld(async (world, cluster) => {
    const metrics = new Metrics(silentLogger);
    const numbers = new ControllerMetrics(metrics);
    const updates = async () => (await scrape(metrics)).get('metallb_k8s_client_updates_total')!;
    const namesOf = async () => [...(await scrape(metrics)).keys()];
    const standby = ['metallb_k8s_client_updates_total', 'metallb_k8s_client_update_errors_total', 'garpoon_leader'];
    assert.deepEqual(await namesOf(), standby);
    assert.equal((await scrape(metrics)).get('garpoon_leader'), 0);

    await cluster.pool('lan', ['192.0.2.0/28']);
    await cluster.service('web');
    const first = numbers.observe(await world.start());
    await world.has('web', '192.0.2.0');
    assert.equal((await scrape(metrics)).get('garpoon_leader'), 1);
    await first.stop();
    const counted = await updates();
    assert.ok(counted >= 1);
    assert.deepEqual(await namesOf(), standby);
    assert.equal((await scrape(metrics)).get('garpoon_leader'), 0);

    numbers.observe(await world.start());
    assert.equal((await scrape(metrics)).get(allocator('addresses_in_use_total', 'lan')), 1);
    assert.ok((await updates()) > counted);
  }),
);
