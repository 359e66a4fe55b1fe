import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { connect } from '../support/netns.ts';
import type { PacketIo } from '../support/packet-io.ts';
import { type Frame, linkLayerAddress, ndpOption, solicitedNodeGroup } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import {
  isAnnouncementOf,
  isArpReplyFor,
  node,
  solicit,
  Testbed,
  type TestbedOptions,
  vip,
  whoHas,
} from './testbed.ts';

const test = netSuite('net/links');

const second = '02:00:00:00:01:0f';
const changed = '02:00:00:00:02:0f';

let bed: Testbed;
const start = async (options: TestbedOptions = {}) => {
  bed = await Testbed.create({ gratuitous: { rounds: 1, interval: 100 }, ...options });
  await bed.serve(vip.v4, vip.v6);
};
test.after.each(() => bed.close());

const plug = (name: string, mac = second) => bed.plug(name, mac);

/** The MAC address that answers for the address, asking until someone does: the link may be on its way up. */
function answering(wire: PacketIo, address: string): Promise<string> {
  return eventually(`an answer for ${address}`, async () => {
    const { frame } = await bed.ask(address, { wire, limit: 100 });
    return frame.kind === 'ndp' ? linkLayerAddress(frame, ndpOption.targetLinkLayer) : frame.source;
  });
}

const changeOf = (name: string, change: string) =>
  bed.responder.event(`${name} ${change}`, (event) => {
    return event.type === 'interface' && event.name === name && event.change === change;
  });

const announcementFrom = (mac: string, address: string) => (frame: Frame) =>
  frame.source === mac && isAnnouncementOf(address)(frame);

test('describes the interfaces it finds', async () => {
  await start();
  const state = await bed.interfaceNamed('n0');
  assert.ok(state);
  assert.deepEqual(state, {
    ...bed.nodeInterface('n0'),
    mac: node.mac,
    up: true,
    carrier: true,
    eligible: true,
  });
  const loopback = await bed.interfaceNamed('lo');
  assert.ok(loopback === undefined || (!loopback.eligible && loopback.reason));
});

test('answers on an interface that comes later, with its MAC address, and announces there', async () => {
  await start();
  const wire = await plug('n1');
  await changeOf('n1', 'added');
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(wire, address), second);
  await wire.receive('ARP announcement', announcementFrom(second, vip.v4));
  await wire.receive('NDP announcement', announcementFrom(second, vip.v6));
  assert.equal(await answering(bed.wire, vip.v4), node.mac);
});

test('outlives the removal of an interface, and answers when it comes back under its name', async () => {
  await start();
  const wire = await plug('n1');
  assert.equal(await answering(wire, vip.v4), second);
  bed.node.ip('link', 'delete', 'n1');
  await changeOf('n1', 'removed');
  assert.equal(await bed.interfaceNamed('n1'), undefined);
  assert.equal(await answering(bed.wire, vip.v4), node.mac);
  const again = await plug('n1', changed);
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(again, address), changed);
});

test('answers after an interface was down, and announces again', async () => {
  await start();
  bed.node.ip('link', 'set', 'n0', 'down');
  await changeOf('n0', 'down');
  assert.equal((await bed.interfaceNamed('n0'))?.up, false);
  bed.wire.clear();
  bed.node.ip('link', 'set', 'n0', 'up');
  await changeOf('n0', 'up');
  await bed.wire.receive('ARP announcement', announcementFrom(node.mac, vip.v4));
  await bed.wire.receive('NDP announcement', announcementFrom(node.mac, vip.v6));
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(bed.wire, address), node.mac);
  assert.ok(bed.node.ip('maddr', 'show', 'dev', 'n0').includes(solicitedNodeGroup(vip.v6)));
});

test('announces again when the cable is back', async () => {
  await start();
  bed.client.ip('link', 'set', 'c0', 'down');
  await changeOf('n0', 'down');
  assert.equal((await bed.interfaceNamed('n0'))?.carrier, false);
  bed.client.ip('link', 'set', 'c0', 'up');
  await changeOf('n0', 'up');
  await bed.wire.receive('ARP announcement', announcementFrom(node.mac, vip.v4));
  await bed.wire.receive('NDP announcement', announcementFrom(node.mac, vip.v6));
});

