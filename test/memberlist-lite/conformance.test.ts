import assert from 'node:assert/strict';

import {
  ackCodec,
  encodeMessage,
  encodeUserStream,
  errCodec,
  memberStates,
  messageType,
  type NodeState,
  pingCodec,
} from '../../src/memberlist-lite/messages.ts';
import { decodePacket, encodePacket } from '../../src/memberlist-lite/packet.ts';
import { encodePushPull } from '../../src/memberlist-lite/push-pull.ts';
import { encodeStream, type StreamMessage, StreamReader } from '../../src/memberlist-lite/stream-reader.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, type FramingOptions, framing, hexOf, sample, sampleKey, samples } from './vectors.ts';

/** Every capture is read, and what was read is written again: it has to be what Go wrote, to the byte. */
const test = suite('memberlist-lite/conformance');

const plain = {};
const squeezing = { compression: true };
const keyed = { key: sampleKey };
const keyedSqueezing = { ...keyed, ...squeezing };
const protocol1 = { ...keyed, protocolVersion: 1 };
const labelled = { ...keyed, label: 'lab1' };
const labelledSqueezing = { ...labelled, ...squeezing };

const packets: readonly [name: string, ring: FramingOptions, checksum: boolean][] = [
  ['ping', plain, false],
  ['indirect ping', plain, false],
  ['ack', plain, false],
  ['nack', plain, false],
  ['suspect', plain, false],
  ['alive', plain, false],
  ['alive, refuting', plain, false],
  ['dead, failed', plain, false],
  ['dead, left', plain, false],
  ['user packet', plain, false],
  ['checksum around alive', plain, true],
  ['checksum around ping and suspect', plain, true],
  ['ack with gossip', plain, false],
  ['compressed gossip', squeezing, true],
  ['sealed ping', keyedSqueezing, false],
  ['sealed ack', keyedSqueezing, false],
  ['sealed ack, version 0', { ...protocol1, ...squeezing }, false],
  ['sealed compressed gossip', keyedSqueezing, true],
  ['sealed ack with label', labelledSqueezing, false],
  ['metallb gossip', keyedSqueezing, true],
];
for (const [name, ring, checksum] of packets) {
  test(`writes the packet that it read: ${name}`, () => {
    const { hex, label } = sample(name);
    const using = framing({ ...ring, random: nonceOf(hex, label === undefined ? 1 : 2 + label.length + 1) });
    const reasons: string[] = [];
    const messages = decodePacket(bytesOf(hex), using, (reason) => reasons.push(reason));
    assert.deepEqual(reasons, []);
    assert.equal(
      hexOf(
        encodePacket(
          messages.map((message) => encodeMessage(message)),
          checksum,
          using,
        ),
      ),
      hex,
    );
  });
}

const streams: readonly [name: string, ring: FramingOptions, kind: 'request' | 'reply'][] = [
  ['push/pull request with user state', plain, 'request'],
  ['push/pull reply with user state', plain, 'reply'],
  ['push/pull with a suspect', plain, 'request'],
  ['ping over a stream', plain, 'request'],
  ['ack over a stream', plain, 'reply'],
  ['user message over a stream', plain, 'request'],
  ['err', plain, 'reply'],
  ['compressed push/pull', squeezing, 'request'],
  ['compressed ack', squeezing, 'reply'],
  ['sealed push/pull', keyedSqueezing, 'request'],
  ['sealed ack over a stream', keyedSqueezing, 'reply'],
  ['sealed ack over a stream, version 0', { ...protocol1, ...squeezing }, 'reply'],
  ['sealed user stream with label', labelledSqueezing, 'request'],
  ['sealed ack reply with label', labelledSqueezing, 'reply'],
  ['metallb push/pull request', keyedSqueezing, 'request'],
  ['metallb push/pull reply', keyedSqueezing, 'reply'],
];
for (const [name, ring, kind] of streams) {
  test(`writes the stream that it read: ${name}`, () => {
    const { hex } = sample(name);
    const header = ring.label === undefined || kind === 'reply' ? 0 : 2 + ring.label.length;
    const using = framing({ ...ring, random: nonceOf(hex, header + 6) });
    const message = new StreamReader(kind, using, { left: 1_000_000 }).push(bytesOf(hex));
    assert.ok(message !== undefined && 'type' in message, JSON.stringify(message));
    assert.equal(hexOf(encodeStream(rewritten(message), kind, using)), hex);
  });
}

/** Captures that we read and would spell otherwise, with the reason. */
const otherSpellings: Readonly<Record<string, string>> = {
  'push/pull request of v0.2.2': 'the older library writes lengths with unsigned tags',
  'push/pull query without nodes': 'was written by hand, with its keys unsorted',
};
for (const [name, reason] of Object.entries(otherSpellings)) {
  test(`reads what it would write otherwise: ${name}, because ${reason}`, () => {
    const message = new StreamReader('request', framing(), { left: 1_000_000 }).push(bytesOf(sample(name).hex));
    assert.ok(message !== undefined && 'type' in message && message.type === 'pushPull');
    const again = new StreamReader('request', framing(), { left: 1_000_000 }).push(rewritten(message));
    assert.deepEqual(again, message);
  });
}

test('every capture is here', () => {
  const here = [...packets, ...streams].map(([name]) => name);
  assert.deepEqual([...here, ...Object.keys(otherSpellings)].sort(), Object.keys(samples).sort());
});

/** The nonce that Go has drawn; the rest of writing leaves nothing to chance. */
function nonceOf(hex: string, at: number) {
  return { float: () => 0, integer: () => 0, bytes: (length: number) => bytesOf(hex).slice(at, at + length) };
}

function rewritten(message: StreamMessage): Uint8Array {
  switch (message.type) {
    case 'ping':
      return pingCodec.encode(message, messageType.ping);
    case 'ack':
      return ackCodec.encode(message, messageType.ack);
    case 'err':
      return errCodec.encode(message, messageType.err);
    case 'user':
      return encodeUserStream(message.payload);
    case 'pushPull':
      return encodePushPull(message.states.map(entryOf), message.join, message.userState);
    default:
      return message satisfies never;
  }
}

function entryOf({ addr: address, state, ...rest }: NodeState) {
  return { ...rest, address, state: memberStates[state] ?? 'alive', since: 0 };
}
