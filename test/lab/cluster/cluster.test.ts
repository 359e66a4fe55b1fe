import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mergePatch, updateStatus } from '../../../src/kubernetes/apply.ts';
import { ApiClient } from '../../../src/kubernetes/client.ts';
import { nodes, services } from '../../../src/kubernetes/resource.ts';
import { ApiServer } from '../../../src/lab/api-server/api-server.ts';
import { Cluster } from '../../../src/lab/cluster/cluster.ts';
import { deployments, isReady, labPods, portedSlices } from '../../../src/lab/cluster/workload-objects.ts';
import { Network } from '../../../src/lab/network/network.ts';
import { labTopology } from '../../../src/lab/network/topology.ts';
import { listNamespaces } from '../../../src/lab/process/namespace.ts';
import { ProcessTable } from '../../../src/lab/process/process-table.ts';
import { RunDirectory } from '../../../src/lab/process/run-directory.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { netSuite } from '../../support/net-suite.ts';
import { eventually } from '../../support/suite.ts';
import { service } from './objects.ts';

/** The stand-ins together, over the embedded API server. The tests build on each other, as a cluster's life does. */
const test = netSuite('lab/cluster');

const [vip4, vip6] = ['198.18.0.100', '2001:db8:0:1::100'];

const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
const directory = RunDirectory.create(state, systemRandom);
const network = new Network(directory.id, labTopology());
const edge = { clock: systemClock, random: systemRandom, log: silentLogger };
const api = new ApiServer({ ...edge, crds: [] });
let client: ApiClient;
let processes: ProcessTable;

/** What has been started, to be ended in the reverse order, however far the start came. */
const running: (() => unknown)[] = [() => rmSync(state, { recursive: true })];

test.before(async () => {
  running.push(() => network.down());
  await network.up();
  processes = await ProcessTable.create(directory);
  running.push(() => processes.close());
  running.push(() => api.close());
  const at = await api.listen({ host: '127.0.0.1', port: 0 });
  assert.ok('port' in at);
  client = new ApiClient({ server: `http://127.0.0.1:${at.port}`, clock: systemClock });
  running.push(() => client.close());
  const cluster = new Cluster({ ...edge, client, network, processes, gracePeriod: 600 });
  running.push(() => cluster.stop());
  await cluster.start();
  for (const address of [vip4, vip6]) {
    const neighbour = ['ip', 'neigh', 'replace', address, 'lladdr', network.node('n1').mac];
    await network.exec('client', [...neighbour, 'dev', 'eth0', 'nud', 'permanent']);
  }
});
test.after(async () => {
  for (const end of running.reverse()) await end();
});

const podList = async () => (await client.list(labPods, { namespace: 'default' })).items ?? [];
const readyPods = async () => (await podList()).filter(isReady).map((pod) => pod.metadata.name);
const readyOf = async (name: string) =>
  (await client.get(nodes, name))?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;

/** Who answered the client, in one request; the status of curl when nobody did. */
const ask = async (address = vip4) => {
  const url = `http://${address.includes(':') ? `[${address}]` : address}/`;
  const { status, stdout } = await network.exec('client', ['curl', '-s', '-g', '--max-time', '1', url]);
  return status === 0 ? stdout.split(' ')[0] : `curl ended with ${status}`;
};

const answeredBy = async (wanted: readonly string[], address?: string) => {
  const seen = new Set<string>();
  await eventually(`${wanted} answer`, async () => {
    seen.add((await ask(address)) ?? '');
    return wanted.every((name) => seen.has(name));
  });
  return [...seen].sort();
};

test('every node is registered and ready', async () => {
  for (const { name, address } of network.topology.nodes) {
    await eventually(`${name} is ready`, async () => (await readyOf(name)) === 'True');
    const node = await client.get(nodes, name);
    assert.deepEqual(node?.status?.addresses?.slice(0, 2), [
      { type: 'InternalIP', address: address.v4 },
      { type: 'InternalIP', address: address.v6 },
    ]);
  }
});

