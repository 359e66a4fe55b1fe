import assert from 'node:assert/strict';
import { lan } from '../../src/memberlist-lite/config.ts';
import type { DropReason } from '../../src/memberlist-lite/malformed.ts';
import type { Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import {
  encodeMessage,
  encodeUserStream,
  nodeStateCodec,
  type PacketMessage,
  pushPullCodec,
} from '../../src/memberlist-lite/messages.ts';
import { deflate, encodePacket } from '../../src/memberlist-lite/packet.ts';
import { suite } from '../support/suite.ts';
import { Ring, seenBy } from './ring.ts';
import { bytesOf, framing, sample } from './vectors.ts';

/** What one who may talk to a member, or has its key, can make it spend: each of these has a bound. */
const test = suite('memberlist-lite/attacks');

const attacker = { address: '192.0.2.200', port: 7946 };
const victim = { address: '192.0.2.1', port: 7946 };
const none = new Uint8Array(0);
const vsn = bytesOf('010502000000');
const source = { sourceAddr: '', sourcePort: 0, sourceNode: '' };

/** One member, `us`, and a way to send to it. */
async function lone(config = lan) {
  const ring = new Ring(1);
  const { member } = await ring.add('us', config);
  const transport = ring.network.transport(attacker);
  let answers = 0;
  await transport.listen({ packet: () => answers++, stream: (stream) => stream.destroy() });
  const send = async (messages: readonly PacketMessage[]) => {
    ring.network.carryPacket(attacker, victim, encodePacket(messages.map(encodeMessage), false, framing()));
    await ring.clock.advance(1);
  };
  return { ring, member, transport, send, answers: () => answers };
}

const dropped = (member: Memberlist, reason: DropReason) => member.counters.dropped[reason];
const alive = (node: string, incarnation = 1): PacketMessage => {
  return { type: 'alive', node, incarnation, addr: '192.0.2.250', port: 7946, meta: none, vsn };
};

const amplifying: readonly [name: string, message: PacketMessage][] = [
  ['pings', { type: 'ping', seqNo: 1, node: 'us', ...source }],
  [
    'pings for others',
    { type: 'indirectPing', seqNo: 1, target: '192.0.2.9', port: 1, node: 'x', nack: true, ...source },
  ],
  ['accusations', { type: 'suspect', node: 'us', incarnation: 0, from: 'x' }],
  ['death notices', { type: 'dead', node: 'us', incarnation: 0, from: 'x' }],
];
for (const [name, message] of amplifying) {
  test(`a packet full of ${name} has it send no more than a few packets`, async () => {
    const { ring, member, send } = await lone();
    const before = member.counters.packetsSent;
    await send(Array.from({ length: 200 }, () => message));
    assert.ok(member.counters.packetsSent - before <= 8, `${member.counters.packetsSent - before}`);
    assert.equal(dropped(member, 'answer-limit'), 192);
    await ring.close();
  });
}

test('endless new names fill the table to its limit and no further, and when they are dead they make room', async () => {
  const config = { ...lan, gossipInterval: 1000, gossipToTheDeadTime: 3000 };
  const { ring, member, send } = await lone(config);
  for (let i = 0; i < 10_500; i += 250) {
    await send(Array.from({ length: 250 }, (_, j) => alive(`fake-${i + j}`)));
  }
  assert.equal(seenBy({ member } as never).length, 10_000);
  assert.equal(dropped(member, 'table-full'), 501);
  for (let i = 0; i < 10_500; i += 250) {
    await send(
      Array.from({ length: 250 }, (_, j) => ({ type: 'dead', node: `fake-${i + j}`, incarnation: 1, from: 'x' })),
    );
  }
  await ring.clock.advance(config.gossipToTheDeadTime + 2000);
  await send([alive('real')]);
  assert.deepEqual(seenBy({ member } as never), ['real', 'us']);
  await ring.close();
  assert.equal(ring.clock.pending(), 0);
}, 60_000);

test('whoever asks for the table on many streams and does not read it gets no more than fits the common budget', async () => {
  const { ring, member, send, transport } = await lone({ ...lan, compression: false });
  for (let i = 0; i < 5000; i += 100) {
    const meta = new Uint8Array(200);
    const claims = Array.from({ length: 100 }, (_, j) => ({ ...alive(`fake-${i + j}`), meta }) as PacketMessage);
    await send(claims);
  }
  assert.equal(member.members().length, 5001);
  // 5,000 members are about 1.4 MB, of which 32 MiB hold 23 or so.
  const query = bytesOf(sample('push/pull query without nodes').hex);
  let closed = 0;
  for (let i = 0; i < 60; i++) {
    const stream = transport.connect(victim);
    stream.receive({ data() {}, end() {}, closed: () => closed++ });
    stream.write(query);
  }
  await ring.clock.advance(10);
  const refused = dropped(member, 'stream-limit');
  assert.ok(refused > 20 && refused < 50, `${refused}`);
  await ring.clock.advance(lan.tcpTimeout);
  assert.equal(closed, 60);
  let answered = false;
  const stream = transport.connect(victim);
  stream.receive({
    data() {
      answered = true;
    },
    end: () => stream.destroy(),
    closed() {},
  });
  stream.write(query);
  await ring.clock.until('the next one is answered again', () => answered, 100);
  await ring.close();
}, 60_000);

const bombs: readonly [name: string, bytes: () => Uint8Array][] = [
  ['compressed once', () => deflate(encodeUserStream(new Uint8Array(1_000_000)))],
  ['compressed twice', () => deflate(deflate(new Uint8Array(8 * 1024 * 1024)))],
  ['compressed three times', () => deflate(deflate(deflate(new Uint8Array(8 * 1024 * 1024))))],
  ['compressed to more than the limit', () => deflate(new Uint8Array(9 * 1024 * 1024))],
];
for (const [name, bytes] of bombs) {
  test(`a stream ${name} is read within its bounds, and the ring goes on`, async () => {
    const { ring, member, transport } = await lone();
    const stream = transport.connect(victim);
    stream.receive({ data() {}, end() {}, closed() {} });
    stream.write(bytes());
    await ring.clock.advance(5);
    const refusals = (['too-big', 'unknown-type', 'truncated', 'malformed'] as const).map((reason) =>
      dropped(member, reason),
    );
    const total = refusals.reduce((sum, count) => sum + count, 0);
    assert.equal(total, name === 'compressed once' ? 0 : 1);
    assert.deepEqual(seenBy({ member } as never), ['us']);
    await ring.close();
  });
}

test('a push/pull of members that cannot be spoils nothing but itself', async () => {
  const { ring, member, transport } = await lone();
  const state = { name: 'x', addr: '192.0.2.8', port: 1, meta: none, incarnation: 2 ** 32 - 1, state: 0, vsn };
  const states = [
    { ...state, name: 'us', addr: '192.0.2.99', state: 3 },
    { ...state, name: '' },
    { ...state, name: 'us', state: 2 },
    state,
  ];
  const header = pushPullCodec.encode({ nodes: states.length, userStateLen: 0, join: true }, 6);
  const stream = transport.connect(victim);
  stream.receive({ data() {}, end() {}, closed() {} });
  stream.write(Buffer.concat([header, ...states.map((each) => nodeStateCodec.encode(each))]));
  await ring.clock.advance(10);
  assert.deepEqual(seenBy({ member } as never), ['us', 'x']);
  assert.equal(member.members().find(({ name }) => name === 'us')?.address, '192.0.2.1');
  await ring.close();
});

test('a suspicion counts each accuser once, and never more than shorten it', async () => {
  const { ring, member, send } = await lone();
  await send([alive('them'), alive('other'), alive('another')]);
  for (let i = 0; i < 4000; i += 200) {
    await send(
      Array.from({ length: 200 }, (_, j) => ({ type: 'suspect', node: 'them', incarnation: 1, from: `f${i + j}` })),
    );
  }
  assert.equal(member.members().find(({ name }) => name === 'them')?.state, 'suspect');
  // Not sooner than four probe intervals, however many accuse.
  await ring.clock.advance(3900);
  assert.ok(seenBy({ member } as never).includes('them'));
  await ring.clock.advance(200);
  assert.ok(!seenBy({ member } as never).includes('them'));
  await ring.close();
});
