import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BGPSessionStatusContent } from '../../src/api/bgp-session-status.ts';
import { mergePatch } from '../../src/kubernetes/apply.ts';
import { bgpSessionStatuses } from '../../src/kubernetes/config-kinds.ts';
import { customResourceDefinitions } from '../../src/kubernetes/resource.ts';
import { system, TestCluster } from '../support/cluster.ts';
import { suite } from '../support/suite.ts';

const test = suite('cli/status');

const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'garpoon-status-'));
const kubeconfig = join(directory, 'kubeconfig');
let cluster: TestCluster;

test.before.each(async () => {
  cluster = await TestCluster.start();
  point(cluster.client.server);
});
test.after.each(() => cluster.stop());
test.after(() => rmSync(directory, { recursive: true }));

function point(server: string): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'me', user: {} }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'me' } }],
    'current-context': 'lab',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
}

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function garpoonStatus(...args: readonly string[]): Promise<Ended> {
  const argv = [cli, 'status', `--kubeconfig=${kubeconfig}`, ...args];
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, argv)) };
  } catch (thrown) {
    return thrown as Ended;
  }
}

async function session(node: string, peer: string, status: BGPSessionStatusContent, namespace = system) {
  const name = `${node}-${peer}`;
  await cluster.put(bgpSessionStatuses, { metadata: { name, namespace } });
  const patch = { status: { node, peer, ...status } };
  await mergePatch(cluster.client, bgpSessionStatuses, `${namespace}/${name}`, patch, { subresource: 'status' });
}

function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1_000).toISOString();
}

function counts(ipv4: number, ipv6: number) {
  const none = { ipv4: 0, ipv6: 0 };
  return { announced: { ipv4, ipv6 }, pending: none, received: none };
}

const well = { state: 'Established', peerAddress: '192.0.2.1', peerASN: 64_512 } as const;

test('the sessions are a table, those with trouble first, and it ends with 1 when one is not established', async () => {
  const since = ago(3 * 3_600);
  await session('node-a', 'rack-1', { ...well, since, prefixes: counts(12, 3) });
  await session('node-b', 'rack-1', {
    state: 'Active',
    peerAddress: '192.0.2.1',
    peerASN: 64_512,
    since: ago(305),
    problem: 'connection refused:\nis a BGP speaker running there?',
  });
  await session('node-c', 'rack-1', { ...well, since, prefixes: counts(0, 0), problem: 'the limit is reached' });
  await session('node-d', 'rack-1', { state: 'NotStarted', problem: 'no Secret' });
  const { code, stdout, stderr } = await garpoonStatus('bgp');
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
    [
      ['NODE', 'PEER', 'ADDRESS', 'ASN', 'STATE', 'SINCE', 'IPV4', 'IPV6', 'BFD', 'PROBLEM'],
      ['node-d', 'rack-1', '-', '-', 'NotStarted', '-', '-', '-', '-', 'no Secret'],
      [
        ...['node-b', 'rack-1', '192.0.2.1', '64512', 'Active', stdout.match(/5m\d+s/)?.[0], '-', '-', '-'],
        'connection refused: is a BGP speaker running there?',
      ],
      ['node-c', 'rack-1', '192.0.2.1', '64512', 'Established', '3h', '0', '0', '-', 'the limit is reached'],
      ['node-a', 'rack-1', '192.0.2.1', '64512', 'Established', '3h', '12', '3', '-', '-'],
    ],
  );
  assert.equal(stderr, '2 of 4 BGP sessions are not established\n');
  assert.equal(code, 1);
});

test('it ends with 0, and without a remark, when all are established', async () => {
  await session('node-a', 'rack-1', well);
  const { code, stdout, stderr } = await garpoonStatus('bgp');
  assert.deepEqual([code, stdout.split('\n').length, stderr], [0, 3, '']);
});

for (const spelling of [['-o', 'json'], ['--output=json']]) {
  test(`with ${spelling.join(' ')} it prints the objects, in the same order`, async () => {
    await session('node-a', 'rack-1', well);
    await session('node-b', 'rack-1', { state: 'Idle' });
    const { code, stdout } = await garpoonStatus('bgp', ...spelling);
    const { kind, items } = JSON.parse(stdout);
    assert.equal(kind, 'List');
    assert.deepEqual(
      items.map((item: { kind: string; metadata: { name: string } }) => [item.kind, item.metadata.name]),
      [
        ['BGPSessionStatus', 'node-b-rack-1'],
        ['BGPSessionStatus', 'node-a-rack-1'],
      ],
    );
    assert.equal(code, 1);
  });
}

test('it looks into one namespace, which may be another', async () => {
  await cluster.namespace('lb');
  await session('node-a', 'rack-1', { state: 'Idle' });
  await session('node-b', 'rack-1', well, 'lb');
  const { code, stdout } = await garpoonStatus('bgp', '-n', 'lb');
  assert.equal(code, 0);
  assert.match(stdout, /^node-b /m);
  assert.doesNotMatch(stdout, /node-a/);
});

test('that there is no session is no trouble, and is said', async () => {
  const { code, stdout, stderr } = await garpoonStatus('bgp');
  assert.deepEqual([code, stdout], [0, '']);
  assert.match(stderr, /no speaker in namespace metallb-system tells of a BGP session/);
});

test('without a topic it lists what there is', async () => {
  const { code, stdout } = await garpoonStatus();
  assert.equal(code, 0);
  assert.match(stdout, /^usage: garpoon status TOPIC/);
  assert.match(stdout, /^ {2}bgp /m);
  assert.match(stdout, /^ {2}-o, --output=TEXT /m);
});

for (const [what, args, words] of [
  ['an unknown topic', ['ospf'], 'there is no topic "ospf"'],
  ['two topics', ['bgp', 'bfd'], '"bfd" is too much'],
  ['an unknown flag', ['bgp', '--wide'], '--wide'],
  ['an unknown form', ['bgp', '-o', 'xml'], '--output=xml: give one of table, json'],
] as const) {
  test(`${what} is named, and it ends with 2`, async () => {
    const { code, stdout, stderr } = await garpoonStatus(...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.ok(stderr.startsWith('garpoon status: ') && stderr.includes(words), stderr);
  });
}

test('a cluster without the kind is told what to apply, and it ends with 2', async () => {
  await cluster.client.delete(customResourceDefinitions, 'bgpsessionstatuses.garpoon.io');
  const { code, stderr } = await garpoonStatus('bgp');
  assert.equal(code, 2);
  assert.match(stderr, /does not have the kind BGPSessionStatus: apply deploy\/crds/);
});

test('a cluster that cannot be reached is named, and it ends with 2', async () => {
  await cluster.away();
  const { code, stderr } = await garpoonStatus('bgp');
  assert.equal(code, 2);
  assert.match(stderr, /^garpoon status: list bgpsessionstatuses in metallb-system: .*ECONNREFUSED/);
});

test('a kubeconfig that is not there is named, and it ends with 2', async () => {
  const { code, stderr } = await garpoonStatus('bgp', '--kubeconfig=/nowhere/kubeconfig');
  assert.equal(code, 2);
  assert.match(stderr, /^garpoon status: no cluster: .*\/nowhere\/kubeconfig/);
});
