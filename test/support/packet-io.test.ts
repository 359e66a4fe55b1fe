import assert from 'node:assert/strict';
import { netSuite } from './net-suite.ts';
import { connect, Netns } from './netns.ts';
import { PacketIo } from './packet-io.ts';
import {
  arpOperation,
  arpRequest,
  type Frame,
  linkLayerAddress,
  ndpOption,
  ndpType,
  neighborSolicitation,
  writeFrame,
} from './packets.ts';

const test = netSuite('support/packet-io');

const left = { mac: '02:00:00:00:00:01', v4: '198.18.0.1', v6: '2001:db8::1' };
const right = { mac: '02:00:00:00:00:02', v4: '198.18.0.2', v6: '2001:db8::2' };
const spaces: Netns[] = [];
let wire: PacketIo;

test.before(async () => {
  const [a, b] = [Netns.create('left'), Netns.create('right')];
  spaces.push(a, b);
  connect({ netns: a, name: 'l0', mac: left.mac }, { netns: b, name: 'r0', mac: right.mac });
  b.ip('addr', 'add', `${right.v4}/24`, 'dev', 'r0');
  b.ip('addr', 'add', `${right.v6}/64`, 'dev', 'r0', 'nodad');
  wire = await PacketIo.open(a, 'l0');
});
test.after(async () => {
  await wire.close();
  for (const netns of spaces) netns.destroy();
});

const request = (fields: object = {}) =>
  arpRequest({ senderMac: left.mac, senderAddress: left.v4, targetAddress: right.v4, ...fields });
const isReply = (frame: Frame) => frame.kind === 'arp' && frame.operation === arpOperation.reply;
const ask = () => wire.ask(request(), 'an ARP reply', isReply);
const barrier = () => {
  const isMine = (frame: Frame) => frame.kind === 'arp' && frame.targetAddress === '198.18.0.9';
  return wire.ask(request({ senderAddress: '198.18.0.9' }), 'the answer after it', isMine);
};

test("sends a request and receives the kernel's answer", async () => {
  const before = Date.now();
  const { frame, arrival } = await ask();
  assert.ok(frame.kind === 'arp');
  assert.deepEqual([frame.senderMac, frame.senderAddress, frame.targetMac], [right.mac, right.v4, left.mac]);
  assert.ok(arrival >= before - 1 && arrival <= Date.now() + 1);
});

test("writes what the kernel takes for a solicitation, and reads the kernel's advertisement", async () => {
  const solicitation = neighborSolicitation({ source: left.mac, from: left.v6, target: right.v6 });
  const isAnswer = (frame: Frame) => frame.kind === 'ndp' && frame.type === ndpType.advertisement;
  const { frame } = await wire.ask(solicitation, 'an advertisement', isAnswer);
  assert.ok(frame.kind === 'ndp');
  assert.equal(frame.checksum, 'correct');
  assert.deepEqual([frame.from, frame.to, frame.solicited], [right.v6, left.v6, true]);
  assert.equal(linkLayerAddress(frame, ndpOption.targetLinkLayer), right.mac);
});

test('puts a VLAN tag back where it was on the wire', async () => {
  const far = await PacketIo.open(spaces[1]!, 'r0');
  const tagged = request({ tags: [{ protocol: 0x88a8, vid: 100 }] });
  wire.send(tagged);
  const { bytes } = await far.receive('the tagged frame', (frame) => frame.tags.length > 0);
  await far.close();
  assert.deepEqual(bytes, writeFrame(tagged));
});

test('proves silence by what is answered afterwards', async () => {
  const unserved = request({ targetAddress: '198.18.0.77' });
  await wire.expectSilence('the kernel has no such address', [unserved], isOf('198.18.0.77'), barrier);
});

test('does not take an answer for silence', async () => {
  const other = request({ senderAddress: '198.18.0.3' });
  const isAnswer = (frame: Frame) => frame.kind === 'arp' && frame.targetAddress === '198.18.0.3';
  await assert.rejects(
    wire.expectSilence('nobody answers', [other], isAnswer, barrier),
    /nobody answers, but received:\n.*ARP op 2/,
  );
});

test('a frame that does not come fails the test with what came instead', async () => {
  wire.send(request());
  await assert.rejects(
    wire.receive('a miracle', () => false, { limit: 200 }),
    /a miracle; received instead:\n[\s\S]*ARP op 2/,
  );
});

function isOf(address: string) {
  return (frame: Frame) => frame.kind === 'arp' && frame.senderAddress === address;
}
