import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Framing } from '../../src/memberlist-lite/framing.ts';
import type { DropReason } from '../../src/memberlist-lite/malformed.ts';
import { compressCodec, encodeMessage, type PacketMessage } from '../../src/memberlist-lite/messages.ts';
import { decodePacket, encodePacket, packetRoom } from '../../src/memberlist-lite/packet.ts';
import { suite } from '../support/suite.ts';
import { compress } from './lzw-encoder.ts';
import { bytesOf, framing, hexOf, sample, sampleKey } from './vectors.ts';

const test = suite('memberlist-lite/packet');

const plain = framing();
const keyed = framing({ key: sampleKey });

function open(
  packet: Uint8Array,
  using: Framing = plain,
): { messages: readonly PacketMessage[]; dropped: DropReason[] } {
  const dropped: DropReason[] = [];
  return { messages: decodePacket(packet, using, (reason) => dropped.push(reason)), dropped };
}

const captured: readonly [name: string, framing: Framing, types: readonly string[]][] = [
  ['ping', plain, ['ping']],
  ['user packet', plain, ['user']],
  ['checksum around alive', plain, ['alive']],
  ['checksum around ping and suspect', plain, ['ping', 'suspect']],
  ['ack with gossip', plain, ['ack', 'alive', 'alive', 'alive']],
  ['compressed gossip', plain, ['alive', 'alive']],
  ['sealed ping', keyed, ['ping']],
  ['sealed ack, version 0', keyed, ['ack']],
  ['sealed compressed gossip', keyed, ['alive', 'alive']],
  ['sealed ack with label', framing({ key: sampleKey, label: 'lab1' }), ['ack']],
  ['metallb gossip', keyed, ['alive']],
];
for (const [name, using, types] of captured) {
  test(`unwraps a captured packet: ${name}`, () => {
    const { messages, dropped } = open(bytesOf(sample(name).hex), using);
    assert.deepEqual(
      messages.map((message) => message.type),
      types,
    );
    assert.deepEqual(dropped, []);
  });
}

test('wraps one message with a checksum as Go does', () => {
  assert.equal(hexOf(encodePacket([bytesOf(sample('alive').hex)], true, plain)), sample('checksum around alive').hex);
});

test('wraps several messages as Go does', () => {
  const { hex } = sample('checksum around ping and suspect');
  const parts = [hex.slice(22, 22 + 118), hex.slice(22 + 118)].map(bytesOf);
  assert.equal(hexOf(encodePacket(parts, true, plain)), hex);
});

const suspect = encodeMessage({ type: 'suspect', incarnation: 1, node: 'c', from: 'a' });
const squeezed = (bytes: Uint8Array) => Uint8Array.of(9, ...compressCodec.encode({ algo: 0, buf: compress(bytes) }));
const around = (...parts: Uint8Array[]) => encodePacket([new Uint8Array(0), ...parts], false, plain);
const nested = (depth: number, wrap: (bytes: Uint8Array) => Uint8Array) =>
  Array.from({ length: depth }).reduce<Uint8Array>((bytes) => wrap(bytes), suspect);
const checked = (bytes: Uint8Array) => encodePacket([bytes], true, plain);

test('unwraps as many layers as peers may send, and not more', () => {
  for (const wrap of [squeezed, (bytes: Uint8Array) => bytesOf(`0701${length16(bytes)}${hexOf(bytes)}`)]) {
    assert.equal(open(nested(3, wrap)).messages.length, 1);
    assert.deepEqual(open(nested(4, wrap)), { messages: [], dropped: ['too-big'] });
  }
});

test('a bad part costs itself, and a truncated tail what it reaches', () => {
  const packet = around(suspect, Uint8Array.of(14), suspect);
  assert.deepEqual(open(packet).dropped, ['truncated', 'unknown-type']);
  assert.equal(open(packet).messages.length, 2);
  const cut = open(packet.subarray(0, -1));
  assert.equal(cut.messages.length, 1);
  assert.deepEqual(cut.dropped, ['truncated', 'unknown-type', 'truncated']);
});

test('what many small parts expand to is limited for the packet as a whole', () => {
  const bomb = squeezed(new Uint8Array(40_000));
  const { dropped } = open(around(bomb, bomb, bomb));
  assert.deepEqual(dropped.filter((reason) => reason === 'too-big').length, 2);
});

