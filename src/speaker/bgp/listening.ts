import type { IncomingConnection } from '../../bgp/transport.ts';
import { type Address, formatAddress, parseAddress } from '../../ip/address.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { TcpIncoming, TcpListener, TcpListenOptions } from './tcp-transport.ts';

const port = 179;
/** Until a port that cannot be had is tried again; milliseconds. */
const patience = 10_000;

/** A peer that may connect to us. */
export type Caller = {
  readonly address: Address;
  readonly password?: string | undefined;
  readonly ttl: number;
  readonly minimumTtl?: number | undefined;
};

export type ListeningOptions = {
  readonly listen: (options: TcpListenOptions) => Promise<Pick<TcpListener, 'setPeers' | 'close'>>;
  /** Whether the connection to this address of ours is wanted. `link` is the interface of a link-local peer. */
  readonly accept: (from: Address, connection: IncomingConnection, link: string | undefined, to: Address) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
};

type Listener = Pick<TcpListener, 'setPeers' | 'close'>;

/**
 * Waits for peers to connect, where a BGPPeer asks for it: a CNI's BGP daemon may have the port on other nodes. A port
 * that somebody else has is tried again.
 */
export class Listening {
  readonly #options: ListeningOptions;
  #callers: readonly Caller[] = [];
  /** By family. */
  readonly #listeners = new Map<4 | 6, Listener | 'opening'>();
  #retry: Timer | undefined;
  #isClosed = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** From here on these may connect; with none, the port is not taken. */
  set(callers: readonly Caller[]): void {
    this.#callers = callers;
    for (const family of [4, 6] as const) this.#look(family);
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    for (const listener of this.#listeners.values()) if (listener !== 'opening') listener.close();
    this.#listeners.clear();
  }

  #look(family: 4 | 6): void {
    const callers = this.#callers.filter(({ address }) => address.family === family);
    const listener = this.#listeners.get(family);
    if (callers.length > 0 && listener === undefined) void this.#open(family);
    if (listener === undefined || listener === 'opening') return;
    if (callers.length > 0) this.#admit(listener, callers);
    else {
      listener.close();
      this.#listeners.delete(family);
    }
  }

  async #open(family: 4 | 6): Promise<void> {
    const { listen, accept, log, clock } = this.#options;
    const address = parseAddress(family === 4 ? '0.0.0.0' : '::')!;
    const onConnection = (incoming: TcpIncoming) => {
      if (!accept(incoming.remoteAddress, incoming, incoming.localInterface, incoming.localAddress)) {
        log.debug('connection refused', { from: formatAddress(incoming.remoteAddress) });
      }
    };
    const onError = (error: Error) => log.warn('listening for BGP peers', { error });
    this.#listeners.set(family, 'opening');
    try {
      const listener = await listen({ address, port, peers: this.#callersOf(family), onConnection, onError });
      if (this.#isClosed) listener.close();
      else {
        this.#listeners.set(family, listener);
        log.info('listening for BGP peers', { port, family });
        this.#look(family);
      }
    } catch (error) {
      this.#listeners.delete(family);
      if (this.#isClosed) return;
      log.error('cannot listen for BGP peers', { port, family, error, remedy: 'is there another BGP daemon here?' });
      this.#retry?.cancel();
      this.#retry = clock.after(patience, () => this.set(this.#callers));
    }
  }

  #admit(listener: Listener, callers: readonly Caller[]): void {
    try {
      listener.setPeers(callers);
    } catch (error) {
      this.#options.log.error('a peer cannot be admitted', { error });
    }
  }

  #callersOf(family: 4 | 6): readonly Caller[] {
    return this.#callers.filter(({ address }) => address.family === family);
  }
}
