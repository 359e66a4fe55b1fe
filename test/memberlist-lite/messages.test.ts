import assert from 'node:assert/strict';
import { decode as referenceDecode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { isMalformed } from '../../src/memberlist-lite/malformed.ts';
import { decodeMessage, encodeMessage, type PacketMessage } from '../../src/memberlist-lite/messages.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, hexOf, sample } from './vectors.ts';

const test = suite('memberlist-lite/messages');

const source = { sourceAddr: '127.0.0.2', sourcePort: 17952, sourceNode: 'b' };
const vsn = bytesOf('010502000000');
const text = (value: string) => new TextEncoder().encode(value);

const captured: readonly [name: string, message: Exclude<PacketMessage, { type: 'user' }>][] = [
  ['ping', { type: 'ping', seqNo: 1, node: 'c', ...source }],
  [
    'indirect ping',
    {
      type: 'indirectPing',
      seqNo: 6,
      node: 'c',
      target: '127.0.0.3',
      port: 17952,
      nack: true,
      ...source,
      sourceAddr: '127.0.0.1',
      sourceNode: 'a',
    },
  ],
  ['ack', { type: 'ack', seqNo: 1, payload: new Uint8Array(0) }],
  ['nack', { type: 'nack', seqNo: 6 }],
  ['suspect', { type: 'suspect', incarnation: 1, node: 'c', from: 'a' }],
  ['alive', { type: 'alive', incarnation: 1, node: 'c', addr: '127.0.0.3', port: 17952, meta: text('meta-c'), vsn }],
  ['dead, failed', { type: 'dead', incarnation: 1, node: 'c', from: 'b' }],
  ['dead, left', { type: 'dead', incarnation: 2, node: 'b', from: 'b' }],
  [
    'alive, refuting',
    { type: 'alive', incarnation: 2, node: 'c', addr: '127.0.0.3', port: 17952, meta: text('meta-c'), vsn },
  ],
];
for (const [name, message] of captured) {
  test(`reads a captured message: ${name}`, () => {
    assert.deepEqual(decodeMessage(bytesOf(sample(name).hex)), message);
  });
  test(`writes the bytes that Go writes: ${name}`, () => {
    assert.equal(hexOf(encodeMessage(message)), sample(name).hex);
  });
}

test('reads and writes a user message, which has no fields, as Go does', () => {
  const { hex } = sample('user packet');
  const message = { type: 'user', payload: text('user-besteffort') } as const;
  assert.deepEqual(decodeMessage(bytesOf(hex)), message);
  assert.equal(hexOf(encodeMessage(message)), hex);
});

const suspectOf = (keys: string) => `03${keys}`;
const spellings: readonly [name: string, hex: string][] = [
  ['keys in another order', suspectOf('83a44e6f6465a163ab496e6361726e6174696f6e01a446726f6da161')],
  ['a string as str8', suspectOf('83a446726f6da161ab496e6361726e6174696f6e01a44e6f6465d90163')],
  ['a string as bin8', suspectOf('83a446726f6da161ab496e6361726e6174696f6e01a44e6f6465c40163')],
  ['an int64', suspectOf('83a446726f6da161ab496e6361726e6174696f6ed30000000000000001a44e6f6465a163')],
  ['a map16', suspectOf('de0003a446726f6da161ab496e6361726e6174696f6e01a44e6f6465a163')],
  ['an unknown key', suspectOf('84a446726f6da161ab496e6361726e6174696f6e01a44e6f6465a163a15892c0d60100000000')],
  ['bytes behind the map', suspectOf('83a446726f6da161ab496e6361726e6174696f6e01a44e6f6465a163ffff')],
];
for (const [name, hex] of spellings) {
  test(`reads ${name} as Go does`, () => {
    const expected = { type: 'suspect', incarnation: 1, node: 'c', from: 'a' };
    assert.deepEqual(decodeMessage(bytesOf(hex)), expected);
  });
}

test('reads nil and absent fields as zero', () => {
  assert.deepEqual(decodeMessage(bytesOf('0381a44e6f6465c0')), { type: 'suspect', incarnation: 0, node: '', from: '' });
});

const longName = `da${(600).toString(16).padStart(4, '0')}${'61'.repeat(600)}`;
const alive = (addr: string, versions: string) => `0483a441646472${addr}a356736e${versions}a44e6f6465a163`;
const malformed: readonly [name: string, hex: string, reason: string][] = [
  ['nothing', '', 'truncated'],
  ['no map', '03', 'truncated'],
  ['a type that does not exist', '0e80', 'unknown-type'],
  ['a type of streams', '0680', 'unknown-type'],
  ['an array instead of a map', '0393a1610101', 'malformed'],
  ['a map cut off in a key', '0381a44e6f', 'truncated'],
  ['a map cut off in a value', '0381a44e6f6465a5616263', 'truncated'],
  ['more keys than any message has', '03de0021', 'too-big'],
  ['a key that is a number', '038101a163', 'malformed'],
  ['a key longer than any', `0381d941${'61'.repeat(65)}c0`, 'too-big'],
  ['a negative number', '0381ab496e6361726e6174696f6eff', 'malformed'],
  ['a negative int64', '0381ab496e6361726e6174696f6ed3ffffffffffffffff', 'malformed'],
  ['a number too big for its field', '0381ab496e6361726e6174696f6ecf0000000100000000', 'too-big'],
  ['a float', '0381ab496e6361726e6174696f6eca3f800000', 'malformed'],
  ['a text that is a number', '0381a44e6f646507', 'malformed'],
  ['a text that is no UTF-8', '0381a44e6f6465a2c328', 'malformed'],
  ['a name above the limit', `0381a44e6f6465${longName}`, 'too-big'],
  ['a name of 4 GiB', '0381a44e6f6465dbffffffff', 'too-big'],
  ['a nack flag that is a number', '0181a44e61636b01', 'malformed'],
  ['an unknown key holding a huge array', '0381a158ddffffffff', 'too-big'],
  ['an unknown key holding a deep nest', `0381a158${'91'.repeat(100)}`, 'too-big'],
  ['an unknown key holding a reserved tag', '0381a158c1', 'malformed'],
  ['an address of 5 bytes', alive('a50102030405', 'a6010502000000'), 'malformed'],
  ['no address', alive('c0', 'a6010502000000'), 'malformed'],
  ['versions of 3 bytes', alive('a47f000001', 'a3010502'), 'malformed'],
];
for (const [name, hex, reason] of malformed) {
  test(`refuses ${name} as ${reason}`, () => {
    assert.deepEqual(decodeMessage(bytesOf(hex)), { malformed: reason });
  });
}

const nameOf = fc.string({ unit: 'grapheme', maxLength: 60 });
const addressOf = fc.oneof(fc.ipV4(), fc.constantFrom('2001:db8::1', '::', 'fe80::1:0:0:1', '1:2:3:4:5:6:7:8'));
const uint32 = fc.nat({ max: 0xffff_ffff });
const uint16 = fc.nat({ max: 0xffff });
const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => new Uint8Array(bytes));
const origin = {
  sourceAddr: fc.oneof(addressOf, fc.constant('')),
  sourcePort: uint16,
  sourceNode: nameOf,
};
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true });
const accusation = { incarnation: uint32, node: nameOf, from: nameOf };
const anyMessage: fc.Arbitrary<Exclude<PacketMessage, { type: 'user' }>> = fc.oneof(
  record({ type: fc.constant('ping' as const), seqNo: uint32, node: nameOf, ...origin }),
  record({
    type: fc.constant('indirectPing' as const),
    seqNo: uint32,
    node: nameOf,
    target: addressOf,
    port: uint16,
    nack: fc.boolean(),
    ...origin,
  }),
  record({ type: fc.constant('ack' as const), seqNo: uint32, payload: bytesUpTo(300) }),
  record({ type: fc.constant('nack' as const), seqNo: uint32 }),
  record({ type: fc.constant('suspect' as const), ...accusation }),
  record({ type: fc.constant('dead' as const), ...accusation }),
  record({
    type: fc.constant('alive' as const),
    incarnation: uint32,
    node: nameOf,
    addr: addressOf,
    port: uint16,
    meta: bytesUpTo(512),
    vsn: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => new Uint8Array(bytes)),
  }),
);

