import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { presenter } from './collection.ts';
import type { Core } from './core.ts';
import type { Faults } from './faults.ts';
import type { JsonObject } from './json.ts';
import type { Scope } from './read.ts';
import type { Answer, ApiRequest } from './request.ts';
import { route } from './router.ts';
import { expressionsReady } from './schema/expression.ts';
import { badRequest, internalError, requestTooLarge, StatusError, tooManyRequests } from './status.ts';
import { Watch } from './watch.ts';

/** What the real server takes in one body. */
const maxBodyBytes = 3 * 1024 * 1024;
/** Request line and headers together. */
const maxHeaderBytes = 32 * 1024;
const maxPathLength = 8 * 1024;
const maxWatches = 2_000;
/** Longer than any client keeps an idle connection, so that it is the client who closes it. */
const idleTimeoutMs = 180_000;

/** The HTTP face of the API. `close` belongs to whoever listens. */
export class HttpFace {
  readonly #core: Core;
  readonly #faults: Faults;
  readonly #onRequest: (request: ApiRequest) => void;
  readonly #watches = new Set<Watch>();

  constructor(core: Core, faults: Faults, onRequest: (request: ApiRequest) => void = () => {}) {
    this.#core = core;
    this.#faults = faults;
    this.#onRequest = onRequest;
  }

  /** A server that is not yet listening. */
  server(): Server {
    const limits = { maxHeaderSize: maxHeaderBytes, keepAliveTimeout: idleTimeoutMs };
    return createServer(limits, (request, response) => {
      void this.#serve(request, response); // answers its own failures
    });
  }

  /** Ends every open watch. */
  endWatches(): void {
    for (const watch of [...this.#watches]) watch.end();
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    // Each once: a write that is tried again warns again.
    const warnings = new Set<string>();
    try {
      const body = await readBody(message);
      await this.#faults.admit();
      const request = apiRequest(message, body);
      this.#onRequest(request);
      await expressionsReady(request.path);
      const outcome = await route(this.#core, request, (text) => warnings.add(text));
      if ('watch' in outcome) this.#openWatch(request, outcome.watch, response);
      else respond(response, outcome, warnings);
    } catch (thrown) {
      if (response.headersSent || response.destroyed) response.destroy();
      else respond(response, this.#refusal(thrown, message), warnings);
    }
  }

  #refusal(thrown: unknown, message: IncomingMessage): Answer {
    if (thrown instanceof StatusError) return refusalAnswer(thrown);
    this.#core.log.error('request failed', { method: message.method, url: message.url, error: thrown });
    return refusalAnswer(internalError(thrown instanceof Error ? thrown.message : String(thrown)));
  }

  #openWatch(request: ApiRequest, scope: Scope, response: ServerResponse): void {
    if (this.#watches.size >= maxWatches) throw tooManyRequests(`more than ${maxWatches} watches`);
    const sink = {
      write: (line: string) => void response.write(line),
      end: () => response.end(),
      backlog: () => response.writableLength,
    };
    const watch = new Watch(this.#core, scope, this.#faults, sink, presenter(this.#core, request, scope.kind));
    this.#watches.add(watch);
    response.once('close', () => {
      watch.stop();
      this.#watches.delete(watch);
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watch.start();
  }
}

function apiRequest(message: IncomingMessage, body: Buffer): ApiRequest {
  const target = message.url ?? '/';
  if (target.length > maxPathLength) {
    throw new StatusError(414, 'RequestURITooLong', `the URL is longer than ${maxPathLength}`);
  }
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const header = (name: 'accept' | 'content-type' | 'user-agent') => message.headers[name] ?? '';
  return {
    method: message.method ?? 'GET',
    path: path
      .split('/')
      .filter((step) => step !== '')
      .map(decoded),
    query: new URLSearchParams(question === -1 ? '' : target.slice(question + 1)),
    accept: header('accept'),
    contentType: header('content-type'),
    userAgent: header('user-agent'),
    body,
  };
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    throw badRequest(`the path has a broken escape: ${step}`);
  }
}

/** What is too large is read to its end all the same, and forgotten: a client that still writes hears no answer. */
function readBody(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    message.on('end', () => {
      if (size > maxBodyBytes) reject(requestTooLarge(maxBodyBytes));
      else resolve(Buffer.concat(chunks));
    });
    message.on('error', reject);
  });
}

function refusalAnswer(error: StatusError): Answer {
  const plain = error.httpStatus === 404 && error.code === '';
  return { code: error.httpStatus, body: plain ? `${error.message}\n` : error.body(), ...(plain ? plainText : {}) };
}

const plainText = { contentType: 'text/plain; charset=utf-8' };

function respond(response: ServerResponse, { code, body, contentType }: Answer, warnings: ReadonlySet<string>): void {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const bytes = Buffer.from(raw ? body : `${JSON.stringify(body)}\n`);
  const headers: Record<string, string | string[]> = {
    'content-type': contentType ?? 'application/json',
    'content-length': String(bytes.length),
    'cache-control': 'no-cache, private',
  };
  // The real server cannot write a control character, and says nothing then.
  const told = [...warnings].filter((text) => !/\p{Cc}/u.test(text));
  if (told.length > 0) headers.warning = told.map(warningHeader);
  const retryAfter = raw ? undefined : ((body as JsonObject)?.details as JsonObject | undefined)?.retryAfterSeconds;
  if (code >= 400 && typeof retryAfter === 'number') headers['retry-after'] = String(retryAfter);
  response.writeHead(code, headers);
  response.end(bytes);
}

/** RFC 7234, section 5.5, in UTF-8: Node would write a header in Latin-1, and refuse what that lacks. */
function warningHeader(text: string): string {
  return Buffer.from(`299 - ${JSON.stringify(text)}`).toString('latin1');
}
