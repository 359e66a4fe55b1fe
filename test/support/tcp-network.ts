import type {
  Connection,
  ConnectionCallbacks,
  DialTarget,
  IncomingConnection,
  Transport,
} from '../../src/bgp/transport.ts';
import { type Address, formatAddress } from '../../src/ip/address.ts';
import type { Clock } from '../../src/runtime/clock.ts';

/** What a host does with a connection attempt; without a listener it refuses it. */
export type Listener = (incoming: IncomingConnection, from: Address) => boolean;

/** TCP without a network, in the time of its clock: what is written arrives a millisecond later, while the other end reads. */
export class TcpNetwork<C extends Clock = Clock> {
  readonly clock: C;
  readonly #listeners = new Map<string, Listener>();
  readonly #silent = new Set<string>();
  readonly #open = new Set<End>();
  dials = 0;

  constructor(clock: C) {
    this.clock = clock;
  }

  /** Ends that nobody has closed yet. */
  get open(): number {
    return this.#open.size;
  }

  listen(address: Address, listener: Listener): void {
    this.#listeners.set(formatAddress(address), listener);
  }

  /** SYNs to it get lost. */
  silence(address: Address): void {
    this.#silent.add(formatAddress(address));
  }

  transport(local: Address): Transport {
    return { dial: (target, callbacks) => this.#dial(local, target, callbacks) };
  }

  #dial(local: Address, target: DialTarget, callbacks: ConnectionCallbacks): Promise<Connection> {
    this.dials++;
    return new Promise((resolve, reject) => {
      target.signal.addEventListener('abort', () => reject(target.signal.reason), { once: true });
      if (this.#silent.has(formatAddress(target.address))) return;
      this.clock.after(1, () => {
        if (target.signal.aborted) return;
        const [near, far] = [new End(this, local, target.address), new End(this, target.address, local)];
        near.connect(far, callbacks);
        const incoming: IncomingConnection = {
          open: (theirs) => {
            far.connect(near, theirs);
            this.#open.add(near).add(far);
            return far;
          },
        };
        if (this.#listeners.get(formatAddress(target.address))?.(incoming, local)) resolve(near);
        else reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      });
    });
  }

  closed(end: End): void {
    this.#open.delete(end);
  }
}

class End implements Connection {
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly localPort = 40_000;
  readonly remotePort = 179;
  readonly #network: TcpNetwork;
  readonly #queue: Uint8Array[] = [];
  bufferedBytes = 0;
  reading = true;
  #peer: End | undefined;
  #callbacks: ConnectionCallbacks | undefined;
  #ended = false;
  #closed = false;

  constructor(network: TcpNetwork, local: Address, remote: Address) {
    this.#network = network;
    this.localAddress = local;
    this.remoteAddress = remote;
  }

  connect(peer: End, callbacks: ConnectionCallbacks): void {
    this.#peer = peer;
    this.#callbacks = callbacks;
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || this.#ended) return;
    this.#queue.push(bytes.slice());
    this.bufferedBytes += bytes.length;
    this.#network.clock.after(1, () => this.#flush());
  }

  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#network.clock.after(1, () => this.#flush());
  }

  destroy(): void {
    if (this.#closed) return;
    this.#close();
    const peer = this.#peer;
    this.#network.clock.after(1, () => peer?.lost());
  }

  /** Reads again after `reading` was false. */
  read(): void {
    this.reading = true;
    this.#peer?.drain();
  }

  drain(): void {
    this.#network.clock.after(1, () => this.#flush());
  }

  lost(error?: Error): void {
    if (this.#closed) return;
    this.#close();
    this.#callbacks?.onClose(error);
  }

  receive(bytes: Uint8Array): void {
    if (!this.#closed) this.#callbacks?.onData(bytes);
  }

  #flush(): void {
    if (this.#closed || !this.#peer?.reading) return;
    const had = this.#queue.length > 0;
    for (const bytes of this.#queue.splice(0)) {
      this.bufferedBytes -= bytes.length;
      this.#peer.receive(bytes);
      if (this.#closed) return;
    }
    if (had) this.#callbacks?.onDrain();
    if (!this.#ended || this.#closed || this.#queue.length > 0) return;
    this.#peer.lost();
    this.lost();
  }

  #close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    this.bufferedBytes = 0;
    this.#network.closed(this);
  }
}

export type { End };
