import assert from 'node:assert/strict';
import { serviceL2StatusName } from '../../src/api/service-l2-status.ts';
import { parseAddress } from '../../src/ip/address.ts';
import { ApiClient } from '../../src/kubernetes/client.ts';
import { type ServiceL2StatusObject, serviceL2Statuses } from '../../src/kubernetes/config-kinds.ts';
import type { Pod } from '../../src/kubernetes/core.ts';
import { customResourceDefinitions, pods } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Layer2Status, type Layer2StatusOptions } from '../../src/speaker/layer2-status.ts';
import type { Holding } from '../../src/speaker/takeovers.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { sha256 } from './support.ts';

const test = suite('speaker/layer2-status');

const noon = Date.UTC(2026, 0, 2, 12);
const mac = '02:00:00:00:00:0a';

class CountingClient extends ApiClient {
  writes = 0;

  override create: ApiClient['create'] = (...args) => this.#count(() => super.create(...args));
  override patch: ApiClient['patch'] = (...args) => this.#count(() => super.patch(...args));
  override delete: ApiClient['delete'] = (...args) => this.#count(() => super.delete(...args));

  #count<T>(run: () => T): T {
    this.writes += 1;
    return run();
  }
}

type Scene = {
  readonly cluster: TestCluster;
  readonly client: CountingClient;
  /** Makes node-a announce the Service with these addresses; none: not any more. */
  readonly announce: (service: string, addresses?: string, interfaces?: readonly string[] | 'all') => void;
  readonly holdings: Map<string, Holding>;
  readonly status: Layer2Status;
  /** Names, sorted. */
  readonly names: () => Promise<readonly string[]>;
  readonly object: (service: string) => Promise<ServiceL2StatusObject | undefined>;
};

const nameOf = (name: string, node = 'node-a') => serviceL2StatusName(node, { namespace: 'default', name }, sha256);

/** A speaker on node-a that has not begun to write. */
async function inScene(run: (scene: Scene) => Promise<void>, options: Partial<Layer2StatusOptions> = {}) {
  const cluster = await TestCluster.start();
  const stopping = new AbortController();
  const client = cluster.newClient(CountingClient);
  const wishes = new Map<string, { addresses: string; interfaces: readonly string[] | 'all' }>();
  const holdings = new Map<string, Holding>();
  const spec = { containers: [{ name: 'garpoon', image: 'garpoon' }] };
  for (const name of ['speaker-1', 'speaker-2']) {
    await cluster.put(pods, { metadata: { name, namespace: system }, spec } as Pod);
  }
  const status = new Layer2Status({
    client,
    namespace: system,
    podName: 'speaker-2',
    node: 'node-a',
    announcementOf: (service) => {
      const wish = wishes.get(service);
      return (
        wish && { addresses: wish.addresses.split(' ').map((one) => parseAddress(one)!), interfaces: wish.interfaces }
      );
    },
    holding: ({ value }) =>
      holdings.get(String(value & 0xffn)) ?? { since: noon, takeover: undefined, verified: undefined },
    interfaces: () => [
      { name: 'eth0', up: true, mac, prefixes: [] },
      { name: 'eth1', up: true, mac: '02:00:00:00:01:0a', prefixes: [] },
    ],
    hash: sha256,
    signal: stopping.signal,
    clock: systemClock,
    random: impatient,
    log: silentLogger,
    ...options,
  });
  const list = async () => (await cluster.client.list(serviceL2Statuses, { namespace: system })).items ?? [];
  try {
    await run({
      cluster,
      client,
      holdings,
      status,
      announce(service, addresses, interfaces = 'all') {
        if (addresses === undefined) wishes.delete(`default/${service}`);
        else wishes.set(`default/${service}`, { addresses, interfaces });
        status.look(`default/${service}`);
      },
      names: async () => (await list()).map(({ metadata }) => metadata.name).sort(),
      object: (service) => cluster.client.get(serviceL2Statuses, `${system}/${nameOf(service)}`),
    });
  } finally {
    stopping.abort();
    await status.stop();
    await cluster.stop();
  }
}

