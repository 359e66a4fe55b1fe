import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Framing } from '../../src/memberlist-lite/framing.ts';
import { isMalformed, type Malformed } from '../../src/memberlist-lite/malformed.ts';
import { compressCodec, nodeStateCodec, pingCodec } from '../../src/memberlist-lite/messages.ts';
import { encodeStream, type StreamMessage, StreamReader } from '../../src/memberlist-lite/stream-reader.ts';
import { suite } from '../support/suite.ts';
import { compress } from './lzw-encoder.ts';
import { bytesOf, framing, hexOf, sample, sampleKey } from './vectors.ts';

const test = suite('memberlist-lite/stream-reader');

type Kind = 'request' | 'reply';
const plain = framing();
const keyed = framing({ key: sampleKey });
const labelled = framing({ key: sampleKey, label: 'lab1' });

/** Reads a whole stream, handed over in pieces of `size` bytes. */
function read(bytes: Uint8Array, using: Framing = plain, kind: Kind = 'request', size = bytes.length): unknown {
  const reader = new StreamReader(kind, using, { left: 8 * 1024 * 1024 });
  let result: StreamMessage | Malformed | undefined;
  for (let at = 0; at < bytes.length && result === undefined; at += size) {
    result = reader.push(bytes.subarray(at, at + size));
  }
  return result;
}

const captured: readonly [name: string, framing: Framing, kind: Kind, type: string][] = [
  ['push/pull request with user state', plain, 'request', 'pushPull'],
  ['push/pull reply with user state', plain, 'reply', 'pushPull'],
  ['push/pull request of v0.2.2', plain, 'request', 'pushPull'],
  ['push/pull with a suspect', plain, 'request', 'pushPull'],
  ['push/pull query without nodes', plain, 'request', 'pushPull'],
  ['ping over a stream', plain, 'request', 'ping'],
  ['ack over a stream', plain, 'reply', 'ack'],
  ['user message over a stream', plain, 'request', 'user'],
  ['err', plain, 'reply', 'err'],
  ['compressed push/pull', plain, 'request', 'pushPull'],
  ['compressed ack', plain, 'reply', 'ack'],
  ['sealed push/pull', keyed, 'request', 'pushPull'],
  ['sealed ack over a stream', keyed, 'reply', 'ack'],
  ['sealed ack over a stream, version 0', keyed, 'reply', 'ack'],
  ['sealed user stream with label', labelled, 'request', 'user'],
  ['sealed ack reply with label', labelled, 'reply', 'ack'],
  ['metallb push/pull request', keyed, 'request', 'pushPull'],
  ['metallb push/pull reply', keyed, 'reply', 'pushPull'],
];
for (const [name, using, kind, type] of captured) {
  test(`reads a captured stream, whole and in single bytes: ${name}`, () => {
    const bytes = bytesOf(sample(name).hex);
    const whole = read(bytes, using, kind) as StreamMessage;
    assert.equal(whole.type, type);
    assert.deepEqual(read(bytes, using, kind, 1), whole);
  });
  test(`asks for more until the last byte: ${name}`, () => {
    assert.equal(read(bytesOf(sample(name).hex).subarray(0, -1), using, kind), undefined);
  });
}

test('reads the members that a push/pull names', () => {
  const { states, join } = read(bytesOf(sample('push/pull with a suspect').hex)) as StreamMessage & {
    type: 'pushPull';
  };
  assert.equal(join, false);
  const told = states.map(({ name, addr, port, incarnation, state }) => [name, addr, port, incarnation, state]);
  assert.deepEqual(told, [
    ['a', '127.0.0.1', 17952, 1, 0],
    ['c', '127.0.0.3', 17952, 1, 1],
    ['b', '127.0.0.2', 17952, 2, 0],
  ]);
});

const ping = pingCodec.encode({ seqNo: 6, node: 'c', sourceAddr: '127.0.0.1', sourcePort: 17952, sourceNode: 'a' }, 0);

test('writes a plain request as Go does', () => {
  assert.equal(hexOf(encodeStream(ping, 'request', plain)), sample('ping over a stream').hex);
});

for (const [name, using] of [
  ['plain', plain],
  ['sealed', keyed],
  ['sealed and labelled', labelled],
  ['labelled', framing({ label: 'lab1' })],
] as const) {
  test(`reads back what it wrote: ${name}`, () => {
    for (const kind of ['request', 'reply'] as const) {
      const result = read(encodeStream(ping, kind, using), using, kind, 7) as StreamMessage & { type: 'ping' };
      assert.equal(result.seqNo, 6);
    }
  });
}

