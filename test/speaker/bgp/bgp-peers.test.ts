import assert from 'node:assert/strict';
import { bfdProfiles } from '../../../src/kubernetes/config-kinds.ts';
import { secrets } from '../../../src/kubernetes/resource.ts';
import { system } from '../../support/cluster.ts';
import { eventually, suite } from '../../support/suite.ts';
import { type Bed, inBed } from './bed.ts';
import { address } from './support.ts';
import type { TestRouter } from './test-router.ts';

/** What a session needs beyond an address: passwords, BFD, who connects, and who is at the other end of a link. */
const test = suite('speaker/bgp/bgp-peers');

const web = '192.0.2.1/32 64512 via 198.51.100.101';

/** Two routers that know one Service. `tor` is as asked for. */
async function two(bed: Bed, spec: object, annotations = {}): Promise<Record<'tor' | 'spine', TestRouter>> {
  const [tor, spine] = [bed.router('198.51.100.1'), bed.router('198.51.100.2')];
  await bed.peer('tor', { peerAddress: '198.51.100.1', ...spec }, annotations);
  await bed.peer('spine', { peerAddress: '198.51.100.2' });
  await bed.advertisement('all');
  await bed.serve('web', '192.0.2.1');
  return { tor, spine };
}

test(
  'without its Secret a session is not begun, and it is said why; it begins when the Secret comes',
  inBed(async (bed) => {
    const { tor, spine } = await two(bed, { passwordSecret: { name: 'tor' } });
    await bed.run();
    await bed.knows(spine, web);
    const problem = `there is no Secret ${system}/tor: create it, of type kubernetes.io/basic-auth`;
    const status = await bed.session('tor', (status) => status.problem === problem);
    assert.deepEqual([status.state, status.peerAddress], ['NotStarted', '198.51.100.1']);
    assert.equal(tor.calls.length, 0);
    await bed.secret('tor', 'first');
    await bed.knows(tor, web);
    await bed.session('tor', ({ state, problem }) => state === 'Established' && problem === undefined);
    await eventually('all is told', async () => (await bed.happened('tor')).length === 2);
    const told = await bed.happened('tor');
    assert.equal(told[0], `1 × sessionNotEstablished: node "node-a": no BGP session: ${problem}`);
    assert.match(told[1] ?? '', /^1 × sessionEstablished/);
    assert.equal(bed.passwordOf(tor), 'first');
  }),
);

test(
  'another password renews its session only, and a Secret that goes ends it',
  inBed(async (bed) => {
    await bed.secret('tor', 'first');
    const { tor, spine } = await two(bed, { passwordSecret: { name: 'tor' } });
    await bed.run();
    for (const router of [tor, spine]) await bed.knows(router, web);
    await bed.secret('tor', 'second');
    await eventually('it is connected to anew', () => tor.calls.length === 2);
    await bed.knows(tor, web);
    assert.equal(bed.passwordOf(tor), 'second');
    await bed.cluster.client.delete(secrets, `${system}/tor`);
    await eventually('the session ends', () => tor.last.router.closed);
    await bed.session('tor', ({ state }) => state === 'NotStarted');
    assert.equal(spine.calls.length, 1);
    const told = await eventually('all is told', async () => {
      const told = await bed.happened('tor');
      return told.some((line) => line.includes('sessionLost')) ? told : undefined;
    });
    // A Secret that is still being read is nobody's fault.
    assert.equal(told.filter((line) => line.includes('sessionNotEstablished')).length, 0);
  }),
);

test(
  'a peer that is given another Secret keeps its session until that has been read',
  inBed(async (bed) => {
    await bed.secret('tor', 'first');
    await bed.secret('other', 'first');
    const { tor } = await two(bed, { passwordSecret: { name: 'tor' } });
    await bed.run();
    await bed.knows(tor, web);
    await bed.peer('tor', { peerAddress: '198.51.100.1', passwordSecret: { name: 'other' }, holdTime: '30s' });
    await eventually('it is connected to anew', () => tor.calls.length === 2);
    await bed.knows(tor, web);
    const [before] = tor.calls;
    assert.deepEqual(
      before?.router.of('notification').map(({ code, subcode }) => [code, subcode]),
      [[6, 4]],
    );
    assert.deepEqual(before?.routes.updates, ['+192.0.2.1/32', 'End-of-RIB 4']);
  }),
);

for (const [what, event, notification] of [
  ['a BFD session that goes down ends the session at once, and it is tried again', {}, '6/10'],
  ['a router that switches BFD off keeps its session', { remoteState: 'adminDown' }, undefined],
] as const) {
  test(
    what,
    inBed(async (bed) => {
      await bed.cluster.put(bfdProfiles, { metadata: { name: 'fast', namespace: system }, spec: {} });
      const { tor, spine } = await two(bed, { bfdProfile: 'fast' });
      await bed.run();
      await bed.knows(tor, web);
      assert.deepEqual(
        bed.bfdSessions.at(-1)?.map(({ id, peer }) => [id, peer]),
        [['tor', address('198.51.100.1')]],
      );
      bed.bfd('tor', 'up');
      bed.bfd('tor', 'down', { diagnostic: 'detectionTimeExpired', ...event });
      if (notification !== undefined) await eventually('it is connected to anew', () => tor.calls.length === 2);
      await bed.serve('dns', '192.0.2.2');
      await bed.knows(tor, `${web}; 192.0.2.2/32 64512 via 198.51.100.101`);
      const [first] = tor.calls[0]?.router.of('notification') ?? [];
      assert.equal(first && `${first.code}/${first.subcode}`, notification);
      assert.equal(tor.calls.length, notification === undefined ? 1 : 2);
      assert.equal(spine.calls.length, 1);
      const use = {
        peer: '198.51.100.1:179',
        vrf: '',
        up: true,
        packetsReceived: 5,
        packetsSent: 6,
        echoesReceived: 0,
        echoesSent: 0,
        downEvents: 1,
      };
      assert.deepEqual([...bed.speaker.bfdUses()], [use]);
      await bed.speaker.stop('drain');
      assert.deepEqual(bed.bfdSessions.at(-1), []);
    }),
  );
}

