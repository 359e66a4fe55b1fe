import { concat, copyOf, noBytes, readUint32, startsWith, uint32Bytes } from './bytes.ts';
import type { Framing } from './framing.ts';
import { maxInflatedBytes, maxRecordBytes, maxStreamBytes, maxWrapping } from './limits.ts';
import { type DropReason, isMalformed, type Malformed, malformed } from './malformed.ts';
import { type Ack, ackCodec, errCodec, messageType, type Ping, pingCodec, type User, userCodec } from './messages.ts';
import { deflate, inflate } from './packet.ts';
import { type PushPull, PushPullReader } from './push-pull.ts';
import type { Codec } from './record.ts';

/**
 * One message over a TCP stream, outermost first:
 *
 *   [label, in requests only] [encryption frame] [compress] message
 *
 *   encryption frame   0a, length of the rest (4 bytes), version, nonce, ciphertext, tag
 *                      authenticated beside the content: these 5 bytes and the label, in replies too
 */
export type StreamMessage =
  | ({ readonly type: 'ping' } & Ping)
  | ({ readonly type: 'ack' } & Ack)
  | ({ readonly type: 'pushPull' } & PushPull)
  | ({ readonly type: 'user' } & User)
  | { readonly type: 'err'; readonly error: string };

const frameHeader = 5;

/** A request or reply as it goes out. Compressed even where that makes it longer, as Go does it. */
export function encodeStream(message: Uint8Array, kind: 'request' | 'reply', framing: Framing): Uint8Array {
  const body = framing.compression ? deflate(message) : message;
  const sealed = framing.seal(body, (length) => concat([Uint8Array.of(messageType.encrypt), uint32Bytes(length)]));
  return kind === 'request' ? concat([framing.labelHeader, sealed]) : sealed;
}

/** Bytes that all streams together may hold while they are incomplete. */
export type ByteBudget = { left: number };

/** Collects the bytes of one stream until its message is complete. */
export class StreamReader {
  readonly #framing: Framing;
  readonly #budget: ByteBudget;
  readonly #body = new BodyReader();
  /** Capacity grows by doubling; `#length` bytes are in use, of which `#skipped` are the label. */
  #buffer = noBytes;
  #length = 0;
  #skipped = 0;
  #labelPending: boolean;

  constructor(kind: 'request' | 'reply', framing: Framing, budget: ByteBudget) {
    this.#framing = framing;
    this.#budget = budget;
    this.#labelPending = kind === 'request';
  }

  /** Takes the next bytes; undefined asks for more. After anything else the reader is done. */
  push(chunk: Uint8Array): StreamMessage | Malformed | undefined {
    if (this.#length + chunk.length > maxStreamBytes || chunk.length > this.#budget.left) return malformed('too-big');
    this.#append(chunk);
    if (this.#labelPending) {
      const result = this.#takeLabel();
      if (result !== 'taken') return result;
      this.#labelPending = false;
    }
    const bytes = this.#buffer.subarray(this.#skipped, this.#length);
    if (bytes.length === 0) return undefined;
    return bytes[0] === messageType.encrypt ? this.#readFrame(bytes) : this.#readPlain(bytes);
  }

  /** Gives back what was taken from the budget. Idempotent. */
  release(): void {
    this.#budget.left += this.#length;
    this.#length = 0;
    this.#skipped = 0;
    this.#buffer = noBytes;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
    this.#budget.left -= chunk.length;
  }

  #takeLabel(): 'taken' | Malformed | undefined {
    const header = this.#framing.labelHeader;
    const bytes = this.#buffer.subarray(0, this.#length);
    if (header.length === 0) return bytes[0] === messageType.hasLabel ? malformed('label') : 'taken';
    if (!startsWith(header, bytes.subarray(0, header.length))) return malformed('label');
    if (bytes.length < header.length) return undefined;
    this.#skipped = header.length;
    return 'taken';
  }

  #readFrame(bytes: Uint8Array): StreamMessage | Malformed | undefined {
    if (this.#framing.keyring === undefined) return malformed('encrypted');
    if (bytes.length < frameHeader) return undefined;
    const end = frameHeader + readUint32(bytes, 1);
    if (end > maxStreamBytes) return malformed('too-big');
    if (bytes.length < end) return undefined;
    const associated = concat([bytes.subarray(0, frameHeader), this.#framing.label]);
    const plain = this.#framing.keyring.open(bytes.subarray(frameHeader, end), associated);
    return isMalformed(plain) ? plain : this.#body.readWhole(plain);
  }

  #readPlain(bytes: Uint8Array): StreamMessage | Malformed | undefined {
    if (this.#framing.keyring !== undefined && this.#framing.verifyIncoming) return malformed('undecryptable');
    return this.#body.read(bytes);
  }
}

/** What is inside label and encryption. */
class BodyReader {
  readonly #pushPull = new PushPullReader();
  readonly #depth: number;
  /** What all layers together may still expand to. */
  readonly #inflatable: number;

  constructor(depth = 0, inflatable = maxInflatedBytes) {
    this.#depth = depth;
    this.#inflatable = inflatable;
  }

  readWhole(bytes: Uint8Array): StreamMessage | Malformed {
    return this.read(bytes) ?? malformed('truncated');
  }

  read(bytes: Uint8Array): StreamMessage | Malformed | undefined {
    switch (bytes[0]) {
      case messageType.compress:
        return this.#readCompressed(bytes);
      case messageType.ping:
        return readRecord(pingCodec, bytes, (ping) => ({ type: 'ping', ...ping }));
      case messageType.ack:
        return readRecord(ackCodec, bytes, (ack) => ({ type: 'ack', ...ack }));
      case messageType.err:
        return readRecord(errCodec, bytes, ({ error }) => ({ type: 'err', error }));
      case messageType.user:
        return readUser(bytes);
      case messageType.pushPull: {
        const result = this.#pushPull.read(bytes);
        return result === undefined || isMalformed(result) ? result : { type: 'pushPull', ...result };
      }
      default:
        return malformed(bytes.length === 0 ? 'truncated' : 'unknown-type');
    }
  }

  #readCompressed(bytes: Uint8Array): StreamMessage | Malformed | undefined {
    if (this.#depth >= maxWrapping) return malformed('too-big');
    const inner = inflate(bytes, this.#inflatable);
    if (isMalformed(inner)) return orMore(inner);
    return new BodyReader(this.#depth + 1, this.#inflatable - inner.length).readWhole(inner);
  }
}

function readUser(bytes: Uint8Array): StreamMessage | Malformed | undefined {
  const header = userCodec.decode(bytes, 1);
  if (isMalformed(header)) return incomplete(bytes, header);
  const end = header.end + header.value.userMsgLen;
  return bytes.length < end ? undefined : { type: 'user', payload: copyOf(bytes.subarray(header.end, end)) };
}

function readRecord<T extends object>(
  codec: Codec<T>,
  bytes: Uint8Array,
  make: (value: T) => StreamMessage,
): StreamMessage | Malformed | undefined {
  const result = codec.decode(bytes, 1);
  return isMalformed(result) ? incomplete(bytes, result) : make(result.value);
}

/** A record that is merely cut off may still be completed, as long as it is not absurdly long. */
function incomplete(bytes: Uint8Array, result: Malformed): Malformed | undefined {
  return bytes.length > maxRecordBytes ? malformed('too-big' satisfies DropReason) : orMore(result);
}

/** A plain stream may simply not have arrived yet. */
function orMore(result: Malformed): Malformed | undefined {
  return result.malformed === 'truncated' ? undefined : result;
}
