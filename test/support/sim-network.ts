import type {
  Endpoint,
  Stream,
  StreamHandlers,
  Transport,
  TransportHandlers,
} from '../../src/memberlist-lite/transport.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import type { Random } from '../../src/runtime/random.ts';

export type SimConditions = {
  /** Share of packets that get lost, 0 to 1. Streams lose nothing. */
  readonly loss: number;
  /** One-way delay in milliseconds, uniform between the two: packets overtake each other within this range. */
  readonly delay: readonly [least: number, most: number];
  /** Share of packets that arrive twice, each after a delay of its own. Absent: none. */
  readonly duplicates?: number;
  /** Packets that stay in some queue for longer than others. Absent: none. */
  readonly stragglers?: { readonly share: number; readonly delay: number };
};

/**
 * A network in memory, in the time of `clock` and with the chance of `random`: same seed, same course of events.
 * Hosts are told apart by address. A host that is cut off neither sends nor receives, packets and streams alike, and
 * nobody is told: connecting to it hangs.
 */
export class SimNetwork {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #listening = new Map<string, TransportHandlers>();
  /** address → the part of a partitioned network it is in; absent: part 0 */
  readonly #parts = new Map<string, number>();
  readonly #down = new Set<string>();
  /** Pairs of addresses between which nothing, or only streams, get through. */
  readonly #severed = new Map<string, 'everything' | 'packets'>();
  #conditions: SimConditions;
  /** Packets handed over so far. */
  delivered = 0;

  constructor(clock: Clock, random: Random, conditions: SimConditions = { loss: 0, delay: [0.1, 0.5] }) {
    this.#clock = clock;
    this.#random = random;
    this.#conditions = conditions;
  }

  transport(self: Endpoint): Transport {
    return new SimTransport(this, self);
  }

  setConditions(conditions: SimConditions): void {
    this.#conditions = conditions;
  }

  /** Splits the network: the hosts of each group reach each other, everyone else is in one group of the rest. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.#parts.clear();
    for (const [index, group] of groups.entries()) for (const address of group) this.#parts.set(address, index + 1);
  }

  /** Ends every partition and mends every path. Hosts that are cut off stay so. */
  heal(): void {
    this.#parts.clear();
    this.#severed.clear();
  }

  /** Pulls the cable of a host. */
  cut(address: string): void {
    this.#down.add(address);
  }

  /** Plugs it in again. */
  restore(address: string): void {
    this.#down.delete(address);
  }

  /** Breaks the path between two hosts only. */
  sever(a: string, b: string, what: 'everything' | 'packets'): void {
    this.severOneWay(a, b, what);
    this.severOneWay(b, a, what);
  }

  /** Breaks the path in one direction. Of a stream, that leaves nothing: it needs both. */
  severOneWay(from: string, to: string, what: 'everything' | 'packets'): void {
    this.#severed.set(`${from} ${to}`, what);
  }

