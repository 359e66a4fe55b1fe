import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureVersion } from 'node:tls';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { admissionAnswer, type Reviewer, readAdmissionReview } from './admission-review.ts';
import type { CertificateSource, ServingCertificate } from './certificates.ts';
import { type Converter, conversionAnswer, readConversionReview } from './conversion-review.ts';

/** An update carries an object twice, and one that etcd takes is up to 1.5 MiB in a denser form than JSON. */
const maxReviewBytes = 7 * 1024 * 1024;
/** A conversion carries a page of a list. */
const maxConversionBytes = 64 * 1024 * 1024;
/** Longer than the API server waits by default; it says how long it does in the query. Milliseconds. */
const longestReview = 30_000;
const maxConnections = 200;

export type AdmissionServerOptions = {
  /** Empty: every address, IPv4 and IPv6. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly certificate: CertificateSource;
  /** Path → who reviews what is sent there. */
  readonly reviewers: Readonly<Record<string, Reviewer>>;
  readonly converters: Readonly<Record<string, Converter>>;
  readonly minVersion?: SecureVersion;
  readonly clock: Clock;
  readonly log: Logger;
};

type Route = { readonly maxBytes: number; readonly answer: (body: unknown) => Answer | Promise<Answer> };
type Answer = { readonly status: number; readonly body: object | string };

/**
 * The webhooks that the API server calls, over TLS. Whatever is sent, the answer is a review or an error in words; what
 * to do when there is none is the API server's to decide, by the failurePolicy it was given.
 */
export class AdmissionServer {
  readonly #options: AdmissionServerOptions;
  #server: Server | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: AdmissionServerOptions) {
    this.#options = options;
  }

  /**
   * Listens as soon as there is a certificate, and returns the port. Rejects naming host and port when that is
   * impossible.
   */
  async listen(): Promise<number> {
    const { host, port, certificate, minVersion = 'TLSv1.3', log } = this.#options;
    await certificate.ready;
    const server = createServer(
      { ...secureContext(certificate.current()), minVersion, requestTimeout: longestReview, headersTimeout: 10_000 },
      (request, response) => void this.#serve(request, response),
    );
    server.maxConnections = maxConnections;
    // Port scanners, and API servers that do not know our authority yet: no fault of ours, and no news each time.
    server.on('tlsClientError', (error) => log.debug('TLS handshake failed', { error }));
    this.#unsubscribe = certificate.onChange((changed) => {
      try {
        server.setSecureContext({ ...secureContext(changed), minVersion });
      } catch (error) {
        log.error('certificate not served', { error, inUse: 'the last one' });
      }
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error(`listen for webhooks on ${host || 'every address'}, port ${port}`, { cause })),
      );
      server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /** What is being reviewed is answered first, unless it takes more than a moment. Idempotent. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#unsubscribe?.();
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const timer = this.#options.clock.after(1_000, () => server.closeAllConnections());
    await closed;
    timer.cancel();
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      this.#options.log.error('review failed', { path: request.url, error });
      answer = { status: 500, body: `the review failed: ${error instanceof Error ? error.message : String(error)}` };
    }
    if (response.destroyed) return;
    const isText = typeof answer.body === 'string';
    const bytes = Buffer.from(isText ? `${answer.body}\n` : JSON.stringify(answer.body));
    response.writeHead(answer.status, {
      'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
      'content-length': bytes.length,
      // What is left unread of a request cannot be told from the next one.
      ...(request.complete ? {} : { connection: 'close' }),
    });
    response.end(bytes);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const route = this.#route(path, timeLimit(new URLSearchParams(query)));
    if (route === undefined) {
      const paths = [...Object.keys(this.#options.reviewers), ...Object.keys(this.#options.converters)];
      return { status: 404, body: `nothing is reviewed at ${path}: there are ${paths.join(', ')}` };
    }
    if (request.method !== 'POST') return { status: 405, body: `send the review by POST, not ${request.method}` };
    const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim();
    if (type !== 'application/json') return { status: 415, body: `send application/json, not ${type || 'nothing'}` };
    const text = await readText(request, route.maxBytes);
    if (text === undefined) return { status: 413, body: `the review is larger than ${route.maxBytes} bytes` };
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch (error) {
      return { status: 400, body: `the body is no JSON: ${(error as Error).message}` };
    }
    return route.answer(body);
  }

  #route(path: string, limit: number): Route | undefined {
    const { reviewers, converters } = this.#options;
    const reviewer = Object.hasOwn(reviewers, path) ? reviewers[path] : undefined;
    if (reviewer !== undefined) {
      return { maxBytes: maxReviewBytes, answer: (body) => this.#review(reviewer, body, limit) };
    }
    const converter = Object.hasOwn(converters, path) ? converters[path] : undefined;
    return converter && { maxBytes: maxConversionBytes, answer: (body) => convert(converter, body) };
  }

  async #review(reviewer: Reviewer, body: unknown, limit: number): Promise<Answer> {
    const review = readAdmissionReview(body);
    if ('problem' in review) return { status: 400, body: review.problem };
    const late = Promise.withResolvers<undefined>();
    const timer = this.#options.clock.after(limit, () => late.resolve(undefined));
    try {
      const verdict = await Promise.race([reviewer(review.request), late.promise]);
      if (verdict === undefined) return { status: 504, body: `the review took longer than ${limit} ms` };
      return { status: 200, body: admissionAnswer(review.uid, verdict) };
    } finally {
      timer.cancel();
    }
  }
}

function convert(converter: Converter, body: unknown): Answer {
  const review = readConversionReview(body);
  if ('problem' in review) return { status: 400, body: review.problem };
  return { status: 200, body: conversionAnswer(review, converter) };
}

function secureContext(serving: ServingCertificate | undefined): { readonly cert: string; readonly key: string } {
  if (serving === undefined) throw new TypeError('a certificate source is ready without a certificate');
  return { cert: serving.certificate, key: serving.key };
}

/** The API server says in the query for how long it waits: `timeout=10s`. */
function timeLimit(query: URLSearchParams): number {
  const seconds = Number(/^(\d{1,2})s$/.exec(query.get('timeout') ?? '')?.[1] ?? 10);
  return Math.min(Math.max(seconds, 1) * 1_000, longestReview);
}

/** Undefined when there is more than `limit` bytes; the rest is left unread then. */
async function readText(request: IncomingMessage, limit: number): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString();
}