test('keeps nothing of the packet alive: what is read is a copy, also of the Buffers that sockets give', () => {
  const messages = [
    { type: 'user', payload: text('told') },
    { type: 'alive', incarnation: 1, node: 'c', addr: '127.0.0.3', port: 1, meta: text('meta'), vsn },
  ] as const;
  for (const message of messages) {
    const packet = Buffer.from(encodeMessage(message));
    const read = decodeMessage(packet);
    packet.fill(0);
    assert.deepEqual(read, message);
  }
});

test('reads back what it wrote', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      assert.deepEqual(decodeMessage(encodeMessage(message)), message);
    }),
  );
});

test('writes maps that an independent msgpack reader understands, with sorted keys', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const value = referenceDecode(encodeMessage(message).subarray(1), { rawStrings: true }) as {
        SeqNo?: number;
        Incarnation?: number;
        Node?: Uint8Array;
      };
      const keys = Object.keys(value);
      assert.deepEqual(keys, [...keys].sort());
      if ('seqNo' in message) assert.equal(value.SeqNo, message.seqNo);
      if ('incarnation' in message) assert.equal(value.Incarnation, message.incarnation);
      if ('node' in message) assert.deepEqual(new Uint8Array(value.Node ?? []), text(message.node));
    }),
  );
});

test('any bytes give a message or a reason, and never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const result = decodeMessage(bytes);
      assert.ok(isMalformed(result) || typeof result.type === 'string');
    }),
    { numRuns: 2000 },
  );
});

test('a message with any byte changed gives a message or a reason, and never an exception', () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), fc.nat({ max: 255 }), (message, at, byte) => {
      const bytes = encodeMessage(message);
      bytes[at % bytes.length] = byte;
      const result = decodeMessage(bytes);
      assert.ok(isMalformed(result) || typeof result.type === 'string');
    }),
    { numRuns: 2000 },
  );
});
