import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ApiServer, type ApiServerOptions } from '../../../src/lab/api-server/api-server.ts';
import type { Json, JsonObject } from '../../../src/lab/api-server/json.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { seededRandom } from '../../../src/runtime/random.ts';
import { FakeClock } from '../../support/fake-clock.ts';

export const services = '/api/v1/namespaces/default/services';
export const configMaps = '/api/v1/namespaces/default/configmaps';
export const berths = '/apis/harbour.example/v1beta1/namespaces/default/berths';

export const berthDefinition = parse(
  readFileSync(new URL('../../fixtures/api-server/berth-crd.yaml', import.meta.url), 'utf8'),
) as JsonObject;

/** An answer. Tests look into bodies freely, so these are not typed further. */
// biome-ignore lint/suspicious/noExplicitAny: bodies are JSON of many shapes, and the assertions are the types.
export type Body = any;

export type Reply = { readonly code: number; readonly body: Body; readonly headers: Headers };

export type RequestOptions = { readonly type?: string; readonly headers?: Readonly<Record<string, string>> };

/** An API server on a free port of 127.0.0.1, with a clock that stands still, and a client that hides nothing. */
export class TestApi {
  readonly server: ApiServer;
  readonly clock: FakeClock;
  readonly port: number;

  static async start(options: Partial<ApiServerOptions> = {}): Promise<TestApi> {
    const clock = new FakeClock();
    const random = seededRandom(1);
    const server = new ApiServer({ clock, random, log: silentLogger, crds: [berthDefinition], ...options });
    const where = await server.listen({ port: 0, host: '127.0.0.1' });
    if (!('port' in where)) throw new TypeError('a port was asked for');
    return new TestApi(server, clock, where.port);
  }

  constructor(server: ApiServer, clock: FakeClock, port: number) {
    this.server = server;
    this.clock = clock;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async request(method: string, path: string, body?: Json, { type, headers }: RequestOptions = {}): Promise<Reply> {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(this.url + path, {
      method,
      ...content,
      headers: { 'content-type': type ?? 'application/json', 'user-agent': 'test/1', ...headers },
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { code: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    return this.request('GET', path, undefined, { headers });
  }

  post(path: string, body: Json): Promise<Reply> {
    return this.request('POST', path, body);
  }

  put(path: string, body: Json): Promise<Reply> {
    return this.request('PUT', path, body);
  }

  delete(path: string, body?: Json): Promise<Reply> {
    return this.request('DELETE', path, body);
  }

  /** A JSON merge patch. */
  merge(path: string, body: Json): Promise<Reply> {
    return this.request('PATCH', path, body, { type: 'application/merge-patch+json' });
  }

  /** A server-side apply by `manager`. */
  apply(path: string, manager: string, body: Json, query = ''): Promise<Reply> {
    const type = 'application/apply-patch+yaml';
    return this.request('PATCH', `${path}?fieldManager=${manager}${query}`, body, { type });
  }

  /** Opens a watch and returns once the server has answered. */
  async watch(path: string, query = '', headers: Readonly<Record<string, string>> = {}): Promise<Events> {
    const abort = new AbortController();
    const response = await fetch(`${this.url}${path}?watch=true${query}`, { headers, signal: abort.signal });
    if (response.body === null) throw new TypeError('a watch has a body');
    return new Events(response.status, response.body, abort);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}

/** The events of one watch, as they come. */
export class Events {
  readonly code: number;
  /** All events so far. */
  readonly seen: Body[] = [];
  /** Settles when the stream has ended, either way. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;
  #finished = false;

  constructor(code: number, body: ReadableStream<Uint8Array>, abort: AbortController) {
    this.code = code;
    this.#abort = abort;
    this.ended = this.#read(body);
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** What happened, in short: `ADDED web`. */
  get log(): string[] {
    return this.seen.map(({ type, object }) => `${type} ${object.metadata?.name ?? object.code ?? ''}`.trim());
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = '';
    try {
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.seen.push(JSON.parse(line));
      }
    } catch {
      // The connection was cut, by the test or by the server: `ended` says that it is over, `seen` what came before.
    } finally {
      this.#finished = true;
    }
  }
}

/** A Service with one port. */
export function service(name: string, spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, ...metadata },
    spec: { ports: [{ port: 80 }], ...spec },
  };
}

export function configMap(name: string, data: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

export function berth(name: string, spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'harbour.example/v1beta1',
    kind: 'Berth',
    metadata: { name, ...metadata },
    spec: { addresses: ['192.0.2.0/24'], ...spec },
  };
}
