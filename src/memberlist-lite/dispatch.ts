import { noBytes } from './bytes.ts';
import type { WritableCounters } from './counters.ts';
import type { Framing } from './framing.ts';
import { maxAnswers } from './limits.ts';
import type { DropReason } from './malformed.ts';
import type { Claim, Self } from './member-table.ts';
import { ackCodec, type IndirectPing, messageType, type PacketMessage, type Ping } from './messages.ts';
import { decodePacket } from './packet.ts';
import type { PingWire } from './ping-wire.ts';
import type { Prober } from './prober.ts';
import type { ReachChecks } from './reach-check.ts';
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
  readonly #reachChecks: ReachChecks;
  readonly #tables: TableExchange;
  readonly #counts: WritableCounters;
  readonly #claimed: (claim: Claim) => void;
  readonly #accused: (from: Endpoint) => void;
  readonly #told: (payload: Uint8Array, from: Endpoint, over: 'packet' | 'stream') => void;

  constructor(options: {
    readonly self: Self;
    readonly framing: Framing;
    readonly wire: PingWire;
    readonly prober: Prober;
    readonly relays: Relays;
    readonly reachChecks: ReachChecks;
    readonly tables: TableExchange;
    readonly counts: WritableCounters;
    /** Takes in what a peer claims about a member. */
    readonly claimed: (claim: Claim) => void;
    /** Answers one that passes on an accusation of ourselves. */
    readonly accused: (from: Endpoint) => void;
    /** Takes in a message of another member's application. */
    readonly told: (payload: Uint8Array, from: Endpoint, over: 'packet' | 'stream') => void;
  }) {
    this.#self = options.self;
    this.#framing = options.framing;
    this.#wire = options.wire;
    this.#prober = options.prober;
    this.#relays = options.relays;
    this.#reachChecks = options.reachChecks;
    this.#tables = options.tables;
    this.#counts = options.counts;
    this.#claimed = options.claimed;
    this.#accused = options.accused;
    this.#told = options.told;
  }

  packet(packet: Uint8Array, from: Endpoint): void {
    this.#counts.packetsReceived++;
    const messages = decodePacket(packet, this.#framing, (reason) => this.#drop(reason));
    let answersLeft = maxAnswers;
    for (const message of messages) {
      if (!this.#asksForAnswer(message)) this.#message(message, from);
      else if (answersLeft > 0) {
        answersLeft--;
        this.#message(message, from);
        if (message.type === 'suspect' || message.type === 'dead') this.#accused(from);
      } else this.#drop('answer-limit');
    }
  }

  /** The reply to a request over a stream; undefined for none. */
  request(request: StreamMessage, from: Endpoint): Uint8Array | undefined {
    switch (request.type) {
      case 'ping':
        if (!this.#isForUs(request)) return undefined;
        return ackCodec.encode({ seqNo: request.seqNo, payload: noBytes }, messageType.ack);
      case 'pushPull': {
        const { reply, fits } = this.#tables.answer(request, from);
        if (!fits) this.#drop('version');
        return reply;
      }
      case 'user':
        this.#told(request.payload, from, 'stream');
        return undefined;
      case 'ack':
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
        this.#reachChecks.ack(message.seqNo);
        break;
      case 'nack':
        this.#prober.nack(message.seqNo);
        break;
      case 'alive':
      case 'suspect':
      case 'dead':
        this.#claimed(message);
        break;
      case 'user':
        this.#told(message.payload, from, 'packet');
        break;
      default:
        message satisfies never;
    }
  }

  /** Whether we send something because of this message, whatever our state. */
  #asksForAnswer(message: PacketMessage): boolean {
    if (message.type === 'ping' || message.type === 'indirectPing') return true;
    return (message.type === 'suspect' || message.type === 'dead') && message.node === this.#self.name;
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
