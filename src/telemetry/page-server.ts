import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';

export type Page = { readonly status: number; readonly text: string; readonly contentType?: string };

/** Path → what is there now. */
export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

export type PageServerOptions = {
  /** For error messages: `health checks`. */
  readonly purpose: string;
  /** Empty: every address, IPv4 and IPv6. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly pages: Pages;
};

/**
 * `/healthz` answers 200, and `/readyz` 200 or 503 with the reasons: why the process is not ready to serve yet; none
 * when it is.
 */
export function healthPages(unready: () => readonly string[]): Pages {
  return {
    // That it answers is the answer: a stuck event loop does not, and the kubelet restarts it.
    '/healthz': () => ({ status: 200, text: 'ok\n' }),
    '/readyz': () => {
      const reasons = unready();
      return reasons.length === 0 ? { status: 200, text: 'ok\n' } : { status: 503, text: `${reasons.join('\n')}\n` };
    },
  };
}

export function metricsPages(metrics: Metrics): Pages {
  return {
    '/metrics': async () => ({ status: 200, text: await metrics.text(), contentType: metrics.contentType }),
  };
}

/**
 * Answers GET and HEAD for a few pages. The port is bound when `listen()` resolves; it rejects naming host and port
 * when that is impossible.
 */
export class PageServer {
  readonly #options: PageServerOptions;
  readonly #server: Server;

  constructor(options: PageServerOptions) {
    this.#options = options;
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      void this.#page(request.method ?? '', request.url ?? '').then((page) => write(response, page));
    });
  }

  listen(): Promise<number> {
    const { host, port, purpose } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(new Error(`listen for ${purpose} on ${host || 'every address'}, port ${port}`, { cause })),
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

  /** Never rejects. */
  async #page(method: string, url: string): Promise<Page> {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'only GET and HEAD are answered here\n' };
    const { pages } = this.#options;
    const path = url.split('?', 1)[0] ?? '';
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) return { status: 404, text: `not found: here are ${Object.keys(pages).join(' and ')}\n` };
    try {
      return await page();
    } catch (error) {
      return { status: 500, text: `${path} failed: ${error instanceof Error ? error.message : String(error)}\n` };
    }
  }
}

function write(response: ServerResponse, { status, text, contentType }: Page): void {
  response.writeHead(status, {
    'content-type': contentType ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
