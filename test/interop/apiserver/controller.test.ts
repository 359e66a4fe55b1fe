import assert from 'node:assert/strict';
import { findApiServer } from '../../../scripts/apiserver.mjs';
import type { ApiClient } from '../../../src/kubernetes/client.ts';
import { ipAddressPools, l2Advertisements, type PoolObject } from '../../../src/kubernetes/config-kinds.ts';
import type { Service } from '../../../src/kubernetes/core.ts';
import { endpointSlices, events, nodes, services } from '../../../src/kubernetes/resource.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { Speaker } from '../../../src/speaker/speaker.ts';
import { FakeResponder, sha256 } from '../../speaker/support.ts';
import { addressText, impatient } from '../../support/cluster.ts';
import { eventually, suite } from '../../support/suite.ts';
import type { ControllerProcess } from './controller-process.ts';
import { RealCluster, system } from './real-cluster.ts';

/** The product against a real API server: its own process, its own ServiceAccount, and nothing granted beyond deploy/. */
const test = suite('interop/apiserver/controller');
const real = findApiServer();
const namespace = 'default';
const fromPool = 'metallb.io/ip-allocated-from-pool';

let cluster: RealCluster;
let controller: ControllerProcess;
let admin: ApiClient;

if (real.directory === undefined) test.skip('the controller works with a real API server', real.problem);
else register(real.directory);

