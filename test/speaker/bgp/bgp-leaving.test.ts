import assert from 'node:assert/strict';
import { eventually, suite } from '../../support/suite.ts';
import { type Bed, inBed } from './bed.ts';
import { gracefulRestart, type TestRouter } from './test-router.ts';

/** How a node takes its routes back, and who keeps them. */
const test = suite('speaker/bgp/bgp-leaving');

const web = '192.0.2.1/32 64512 via 198.51.100.101';
const dns = '192.0.2.2/32 64512 via 198.51.100.101';
const leaving = `${web} with 65535:0`;
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** Routers that know one Service: `tor` is external, `core` internal, `keeper` keeps routes, `plain` says that it does not. */
async function announcing(bed: Bed): Promise<Record<'tor' | 'core' | 'keeper' | 'plain', TestRouter>> {
  const tor = bed.router('198.51.100.1');
  const core = bed.router('198.51.100.2', { asn: 64_512 });
  const keeper = bed.router('198.51.100.3', { capabilities: [gracefulRestart] });
  const plain = bed.router('198.51.100.4');
  await bed.peer('tor', { peerAddress: '198.51.100.1' });
  await bed.peer('core', { peerAddress: '198.51.100.2', peerASN: 64_512 });
  await bed.peer('keeper', { peerAddress: '198.51.100.3', enableGracefulRestart: true });
  await bed.peer('plain', { peerAddress: '198.51.100.4', enableGracefulRestart: true });
  await bed.advertisement('all');
  await bed.serve('web', '192.0.2.1');
  await bed.run();
  for (const router of [tor, keeper, plain]) await bed.knows(router, web);
  await bed.knows(core, '192.0.2.1/32 local via 198.51.100.101 pref 100');
  return { tor, core, keeper, plain };
}

for (const [what, labels, annotations] of [
  ['by its annotation', {}, { 'garpoon.io/drain': 'true' }],
  ['by the label that excludes it', { [excludeLabel]: '' }, {}],
] as const) {
  test(
    `a node that is drained ${what} is to be used last, then not at all, and is back when it is not drained any more`,
    inBed(async (bed) => {
      const { tor, core, keeper } = await announcing(bed);
      await bed.mark(labels, annotations);
      for (const router of [tor, keeper]) await bed.knows(router, leaving);
      await bed.knows(core, '192.0.2.1/32 local via 198.51.100.101 pref 0 with 65535:0');
      for (const router of [tor, core, keeper]) await bed.knows(router, '');
      await eventually('nobody is told', async () => (await bed.toldOf('web')) === '');
      assert.deepEqual([...bed.speaker.announced()], []);
      await bed.serve('dns', '192.0.2.2');
      await bed.mark({});
      for (const router of [tor, keeper]) await bed.knows(router, `${web}; ${dns}`);
      await eventually('peers are told', async () => (await bed.toldOf('web')) === 'core,keeper,plain,tor');
      assert.equal(tor.calls.length, 1);
      assert.deepEqual(tor.updates.slice(0, 4), ['+192.0.2.1/32', 'End-of-RIB 4', '+192.0.2.1/32', '-192.0.2.1/32']);
      assert.equal(bed.log.of('serviceAnnounced').filter(({ service }) => service === 'default/dns').length, 1);
    }),
  );
}

test(
  'a node that is not drained after all is used as before',
  inBed(
    async (bed) => {
      const { tor } = await announcing(bed);
      await bed.mark({}, { 'garpoon.io/drain': 'true' });
      await bed.knows(tor, leaving);
      await bed.serve('dns', '192.0.2.2');
      await bed.knows(tor, `${leaving}; ${dns} with 65535:0`);
      await bed.mark({});
      await bed.knows(tor, `${web}; ${dns}`);
    },
    { drainTime: 60_000 },
  ),
);

test(
  'a node that is drained from the start tells nothing, and one without a network takes all back at once',
  inBed(
    async (bed) => {
      const tor = bed.router('198.51.100.1');
      await bed.peer('tor', { peerAddress: '198.51.100.1' });
      await bed.advertisement('all');
      await bed.serve('web', '192.0.2.1');
      await bed.mark({}, { 'garpoon.io/drain': 'true' });
      await bed.run();
      await eventually('the session is up', () => tor.calls.at(-1)?.routes.updates.length === 1);
      await bed.mark({});
      await bed.knows(tor, web);
      await bed.cutOff();
      await bed.knows(tor, '');
      assert.deepEqual(tor.updates, ['End-of-RIB 4', '+192.0.2.1/32', '-192.0.2.1/32']);
    },
    { drainTime: 60_000 },
  ),
);