const squeezed = (bytes: Uint8Array) => Uint8Array.of(9, ...compressCodec.encode({ algo: 0, buf: compress(bytes) }));
const thrice = squeezed(squeezed(squeezed(ping)));

test('unwraps as many layers as peers may send, and not more', () => {
  assert.ok(!isMalformed(read(thrice) as StreamMessage));
  assert.deepEqual(read(squeezed(thrice)), { malformed: 'too-big' });
});

const header = (nodes: string, userState = '00') =>
  `0683a44a6f696ec3a54e6f646573${nodes}ac5573657253746174654c656e${userState}`;
const refused: readonly [name: string, hex: string, framing: Framing, reason: string][] = [
  ['a type of packets', '0381a44e6f6465a163', plain, 'unknown-type'],
  ['more members than any ring has', header('ce00002711'), plain, 'too-big'],
  ['a negative number of members', header('ff'), plain, 'malformed'],
  ['more user state than we read', header('00', 'ce00100001'), plain, 'too-big'],
  ['a message of an application that is too big', '0881aa557365724d73674c656ece00100001', plain, 'too-big'],
  ['a message of negative length', '0881aa557365724d73674c656ed1ffff', plain, 'malformed'],
  ['a member that never ends', `${header('01')}81a158daffff${'00'.repeat(9000)}`, plain, 'too-big'],
  ['a member without address', `${header('01')}81a44e616d65a161`, plain, 'malformed'],
  ['a state that does not exist', `${header('01')}81a5537461746504`, plain, 'too-big'],
  ['an encrypted request without a key', '0a0000001d', plain, 'encrypted'],
  ['a plain request where keys are set', hexOf(ping), keyed, 'undecryptable'],
  ['a frame of 4 GiB', '0affffffff', keyed, 'too-big'],
  ['a frame that no key opens', `0a0000001d01${'00'.repeat(28)}`, keyed, 'undecryptable'],
  ['a label where none is set', 'f4046c616231', plain, 'label'],
  ['another label', 'f4046c616232', labelled, 'label'],
  ['no label where one is set', hexOf(encodeStream(ping, 'reply', labelled)), labelled, 'label'],
  ['a compressed message that is cut off inside', hexOf(squeezed(ping.subarray(0, -1))), plain, 'truncated'],
  ['an unknown compression', '0982a4416c676f01a3427566a161', plain, 'compression'],
];
for (const [name, hex, using, reason] of refused) {
  test(`refuses ${name} as ${reason}`, () => assert.deepEqual(read(bytesOf(hex), using), { malformed: reason }));
}

test('refuses a stream above the limit of one, and above that of all together', () => {
  const endless = bytesOf(header('d12710'));
  const member = { name: 'n', addr: '192.0.2.1', port: 7946, incarnation: 1, state: 0, vsn: bytesOf('010502000000') };
  const state = nodeStateCodec.encode({ ...member, meta: new Uint8Array(512) });
  const reader = new StreamReader('request', plain, { left: 8 * 1024 * 1024 });
  assert.equal(reader.push(endless), undefined);
  let read = endless.length;
  for (; read + state.length <= 4 * 1024 * 1024; read += state.length) assert.equal(reader.push(state), undefined);
  assert.deepEqual(reader.push(state), { malformed: 'too-big' });

  const budget = { left: 1000 };
  const first = new StreamReader('request', plain, budget);
  const second = new StreamReader('request', plain, budget);
  const message = bytesOf(`0881aa557365724d73674c656ece00100000`);
  assert.equal(first.push(message), undefined);
  assert.equal(first.push(new Uint8Array(900)), undefined);
  assert.deepEqual(second.push(new Uint8Array(100)), { malformed: 'too-big' });
  first.release();
  first.release();
  assert.equal(budget.left, 1000);
});

test('any captured stream with any byte changed gives a message or a reason, and never an exception', () => {
  const names = captured.filter(([, using]) => using === plain).map(([name, , kind]) => [name, kind] as const);
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(), fc.nat({ max: 255 }), ([name, kind], at, byte) => {
      const bytes = bytesOf(sample(name).hex);
      bytes[at % bytes.length] = byte;
      read(bytes, plain, kind, 50);
    }),
    { numRuns: 2000 },
  );
});

test('any bytes, sealed by someone who has the key, give a message or a reason, and never an exception', () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 2, 6, 8, 9, 13), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
      const result = read(encodeStream(Uint8Array.of(type, ...bytes), 'request', keyed), keyed);
      assert.notEqual(result, undefined);
    }),
    { numRuns: 1000 },
  );
});
