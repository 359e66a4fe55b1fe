import assert from 'node:assert/strict';
import { Network, namespacePrefix } from '../../../src/lab/network/network.ts';
import { client, labTopology, managementAddress, remote, router } from '../../../src/lab/network/topology.ts';
import { run } from '../../../src/lab/process/command.ts';
import { inNamespace, listNamespaces } from '../../../src/lab/process/namespace.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { netSuite } from '../../support/net-suite.ts';
import { eventually } from '../../support/suite.ts';

const test = netSuite('lab/network');
const id = `t${Buffer.from(systemRandom.bytes(2)).toString('hex')}`;
const network = new Network(id, labTopology());
const node = network.node('n1');
const other = network.node('n2');

const answers = async (from: string, address: string) =>
  (await network.exec(from, ['ping', '-n', '-c', '1', '-W', '1', address])).status === 0;

const carrier = async () => (await network.exec('n1', ['cat', '/sys/class/net/eth0/carrier'])).stdout.trim();

test.before(() => network.up());
test.after(() => network.down());

const paths = [
  ['client', node.address.v4],
  ['client', node.address.v6],
  ['remote', node.address.v4],
  ['remote', node.address.v6],
  ['n1', other.address.v4],
  ['n1', other.address.v6],
  ['n2', client.address.v4],
  ['n2', client.address.v6],
  ['n3', remote.address.v4],
  ['n3', remote.address.v6],
  ['client', router.address.v6],
  ['n1', managementAddress],
  ['n1', other.managementAddress],
] as const;
for (const [from, to] of paths) {
  test(`${from} reaches ${to}`, async () => assert.ok(await answers(from, to)));
}

test('the client has no way to the management network', async () => {
  assert.equal(await answers('client', managementAddress), false);
});

test('a silent cut takes the node off the LAN and the node sees nothing', async () => {
  await network.cut('n1');
  assert.equal(await answers('client', node.address.v4), false);
  assert.equal(await answers('n1', other.address.v6), false);
  assert.equal(await carrier(), '1');
  assert.ok(await answers('n1', managementAddress), 'the management network is another one');
  await network.plug('n1');
  assert.ok(await answers('client', node.address.v4));
  assert.ok(await answers('client', node.address.v6));
});

test('a pulled cable takes the carrier away, and plugging brings everything back', async () => {
  await network.cut('n1', { carrier: true });
  assert.equal(await carrier(), '0');
  assert.equal(await answers('client', node.address.v4), false);
  await network.plug('n1');
  assert.equal(await carrier(), '1');
  await eventually('IPv4 is back', () => answers('client', node.address.v4));
  await eventually('IPv6 is back', () => answers('remote', node.address.v6));
});

test('an isolated node loses the management network and keeps the LAN', async () => {
  await network.isolateApi('n1');
  assert.equal(await answers('n1', managementAddress), false);
  assert.ok(await answers('client', node.address.v4));
  await network.restoreApi('n1');
  assert.ok(await answers('n1', managementAddress));
});

test('pods on different nodes reach each other', async () => {
  const here = await network.addPod('n1', 'default/here');
  const there = await network.addPod('n2', 'default/there');
  for (const address of [there.address.v4, there.address.v6]) {
    const ping = await run(inNamespace(here.namespace, ['ping', '-n', '-c', '1', '-W', '1', address]));
    assert.equal(ping.status, 0, address);
  }
  await network.removePod('default/here');
  await network.removePod('default/there');
});

test('a pod has one link, whose interface load balancers leave out, until it is removed', async () => {
  const link = await network.addPod('n3', 'default/web');
  assert.deepEqual(await network.addPod('n3', 'default/web'), link);
  assert.match(link.nodeInterface, /^veth/);
  await network.removePod('default/web');
  await network.removePod('default/web');
  assert.deepEqual(listNamespaces(link.namespace), []);
  const interfaces = await network.exec('n3', ['ip', '-br', 'link', 'show', 'type', 'veth']);
  assert.doesNotMatch(interfaces.stdout, /^veth/m);
  const next = await network.addPod('n3', 'default/web');
  assert.notEqual(next.address.v4, link.address.v4);
  await network.removePod('default/web');
});

test('a command that the kernel refuses leaves no half of a pod', async () => {
  const link = await network.addPod('n1', 'default/first');
  const next = `veth${Number(link.nodeInterface.slice(4)) + 1}`;
  await network.exec('n1', ['ip', 'link', 'add', next, 'type', 'veth', 'peer', 'name', 'taken']);
  await assert.rejects(network.addPod('n1', 'default/second'), { code: 'FAILED', message: /File exists/ });
  await network.exec('n1', ['ip', 'link', 'del', next]);
  await network.removePod('default/first');
  assert.deepEqual(
    listNamespaces(namespacePrefix(id)).filter((name) => name.includes('pod')),
    [],
  );
});

test('unknown nodes are named in the error', async () => {
  await assert.rejects(network.cut('n9'), { name: 'RangeError', message: 'the lab has no node "n9"' });
  assert.throws(() => labTopology(10), RangeError);
});

test('up starts afresh, and down leaves nothing, also twice', async () => {
  const started = performance.now();
  await network.up();
  assert.ok(performance.now() - started < 1500, 'up within 1.5 s');
  await network.down();
  await network.down();
  assert.deepEqual(listNamespaces(namespacePrefix(id)), []);
  await network.up();
});
