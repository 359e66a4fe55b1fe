import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import {
  type ArpFrame,
  broadcastMac,
  describeFrame,
  linkLayerOption,
  type NdpFrame,
  ndpOption,
  readFrame,
  writeFrame,
} from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { isAnswerFor, node, solicit, station, Testbed, vip, whoHas } from './testbed.ts';

const test = netSuite('net/kernel-alike');

// The judge is the kernel: it holds an address, is asked for it and answers; then the responder serves the same address
// instead and is asked the same.
let bed: Testbed;
const linkLocal = 'fe80::51';
test.before(async () => {
  bed = await Testbed.create();
  // A kernel that does not know who asks would have to ask for that first.
  for (const address of [station.v6, linkLocal]) {
    bed.node.ip('neigh', 'replace', address, 'lladdr', station.mac, 'nud', 'permanent', 'dev', 'n0');
  }
});
test.after(() => bed.close());

/** What the kernel answers, and what the responder does. */
async function answers(
  address: string,
  request: ArpFrame | NdpFrame,
): Promise<{ kernel: Uint8Array; ours: Uint8Array }> {
  const ask = async () => (await bed.wire.ask(request, `an answer for ${address}`, isAnswerFor(address))).bytes;
  const prefix = address.includes(':') ? [`${address}/128`, 'nodad'] : [`${address}/32`];
  await bed.serve();
  bed.node.ip('addr', 'add', ...prefix, 'dev', 'n0');
  let kernel: Uint8Array;
  try {
    // The kernel joins an IPv6 address' group and installs its route later, in a work queue.
    const family = address.includes(':') ? '-6' : '-4';
    await eventually(`${address} is local to the node`, () =>
      bed.node.ip(family, 'route', 'show', 'table', 'local').includes(`local ${address} `),
    );
    kernel = await ask();
  } finally {
    bed.node.ip('addr', 'del', prefix[0]!, 'dev', 'n0');
  }
  await bed.serve(address);
  return { kernel, ours: await ask() };
}

const priorityTag = { tags: [{ protocol: 0x8100, vid: 0 }] };
const minimum = 60;
const padding = (byte: number) => ({ trailer: new Uint8Array(18).fill(byte) });

// The only difference: the kernel leaves the padding to the Ethernet minimum to the interface.
for (const [name, fields] of [
  ['a broadcast request', {}],
  ['a broadcast request padded with zeros', padding(0)],
  ['a broadcast request padded with rubbish', padding(0xa5)],
  ['a unicast request', { destination: node.mac }],
  ['a unicast request with padding', { destination: node.mac, ...padding(0) }],
  ['a probe from 0.0.0.0', { senderAddress: '0.0.0.0' }],
  ['a probe from 0.0.0.0 with padding', { senderAddress: '0.0.0.0', ...padding(0) }],
  ['a unicast probe from 0.0.0.0', { senderAddress: '0.0.0.0', destination: node.mac }],
  ['a request with a target MAC in it', { targetMac: broadcastMac }],
  ['a request sent on behalf of another station', { source: '02:00:00:00:00:52' }],
  ['a request tagged with priority only (VLAN 0)', priorityTag],
] as const) {
  test(`answers ${name} as the kernel does, and pads with zeros`, async () => {
    const { kernel, ours } = await answers(vip.v4, whoHas(vip.v4, fields));
    const padded = new Uint8Array(minimum);
    padded.set(kernel.subarray(0, 42));
    assert.equal(describeFrame(ours), describeFrame(padded));
  });
}

const sourceOption = linkLayerOption(ndpOption.sourceLinkLayer, station.mac);
const unknown = { type: 253, data: new Uint8Array(14).fill(7) };
const nonce = { type: ndpOption.nonce, data: new Uint8Array(6).fill(7) };
const toNode = { destination: node.mac, to: vip.v6 };
const duplicateCheck = { from: '::', options: [] };

/** RFC 4861 section 7.2.4 lets an answer to a unicast solicitation leave out what the asker knows; ours never does. */
const complete = { override: true, options: [linkLayerOption(ndpOption.targetLinkLayer, node.mac)] };

for (const [name, fields, difference] of [
  ['a multicast solicitation', {}, undefined],
  ["a multicast solicitation without the sender's link-layer address", { options: [] }, undefined],
  ['a multicast solicitation with options it need not know', { options: [nonce, sourceOption, unknown] }, undefined],
  ['a multicast solicitation with rubbish after the packet', { trailer: new Uint8Array(9).fill(0xa5) }, undefined],
  ['a multicast solicitation tagged with priority only (VLAN 0)', priorityTag, undefined],
  ['a multicast solicitation from a link-local address', { from: linkLocal }, undefined],
  ['a unicast probe of unreachability detection', toNode, complete],
  ["a unicast probe without the sender's link-layer address", { ...toNode, options: [] }, complete],
  ['a duplicate check', duplicateCheck, undefined],
  ['a duplicate check with a nonce', { ...duplicateCheck, options: [nonce] }, undefined],
] as const) {
  const but = difference ? ', but overriding and with its link-layer address' : '';
  test(`answers ${name} as the kernel does${but}`, async () => {
    const { kernel, ours } = await answers(vip.v6, solicit(vip.v6, fields));
    const expected = difference ? writeFrame({ ...(readFrame(kernel) as NdpFrame), ...difference }) : kernel;
    assert.equal(describeFrame(ours), describeFrame(expected));
  });
}

test('does not call itself a router where the node is one: nothing behind a service address routes', async () => {
  bed.node.sysctl('net.ipv6.conf.all.forwarding', 1);
  const { kernel, ours } = await answers(vip.v6, solicit(vip.v6));
  const frame = readFrame(kernel) as NdpFrame;
  assert.equal(frame.router, true);
  assert.equal(describeFrame(ours), describeFrame(writeFrame({ ...frame, router: false })));
});
