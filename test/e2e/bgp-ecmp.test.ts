import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { RoutedCluster } from '../support/routed-cluster.ts';
import { eventually } from '../support/suite.ts';

/** Three nodes announce the same addresses to FRR, and a client behind it asks for them. The tests build on each other. */
const test = netSuite('e2e/bgp-ecmp');
const all = [0, 1, 2];

let cluster: RoutedCluster;
let address: { readonly 4: string; readonly 6: string };
test.before(async () => {
  cluster = await RoutedCluster.start({ nodes: 3, neighbor: { bfd: { interval: 50, multiplier: 3 } } });
  address = await cluster.service('web');
});
test.after(() => cluster?.close());

test('the router has a route of each family with the three nodes as next hops', async () => {
  await cluster.routed(address, all);
});

test('a client behind the router reaches what is on all three nodes, over both families', async () => {
  const flows = await cluster.ask(address);
  for (const target of [0, 1]) {
    await eventually('all nodes have answered', () => flows.answeredBy(target).size === 3);
  }
  const requests = await flows.stop();
  assert.deepEqual(
    requests.filter(({ answered }) => answered === undefined),
    [],
  );
});

test('a node that falls silent is out of the routes within a second, and its flows go on over the others', async () => {
  await cluster.watched();
  const flows = await cluster.ask(address, 200);
  await eventually('the node answers', () => flows.answeredBy(0).has('n1') && flows.answeredBy(1).has('n1'));
  const cutAt = Date.now();
  cluster.bed.cut(1);
  const took = await cluster.routed(address, [0, 2], 1_000);
  const goneAt = Date.now();
  await eventually('the others are asked for a while', () => flows.answeredBy(0, goneAt + 300).size > 0);
  const requests = await flows.stop();
  assert.ok(took < 1_000, `${took} ms`);
  const lost = requests.filter(({ answered }) => answered === undefined);
  assert.ok(lost.length > 0, 'the cut was noticed');
  assert.deepEqual(
    lost.filter(({ sent }) => sent < cutAt - 50 || sent > goneAt + 20),
    [],
    'only while the route was there',
  );
  // A third of the flows was the node's.
  const struck = requests.filter(({ sent }) => sent > cutAt && sent < goneAt);
  assert.ok(lost.length < struck.length * 0.6, `${lost.length} of ${struck.length}`);
  for (const target of [0, 1]) assert.deepEqual([...flows.answeredBy(target, goneAt)].sort(), ['n0', 'n2']);
});

test('a node that is back is a next hop again', async () => {
  cluster.bed.repair(1);
  await cluster.routed(address, all);
});

test('under externalTrafficPolicy Local the nodes with endpoints are next hops, and no others', async () => {
  const local = await cluster.service('local', { externalTrafficPolicy: 'Local' }, [0, 2]);
  await cluster.routed(local, [0, 2]);
  await cluster.endpoints('local', [1]);
  await cluster.routed(local, [1]);
  await cluster.endpoints('local', []);
  await cluster.routed(local, []);
  assert.deepEqual(cluster.nextHops(address[4]), all, 'the other Service is not concerned');
});
