import assert from 'node:assert/strict';
import { Controller } from '../../src/controller/controller.ts';
import { Replica, termOf } from '../../src/controller/replica.ts';
import { webhookFlags } from '../../src/controller/webhook-flags.ts';
import { Webhooks } from '../../src/controller/webhooks.ts';
import { ApiClient } from '../../src/kubernetes/client.ts';
import {
  addressReservations,
  bgpAdvertisements,
  bgpPeers,
  bgpSessionStatuses,
  configurationStates,
  ipAddressPools,
  serviceBGPStatuses,
  serviceL2Statuses,
} from '../../src/kubernetes/config-kinds.ts';
import { Configuration } from '../../src/kubernetes/configuration.ts';
import type { KubernetesObject, Pod, Secret } from '../../src/kubernetes/core.ts';
import { dnsEndpoints } from '../../src/kubernetes/dns-kinds.ts';
import {
  customResourceDefinitions,
  daemonSets,
  pods,
  type Resource,
  secrets,
  validatingWebhookConfigurations,
} from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { parseFlags } from '../../src/runtime/flags.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemUptime } from '../../src/runtime/uptime.ts';
import { BgpSpeaker } from '../../src/speaker/bgp/bgp-speaker.ts';
import { willReturn } from '../../src/speaker/return-prospect.ts';
import { Speaker } from '../../src/speaker/speaker.ts';
import { FakeResponder, sha256 } from '../speaker/support.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { TcpNetwork } from '../support/tcp-network.ts';
import { containerOf, manifest, manifests } from './manifests.ts';
import { covers, describe, type Permission, permissionAsked, permissionsGranted } from './rbac.ts';
import { RecordingProxy } from './recording-proxy.ts';

const test = suite('deploy/rbac');

const registrations = manifests.filter(({ kind }) => kind === 'ValidatingWebhookConfiguration');
const defaults = parseFlags(webhookFlags, [], {});
if ('problem' in defaults) throw new Error(defaults.problem);
const webhookDefaults = defaults.values;

const dnsTiming = { gather: 10, pause: 10, retry: 10 };

const programs = ['controller', 'speaker'] as const;
type Asked = Readonly<Record<(typeof programs)[number], readonly Permission[]>>;

let asked: Asked;
test.before(async () => {
  asked = await askedInALife();
});

for (const program of programs) {
  const account = `garpoon-${program}`;

  test(`the ${program} may do all that it does`, () => {
    const granted = permissionsGranted(account);
    const refused = asked[program].filter((permission) => !granted.some((grant) => covers(grant, permission)));
    assert.deepEqual([...new Set(refused.map(describe))], []);
  });

  test(`the ${program} does all that it may do`, () => {
    const unused = permissionsGranted(account).filter((grant) => !asked[program].some((one) => covers(grant, one)));
    assert.deepEqual(unused.map(describe), []);
  });

  test(`nothing is granted to the ${program} everywhere that it uses in its own namespace only`, () => {
    const everywhere = permissionsGranted(account).filter(({ namespace }) => namespace === undefined);
    const tooWide = everywhere.filter((grant) => {
      const used = asked[program].filter((one) => covers(grant, one));
      return used.length > 0 && used.every(({ namespace }) => namespace === system);
    });
    assert.deepEqual(tooWide.map(describe), []);
  });
}

for (const [kind, program] of [
  ['Deployment', 'controller'],
  ['DaemonSet', 'speaker'],
] as const) {
  test(`the ${kind} of the ${program} runs under the account of the ${program}`, () => {
    const workload = manifest(kind, `garpoon-${program}`);
    assert.equal(containerOf(workload).args[0], program);
    const { serviceAccountName } = workload.spec!.template.spec;
    assert.equal(serviceAccountName, `garpoon-${program}`);
    assert.equal(manifest('ServiceAccount', serviceAccountName).metadata.namespace, workload.metadata.namespace);
  });
}

