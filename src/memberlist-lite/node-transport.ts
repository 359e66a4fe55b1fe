import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Endpoint, Stream, StreamHandlers, Transport, TransportHandlers } from './transport.ts';

/** Room for the packets that arrive while we are busy. The kernel may grant less. */
const receiveBuffer = 1024 * 1024;

/** The transport on real sockets: UDP and TCP on one address and port. */
export class NodeTransport implements Transport {
  readonly #bind: Endpoint;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #open = new Set<Socket>();
  #closing: Promise<void> | undefined;

  /** `bind` is a local address, of the family that the ring uses. Nothing is opened before `listen`. */
  constructor(bind: Endpoint) {
    this.#bind = bind;
    this.#udp = createSocket({ type: isIPv6(bind.address) ? 'udp6' : 'udp4', recvBufferSize: receiveBuffer });
    // A peer may close its direction before it reads the reply.
    this.#tcp = createServer({ allowHalfOpen: true });
  }

  async listen(handlers: TransportHandlers): Promise<void> {
    const { address, port } = this.#bind;
    this.#tcp.on('connection', (socket) => {
      // One that is gone already has no address any more.
      const { remoteAddress = '', remotePort = 0 } = socket;
      handlers.stream(this.#track(socket), { address: remoteAddress, port: remotePort });
    });
    this.#udp.on('message', (packet: Uint8Array, from: RemoteInfo) => {
      handlers.packet(packet, { address: from.address, port: from.port });
    });
    try {
      await started((done, failed) => this.#tcp.once('error', failed).listen(port, address, done));
      await started((done, failed) => this.#udp.once('error', failed).bind(port, address, done));
    } catch (cause) {
      await this.close();
      throw new ListenError(`cannot listen on ${address} port ${port}`, { cause });
    }
    // Errors after this point concern one packet or one connection, and show as one that got lost.
    this.#udp.on('error', ignore);
    this.#tcp.on('error', ignore);
  }

  send(to: Endpoint, packet: Uint8Array, failed: () => void = ignore): void {
    try {
      this.#udp.send(packet, to.port, to.address, (error) => {
        if (error) failed();
      });
    } catch {
      failed(); // Closed, or a port that cannot be sent to.
    }
  }

  connect(to: Endpoint): Stream {
    // From our own address, by which the peer knows us.
    const from = { localAddress: this.#bind.address, family: isIPv6(this.#bind.address) ? 6 : 4 };
    return this.#track(connect({ host: to.address, port: to.port, allowHalfOpen: true, ...from }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #track(socket: Socket): Stream {
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    return new SocketStream(socket);
  }

  async #shutDown(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    // Closing what never opened calls back with an error, or throws: either way it is closed.
    await Promise.all([
      new Promise<void>((done) => this.#tcp.close(() => done())),
      new Promise<void>((done) => {
        try {
          this.#udp.close(done);
        } catch {
          done();
        }
      }),
    ]);
  }
}

/** The address or port cannot be had; `cause` says why. */
export class ListenError extends Error {
  readonly code = 'LISTEN';

  constructor(message: string, options: ErrorOptions) {
    super(message, options);
    this.name = 'ListenError';
  }
}

class SocketStream implements Stream {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  receive(handlers: StreamHandlers): void {
    let error: Error | undefined;
    this.#socket
      .on('data', handlers.data)
      .on('end', handlers.end)
      .on('error', (reason) => {
        error = reason;
      })
      .on('close', () => handlers.closed(error));
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  end(bytes: Uint8Array): void {
    this.#socket.end(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Resolves with the first of the two callbacks that fires. */
function started(begin: (done: () => void, failed: (error: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => begin(resolve, reject));
}

function ignore(): void {}
