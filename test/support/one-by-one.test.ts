import assert from 'node:assert/strict';
import { nativeTool } from './native-tool.ts';
import { netSuite } from './net-suite.ts';
import { connect, Netns } from './netns.ts';
import { OneByOne } from './one-by-one.ts';
import { PacketIo } from './packet-io.ts';
import {
  arpOperation,
  arpRequest,
  broadcastMac,
  type Frame,
  linkLayerOption,
  ndpOption,
  ndpType,
  neighborSolicitation,
  zeroMac,
} from './packets.ts';

// What benches measure ours against is only worth that if it does the same work, and does it right.
const test = netSuite('support/one-by-one');

const loopMac = '02:00:00:00:00:0f';
const station = { mac: '02:00:00:00:00:51', v4: '198.18.0.51', v6: '2001:db8::51' };
const link = { destination: station.mac, source: loopMac, tags: [] };
let spaces: Netns[] = [];
let wire: PacketIo;
let loop: OneByOne;

test.before(async () => {
  const [client, node] = [Netns.create('client'), Netns.create('node')];
  spaces = [client, node];
  connect({ netns: client, name: 'c0' }, { netns: node, name: 'n0', mac: loopMac });
  wire = await PacketIo.open(client, 'c0');
  loop = await OneByOne.start(node, 'n0', [
    { first: '198.18.1.10', count: 2 },
    { first: '2001:db8::a:10', count: 2 },
  ]);
});
test.after(async () => {
  await loop?.stop();
  await wire?.close();
  for (const netns of spaces) netns.destroy();
});

const whoHas = (targetAddress: string) =>
  arpRequest({ senderMac: station.mac, senderAddress: station.v4, targetAddress });
const solicit = (target: string) => neighborSolicitation({ source: station.mac, from: station.v6, target });
const isAnswer = (frame: Frame) => frame.destination === station.mac;

const arpReply = (address: string): Frame => ({
  ...arpRequest({ senderMac: loopMac, senderAddress: address, targetAddress: station.v4 }),
  ...link,
  operation: arpOperation.reply,
  targetMac: station.mac,
  trailer: new Uint8Array(18),
});
const advertisement = (address: string): Frame => ({
  ...neighborSolicitation({ source: loopMac, from: address, to: station.v6, target: address }),
  ...link,
  type: ndpType.advertisement,
  solicited: true,
  override: true,
  options: [linkLayerOption(ndpOption.targetLinkLayer, loopMac)],
});

for (const [protocol, request, answer, first, last, outside] of [
  ['an ARP request', whoHas, arpReply, '198.18.1.10', '198.18.1.11', '198.18.1.12'],
  ['a solicitation', solicit, advertisement, '2001:db8::a:10', '2001:db8::a:11', '2001:db8::a:12'],
] as const) {
  test(`answers ${protocol} for each address of a range, and for none beside it`, async () => {
    for (const address of [first, last]) {
      const { frame } = await wire.ask(request(address), `an answer for ${address}`, isAnswer);
      assert.deepEqual(frame, answer(address));
    }
    await wire.expectSilence('an address that is not served is not answered for', [request(outside)], isAnswer, () =>
      wire.ask(request(first), `an answer for ${first}`, (frame) => isAnswer(frame) && isAbout(frame, first)),
    );
  });
}

test('burst announces each address as a request and as a reply', async () => {
  wire.clear();
  const [, node] = spaces;
  const { frames } = JSON.parse(node!.run(nativeTool('burst'), 'n0', '198.18.2.1', '2')) as { frames: number };
  assert.equal(frames, 4);
  const isLast = (frame: Frame) => isAbout(frame, '198.18.2.2') && frame.kind === 'arp' && frame.operation === 2;
  const last = (await wire.receive('the last frame', isLast)).frame;
  const announcements = [...wire.takeAll((frame) => frame.source === loopMac && frame.kind === 'arp'), { frame: last }];
  const expected = ['198.18.2.1', '198.18.2.2'].flatMap((address) =>
    [arpOperation.request, arpOperation.reply].map((operation) => ({
      ...arpRequest({ senderMac: loopMac, senderAddress: address, targetAddress: address }),
      destination: broadcastMac,
      operation,
      targetMac: operation === arpOperation.request ? zeroMac : broadcastMac,
      trailer: new Uint8Array(18),
    })),
  );
  assert.deepEqual(
    announcements.map(({ frame }) => frame),
    expected,
  );
});

function isAbout(frame: Frame, address: string): boolean {
  return (
    (frame.kind === 'arp' && frame.senderAddress === address) || (frame.kind === 'ndp' && frame.target === address)
  );
}