test('answers with a new MAC address as soon as the interface has it, and announces it', async () => {
  await start();
  bed.wire.clear();
  bed.node.ip('link', 'set', 'n0', 'address', changed);
  await changeOf('n0', 'mac');
  await bed.wire.receive('ARP announcement', announcementFrom(changed, vip.v4));
  await bed.wire.receive('NDP announcement', announcementFrom(changed, vip.v6));
  for (const address of [vip.v4, vip.v6]) {
    await eventually('the new MAC answers', async () => (await answering(bed.wire, address)) === changed);
  }
  const { frame } = await bed.wire.ask(
    whoHas(vip.v4, { destination: changed }),
    'the answer to a unicast request',
    isArpReplyFor(vip.v4),
  );
  assert.equal(frame.source, changed);
  await bed.expectNoArpAnswer('a request to the old MAC address', whoHas(vip.v4, { destination: node.mac }));
});

test('follows a renamed interface in and out of a set', async () => {
  await start();
  await bed.serve({ address: vip.v4, interfaces: ['lan*'] });
  await bed.expectNoArpAnswer('n0 is not in the set', whoHas(vip.v4));
  bed.node.ip('link', 'set', 'n0', 'down');
  bed.node.ip('link', 'set', 'n0', 'name', 'lan0');
  bed.node.ip('link', 'set', 'lan0', 'up');
  await changeOf('lan0', 'renamed');
  assert.equal(await answering(bed.wire, vip.v4), node.mac);
  assert.equal(await bed.interfaceNamed('n0'), undefined);
  bed.node.ip('link', 'set', 'lan0', 'down');
  bed.node.ip('link', 'set', 'lan0', 'name', 'wan0');
  bed.node.ip('link', 'set', 'wan0', 'up');
  await changeOf('wan0', 'renamed');
  await eventually('up again', async () => (await bed.interfaceNamed('wan0'))?.carrier);
  await bed.expectNoArpAnswer('wan0 is not in the set', whoHas(vip.v4));
});

test('answers on every interface with its own MAC address, and on those of a set only', async () => {
  await start();
  const wire = await plug('n1');
  const other = { v4: '198.18.1.20', v6: '2001:db8::a:20' };
  await bed.serve(
    vip.v4,
    vip.v6,
    { address: other.v4, interfaces: ['n1'] },
    { address: other.v6, interfaces: ['absent', 'n[1-3]'] },
  );
  for (const address of [vip.v4, vip.v6, other.v4, other.v6]) assert.equal(await answering(wire, address), second);
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(bed.wire, address), node.mac);
  await bed.expectNoArpAnswer('not on n0', whoHas(other.v4));
  await bed.expectNoAdvertisement('not on n0', solicit(other.v6));
  bed.wire.clear();
  await bed.responder.announce(other.v4, other.v6);
  await wire.receive('ARP announcement', announcementFrom(second, other.v4));
  await wire.receive('NDP announcement', announcementFrom(second, other.v6));
  await bed.arpBarrier();
  assert.equal(bed.wire.take(announcementFrom(node.mac, other.v4)), undefined);
  assert.equal(bed.wire.take(announcementFrom(node.mac, other.v6)), undefined);
  assert.ok(!bed.node.ip('maddr', 'show', 'dev', 'n0').includes(solicitedNodeGroup(other.v6)));
  assert.ok(bed.node.ip('maddr', 'show', 'dev', 'n1').includes(solicitedNodeGroup(other.v6)));
});

test('leaves an excluded interface alone', async () => {
  await start({ excludeInterfaces: ['veth*', 'x?'] });
  const wire = await plug('x1');
  await eventually('x1 is seen', async () => (await bed.interfaceNamed('x1'))?.up);
  const state = await bed.interfaceNamed('x1');
  assert.ok(state && !state.eligible && state.reason, JSON.stringify(state));
  const sockets = bed.node.run('cat', '/proc/net/packet').trim().split('\n').slice(1);
  const bound = sockets.map((line) => Number(line.trim().split(/\s+/)[4]));
  assert.ok(!bound.includes(state.index) && !bound.includes(0), sockets.join('\n'));
  assert.equal(await answering(bed.wire, vip.v4), node.mac);
  assert.equal(wire.take(isArpReplyFor(vip.v4)), undefined);
});

