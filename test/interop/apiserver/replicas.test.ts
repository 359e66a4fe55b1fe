import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { findApiServer } from '../../../scripts/apiserver.mjs';
import type { ApiClient } from '../../../src/kubernetes/client.ts';
import { configurationStates, ipAddressPools } from '../../../src/kubernetes/config-kinds.ts';
import { endpointSlices, leases, services } from '../../../src/kubernetes/resource.ts';
import type { Json } from '../../../src/lab/api-server/json.ts';
import { addressText } from '../../support/cluster.ts';
import { isolatedSuite } from '../../support/net-suite.ts';
import type { RawReply } from '../../support/raw-api.ts';
import { eventually } from '../../support/suite.ts';
import type { ControllerProcess } from './controller-process.ts';
import { RealCluster, system } from './real-cluster.ts';

/** Two replicas of the controller as deploy/ runs them, and a real API server that calls their webhooks. */
const test = isolatedSuite('interop/apiserver/replicas');
const real = findApiServer();

/** A loopback address of the API server may not be in an EndpointSlice. */
const places = ['192.0.2.8', '192.0.2.9'] as const;
const webhookPort = 9443;
const lease = `${system}/garpoon-controller`;
const pools = `/apis/metallb.io/v1beta1/namespaces/${system}/ipaddresspools`;
const serviceList = '/api/v1/namespaces/default/services';

let cluster: RealCluster;
let admin: ApiClient;
const replicas = new Map<string, ControllerProcess>();

if (real.directory === undefined) test.skip('two replicas work with a real API server', real.problem);
else register(real.directory);

function register(programs: string): void {
  test.before(async () => {
    for (const place of places) execFileSync('ip', ['address', 'add', `${place}/32`, 'dev', 'lo']);
    cluster = await RealCluster.create(programs, { webhooks: true });
    admin = await cluster.client();
    await Promise.all(places.map(startAt));
    await serveWebhooksAt(places);
  });
  test.after(async () => {
    for (const replica of replicas.values()) await replica.kill();
    await cluster?.close();
  });

  test('one of the two leads', async () => {
    assert.ok(places.includes((await leader()) as (typeof places)[number]));
  });

  test('a pool is taken once the webhooks have a certificate that the API server trusts', async () => {
    await eventually('the pool is there', async () => {
      const { code, body } = await cluster.admin.post(pools, pool('lan', '198.18.0.0/24'));
      assert.ok(code === 201 || code === 500, body.message);
      return code === 201;
    });
  });

  test('a pool that overlaps another is refused, with both named', async () => {
    const { code, body } = await cluster.admin.post(pools, pool('other', '198.18.0.128/25'));
    assert.equal(code, 403);
    assert.match(
      body.message,
      /IPAddressPool metallb-system\/other: .* of IPAddressPool metallb-system\/lan: .*198\.18\.0\.128\/25/,
    );
  });

  test('a Service gets an address and is told so in its conditions', async () => {
    await create('web');
    assert.equal(await addressOf('web'), '198.18.0.0');
    const { conditions = [] } = (await admin.get(services, 'default/web'))?.status ?? {};
    assert.deepEqual(
      conditions.map(({ type, status, reason }) => [type, status, reason]),
      [['garpoon.io/AddressesAssigned', 'True', 'Assigned']],
    );
  });

  test('who shrinks a pool is warned of the Services that lose their addresses', async () => {
    // By the status of the pool, which comes a moment later.
    const warned = await eventually('there is a warning', async () => {
      const smaller = { spec: { addresses: ['198.18.0.128/25'] } };
      const dryRun = await cluster.admin.merge(`${pools}/lan?dryRun=All`, smaller);
      assert.equal(dryRun.code, 200);
      return warningOf(dryRun);
    });
    assert.match(warned, /198\.18\.0\.0 is taken from default\/web/);
  });

  test('a Service whose annotation cannot be met is taken, with a warning', async () => {
    const reply = await create('typo', { 'metallb.io/address-pool': 'lam' });
    assert.match(warningOf(reply), /lam/);
    await admin.delete(services, 'default/typo');
  });

  test('a BGPPeer of the old version is read in the new one, and back', async () => {
    const peer = { myASN: 64512, peerASN: 64513, peerAddress: '192.0.2.1', nodeSelectors: [] };
    const path = (version: string) => `/apis/metallb.io/${version}/namespaces/${system}/bgppeers`;
    const old = { apiVersion: 'metallb.io/v1beta1', kind: 'BGPPeer', metadata: { name: 'tor' }, spec: { ...peer } };
    const made = await eventually('it is converted', async () => {
      const reply = await cluster.admin.post(path('v1beta1'), old);
      return reply.code === 201 ? reply : undefined;
    });
    assert.equal(made?.body.spec.peerASN, 64513);
    const { code, body } = await cluster.admin.get(`${path('v1beta2')}/tor`);
    assert.deepEqual([code, body.apiVersion, body.spec.myASN], [200, 'metallb.io/v1beta2', 64512]);
    const again = await cluster.admin.get(`${path('v1beta1')}/tor`);
    assert.equal(again.body.apiVersion, 'metallb.io/v1beta1');
  });

  test('the leader says what it makes of the configuration', async () => {
    await eventually('the configuration is valid', async () => {
      return (await admin.get(configurationStates, `${system}/controller`))?.status?.result === 'Valid';
    });
  });

  test('a leader that stops hands over at once', async () => {
    const former = await leader();
    const stopped = replicas.get(former)?.stop();
    await eventually('another leads', async () => (await leader()) !== former, 1_000 + stopSlack);
    assert.equal(await stopped, 0);
    await serveWebhooksAt(places.filter((place) => place !== former));
    await create('handed-over');
    await addressOf('handed-over');
    await startAt(former);
    await serveWebhooksAt(places);
  }, 60_000);

  test('a leader killed amid a hundred Services is replaced, and none of their addresses is given twice', async () => {
    const former = await leader();
    const names = Array.from({ length: 100 }, (_, i) => `s${i}`);
    const made = Promise.all(names.map((name) => create(name)));
    await eventually('some have addresses', async () => (await addresses(names)).length > 10);
    await replicas.get(former)?.kill();
    await serveWebhooksAt(places.filter((place) => place !== former));
    await made;
    const all = await eventually(
      'all have addresses',
      async () => {
        const given = await addresses(names);
        return given.length === names.length ? given : undefined;
      },
      40_000,
    );
    assert.equal(new Set(all).size, names.length);
    assert.notEqual(await leader(), former);
    await eventually('the pool counts them all', async () => {
      const counted = (await admin.get(ipAddressPools, `${system}/lan`))?.status?.assignedIPv4;
      return counted === names.length + 2;
    });
  }, 90_000);

  test('nothing that the replicas asked for was denied or malformed', () => {
    const entries = cluster.server.auditOf(`system:serviceaccount:${system}:garpoon-controller`);
    assert.ok(entries.length > 10, `${entries.length} requests`);
    const bad = entries.filter(({ responseStatus }) =>
      [400, 401, 403, 405, 415, 422].includes(responseStatus?.code ?? 0),
    );
    assert.deepEqual(
      bad.map(({ verb, requestURI, responseStatus }) => `${verb} ${requestURI}: ${responseStatus?.message}`),
      [],
    );
  });
}

