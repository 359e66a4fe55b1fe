import assert from 'node:assert/strict';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import { ApiClient, type PatchOptions } from '../../src/kubernetes/client.ts';
import { ipAddressPools, type PoolObject } from '../../src/kubernetes/config-kinds.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { customResourceDefinitions, type ObjectKey, type Resource } from '../../src/kubernetes/resource.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, lan } from './support.ts';

const test = suite('controller/pool-status');

/** Resolves when the pool's status is `assigned IPv4, assigned IPv6, available IPv4, available IPv6`. */
async function counts(cluster: TestCluster, pool: string, ...expected: readonly number[]): Promise<void> {
  await eventually(`${pool} counts ${expected}`, async () => (await countsOf(cluster, pool)) === expected.join(' '));
}

async function countsOf(cluster: TestCluster, pool: string): Promise<string | undefined> {
  const status = (await cluster.client.get(ipAddressPools, `${system}/${pool}`))?.status;
  if (status === undefined) return undefined;
  const { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6 } = status;
  return [assignedIPv4, assignedIPv6, availableIPv4, availableIPv6].join(' ');
}

/** Counts the writes of pool status. */
class CountingClient extends ApiClient {
  writes = 0;

  override patch<T extends KubernetesObject>(
    of: Resource<T>,
    key: ObjectKey,
    patch: unknown,
    options: PatchOptions,
  ): Promise<T> {
    if (of.plural === ipAddressPools.plural) this.writes += 1;
    return super.patch(of, key, patch, options);
  }
}

test(
  'a pool counts what is assigned and what is left, and a shared address once',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', [...lan(10), '2001:db8::/120']);
    await world.start();
    await counts(cluster, 'lan', 0, 0, 10, 256);
    const annotations = { 'metallb.io/allow-shared-ip': 'key' };
    await cluster.service('http', {}, { annotations });
    await cluster.service('dns', { ports: [{ port: 53 }] }, { annotations });
    await cluster.service('both', { ipFamilyPolicy: 'RequireDualStack' });
    await counts(cluster, 'lan', 2, 1, 8, 255);
    await cluster.deleteService('http');
    await cluster.deleteService('both');
    await counts(cluster, 'lan', 1, 0, 9, 256);
    await cluster.edit('dns', { type: 'ClusterIP' });
    await counts(cluster, 'lan', 0, 0, 10, 256);
  }),
);

test(
  'a Service that moves counts in the pool it moves to, and no longer in the other',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(10));
    await cluster.pool('other', ['198.18.1.0/30'], { autoAssign: false });
    await world.start();
    await cluster.service('web');
    await counts(cluster, 'lan', 1, 0, 9, 0);
    await cluster.annotate('web', { 'metallb.io/address-pool': 'other' });
    await counts(cluster, 'lan', 0, 0, 10, 0);
    await counts(cluster, 'other', 1, 0, 3, 0);
  }),
);

test(
  'a pool that has been quiet is counted when a Service comes, and when it goes',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(10));
    await world.markers();
    await world.start();
    await counts(cluster, 'lan', 0, 0, 10, 0);
    // Until nothing of what went before, such as the watch that told of that status, leads to another look.
    const quiet = async () => {
      const annotations = { 'metallb.io/address-pool': 'markers' };
      for (const name of ['mark-a', 'mark-b']) {
        await cluster.service(name, {}, { annotations });
        await counts(cluster, 'markers', 1, 0, 255, 0);
        await cluster.deleteService(name);
        await counts(cluster, 'markers', 0, 0, 256, 0);
      }
    };
    await quiet();
    await cluster.service('web');
    await counts(cluster, 'lan', 1, 0, 9, 0);
    await quiet();
    await cluster.deleteService('web');
    await counts(cluster, 'lan', 0, 0, 10, 0);
  }),
);

test(
  'a pool that changes is counted anew',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await world.start();
    await cluster.service('web');
    await counts(cluster, 'lan', 1, 0, 255, 0);
    await cluster.pool('lan', ['192.0.2.0/24'], { avoidBuggyIPs: true });
    await counts(cluster, 'lan', 1, 0, 253, 0);
    await cluster.pool('lan', ['2001:db8::/64']);
    await counts(cluster, 'lan', 0, 0, 0, Number.MAX_SAFE_INTEGER);
  }),
);