test('serves the bridge and not its ports', async () => {
  await start();
  const wire = await plug('n1');
  assert.equal(await answering(wire, vip.v4), second);
  const bridge = '02:00:00:00:03:0f';
  bed.node.ip('link', 'add', 'br0', 'address', bridge, 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
  bed.node.ip('link', 'set', 'br0', 'up');
  bed.node.ip('link', 'set', 'n1', 'master', 'br0');
  await eventually('the port is not eligible', async () => (await bed.interfaceNamed('n1'))?.eligible === false);
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(wire, address), bridge);
  wire.clear();
  await bed.arpBarrier({ wire });
  await wire.ask(whoHas(vip.v4), 'one answer', isArpReplyFor(vip.v4));
  await bed.arpBarrier({ wire });
  assert.equal(wire.take(isArpReplyFor(vip.v4)), undefined, 'answered twice');
});

test('does not answer on an interface that does no ARP', async () => {
  await start();
  const wire = await plug('n1');
  assert.equal(await answering(wire, vip.v4), second);
  bed.node.ip('link', 'set', 'n1', 'arp', 'off');
  await eventually('not eligible', async () => (await bed.interfaceNamed('n1'))?.eligible === false);
  wire.clear();
  wire.send(whoHas(vip.v4));
  assert.equal(await answering(bed.wire, vip.v4), node.mac);
  assert.equal(wire.take(isArpReplyFor(vip.v4)), undefined);
});

test('keeps up with an interface that flaps', async () => {
  await start();
  for (let i = 0; i < 20; i++) {
    bed.node.ip('link', 'set', 'n0', 'down');
    bed.node.ip('link', 'set', 'n0', 'up');
  }
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(bed.wire, address), node.mac);
});

test('keeps up with interfaces that come and go, and holds on to nothing of theirs', async () => {
  await start();
  const before = bed.descriptors;
  for (let i = 1; i <= 20; i++) {
    connect({ netns: bed.client, name: 'flap' }, { netns: bed.node, name: `n${i}` });
    bed.node.ip('link', 'delete', `n${i}`);
  }
  const wire = await plug('last');
  for (const address of [vip.v4, vip.v6]) {
    assert.equal(await answering(wire, address), second);
    assert.equal(await answering(bed.wire, address), node.mac);
  }
  bed.node.ip('link', 'delete', 'last');
  await changeOf('last', 'removed');
  const eligible = (await bed.responder.interfaces()).filter((each) => each.eligible).map((each) => each.name);
  assert.deepEqual(eligible, ['n0']);
  await eventually('all descriptors are closed', () => bed.descriptors === before);
});

for (const [what, off, on] of [
  [
    'switched off',
    ['sysctl', '-qw', 'net.ipv6.conf.n0.disable_ipv6=1'],
    ['sysctl', '-qw', 'net.ipv6.conf.n0.disable_ipv6=0'],
  ],
  // Below IPv6's least MTU the kernel forgets all that it knew of IPv6 on the interface.
  ['gone', ['ip', 'link', 'set', 'n0', 'mtu', '1000'], ['ip', 'link', 'set', 'n0', 'mtu', '1500']],
] as const) {
  test(`is a member of its groups again after IPv6 was ${what} on an interface`, async () => {
    await start();
    const member = () => bed.node.ip('maddr', 'show', 'dev', 'n0').includes(solicitedNodeGroup(vip.v6));
    await eventually('joined', member);
    bed.node.run(...off);
    assert.equal(await answering(bed.wire, vip.v4), node.mac);
    bed.node.run(...on);
    await eventually('joined again', member);
    assert.equal(await answering(bed.wire, vip.v6), node.mac);
  });
}

test('follows an interface into another namespace and back', async () => {
  await start();
  const wire = await plug('n1');
  assert.equal(await answering(wire, vip.v4), second);
  bed.node.ip('link', 'set', 'n1', 'netns', bed.client.name);
  await changeOf('n1', 'removed');
  bed.client.ip('link', 'set', 'n1', 'up');
  await eventually('the cable is whole again', () => bed.client.ip('link', 'show', 'n1').includes('LOWER_UP'));
  wire.clear();
  wire.send(whoHas(vip.v4), solicit(vip.v6));
  assert.equal(await answering(bed.wire, vip.v4), node.mac);
  assert.equal(wire.take(isArpReplyFor(vip.v4)), undefined);
  bed.client.ip('link', 'set', 'n1', 'netns', bed.node.name);
  bed.node.ip('link', 'set', 'n1', 'up');
  for (const address of [vip.v4, vip.v6]) assert.equal(await answering(wire, address), second);
});
