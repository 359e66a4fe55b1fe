import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addressFromBytes, formatAddress } from '../../src/ip/address.ts';
import {
  type ArpFrame,
  arpOperation,
  arpRequest,
  describeFrame,
  linkLayerAddress,
  linkLayerOption,
  multicastMac,
  type NdpFrame,
  ndpOption,
  ndpType,
  neighborSolicitation,
  readFrame,
  solicitedNodeGroup,
  writeFrame,
} from './packets.ts';
import { suite } from './suite.ts';

const test = suite('support/packets');

const client = '02:00:00:00:00:0c';
const node = '02:00:00:00:00:0f';

// Field by field from RFC 826 and RFC 5494; Ethernet II framing from RFC 894.
const requestBytes = hex(
  'ffffffffffff 02000000000c 0806', // destination, source, ARP
  '0001 0800 06 04 0001', // Ethernet, IPv4, lengths, request
  '02000000000c c6120001', // sender 198.18.0.1
  '000000000000 c612000a', // target 198.18.0.10
);

// RFC 4861 section 4.3, in RFC 8200's header. Checksum by hand: pseudo-header 2dba + 1fe0d + 20 + 3a, message
// 8700 + 2dc3 + 030d = 2e3f1; carry folded in e3f3; complement 1c0c.
const solicitationBytes = hex(
  '3333ff00000a 02000000000c 86dd',
  '60000000 0020 3a ff', // version, length 32, ICMPv6, hop limit 255
  '20010db8000000000000000000000001', // from 2001:db8::1
  'ff0200000000000000000001ff00000a', // to ff02::1:ff00:a
  '87 00 1c0c 00000000', // neighbour solicitation, code 0, checksum, reserved
  '20010db800000000000000000000000a', // target 2001:db8::a
  '01 01 02000000000c', // source link-layer address
);

// RFC 4861 section 4.4. 2dc3 + 2dba + 20 + 3a + 8800 + 6000 + 2dc3 + 0410 = 175aa; 75ab; complement 8a54.
const advertisementBytes = hex(
  '02000000000c 02000000000f 86dd',
  '60000000 0020 3a ff',
  '20010db800000000000000000000000a',
  '20010db8000000000000000000000001',
  '88 00 8a54 60000000', // advertisement, flags S and O
  '20010db800000000000000000000000a',
  '02 01 02000000000f', // target link-layer address
);

const request = arpRequest({ senderMac: client, senderAddress: '198.18.0.1', targetAddress: '198.18.0.10' });
const solicitation = neighborSolicitation({ source: client, from: '2001:db8::1', target: '2001:db8::a' });
const advertisement: NdpFrame = {
  ...solicitation,
  destination: client,
  source: node,
  from: '2001:db8::a',
  to: '2001:db8::1',
  type: ndpType.advertisement,
  solicited: true,
  override: true,
  options: [linkLayerOption(ndpOption.targetLinkLayer, node)],
};

for (const [name, frame, bytes] of [
  ['an ARP request', request, requestBytes],
  ['a neighbour solicitation', solicitation, solicitationBytes],
  ['a neighbour advertisement', advertisement, advertisementBytes],
] as const) {
  test(`writes ${name} as the RFC lays it out`, () => assert.equal(hexText(writeFrame(frame)), hexText(bytes)));
  test(`reads ${name}`, () => assert.deepEqual(readFrame(bytes), frame));
}

test('keeps VLAN tags in order, and the padding after the packet', () => {
  const tagged: ArpFrame = {
    ...request,
    tags: [
      { protocol: 0x88a8, vid: 100 },
      { protocol: 0x8100, vid: 7 },
    ],
    trailer: new Uint8Array(10),
  };
  const bytes = writeFrame(tagged);
  assert.equal(hexText(bytes.subarray(12, 22)), '88a80064810000070806');
  assert.deepEqual(readFrame(bytes), tagged);
});

test('reads an option that runs past the message, and one of length zero, as no neighbour message', () => {
  for (const units of [0, 2, 255]) {
    const option = { type: ndpOption.sourceLinkLayer, data: new Uint8Array(6), units };
    assert.equal(readFrame(writeFrame({ ...solicitation, options: [option] }))?.kind, 'other');
  }
});

