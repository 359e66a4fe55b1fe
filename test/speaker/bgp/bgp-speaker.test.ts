import assert from 'node:assert/strict';
import { eventually, suite } from '../../support/suite.ts';
import { inBed } from './bed.ts';

/** What a router hears of Services, and what people hear of it. */
const test = suite('speaker/bgp/bgp-speaker');

const web = '192.0.2.1/32 64512 via 198.51.100.101';
const dns = '192.0.2.2/32 64512 via 198.51.100.101';

test(
  'a router is told of every Service, and then that this is all',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all', { communities: ['64512:7'] });
    await bed.serve('web', '192.0.2.1');
    await bed.serve('dns', '192.0.2.2');
    await bed.serve('idle', '192.0.2.3', {}, []);
    await bed.run();
    await bed.knows(tor, `${web} with 64512:7; ${dns} with 64512:7`);
    await eventually('End-of-RIB', () => tor.updates.at(-1) === 'End-of-RIB 4');
    assert.equal(tor.updates.length, 2);
  }),
);

test(
  'each family has a next hop of its own, and an internal peer a preference',
  inBed(async (bed) => {
    const both = { dualStackAddressFamily: true };
    const tor = bed.router('198.51.100.1', { asn: 64_512 });
    const spine = bed.router('2001:db8:ffff::1');
    await bed.peer('tor', { peerAddress: '198.51.100.1', peerASN: 64_512, ...both });
    await bed.peer('spine', { peerAddress: '2001:db8:ffff::1', ...both });
    await bed.advertisement('all', { localPref: 150 });
    await bed.serve('web', '192.0.2.1 2001:db8::1');
    await bed.run();
    const told = (path: string, more = '') =>
      `192.0.2.1/32 ${path} via 198.51.100.101${more}; 2001:db8::1/128 ${path} via 2001:db8:ffff::101${more}`;
    await bed.knows(tor, told('local', ' pref 150'));
    await bed.knows(spine, told('64512'));
  }),
);

test(
  'statuses and events say once what is so',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.peer('dead', { peerAddress: '198.51.100.9' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.knows(tor, web);
    await eventually('the Service has its status', async () => (await bed.toldOf('web')) === 'dead,tor');
    const up = await bed.session('tor', ({ state, prefixes }) => {
      return state === 'Established' && prefixes?.announced?.ipv4 === 1;
    });
    assert.deepEqual([up.peerASN, up.localASN, up.peerAddress], [64_513, 64_512, '198.51.100.1']);
    const dead = await bed.session('dead', ({ problem }) => problem !== undefined);
    assert.match(dead.problem ?? '', /refuse/);
    tor.last.router.tcp.destroy();
    await bed.session('tor', ({ state, flaps }) => state === 'Established' && flaps === 1);
    await eventually('all is told', async () => (await bed.happened('tor')).length === 2);
    const ofTor = await bed.happened('tor');
    assert.match(
      ofTor[0] ?? '',
      /^2 × sessionEstablished: node "node-a": BGP session with 198\.51\.100\.1 \(AS 64513\)/,
    );
    assert.match(ofTor[1] ?? '', /^1 × sessionLost: node "node-a": BGP session lost: /);
    const ofDead = await bed.happened('dead');
    assert.equal(ofDead.length, 1);
    assert.match(ofDead[0] ?? '', /^1 × sessionNotEstablished: node "node-a": no BGP session: .*refuse/);
    assert.deepEqual(await bed.happened('web'), [
      '1 × nodeAssigned: announcing from node "node-a" with protocol "bgp"',
    ]);
    await bed.removePeer('dead');
    await bed.cluster.deleteService('web');
    await bed.knows(tor, '');
    await eventually('nothing is left', async () => (await bed.toldOf('web')) === '');
  }),
);

