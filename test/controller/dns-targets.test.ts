import assert from 'node:assert/strict';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import { ApiClient, type WatchOptions } from '../../src/kubernetes/client.ts';
import { configurationStates } from '../../src/kubernetes/config-kinds.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { nodes, type Resource } from '../../src/kubernetes/resource.ts';
import { system } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import {
  annotationOf,
  asked,
  dualStack,
  graceless,
  quick,
  startWith,
  target,
  targets,
  written,
} from './dns-support.ts';
import { inWorld, type World } from './support.ts';

const test = suite('controller/dns-targets');

const v4 = '192.0.2.10';
const v6 = '2001:db8::10';
const annotation = { [asked]: 'annotation' };

/** Resolves when all that the speakers said before has been looked at: looks are taken in order, and this adds one. */
async function looked(world: World, speakers: Awaited<ReturnType<typeof startWith>>, name: string): Promise<void> {
  await dualStack(world, name, annotation);
  const [address = ''] = (await world.cluster.addresses(name)).split(' ');
  await speakers.answer('node-c', name, { [address]: { verified: true } });
  await targets(world.cluster, name, address);
}

/** How often the Service was told, in these words, that nothing is verified. */
async function starvations(world: World, words: string): Promise<number> {
  const events = await world.cluster.events('web', 'DNSTargetsNotVerified');
  return events.filter(({ message }) => message.includes(words)).reduce((sum, { count }) => sum + count, 0);
}

test(
  'the targets are the addresses that are announced and verified',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
    await targets(cluster, 'web', v4);
    await speakers.answer('node-b', 'web', { [v6]: {} });
    await looked(world, speakers, 'mark');
    assert.equal(await annotationOf(cluster, 'web', target), v4);
    await speakers.answer('node-b', 'web', { [v6]: { verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
    assert.equal(await annotationOf(cluster, 'web', written), `annotation=${v4},${v6}`);
    await speakers.answer('node-a', 'web', {});
    await targets(cluster, 'web', v6);
    await world.told('web', 'DNSTargets', 3);
  }),
);

test(
  'a Service that does not ask is left alone, and nobody is asked what the speakers say',
  inWorld(async (world, cluster) => {
    const client = cluster.newClient(WatchingClient);
    await cluster.pool('lan', ['192.0.2.10-192.0.2.19', '2001:db8::10-2001:db8::19']);
    await world.markers();
    await world.start({ client, dnsTiming: graceless });
    await cluster.service('web', {}, { annotations: { [target]: 'mine.example.com' } });
    await world.settled();
    assert.deepEqual(client.statuses(), []);
    await cluster.annotate('web', annotation);
    await eventually('statuses are watched', () => client.statuses().length === 3);
    await cluster.annotate('web', { [asked]: undefined });
    await eventually('they are not watched any more', () => client.open.size === 0);
    assert.equal(await annotationOf(cluster, 'web', target), 'mine.example.com');
  }),
);

test(
  'a failover changes nothing: neither that nobody answers, nor that it is not verified yet',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world, quick);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true }, [v6]: { verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
    const before = (await cluster.getService('web')).metadata.resourceVersion;
    for (const [round, answer] of [{}, { [v4]: { since: 60 } }, { [v4]: { since: 60, verified: true } }].entries()) {
      await speakers.answer('node-a', 'web', { [v6]: { verified: true } });
      await speakers.answer('node-b', 'web', answer);
      await looked(world, speakers, `mark-${round}`);
    }
    assert.equal((await cluster.getService('web')).metadata.resourceVersion, before);
  }),
);

test(
  'the node that had an address last counts, and not what a lost one has left behind',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true }, [v6]: { verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
    await speakers.answer('node-b', 'web', { [v4]: { since: 60 } });
    await targets(cluster, 'web', v6);
    await speakers.answer('node-b', 'web', { [v4]: { since: 60, verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
  }),
);

test(
  'an address that another host has, too, is no target',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true, conflict: true }, [v6]: { verified: true } });
    await targets(cluster, 'web', v6);
  }),
);

for (const [how, lose] of [
  ['is deleted', (world: World) => world.cluster.client.delete(nodes, 'node-a')],
  [
    'does not report any more',
    (world: World) =>
      updateStatus(world.cluster.client, nodes, 'node-a', (node) => ({
        ...node,
        status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
      })),
  ],
  [
    'is declared dead',
    (world: World) =>
      world.cluster.change(nodes, 'node-a', (node) => ({
        ...node,
        spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] },
      })),
  ],
] as const) {
  test(
    `what a node announces does not count when the node ${how}`,
    inWorld(async (world, cluster) => {
      const speakers = await startWith(world);
      await dualStack(world, 'web', annotation);
      await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
      await speakers.answer('node-b', 'web', { [v6]: { verified: true } });
      await targets(cluster, 'web', `${v4},${v6}`);
      await lose(world);
      await targets(cluster, 'web', v6);
    }),
  );
}

test(
  'the last good stay while nothing is verified, and that is told once',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
    await targets(cluster, 'web', v4);
    await speakers.answer('node-a', 'web', { [v4]: {} });
    const count = () => starvations(world, `${v4}, the last good, stay`);
    await eventually('it is told', async () => (await count()) === 1);
    await speakers.answer('node-a', 'web', {});
    await looked(world, speakers, 'mark');
    assert.equal(await annotationOf(cluster, 'web', target), v4);
    assert.equal(await count(), 1);
    await speakers.answer('node-a', 'web', { [v6]: { verified: true } });
    await targets(cluster, 'web', v6);
  }),
);

