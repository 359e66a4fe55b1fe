import { noBytes } from '../src/memberlist-lite/bytes.ts';
import { lan } from '../src/memberlist-lite/config.ts';
import { Framing } from '../src/memberlist-lite/framing.ts';
import { Keyring } from '../src/memberlist-lite/keyring.ts';
import type { Claim, Entry } from '../src/memberlist-lite/member-table.ts';
import { ackCodec, encodeMessage, messageType } from '../src/memberlist-lite/messages.ts';
import { NodeTransport } from '../src/memberlist-lite/node-transport.ts';
import { decodePacket, encodePacket } from '../src/memberlist-lite/packet.ts';
import { encodePushPull } from '../src/memberlist-lite/push-pull.ts';
import { StreamExchange } from '../src/memberlist-lite/stream-exchange.ts';
import type { Endpoint } from '../src/memberlist-lite/transport.ts';
import { sleep, systemClock } from '../src/runtime/clock.ts';
import { systemRandom } from '../src/runtime/random.ts';

/** A real member that the ring is told apart for, and the packets that went to it and came from it. */
type Subject = { readonly name: string; readonly endpoint: Endpoint; packets: number; lastAck: number };
type Peer = { entry: Entry; readonly transport: NodeTransport };

/**
 * The rest of a ring, as one real member at a time notices it: peers on real sockets that answer its probes, probe it
 * as often as a ring with `lan` timers does, and gossip to it about every change as often. They do nothing among
 * themselves. Several real members may be served, which do not know of each other.
 */
export class SimulatedRing {
  readonly #framing: Framing;
  readonly #peers: Peer[] = [];
  readonly #subjects = new Map<string, Subject>();
  #seqNo = 0;

  static async open(peers: number, net: number, port: number, key: Uint8Array): Promise<SimulatedRing> {
    const ring = new SimulatedRing(key);
    for (let i = 0; i < peers; i++) {
      const address = `127.${net}.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`;
      await ring.#add(`peer-${i + 1}`, { address, port });
    }
    return ring;
  }

  private constructor(key: Uint8Array) {
    this.#framing = new Framing({
      label: '',
      keyring: new Keyring([key]),
      verifyIncoming: true,
      verifyOutgoing: true,
      compression: false,
      protocolVersion: 2,
      random: systemRandom,
    });
  }

  /** Where to join. */
  get entrance(): Endpoint {
    return this.#anyone().entry;
  }

  /** To be called before it starts. */
  expect(name: string, endpoint: Endpoint): void {
    this.#subjects.set(endpoint.address, { name, endpoint, packets: 0, lastAck: Infinity });
  }

  /** Packets to and from a member so far. */
  packets(address: string): number {
    return this.#subject(address).packets;
  }

  /** Has a member that has just joined get rid of all it has to tell, which else takes minutes in a large ring. */
  async drain(address: string): Promise<void> {
    const subject = this.#subject(address);
    subject.lastAck = Infinity;
    for (const deadline = performance.now() + 60_000; subject.lastAck > 1; ) {
      if (performance.now() > deadline) throw new Error(`${subject.name} still has something to tell after a minute`);
      for (let i = 0; i < 5; i++) this.#ping(subject);
      await sleep(systemClock, 5);
    }
  }

  /** Lets time pass in which one peer after another leaves and returns, `changes` times a second in all. */
  async run(seconds: number, changes: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    const tasks = [...this.#subjects.values()].map((subject) => this.#probe(subject, end));
    if (changes > 0) tasks.push(this.#change(1000 / changes, end));
    await Promise.all(tasks);
  }

  async close(): Promise<void> {
    for (const { transport } of this.#peers) await transport.close();
  }

  /** Each of the others probes it once in as many intervals as there are others. */
  async #probe(subject: Subject, end: number): Promise<void> {
    while (performance.now() < end) {
      await sleep(systemClock, lan.probeInterval * 2 * systemRandom.float());
      this.#ping(subject);
    }
  }

  async #change(interval: number, end: number): Promise<void> {
    for (let gone: Peer | undefined; performance.now() < end; await sleep(systemClock, interval)) {
      const peer: Peer = gone ?? this.#anyone();
      const { name: node, address: addr, port, meta, vsn, incarnation } = peer.entry;
      if (gone === undefined) {
        this.#spread({ type: 'dead', node, incarnation, from: node });
      } else {
        peer.entry = { ...peer.entry, incarnation: incarnation + 1 };
        this.#spread({ type: 'alive', node, addr, port, meta, vsn, incarnation: incarnation + 1 });
      }
      gone = gone === undefined ? peer : undefined;
    }
  }

  /**
   * Every member sends a message so many times to random others, so this many copies arrive at each; in as many ticks
   * of gossip as it takes one of them to send its copies.
   */
  #spread(claim: Claim): void {
    const copies = lan.retransmitMult * Math.ceil(Math.log10(this.#peers.length + 2));
    const duration = (copies / lan.gossipNodes) * lan.gossipInterval;
    const message = encodeMessage(claim);
    for (const subject of this.#subjects.values()) {
      for (let i = 0; i < copies; i++) {
        systemClock.after(systemRandom.float() * duration, () => this.#send(subject, [message], true));
      }
    }
  }

  #ping(subject: Subject): void {
    this.#seqNo++;
    const { name, address, port } = this.#anyone().entry;
    const ping = { seqNo: this.#seqNo, node: subject.name, sourceAddr: address, sourcePort: port, sourceNode: name };
    this.#send(subject, [encodeMessage({ type: 'ping', ...ping })], false);
  }

  #send(subject: Subject, messages: readonly Uint8Array[], checksum: boolean): void {
    subject.packets++;
    this.#anyone().transport.send(subject.endpoint, encodePacket(messages, checksum, this.#framing));
  }

  async #add(name: string, endpoint: Endpoint): Promise<void> {
    const transport = new NodeTransport(endpoint);
    const vsn = Uint8Array.of(1, 5, 2, 0, 0, 0);
    const entry: Entry = { name, ...endpoint, meta: noBytes, vsn, incarnation: 1, state: 'alive', since: 0 };
    const streams = new StreamExchange({
      transport,
      framing: this.#framing,
      clock: systemClock,
      timeout: lan.tcpTimeout,
      answer: (request) => {
        if (request.type === 'ping')
          return ackCodec.encode({ seqNo: request.seqNo, payload: noBytes }, messageType.ack);
        if (request.type !== 'pushPull') return undefined;
        return encodePushPull(
          this.#peers.map((peer) => peer.entry),
          request.join,
        );
      },
      drop() {},
    });
    await transport.listen({
      packet: (packet, from) => this.#hear(transport, packet, from),
      stream: (stream, from) => void streams.serve(stream, from),
    });
    this.#peers.push({ entry, transport });
  }

  #hear(transport: NodeTransport, packet: Uint8Array, from: Endpoint): void {
    const subject = this.#subjects.get(from.address);
    if (subject === undefined) return;
    subject.packets++;
    const messages = decodePacket(packet, this.#framing, () => {});
    for (const message of messages) {
      if (message.type === 'ack') subject.lastAck = messages.length;
      if (message.type !== 'ping') continue;
      subject.packets++;
      const ack = encodeMessage({ type: 'ack', seqNo: message.seqNo, payload: noBytes });
      transport.send(from, encodePacket([ack], false, this.#framing));
    }
  }

  #subject(address: string): Subject {
    const subject = this.#subjects.get(address);
    if (subject === undefined) throw new Error(`nobody is expected at ${address}`);
    return subject;
  }

  #anyone(): Peer {
    return this.#peers[systemRandom.integer(this.#peers.length)] as Peer;
  }
}