test(
  'counts are there again after a restart, after somebody has changed them, and after the pool was made anew',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(10));
    const first = await world.start();
    await cluster.service('web');
    await counts(cluster, 'lan', 1, 0, 9, 0);
    await first.stop();
    await tamper(cluster);
    await world.start();
    await counts(cluster, 'lan', 1, 0, 9, 0);
    await tamper(cluster);
    await counts(cluster, 'lan', 1, 0, 9, 0);
    await cluster.removePool('lan');
    await cluster.pool('lan', lan(10));
    await counts(cluster, 'lan', 1, 0, 9, 0);
  }),
);

test(
  'a pool that is not in force has no status until it is',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(10));
    await world.start();
    await counts(cluster, 'lan', 0, 0, 10, 0);
    await cluster.pool('overlapping', lan(5));
    await cluster.service('web');
    await counts(cluster, 'lan', 1, 0, 9, 0);
    await cluster.deleteService('web');
    await counts(cluster, 'lan', 0, 0, 10, 0);
    assert.equal(await countsOf(cluster, 'overlapping'), undefined);
    await cluster.removePool('lan');
    await counts(cluster, 'overlapping', 0, 0, 5, 0);
  }),
);

test(
  'many changes are few writes, and no change is none',
  inWorld(async (world, cluster) => {
    await world.markers();
    await cluster.pool('lan', ['198.18.0.0/24']);
    const client = cluster.newClient(CountingClient);
    await world.start({ client });
    await Promise.all(Array.from({ length: 100 }, (_, i) => cluster.service(`web-${i}`)));
    await counts(cluster, 'lan', 100, 0, 156, 0);
    assert.ok(client.writes < 20, `${client.writes} writes`);
    for (const version of ['1', '2']) await cluster.edit('web-1', {}, { version });
    await world.settled();
    // The marker comes and goes: when its pool is counted right again, so would the other be.
    await eventually('markers are counted', async () => (await countsOf(cluster, 'markers')) === '0 0 256 0');
    const { resourceVersion } = (await cluster.client.get(ipAddressPools, `${system}/lan`))?.metadata ?? {};
    await world.settled();
    const after = await cluster.client.get(ipAddressPools, `${system}/lan`);
    assert.equal(after?.metadata.resourceVersion, resourceVersion);
  }),
);

test(
  'where the definition of the kind has counts only, they are written, and not again and again',
  inWorld(async (world, cluster) => {
    await cluster.change(customResourceDefinitions, 'ipaddresspools.metallb.io', (definition) => {
      const schemas = (definition.spec as unknown as { versions: { schema: { openAPIV3Schema: Schema } }[] }).versions;
      for (const { schema } of schemas) {
        const { properties } = schema.openAPIV3Schema.properties.status!;
        delete properties.assignments;
        delete properties.assignmentsOmitted;
      }
      return definition;
    });
    await cluster.pool('lan', lan(10));
    const client = cluster.newClient(CountingClient);
    await world.start({ client });
    await cluster.service('web');
    await counts(cluster, 'lan', 1, 0, 9, 0);
    const status = (await cluster.client.get(ipAddressPools, `${system}/lan`))?.status as PoolObject['status'];
    assert.equal(status?.assignments, undefined);
    const { writes } = client;
    for (let round = 1; round <= 2; round++) {
      // A change of the object is a reason to look at it, and the other pool's counts say that looks have been taken.
      await cluster.pool('lan', lan(10), {}, { labels: { round: String(round) } });
      await cluster.pool(`other-${round}`, [`198.18.${round}.0/24`], { autoAssign: false });
      await counts(cluster, `other-${round}`, 0, 0, 256, 0);
    }
    assert.equal(client.writes, writes + 2);
  }),
);

test(
  'counts are written when the API server is well again',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', lan(10));
    await world.start();
    await counts(cluster, 'lan', 0, 0, 10, 0);
    cluster.api.faults.errorRate = 0.7;
    await eventually('created', () =>
      cluster.service('web').then(
        () => true,
        (error) => error.reason === 'AlreadyExists',
      ),
    );
    await counts(cluster, 'lan', 1, 0, 9, 0);
  }),
);

type Schema = { readonly properties: Record<string, Schema> };

async function tamper(cluster: TestCluster): Promise<void> {
  const wrong = { assignedIPv4: 7, assignedIPv6: 7, availableIPv4: 7, availableIPv6: 7 };
  await updateStatus(cluster.client, ipAddressPools, `${system}/lan`, (pool) => ({ ...pool, status: wrong }));
}