/** What both ask of the API server from their start to their stop, with everything in between that makes them write. */
async function askedInALife(): Promise<Asked> {
  const cluster = await TestCluster.start({ deckhouse: true, externalDns: true });
  const doors = {
    controller: await RecordingProxy.start(cluster.client.server),
    speaker: await RecordingProxy.start(cluster.client.server),
  };
  const clients = programs.map((name) => new ApiClient({ server: doors[name].url, clock: systemClock }));
  const shared = {
    namespace: system,
    loadBalancerClass: '',
    deckhouse: true,
    clock: systemClock,
    random: impatient,
    log: silentLogger,
  };
  const ofController = { ...shared, client: clients[0]! };
  const configuration = new Configuration(ofController);
  const webhooks = new Webhooks({ ...ofController, configuration, flags: { ...webhookDefaults, 'webhook-port': 0 } });
  const controller = new Replica({
    ...ofController,
    lease: `${system}/garpoon-controller`,
    identity: 'a',
    uptime: systemUptime,
    worker: (client) =>
      termOf(new Controller({ ...shared, client, podName: 'controller-1', dnsTiming }), webhooks.upkeep(client)),
  });
  const responder = new FakeResponder();
  const speaker = new Speaker({
    ...shared,
    client: clients[1]!,
    responder,
    deadline: 0,
    lapse: 0,
    announceRate: 400,
    addressProbe: 'warn',
    addressesOf: () => [],
    liveness: undefined,
    nodeName: 'node-a',
    podName: 'speaker-1',
    speakerLabels: 'app=garpoon,component=speaker',
    ignoreExcludeLabel: false,
    hash: sha256,
    bgp: (read) =>
      new BgpSpeaker({
        ...shared,
        ...read,
        client: clients[1]!,
        nodeName: 'node-a',
        podName: 'speaker-1',
        ignoreExcludeLabel: false,
        defaults: 'frr',
        drainTime: 0,
        transport: new TcpNetwork(systemClock).transport({ family: 4, value: 1n }),
        discovery: { watch: () => {}, neighborOn: () => undefined },
        listen: () => Promise.reject(new Error('nobody connects')),
        bfd: { setBfdSessions: () => {}, bfdSessions: () => [] },
        interfaces: () => [],
        hash: sha256,
      }),
  });
  try {
    await cluster.node('node-a');
    const spec = { containers: [{ name: 'garpoon', image: 'garpoon' }] };
    for (const name of ['controller-1', 'speaker-1']) {
      await cluster.put(pods, { metadata: { name, namespace: system }, spec } as Pod);
    }
    for (const object of registrations) await cluster.put(validatingWebhookConfigurations, object);
    configuration.start();
    await Promise.all([webhooks.start(), controller.start(), speaker.start()]);
    await registered(cluster);
    // Nothing leads from here to their Service: they would refuse what comes now.
    await cluster.client.delete(validatingWebhookConfigurations, registrations[0]!.metadata.name);
    await live(cluster, responder);
    await named(cluster);
    await renewed(cluster);
    await madeBy(cluster, 'speaker-1');
    const { log, clock, namespace } = shared;
    assert.equal(await willReturn({ client: clients[1]!, namespace, podName: 'speaker-1', clock, log }), true);
  } finally {
    await Promise.all([controller.stop(), speaker.stop()]);
    await webhooks.stop();
    await configuration.stop();
    for (const client of clients) client.close();
    for (const name of programs) await doors[name].close();
    await cluster.stop();
  }
  const read = (door: RecordingProxy) => door.requests.map(({ method, url }) => permissionAsked(method, url));
  return { controller: read(doors.controller), speaker: read(doors.speaker) };
}

/** Everything is told of the first certificate. */
async function registered(cluster: TestCluster): Promise<void> {
  await eventually('the webhooks are registered', async () => {
    const found = await cluster.client.get(validatingWebhookConfigurations, registrations[0]!.metadata.name);
    const definition = await cluster.client.get(customResourceDefinitions, 'bgppeers.metallb.io');
    return (
      found?.webhooks?.every(({ clientConfig }) => clientConfig.caBundle !== undefined) &&
      definition?.spec.conversion?.strategy === 'Webhook'
    );
  });
}

