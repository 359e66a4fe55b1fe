import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { broadcastMac, writeFrame, zeroMac } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { client, isArpReplyFor, node, station, Testbed, vip, whoHas } from './testbed.ts';

const test = netSuite('net/arp');

let bed: Testbed;
test.before(async () => {
  bed = await Testbed.create();
  await bed.serve(vip.v4);
});
test.after(() => bed.close());

const askFor = (address: string, fields: Parameters<typeof whoHas>[1] = {}) =>
  bed.wire.ask(whoHas(address, fields), `an ARP reply for ${address}`, isArpReplyFor(address));

test('answers an ordinary kernel, which then reaches the address behind it', async () => {
  // What a node does with the packets is not the responder's business: kube-proxy's DNAT stands in for it.
  bed.node.run(
    'nft',
    `table ip test { chain in { type nat hook prerouting priority dstnat; ip daddr ${vip.v4} dnat to ${node.v4}; }; }`,
  );
  assert.match(bed.client.run('ping', '-c', '1', '-W', '2', vip.v4), / 1 received/);
  assert.match(bed.client.ip('neigh', 'show', vip.v4), new RegExp(`lladdr ${node.mac} REACHABLE`));
});

test("keeps a kernel's entry alive when it probes by unicast", async () => {
  bed.client.ip('neigh', 'replace', vip.v4, 'lladdr', node.mac, 'nud', 'probe', 'dev', 'c0');
  await eventually('the entry is confirmed', () => / REACHABLE/.test(bed.client.ip('neigh', 'show', vip.v4)));
});

for (const [name, options] of [
  ['arping', []],
  ['an address probe of arping (RFC 5227)', ['-0']],
] as const) {
  test(`answers ${name}`, () => {
    const output = bed.client.run('arping', ...options, '-c', '1', '-w', '2', '-i', 'c0', vip.v4);
    assert.match(output, new RegExp(`from ${node.mac}`));
  });
}

test('answers once', async () => {
  await askFor(vip.v4);
  await bed.expectNoArpAnswer('what was answered already');
});

const vlan = (vid: number, protocol = 0x8100) => ({ vid, protocol });
for (const [name, frame] of [
  ['a request for another address', whoHas('198.18.1.11')],
  ['an announcement of the address by someone else', whoHas(vip.v4, { senderAddress: vip.v4 })],
  ['a reply', whoHas(vip.v4, { operation: 2 })],
  ['a reply to the node itself', whoHas(vip.v4, { operation: 2, destination: node.mac, targetMac: node.mac })],
  ['a reverse request', whoHas(vip.v4, { operation: 3 })],
  ['operation 0', whoHas(vip.v4, { operation: 0 })],
  ['operation 257, whose low byte is a request', whoHas(vip.v4, { operation: 257 })],
  ['another hardware type', whoHas(vip.v4, { hardwareType: 6 })],
  ['another protocol', whoHas(vip.v4, { protocolType: 0x86dd })],
  ['another hardware address length', whoHas(vip.v4, { hardwareLength: 8 })],
  ['another protocol address length', whoHas(vip.v4, { protocolLength: 16 })],
  ['a multicast sender', whoHas(vip.v4, { senderMac: '01:00:5e:00:00:01' })],
  ['a broadcast sender', whoHas(vip.v4, { senderMac: broadcastMac })],
  ["the node's own MAC address as sender", whoHas(vip.v4, { senderMac: node.mac, source: station.mac })],
  ['a request sent to another host', whoHas(vip.v4, { destination: '02:00:00:00:00:77' })],
  ['a request sent to a multicast group', whoHas(vip.v4, { destination: '01:00:5e:00:00:01' })],
  ['a request in VLAN 100', whoHas(vip.v4, { tags: [vlan(100)] })],
  ['a request in VLAN 100, sent to the node', whoHas(vip.v4, { tags: [vlan(100)], destination: node.mac })],
  ['a request in a service VLAN (802.1ad)', whoHas(vip.v4, { tags: [vlan(100, 0x88a8)] })],
  ['a request in a VLAN within a VLAN', whoHas(vip.v4, { tags: [vlan(100, 0x88a8), vlan(7)] })],
  ['a request in a VLAN within VLAN 0', whoHas(vip.v4, { tags: [vlan(0), vlan(7)] })],
] as const) {
  test(`does not answer ${name}`, () => bed.expectNoArpAnswer(name, frame));
}

test('does not answer a request that is cut short, wherever it is cut', async () => {
  const whole = writeFrame(whoHas(vip.v4));
  await bed.expectNoArpAnswer('a short frame', ...Array.from({ length: 28 }, (_, cut) => whole.subarray(0, 14 + cut)));
});

test('counts claims by others to an address it serves, and does not fight over it', async () => {
  const before = await bed.responder.counters();
  await bed.expectNoArpAnswer('a claim', whoHas(vip.v4, { senderAddress: vip.v4 }));
  const after = await bed.responder.counters();
  assert.equal(after.dropForeignClaim - before.dropForeignClaim, 1);
});

test('leaves the addresses of the kernel to the kernel', async () => {
  await bed.serve(vip.v4, '198.18.1.11');
  await askFor(node.v4);
  await bed.arpBarrier();
  assert.deepEqual(bed.wire.takeAll(isArpReplyFor(node.v4)), []);
});

test('learns nothing from the one who asks: a hostile request changes no later answer', async () => {
  await askFor(vip.v4, { senderAddress: client.v4, targetMac: zeroMac });
  const { frame } = await askFor(vip.v4);
  assert.ok(frame.kind === 'arp');
  assert.deepEqual([frame.destination, frame.senderMac, frame.targetMac], [station.mac, node.mac, station.mac]);
});