function register(programs: string): void {
  test.before(async () => {
    cluster = await RealCluster.create(programs);
    admin = await cluster.client();
    await pool('lan', ['192.0.2.0/29', '2001:db8::/125']);
    controller = await cluster.startController();
  });
  test.after(async () => {
    await controller?.kill();
    await cluster?.close();
  });
  test.after.each(async () => {
    for (const { metadata } of (await admin.list(services, { namespace })).items ?? []) {
      if (metadata.name !== 'kubernetes') await admin.delete(services, `${namespace}/${metadata.name}`);
    }
    await inUse('lan', 0);
  });

  test('a Service gets an address, the name of its pool, and an event', async () => {
    await create('web');
    assert.equal(await addressesOf('web'), '192.0.2.0');
    const { metadata, status } = await read('web');
    assert.equal(metadata.annotations?.[fromPool], 'lan');
    assert.deepEqual(status?.loadBalancer?.ingress, [{ ip: '192.0.2.0', ipMode: 'VIP' }]);
    await told('web', 'IPAllocated');
    await inUse('lan', 1);
  });

  test('a Service of both families gets an address of each', async () => {
    await create('both', { ipFamilyPolicy: 'RequireDualStack' });
    assert.equal(await addressesOf('both'), '192.0.2.0 2001:db8::');
  });

  test('an address that is asked for is given, and shared with whoever has the key', async () => {
    const annotations = { 'metallb.io/loadBalancerIPs': '192.0.2.5', 'metallb.io/allow-shared-ip': 'key' };
    await create('one', { ports: [{ port: 80 }] }, annotations);
    await create('two', { ports: [{ port: 443 }] }, annotations);
    assert.deepEqual([await addressesOf('one'), await addressesOf('two')], ['192.0.2.5', '192.0.2.5']);
  });

  test('a Service waits, is told why, and gets the address that another gives back', async () => {
    await pool('small', ['198.18.0.1/32'], { autoAssign: false });
    const fromSmall = { 'metallb.io/address-pool': 'small' };
    await create('first', {}, fromSmall);
    assert.equal(await addressesOf('first'), '198.18.0.1');
    await create('second', {}, fromSmall);
    await told('second', 'AllocationFailed');
    await admin.delete(services, `${namespace}/first`);
    assert.equal(await addressesOf('second'), '198.18.0.1');
  });

  test('a Service that is no load balancer any more loses address and annotation', async () => {
    await create('web');
    assert.equal(await addressesOf('web'), '192.0.2.0');
    const contentType = 'application/merge-patch+json';
    await admin.patch(services, `${namespace}/web`, { spec: { type: 'ClusterIP' } }, { contentType });
    await eventually('the annotation is gone', async () => {
      return (await read('web')).metadata.annotations?.[fromPool] === undefined;
    });
    assert.equal(addressText(await read('web')), '');
  });

  test('two hundred Services at once get two hundred addresses, and keep them when the controller is killed', async () => {
    await pool('large', ['198.18.1.0/24']);
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => create(`s${i}`, {}, { 'metallb.io/address-pool': 'large' })),
    );
    const given = () => eventually('everybody has an address', allAddresses, 30_000);
    const before = await given();
    assert.equal(new Set(before.values()).size, 200);
    await inUse('large', 200);
    await controller.kill();
    await admin.delete(services, `${namespace}/s7`);
    controller = await cluster.startController();
    await create('late', {}, { 'metallb.io/address-pool': 'large' });
    const after = await given();
    assert.equal(new Set(after.values()).size, 200);
    for (const [name, address] of after) if (name !== 'late') assert.equal(address, before.get(name), name);
  }, 60_000);

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`work goes on after the API server ended by ${signal} and is there again`, async () => {
      await create('before');
      assert.equal(await addressesOf('before'), '192.0.2.0');
      await cluster.server.stopApi(signal);
      await cluster.server.startApi();
      await create('after');
      assert.equal(await addressesOf('after'), '192.0.2.1');
      assert.equal(await addressesOf('before'), '192.0.2.0');
      await admin.delete(services, `${namespace}/before`);
      await inUse('lan', 1);
      assert.equal(controller.hasEnded, false);
    }, 90_000);
  }

  test('a speaker reads what it needs and says what it announces', async () => {
    const responder = new FakeResponder();
    const speaker = await newSpeaker(responder);
    await admin.create(nodes, { metadata: { name: 'node-a' } });
    await admin.create(l2Advertisements, { metadata: { name: 'lan', namespace: system } });
    try {
      await speaker.start();
      await create('web');
      await endpointOn('web', 'node-a');
      await eventually('the address is announced', () => responder.table() === '192.0.2.0@all');
      await told('web', 'nodeAssigned');
    } finally {
      await speaker.stop();
    }
  });

  for (const account of ['garpoon-controller', 'garpoon-speaker']) {
    test(`nothing that ${account} asked for was denied or malformed`, () => {
      const entries = cluster.server.auditOf(`system:serviceaccount:${system}:${account}`);
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

  test('asked to stop, the controller ends in good order', async () => {
    assert.equal(await controller.stop(), 0);
    controller = await cluster.startController();
  });
}

async function pool(name: string, addresses: readonly string[], more: object = {}): Promise<void> {
  const metadata = { name, namespace: system };
  await admin.create(ipAddressPools, { metadata, spec: { addresses, ...more } } as PoolObject);
}

async function create(
  name: string,
  spec: Service['spec'] = {},
  annotations: Record<string, string> = {},
): Promise<void> {
  const whole = { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: name }, ...spec } as const;
  await admin.create(services, { metadata: { name, namespace, annotations }, spec: whole });
}

async function read(name: string): Promise<Service> {
  const service = await admin.get(services, `${namespace}/${name}`);
  assert.ok(service !== undefined, `no Service ${name}`);
  return service;
}

function addressesOf(name: string): Promise<string> {
  return eventually(`${name} has an address`, async () => addressText(await read(name)), 20_000);
}

/** The address of each load balancer; undefined while one of them has none. */
async function allAddresses(): Promise<ReadonlyMap<string, string> | undefined> {
  const { items } = await admin.list(services, { namespace });
  const wanted = (items ?? []).filter(({ spec }) => spec?.type === 'LoadBalancer');
  const addresses = new Map(wanted.map((service) => [service.metadata.name, addressText(service)]));
  return [...addresses.values()].every((text) => text !== '') ? addresses : undefined;
}

function inUse(name: string, count: number): Promise<unknown> {
  return eventually(
    `the pool ${name} counts ${count}`,
    async () => (await admin.get(ipAddressPools, `${system}/${name}`))?.status?.assignedIPv4 === count,
    20_000,
  );
}

function told(name: string, reason: string): Promise<unknown> {
  return eventually(`${name} was told ${reason}`, async () => {
    const { items } = await admin.list(events, { namespace });
    return items?.some((event) => event.reason === reason && event.involvedObject.name === name);
  });
}

async function endpointOn(name: string, nodeName: string): Promise<void> {
  await admin.create(endpointSlices, {
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['198.18.9.1'], nodeName, conditions: { ready: true } }],
  });
}

async function newSpeaker(responder: FakeResponder): Promise<Speaker> {
  return new Speaker({
    client: await cluster.client('garpoon-speaker'),
    namespace: system,
    loadBalancerClass: '',
    clock: systemClock,
    random: impatient,
    log: silentLogger,
    responder,
    deadline: 0,
    lapse: 0,
    announceRate: 400,
    addressProbe: 'warn',
    addressesOf: () => [],
    liveness: undefined,
    nodeName: 'node-a',
    speakerLabels: 'app=garpoon,component=speaker',
    ignoreExcludeLabel: false,
    hash: sha256,
  });
}
