import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { webhookFlags } from '../../src/controller/webhook-flags.ts';
import { Webhooks, type WebhooksOptions, type WebhookUpkeep } from '../../src/controller/webhooks.ts';
import { Configuration } from '../../src/kubernetes/configuration.ts';
import { customResourceDefinitions, secrets, validatingWebhookConfigurations } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { parseFlags } from '../../src/runtime/flags.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { manifest } from '../deploy/manifests.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { newServingCertificate } from '../support/webhooks.ts';

const test = suite('controller/webhooks');

const parsed = parseFlags(webhookFlags, ['--webhook-host=127.0.0.1', '--webhook-port=0'], {});
if ('problem' in parsed) throw new Error(parsed.problem);
const flags = parsed.values;
const registration = manifest('ValidatingWebhookConfiguration', 'metallb-webhook-configuration');
const key = `${system}/${flags['webhook-secret']}`;

type Answer = { readonly status: number; readonly body: Record<string, unknown>; readonly warnings: string };

/** A cluster to which deploy/manifests was applied, and its controllers' webhooks. */
class World {
  readonly cluster: TestCluster;
  readonly url: string;
  readonly #service: { host: string; port: number };
  readonly #parts: (Configuration | Webhooks | WebhookUpkeep)[] = [];

  static async create(): Promise<World> {
    const service = { host: '127.0.0.1', port: 1 };
    const { name } = manifest('Service', flags['cert-service-name']).metadata;
    const cluster = await TestCluster.start({ webhookServices: { [`${system}/${name}`]: service } });
    await cluster.put(validatingWebhookConfigurations, registration);
    return new World(cluster, service);
  }

  private constructor(cluster: TestCluster, service: { host: string; port: number }) {
    this.cluster = cluster;
    this.url = cluster.client.server;
    this.#service = service;
  }

  /** Those of one replica, which have not been started. */
  replica(changes: Partial<WebhooksOptions['flags']> = {}): Webhooks {
    const edge = { client: this.cluster.newClient(), clock: systemClock, random: impatient, log: silentLogger };
    const configuration = new Configuration({ ...edge, namespace: system });
    const options = { ...edge, namespace: system, loadBalancerClass: '', configuration };
    const webhooks = new Webhooks({ ...options, flags: { ...flags, ...changes } });
    configuration.start();
    this.#parts.unshift(webhooks, configuration);
    return webhooks;
  }

  lead(webhooks: Webhooks): void {
    const upkeep = webhooks.upkeep(this.cluster.newClient());
    if (upkeep === undefined) return;
    this.#parts.unshift(upkeep);
    upkeep.start();
  }

  /** One that leads, at work, and known to the API server. */
  async start(): Promise<void> {
    const webhooks = this.replica();
    this.lead(webhooks);
    await webhooks.start();
    await this.reach(webhooks);
  }

  async reach({ port = 0 }: Webhooks): Promise<void> {
    this.#service.port = port;
    await eventually('the webhooks are registered', async () => {
      const found = await this.cluster.client.get(validatingWebhookConfigurations, registration.metadata.name);
      const definition = await this.cluster.client.get(customResourceDefinitions, 'bgppeers.metallb.io');
      const bundles = found?.webhooks?.map(({ clientConfig }) => clientConfig.caBundle);
      return definition?.spec.conversion?.strategy === 'Webhook' && bundles?.every((bundle) => bundle !== undefined);
    });
    await eventually('the resources have been read', async () => {
      const path = '/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools?dryRun=All';
      const probe = { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: { name: 'probe' } };
      return (await this.send('POST', path, { ...probe, spec: { addresses: ['203.0.113.0/32'] } })).status === 201;
    });
  }

  /** As kubectl does. */
  async send(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const warnings = response.headers.get('warning') ?? '';
    return { status: response.status, body: (await response.json()) as Answer['body'], warnings };
  }

  async stop(): Promise<void> {
    for (const part of this.#parts) await part.stop();
    await this.cluster.stop();
  }
}

function inWorld(run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const world = await World.create();
    try {
      await run(world);
    } finally {
      await world.stop();
    }
  };
}

const pools = `/apis/metallb.io/v1beta1/namespaces/${system}/ipaddresspools`;
const peers = (version: string) => `/apis/metallb.io/${version}/namespaces/${system}/bgppeers`;

function pool(name: string, ...addresses: string[]): object {
  return { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: { name }, spec: { addresses } };
}

test(
  'a pool that overlaps another is refused in our words, and a good one is created',
  inWorld(async (world) => {
    await world.start();
    assert.equal((await world.send('POST', pools, pool('lan', '192.0.2.0/24'))).status, 201);
    await eventually('the replica has heard of it', async () => {
      const { status, body } = await world.send('POST', pools, pool('more', '192.0.2.128/25'));
      if (status === 201) await world.send('DELETE', `${pools}/more`);
      return status === 403 && /denied the request: IPAddressPool metallb-system\/more: .*lan/.test(`${body.message}`);
    });
    assert.equal((await world.send('POST', pools, pool('more', '198.51.100.0/24'))).status, 201);
    assert.equal((await world.send('DELETE', `${pools}/more`)).status, 200);
  }),
);

