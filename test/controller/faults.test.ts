import assert from 'node:assert/strict';
import { ApiClient, type PatchOptions } from '../../src/kubernetes/client.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { type ObjectKey, type Resource, services } from '../../src/kubernetes/resource.ts';
import type { TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/faults');

for (const [what, harm] of [
  [
    'restarts',
    async (cluster) => {
      await cluster.away();
      await cluster.back();
    },
  ],
  ['closes its watches', async (cluster) => cluster.api.faults.closeWatches()],
  ['answers 500 to everything for a while', outage],
  [
    'answers 500 now and then',
    async (cluster) => {
      cluster.api.faults.errorRate = 0.3;
    },
  ],
  ['answers slowly', async (cluster) => cluster.api.faults.delay(20)],
] as const satisfies readonly (readonly [string, (cluster: TestCluster) => Promise<void>])[]) {
  test(
    `the controller comes to the same end when the API server ${what}`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(20));
      await world.start();
      await cluster.service('before');
      await world.has('before', '192.0.2.10');
      await harm(cluster);
      await insist(() => cluster.deleteService('before'));
      for (let i = 0; i < 10; i++) await insist(() => cluster.service(`web-${i}`));
      await insist(() => cluster.pool('lan', ['192.0.2.50-192.0.2.59']));
      await eventually(
        'all have an address of the new pool',
        async () => {
          const all = await cluster.listServices();
          const addresses = new Set(all.map(({ status }) => status?.loadBalancer?.ingress?.[0]?.ip ?? ''));
          return addresses.size === 10 && [...addresses].every((address) => address.startsWith('192.0.2.5'));
        },
        20_000,
      );
    }),
  );
}

test(
  'a watch that is too old is followed by a list, and what was missed is caught up with',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await world.start();
    await cluster.service('holder');
    await world.has('holder', '192.0.2.10');
    await cluster.service('waiting');
    await world.told('waiting', 'AllocationFailed', 1);
    await cluster.away();
    await cluster.back();
    // Before the controller watches again: it sees neither the deletion nor a watch that knows of it.
    await cluster.deleteService('holder');
    cluster.api.faults.compact();
    await world.has('waiting', '192.0.2.10');
  }),
);

test(
  'a write that meets a conflict is made again',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    let races = 0;
    /** Somebody else writes before each of our first writes arrives. */
    class RacingClient extends ApiClient {
      override async patch<T extends KubernetesObject>(
        of: Resource<T>,
        key: ObjectKey,
        patch: unknown,
        options: PatchOptions,
      ): Promise<T> {
        if (of.plural === services.plural && races < 7) {
          races += 1;
          await cluster.edit('web', {}, { race: String(races) });
        }
        return super.patch(of, key, patch, options);
      }
    }
    await world.start({ client: cluster.newClient(RacingClient) });
    await cluster.service('web');
    await world.has('web', '192.0.2.10');
    assert.equal(races, 7);
    assert.equal((await cluster.getService('web')).metadata.labels?.race, '7');
    await world.told('web', 'IPAllocated', 1);
  }),
);

for (const [what, change] of [
  ['of another class', { loadBalancerClass: 'example.com/other' }],
  ['no LoadBalancer', {}],
] as const) {
  test(
    `a Service that has become one ${what} when its status is to be written is left alone`,
    inWorld(async (world, cluster) => {
      await cluster.pool('lan', lan(1));
      let changed: string | undefined;
      class OvertakenClient extends ApiClient {
        override async patch<T extends KubernetesObject>(
          of: Resource<T>,
          key: ObjectKey,
          patch: unknown,
          options: PatchOptions,
        ): Promise<T> {
          if (changed === undefined && key === 'default/web') {
            changed = 'under way';
            await cluster.edit('web', { type: 'ClusterIP' });
            if ('loadBalancerClass' in change) await cluster.edit('web', { type: 'LoadBalancer', ...change });
            changed = (await cluster.getService('web')).metadata.resourceVersion;
          }
          return super.patch(of, key, patch, options);
        }
      }
      await world.start({ client: cluster.newClient(OvertakenClient) });
      await cluster.service('web');
      // Released by then, so it is free for another.
      await eventually('it was overtaken', () => changed !== undefined && changed !== 'under way');
      await cluster.service('next');
      await world.has('next', '192.0.2.10');
      assert.equal((await cluster.getService('web')).metadata.resourceVersion, changed);
    }),
  );
}

test(
  'a controller that starts while the API server is away waits, and then works',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(1));
    await cluster.service('web');
    await cluster.away();
    const controller = world.controller();
    const started = controller.start();
    await eventually('it has tried', () => world.log.of('watch failing').length > 0);
    assert.equal(controller.unready().length, 1);
    await cluster.back();
    await started;
    await world.has('web', '192.0.2.10');
  }),
);

test(
  'a controller stops though the API server does not answer, before its start and in the middle of a write',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(2));
    let isWriting = false;
    class StuckClient extends ApiClient {
      override patch<T extends KubernetesObject>(
        of: Resource<T>,
        key: ObjectKey,
        patch: unknown,
        options: PatchOptions,
      ): Promise<T> {
        cluster.api.faults.pause();
        isWriting = true;
        return super.patch(of, key, patch, options);
      }
    }
    const working = await world.start({ client: cluster.newClient(StuckClient) });
    await cluster.service('web');
    await eventually('it is writing', () => isWriting);
    const starting = world.controller();
    const refused = assert.rejects(starting.start(), /stopped before/);
    await Promise.all([working.stop(), working.stop(), starting.stop()]);
    await refused;
    await working.stop();
  }),
  5_000,
);

async function outage(cluster: TestCluster): Promise<void> {
  const { faults } = cluster.api;
  faults.errorRate = 1;
  faults.closeWatches();
  await eventually('a request of ours fails', () =>
    cluster.listServices().then(
      () => false,
      () => true,
    ),
  );
  faults.errorRate = 0;
}

/** Until it works: the API server fails the test as well. What was done already counts as done. */
async function insist(act: () => Promise<unknown>): Promise<void> {
  await eventually('it is done', () =>
    act().then(
      () => true,
      (error) => error.reason === 'AlreadyExists',
    ),
  );
}
