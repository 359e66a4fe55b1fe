import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Service } from '../../../src/kubernetes/core.ts';
import { rulesetIn } from '../../../src/lab/cluster/cluster.ts';
import { slicesOf } from '../../../src/lab/cluster/endpoint-slice-controller.ts';
import { NetworkSandboxes } from '../../../src/lab/cluster/pod-sandboxes.ts';
import { proxyRuleset } from '../../../src/lab/cluster/proxy-ruleset.ts';
import { proxyTable } from '../../../src/lab/cluster/proxy-table.ts';
import type { LabPod } from '../../../src/lab/cluster/workload-objects.ts';
import { Network } from '../../../src/lab/network/network.ts';
import { client, labTopology, remote } from '../../../src/lab/network/topology.ts';
import { run } from '../../../src/lab/process/command.ts';
import { inNamespace } from '../../../src/lab/process/namespace.ts';
import { ProcessTable } from '../../../src/lab/process/process-table.ts';
import { RunDirectory } from '../../../src/lab/process/run-directory.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { netSuite } from '../../support/net-suite.ts';
import { eventually } from '../../support/suite.ts';
import { pod, service } from './objects.ts';

/** Real packets: clients with a fixed neighbour entry for each address, so that nobody has to announce it. */
const test = netSuite('lab/proxy-ruleset');

const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
const directory = RunDirectory.create(state, systemRandom);
const network = new Network(directory.id, labTopology());
const pods: LabPod[] = [];
let processes: ProcessTable;

const families = ['IPv4', 'IPv6'] as const;
const services: readonly Service[] = [
  service('web', { clusterIPs: ['198.19.128.1', '2001:db8:0:ff::1'], ipFamilies: families }, [
    '198.18.0.100',
    '2001:db8:0:1::100',
  ]),
  service(
    'local',
    {
      clusterIPs: ['198.19.128.2', '2001:db8:0:ff::2'],
      ipFamilies: families,
      externalTrafficPolicy: 'Local',
      selector: { app: 'web' },
    },
    ['198.18.0.101', '2001:db8:0:1::101'],
  ),
  service('elsewhere', { clusterIPs: ['198.19.128.3'], externalTrafficPolicy: 'Local' }, ['198.18.0.102']),
  service('nobody', { clusterIPs: ['198.19.128.4', '2001:db8:0:ff::4'], ipFamilies: families }, [
    '198.18.0.103',
    '2001:db8:0:1::103',
  ]),
  service('node-port', {
    clusterIPs: ['198.19.128.5'],
    selector: { app: 'web' },
    ports: [{ port: 80, targetPort: 'http', nodePort: 30080 }],
  }),
  // A second claim to an address and port: the first Service by name keeps it.
  service('zzz-thief', { clusterIPs: ['198.19.128.6'] }, ['198.18.0.100']),
];

const applyAll = async () => {
  const slices = services.flatMap((one) => slicesOf(one, pods));
  for (const { name } of network.topology.nodes) {
    await rulesetIn(network)(name, proxyRuleset(proxyTable(services, slices, name)));
  }
};

