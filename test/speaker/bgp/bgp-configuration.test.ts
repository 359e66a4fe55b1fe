import assert from 'node:assert/strict';
import { eventually, suite } from '../../support/suite.ts';
import { inBed, own } from './bed.ts';
import { gracefulRestart } from './test-router.ts';

/** What becomes of sessions and routes when the configuration changes. */
const test = suite('speaker/bgp/bgp-configuration');

const web = '192.0.2.1/32 64512 via 198.51.100.101';
const dns = '192.0.2.2/32 64512 via 198.51.100.101';

test(
  'a community more, or a pool more, sends what differs and nothing else',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('office', { ipAddressPools: ['office'] });
    await bed.advertisement('large', { ipAddressPools: ['large'] });
    await bed.serve('web', '192.0.2.1');
    await bed.serve('dns', '198.18.0.1');
    await bed.serve('outside', '203.0.113.1');
    await bed.run();
    const large = '198.18.0.1/32 64512 via 198.51.100.101';
    await bed.knows(tor, `${web}; ${large}`);
    await bed.advertisement('large', { ipAddressPools: ['large'], communities: ['64512:7'] });
    await bed.knows(tor, `${web}; ${large} with 64512:7`);
    await bed.cluster.pool('more', ['203.0.113.0/24']);
    await bed.advertisement('office', { ipAddressPools: ['office', 'more'] });
    await bed.knows(tor, `${web}; ${large} with 64512:7; 203.0.113.1/32 64512 via 198.51.100.101`);
    assert.deepEqual(tor.updates.slice(2), ['+198.18.0.1/32', '+203.0.113.1/32']);
    assert.equal(tor.calls.length, 1);
  }),
);

test(
  'a new peer is told everything before End-of-RIB, and the others nothing',
  inBed(async (bed) => {
    const [tor, spine] = [bed.router('198.51.100.1'), bed.router('198.51.100.2')];
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all');
    for (let i = 0; i < 20; i++) await bed.serve(`web-${i}`, `192.0.2.${i}`);
    await bed.run();
    await eventually('all is told', () => tor.calls.at(-1)?.routes.routes.size === 20);
    await bed.peer('spine', { peerAddress: '198.51.100.2' });
    await eventually('all is told', () => spine.calls.at(-1)?.routes.updates.at(-1) === 'End-of-RIB 4');
    assert.equal(spine.last.routes.routes.size, 20);
    assert.equal(spine.updates.length, 2);
    assert.equal(tor.updates.length, 2);
    await bed.removePeer('spine');
    await eventually('the session ends', () => spine.last.router.closed);
    assert.equal(spine.notification, '6/2');
    await bed.session('tor', ({ state }) => state === 'Established');
    await eventually('nothing is told of it', async () => (await bed.sessionsTold()) === 'tor');
    assert.equal(tor.calls.length, 1);
  }),
);

test(
  'the only peer may go and come back',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.knows(tor, web);
    await bed.removePeer('tor');
    await eventually('the session ends', () => tor.last.router.closed);
    await eventually('nothing is announced', () => [...bed.speaker.announced()].length === 0);
    assert.deepEqual(
      bed.log.of('serviceWithdrawn').map(({ reason }) => reason),
      ['noPeers'],
    );
    await bed.cluster.deleteService('web');
    await bed.serve('dns', '192.0.2.2');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.knows(tor, dns);
    assert.deepEqual(tor.updates, ['+192.0.2.2/32', 'End-of-RIB 4']);
  }),
);

test(
  'a changed peer alone is connected to anew: one that keeps routes is not told goodbye',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1', { capabilities: [gracefulRestart] });
    const spine = bed.router('198.51.100.2');
    const leaf = bed.router('198.51.100.3');
    await bed.peer('tor', { peerAddress: '198.51.100.1', enableGracefulRestart: true });
    await bed.peer('spine', { peerAddress: '198.51.100.2' });
    await bed.peer('leaf', { peerAddress: '198.51.100.3' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    for (const router of [tor, spine, leaf]) await bed.knows(router, web);
    await bed.peer('tor', { peerAddress: '198.51.100.1', enableGracefulRestart: true, holdTime: '30s' });
    await bed.peer('spine', { peerAddress: '198.51.100.2', holdTime: '30s' });
    for (const router of [tor, spine]) {
      await eventually('it is connected to anew', () => router.calls.length === 2);
      await bed.knows(router, web);
      assert.equal(router.last.router.of('open')[0]?.holdTime, 30);
      assert.equal(router.calls[0]?.router.closed, true);
    }
    assert.deepEqual(tor.calls[0]?.router.of('notification'), []);
    assert.deepEqual(
      spine.calls[0]?.router.of('notification').map(({ code, subcode }) => [code, subcode]),
      [[6, 4]],
    );
    assert.equal(leaf.calls.length, 1);
    assert.equal(leaf.updates.length, 2);
  }),
);

