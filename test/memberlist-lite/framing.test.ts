import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Config, lan } from '../../src/memberlist-lite/config.ts';
import { MemberTable } from '../../src/memberlist-lite/member-table.ts';
import type { MemberlistOptions } from '../../src/memberlist-lite/memberlist.ts';
import { encodeMessage, encodeUserStream, type PacketMessage } from '../../src/memberlist-lite/messages.ts';
import { decodePacket, encodePacket } from '../../src/memberlist-lite/packet.ts';
import { encodePushPull } from '../../src/memberlist-lite/push-pull.ts';
import { senderOfPacket, senderOfStream } from '../../src/memberlist-lite/sender.ts';
import { encodeStream, type StreamMessage, StreamReader } from '../../src/memberlist-lite/stream-reader.ts';
import { suite } from '../support/suite.ts';
import { Ring } from './ring.ts';
import { bytesOf, type FramingOptions, framing } from './vectors.ts';

const test = suite('memberlist-lite/framing');

const plainBytes = (bytes: Uint8Array) => new Uint8Array(bytes);
const anyKey = fc.constantFrom(16, 24, 32).map((length) => new Uint8Array(length).fill(length));
const options = { noNullPrototype: true };
/** Every ring that there can be, as far as its packets and streams look. */
const anyRing: fc.Arbitrary<FramingOptions> = fc.record(
  {
    key: anyKey,
    label: fc.string({ unit: 'grapheme', minLength: 0, maxLength: 40 }),
    compression: fc.boolean(),
    protocolVersion: fc.constantFrom(1, 2, 5),
  },
  { ...options, requiredKeys: [] },
);
const anyUser: fc.Arbitrary<PacketMessage> = fc.record(
  { type: fc.constant('user' as const), payload: fc.uint8Array({ maxLength: 300 }).map(plainBytes) },
  options,
);
const anyDead: fc.Arbitrary<PacketMessage> = fc.record(
  { type: fc.constant('dead' as const), incarnation: fc.nat(), node: fc.string(), from: fc.string() },
  options,
);

test('any messages come out of a packet as they went in, whatever the ring', () => {
  const messages = fc.array(fc.oneof(anyUser, anyDead), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(anyRing, messages, fc.boolean(), (ring, sent, checksum) => {
      const using = framing(ring);
      const packet = encodePacket(sent.map(encodeMessage), checksum, using);
      const dropped: string[] = [];
      assert.deepEqual(
        decodePacket(Buffer.from(packet), using, (reason) => dropped.push(reason)),
        sent,
      );
      assert.deepEqual(dropped, []);
    }),
  );
});

test('any request and any reply come out of a stream as they went in, whatever the ring and however they are cut', () => {
  const payloads = fc.uint8Array({ maxLength: 3000 }).map(plainBytes);
  const kinds = fc.constantFrom('request' as const, 'reply' as const);
  fc.assert(
    fc.property(
      anyRing,
      payloads,
      kinds,
      fc.integer({ min: 1, max: 500 }),
      fc.boolean(),
      (ring, bytes, kind, size, isUser) => {
        const using = framing(ring);
        const message = isUser ? encodeUserStream(bytes) : encodePushPull([], true, bytes);
        const stream = encodeStream(message, kind, using);
        const budget = { left: 1_000_000 };
        const reader = new StreamReader(kind, using, budget);
        let result: StreamMessage | object | undefined;
        for (let at = 0; at < stream.length; at += size) {
          assert.equal(result, undefined, 'asks for more until the end');
          result = reader.push(stream.subarray(at, at + size));
        }
        assert.deepEqual(
          result,
          isUser ? { type: 'user', payload: bytes } : { type: 'pushPull', join: true, states: [], userState: bytes },
        );
        reader.release();
        assert.equal(budget.left, 1_000_000);
      },
    ),
  );
});

test('nothing of a ring with a key or a label is taken for a message by another ring', () => {
  fc.assert(
    fc.property(anyRing, anyRing, anyDead, (ours, theirs, message) => {
      fc.pre((ours.label ?? '') !== (theirs.label ?? '') || ours.key?.length !== theirs.key?.length);
      // Without a key on either side only the label tells them apart, and an empty one is none.
      const packet = encodePacket([encodeMessage(message)], false, framing(theirs));
      const understood = decodePacket(packet, framing(ours), () => {}).filter(({ type }) => type === 'dead');
      assert.deepEqual(understood, []);
    }),
  );
});

type Stage = { readonly keys?: MemberlistOptions['keys']; readonly config: Config };
const keys = [new Uint8Array(32).fill(1)];
/** How a ring is switched to encryption without an interruption: each member is restarted from stage to stage. */
const stages: readonly [name: string, before: Stage, after: Stage][] = [
  [
    'no keys, and keys that are neither used nor asked for',
    { config: lan },
    { keys, config: { ...lan, verifyIncoming: false, verifyOutgoing: false } },
  ],
  [
    'keys that are not used yet, and keys that are used',
    { keys, config: { ...lan, verifyIncoming: false, verifyOutgoing: false } },
    { keys, config: { ...lan, verifyIncoming: false } },
  ],
  [
    'keys that are used, and keys that are asked for',
    { keys, config: { ...lan, verifyIncoming: false } },
    { keys, config: lan },
  ],
];
for (const [name, before, after] of stages) {
  test(`members with ${name} are in one ring`, async () => {
    const ring = new Ring(1);
    for (const [member, { config, ...rest }] of [
      ['a', before],
      ['b', after],
      ['c', after],
    ] as const) {
      await ring.add(member, config, rest);
    }
    for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
    await ring.converge(['a', 'b', 'c']);
    await ring.clock.advance(60_000);
    for (const { member, events } of ring.nodes) {
      assert.ok(events.every(({ type }) => type === 'join'));
      assert.equal(member.counters.probesMissed, 0);
      assert.ok(Object.values(member.counters.dropped).every((count) => count === 0));
    }
    await ring.close();
  });
}

const places: readonly [
  name: string,
  address: string,
  port: number,
  packet: string | undefined,
  stream: string | undefined,
][] = [
  ['the place of a member', '192.0.2.2', 7946, 'alone', 'alone'],
  ['another port of its address', '192.0.2.2', 40_000, undefined, 'alone'],
  ['an address that two share', '192.0.2.3', 7946, 'one', undefined],
  ['nobody’s address', '192.0.2.9', 7946, undefined, undefined],
  ['an IPv6 address, spelled otherwise', '2001:DB8:0::1', 7946, 'six', 'six'],
  ['the address of one that has left', '192.0.2.4', 7946, undefined, undefined],
];
for (const [name, address, port, packet, stream] of places) {
  test(`a packet from ${name} is from ${packet ?? 'nobody known'}, a stream from ${stream ?? 'nobody known'}`, () => {
    const rest = { meta: new Uint8Array(0), vsn: bytesOf('010502000000') };
    const table = new MemberTable({ name: 'us', address: '192.0.2.1', port: 7946, ...rest }, 0, lan);
    for (const [node, addr, at] of [
      ['alone', '192.0.2.2', 7946],
      ['one', '192.0.2.3', 7946],
      ['two', '192.0.2.3', 7947],
      ['six', '2001:db8::1', 7946],
      ['gone', '192.0.2.4', 7946],
    ] as const) {
      table.alive({ node, addr, port: at, incarnation: 1, ...rest }, 0);
    }
    table.dead({ node: 'gone', incarnation: 1, from: 'gone' }, 0);
    assert.equal(senderOfPacket(table, { address, port }).name, packet);
    assert.equal(senderOfStream(table, { address, port }).name, stream);
  });
}