test(
  'who stops for good tells routers to prefer others, withdraws, and then says goodbye',
  inBed(async (bed) => {
    const routers = Object.values(await announcing(bed));
    const stopped = bed.speaker.stop('drain');
    for (const router of routers) await eventually('others are preferred', () => router.knows?.includes('65535:0'));
    await stopped;
    for (const router of routers) {
      assert.deepEqual(router.updates.slice(2), ['+192.0.2.1/32', '-192.0.2.1/32']);
      assert.equal(router.notification, '6/2');
      assert.equal(router.last.router.closed, true);
    }
    assert.equal(bed.network.open, 0);
  }),
);

test(
  'what changes while it stops is told on',
  inBed(
    async (bed) => {
      const { tor } = await announcing(bed);
      const since = performance.now();
      const stopped = bed.speaker.stop('drain');
      await bed.knows(tor, leaving);
      await bed.cluster.endpoints('web', []);
      await bed.knows(tor, '');
      assert.ok(performance.now() - since < 3_000);
      await stopped;
    },
    { drainTime: 3_000 },
  ),
);

test(
  'who comes back leaves the routes to routers that keep them, and takes leave of the others as always',
  inBed(async (bed) => {
    const { tor, core, keeper, plain } = await announcing(bed);
    await bed.speaker.stop('restart');
    assert.deepEqual(keeper.updates, ['+192.0.2.1/32', 'End-of-RIB 4']);
    assert.equal(keeper.notification, undefined);
    assert.equal(keeper.last.router.closed, true);
    for (const router of [tor, core, plain]) {
      assert.deepEqual(router.updates.slice(2), ['+192.0.2.1/32', '-192.0.2.1/32']);
      assert.equal(router.notification, '6/2');
    }
  }),
);

test(
  'who comes back and has only routers that keep routes is gone at once',
  inBed(
    async (bed) => {
      const keeper = bed.router('198.51.100.3', { capabilities: [gracefulRestart] });
      await bed.peer('keeper', { peerAddress: '198.51.100.3', enableGracefulRestart: true });
      await bed.peer('dead', { peerAddress: '198.51.100.9' });
      await bed.advertisement('all');
      await bed.serve('web', '192.0.2.1');
      await bed.run();
      await bed.knows(keeper, web);
      await bed.speaker.stop('restart');
      assert.equal(keeper.notification, undefined);
    },
    { drainTime: 60_000 },
  ),
  5_000,
);

test(
  'whose routes lead nowhere says goodbye at once, also to routers that would keep them',
  inBed(
    async (bed) => {
      const { tor, keeper } = await announcing(bed);
      await bed.speaker.stop('hard');
      for (const router of [tor, keeper]) {
        assert.equal(router.updates.length, 2);
        assert.equal(router.notification, '6/2');
      }
    },
    { drainTime: 60_000 },
  ),
  10_000,
);

test(
  'a router that keeps routes over a NOTIFICATION is told to forget them',
  inBed(async (bed) => {
    const keeper = bed.router('198.51.100.3', { capabilities: [{ ...gracefulRestart, notification: true }] });
    await bed.peer('keeper', { peerAddress: '198.51.100.3', enableGracefulRestart: true });
    await bed.run();
    await bed.knows(keeper, '');
    await bed.session('keeper', ({ state }) => state === 'Established');
    await bed.speaker.stop('hard');
    assert.equal(keeper.notification, '6/9');
  }),
);

test(
  'before it has begun, stopping takes no time, and starting after it does nothing',
  inBed(
    async (bed) => {
      const tor = bed.router('198.51.100.1');
      await bed.peer('tor', { peerAddress: '198.51.100.1' });
      await bed.serve('web', '192.0.2.1');
      await bed.watch.start();
      const started = bed.speaker.start();
      await bed.speaker.stop('drain');
      await started;
      assert.equal(tor.calls.length, 0);
      assert.equal(bed.network.dials, 0);
    },
    { drainTime: 60_000 },
  ),
  5_000,
);