/** Somebody spoils the certificate, and another is made. */
async function renewed(cluster: TestCluster): Promise<void> {
  const key = `${system}/${webhookDefaults['webhook-secret']}`;
  await cluster.change(secrets, key, (secret) => ({ ...secret, data: { ...secret.data, 'tls.crt': '' } }));
  await eventually('the certificate is there again', async () => {
    return (await cluster.client.get(secrets, key))?.data?.['tls.crt'] !== '';
  });
}

/** A Service asks for DNS names, one of which is somebody else's, until it does not. */
async function named(cluster: TestCluster): Promise<void> {
  const key = 'default/named';
  const names = async () => (await cluster.client.get(dnsEndpoints, key))?.spec?.endpoints?.map((one) => one.dnsName);
  await cluster.put(dnsEndpoints, { metadata: { name: 'named', namespace: 'default' }, spec: {} });
  await cluster.endpoints('named', [{ node: 'node-a' }]);
  const annotations = {
    'garpoon.io/dns-targets': 'endpoint',
    'external-dns.alpha.kubernetes.io/hostname': 'a.example.com',
  };
  // One speaker alone: nobody can verify what it says.
  await cluster.service('named', {}, { annotations });
  await eventually('it is told whose it is', async () => (await cluster.eventCount('named', 'DNSEndpointTaken')) > 0);
  await cluster.client.delete(dnsEndpoints, key);
  await eventually('the name is given', async () => (await names())?.join(' ') === 'a.example.com');
  await cluster.annotate('named', { 'external-dns.alpha.kubernetes.io/hostname': 'b.example.com' });
  await eventually('the name is another', async () => (await names())?.join(' ') === 'b.example.com');
  await cluster.annotate('named', { 'garpoon.io/dns-targets': undefined });
  await eventually('nobody is named', async () => (await names()) === undefined);
}

/** From here on a DaemonSet stands behind the Pod. */
async function madeBy(cluster: TestCluster, pod: string): Promise<void> {
  const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x' }] } };
  const { metadata } = await cluster.client.create(daemonSets, {
    metadata: { name: 'speaker', namespace: system },
    spec: { selector: { matchLabels: { app: 'x' } }, template },
  } as KubernetesObject);
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: metadata.name, uid: metadata.uid! };
  await cluster.change(pods, `${system}/${pod}`, (one) => ({
    ...one,
    metadata: { ...one.metadata, ownerReferences: [owner] },
  }));
}

/** There is a router, and addresses are announced to it. */
async function routed(cluster: TestCluster): Promise<void> {
  const data = { password: Buffer.from('secret').toString('base64') };
  await cluster.put(secrets, {
    metadata: { name: 'router', namespace: system },
    type: 'kubernetes.io/basic-auth',
    data,
  } as Secret);
  await cluster.put(bgpPeers, {
    metadata: { name: 'tor', namespace: system },
    spec: { myASN: 64_512, peerASN: 64_500, peerAddress: '198.18.0.2', passwordSecret: { name: 'router' } },
  });
  await cluster.put(bgpAdvertisements, { metadata: { name: 'all', namespace: system }, spec: {} });
}

/** What is told of it, by kinds of objects that have lost their labels once. */
async function toldOfRouters(cluster: TestCluster): Promise<void> {
  for (const [kind, isTold] of [
    [serviceBGPStatuses, (status: object) => 'peers' in status],
    [bgpSessionStatuses, (status: object) => 'state' in status],
  ] as const) {
    const object = await eventually(`there is one of ${kind.plural}`, async () => {
      const { items } = await cluster.client.list(kind as Resource<KubernetesObject>, { namespace: system });
      return items?.find((one) => 'status' in one && isTold(one.status as object));
    });
    const key = `${system}/${object.metadata.name}`;
    await cluster.change(kind as Resource<KubernetesObject>, key, (one) => ({
      ...one,
      metadata: { ...one.metadata, labels: {} },
    }));
    await eventually('it has its labels again', async () => {
      const labels = (await cluster.client.get(kind as Resource<KubernetesObject>, key))?.metadata.labels;
      return labels?.['metallb.io/node'] === 'node-a';
    });
  }
}