test('a Deployment becomes ready Pods, spread over the nodes', async () => {
  await client.create(deployments, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'ignored', ports: [{ name: 'http', containerPort: 8080 }] }] },
      },
    },
  });
  await eventually('three pods are ready', async () => (await readyPods()).length === 3);
  const pods = await podList();
  assert.deepEqual(pods.map((pod) => pod.spec?.nodeName).sort(), ['n1', 'n2', 'n3']);
  for (const pod of pods) assert.match(pod.status?.podIPs?.[1]?.ip ?? '', /^2001:db8:0:100/);
  await eventually('the Deployment says so', async () => {
    return (await client.get(deployments, 'default/web'))?.status?.readyReplicas === 3;
  });
});

test('a Service’s address is answered by every Pod, in both families', async () => {
  await client.create(
    services,
    service('web', {
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      ports: [{ port: 80, targetPort: 'http' }],
    }),
  );
  await updateStatus(client, services, 'default/web', (current) => ({
    ...current,
    status: { loadBalancer: { ingress: [{ ip: vip4 }, { ip: vip6 }] } },
  }));
  await answeredBy(['web-1', 'web-2', 'web-3']);
  await answeredBy(['web-1', 'web-2', 'web-3'], vip6);
});

test('a node that falls silent is lost with its endpoints, and nothing is sent there any more', async () => {
  await network.cut('n2');
  await eventually('n2 is lost', async () => (await readyOf('n2')) === 'Unknown');
  await eventually('its pod is not ready', async () => (await readyPods()).length === 2);
  await eventually('its endpoint is not ready', async () => {
    const slice = await client.get(portedSlices, 'default/web-ipv4');
    return slice?.endpoints?.find(({ nodeName }) => nodeName === 'n2')?.conditions?.ready === false;
  });
  await eventually('the others answer everything', async () => {
    for (let i = 0; i < 15; i++) assert.match((await ask()) ?? '', /^web-[13]$/);
    return true;
  });
  await network.plug('n2');
  await eventually('n2 is back', async () => (await readyOf('n2')) === 'True');
  await answeredBy(['web-1', 'web-2', 'web-3']);
});

test('a Pod whose server ends is not ready until it runs again', async () => {
  const [server] = processes.list().filter(({ name }) => name === 'pod-default-web-3');
  server?.kill();
  await eventually('it is not ready', async () => (await readyPods()).length === 2);
  await eventually('it is ready again', async () => (await readyPods()).length === 3);
  const [status] = ((await client.get(labPods, 'default/web-3'))?.status?.containerStatuses ?? []) as readonly {
    restartCount: number;
  }[];
  assert.equal(status?.restartCount, 1);
});

test('scaling down removes the last Pods and loses no request', async () => {
  await mergePatch(client, deployments, 'default/web', { spec: { replicas: 1 } });
  await eventually('one pod is left', async () => {
    assert.match((await ask()) ?? '', /^web-/);
    return (await podList()).length === 1;
  });
  const podNamespaces = () => listNamespaces(`${network.namespace('pod')}`).length;
  await eventually('the namespaces are gone', async () => {
    assert.match((await ask()) ?? '', /^web-/);
    return podNamespaces() === 1;
  });
  assert.deepEqual(await answeredBy(['web-1']), ['web-1']);
});

test('a Pod of its own is run where it is bound, and a process of the node is left alone', async () => {
  const containers = [{ name: 'web', image: 'ignored', ports: [{ containerPort: 8080 }] }];
  const bound = { nodeName: 'n3', containers };
  const process = { metadata: { name: 'process', namespace: 'default' }, spec: { ...bound, hostNetwork: true } };
  await client.create(labPods, process);
  await client.create(labPods, { metadata: { name: 'own', namespace: 'default' }, spec: bound });
  await eventually('it is ready', async () => (await readyPods()).includes('own'));
  assert.equal((await client.get(labPods, 'default/process'))?.status?.podIP, undefined);
});

test('a deleted Node registers again', async () => {
  await client.delete(nodes, 'n3');
  await eventually('n3 is back', async () => (await readyOf('n3')) === 'True');
});

test('what is deleted takes everything of it along', async () => {
  await client.delete(deployments, 'default/web');
  await client.delete(services, 'default/web');
  await eventually('the pods are gone', async () =>
    (await podList()).every(({ metadata }) => metadata.name !== 'web-1'),
  );
  await eventually('the slices are gone', async () => (await client.list(portedSlices)).items?.length === 0);
  await eventually('the namespaces are gone', () => listNamespaces(network.namespace('pod')).length === 1);
});
