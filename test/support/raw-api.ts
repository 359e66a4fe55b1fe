import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Json } from '../../src/lab/api-server/json.ts';
import { type Body, Events } from '../lab/api-server/test-api.ts';

export type RawReply = {
  readonly code: number;
  readonly body: Body;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

export type RawOptions = { readonly type?: string; readonly headers?: Readonly<Record<string, string>> };

/** Where an API server is, and as whom to speak to it. */
export type Access = { readonly server: string; readonly ca?: string; readonly token?: string };

const requestLimit = 20_000;

/** A client that hides nothing: a refusal is an answer like any other. Over TLS or not, on connections that are kept. */
export class RawApi {
  readonly #access: Access;
  readonly #agent: http.Agent;

  constructor(access: Access) {
    this.#access = access;
    this.#agent = this.#isTls ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  }

  async request(method: string, path: string, body?: Json, { type, headers }: RawOptions = {}): Promise<RawReply> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    return this.send(method, path, content, { 'content-type': type ?? 'application/json', ...headers });
  }

  /** A body as it is, JSON or not. */
  async send(
    method: string,
    path: string,
    body: string | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<RawReply> {
    const response = await this.#open(method, path, body, headers, AbortSignal.timeout(requestLimit));
    const answer = await text(response);
    const isJson = response.headers['content-type']?.startsWith('application/json') === true;
    return { code: response.statusCode ?? 0, body: isJson ? JSON.parse(answer) : answer, headers: response.headers };
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<RawReply> {
    return this.request('GET', path, undefined, { headers });
  }

  post(path: string, body: Json): Promise<RawReply> {
    return this.request('POST', path, body);
  }

  put(path: string, body: Json): Promise<RawReply> {
    return this.request('PUT', path, body);
  }

  delete(path: string, body?: Json): Promise<RawReply> {
    return this.request('DELETE', path, body);
  }

  /** A JSON merge patch. */
  merge(path: string, body: Json): Promise<RawReply> {
    return this.request('PATCH', path, body, { type: 'application/merge-patch+json' });
  }

  /** A strategic merge patch. */
  strategic(path: string, body: Json): Promise<RawReply> {
    return this.request('PATCH', path, body, { type: 'application/strategic-merge-patch+json' });
  }

  jsonPatch(path: string, body: Json): Promise<RawReply> {
    return this.request('PATCH', path, body, { type: 'application/json-patch+json' });
  }

  /** A server-side apply by `manager`. */
  apply(path: string, manager: string, body: Json, query = ''): Promise<RawReply> {
    const type = 'application/apply-patch+yaml';
    return this.request('PATCH', `${path}?fieldManager=${manager}${query}`, body, { type });
  }

  /** Opens a watch and returns once the server has answered. */
  async watch(path: string, query = ''): Promise<Events> {
    const abort = new AbortController();
    const response = await this.#open('GET', `${path}?watch=true${query}`, undefined, {}, abort.signal);
    const bytes = Readable.toWeb(response) as ReadableStream<Uint8Array>;
    return new Events(response.statusCode ?? 0, bytes, abort);
  }

  close(): void {
    this.#agent.destroy();
  }

  get #isTls(): boolean {
    return this.#access.server.startsWith('https:');
  }

  #open(
    method: string,
    path: string,
    body: string | undefined,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { server, ca, token } = this.#access;
    const options = {
      method,
      signal,
      agent: this.#agent,
      ...(ca === undefined ? {} : { ca }),
      headers: {
        'user-agent': 'test/1',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        // Without it Node sends the body of a DELETE unframed, and the server reads it as the next request.
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const request = (this.#isTls ? https : http).request(server + path, options, resolve);
      request.on('error', (cause) => reject(new Error(`${method} ${path}: ${cause.message}`, { cause })));
      request.end(body);
    });
  }
}
