import { crc32 } from 'node:zlib';
import { concat, uint32Bytes } from '../../src/memberlist-lite/bytes.ts';
import type { Framing } from '../../src/memberlist-lite/framing.ts';
import {
  encodeMessage,
  encodeUserStream,
  nodeStateCodec,
  type PacketMessage,
  pushPullCodec,
} from '../../src/memberlist-lite/messages.ts';
import { deflate, encodePacket } from '../../src/memberlist-lite/packet.ts';
import { encodeStream } from '../../src/memberlist-lite/stream-reader.ts';
import type { Random } from '../../src/runtime/random.ts';
import { bytesOf, samples } from './vectors.ts';

type Way = 'packets' | 'streams';

/** Every capture, and what is inside of those that are encrypted or compressed. */
const captures = Object.values(samples).map(({ hex }) => bytesOf(hex));
const insides = Object.values(samples)
  .flatMap(({ hex, plain, inflated, label }) =>
    label ? [] : [plain === undefined ? hex : '', plain ?? '', inflated ?? ''],
  )
  .filter((hex) => hex !== '')
  .map(bytesOf);

/** Bytes for a packet or a stream of a ring with this framing: garbage, mutated captures, messages with odd content. */
export function randomInput(random: Random, way: Way, framing: Framing): Uint8Array {
  switch (random.integer(8)) {
    case 0:
      return mutated(pick(random, captures), random);
    case 1:
      return random.bytes(random.integer(300));
    case 2:
      return sealed(mutated(pick(random, insides), random), way, framing);
    case 3:
      return mutated(sealed(structured(random, way), way, framing), random);
    default:
      return sealed(structured(random, way), way, framing);
  }
}

/** So that what is inside is looked at, it goes through the framing of the ring. */
function sealed(inside: Uint8Array, way: Way, framing: Framing): Uint8Array {
  return way === 'streams' ? encodeStream(inside, 'request', framing) : encodePacket([inside], false, framing);
}

function structured(random: Random, way: Way): Uint8Array {
  const message = way === 'streams' && random.integer(4) > 0 ? streamMessage(random) : packetMessage(random);
  const odd = random.integer(4) === 0 ? mutated(message, random) : message;
  return wrapped(odd, random, way);
}

/** Any layers in any order, of which only some are allowed. */
function wrapped(inside: Uint8Array, random: Random, way: Way): Uint8Array {
  let bytes = inside;
  for (let layers = pick(random, [0, 0, 0, 1, 1, 2, 3, 5]); layers > 0 && bytes.length < 60_000; layers--) {
    const kind = random.integer(way === 'packets' ? 4 : 2);
    if (kind < 2) bytes = deflate(bytes);
    else if (kind === 2) bytes = concat([Uint8Array.of(12), uint32Bytes(crc32(bytes)), bytes]);
    else
      bytes = compound(
        Array.from({ length: 1 + random.integer(20) }, () => bytes),
        random,
      );
  }
  return bytes;
}

/** Sometimes with a count or lengths that are wrong. */
function compound(parts: readonly Uint8Array[], random: Random): Uint8Array {
  const fitting = parts.filter((part) => part.length < 3000);
  const count = random.integer(10) === 0 ? random.integer(256) : fitting.length;
  const lengths = fitting.flatMap(({ length }) => {
    const told = random.integer(30) === 0 ? random.integer(65_536) : length;
    return [told >> 8, told & 0xff];
  });
  return concat([Uint8Array.of(7, count), Uint8Array.from(lengths), ...fitting]);
}

function packetMessage(random: Random): Uint8Array {
  const source = { sourceAddr: address(random), sourcePort: port(random), sourceNode: name(random) };
  const accusation = { incarnation: number(random), node: name(random), from: name(random) };
  const messages: readonly (() => PacketMessage)[] = [
    () => ({ type: 'ping', seqNo: number(random), node: name(random), ...source }),
    () => ({
      type: 'indirectPing',
      seqNo: number(random),
      target: address(random),
      port: port(random),
      node: name(random),
      nack: random.integer(2) === 0,
      ...source,
    }),
    () => ({ type: 'ack', seqNo: random.integer(100), payload: random.bytes(random.integer(30)) }),
    () => ({ type: 'nack', seqNo: random.integer(100) }),
    () => ({ type: 'suspect', ...accusation }),
    () => ({ type: 'dead', ...accusation }),
    () => ({ type: 'alive', ...member(random), node: name(random) }),
    () => ({ type: 'user', payload: random.bytes(random.integer(600)) }),
  ];
  return encodeMessage(pick(random, messages)());
}

function streamMessage(random: Random): Uint8Array {
  if (random.integer(3) === 0) {
    const message = encodeUserStream(random.bytes(random.integer(5000)));
    return message.subarray(0, message.length - (random.integer(4) === 0 ? random.integer(20) : 0));
  }
  const states = Array.from({ length: pick(random, [0, 1, 1, 2, 3, 40]) }, () =>
    nodeStateCodec.encode({ ...member(random), name: name(random), state: random.integer(4) }),
  );
  const userState = random.bytes(random.integer(4) === 0 ? random.integer(3000) : 0);
  const honest = random.integer(6) > 0;
  const header = {
    nodes: honest ? states.length : number(random),
    userStateLen: honest ? userState.length : number(random),
    join: random.integer(2) === 0,
  };
  return concat([pushPullCodec.encode(header, 6), ...states, userState]);
}

function member(random: Random) {
  return {
    addr: address(random),
    port: port(random),
    meta: random.bytes(pick(random, [0, 0, 4, 512, 513])),
    incarnation: number(random),
    // Mostly what goes with the others, or nothing would get in.
    vsn: random.integer(8) > 0 ? bytesOf('010502000000') : random.bytes(pick(random, [0, 1, 5, 6, 7])),
  };
}

/** The member itself, those of the captures, a handful, and many that are used once. */
function name(random: Random): string {
  const kinds = [
    'c',
    'a',
    'b',
    '',
    'x'.repeat(512),
    'ü\u0000\n',
    `n${random.integer(20)}`,
    `many-${random.integer(1e9)}`,
  ];
  return pick(random, kinds);
}

function address(random: Random): string {
  const some = ['127.0.0.3', '127.0.0.1', '0.0.0.0', '255.255.255.255', '::', '::ffff:127.0.0.1', 'fe80::1', ''];
  return random.integer(2) === 0 ? pick(random, some) : `10.${random.integer(3)}.0.${random.integer(256)}`;
}

function port(random: Random): number {
  return pick(random, [17952, 7946, 0, 1, 65_535]);
}

function number(random: Random): number {
  return pick(random, [
    0,
    1,
    2,
    3,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    random.integer(50),
  ]);
}

const interesting = [
  0x00, 0x7f, 0x80, 0xff, 0xc0, 0xc1, 0xc4, 0xc6, 0xca, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xdf, 0x9f, 0x8f,
];

/** One to eight changes at random places. */
function mutated(original: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let changes = 1 + random.integer(8); changes > 0; changes--) {
    const at = random.integer(bytes.length + 1);
    switch (random.integer(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random.integer(256);
        break;
      case 2:
        if (at < bytes.length) bytes[at] = pick(random, interesting);
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = concat([bytes.subarray(0, at), random.bytes(random.integer(20)), bytes.subarray(at)]);
        break;
      case 5:
        bytes = concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + random.integer(10)))]);
        break;
      default: {
        const other = pick(random, insides);
        bytes = concat([bytes.subarray(0, at), other.subarray(random.integer(other.length))]);
      }
    }
  }
  return bytes;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.integer(from.length)] as T;
}
