import { type Random, shuffled } from '../runtime/random.ts';
import { BroadcastQueue } from './broadcast-queue.ts';
import type { WritableCounters } from './counters.ts';
import type { Framing } from './framing.ts';
import { maxCompoundParts } from './limits.ts';
import { type Claim, type Entry, isMember, type MemberTable } from './member-table.ts';
import { encodeMessage } from './messages.ts';
import { encodePacket, packetRoom, partOverhead, singleRoom } from './packet.ts';
import { protocolMax } from './prober.ts';
import type { Endpoint, Transport } from './transport.ts';

/** A message that travels in packets. */
export type Outgoing = Parameters<typeof encodeMessage>[0];

/** From this protocol version on a member takes packets with a checksum. */
const checksumVersion = 5;

/** Puts messages into packets, and fills the room that is left with what the others should know. */
export class PacketSender {
  readonly #self: string;
  readonly #table: MemberTable;
  readonly #queue: BroadcastQueue;
  readonly #framing: Framing;
  readonly #transport: Transport;
  readonly #random: Random;
  readonly #counts: WritableCounters;
  readonly #settings: { readonly gossipNodes: number; readonly gossipToTheDeadTime: number };
  readonly #room: number;
  readonly #singleRoom: number;

  constructor(options: {
    readonly self: string;
    readonly table: MemberTable;
    readonly framing: Framing;
    readonly transport: Transport;
    readonly random: Random;
    readonly counts: WritableCounters;
    readonly settings: {
      readonly retransmitMult: number;
      readonly packetBudget: number;
      readonly gossipNodes: number;
      readonly gossipToTheDeadTime: number;
    };
  }) {
    this.#self = options.self;
    this.#table = options.table;
    this.#queue = new BroadcastQueue(options.settings.retransmitMult);
    this.#framing = options.framing;
    this.#transport = options.transport;
    this.#random = options.random;
    this.#counts = options.counts;
    this.#settings = options.settings;
    this.#room = packetRoom(options.settings.packetBudget, options.framing);
    this.#singleRoom = singleRoom(options.settings.packetBudget, options.framing);
  }

  /** Whether one packet holds this message of the application, and its type byte. */
  fits(payload: Uint8Array): boolean {
    return payload.length + 1 <= this.#singleRoom;
  }

  /** Queues a claim for everyone. */
  broadcast(about: string, claim: Claim): void {
    this.#queue.add(about, encodeMessage(claim));
  }

  /** Sends a message with gossip behind it. `failed` when the packet did not even leave. */
  send(to: Endpoint | Entry, message: Outgoing, failed?: () => void): void {
    const first = encodeMessage(message);
    const gossip = this.#queue.take(this.#room - first.length - partOverhead, this.#table.size, maxCompoundParts - 1);
    this.#transmit(to, [first, ...gossip], failed);
  }

  /** Sends just these messages. */
  sendAlone(to: Endpoint | Entry, messages: readonly Outgoing[], failed?: () => void): void {
    this.#transmit(to, messages.map(encodeMessage), failed);
  }

  /** Sends to every member but ourselves, at once. */
  sendToAll(message: Outgoing): void {
    for (const entry of this.#table.entries()) {
      if (isMember(entry) && entry.name !== this.#self) this.sendAlone(entry, [message]);
    }
  }

  /** One round of gossip: to a few random members, and to the freshly dead, who may have something to say to it. */
  gossip(now: number): void {
    if (this.#queue.size === 0) return;
    const listens = (entry: Entry) =>
      entry.name !== this.#self &&
      (isMember(entry) || (entry.state === 'dead' && now - entry.since <= this.#settings.gossipToTheDeadTime));
    const listeners = [...this.#table.entries()].filter(listens);
    for (const target of shuffled(listeners, this.#random).slice(0, this.#settings.gossipNodes)) {
      const messages = this.#queue.take(this.#room, this.#table.size, maxCompoundParts);
      if (messages.length > 0) this.#transmit(target, messages);
    }
  }

  #transmit(to: Endpoint | Entry, messages: readonly Uint8Array[], failed?: () => void): void {
    const checksum = 'vsn' in to && protocolMax(to) >= checksumVersion;
    this.#counts.packetsSent++;
    this.#transport.send(to, encodePacket(messages, checksum, this.#framing), () => {
      this.#counts.packetsUnsent++;
      failed?.();
    });
  }
}
