import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { eventually } from './suite.ts';

/** A request as it arrived. */
export type Received = {
  /** The HTTP method, or `WATCH` for a GET with `watch=true`. */
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
};

/** What the server does with one request. */
export type Answer = (request: Received, response: ServerResponse) => void;

/**
 * A real HTTP server on 127.0.0.1 that answers as a test scripts it, for faults that a sound API server does not show.
 * It keeps no state; `src/lab/api-server` does.
 */
export class ScriptedApi {
  readonly url: string;
  /** All requests so far, in order of arrival. */
  readonly requests: Received[] = [];
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();
  /** `VERB /path` → the answers that are left; the last one stays. */
  readonly #answers = new Map<string, Answer[]>();
  readonly #watches: Watch[] = [];

  static async start(): Promise<ScriptedApi> {
    const server = http.createServer({ keepAliveTimeout: 60_000 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedApi(server);
  }

  constructor(server: http.Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => void this.#serve(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Scripts a route (`GET /api/v1/services`): one answer a request, the last one for all that follow. */
  on(route: string, ...answers: Answer[]): void {
    this.#answers.set(route, answers);
  }

  /** How many requests for the route have come. */
  count(route: string): number {
    return this.requests.filter((request) => routeOf(request) === route).length;
  }

  /** The watch that was opened as the `n`th, counting from 1, by an answer `watching()`. */
  watch(n: number): Promise<Watch> {
    return eventually(`watch ${n} is opened`, () => this.#watches[n - 1]);
  }

  /** Accepts a watch: the head is sent, and `watch(n)` hands out the rest. */
  watching(): Answer {
    return (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      this.#watches.push(new Watch(request, response));
    };
  }

  /** Resets every connection, as a server does that is killed. */
  resetConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.resetConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const received: Received = {
      verb: url.searchParams.get('watch') === 'true' ? 'WATCH' : (request.method ?? ''),
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.requests.push(received);
    const answers = this.#answers.get(routeOf(received)) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    (answer ?? status(404, 'NotFound', `nothing is scripted for ${routeOf(received)}`))(received, response);
  }
}

/** The server's side of one open watch. */
export class Watch {
  readonly request: Received;
  readonly #response: ServerResponse;
  closed = false;

  constructor(request: Received, response: ServerResponse) {
    this.request = request;
    this.#response = response;
    response.on('close', () => {
      this.closed = true;
    });
  }

  event(type: string, object: unknown): void {
    this.write(`${JSON.stringify({ type, object })}\n`);
  }

  bookmark(resourceVersion: string): void {
    this.event('BOOKMARK', { kind: 'Service', metadata: { resourceVersion } });
  }

  write(text: string): void {
    this.#response.write(text);
  }

  /** Ends in good order. */
  end(): void {
    this.#response.end();
  }

  reset(): void {
    this.#response.socket?.resetAndDestroy();
  }
}

export function json(body: unknown, code = 200, headers: http.OutgoingHttpHeaders = {}): Answer {
  return (_, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

export function text(body: string, code = 200): Answer {
  return (_, response) => {
    response.writeHead(code, { 'content-type': 'text/plain' });
    response.end(body);
  };
}

/** A refusal as Kubernetes words it. */
export function status(code: number, reason: string, message = '', headers: http.OutgoingHttpHeaders = {}): Answer {
  return json({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message }, code, headers);
}

/** A list, or a page of one when `next` is given. */
export function list(resourceVersion: string, items: readonly unknown[], next?: string): Answer {
  return json({ kind: 'List', metadata: { resourceVersion, ...(next && { continue: next }) }, items });
}

/** Resets the connection instead of answering. */
export const reset: Answer = (_, response) => void response.socket?.resetAndDestroy();

/** Never answers. */
export const silent: Answer = () => {};

function routeOf(request: Received): string {
  return `${request.verb} ${request.path}`;
}
