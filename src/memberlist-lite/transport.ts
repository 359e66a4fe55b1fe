/** An IP address as text and a port. */
export type Endpoint = { readonly address: string; readonly port: number };

/**
 * How a member reaches others: packets that may get lost, and streams that do not. One port serves both. The only
 * implementations are node-transport.ts, on sockets, and the simulated network of the tests.
 */
export interface Transport {
  /** Starts receiving. Rejects when the port cannot be had; nothing is left open then. */
  listen(handlers: TransportHandlers): Promise<void>;
  /** Sends one packet, at best. Never throws; `failed` is called when the packet did not even leave. */
  send(to: Endpoint, packet: Uint8Array, failed?: () => void): void;
  /** A stream to a listening member. Writing may start at once; a failure to connect arrives as `closed`. */
  connect(to: Endpoint): Stream;
  /** Stops receiving and destroys all streams. Idempotent. */
  close(): Promise<void>;
}

export type TransportHandlers = {
  readonly packet: (packet: Uint8Array, from: Endpoint) => void;
  /** `from` has the port of the stream, which is not that of the member. */
  readonly stream: (stream: Stream, from: Endpoint) => void;
};

export interface Stream {
  /** Starts delivery; to be called once, in the same turn in which the stream was got. */
  receive(handlers: StreamHandlers): void;
  write(bytes: Uint8Array): void;
  /** Writes the last bytes and closes our direction. */
  end(bytes: Uint8Array): void;
  /** Closes both directions at once. Idempotent; `closed` still follows. */
  destroy(): void;
}

export type StreamHandlers = {
  readonly data: (bytes: Uint8Array) => void;
  /** The peer writes no more. */
  readonly end: () => void;
  /** Exactly once, and last. */
  readonly closed: (error?: Error) => void;
};
