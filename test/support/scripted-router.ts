import { decodeMessage, encodeMessage } from '../../src/bgp/codec.ts';
import { MessageFramer } from '../../src/bgp/framer.ts';
import type { Capability, Message, Open } from '../../src/bgp/message.ts';
import { isMessageError } from '../../src/bgp/message-error.ts';
import type { Connection, ConnectionCallbacks, IncomingConnection } from '../../src/bgp/transport.ts';
import type { End } from './tcp-network.ts';

/** The far end of one connection, in the hands of a test: it keeps what it hears, and says what it is told to. */
export class ScriptedRouter {
  readonly heard: Message[] = [];
  readonly #framer = new MessageFramer();
  readonly tcp: Connection;
  closed = false;
  /** As its OPEN says. */
  fourOctetAsn = true;

  constructor(incoming: IncomingConnection) {
    this.tcp = incoming.open(this.#callbacks());
  }

  /** The types of what was heard, in order. */
  get types(): string[] {
    return this.heard.map(({ type }) => type);
  }

  of<T extends Message['type']>(type: T): Extract<Message, { type: T }>[] {
    return this.heard.filter((message) => message.type === type) as Extract<Message, { type: T }>[];
  }

  say(...messages: Parameters<typeof encodeMessage>[0][]): void {
    for (const message of messages) {
      if (message.type === 'open') {
        this.fourOctetAsn = message.capabilities.some(({ kind }) => kind === 'four-octet-asn');
      }
      this.tcp.write(encodeMessage(message));
    }
  }

  /** No longer reads: what is sent to it is not taken. */
  stall(): void {
    (this.tcp as End).reading = false;
  }

  resume(): void {
    (this.tcp as End).read();
  }

  #callbacks(): ConnectionCallbacks {
    return {
      onData: (bytes) => {
        const messages = this.#framer.push(bytes);
        if (isMessageError(messages)) throw new Error(messages.text);
        for (const bytes of messages) {
          const message = decodeMessage(bytes, { fourOctetAsn: this.fourOctetAsn });
          if (isMessageError(message)) throw new Error(message.text);
          this.heard.push(message);
        }
      },
      onDrain: () => {},
      onClose: () => {
        this.closed = true;
      },
    };
  }
}

export const routerCapabilities: readonly Capability[] = [
  { kind: 'multiprotocol', family: 4 },
  { kind: 'multiprotocol', family: 6 },
  { kind: 'route-refresh' },
  { kind: 'enhanced-route-refresh' },
  { kind: 'four-octet-asn', asn: 64501 },
];

export const routerOpen: Open = {
  type: 'open',
  asn: 64501,
  holdTime: 90,
  routerId: 0x0a000001,
  capabilities: routerCapabilities,
};

export const keepalive = { type: 'keepalive' } as const;
