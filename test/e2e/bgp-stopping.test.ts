import assert from 'node:assert/strict';
import { BgpLog } from '../support/bgp-log.ts';
import { blockEventLoopOf } from '../support/event-loop.ts';
import { netSuite } from '../support/net-suite.ts';
import { RouteLog } from '../support/route-log.ts';
import { nodeAsn, RoutedCluster, routerAsn } from '../support/routed-cluster.ts';
import { eventually } from '../support/suite.ts';

/**
 * What FRR, and a client behind it, notice of the end of a speaker, which depends on why it ends. Two nodes announce the
 * Service `web`; on `solo` the first is alone. The tests build on each other.
 */
const test = netSuite('e2e/bgp-stopping');
const both = [0, 1];
const peers = ['router-v4', 'router-v6'];

let cluster: RoutedCluster;
let web: { readonly 4: string; readonly 6: string };
let solo: { readonly 4: string; readonly 6: string };
const closers: (() => Promise<unknown>)[] = [];
test.before(async () => {
  cluster = await RoutedCluster.start({
    nodes: 2,
    neighbor: { bfd: { interval: 100, multiplier: 3 }, gracefulRestart: 'helper' },
    peer: { enableGracefulRestart: true, connectTime: '1s' },
    speakerArguments: ['--bgp-drain-time=1', '--silence-after=1'],
  });
  web = await cluster.service('web');
  solo = await cluster.service('solo', { externalTrafficPolicy: 'Local' }, [0]);
});
test.before.each(async () => {
  await cluster.setReady(0, true);
  await cluster.drain(0, false);
  if (!cluster.speaker(0).running) cluster.startSpeaker(0);
  await cluster.routed(web, both);
  await cluster.routed(solo, [0]);
  await cluster.watched();
});
test.after.each(async () => {
  for (const close of closers.splice(0)) await close();
});
test.after(() => cluster?.close());

function closed<T extends { stop(): Promise<unknown> }>(one: T): T {
  closers.push(() => one.stop());
  return one;
}

const unanswered = (requests: readonly { readonly answered: number | undefined }[]) =>
  requests.filter(({ answered }) => answered === undefined);

test('the API tells of each session that it is up, and with whom', async () => {
  for (const [i, peer] of both.flatMap((i) => peers.map((peer) => [i, peer] as const))) {
    const status = await eventually('the session is told of', async () => {
      const found = await cluster.session(i, peer);
      return found?.state === 'Established' && found.bfd?.state === 'up' && found.prefixes?.pending ? found : undefined;
    });
    const family = peer === 'router-v4' ? 4 : 6;
    const { problem, peerAddress, peerASN, localASN, localAddress, holdTimeSeconds } = status;
    assert.deepEqual(
      { problem, peerAddress, peerASN, localASN, localAddress, holdTimeSeconds },
      {
        problem: undefined,
        peerAddress: cluster.bed.routerAddresses[family],
        peerASN: routerAsn,
        localASN: nodeAsn,
        localAddress: cluster.bed.nodeAddresses(i)[family],
        holdTimeSeconds: 9,
      },
    );
  }
});

test('a speaker that its DaemonSet starts again is back within seconds, and no route has moved', async () => {
  const log = closed(await RouteLog.start(cluster.bed.router));
  const flows = await cluster.ask(solo);
  await eventually('the node answers', () => flows.answeredBy(0).size > 0 && flows.answeredBy(1).size > 0);
  const tables: number[] = [];
  const begun = performance.now();
  cluster.speaker(0).signal('SIGTERM');
  assert.equal(await cluster.speaker(0).ended(), 0);
  cluster.startSpeaker(0);
  await eventually('both sessions are up again', async () => {
    tables.push((await cluster.router.routes(4)).filter(({ prefix }) => prefix === `${solo[4]}/32`).length);
    const states = await Promise.all(
      ([4, 6] as const).map((family) => cluster.router.peer(cluster.bed.nodeAddresses(0)[family])),
    );
    return states.every(({ state }) => state === 'Established');
  });
  const took = performance.now() - begun;
  await cluster.watched([0]);
  await cluster.routed(solo, [0]);
  assert.ok(took < 5_000, `${took} ms`);
  for (const address of [...Object.values(solo), ...Object.values(web)]) assert.deepEqual(log.of(address), []);
  assert.deepEqual(new Set(tables), new Set([1]));
  assert.deepEqual(unanswered(await flows.stop()), []);
});

