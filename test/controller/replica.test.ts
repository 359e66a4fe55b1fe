import assert from 'node:assert/strict';
import { Controller } from '../../src/controller/controller.ts';
import { Replica } from '../../src/controller/replica.ts';
import { leases } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemUptime } from '../../src/runtime/uptime.ts';
import { impatient, system } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan, type World } from './support.ts';

const test = suite('controller/replica');
const lease = `${system}/garpoon-controller`;
const timing = { leaseDuration: 2_000, renewDeadline: 1_400, retryPeriod: 300 };

/** A replica with connections of its own. */
function replica(world: World, identity: string): Replica {
  const shared = { namespace: system, loadBalancerClass: '', clock: systemClock, random: impatient, log: world.log };
  return new Replica({
    ...shared,
    client: world.cluster.newClient(),
    lease,
    identity,
    uptime: systemUptime,
    timing,
    worker: (client) => new Controller({ ...shared, client }),
  });
}

const leader = async (world: World) => (await world.cluster.client.get(leases, lease))?.spec?.holderIdentity;

test(
  'one replica works and the other stands by, ready; when the first stops the second goes on where it was',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3));
    const [a, b] = [replica(world, 'a'), replica(world, 'b')];
    await a.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await b.start();
    assert.deepEqual(b.unready(), []);
    await cluster.service('api');
    await world.has('api', '192.0.2.11');
    assert.equal(await leader(world), 'a');

    const begun = performance.now();
    await a.stop();
    await cluster.service('mail');
    await world.has('mail', '192.0.2.12');
    // Without being told, the second would have waited for the Lease to run out.
    assert.ok(performance.now() - begun < timing.leaseDuration, `${performance.now() - begun} ms`);
    assert.equal(await leader(world), 'b');
    assert.equal(await cluster.addresses('web'), '192.0.2.10');
    await b.stop();
    assert.equal(await leader(world), '');
  }),
);

test(
  'a leader that cannot renew stops working, and works again in a later term',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3));
    const a = replica(world, 'a');
    await a.start();
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    await cluster.away();
    await eventually('its term has ended', () => world.log.of('no longer the leader').length === 1);
    await cluster.back();
    await cluster.service('api');
    await world.has('api', '192.0.2.11');
    assert.equal(world.log.of('elected').length, 2);
    await a.stop();
  }),
);

test(
  'one that is stopped while another works gives nothing up',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(3));
    const [a, b] = [replica(world, 'a'), replica(world, 'b')];
    await a.start();
    await b.start();
    await b.stop();
    await b.stop();
    assert.equal(await leader(world), 'a');
    await a.stop();
  }),
);
