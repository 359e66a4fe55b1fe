import assert from 'node:assert/strict';
import type { Service } from '../../src/kubernetes/core.ts';
import { dnsEndpoints } from '../../src/kubernetes/dns-kinds.ts';
import { customResourceDefinitions } from '../../src/kubernetes/resource.ts';
import type { TestCluster } from '../support/cluster.ts';
import { dnsEndpointDefinition } from '../support/dns-endpoint-definition.ts';
import { eventually, suite } from '../support/suite.ts';
import {
  annotationOf,
  asked,
  dualStack,
  hostname,
  type Speakers,
  startWith,
  target,
  targets,
  ttl,
  written,
} from './dns-support.ts';
import { inWorld, type World } from './support.ts';

const test = suite('controller/dns-endpoints');

const v4 = '192.0.2.10';
const v6 = '2001:db8::10';
const key = 'default/web';
const endpoint = { [asked]: 'endpoint', [hostname]: 'www.example.com' };
const externalDns = { externalDns: true };

/** `NAME TYPE TARGETS TTL`, a line for each. */
async function records(cluster: TestCluster): Promise<string | undefined> {
  const lines = (await cluster.client.get(dnsEndpoints, key))?.spec?.endpoints?.map((one) =>
    [one.dnsName, one.recordType, one.targets?.join(','), one.recordTTL].join(' ').trim(),
  );
  return lines?.join('\n');
}

async function has(cluster: TestCluster, ...expected: readonly string[]): Promise<void> {
  const text = expected.length === 0 ? undefined : expected.join('\n');
  await eventually(`the records are ${text}`, async () => (await records(cluster)) === text);
}

/** The Service, whose addresses are both verified. */
async function verifiedWeb(world: World, annotations: Record<string, string>): Promise<Speakers> {
  const speakers = await startWith(world);
  await dualStack(world, 'web', annotations);
  await speakers.answer('node-a', 'web', { [v4]: { verified: true }, [v6]: { verified: true } });
  return speakers;
}

test(
  'the names have A and AAAA records of what is verified, and the time to live that is asked for',
  inWorld(async (world, cluster) => {
    const names = { [hostname]: 'www.example.com, api.example.com', [ttl]: '60' };
    const speakers = await verifiedWeb(world, { ...endpoint, ...names });
    await has(
      cluster,
      `api.example.com A ${v4} 60`,
      `api.example.com AAAA ${v6} 60`,
      `www.example.com A ${v4} 60`,
      `www.example.com AAAA ${v6} 60`,
    );
    assert.equal(await annotationOf(cluster, 'web', target), undefined);
    await cluster.annotate('web', { [hostname]: 'www.example.com', [ttl]: undefined });
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    await speakers.answer('node-a', 'web', { [v6]: { verified: true } });
    await has(cluster, `www.example.com AAAA ${v6}`);
    await speakers.answer('node-a', 'web', {});
    await world.told('web', 'DNSTargetsNotVerified', 1);
    await has(cluster, `www.example.com AAAA ${v6}`);
  }, externalDns),
);

test(
  'it belongs to the Service, and goes with it',
  inWorld(async (world, cluster) => {
    await verifiedWeb(world, endpoint);
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    const [owner] = (await cluster.client.get(dnsEndpoints, key))?.metadata.ownerReferences ?? [];
    assert.equal(owner?.uid, (await cluster.getService('web')).metadata.uid);
    await cluster.deleteService('web');
    await has(cluster);
  }, externalDns),
);

for (const [how, spoil] of [
  [
    'is changed',
    (cluster: TestCluster) => cluster.change(dnsEndpoints, key, (one) => ({ ...one, spec: { endpoints: [] } })),
  ],
  ['is deleted', (cluster: TestCluster) => cluster.client.delete(dnsEndpoints, key)],
] as const) {
  test(
    `what ${how} by somebody else is made good`,
    inWorld(async (world, cluster) => {
      await verifiedWeb(world, endpoint);
      const both = [`www.example.com A ${v4}`, `www.example.com AAAA ${v6}`] as const;
      await has(cluster, ...both);
      await spoil(cluster);
      await has(cluster, ...both);
    }, externalDns),
  );
}