test(
  'where one speaker is left, nobody can verify, and what it announces counts',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: {} });
    await looked(world, speakers, 'mark');
    assert.equal(await annotationOf(cluster, 'web', target), undefined);
    await cluster.client.delete(configurationStates, `${system}/speaker-node-b`);
    await cluster.client.delete(nodes, 'node-c');
    await targets(cluster, 'web', v4);
  }),
);

test(
  'of thousands of addresses claimed at once, those nobody asked about are as good as the sample',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    const others = Array.from({ length: 60 }, (_, i) => [`198.18.0.${i + 1}`, { verified: i < 50 }]);
    await speakers.answer('node-a', 'web', { [v4]: {} });
    await speakers.answer('node-a', 'other', Object.fromEntries(others));
    await speakers.answer('node-b', 'web', { [v6]: { verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
  }),
);

test(
  'with BGP, an address counts while a session with a peer of the Service is established, for its family',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.session('node-a', 'rack-1', 'Active');
    await speakers.session('node-a', 'rack-2', 'Established');
    await speakers.session('node-b', 'rack-1', 'Established');
    await speakers.announce('node-a', 'web', ['rack-1']);
    await looked(world, speakers, 'mark');
    assert.equal(await annotationOf(cluster, 'web', target), undefined);
    await speakers.session('node-a', 'rack-1', 'Established', ['ipv4']);
    await targets(cluster, 'web', v4);
    await speakers.session('node-a', 'rack-1', 'Established');
    await targets(cluster, 'web', `${v4},${v6}`);
    await speakers.session('node-a', 'rack-1', 'Idle');
    await eventually('it is told', async () => (await starvations(world, 'the last good, stay')) === 1);
    assert.equal(await annotationOf(cluster, 'web', target), `${v4},${v6}`);
  }),
);

for (const [how, stop] of [
  ['the annotation is removed', (world: World) => world.cluster.annotate('web', { [asked]: undefined })],
  ['the Service is no LoadBalancer any more', (world: World) => world.cluster.edit('web', { type: 'ClusterIP' })],
] as const) {
  test(
    `when ${how}, our value goes`,
    inWorld(async (world, cluster) => {
      const speakers = await startWith(world);
      await dualStack(world, 'web', annotation);
      await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
      await targets(cluster, 'web', v4);
      await stop(world);
      await targets(cluster, 'web', undefined);
      assert.equal(await annotationOf(cluster, 'web', written), undefined);
    }),
  );
}

test(
  'what somebody else has written meanwhile stays when the annotation is removed, and not before',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
    await targets(cluster, 'web', v4);
    await cluster.annotate('web', { [target]: 'mine.example.com' });
    await targets(cluster, 'web', v4);
    await cluster.annotate('web', { [target]: 'mine.example.com', [asked]: undefined });
    await eventually('it is let go', async () => (await annotationOf(cluster, 'web', written)) === undefined);
    assert.equal(await annotationOf(cluster, 'web', target), 'mine.example.com');
  }),
);

test(
  'another controller goes on where the first has ended',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', ['192.0.2.10-192.0.2.19', '2001:db8::10-2001:db8::19']);
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true }, [v6]: { verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
    await world.stopControllers();
    await speakers.answer('node-a', 'web', { [v6]: { verified: true } });
    await world.start({ dnsTiming: quick });
    await looked(world, speakers, 'mark');
    assert.equal(await annotationOf(cluster, 'web', target), `${v4},${v6}`);
    await world.stopControllers();
    await cluster.annotate('web', { [asked]: undefined });
    await world.start({ dnsTiming: quick });
    await targets(cluster, 'web', undefined);
  }),
);

test(
  'a slip in the annotation is told, and takes nothing away',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
    await targets(cluster, 'web', v4);
    await cluster.annotate('web', { [asked]: 'annotations' });
    await world.told('web', 'DNSTargetsInvalid', 1);
    assert.equal(await annotationOf(cluster, 'web', target), v4);
  }),
);

test(
  'a Service of another load balancer class is left alone',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await cluster.service('theirs', { loadBalancerClass: 'example.com/other' }, { annotations: annotation });
    await cluster.setAddresses('theirs', ['192.0.2.200']);
    await speakers.answer('node-a', 'theirs', { '192.0.2.200': { verified: true } });
    await looked(world, speakers, 'mark');
    assert.equal(await annotationOf(cluster, 'theirs', target), undefined);
  }),
);

test(
  'targets are right again when the API server is well again',
  inWorld(async (world, cluster) => {
    const speakers = await startWith(world);
    await dualStack(world, 'web', annotation);
    await speakers.answer('node-a', 'web', { [v4]: { verified: true } });
    await targets(cluster, 'web', v4);
    await cluster.away();
    await cluster.back();
    await speakers.answer('node-a', 'web', { [v4]: { verified: true }, [v6]: { verified: true } });
    await targets(cluster, 'web', `${v4},${v6}`);
  }),
);

/** Knows which watches of the speakers' statuses are open. */
class WatchingClient extends ApiClient {
  readonly open = new Set<string>();

  statuses(): readonly string[] {
    return [...this.open].sort();
  }

  override async watch<T extends KubernetesObject>(
    of: Resource<T>,
    options: WatchOptions,
  ): Promise<AsyncIterable<Uint8Array>> {
    const bytes = await super.watch(of, options);
    if (!['servicel2statuses', 'servicebgpstatuses', 'bgpsessionstatuses'].includes(of.plural)) return bytes;
    this.open.add(of.plural);
    options.signal.addEventListener('abort', () => this.open.delete(of.plural));
    return bytes;
  }
}