test('tells a wrong checksum from the right one', () => {
  const bytes = writeFrame(solicitation);
  bytes[bytes.length - 1]! ^= 1;
  const frame = readFrame(bytes);
  assert.ok(frame?.kind === 'ndp' && frame.checksum === 0x1c0c);
});

test('maps an address to its solicited-node group and the group to its MAC address', () => {
  assert.equal(solicitedNodeGroup('4037::1:800:200e:8c6c'), 'ff02::1:ff0e:8c6c'); // RFC 4291 section 2.7.1
  assert.equal(multicastMac('ff02::1:ff0e:8c6c'), '33:33:ff:0e:8c:6c');
});

test('finds a link-layer address among the options', () => {
  assert.equal(linkLayerAddress(advertisement, ndpOption.targetLinkLayer), node);
  assert.equal(linkLayerAddress(advertisement, ndpOption.sourceLinkLayer), undefined);
});

test('describes a frame in one line and its bytes', () => {
  const lines = describeFrame(advertisementBytes).split('\n');
  assert.match(lines[0]!, /NA 2001:db8::a > 2001:db8::1: target 2001:db8::a, flags SO, options 2=02:00:00:00:00:0f/);
  assert.match(lines[1]!, /0000 {2}02 00 00 00 00 0c 02 00/);
  assert.equal(lines.length, 1 + Math.ceil(advertisementBytes.length / 16));
});

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const mac = bytesOf(6).map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':'));
const ip = (length: 4 | 16) => bytesOf(length).map((bytes) => formatAddress(addressFromBytes(bytes)!));
const tag = fc.record(
  { protocol: fc.constantFrom(0x8100, 0x88a8), vid: fc.integer({ min: 0, max: 4095 }) },
  { noNullPrototype: true },
);
const link = { destination: mac, source: mac, tags: fc.array(tag, { maxLength: 2 }) };
const trailer = fc.uint8Array({ maxLength: 20 });
const word = fc.integer({ min: 0, max: 0xffff });
const byte = fc.integer({ min: 0, max: 0xff });

const anyArp: fc.Arbitrary<ArpFrame> = fc.record(
  {
    ...link,
    kind: fc.constant('arp' as const),
    hardwareType: word,
    protocolType: word,
    hardwareLength: byte,
    protocolLength: byte,
    operation: fc.oneof(word, fc.constantFrom(...Object.values(arpOperation))),
    senderMac: mac,
    senderAddress: ip(4),
    targetMac: mac,
    targetAddress: ip(4),
    trailer,
  },
  { noNullPrototype: true },
);

const anyOption = fc.record(
  { type: byte, data: fc.constantFrom(6, 14, 22).chain((length) => bytesOf(length)) },
  { noNullPrototype: true },
);

const anyNdp: fc.Arbitrary<NdpFrame> = fc.record(
  {
    ...link,
    kind: fc.constant('ndp' as const),
    from: ip(16),
    to: ip(16),
    hopLimit: byte,
    hopByHop: fc.boolean(),
    type: fc.constantFrom(...Object.values(ndpType)),
    code: byte,
    checksum: fc.constant('correct' as const),
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
    target: ip(16),
    options: fc.array(anyOption, { maxLength: 3 }),
    trailer,
  },
  { noNullPrototype: true },
);

test('reads back what it wrote', () => {
  fc.assert(fc.property(fc.oneof(anyArp, anyNdp), (frame) => assert.deepEqual(readFrame(writeFrame(frame)), frame)));
});

test('reads any bytes without throwing, and writes them back unchanged', () => {
  const prefixes = fc.constantFrom(new Uint8Array(0), requestBytes, solicitationBytes, advertisementBytes);
  fc.assert(
    fc.property(prefixes, fc.nat(90), fc.uint8Array({ maxLength: 80 }), (prefix, keep, noise) => {
      const bytes = Uint8Array.of(...prefix.subarray(0, keep), ...noise);
      const frame = readFrame(bytes);
      assert.equal(frame === undefined, bytes.length < 14);
      assert.ok(describeFrame(bytes).length > 0);
      if (frame?.kind === 'other' && frame.tags.length === 0) assert.equal(hexText(writeFrame(frame)), hexText(bytes));
    }),
  );
});

function hex(...parts: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.from(parts.join('').replaceAll(' ', ''), 'hex'));
}

function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
