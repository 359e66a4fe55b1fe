import { MessageFramer } from './framer.ts';
import type { Lingering } from './lingering.ts';
import { isMessageError, type MessageError } from './message-error.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { Connection, ConnectionCallbacks, IncomingConnection, Transport } from './transport.ts';

export type TcpLinkOptions = {
  readonly settings: PeerSettings;
  readonly transport: Transport;
  readonly lingering: Lingering;
  readonly connected: () => void;
  /** It could not be made, or is gone. */
  readonly failed: (error: Error | undefined) => void;
  /** One whole message, to be decoded at once. */
  readonly message: (bytes: Uint8Array) => void;
  /** What comes is no BGP, and nothing comes after it. */
  readonly fault: (fault: MessageError) => void;
  readonly drained: () => void;
};

/** One TCP connection at a time. Nothing is heard of one after `close`. */
export class TcpLink {
  readonly #options: TcpLinkOptions;
  #dialling: AbortController | undefined;
  #tcp: Connection | undefined;
  #framer = new MessageFramer();
  #written = 0;

  constructor(options: TcpLinkOptions) {
    this.#options = options;
  }

  get tcp(): Connection | undefined {
    return this.#tcp;
  }

  /** How many of the bytes that were written have gone to the kernel. */
  get taken(): number {
    return this.#written - (this.#tcp?.bufferedBytes ?? 0);
  }

  /** Never rejects. */
  async dial(): Promise<void> {
    const { transport, settings, failed } = this.#options;
    const abort = new AbortController();
    this.#dialling = abort;
    let tcp: Connection | undefined;
    const callbacks = this.#callbacks(() => tcp);
    try {
      tcp = await transport.dial({ ...settings, signal: abort.signal }, callbacks);
    } catch (error) {
      if (this.#dialling !== abort) return;
      this.#dialling = undefined;
      failed(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#dialling !== abort) {
      tcp.destroy();
      return;
    }
    this.#dialling = undefined;
    this.#connected(tcp);
  }

  take(incoming: IncomingConnection): void {
    let tcp: Connection | undefined;
    const callbacks = this.#callbacks(() => tcp);
    tcp = incoming.open(callbacks);
    this.#connected(tcp);
  }

  /** Does nothing without a connection. */
  write(bytes: Uint8Array): void {
    if (!this.#tcp) return;
    this.#written += bytes.length;
    this.#tcp.write(bytes);
  }

  /** Gives up to dial, or closes after what was written. */
  close(): void {
    this.#dialling?.abort();
    this.#dialling = undefined;
    const tcp = this.#tcp;
    this.#tcp = undefined;
    if (tcp) this.#options.lingering.add(tcp);
  }

  #connected(tcp: Connection): void {
    this.#tcp = tcp;
    this.#framer = new MessageFramer();
    this.#written = 0;
    this.#options.connected();
  }

  #callbacks(which: () => Connection | undefined): ConnectionCallbacks {
    const { lingering, failed, drained } = this.#options;
    const current = () => this.#tcp !== undefined && which() === this.#tcp;
    return {
      onData: (bytes) => {
        if (current()) this.#read(bytes);
      },
      onDrain: () => {
        if (current()) drained();
      },
      onClose: (error) => {
        if (current()) {
          this.#tcp = undefined;
          failed(error);
          return;
        }
        const tcp = which();
        if (tcp) lingering.closed(tcp);
      },
    };
  }

  #read(bytes: Uint8Array): void {
    const tcp = this.#tcp;
    const framer = this.#framer;
    const messages = framer.push(bytes);
    if (!isMessageError(messages)) {
      for (const message of messages) if (this.#tcp === tcp) this.#options.message(message);
    }
    if (framer.fault !== undefined && this.#tcp === tcp) this.#options.fault(framer.fault);
  }
}
