import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import {
  allNodes,
  linkLayerOption,
  multicastMac,
  type NdpFrame,
  ndpOption,
  ndpType,
  solicitedNodeGroup,
  writeFrame,
} from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { advertisement, isAdvertisementOf, node, solicit, station, Testbed, vip } from './testbed.ts';

const test = netSuite('net/ndp');

let bed: Testbed;
test.before(async () => {
  bed = await Testbed.create();
  await bed.serve(vip.v6);
});
test.after(() => bed.close());

const askFor = (address: string, fields: Partial<NdpFrame> = {}) =>
  bed.wire.ask(solicit(address, fields), `an advertisement of ${address}`, isAdvertisementOf(address));

const detection = (fields: Partial<NdpFrame> = {}) => solicit(vip.v6, { from: '::', options: [], ...fields });
const neighbor = () => bed.client.ip('neigh', 'show', vip.v6);
const confirmed = new RegExp(`lladdr ${node.mac} REACHABLE`);

test('answers an ordinary kernel, which then reaches the address behind it', async () => {
  // What a node does with the packets is not the responder's business: kube-proxy's DNAT stands in for it.
  bed.node.run(
    'nft',
    `table ip6 test { chain in { type nat hook prerouting priority dstnat; ip6 daddr ${vip.v6} dnat to ${node.v6}; }; }`,
  );
  assert.match(bed.client.run('ping', '-6', '-c', '1', '-W', '2', vip.v6), / 1 received/);
  assert.match(neighbor(), confirmed);
});

test("keeps a kernel's entry alive when it probes by unicast (metallb#2920)", async () => {
  bed.client.ip('neigh', 'replace', vip.v6, 'lladdr', node.mac, 'nud', 'probe', 'dev', 'c0');
  await eventually('the entry is confirmed', () => confirmed.test(neighbor()));
});

test('answers ndisc6', () => {
  const output = bed.client.run('ndisc6', '-1', '-r', '1', '-w', '2000', vip.v6, 'c0');
  assert.match(output, new RegExp(`Target link-layer address: ${node.mac}`, 'i'));
});

const nonce = { type: ndpOption.nonce, data: new Uint8Array(6).fill(7) };
const sourceOption = linkLayerOption(ndpOption.sourceLinkLayer, station.mac);

test('states itself: unicast, solicited, overriding, no router, with its link-layer address', async () => {
  const stated = advertisement(node.mac, vip.v6, { destination: station.mac, to: station.v6, solicited: true });
  assert.deepEqual((await askFor(vip.v6)).frame, stated);
});

for (const [name, options] of [
  ['a host that checks whether the address is taken (RFC 4862)', []],
  ['such a check with a nonce (RFC 7527)', [nonce]],
] as const) {
  test(`tells all nodes when asked by ${name}`, async () => {
    const { frame } = await bed.wire.ask(detection({ options }), 'an answer', isAdvertisementOf(vip.v6));
    assert.deepEqual(frame, advertisement(node.mac, vip.v6));
  });
}

test('keeps a kernel from taking the address for itself', async () => {
  bed.client.sysctl('net.ipv6.conf.c0.accept_dad', 1);
  bed.client.ip('addr', 'add', `${vip.v6}/64`, 'dev', 'c0');
  await eventually('duplicate detection fails', () =>
    /dadfailed/.test(bed.client.ip('-6', 'addr', 'show', 'dev', 'c0', 'to', vip.v6)),
  );
  bed.client.ip('addr', 'del', `${vip.v6}/64`, 'dev', 'c0');
});

test('answers once', async () => {
  await askFor(vip.v6);
  await bed.expectNoAdvertisement('what was answered already');
});

const option = (units: number, data = new Uint8Array(6)) => ({ type: ndpOption.sourceLinkLayer, units, data });
const vlan = (vid: number, protocol = 0x8100) => ({ vid, protocol });
for (const [name, frame] of [
  ['a solicitation of another address', solicit('2001:db8::a:11')],
  ['another address of the same group', solicit('2001:db8:1::a:10')],
  ['an advertisement', solicit(vip.v6, { type: ndpType.advertisement })],
  ['a packet from beyond the link (hop limit 254)', solicit(vip.v6, { hopLimit: 254 })],
  ['a hop limit of 0', solicit(vip.v6, { hopLimit: 0 })],
  ['another code', solicit(vip.v6, { code: 1 })],
  ['a wrong checksum', solicit(vip.v6, { checksum: 0x1234 })],
  ['no checksum', solicit(vip.v6, { checksum: 0 })],
  ['an extension header', solicit(vip.v6, { hopByHop: true })],
  ['a multicast target', solicit(solicitedNodeGroup(vip.v6), { to: solicitedNodeGroup(vip.v6) })],
  ['an option of length zero', solicit(vip.v6, { options: [option(0)] })],
  ['an option of length zero behind a good one', solicit(vip.v6, { options: [sourceOption, option(0)] })],
  ['an option that runs past the packet', solicit(vip.v6, { options: [option(2)] })],
  ['an option that runs past the frame', solicit(vip.v6, { options: [option(255)] })],
  ['a multicast source', solicit(vip.v6, { from: allNodes })],
  ['a multicast sender', solicit(vip.v6, { source: multicastMac(allNodes) })],
  ["the node's own frame", solicit(vip.v6, { source: node.mac })],
  ['a solicitation sent to another host', solicit(vip.v6, { destination: '02:00:00:00:00:77', to: vip.v6 })],
  ['a solicitation in VLAN 100', solicit(vip.v6, { tags: [vlan(100)] })],
  ['a solicitation in a service VLAN (802.1ad)', solicit(vip.v6, { tags: [vlan(100, 0x88a8)] })],
  ['a solicitation in a VLAN within a VLAN', solicit(vip.v6, { tags: [vlan(100, 0x88a8), vlan(7)] })],
  ['a duplicate check that names its link-layer address', detection({ options: [sourceOption] })],
  ['a duplicate check sent by unicast', detection({ destination: node.mac, to: vip.v6 })],
  ['a duplicate check sent to all nodes', detection({ to: allNodes })],
] as const) {
  test(`does not answer ${name}`, () => bed.expectNoAdvertisement(name, frame));
}

test('does not answer a solicitation that is cut short, wherever it is cut', async () => {
  const whole = writeFrame(solicit(vip.v6, { options: [] }));
  const cuts = Array.from({ length: whole.length - 14 }, (_, cut) => whole.subarray(0, 14 + cut));
  await bed.expectNoAdvertisement('a short frame', ...cuts);
});

test('does not answer a solicitation whose IPv6 length cuts it short, whatever follows', async () => {
  const shortened = [0, 1, 8, 23].map((length) => {
    const bytes = writeFrame(solicit(vip.v6, { options: [] }));
    bytes.set([0, length], 18);
    return bytes;
  });
  await bed.expectNoAdvertisement('a short packet', ...shortened);
});

test('does not answer a packet that is no IPv6, whatever its EtherType says', async () => {
  const bytes = writeFrame(solicit(vip.v6));
  bytes[14] = 0x40;
  await bed.expectNoAdvertisement('version 4', bytes);
});

test('leaves the addresses of the kernel to the kernel', async () => {
  await askFor(node.v6);
  await bed.ndpBarrier();
  assert.deepEqual(bed.wire.takeAll(isAdvertisementOf(node.v6)), []);
});
