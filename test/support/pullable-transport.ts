import type { Endpoint, Stream, Transport, TransportHandlers } from '../../src/memberlist-lite/transport.ts';

/** A transport with a cable: while it is pulled, packets vanish in both directions and streams come to nothing. */
export class PullableTransport implements Transport {
  readonly #inner: Transport;
  #pulled = false;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  pull(): void {
    this.#pulled = true;
  }

  plug(): void {
    this.#pulled = false;
  }

  listen(handlers: TransportHandlers): Promise<void> {
    return this.#inner.listen({
      packet: (packet, from) => {
        if (!this.#pulled) handlers.packet(packet, from);
      },
      stream: (stream, from) => {
        if (this.#pulled) {
          stream.receive({ data() {}, end() {}, closed() {} });
          stream.destroy();
        } else {
          handlers.stream(stream, from);
        }
      },
    });
  }

  send(to: Endpoint, packet: Uint8Array, failed?: () => void): void {
    if (!this.#pulled) this.#inner.send(to, packet, failed);
  }

  connect(to: Endpoint): Stream {
    const stream = this.#inner.connect(to);
    if (this.#pulled) stream.destroy();
    return stream;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
