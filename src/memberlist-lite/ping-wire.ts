import { noBytes } from './bytes.ts';
import { maxUint32 } from './limits.ts';
import type { Entry, Self } from './member-table.ts';
import { messageType, type Ping, pingCodec } from './messages.ts';
import type { PacketSender } from './packet-sender.ts';
import { asksForNack, type ProbeWire } from './prober.ts';
import type { RelayWire } from './relays.ts';
import { isFailure, type StreamExchange } from './stream-exchange.ts';
import type { Endpoint } from './transport.ts';

/** Sends pings and answers to them, over packets and streams. */
export class PingWire implements ProbeWire, RelayWire {
  readonly #self: Self;
  readonly #sender: PacketSender;
  readonly #streams: StreamExchange;
  #seqNo = 0;

  constructor(self: Self, sender: PacketSender, streams: StreamExchange) {
    this.#self = self;
    this.#sender = sender;
    this.#streams = streams;
  }

  nextSeqNo(): number {
    this.#seqNo = this.#seqNo === maxUint32 ? 1 : this.#seqNo + 1;
    return this.#seqNo;
  }

  /** A suspect is told so together with the ping, and can object at once. */
  probe(target: Entry, seqNo: number, failed: () => void): void {
    const { name: node, incarnation } = target;
    const ping = { type: 'ping', ...this.#ping(node, seqNo) } as const;
    const suspicion = { type: 'suspect', node, incarnation, from: this.#self.name } as const;
    if (target.state === 'alive') this.#sender.send(target, ping, failed);
    else this.#sender.sendAlone(target, [ping, suspicion], failed);
  }

  askHelper(helper: Entry, target: Entry, seqNo: number): void {
    const ask = { ...this.#ping(target.name, seqNo), target: target.address, port: target.port };
    this.#sender.send(helper, { type: 'indirectPing', ...ask, nack: asksForNack(helper) });
  }

  async probeOverStream(target: Entry, seqNo: number, timeout: number): Promise<boolean> {
    const ping = pingCodec.encode(this.#ping(target.name, seqNo), messageType.ping);
    const reply = await this.#streams.request(target, ping, timeout);
    return !isFailure(reply) && reply.type === 'ack' && reply.seqNo === seqNo;
  }

  ping(target: Endpoint, node: string, seqNo: number): void {
    this.#sender.send(target, { type: 'ping', ...this.#ping(node, seqNo) });
  }

  ack(requester: Endpoint, seqNo: number): void {
    this.#sender.send(requester, { type: 'ack', seqNo, payload: noBytes });
  }

  nack(requester: Endpoint, seqNo: number): void {
    this.#sender.send(requester, { type: 'nack', seqNo });
  }

  #ping(node: string, seqNo: number): Ping {
    const { address: sourceAddr, port: sourcePort, name: sourceNode } = this.#self;
    return { seqNo, node, sourceAddr, sourcePort, sourceNode };
  }
}
