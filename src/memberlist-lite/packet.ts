import { crc32 } from 'node:zlib';
import { concat, startsWith, uint32Bytes } from './bytes.ts';
import type { Framing } from './framing.ts';
import { maxPacketBytes, maxWrapping } from './limits.ts';
import { decompress } from './lzw.ts';
import { compress } from './lzw-encoder.ts';
import { type DropReason, isMalformed, type Malformed, malformed } from './malformed.ts';
import { compressCodec, decodeMessage, messageType, type PacketMessage } from './messages.ts';

/**
 * One UDP datagram, outermost first:
 *
 *   [label] [encryption] [checksum] [compress] ( message | compound of messages )
 *
 *   checksum   0c, CRC-32 of the rest
 *   compound   07, count (1 byte), a length (2 bytes) for each part, the parts
 */
const crcHeader = 5;
const compoundHeader = 2;
/** What each part of a compound adds to its own length. */
export const partOverhead = 2;
const lzwAlgorithm = 0;

/** The length of a message that fills a packet of `budget` bytes alone. */
export function singleRoom(budget: number, framing: Framing): number {
  return budget - framing.overhead - crcHeader;
}

/** Bytes that parts and their lengths may take in a packet of `budget` bytes. */
export function packetRoom(budget: number, framing: Framing): number {
  return singleRoom(budget, framing) - compoundHeader;
}

/** Wraps 1 to 255 encoded messages. `checksum`: the receiver understands protocol 5. */
export function encodePacket(messages: readonly Uint8Array[], checksum: boolean, framing: Framing): Uint8Array {
  const [single] = messages;
  const body = messages.length === 1 && single !== undefined ? single : compound(messages);
  const squeezed = framing.compression ? deflate(body) : body;
  const shorter = squeezed.length < body.length ? squeezed : body;
  const checked = checksum
    ? concat([Uint8Array.of(messageType.hasCrc), uint32Bytes(crc32(shorter)), shorter])
    : shorter;
  return concat([framing.labelHeader, framing.seal(checked)]);
}

/** Unwraps a datagram. What cannot be used is left out and reported to `drop`, part by part; never throws. */
export function decodePacket(
  packet: Uint8Array,
  framing: Framing,
  drop: (reason: DropReason) => void,
): readonly PacketMessage[] {
  const opened = openPacket(packet, framing);
  if (isMalformed(opened)) {
    drop(opened.malformed);
    return [];
  }
  const unwrapping: Unwrapping = { messages: [], drop, inflatable: maxPacketBytes };
  unwrap(opened, 0, unwrapping);
  return unwrapping.messages;
}

/** A compress message around other bytes. */
export function deflate(bytes: Uint8Array): Uint8Array {
  return compressCodec.encode({ algo: lzwAlgorithm, buf: compress(bytes) }, messageType.compress);
}

/** The content of a compress message. */
export function inflate(bytes: Uint8Array, maxBytes: number): Uint8Array | Malformed {
  const result = compressCodec.decode(bytes, 1);
  if (isMalformed(result)) return result;
  return result.value.algo === lzwAlgorithm ? decompress(result.value.buf, maxBytes) : malformed('compression');
}

function openPacket(packet: Uint8Array, framing: Framing): Uint8Array | Malformed {
  if (packet.length > maxPacketBytes) return malformed('too-big');
  const header = framing.labelHeader;
  const unexpected = header.length === 0 && packet[0] === messageType.hasLabel;
  if (unexpected || !startsWith(packet, header)) return malformed('label');
  const inner = packet.subarray(header.length);
  const plain = framing.keyring?.open(inner, framing.label) ?? inner;
  if (!isMalformed(plain)) return withoutChecksum(plain);
  return framing.verifyIncoming ? plain : withoutChecksum(inner);
}

/** Only here: a checksum further inside is not part of the protocol. */
function withoutChecksum(bytes: Uint8Array): Uint8Array | Malformed {
  if (bytes[0] !== messageType.hasCrc) return bytes;
  if (bytes.length < crcHeader) return malformed('truncated');
  const body = bytes.subarray(crcHeader);
  return startsWith(bytes.subarray(1), uint32Bytes(crc32(body))) ? body : malformed('checksum');
}

/** What one packet has yielded so far, and how much it may still expand to. */
type Unwrapping = {
  readonly messages: PacketMessage[];
  readonly drop: (reason: DropReason) => void;
  inflatable: number;
};

function unwrap(bytes: Uint8Array, depth: number, into: Unwrapping): void {
  if (depth > maxWrapping) {
    into.drop('too-big');
  } else if (bytes[0] === messageType.compound) {
    unwrapCompound(bytes, depth, into);
  } else if (bytes[0] === messageType.compress) {
    const inner = inflate(bytes, into.inflatable);
    if (isMalformed(inner)) {
      into.drop(inner.malformed);
    } else {
      into.inflatable -= inner.length;
      unwrap(inner, depth + 1, into);
    }
  } else {
    const message = decodeMessage(bytes);
    if (isMalformed(message)) into.drop(message.malformed);
    else into.messages.push(message);
  }
}

/** A truncated tail costs only the parts it reaches. */
function unwrapCompound(bytes: Uint8Array, depth: number, into: Unwrapping): void {
  const count = bytes[1] ?? 0;
  let start = compoundHeader + partOverhead * count;
  if (count === 0 || start > bytes.length) {
    into.drop('truncated');
    return;
  }
  for (let part = 0; part < count; part++) {
    const header = compoundHeader + partOverhead * part;
    const end = start + (((bytes[header] ?? 0) << 8) | (bytes[header + 1] ?? 0));
    if (end > bytes.length) {
      into.drop('truncated');
      return;
    }
    unwrap(bytes.subarray(start, end), depth + 1, into);
    start = end;
  }
}

function compound(messages: readonly Uint8Array[]): Uint8Array {
  const lengths = messages.flatMap((message) => [message.length >> 8, message.length & 0xff]);
  return concat([Uint8Array.of(messageType.compound, messages.length), Uint8Array.from(lengths), ...messages]);
}
