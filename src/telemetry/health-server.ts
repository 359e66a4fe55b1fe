import { createServer, type Server } from 'node:http';

export type HealthServerOptions = {
  /** Empty: every address, IPv4 and IPv6. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Why the process is not ready to serve yet; empty when it is. Shown in the answer to `/readyz`. */
  readonly unready: () => readonly string[];
};

/**
 * Answers `GET /healthz` with 200, and `GET /readyz` with 200 or with 503 and the reasons. The port is bound when `listen()`
 * resolves; it rejects naming host and port when that is impossible.
 */
export class HealthServer {
  readonly #options: HealthServerOptions;
  readonly #server: Server;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      const { status, text } = this.#answer(request.url ?? '');
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
    });
  }

  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(new Error(`listen for health checks on ${host || 'every address'}, port ${port}`, { cause })),
      );
      this.#server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer(url: string): { status: number; text: string } {
    switch (url.split('?', 1)[0]) {
      case '/healthz':
        // That it answers is the answer: a stuck event loop does not, and the kubelet restarts it.
        return { status: 200, text: 'ok' };
      case '/readyz': {
        const reasons = this.#options.unready();
        return reasons.length === 0 ? { status: 200, text: 'ok' } : { status: 503, text: reasons.join('\n') };
      }
      default:
        return { status: 404, text: 'not found: this port has /healthz and /readyz' };
    }
  }
}