for (const [how, stop] of [
  ['the annotation is removed', (cluster: TestCluster) => cluster.annotate('web', { [asked]: undefined })],
  ['the Service is no LoadBalancer any more', (cluster: TestCluster) => cluster.edit('web', { type: 'ClusterIP' })],
] as const) {
  test(
    `when ${how}, the DNSEndpoint goes`,
    inWorld(async (world, cluster) => {
      await verifiedWeb(world, endpoint);
      await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
      await stop(cluster);
      await has(cluster);
      await eventually('nothing is noted', async () => (await annotationOf(cluster, 'web', written)) === undefined);
    }, externalDns),
  );
}

test(
  'a Service that asks for the other place has its targets there, and nothing is left behind',
  inWorld(async (world, cluster) => {
    await verifiedWeb(world, endpoint);
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    await cluster.annotate('web', { [asked]: 'annotation' });
    await targets(cluster, 'web', `${v4},${v6}`);
    await has(cluster);
    await cluster.annotate('web', { [asked]: 'endpoint' });
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    assert.equal(await annotationOf(cluster, 'web', target), undefined);
  }, externalDns),
);

test(
  'a DNSEndpoint that is somebody else’s is not touched, and the Service is told; it gets its own when that is gone',
  inWorld(async (world, cluster) => {
    const endpoints = [{ dnsName: 'mine.example.com', recordType: 'A', targets: ['198.18.0.1'] }];
    const mine = { metadata: { name: 'web', namespace: 'default' }, spec: { endpoints } };
    await cluster.put(dnsEndpoints, mine);
    await verifiedWeb(world, endpoint);
    await world.told('web', 'DNSEndpointTaken', 1);
    assert.equal(await records(cluster), 'mine.example.com A 198.18.0.1');
    await cluster.client.delete(dnsEndpoints, key);
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    assert.equal(await cluster.eventCount('web', 'DNSEndpointTaken'), 1);
  }, externalDns),
);

test(
  'where the kind is not served, that is said once, and the Service is told',
  inWorld(async (world, cluster) => {
    await verifiedWeb(world, endpoint);
    await world.told('web', 'DNSEndpointNotServed', 1);
    await dualStack(world, 'api', endpoint);
    await cluster.annotate('web', { [asked]: undefined });
    await eventually('it is let go', async () => (await annotationOf(cluster, 'web', written)) === undefined);
    const lines = world.log.of('kind not served').filter(({ kind }) => kind === 'DNSEndpoint');
    assert.deepEqual([lines.length, lines[0]?.level], [1, 'warn']);
    assert.equal(await cluster.eventCount('web', 'DNSEndpointNotServed'), 1);
  }),
);

test(
  'a kind that is taken away is told of as one that never was',
  inWorld(async (world, cluster) => {
    await verifiedWeb(world, endpoint);
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    await cluster.client.delete(customResourceDefinitions, dnsEndpointDefinition.metadata.name);
    await cluster.annotate('web', { [hostname]: 'api.example.com' });
    await world.told('web', 'DNSEndpointNotServed', 1);
  }, externalDns),
);

test(
  'a Service without a name is told, and gets no DNSEndpoint until it has one',
  inWorld(async (world, cluster) => {
    await verifiedWeb(world, { [asked]: 'endpoint' });
    await world.told('web', 'DNSTargetsInvalid', 1);
    const [event] = await cluster.events('web', 'DNSTargetsInvalid');
    assert.match(event?.message ?? '', /Service default\/web: .*\/hostname\]: is required/);
    await cluster.annotate('web', { [hostname]: 'www.example.com' });
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
  }, externalDns),
);

test(
  'a Service made anew takes over the DNSEndpoint of its name',
  inWorld(async (world, cluster) => {
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Service', name: 'web', uid: 'former', controller: true }];
    const labels = { 'app.kubernetes.io/managed-by': 'garpoon' };
    const metadata = { name: 'web', namespace: 'default', labels };
    await cluster.put(dnsEndpoints, { metadata, spec: { endpoints: [] } });
    await verifiedWeb(world, endpoint);
    await has(cluster, `www.example.com A ${v4}`, `www.example.com AAAA ${v6}`);
    const owners = (await cluster.client.get(dnsEndpoints, key))?.metadata.ownerReferences;
    const service: Service = await cluster.getService('web');
    assert.deepEqual([owners?.length, owners?.[0]?.uid], [1, service.metadata.uid]);
    assert.notEqual(service.metadata.uid, ownerReferences[0]?.uid);
  }, externalDns),
);
