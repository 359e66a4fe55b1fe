import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import type {
  Connection,
  ConnectionCallbacks,
  DialTarget,
  IncomingConnection,
  Transport,
} from '../../bgp/transport.ts';
import { type Address, parseAddress, sameAddress } from '../../ip/address.ts';
import {
  dialTcp,
  type ListenOptions,
  listenTcp,
  setPeerKey,
  setTcpTtl,
  type TcpInfo,
  type TcpPeerOptions,
  tcpInfo,
} from '../../layer2/tcp.ts';

export type TcpTransportOptions = {
  /** For how many ms a peer need not acknowledge anything before a dialled connection breaks; the system's limit if undefined. */
  readonly userTimeout?: number;
};

/** Somebody who has connected to us, with what is asked of that peer set already. Closed unless it is opened at once. */
export type TcpIncoming = IncomingConnection & Pick<Connection, 'remoteAddress' | 'localAddress' | 'localInterface'>;

export type TcpListenOptions = ListenOptions & {
  readonly onConnection: (incoming: TcpIncoming) => void;
  /** The listener or a connection to it has failed; it goes on listening where it can. */
  readonly onError: (error: Error) => void;
};

/** The sessions' connections, made by the addon and read and written by Node's sockets. */
export class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions;

  constructor(options: TcpTransportOptions = {}) {
    this.#options = options;
  }

  async dial({ signal, ...target }: DialTarget, callbacks: ConnectionCallbacks): Promise<TcpConnection> {
    const fd = await dialTcp({ ...target, userTimeout: this.#options.userTimeout }, signal);
    const connection = new TcpConnection(new Socket({ fd, readable: true, writable: true }), fd, target.interface);
    connection.open(callbacks);
    return connection;
  }

  /** Resolves when it listens. Rejects with a TcpError. */
  listen(options: TcpListenOptions): Promise<TcpListener> {
    return TcpListener.open(options);
  }
}

/** Listens on one address, for the peers of one family. */
export class TcpListener {
  static async open(options: TcpListenOptions): Promise<TcpListener> {
    const fd = listenTcp(options);
    const server = createServer({ pauseOnConnect: true });
    const listener = new TcpListener(server, fd, options);
    server.listen({ fd });
    await once(server, 'listening');
    server.on('error', options.onError);
    return listener;
  }

  readonly #server: Server;
  readonly #fd: number;
  readonly #options: TcpListenOptions;
  #peers: readonly TcpPeerOptions[];

  private constructor(server: Server, fd: number, options: TcpListenOptions) {
    this.#server = server;
    this.#fd = fd;
    this.#options = options;
    this.#peers = options.peers;
    server.on('connection', (socket) => this.#admit(socket));
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : this.#options.port;
  }

  /** For connections from now on. Throws a TcpError when the kernel refuses a key; the others are set all the same. */
  setPeers(peers: readonly TcpPeerOptions[]): void {
    if (!this.#server.listening) return;
    const { family } = this.#options.address;
    const ours = peers.filter(({ address }) => address.family === family);
    const failures: unknown[] = [];
    const set = (address: Address, password: string | null) => {
      try {
        setPeerKey(this.#fd, address, password);
      } catch (failure) {
        failures.push(failure);
      }
    };
    for (const { address, password } of this.#peers) {
      const stays = ours.some((peer) => peer.password !== undefined && sameAddress(peer.address, address));
      if (password !== undefined && address.family === family && !stays) set(address, null);
    }
    for (const { address, password } of ours) if (password !== undefined) set(address, password);
    const minimumTtl = Math.min(...ours.map((peer) => peer.minimumTtl ?? 0));
    const ttl = Math.max(...ours.map((peer) => peer.ttl ?? 0));
    setTcpTtl(this.#fd, {
      address: this.#options.address,
      ttl: ttl > 0 ? ttl : undefined,
      minimumTtl: minimumTtl > 0 && minimumTtl <= 255 ? minimumTtl : undefined,
    });
    this.#peers = peers;
    if (failures.length > 0) throw failures[0];
  }

  /** Connections go on. Idempotent. */
  close(): void {
    if (this.#server.listening) this.#server.close();
  }

  #admit(socket: Socket): void {
    socket.on('error', () => {}); // until it is opened nobody wants to know
    const fd = descriptorOf(socket);
    const remote = parseZoned(socket.remoteAddress);
    // It has gone already.
    if (fd === undefined || remote === undefined) {
      socket.destroy();
      return;
    }
    const peer = this.#peers.find(({ address }) => sameAddress(address, remote.address));
    try {
      if (peer !== undefined) setTcpTtl(fd, peer);
    } catch (error) {
      socket.destroy();
      this.#options.onError(error as Error);
      return;
    }
    const connection = new TcpConnection(socket, fd, undefined);
    let opened = false;
    const { remoteAddress, localAddress, localInterface } = connection;
    const open = (callbacks: ConnectionCallbacks) => {
      if (opened) throw new TypeError('open: this connection has been opened');
      opened = true;
      connection.open(callbacks);
      return connection;
    };
    this.#options.onConnection({ remoteAddress, localAddress, localInterface, open });
    // After all that this turn has promised, and before the next.
    queueMicrotask(() =>
      process.nextTick(() => {
        if (!opened) connection.destroy();
        opened = true;
      }),
    );
  }
}

export class TcpConnection implements Connection {
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
  readonly localInterface: string | undefined;
  readonly #socket: Socket;
  readonly #fd: number;
  #closed = false;

  /** Reads nothing before `open`. The descriptor is the socket's. */
  constructor(socket: Socket, fd: number, zone: string | undefined) {
    const local = parseZoned(socket.localAddress);
    const remote = parseZoned(socket.remoteAddress);
    this.#socket = socket.pause();
    this.#fd = fd;
    // A peer that has reset the connection already has taken the addresses with it; `onClose` is about to tell.
    this.localAddress = local?.address ?? unknown;
    this.remoteAddress = remote?.address ?? unknown;
    this.localPort = socket.localPort ?? 0;
    this.remotePort = socket.remotePort ?? 0;
    this.localInterface = zone ?? remote?.zone;
  }

  /** Once. */
  open(callbacks: ConnectionCallbacks): void {
    let failure: Error | undefined;
    const unlessClosed = (call: () => void) => {
      if (!this.#closed) call();
    };
    this.#socket
      .on('data', (bytes) => unlessClosed(() => callbacks.onData(bytes)))
      .on('drain', () => unlessClosed(() => callbacks.onDrain()))
      .on('error', (error) => {
        failure = error;
      })
      .on('close', () =>
        unlessClosed(() => {
          this.#closed = true;
          callbacks.onClose(failure);
        }),
      );
    // Takes effect with the next turn: nobody is called before the one who opens knows the connection.
    this.#socket.resume();
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.#closed && this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    if (!this.#closed) this.#socket.end();
  }

  destroy(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  /** Undefined when it is closed. */
  info(): TcpInfo | undefined {
    return this.#socket.destroyed ? undefined : tcpInfo(this.#fd);
  }
}

const unknown: Address = { family: 6, value: 0n };

/** Of an accepted socket; Node has no public name for it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } | null };
  return handle !== null && Number.isInteger(handle?.fd) && handle.fd >= 0 ? handle.fd : undefined;
}

/** As Node writes them: `fe80::1%eth0`. */
function parseZoned(text: string | undefined): { readonly address: Address; readonly zone?: string } | undefined {
  const [plain = '', zone] = (text ?? '').split('%');
  const address = parseAddress(plain);
  return address === undefined ? undefined : { address, ...(zone === undefined ? {} : { zone }) };
}