/** An object that somebody has left. */
async function left(cluster: TestCluster, name: string, node: string, service: string, pod?: Pod): Promise<void> {
  const labels = {
    'metallb.io/node': node,
    'metallb.io/service-name': service,
    'metallb.io/service-namespace': 'default',
  };
  const owner = pod && { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid! };
  const ownerReferences = owner === undefined ? [] : [owner];
  const metadata = { name, namespace: system, labels, ownerReferences };
  await cluster.put<ServiceL2StatusObject>(serviceL2Statuses, { metadata, spec: {} });
}

test('of a Service that is announced there is an object with labels, owner and status, until it is not announced', () =>
  inScene(async ({ cluster, announce, holdings, status, names, object }) => {
    announce('web', '192.0.2.1 2001:db8::1', ['eth0']);
    status.start();
    const found = await eventually('it has a status', async () => {
      const one = await object('web');
      return one?.status?.addresses === undefined ? undefined : one;
    });
    const pod = await cluster.client.get(pods, `${system}/speaker-2`);
    assert.deepEqual(found.metadata.labels, {
      'metallb.io/node': 'node-a',
      'metallb.io/service-name': 'web',
      'metallb.io/service-namespace': 'default',
    });
    assert.deepEqual(found.metadata.ownerReferences, [
      { apiVersion: 'v1', kind: 'Pod', name: 'speaker-2', uid: pod?.metadata.uid },
    ]);
    assert.deepEqual(found.spec, {});
    assert.deepEqual(found.status, {
      node: 'node-a',
      serviceName: 'web',
      serviceNamespace: 'default',
      interfaces: [{ name: 'eth0' }],
      addresses: [
        { address: '192.0.2.1', mac, since: '2026-01-02T12:00:00.000Z' },
        { address: '2001:db8::1', mac, since: '2026-01-02T12:00:00.000Z' },
      ],
    });
    const verified = { at: noon + 40, by: 'node-c', mac };
    holdings.set('1', { since: noon, takeover: undefined, verified });
    announce('web', '192.0.2.1');
    await eventually('the change is written', async () => {
      const { interfaces, addresses } = (await object('web'))?.status ?? {};
      return interfaces === undefined && addresses?.[0]?.verified?.by === 'node-c' && addresses.length === 1;
    });
    announce('web');
    await eventually('it is gone', async () => (await names()).length === 0);
  }));

test('what an earlier run on the node has left is adopted or removed; what is of other nodes is left alone', () =>
  inScene(async ({ cluster, announce, status, names, object }) => {
    const earlier = await cluster.client.get(pods, `${system}/speaker-1`);
    await left(cluster, nameOf('web'), 'node-a', 'web', earlier);
    await left(cluster, 'l2-x7k2p', 'node-a', 'web', earlier);
    await left(cluster, 'l2-9z6qd', 'node-a', 'gone', earlier);
    await left(cluster, 'l2-b', 'node-b', 'web');
    await left(cluster, 'l2-c', 'node-c', 'gone');
    announce('web', '192.0.2.1');
    status.start();
    await eventually('only the right ones are there', async () => {
      return (await names()).join() === ['l2-b', 'l2-c', nameOf('web')].sort().join();
    });
    await eventually('it is owned by the Pod of this run, and has a status', async () => {
      const { metadata, status: said } = (await object('web')) ?? {};
      return metadata?.ownerReferences?.[0]?.name === 'speaker-2' && said?.addresses?.[0]?.address === '192.0.2.1';
    });
  }));

test('an object that somebody deletes, or takes the labels of, is made good, the later the more often', () =>
  inScene(async ({ cluster, announce, status, object, names }) => {
    announce('web', '192.0.2.1');
    status.start();
    const written = () => eventually('it is written', async () => (await object('web'))?.status?.node === 'node-a');
    await written();
    await cluster.change(serviceL2Statuses, `${system}/${nameOf('web')}`, (one) => ({
      ...one,
      metadata: { ...one.metadata, labels: {} },
    }));
    await eventually(
      'it has its labels',
      async () => Object.keys((await object('web'))?.metadata.labels ?? {}).length === 3,
    );
    const pauses: number[] = [];
    for (let round = 0; round < 2; round++) {
      const begun = performance.now();
      await cluster.client.delete(serviceL2Statuses, `${system}/${nameOf('web')}`);
      await written();
      pauses.push(performance.now() - begun);
    }
    assert.ok(pauses[0]! >= 950 && pauses[1]! >= 1_950, `made anew after ${pauses} ms`);
    assert.deepEqual(await names(), [nameOf('web')]);
  }));

