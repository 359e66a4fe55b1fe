import { noBytes } from './bytes.ts';
import type { WritableCounters } from './counters.ts';
import type { Framing } from './framing.ts';
import type { DropReason } from './malformed.ts';
import type { Claim, Self } from './member-table.ts';
import { ackCodec, type IndirectPing, messageType, type PacketMessage, type Ping } from './messages.ts';
import { decodePacket } from './packet.ts';
import type { PingWire } from './ping-wire.ts';
import type { Prober } from './prober.ts';
import type { Relays } from './relays.ts';
import type { StreamMessage } from './stream-reader.ts';
import type { TableExchange } from './table-exchange.ts';
import type { Endpoint } from './transport.ts';

/** Takes in what peers send, and hands each message to the part that it concerns. Counts what concerns none. */
export class Dispatch {
  readonly #self: Self;
  readonly #framing: Framing;
  readonly #wire: PingWire;
  readonly #prober: Prober;
  readonly #relays: Relays;
  readonly #tables: TableExchange;
  readonly #counts: WritableCounters;
  readonly #claimed: (claim: Claim, from: Endpoint) => void;

  constructor(options: {
    readonly self: Self;
    readonly framing: Framing;
    readonly wire: PingWire;
    readonly prober: Prober;
    readonly relays: Relays;
    readonly tables: TableExchange;
    readonly counts: WritableCounters;
    /** Takes in what a peer claims about a member. */
    readonly claimed: (claim: Claim, from: Endpoint) => void;
  }) {
    this.#self = options.self;
    this.#framing = options.framing;
    this.#wire = options.wire;
    this.#prober = options.prober;
    this.#relays = options.relays;
    this.#tables = options.tables;
    this.#counts = options.counts;
    this.#claimed = options.claimed;
  }

  packet(packet: Uint8Array, from: Endpoint): void {
    this.#counts.packetsReceived++;
    const messages = decodePacket(packet, this.#framing, (reason) => this.#drop(reason));
    for (const message of messages) this.#message(message, from);
  }

  /** The reply to a request over a stream; undefined for none. */
  request(request: StreamMessage): Uint8Array | undefined {
    switch (request.type) {
      case 'ping':
        if (!this.#isForUs(request)) return undefined;
        return ackCodec.encode({ seqNo: request.seqNo, payload: noBytes }, messageType.ack);
      case 'pushPull': {
        const { reply, fits } = this.#tables.answer(request);
        if (!fits) this.#drop('version');
        return reply;
      }
      case 'ack':
      case 'user':
      case 'err':
        return undefined;
      default:
        return request satisfies never;
    }
  }

  #message(message: PacketMessage, from: Endpoint): void {
    switch (message.type) {
      case 'ping':
        if (this.#isForUs(message)) this.#wire.ack(replyTo(message, from), message.seqNo);
        break;
      case 'indirectPing':
        this.#relay(message, from);
        break;
      case 'ack':
        this.#prober.ack(message.seqNo);
        this.#relays.ack(message.seqNo);
        break;
      case 'nack':
        this.#prober.nack(message.seqNo);
        break;
      case 'alive':
      case 'suspect':
      case 'dead':
        this.#claimed(message, from);
        break;
      case 'user':
        break;
      default:
        message satisfies never;
    }
  }

  #relay(request: IndirectPing, from: Endpoint): void {
    const target = { address: request.target, port: request.port || this.#self.port };
    if (request.target === '') this.#drop('malformed');
    else if (!this.#relays.start(request, target, replyTo(request, from))) this.#drop('relay-limit');
  }

  #isForUs(ping: Ping): boolean {
    const forUs = ping.node === '' || ping.node === this.#self.name;
    if (!forUs) this.#drop('not-for-us');
    return forUs;
  }

  #drop(reason: DropReason): void {
    this.#counts.dropped[reason]++;
  }
}

/** Where the answer to a ping goes: where it says, or where it came from. */
function replyTo(ping: Pick<Ping, 'sourceAddr' | 'sourcePort'>, from: Endpoint): Endpoint {
  const named = ping.sourceAddr !== '' && ping.sourcePort !== 0;
  return named ? { address: ping.sourceAddr, port: ping.sourcePort } : from;
}