test('a drained node tells the router to prefer others, then withdraws, then says goodbye, and no request is lost', async () => {
  const from = cluster.bed.nodeAddresses(0)[4];
  const log = closed(await BgpLog.start(cluster.bed.router, { interface: 'eth0', from, verbose: true }));
  const flows = await cluster.ask(web);
  await eventually('both nodes answer', () => flows.answeredBy(0).size === 2 && flows.answeredBy(1).size === 2);
  await cluster.drain(0, true);
  await eventually('the router is told', async () => {
    const routes = (await cluster.router.routes(4)).filter(({ prefix }) => prefix === `${web[4]}/32`);
    const marked = routes.filter(({ communities }) => communities.includes('65535:0'));
    return routes.length === 2 && marked.map(({ nextHop }) => nextHop).join() === cluster.bed.nodeAddresses(0)[4];
  });
  cluster.speaker(0).signal('SIGTERM');
  assert.equal(await cluster.speaker(0).ended(), 0);
  await cluster.routed(web, [1]);
  await cluster.routed(solo, []);
  await eventually('the session has ended', () => log.text.includes('Notification Message'));
  const order = ['65535:0', 'Withdrawn routes', 'Notification Message'].map((word) => log.text.indexOf(word));
  assert.ok(
    order.every((at, i) => at > (order[i - 1] ?? -1)),
    `${order}: ${log.text}`,
  );
  assert.deepEqual(unanswered(await flows.stop()), []);
});

test('the routes of a node that goes down are gone at once', async () => {
  await cluster.setReady(0, false);
  await eventually('the speaker knows', async () => (await cluster.session(0, 'router-v4'))?.state === 'Established');
  cluster.speaker(0).signal('SIGTERM');
  const took = await Promise.all([cluster.routed(web, [1], 2_000), cluster.routed(solo, [], 2_000)]);
  assert.ok(Math.max(...took) < 500, `${took} ms`);
  await cluster.speaker(0).ended();
});

test('a speaker that is stopped in its tracks loses its routes by BFD', async () => {
  cluster.speaker(0).signal('SIGSTOP');
  const took = await cluster.routed(web, [1], 3_000);
  cluster.speaker(0).signal('SIGCONT');
  assert.ok(took < 1_500, `${took} ms`);
});

test('a speaker whose event loop hangs loses its routes by BFD, which ends with its lease', async () => {
  const blocked = blockEventLoopOf(cluster.bed.nodes[0]!, cluster.speaker(0).pid, 5_000);
  const took = await cluster.routed(web, [1], 5_000);
  assert.ok(took < 2_500, `${took} ms`);
  await blocked;
});

type Mistake = { readonly name: string; readonly wrong: object; readonly right: object; readonly told: RegExp };

const mistakes: readonly Mistake[] = [
  {
    name: 'a password that the router does not have',
    wrong: { password: 's3cret' },
    right: { password: undefined },
    told: /no answer .*is the password the same\? BGPPeer router-v4 has one/,
  },
  {
    name: 'another AS',
    wrong: { peerASN: 64999 },
    right: { peerASN: routerAsn },
    told: /peer says AS 64500, BGPPeer router-v4 says 64999/,
  },
];
for (const { name, wrong, right, told } of mistakes) {
  test(`${name} is named within one retry`, async () => {
    await cluster.changePeer('router-v4', wrong);
    const named = async () => {
      const { state, problem } = (await cluster.session(0, 'router-v4')) ?? {};
      return state !== 'Established' && told.test(problem ?? '');
    };
    await eventually('it is named', named, 5_000);
    await cluster.changePeer('router-v4', right);
  });
}
