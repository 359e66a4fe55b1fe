import type { WritableCounters } from './counters.ts';
import { maxMessageBytes, maxMessageStreams, maxWaitingBytes, maxWaitingMessages } from './limits.ts';
import { isMember, type MemberTable } from './member-table.ts';
import { encodeUserStream } from './messages.ts';
import type { PacketSender } from './packet-sender.ts';
import { isFailure, type StreamExchange } from './stream-exchange.ts';
import type { Endpoint } from './transport.ts';

/** Why a message was not taken on. */
export type SendFailure = 'not-a-member' | 'too-big' | 'overloaded' | 'closed';

/** A message and who is still to get it. */
type Waiting = { readonly bytes: Uint8Array; readonly to: Endpoint[] };

/**
 * Messages of the application to other members, at best: a packet where one holds it, otherwise a stream. Streams are
 * opened a few at a time; what waits for one is bounded, and is given up when we stop.
 *
 * Invariant: `#waitingBytes` is the length of what is in `#waiting`.
 */
export class Messenger {
  readonly #self: string;
  readonly #table: MemberTable;
  readonly #sender: PacketSender;
  readonly #streams: StreamExchange;
  readonly #counts: WritableCounters;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running = 0;
  #stopped = false;

  constructor(options: {
    readonly self: string;
    readonly table: MemberTable;
    readonly sender: PacketSender;
    readonly streams: StreamExchange;
    readonly counts: WritableCounters;
  }) {
    this.#self = options.self;
    this.#table = options.table;
    this.#sender = options.sender;
    this.#streams = options.streams;
    this.#counts = options.counts;
  }

  send(name: string, payload: Uint8Array): SendFailure | undefined {
    const entry = this.#table.get(name);
    if (entry === undefined || !isMember(entry) || name === this.#self) return 'not-a-member';
    return this.#sendTo([entry], payload);
  }

  sendToAll(payload: Uint8Array): SendFailure | undefined {
    const others = [...this.#table.entries()].filter((entry) => isMember(entry) && entry.name !== this.#self);
    return this.#sendTo(others, payload);
  }

  /** Gives up what waits. */
  stop(): void {
    this.#stopped = true;
    this.#counts.messagesUnsent += this.#waiting.reduce((count, { to }) => count + to.length, 0);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #sendTo(to: readonly Endpoint[], payload: Uint8Array): SendFailure | undefined {
    if (this.#stopped) return 'closed';
    if (payload.length > maxMessageBytes) return 'too-big';
    if (this.#sender.fits(payload)) {
      this.#counts.messagesSent += to.length;
      for (const each of to) this.#sender.sendAlone(each, [{ type: 'user', payload }]);
      return undefined;
    }
    if (to.length === 0) return undefined;
    const bytes = encodeUserStream(payload);
    if (this.#waiting.length >= maxWaitingMessages || this.#waitingBytes + bytes.length > maxWaitingBytes) {
      this.#counts.messagesUnsent += to.length;
      return 'overloaded';
    }
    this.#waiting.push({ bytes, to: [...to] });
    this.#waitingBytes += bytes.length;
    while (this.#running < maxMessageStreams && this.#waiting.length > 0) void this.#run(); // Never rejects.
    return undefined;
  }

  /** Sends what waits, one after another, until nothing does. */
  async #run(): Promise<void> {
    this.#running++;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const result = await this.#streams.request(next.to, next.bytes);
      // Who has read it closes the stream without a reply.
      const lost = isFailure(result) && (result.failed === 'unreachable' || result.failed === 'timeout');
      this.#counts[lost ? 'messagesUnsent' : 'messagesSent']++;
    }
    this.#running--;
  }

  #next(): { readonly to: Endpoint; readonly bytes: Uint8Array } | undefined {
    const [first] = this.#waiting;
    const to = first?.to.shift();
    if (first === undefined || to === undefined) return undefined;
    if (first.to.length === 0) {
      this.#waiting.shift();
      this.#waitingBytes -= first.bytes.length;
    }
    return { to, bytes: first.bytes };
  }
}