/** On a machine whose processors are busy, the time it takes to ask is not the time it took to hand over. */
const stopSlack = 1_000;

async function startAt(place: string): Promise<void> {
  const webhooks = [`--webhook-host=${place}`, `--webhook-port=${webhookPort}`];
  replicas.set(place, await cluster.startController([`--pod-name=${place}`, ...webhooks]));
}

/** As the cluster's own controllers would, of which there is none here. */
async function serveWebhooksAt(addresses: readonly string[]): Promise<void> {
  const name = 'metallb-webhook-service-1';
  await admin.delete(endpointSlices, `${system}/${name}`);
  await admin.create(endpointSlices, {
    metadata: { name, namespace: system, labels: { 'kubernetes.io/service-name': 'metallb-webhook-service' } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'webhooks', port: webhookPort, protocol: 'TCP' }],
  });
}

async function leader(): Promise<string> {
  const holder = (await admin.get(leases, lease))?.spec?.holderIdentity ?? '';
  return holder.split('_')[0]!;
}

function pool(name: string, addresses: string): Json {
  const metadata = { name, namespace: system };
  return { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata, spec: { addresses: [addresses] } };
}

async function create(name: string, annotations: Record<string, string> = {}): Promise<RawReply> {
  const spec = { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: name } };
  const reply = await cluster.admin.post(serviceList, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, annotations },
    spec,
  });
  assert.equal(reply.code, 201, reply.body.message);
  return reply;
}

function addressOf(name: string): Promise<string> {
  return eventually(`${name} has an address`, async () => (await addresses([name]))[0], 20_000);
}

/** Of those that have one. */
async function addresses(names: readonly string[]): Promise<readonly string[]> {
  const { items } = await admin.list(services, { namespace: 'default' });
  const texts = (items ?? []).filter(({ metadata }) => names.includes(metadata.name)).map(addressText);
  return texts.filter((text) => text !== '');
}

function warningOf({ headers }: RawReply): string {
  return [headers.warning].flat().join('\n');
}