  /** For the transports of this network. */
  register(self: Endpoint, handlers: TransportHandlers): void {
    if (this.#listening.has(key(self))) throw new Error(`${key(self)} is taken`);
    this.#listening.set(key(self), handlers);
  }

  unregister(self: Endpoint): void {
    this.#listening.delete(key(self));
  }

  carryPacket(from: Endpoint, to: Endpoint, packet: Uint8Array): void {
    const { loss, duplicates = 0, stragglers } = this.#conditions;
    if (this.#random.float() < loss || this.#severed.has(`${from.address} ${to.address}`)) return;
    const copies = duplicates > 0 && this.#random.float() < duplicates ? 2 : 1;
    const content = packet.slice();
    for (let copy = 0; copy < copies; copy++) {
      const late = stragglers !== undefined && this.#random.float() < stragglers.share ? stragglers.delay : 0;
      this.deliver(from, to, this.#delay() + late, () => {
        const handlers = this.#listening.get(key(to));
        if (handlers === undefined) return;
        this.delivered++;
        handlers.packet(content, from);
      });
    }
  }

  carryStream(from: Endpoint, to: Endpoint): Stream {
    const delay = this.#delay();
    const client = new SimStream(this, from, to, delay);
    const server = new SimStream(this, to, from, delay);
    client.peer = server;
    server.peer = client;
    this.deliver(from, to, delay, () => {
      const handlers = this.#listening.get(key(to));
      if (handlers === undefined) {
        this.deliver(to, from, delay, () => client.close(new Error(`connection refused by ${key(to)}`)));
      } else {
        handlers.stream(server, from);
      }
    });
    return client;
  }

  /** Runs `arrive` after `delay`, if both hosts are up and in one part now and then. */
  deliver(from: Endpoint, to: Endpoint, delay: number, arrive: () => void): void {
    if (!this.#connected(from, to)) return;
    this.#clock.after(delay, () => {
      if (this.#connected(from, to)) arrive();
    });
  }

  #connected({ address: a }: Endpoint, { address: b }: Endpoint): boolean {
    if (this.#severed.get(`${a} ${b}`) === 'everything') return false;
    return !this.#down.has(a) && !this.#down.has(b) && this.#parts.get(a) === this.#parts.get(b);
  }

  #delay(): number {
    const [least, most] = this.#conditions.delay;
    return least + this.#random.float() * (most - least);
  }
}

class SimTransport implements Transport {
  readonly #network: SimNetwork;
  readonly #self: Endpoint;
  readonly #streams = new Set<Stream>();
  #closed = false;

  constructor(network: SimNetwork, self: Endpoint) {
    this.#network = network;
    this.#self = self;
  }

  async listen(handlers: TransportHandlers): Promise<void> {
    const stream = (accepted: Stream, from: Endpoint) => {
      this.#streams.add(accepted);
      handlers.stream(accepted, from);
    };
    this.#network.register(this.#self, { packet: handlers.packet, stream });
  }

  send(to: Endpoint, packet: Uint8Array, failed?: () => void): void {
    if (this.#closed) failed?.();
    else this.#network.carryPacket(this.#self, to, packet);
  }

  connect(to: Endpoint): Stream {
    const stream = this.#network.carryStream(this.#self, to);
    this.#streams.add(stream);
    return stream;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.unregister(this.#self);
    for (const stream of this.#streams) stream.destroy();
  }
}

class SimStream implements Stream {
  readonly #network: SimNetwork;
  readonly #from: Endpoint;
  readonly #to: Endpoint;
  readonly #delay: number;
  peer: SimStream | undefined;
  #handlers: StreamHandlers | undefined;
  /** What happened before `receive`. */
  readonly #early: ((handlers: StreamHandlers) => void)[] = [];
  #closed = false;

  constructor(network: SimNetwork, from: Endpoint, to: Endpoint, delay: number) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#delay = delay;
  }

  receive(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    for (const happened of this.#early.splice(0)) happened(handlers);
  }

  write(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#toPeer((peer) => peer.#tell((handlers) => handlers.data(copy)));
  }

  end(bytes: Uint8Array): void {
    this.write(bytes);
    this.#toPeer((peer) => peer.#tell((handlers) => handlers.end()));
  }

  destroy(): void {
    if (this.#closed) return;
    this.#toPeer((peer) => peer.close());
    this.close();
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tell((handlers) => handlers.closed(error));
  }

  #tell(happened: (handlers: StreamHandlers) => void): void {
    if (this.#handlers === undefined) this.#early.push(happened);
    else happened(this.#handlers);
  }

  #toPeer(act: (peer: SimStream) => void): void {
    if (this.#closed) return;
    this.#network.deliver(this.#from, this.#to, this.#delay, () => {
      if (this.peer !== undefined && !this.peer.#closed) act(this.peer);
    });
  }
}

function key({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}