test(
  'whoever applies it is told what cannot work',
  inWorld(async (world) => {
    await world.start();
    const services = '/api/v1/namespaces/default/services';
    const spec = { type: 'LoadBalancer', ports: [{ port: 80 }], loadBalancerIP: 'no-address' };
    const metadata = { name: 'web', annotations: { 'metallb.universe.tf/address-pool': 'lan' } };
    const web = { apiVersion: 'v1', kind: 'Service', metadata, spec };
    const { status, warnings } = await world.send('POST', services, web);
    assert.equal(status, 201);
    assert.match(warnings, /Service default\/web: spec.loadBalancerIP: must be one address/);
    assert.match(warnings, /metallb.universe.tf\/address-pool\] is deprecated/);
  }),
);

test(
  'a BGPPeer of either version is read as the other',
  inWorld(async (world) => {
    await world.start();
    const spec = { myASN: 64512, peerASN: 64513, peerAddress: '192.0.2.254' };
    const old = { apiVersion: 'metallb.io/v1beta1', kind: 'BGPPeer', metadata: { name: 'old' }, spec };
    assert.equal((await world.send('POST', peers('v1beta1'), { ...old, spec: { ...spec, peerPort: 0 } })).status, 201);
    const asNew = await world.send('GET', `${peers('v1beta2')}/old`);
    // 0 is how v1beta1 says that there is none, and then the default of v1beta2 counts.
    const defaults = { peerPort: 179, disableMP: false, dualStackAddressFamily: false };
    assert.deepEqual([asNew.body.apiVersion, asNew.body.spec], ['metallb.io/v1beta2', { ...spec, ...defaults }]);
    const metadata = { name: 'new' };
    const current = {
      ...old,
      apiVersion: 'metallb.io/v1beta2',
      metadata,
      spec: { ...spec, peerAddress: '192.0.2.253', vrf: 'red' },
    };
    assert.equal((await world.send('POST', peers('v1beta2'), current)).status, 201);
    const asOld = await world.send('GET', `${peers('v1beta1')}/new`);
    assert.deepEqual(asOld.body.spec, { ...spec, peerAddress: '192.0.2.253', peerPort: 179 });
    assert.equal((await world.send('PUT', `${peers('v1beta1')}/new`, asOld.body)).status, 200);
    assert.deepEqual((await world.send('GET', `${peers('v1beta2')}/new`)).body.spec, { ...current.spec, ...defaults });
    const again = { ...old, metadata: { name: 'again' }, spec: { ...spec, myASN: 64512 } };
    await eventually('the replica has heard of them', async () => {
      const { status, body } = await world.send('POST', peers('v1beta1'), again);
      if (status === 201) await world.send('DELETE', `${peers('v1beta1')}/again`);
      return status === 403 && `${body.message}`.includes('BGPPeer');
    });
  }),
);

test(
  'replicas serve one certificate, which the leader makes',
  inWorld(async (world) => {
    const [first, second] = [world.replica(), world.replica()];
    const both = Promise.all([first.start(), second.start()]);
    assert.deepEqual(first.unready(), [`the webhooks wait for a certificate in the Secret ${key}`]);
    world.lead(second);
    await both;
    assert.deepEqual([first.unready(), second.unready()], [[], []]);
    for (const replica of [first, second]) await world.reach(replica);
    // Another term finds all as it should be.
    const secret = await world.cluster.client.get(secrets, key);
    world.lead(first);
    await world.reach(first);
    assert.deepEqual(await world.cluster.client.get(secrets, key), secret);
  }),
);

test(
  'with rotation disabled they serve what is in the directory, and nobody writes anything',
  inWorld(async (world) => {
    const directory = await mkdtemp(join(tmpdir(), 'garpoon-webhooks-'));
    try {
      const webhooks = world.replica({ 'disable-cert-rotation': true, 'cert-dir': directory });
      assert.equal(webhooks.upkeep(world.cluster.newClient()), undefined);
      assert.deepEqual(webhooks.unready(), [`the webhooks wait for a certificate in ${directory}`]);
      const { certificate, key: privateKey } = newServingCertificate();
      await writeFile(join(directory, 'tls.crt'), certificate);
      await writeFile(join(directory, 'tls.key'), privateKey);
      await webhooks.start();
      assert.deepEqual(webhooks.unready(), []);
      assert.equal(await world.cluster.client.get(secrets, key), undefined);
    } finally {
      await rm(directory, { recursive: true });
    }
  }),
);

test(
  'a replica that is stopped before there is a certificate says so',
  inWorld(async (world) => {
    const webhooks = world.replica();
    const started = webhooks.start();
    await Promise.all([assert.rejects(started, /certificate: stopped before there was one/), webhooks.stop()]);
  }),
);
