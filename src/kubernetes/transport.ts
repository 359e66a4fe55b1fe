import http, { type IncomingMessage } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import { urlToHttpOptions } from 'node:url';
import type { Clock } from '../runtime/clock.ts';
import { ApiError, refusal } from './api-error.ts';
import type { Status } from './core.ts';
import type { Fence } from './fence.ts';

/** The largest answer we read into memory: a page of 500 objects is a few MiB, of the largest Nodes seen 50. */
const maxAnswerBytes = 128 * 1024 * 1024;
/** What we read of a refusal. A Status is a few hundred bytes; a proxy's error page is cut here. */
const maxRefusalBytes = 64 * 1024;
/** TCP keep-alive, so that a connection whose other end vanished is found while a watch is silent. Milliseconds. */
const keepAliveDelay = 20_000;
/** An idle connection is given up before the API server's own 90 s, so that we seldom write into a closing one. */
const idleConnectionLifetime = 60_000;
/** For how long credentials are taken as read. Bound tokens rotate an hour ahead; an exec plug-in is slow. */
const credentialsLifetime = 10_000;

/** What a request carries to be let in. `agent` replaces the shared one where a proxy is configured. */
export type Credentials = Pick<
  RequestOptions,
  'auth' | 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'servername' | 'rejectUnauthorized' | 'agent'
> & { readonly headers?: Readonly<Record<string, string>> };

/** Reads the credentials; with `reload`, from the beginning, because the server refused the last ones. */
export type CredentialSource = (reload: boolean) => Promise<Credentials>;

export type TransportOptions = {
  /** `https://host:port`, with a path when the API server is behind a gateway. */
  readonly server: string;
  readonly clock: Clock;
  readonly credentials?: CredentialSource;
  readonly userAgent?: string;
  /** For a whole answer, and for the head of a stream; milliseconds. */
  readonly timeout?: number;
};

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export type Call = {
  /** For error messages: `update services/status default/web`. */
  readonly action: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute and already encoded. */
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** Without it, or as long as it holds, the call may be made. */
  readonly fence?: Fence | undefined;
};

/**
 * Carries calls to one API server over keep-alive connections of its own, JSON in and out. Every failure is an
 * ApiError. A 401 makes it reload the credentials and try once more.
 */
export class Transport {
  readonly #options: TransportOptions;
  readonly #server: URL;
  readonly #agent: http.Agent;
  readonly #closing = new AbortController();
  #credentials: { readonly value: Promise<Credentials>; readonly expires: number } | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#server = new URL(options.server);
    const Agent = this.#server.protocol === 'https:' ? https.Agent : http.Agent;
    this.#agent = new Agent({ keepAlive: true, keepAliveMsecs: keepAliveDelay, timeout: idleConnectionLifetime });
  }

  /** The whole answer, parsed. */
  async json<T>(call: Call): Promise<T> {
    const scope = this.#openScope(call);
    try {
      const response = await this.#send(call, scope.signal);
      const body = await readBody(response, maxAnswerBytes);
      if (body === undefined) {
        throw new ApiError(call.action, `the answer passes ${maxAnswerBytes} bytes`, { code: 'too-large' });
      }
      return parseJson(call.action, body) as T;
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.close();
    }
  }

  /**
   * An answer that goes on, as its bytes arrive. The time limit holds for its head only. Iterating throws when the
   * connection breaks or the signal aborts; leaving the loop closes the connection.
   */
  async stream(call: Call): Promise<AsyncIterable<Uint8Array>> {
    const scope = this.#openScope(call);
    try {
      const response = await this.#send(call, scope.signal);
      scope.stopTimer();
      response.once('close', () => scope.close());
      return explained(response, scope);
    } catch (error) {
      scope.close();
      throw scope.explain(error);
    }
  }

  /** Ends every call with `aborted` and closes the connections. Idempotent. */
  close(): void {
    this.#closing.abort();
    this.#agent.destroy();
  }

  #openScope(call: Call): CallScope {
    return new CallScope(call, this.#closing.signal, this.#options.clock, this.#options.timeout ?? 30_000);
  }

  /** The 2xx answer, or throws. */
  async #send(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const held = this.#currentCredentials();
    let response = await this.#attempt(call, await readCredentials(call, held), signal);
    if (response.statusCode === 401 && this.#options.credentials !== undefined) {
      response.destroy();
      if (this.#credentials?.value === held) this.#credentials = undefined;
      response = await this.#attempt(call, await readCredentials(call, this.#currentCredentials(true)), signal);
    }
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw refusal(call.action, await readStatus(response, status), response.headers['retry-after']);
  }

  #currentCredentials(reload = false): Promise<Credentials> {
    const { credentials: source, clock } = this.#options;
    if (this.#credentials === undefined || this.#credentials.expires <= clock.now()) {
      const value = source === undefined ? Promise.resolve({}) : source(reload);
      const held = { value, expires: clock.now() + credentialsLifetime };
      this.#credentials = held;
      // A failed read is not kept. Whoever awaits `value` reports the failure.
      value.catch(() => {
        if (this.#credentials === held) this.#credentials = undefined;
      });
    }
    return this.#credentials.value;
  }

  async #attempt(call: Call, credentials: Credentials, signal: AbortSignal): Promise<IncomingMessage> {
    const body = call.body === undefined ? '' : JSON.stringify(call.body);
    const { headers: credentialHeaders, ...tls } = credentials;
    const headers: Record<string, string | number> = {
      ...credentialHeaders,
      accept: 'application/json',
      'user-agent': this.#options.userAgent ?? 'garpoon',
    };
    if (call.method !== 'GET') {
      // Node sends a DELETE body unframed unless its length is stated, and the server takes it for the next request.
      headers['content-length'] = Buffer.byteLength(body);
      if (body !== '') headers['content-type'] = call.contentType ?? 'application/json';
    }
    const { protocol, hostname, port } = urlToHttpOptions(this.#server);
    const path = `${this.#server.pathname.replace(/\/$/, '')}${call.path}${encodeQuery(call.query)}`;
    const options = {
      agent: this.#agent,
      protocol,
      hostname,
      port,
      ...tls,
      method: call.method,
      path,
      headers,
      signal,
    };
    try {
      return await exchange(call, options, body);
    } catch (error) {
      // A kept connection may be closed by the server while we write. A POST could be carried out twice; the other
      // methods are harmless to repeat: our PUTs carry a resourceVersion and our PATCHes a desired state.
      if (call.method === 'POST' || !(error instanceof StaleConnection) || signal.aborted) throw error;
      return exchange(call, options, body);
    }
  }
}

