import type { Clock } from '../runtime/clock.ts';
import type { Framing } from './framing.ts';
import { maxBufferedBytes, maxStreams, maxStreamTime } from './limits.ts';
import { type DropReason, isMalformed } from './malformed.ts';
import { errCodec, messageType } from './messages.ts';
import { type ByteBudget, encodeStream, type StreamMessage, StreamReader } from './stream-reader.ts';
import type { Endpoint, Stream, Transport } from './transport.ts';

/** Why a stream yielded no message. */
export type StreamFailure = {
  readonly failed: 'unreachable' | 'timeout' | 'closed' | DropReason;
  readonly detail: string;
};

export function isFailure(result: StreamMessage | StreamFailure): result is StreamFailure {
  return 'failed' in result;
}

/** Both sides of the streams of one member: one request, at most one reply, then it is closed. */
export class StreamExchange {
  readonly #transport: Transport;
  readonly #framing: Framing;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #answer: (request: StreamMessage, from: Endpoint) => Uint8Array | undefined;
  readonly #drop: (reason: DropReason) => void;
  readonly #budget: ByteBudget = { left: maxBufferedBytes };
  #serving = 0;

  constructor(options: {
    readonly transport: Transport;
    readonly framing: Framing;
    readonly clock: Clock;
    /** Milliseconds for the whole exchange, connecting included. */
    readonly timeout: number;
    /** The reply to a request of a peer, undefined for none. */
    readonly answer: (request: StreamMessage, from: Endpoint) => Uint8Array | undefined;
    readonly drop: (reason: DropReason) => void;
  }) {
    this.#transport = options.transport;
    this.#framing = options.framing;
    this.#clock = options.clock;
    this.#timeout = options.timeout;
    this.#answer = options.answer;
    this.#drop = options.drop;
  }

  /** Sends a request and resolves to the reply. Never rejects. */
  async request(to: Endpoint, message: Uint8Array, timeout = this.#timeout): Promise<StreamMessage | StreamFailure> {
    const stream = this.#transport.connect(to);
    const reply = this.#receive(stream, 'reply', timeout, () => {});
    stream.write(encodeStream(message, 'request', this.#framing));
    const result = await reply;
    stream.destroy();
    return result;
  }

  /** Serves a stream that a peer opened. Never rejects. */
  async serve(stream: Stream, from: Endpoint): Promise<void> {
    if (this.#serving >= maxStreams) {
      this.#drop('stream-limit');
      stream.receive({ data() {}, end() {}, closed() {} });
      stream.destroy();
      return;
    }
    this.#serving++;
    let unread = 0;
    let open = true;
    const request = await this.#receive(stream, 'request', Math.min(this.#timeout, maxStreamTime), () => {
      this.#serving--;
      this.#budget.left += unread;
      open = false;
    });
    const message = isFailure(request) ? this.#complaint(request) : this.#answer(request, from);
    if (!open) return;
    const reply = message && encodeStream(message, 'reply', this.#framing);
    // Peers that ask for tables and do not read them would have us keep one for each stream.
    const affordable = reply !== undefined && reply.length <= this.#budget.left;
    if (reply !== undefined && !affordable) this.#drop('stream-limit');
    if (!affordable) return stream.destroy();
    unread = reply.length;
    this.#budget.left -= unread;
    stream.end(reply);
  }

  /** Resolves when the message is complete or cannot become so. Keeps the deadline until the stream is closed. */
  #receive(
    stream: Stream,
    kind: 'request' | 'reply',
    timeout: number,
    closed: () => void,
  ): Promise<StreamMessage | StreamFailure> {
    return new Promise((resolve) => {
      const reader = new StreamReader(kind, this.#framing, this.#budget);
      let settled = false;
      const settle = (result: StreamMessage | StreamFailure) => {
        if (settled) return;
        settled = true;
        reader.release();
        resolve(result);
      };
      const fail = (reason: DropReason) => {
        if (!settled) this.#drop(reason);
        settle({ failed: reason, detail: `the ${kind} is unusable: ${reason}` });
      };
      const deadline = this.#clock.after(timeout, () => {
        if (kind === 'request' && !settled) this.#drop('stream-timeout');
        settle({ failed: 'timeout', detail: `no ${kind} within ${timeout} ms` });
        stream.destroy();
      });
      stream.receive({
        data(bytes) {
          if (settled) return;
          const result = reader.push(bytes);
          if (result === undefined) return;
          if (isMalformed(result)) fail(result.malformed);
          else settle(result);
        },
        end: () => settle({ failed: 'closed', detail: `closed before the ${kind} was complete` }),
        closed(error) {
          deadline.cancel();
          const failed = error === undefined ? 'closed' : 'unreachable';
          settle({ failed, detail: error?.message ?? `closed before the ${kind} was complete` });
          closed();
        },
      });
    });
  }

  /** Two mistakes in configuration are worth telling the peer, whose log is where they will be looked for. */
  #complaint({ failed }: StreamFailure): Uint8Array | undefined {
    const error =
      failed === 'encrypted'
        ? 'remote state is encrypted and encryption is not configured'
        : failed === 'undecryptable'
          ? 'remote state is not encrypted with a key of this ring'
          : undefined;
    return error === undefined ? undefined : errCodec.encode({ error }, messageType.err);
  }
}