test(
  'a change of a Service is one UPDATE, and no change is none',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.knows(tor, web);
    await bed.serve('dns', '192.0.2.2');
    await bed.knows(tor, `${web}; ${dns}`);
    await bed.cluster.annotate('web', { 'example.com/owner': 'somebody' });
    await bed.cluster.endpoints('web', [{ node: 'node-b' }, { node: 'node-c' }]);
    await bed.mark({ rack: 'r1' });
    await bed.cluster.endpoints('dns', []);
    await bed.knows(tor, web);
    assert.deepEqual(tor.updates, ['+192.0.2.1/32', 'End-of-RIB 4', '+192.0.2.2/32', '-192.0.2.2/32']);
    assert.equal(tor.calls.length, 1);
  }),
);

test(
  'with the policy Local a Service is told of while something serves on this node',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1', { externalTrafficPolicy: 'Local' });
    await bed.run();
    await bed.knows(tor, web);
    await bed.cluster.endpoints('web', [{ node: 'node-b' }]);
    await bed.knows(tor, '');
    await bed.cluster.endpoints('web', [{ node: 'node-b' }, { node: 'node-a', ready: false, serving: true }]);
    await bed.knows(tor, web);
  }),
);

test(
  'what an allow-list keeps back is told once',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    const allowed = { 'garpoon.io/allowed-prefixes': '192.0.2.0/31' };
    await bed.peer('tor', { peerAddress: '198.51.100.1' }, allowed);
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.serve('dns', '192.0.2.2');
    await bed.run();
    await bed.knows(tor, web);
    await bed.cluster.endpoints('dns', [{ node: 'node-b' }]);
    await bed.serve('last', '192.0.2.0');
    await bed.knows(tor, `192.0.2.0/32 64512 via 198.51.100.101; ${web}`);
    const refused =
      'routeRefused: 192.0.2.2/32 is not announced to BGPPeer tor, whose garpoon.io/allowed-prefixes leave it out';
    await eventually('it is told', async () => (await bed.happened('dns')).length > 0);
    assert.deepEqual(await bed.happened('dns'), [`1 × ${refused}`]);
    await bed.peer('tor', { peerAddress: '198.51.100.1' }, { 'garpoon.io/allowed-prefixes': '192.0.2.2/32' });
    await bed.knows(tor, dns);
    assert.equal(tor.calls.length, 1);
  }),
);

test(
  'metrics count what each session has told, by where the router is',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    const spine = bed.router('2001:db8:ffff::1');
    await bed.peer('spine', { peerAddress: '2001:db8:ffff::1' });
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    await bed.run();
    await bed.knows(tor, web);
    await bed.knows(spine, '');
    const uses = [...bed.speaker.bgpUses()].map(({ peer, vrf, up, announcedPrefixes, updatesSent, opensSent }) => {
      return { peer, vrf, up, announcedPrefixes, updatesSent, opensSent };
    });
    assert.deepEqual(uses, [
      { peer: '[2001:db8:ffff::1]:179', vrf: '', up: true, announcedPrefixes: 0, updatesSent: 1, opensSent: 1 },
      { peer: '198.51.100.1:179', vrf: '', up: true, announcedPrefixes: 1, updatesSent: 2, opensSent: 1 },
    ]);
    assert.deepEqual(
      [...bed.speaker.announced()],
      [{ service: 'default/web', protocol: 'bgp', node: 'node-a', ip: '192.0.2.1' }],
    );
  }),
);

test(
  'thousands of Services are told to two routers in one pass, packed',
  inBed(async (bed) => {
    const [tor, spine] = [bed.router('198.51.100.1'), bed.router('198.51.100.2')];
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await bed.peer('spine', { peerAddress: '198.51.100.2' });
    await bed.advertisement('all');
    await bed.serveMany(2_000, (i) => `198.18.${i >> 8}.${i & 255}`);
    await bed.run();
    for (const router of [tor, spine]) {
      await eventually('all is told', () => router.calls.at(-1)?.routes.updates.at(-1) === 'End-of-RIB 4');
      assert.equal(router.last.routes.routes.size, 2_000);
      // 4,096 bytes hold some 800 of them.
      assert.equal(router.updates.length, 4);
    }
  }),
  60_000,
);