test.before(async () => {
  await network.up();
  processes = await ProcessTable.create(directory);
  const sandboxes = new NetworkSandboxes(network, processes, systemClock);
  for (const [name, app, nodeName] of [
    ['web-1', 'web', 'n1'],
    ['web-2', 'web', 'n2'],
    ['web-3', 'web', 'n3'],
    ['elsewhere-1', 'elsewhere', 'n2'],
  ] as const) {
    const { address } = await sandboxes.ensure(name, {
      uid: name,
      node: nodeName,
      name,
      ports: [{ number: 8080, protocol: 'tcp' }],
    });
    pods.push(pod(name, app, nodeName, [address.v4, address.v6]));
  }
  await eventually('every pod listens', () => pods.every((one) => sandboxes.get(one.metadata.name)?.listening));
  await applyAll();
  // As if n1 announced every address.
  const addresses = services.flatMap((one) => one.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
  for (const [host, device] of [
    ['client', 'eth0'],
    ['router', 'eth0'],
  ] as const) {
    for (const address of new Set(addresses)) {
      const mac = network.node('n1').mac;
      await network.exec(host, [
        'ip',
        'neigh',
        'replace',
        address ?? '',
        'lladdr',
        mac,
        'dev',
        device,
        'nud',
        'permanent',
      ]);
    }
  }
});
test.after(async () => {
  await processes?.close();
  await network.down();
  rmSync(state, { recursive: true });
});

const curl = ['curl', '-s', '-g', '--max-time', '1'];
const url = (address: string, port = 80) => `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
const get = (host: string, address: string, port?: number) => network.exec(host, [...curl, url(address, port)]);

/** Asks until every pod of `wanted` has answered. Returns the addresses that the pods saw. */
const askAll = async (host: string, address: string, wanted: readonly string[], port?: number) => {
  const answered = new Set<string>();
  const saw = new Set<string>();
  await eventually(`${wanted} answer ${host} at ${address}`, async () => {
    const { stdout, status } = await get(host, address, port);
    assert.equal(status, 0, `curl ended with ${status}`);
    const [, name = '', from = ''] = /^(\S+) saw (\S+)\n$/.exec(stdout) ?? [];
    answered.add(name);
    saw.add(from);
    return wanted.every((one) => answered.has(one));
  });
  assert.deepEqual([...answered].sort(), wanted);
  return saw;
};

const everyWeb = ['web-1', 'web-2', 'web-3'];

for (const [host, address] of [
  ['client', '198.18.0.100'],
  ['client', '2001:db8:0:1::100'],
  ['remote', '198.18.0.100'],
  ['remote', '2001:db8:0:1::100'],
] as const) {
  test(`every pod answers the ${host} at ${address}, through the node`, async () => {
    const saw = await askAll(host, address, everyWeb);
    const own = host === 'client' ? client.address : remote.address;
    assert.ok(!saw.has(own.v4) && !saw.has(own.v6));
  });
}

for (const [host, address, own] of [
  ['client', '198.18.0.101', client.address.v4],
  ['client', '2001:db8:0:1::101', client.address.v6],
  ['remote', '198.18.0.101', remote.address.v4],
  ['remote', '2001:db8:0:1::101', remote.address.v6],
] as const) {
  test(`under Local only the node’s own pod answers the ${host} at ${address}, and sees it`, async () => {
    for (let i = 0; i < 5; i++) assert.equal((await get(host, address)).stdout, `web-1 saw ${own}\n`);
  });
}

test('under Local without a pod here, connections are dropped', async () => {
  assert.equal((await get('client', '198.18.0.102')).status, 28, 'curl runs into its time limit');
});

test('without endpoints, connections are refused at once', async () => {
  for (const address of ['198.18.0.103', '2001:db8:0:1::103']) {
    assert.equal((await get('client', address)).status, 7, `curl cannot connect to ${address}`);
  }
});

test('a node and a pod reach the cluster address, the pod also itself', async () => {
  await askAll('n2', '198.19.128.1', everyWeb);
  await askAll('n2', '2001:db8:0:ff::1', everyWeb);
  const inPod = inNamespace(`${network.namespace('pod')}1`, [...curl, url('198.19.128.1')]);
  const seen = new Set<string>();
  await eventually('every pod answers pod 1', async () => {
    const { stdout, status } = await run(inPod);
    assert.equal(status, 0);
    seen.add(stdout.split(' ')[0] ?? '');
    return everyWeb.every((name) => seen.has(name));
  });
});

test('the node port is open on every node', async () => {
  await askAll('client', network.node('n3').address.v4, everyWeb, 30080);
});

test('applying again replaces everything, and what is gone is closed', async () => {
  pods.splice(0);
  await applyAll();
  assert.equal((await get('client', '198.18.0.100')).status, 7);
  assert.equal((await get('client', '2001:db8:0:1::101')).status, 7);
});