test("where the definition is MetalLB's, what it knows is written, once", () =>
  inScene(async ({ cluster, client, announce, status, object }) => {
    type Versions = {
      schema: { openAPIV3Schema: { properties: { status: { properties: { addresses?: object } } } } };
    }[];
    await cluster.change(customResourceDefinitions, 'servicel2statuses.metallb.io', (definition) => {
      const { versions } = definition.spec as unknown as { versions: Versions };
      for (const { schema } of versions) delete schema.openAPIV3Schema.properties.status.properties.addresses;
      return definition;
    });
    announce('web', '192.0.2.1');
    status.start();
    await eventually('it is written', async () => (await object('web'))?.status?.node === 'node-a');
    announce('dns', '192.0.2.2');
    await eventually('another is written', async () => (await object('dns'))?.status?.node === 'node-a');
    for (let i = 0; i < 3; i++) announce('web', '192.0.2.1');
    announce('mark', '192.0.2.3');
    await eventually('the last is written', async () => (await object('mark'))?.status?.node === 'node-a');
    assert.equal((await object('web'))?.status?.addresses, undefined);
    assert.equal(client.writes, 6);
  }));

test('where the kind is not served nothing is written', () => {
  const log = new RecordedLog();
  return inScene(
    async ({ cluster, client, announce, status }) => {
      await cluster.client.delete(customResourceDefinitions, 'servicel2statuses.metallb.io');
      status.start();
      announce('web', '192.0.2.1');
      await eventually('the kind is missed', () => log.of('kind not served').length === 1);
      announce('web', '192.0.2.2');
      assert.equal(client.writes, 0);
      assert.deepEqual(log.of('reconcile failed'), []);
    },
    { log },
  );
});

test('what changes while the API server is away is written when it is back, and no attempt is told of', () => {
  const log = new RecordedLog();
  return inScene(
    async ({ cluster, announce, status, names, object }) => {
      announce('web', '192.0.2.1');
      announce('mail', '192.0.2.3');
      status.start();
      await eventually('they are written', async () => (await object('mail'))?.status?.addresses?.length === 1);
      await cluster.away();
      await eventually('that is noticed', () => log.of('watch failing').length > 0);
      announce('web');
      announce('dns', '192.0.2.2');
      announce('mail', '192.0.2.3 192.0.2.4');
      const begun = performance.now();
      await eventually('the changes have been gathered', () => performance.now() - begun > 300);
      await cluster.back();
      await eventually('it is made good', async () => {
        const said = (await object('mail'))?.status?.addresses?.length;
        return said === 2 && (await names()).join() === [nameOf('dns'), nameOf('mail')].sort().join();
      });
      assert.deepEqual(log.of('reconcile failed'), []);
    },
    { log },
  );
});

test('a thousand Services at once are written fifty objects a second', () =>
  inScene(async ({ client, announce, status }) => {
    announce('mark', '192.0.2.1');
    status.start();
    await eventually('the watch is there', () => client.writes === 2);
    for (let i = 0; i < 1_000; i++) announce(`web-${i}`, '192.0.2.2');
    const begun = performance.now();
    await eventually('some are written', () => client.writes >= 100);
    const seconds = (performance.now() - begun) / 1_000;
    assert.ok(client.writes <= 52 + 50 * (seconds + 0.1), `${client.writes} in ${seconds} s`);
  }));

test('names and labels have the length that the API allows, and tell Services and nodes apart', () => {
  const long = (letter: string) => `${letter.repeat(63)}.${letter.repeat(63)}.example`;
  const namesOfAll = ['node-a', long('a'), long('b')].flatMap((node) =>
    ['web', 'w'.repeat(63)].map((name) => serviceL2StatusName(node, { namespace: 'default', name }, sha256)),
  );
  assert.equal(new Set(namesOfAll).size, 6);
  for (const name of namesOfAll) assert.match(name, /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);
});