/** One call's reasons to end early: the caller's signal, the transport's closing, and the time limit. */
class CallScope {
  readonly #call: Call;
  readonly #parents: readonly AbortSignal[];
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort();
  readonly #timer;
  readonly #timeout: number;
  #timedOut = false;

  constructor(call: Call, closing: AbortSignal, clock: Clock, timeout: number) {
    this.#call = call;
    this.#timeout = timeout;
    this.#parents = [closing, call.signal, call.fence?.signal].filter((parent) => parent !== undefined);
    for (const parent of this.#parents) {
      if (parent.aborted) this.#controller.abort();
      parent.addEventListener('abort', this.#abort, { once: true });
    }
    this.#timer = clock.after(timeout, () => {
      this.#timedOut = true;
      this.#controller.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stopTimer(): void {
    this.#timer.cancel();
  }

  close(): void {
    this.stopTimer();
    for (const parent of this.#parents) parent.removeEventListener('abort', this.#abort);
  }

  explain(cause: unknown): ApiError {
    const { action } = this.#call;
    if (this.#timedOut) {
      return new ApiError(action, `no complete answer within ${this.#timeout} ms`, { code: 'timeout', cause });
    }
    if (this.signal.aborted) return new ApiError(action, 'aborted', { code: 'aborted', cause });
    if (cause instanceof ApiError) return cause;
    // Node's own words for a connection that the server cut are "aborted", which is what we say of ourselves.
    const cut = cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET';
    const why = cut ? 'the connection broke' : cause instanceof Error ? cause.message : String(cause);
    return new ApiError(action, why || 'the connection failed', { code: 'unreachable', cause });
  }
}

/** A kept connection broke before anything was answered. */
class StaleConnection extends Error {}

function exchange({ action, fence }: Call, options: RequestOptions, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (options.protocol === 'https:' ? https : http).request(options);
    request.on('socket', (socket) => {
      socket.setKeepAlive(true, keepAliveDelay);
      if (fence !== undefined) whenConnected(socket, send);
    });
    request.on('response', resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    const send = () => {
      if (fence === undefined || fence.holds()) request.end(body);
      else request.destroy(new ApiError(action, 'the right to write has ended', { code: 'aborted' }));
    };
    // Behind a fence nothing is handed over that would go out by itself once the connection stands.
    if (fence === undefined) send();
  });
}

function whenConnected(socket: Socket & { readonly secureConnecting?: boolean }, act: () => void): void {
  if (socket.secureConnecting) socket.once('secureConnect', act);
  else if (socket.connecting) socket.once('connect', act);
  else act();
}

async function* explained(response: IncomingMessage, scope: CallScope): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array;
  } catch (error) {
    throw scope.explain(error);
  }
}

async function readCredentials(call: Call, read: Promise<Credentials>): Promise<Credentials> {
  try {
    return await read;
  } catch (cause) {
    const why = `reading the credentials failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new ApiError(call.action, why, { code: 'credentials', cause });
  }
}

/** Undefined when there is more than `limit` bytes. */
async function readBody(response: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  if (Number(response.headers['content-length'] ?? 0) > limit) {
    response.destroy();
    return undefined;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** The Status in a refusal's body, or one made of the HTTP status and the beginning of the text. */
async function readStatus(response: IncomingMessage, code: number): Promise<Status> {
  const text = (await readBody(response, maxRefusalBytes))?.toString() ?? '';
  try {
    const parsed = JSON.parse(text) as Status | null;
    if (parsed?.kind === 'Status') return { ...parsed, code };
  } catch {
    // No JSON: a proxy's page, or a plain text.
  }
  return { code, message: text.slice(0, 200).trim() || (response.statusMessage ?? '') };
}

function parseJson(action: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new ApiError(action, `the answer of ${body.length} bytes is no JSON`, { code: 'garbled', cause });
  }
}

function encodeQuery(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
