import type { Address } from '../ip/address.ts';

/** A TCP connection to a peer. After `onClose`, and after `destroy`, no callback is called and writing does nothing. */
export interface Connection {
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
  /** The interface of the peer, where its address alone does not say it (link-local). */
  readonly localInterface?: string | undefined;
  /** What was written and is not yet with the kernel. */
  readonly bufferedBytes: number;
  /** Never blocks; what the kernel does not take at once is buffered. */
  write(bytes: Uint8Array): void;
  /** Sends what is buffered, then FIN. `onClose` follows once the peer has closed too. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export type ConnectionCallbacks = {
  onData(bytes: Uint8Array): void;
  /** Nothing is buffered any more. */
  onDrain(): void;
  /** The peer has closed, or the connection broke. An Error has the `code` of the system where there is one. */
  onClose(error?: Error): void;
};

export type DialTarget = {
  readonly address: Address;
  /** The zone of a link-local address. */
  readonly interface?: string | undefined;
  readonly port: number;
  readonly sourceAddress?: Address | undefined;
  /** A VRF or an interface that the socket is bound to. */
  readonly device?: string | undefined;
  /** For TCP MD5 (RFC 2385). */
  readonly password?: string | undefined;
  readonly ttl: number;
  /** What arrives with less is dropped (RFC 5082). */
  readonly minimumTtl?: number | undefined;
  /** Gives up. */
  readonly signal: AbortSignal;
};

export interface Transport {
  /** Rejects with an Error that has a `code`, such as ECONNREFUSED. No callback is called before it resolves. */
  dial(target: DialTarget, callbacks: ConnectionCallbacks): Promise<Connection>;
}

/** Somebody has connected to us: `open` says who is to be called, once, before the next turn of the event loop. */
export type IncomingConnection = { open(callbacks: ConnectionCallbacks): Connection };
