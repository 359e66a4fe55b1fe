import assert from 'node:assert/strict';
import type { ApiClient, NewObject } from '../../src/kubernetes/client.ts';
import { ApiClient as Client } from '../../src/kubernetes/client.ts';
import { Configuration } from '../../src/kubernetes/configuration.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { metalClasses, metalConfigurations, metalPeers, metalPools } from '../../src/kubernetes/metal-kinds.ts';
import { customResourceDefinitions } from '../../src/kubernetes/resource.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { RecordingProxy } from '../deploy/recording-proxy.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/metal-kinds');

/** What waits for a minute, and that is who looks for a kind again, waits for a moment. */
const after: Clock['after'] = (delay, run) => systemClock.after(delay === 60_000 ? 20 : delay, run);
const clock = { ...systemClock, after };

type World = { readonly cluster: TestCluster; readonly log: RecordedLog; readonly client: ApiClient };

function inWorld(deckhouse: boolean, run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start({ deckhouse });
    try {
      await run({ cluster, log: new RecordedLog(), client: cluster.newClient() });
    } finally {
      await cluster.stop();
    }
  };
}

const web = { metadata: { name: 'web' }, spec: { addressPool: ['192.0.2.0/28'], isDefault: true } };

test(
  'the kinds of the cluster are read on request, follow changes, and count with those of the namespace',
  inWorld(true, async ({ cluster, log, client }) => {
    await cluster.put(metalClasses, web);
    await cluster.put(metalPools, { metadata: { name: 'wan' }, spec: { addresses: ['203.0.113.0/24'] } });
    const router = { peerAddress: '198.51.100.1', peerASN: 1, myASN: 2 };
    await cluster.put(metalPeers, { metadata: { name: 'tor' }, spec: router });
    await cluster.put(metalConfigurations, {
      metadata: { name: 'edge' },
      spec: { mode: 'BGP', bgp: { peerNames: ['tor'] }, advertisements: [{ poolNames: ['wan'] }] },
    });
    const configuration = new Configuration({
      client,
      namespace: system,
      deckhouse: true,
      clock,
      random: impatient,
      log,
    });
    try {
      configuration.judgeFor([{}]);
      configuration.start();
      await configuration.inForce;
      const { classes, pools, peers } = configuration.current();
      assert.deepEqual(classes, [{ name: 'web', isDefault: true }]);
      assert.deepEqual(
        pools.map(({ name, bgpAdvertisements }) => [name, bgpAdvertisements.length]),
        [
          ['wan', 1],
          ['web', 0],
        ],
      );
      assert.deepEqual(
        peers.map(({ name }) => name),
        ['tor'],
      );
      await cluster.pool('web', ['192.0.2.16/28']);
      await eventually('the name is refused', () => configuration.errors().length === 1);
      assert.match(configuration.errors()[0]?.message ?? '', /^is also the name of IPAddressPool metallb-system\/web/);
      await cluster.client.delete(metalClasses, 'web');
      await eventually('the class is gone', () => configuration.current().classes.length === 0);
      assert.deepEqual(configuration.errors(), []);
      assert.deepEqual(log.of('kind not served'), []);
    } finally {
      await configuration.stop();
    }
  }),
);

test(
  'they are not asked for without that',
  inWorld(true, async ({ cluster, log, client }) => {
    await cluster.put(metalClasses, web);
    const door = await RecordingProxy.start(client.server);
    const own = new Client({ server: door.url, clock: systemClock });
    const configuration = new Configuration({ client: own, namespace: system, clock, random: impatient, log });
    try {
      configuration.start();
      await configuration.inForce;
      assert.deepEqual(configuration.current().classes, []);
      assert.deepEqual(
        door.requests.filter(({ url }) => url.includes('deckhouse')),
        [],
      );
    } finally {
      await configuration.stop();
      own.close();
      await door.close();
    }
  }),
);

test(
  'a cluster without them is warned of once and served without, and has them as soon as they are installed',
  inWorld(false, async ({ cluster, log, client }) => {
    await cluster.pool('lan', ['192.0.2.128/25']);
    const configuration = new Configuration({
      client,
      namespace: system,
      deckhouse: true,
      clock,
      random: impatient,
      log,
    });
    try {
      configuration.start();
      await configuration.inForce;
      assert.deepEqual(
        configuration.current().pools.map(({ name }) => name),
        ['lan'],
      );
      const told = log.of('kind not served');
      assert.deepEqual(
        told.map(({ level, kind, remedy }) => `${level} ${kind}: ${remedy}`).sort(),
        [metalPeers, metalClasses, metalConfigurations, metalPools].map(
          ({ kind }) => `warn ${kind}: apply deploy/crds/deckhouse, or leave --deckhouse out`,
        ),
      );
      const source = await TestCluster.start({ deckhouse: true });
      const name = 'metalloadbalancerclasses.network.deckhouse.io';
      const definition = await source.client.get(customResourceDefinitions, name);
      await source.stop();
      const { resourceVersion: _, ...metadata } = definition!.metadata;
      await cluster.client.create(customResourceDefinitions, {
        ...definition,
        metadata,
      } as NewObject<KubernetesObject> as never);
      await cluster.put(metalClasses, web);
      await eventually('it is read', () => configuration.current().classes.length === 1);
      assert.equal(log.of('kind not served').length, 4);
    } finally {
      await configuration.stop();
    }
  }),
);