test(
  'a passive peer is waited for, and a stranger is refused',
  inBed(async (bed) => {
    const { tor, spine } = await two(bed, { password: 'secret' }, { 'garpoon.io/passive': 'true' });
    await bed.run();
    await bed.knows(spine, web);
    assert.equal(tor.calls.length, 0);
    const callers = bed.listeners.get(4)?.peers.map(({ address, password, ttl }) => [address, password, ttl]);
    assert.deepEqual(callers, [
      [address('198.51.100.2'), undefined, 1],
      [address('198.51.100.1'), 'secret', 1],
    ]);
    assert.equal(bed.listeners.has(6), false);
    await bed.call(tor);
    await bed.knows(tor, web);
    const stranger = bed.router('198.51.100.66');
    await assert.rejects(bed.call(stranger), { code: 'ECONNREFUSED' });
    await bed.peer('tor', { peerAddress: '198.51.100.1' });
    await eventually('nobody is listened for', () => bed.listeners.size === 0);
    await bed.knows(tor, web);
  }),
);

test(
  'who is at the other end of a link is spoken to once heard',
  inBed(async (bed) => {
    const { spine } = await two(bed, { peerAddress: '', interface: 'eth1' });
    const [first, second] = [bed.router('fe80::1'), bed.router('fe80::2')];
    await bed.run();
    await bed.knows(spine, web);
    assert.deepEqual([...bed.watched], ['eth1']);
    const status = await bed.session('tor', ({ problem }) => problem !== undefined);
    assert.deepEqual([status.state, status.peerAddress], ['NotStarted', 'eth1']);
    assert.match(status.problem ?? '', /^no router heard on eth1 yet: /);
    bed.neighbors.set('eth1', address('fe80::1'));
    bed.speaker.linksChanged();
    await bed.session('tor', ({ state, peerAddress }) => state === 'Established' && peerAddress === 'fe80::1');
    bed.neighbors.delete('eth1');
    bed.speaker.linksChanged();
    assert.equal(first.last.router.closed, false);
    bed.neighbors.set('eth1', address('fe80::2'));
    bed.speaker.linksChanged();
    await bed.serve('dns', '192.0.2.2');
    await bed.knows(spine, `${web}; 192.0.2.2/32 64512 via 198.51.100.101`);
    // That another router is heard as well is no reason to leave one that is spoken to.
    assert.deepEqual([first.last.router.closed, second.calls.length], [false, 0]);
    first.last.router.tcp.destroy();
    await eventually('the other is connected to', () => second.calls.length === 1);
    await bed.session('tor', ({ state, peerAddress }) => state === 'Established' && peerAddress === 'fe80::2');
    assert.equal(first.calls.length, 1);
    assert.equal(spine.calls.length, 1);
  }),
);

test(
  'who is heard while Services are still looked at is not missed',
  inBed(async (bed) => {
    const capability = { kind: 'extended-next-hop', tuples: [{ family: 4, nextHop: 6 }] } as const;
    const leaf = bed.router('fe80::1', { capabilities: [capability] });
    await bed.peer('leaf', { interface: 'eth1' });
    await bed.advertisement('all');
    await bed.serve('web', '192.0.2.1');
    bed.onWatch = () =>
      queueMicrotask(() => {
        bed.neighbors.set('eth1', address('fe80::1'));
        bed.speaker.linksChanged();
      });
    await bed.run();
    await bed.knows(leaf, '192.0.2.1/32 64512 via 2001:db8:ffff::101');
    assert.deepEqual(leaf.updates, ['+192.0.2.1/32', 'End-of-RIB 4', 'End-of-RIB 6']);
  }),
);

test(
  'a passive peer at the other end of a link may connect once heard',
  inBed(async (bed) => {
    const leaf = bed.router('fe80::1');
    await bed.peer('leaf', { interface: 'eth1' }, { 'garpoon.io/passive': 'true' });
    await bed.run();
    assert.equal(bed.listeners.size, 0);
    bed.neighbors.set('eth1', address('fe80::1'));
    bed.speaker.linksChanged();
    await eventually('it is listened for', () => bed.listeners.has(6));
    await bed.call(leaf);
    await bed.session('leaf', ({ state }) => state === 'Established');
  }),
);

test(
  'a router that connects is the peer whose source address it connects to',
  inBed(async (bed) => {
    const tor = bed.router('198.51.100.1');
    const passive = { 'garpoon.io/passive': 'true' };
    await bed.peer('first', { peerAddress: '198.51.100.1', sourceAddress: '198.51.100.150' }, passive);
    await bed.peer('second', { peerAddress: '198.51.100.1', sourceAddress: '198.51.100.101' }, passive);
    await bed.run();
    await eventually('it is listened for', () => bed.listeners.has(4));
    await bed.call(tor);
    await bed.session('second', ({ state }) => state === 'Established');
    await bed.session('first', ({ state }) => state === 'Active');
  }),
);
