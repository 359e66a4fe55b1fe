import { concat, copyOf } from './bytes.ts';
import {
  maxErrorBytes,
  maxMembers,
  maxMessageBytes,
  maxMetaBytes,
  maxPacketBytes,
  maxRecordBytes,
  maxStreamBytes,
  maxUserStateBytes,
} from './limits.ts';
import { isMalformed, type Malformed, malformed } from './malformed.ts';
import { address, binary, boolean, Codec, int, name, optional, text, uint8, uint16, uint32 } from './record.ts';

/** The first byte of every message. */
export const messageType = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  hasCrc: 12,
  err: 13,
  hasLabel: 244,
} as const;

/** As numbered on the wire in push/pull: the index is the number. */
export const memberStates = ['alive', 'suspect', 'dead', 'left'] as const;
export type MemberState = (typeof memberStates)[number];

/** Where the answer to a ping goes. Absent (empty, 0) means: to the sender of the datagram. */
type Source = { readonly sourceAddr: string; readonly sourcePort: number; readonly sourceNode: string };

export type Ping = { readonly seqNo: number; readonly node: string } & Source;
export type IndirectPing = {
  readonly seqNo: number;
  readonly target: string;
  readonly port: number;
  readonly node: string;
  /** Asks for a nack when the target does not answer. */
  readonly nack: boolean;
} & Source;
export type Ack = { readonly seqNo: number; readonly payload: Uint8Array };
export type Nack = { readonly seqNo: number };
export type Suspect = { readonly incarnation: number; readonly node: string; readonly from: string };
/** `from` equal to `node` means that the node left on purpose. */
export type Dead = Suspect;
export type Alive = {
  readonly incarnation: number;
  readonly node: string;
  readonly addr: string;
  readonly port: number;
  readonly meta: Uint8Array;
  /** Empty, or protocol min, max, current, then delegate min, max, current. */
  readonly vsn: Uint8Array;
};

/** What an application tells another; the protocol does not look into it. */
export type User = { readonly payload: Uint8Array };

/** What travels in packets. */
export type PacketMessage =
  | ({ readonly type: 'ping' } & Ping)
  | ({ readonly type: 'indirectPing' } & IndirectPing)
  | ({ readonly type: 'ack' } & Ack)
  | ({ readonly type: 'nack' } & Nack)
  | ({ readonly type: 'suspect' } & Suspect)
  | ({ readonly type: 'alive' } & Alive)
  | ({ readonly type: 'dead' } & Dead)
  | ({ readonly type: 'user' } & User);

export type PushPullHeader = { readonly nodes: number; readonly userStateLen: number; readonly join: boolean };
export type NodeState = {
  readonly name: string;
  readonly addr: string;
  readonly port: number;
  readonly meta: Uint8Array;
  readonly incarnation: number;
  /** Index into `memberStates`. */
  readonly state: number;
  readonly vsn: Uint8Array;
};

const source = { sourceAddr: optional(address), sourcePort: optional(uint16), sourceNode: optional(name) };
const meta = binary(maxMetaBytes);
/** Longer than it may be, so that a wrong length is told apart: see `badVersions`. */
const vsn = binary(16);
const accusation = { incarnation: uint32, node: name, from: name };

export const pingCodec = new Codec<Ping>({ seqNo: uint32, node: name, ...source });
export const ackCodec = new Codec<Ack>({ seqNo: uint32, payload: binary(maxRecordBytes) });
export const errCodec = new Codec<{ readonly error: string }>({ error: text(maxErrorBytes) });
export const userCodec = new Codec<{ readonly userMsgLen: number }>({ userMsgLen: int(maxMessageBytes) });
export const compressCodec = new Codec<{ readonly algo: number; readonly buf: Uint8Array }>({
  algo: uint8,
  buf: binary(maxStreamBytes),
});
export const pushPullCodec = new Codec<PushPullHeader>({
  nodes: int(maxMembers),
  userStateLen: int(maxUserStateBytes),
  join: boolean,
});
export const nodeStateCodec = new Codec<NodeState>({
  name,
  addr: address,
  port: uint16,
  meta,
  incarnation: uint32,
  state: int(memberStates.length - 1),
  vsn,
});

const codecs = {
  ping: pingCodec,
  indirectPing: new Codec<IndirectPing>({
    seqNo: uint32,
    target: address,
    port: uint16,
    node: name,
    nack: boolean,
    ...source,
  }),
  ack: ackCodec,
  nack: new Codec<Nack>({ seqNo: uint32 }),
  suspect: new Codec<Suspect>(accusation),
  alive: new Codec<Alive>({ incarnation: uint32, node: name, addr: address, port: uint16, meta, vsn }),
  dead: new Codec<Dead>(accusation),
};
type CodedType = keyof typeof codecs;

const typeNames = new Map(Object.entries(messageType).map(([key, id]) => [id as number, key]));

/** One message with its type byte, ready for a packet. */
export function encodeMessage(message: PacketMessage): Uint8Array {
  if (message.type === 'user') return concat([Uint8Array.of(messageType.user), message.payload]);
  return (codecs[message.type] as Codec<object>).encode(message, messageType[message.type]);
}

/** One message of a packet, wrappings already taken off. */
export function decodeMessage(bytes: Uint8Array): PacketMessage | Malformed {
  const type = typeNames.get(bytes[0] ?? -1);
  if (type === undefined) return malformed(bytes.length === 0 ? 'truncated' : 'unknown-type');
  if (bytes.length > maxPacketBytes) return malformed('too-big');
  // A copy, which does not keep the packet alive.
  if (type === 'user') return { type, payload: copyOf(bytes.subarray(1)) };
  if (!(type in codecs)) return malformed('unknown-type');
  const result = (codecs[type as CodedType] as Codec<object>).decode(bytes, 1);
  if (isMalformed(result)) return result;
  const message = { type, ...result.value } as PacketMessage;
  return (message.type === 'alive' && badMember(message.addr, message.vsn)) || message;
}

/** A message of an application as it goes over a stream. */
export function encodeUserStream(payload: Uint8Array): Uint8Array {
  return concat([userCodec.encode({ userMsgLen: payload.length }, messageType.user), payload]);
}

/** Holds for `alive` and for node states alike: an address to be reached at, and versions all six or not at all. */
export function badMember(addr: string, vsn: Uint8Array): Malformed | undefined {
  return addr === '' || (vsn.length !== 0 && vsn.length !== 6) ? malformed('malformed') : undefined;
}