const refused: readonly [name: string, packet: Uint8Array, framing: Framing, reason: DropReason][] = [
  ['an empty packet', new Uint8Array(0), plain, 'truncated'],
  ['a checksum that does not fit', flipped(checked(suspect)), plain, 'checksum'],
  ['a checksum that is cut off', bytesOf('0c0102'), plain, 'truncated'],
  ['a checksum inside of another', checked(checked(suspect)), plain, 'unknown-type'],
  ['a compound without parts', bytesOf('0700'), plain, 'truncated'],
  ['a compound without a count', bytesOf('07'), plain, 'truncated'],
  ['a compound without its lengths', bytesOf('07020001'), plain, 'truncated'],
  ['an unknown compression', bytesOf('0982a4416c676f01a3427566a161'), plain, 'compression'],
  ['broken compression', bytesOf('0982a4416c676f00a3427566a161'), plain, 'compression'],
  ['a type of streams', bytesOf('0680'), plain, 'unknown-type'],
  ['more than a datagram holds', new Uint8Array(65_536), plain, 'too-big'],
  ['a plain packet where keys are set', suspect, keyed, 'undecryptable'],
  [
    'a packet under another key',
    encodePacket([suspect], false, framing({ key: new Uint8Array(32) })),
    keyed,
    'undecryptable',
  ],
  ['a label where none is set', encodePacket([suspect], false, framing({ label: 'lab1' })), plain, 'label'],
  ['another label', encodePacket([suspect], false, framing({ label: 'lab2' })), framing({ label: 'lab1' }), 'label'],
  ['no label where one is set', suspect, framing({ label: 'lab1' }), 'label'],
  ['a label that is cut off', bytesOf('f4046c61'), framing({ label: 'lab1' }), 'label'],
  ['a label without length', bytesOf('f4'), plain, 'label'],
];
for (const [name, packet, using, reason] of refused) {
  test(`refuses ${name} as ${reason}`, () =>
    assert.deepEqual(open(packet, using), { messages: [], dropped: [reason] }));
}

test('lets plain packets in while a ring is being switched to encryption', () => {
  const switching = framing({ key: sampleKey, verifyIncoming: false });
  assert.equal(open(suspect, switching).messages.length, 1);
  assert.equal(open(encodePacket([suspect], false, keyed), switching).messages.length, 1);
});

test('throws for a label longer than its length byte can say', () => {
  assert.throws(() => framing({ label: 'x'.repeat(256) }), { code: 'LABEL' });
});

test('a packet that fills its room stays within its budget', () => {
  for (const using of [plain, keyed, framing({ key: sampleKey, label: 'lab1' })]) {
    const room = packetRoom(1400, using);
    const parts = [new Uint8Array(700), new Uint8Array(room - 700 - 4)];
    assert.equal(encodePacket(parts, true, using).length, 1400);
  }
});

test('any bytes give messages and reasons, and never an exception', () => {
  const types = fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 244);
  fc.assert(
    fc.property(types, fc.uint8Array({ maxLength: 300 }), (type, bytes) => {
      for (const using of [plain, keyed, framing({ key: sampleKey, verifyIncoming: false })]) {
        const { messages, dropped } = open(Uint8Array.of(type, ...bytes), using);
        assert.ok(messages.length + dropped.length > 0);
      }
    }),
    { numRuns: 1000 },
  );
});

test('any captured packet with any byte changed gives messages and reasons, and never an exception', () => {
  const names = fc.constantFrom(...captured.filter(([, using]) => using === plain).map(([name]) => name));
  fc.assert(
    fc.property(names, fc.nat(), fc.nat({ max: 255 }), (name, at, byte) => {
      const bytes = bytesOf(sample(name).hex);
      bytes[at % bytes.length] = byte;
      // The checksum would refuse nearly all: look behind it too.
      for (const packet of [bytes, bytes.subarray(5)]) open(packet);
    }),
    { numRuns: 2000 },
  );
});

function flipped(packet: Uint8Array): Uint8Array {
  const last = packet.length - 1;
  return packet.with(last, (packet[last] ?? 0) ^ 1);
}

function length16(bytes: Uint8Array): string {
  return bytes.length.toString(16).padStart(4, '0');
}