async function unrouted(cluster: TestCluster): Promise<void> {
  await cluster.client.delete(bgpPeers, `${system}/tor`);
  for (const kind of [serviceBGPStatuses, bgpSessionStatuses]) {
    await eventually(`there is none of ${kind.plural}`, async () => {
      const { items } = await cluster.client.list(kind as Resource<KubernetesObject>, { namespace: system });
      return items?.length === 0;
    });
  }
}

/** Services come, wait, go and come back, and so does the node; what happens twice is an event counted up. */
async function live(cluster: TestCluster, responder: FakeResponder): Promise<void> {
  const told = (service: string, reason: string, times: number) =>
    eventually(`${service} was told ${reason} ${times} times`, async () => {
      return (await cluster.eventCount(service, reason)) === times;
    });
  const announced = (table: string) => eventually(`"${table}" is announced`, () => responder.table() === table);
  const inUse = (count: number) =>
    eventually(`the pool counts ${count}`, async () => {
      return (await cluster.client.get(ipAddressPools, `${system}/lan`))?.status?.assignedIPv4 === count;
    });

  await cluster.pool('lan', ['192.0.2.1/32']);
  const reservation = `${system}/kept`;
  await cluster.put(addressReservations, {
    metadata: { name: 'kept', namespace: system },
    spec: { service: { namespace: 'default', name: 'nobody' }, addresses: ['198.18.0.1'] },
  });
  await eventually('the reservation has a status', async () => {
    return (await cluster.client.get(addressReservations, reservation))?.status !== undefined;
  });
  await cluster.advertisement('lan');
  await routed(cluster);
  await cluster.service('web');
  await cluster.endpoints('web', [{ node: 'node-a' }]);
  await told('web', 'IPAllocated', 1);
  await announced('192.0.2.1@all');
  await inUse(1);
  const status = await eventually('it is told who announces', async () => {
    const { items } = await cluster.client.list(serviceL2Statuses, { namespace: system });
    return items?.find((one) => one.status?.serviceName === 'web');
  });
  const place = `${system}/${status.metadata.name}`;
  await cluster.change(serviceL2Statuses, place, (one) => ({ ...one, metadata: { ...one.metadata, labels: {} } }));
  await eventually('it has its labels again', async () => {
    return (await cluster.client.get(serviceL2Statuses, place))?.metadata.labels?.['metallb.io/node'] === 'node-a';
  });
  await toldOfRouters(cluster);
  await cluster.service('api');
  await told('api', 'AllocationFailed', 1);

  await cluster.node('node-a', { 'node.kubernetes.io/exclude-from-external-load-balancers': '' });
  await announced('');
  await cluster.node('node-a');
  await announced('192.0.2.1@all');
  // Those that say the same are one, and counted.
  await eventually('web was told twice that the LAN hears of it', async () => {
    const assigned = (await cluster.events('web', 'nodeAssigned')).filter(({ message }) => message.includes('layer2'));
    return assigned.reduce((sum, { count }) => sum + count, 0) === 2;
  });

  await cluster.edit('web', { type: 'ClusterIP' });
  await told('api', 'IPAllocated', 1);
  await cluster.edit('web', { type: 'LoadBalancer' });
  await cluster.deleteService('api');
  await told('web', 'IPAllocated', 2);
  await announced('192.0.2.1@all');
  await cluster.deleteService('web');
  await announced('');
  await eventually('nobody is told to announce it', async () => {
    return (await cluster.client.get(serviceL2Statuses, place)) === undefined;
  });
  await inUse(0);
  await unrouted(cluster);

  for (const key of [`${system}/controller`, `${system}/speaker-node-a`]) {
    const reported = (text: string) =>
      eventually(`${key} is ${text}`, async () => {
        const { status, metadata } = (await cluster.client.get(configurationStates, key)) ?? {};
        return `${status?.result} ${metadata?.labels?.['metallb.io/component-type'] !== undefined}` === text;
      });
    await reported('Valid true');
    await cluster.change(configurationStates, key, (state) => ({
      ...state,
      metadata: { ...state.metadata, labels: {} },
    }));
    await reported('Valid true');
  }
}