test(
  'a router that is no longer the peer is to keep no routes, though it would over a restart',
  inBed(async (bed) => {
    const before = bed.router('198.51.100.1', { capabilities: [gracefulRestart] });
    const after = bed.router('198.51.100.2', { capabilities: [gracefulRestart] });
    await bed.peer('tor', { peerAddress: '198.51.100.1', enableGracefulRestart: true });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.knows(before, web);
    await bed.peer('tor', { peerAddress: '198.51.100.2', enableGracefulRestart: true });
    await bed.knows(after, web);
    assert.equal(before.notification, '6/2');
  }),
);

test(
  'a peer that takes another family is told all of it before End-of-RIB',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all');
    for (let i = 1; i <= 20; i++) await bed.serve(`web-${i}`, `2001:db8::${i}`);
    await bed.run();
    await bed.knows(tor, '');
    // To look at all Services takes longer than to connect.
    const { by } = bed.watch.slices;
    bed.watch.slices.by = (...asked) => {
      for (const until = performance.now() + 12; performance.now() < until; );
      return by.apply(bed.watch.slices, asked);
    };
    await bed.peer('tor', { peerAddress: '198.51.100.1', dualStackAddressFamily: true });
    await eventually('it is connected to anew', () => tor.calls.length === 2 && tor.updates.length >= 3);
    assert.equal(tor.last.routes.routes.size, 20);
    assert.deepEqual(tor.updates.slice(1), ['End-of-RIB 4', 'End-of-RIB 6']);
  }),
);

test(
  'a configuration with a fault leaves the last good one in force',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.knows(tor, web);
    await bed.peer('tor', { peerAddress: '198.51.100.1', bfdProfile: 'nowhere' });
    await eventually('it is refused', () => bed.watch.configuration.verdict() === 'Invalid');
    await bed.serve('dns', '192.0.2.2');
    await bed.knows(tor, `${web}; ${dns}`);
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await eventually('it is mended', () => bed.watch.configuration.verdict() === 'Valid');
    assert.equal(tor.calls.length, 1);
  }),
);

test(
  'a node that a peer no longer selects ends its session, and begins one when it is selected again',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.mark({ rack: 'r1' });
    await bed.peer('tor', { peerAddress: '198.51.100.1', nodeSelectors: [{ matchLabels: { rack: 'r1' } }] });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.knows(tor, web);
    await bed.mark({ rack: 'r2' });
    await eventually('the session ends', () => tor.last.router.closed);
    assert.equal(tor.notification, '6/2');
    await eventually('nobody is told', async () => (await bed.toldOf('web')) === '');
    await bed.mark({ rack: 'r1' });
    await bed.knows(tor, web);
    assert.equal(tor.calls.length, 2);
  }),
);

test(
  'without a peer no Service is looked at',
  inBed(async (bed) => {
    let reads = 0;
    const { services } = bed.watch;
    const { get } = services;
    services.get = (key) => {
      reads += 1;
      return get.call(services, key);
    };
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.serve('dns', '192.0.2.2');
    await bed.mark({ rack: 'r1' });
    await bed.cluster.pool('more', ['203.0.113.0/24']);
    await eventually('all has arrived', () => {
      const { pools } = bed.watch.configuration.current();
      return pools.length === 3 && bed.watch.slices.list().length === 2;
    });
    assert.equal(reads, 0);
    assert.equal(bed.network.dials, 0);
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.knows(tor, `${web}; ${dns}`);
    assert.ok(reads > 0);
  }),
);

let isLinkUp = true;

test(
  'a session outlives it that the link its source address is from goes down',
  inBed(
    async (bed) => {
      isLinkUp = true;
      const tor = bed.router('198.51.100.1');
      await bed.peer('tor', { peerAddress: '198.51.100.1' }, { 'garpoon.io/source-address-from': 'eth1' });
      await bed.advertisement('all');
      await bed.serve('web', '192.0.2.1');
      await bed.run();
      await bed.knows(tor, web);
      isLinkUp = false;
      bed.speaker.linksChanged();
      await bed.serve('dns', '192.0.2.2');
      await bed.knows(tor, `${web}; ${dns}`);
      isLinkUp = true;
      bed.speaker.linksChanged();
      await bed.cluster.deleteService('web');
      await bed.knows(tor, dns);
      assert.equal(tor.calls.length, 1);
      assert.deepEqual(tor.updates, ['+192.0.2.1/32', 'End-of-RIB 4', '+192.0.2.2/32', '-192.0.2.1/32']);
    },
    { interfaces: () => (isLinkUp ? [{ name: 'eth1', addresses: [{ ...own[4], length: 24 }] }] : []) },
  ),
);
