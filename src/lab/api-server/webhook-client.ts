import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import { isObject, type Json, type JsonObject, numberAt, objectAt, stringAt } from './json.ts';

/** What is read of an answer; a conversion carries a page of a list. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** `namespace/name` or `namespace/name:port` of a Service → where it is reached. */
export type ServicePlaces = Readonly<Record<string, { readonly host: string; readonly port: number }>>;

/**
 * Calls webhooks by their `clientConfig`: a URL, or a Service, which is looked up in a map because nothing here runs a
 * cluster network. Every failure is an Error whose message says what the real server says.
 */
export class WebhookClient {
  readonly #clock: Clock;
  readonly #services: ServicePlaces;
  readonly #closing = new Set<AbortController>();

  constructor(clock: Clock, services: ServicePlaces) {
    this.#clock = clock;
    this.#services = services;
  }

  /** The answer to a review, parsed. */
  async call(clientConfig: JsonObject, review: JsonObject, seconds: number): Promise<JsonObject> {
    const text = `${textOf(clientConfig)}?timeout=${seconds}s`;
    const url = new URL(text);
    const ending = new AbortController();
    this.#closing.add(ending);
    let isLate = false;
    let answer: { readonly status: number; readonly text: string };
    const timer = this.#clock.after(seconds * 1_000, () => {
      isLate = true;
      ending.abort();
    });
    try {
      answer = await this.#post(url, clientConfig, JSON.stringify(review), ending.signal);
    } catch (error) {
      const why = isLate ? 'context deadline exceeded' : error instanceof Error ? error.message : String(error);
      throw new Error(`Post ${JSON.stringify(text)}: ${why}`);
    } finally {
      timer.cancel();
      this.#closing.delete(ending);
    }
    if (answer.status !== 200) throw new Error(refusalOf(answer));
    return parsed(answer.text);
  }

  /** Ends the calls under way. */
  close(): void {
    for (const ending of this.#closing) ending.abort();
  }

  #post(
    url: URL,
    clientConfig: JsonObject,
    body: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const caBundle = stringAt(clientConfig, 'caBundle');
    const place = isObject(clientConfig.service) ? this.#placeOf(clientConfig.service) : undefined;
    const options = {
      method: 'POST',
      headers: {
        host: url.host,
        accept: 'application/json, */*',
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
      ...(caBundle === '' ? {} : { ca: Buffer.from(caBundle, 'base64') }),
      // An address is no server name (RFC 6066, section 3).
      servername: isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 ? url.hostname : '',
      host: place?.host ?? url.hostname,
      port: place?.port ?? url.port,
      path: `${url.pathname}${url.search}`,
      signal,
      agent: false as const,
    };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(options, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxAnswerBytes) request.destroy(new Error(`the answer is larger than ${maxAnswerBytes} bytes`));
          else chunks.push(chunk);
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  #placeOf(service: JsonObject): { readonly host: string; readonly port: number } {
    const key = `${stringAt(service, 'namespace')}/${stringAt(service, 'name')}`;
    const place = this.#services[`${key}:${numberAt(service, 'port') ?? 443}`] ?? this.#services[key];
    if (place === undefined) throw new Error(`service ${JSON.stringify(key.split('/')[1])} not found`);
    return place;
  }
}

/** Without a query, and with the port even where it is the usual one. */
function textOf(clientConfig: JsonObject): string {
  const given = stringAt(clientConfig, 'url');
  if (given !== '') return given;
  const service = objectAt(clientConfig, 'service');
  const host = `${stringAt(service, 'name')}.${stringAt(service, 'namespace')}.svc`;
  return `https://${host}:${numberAt(service, 'port') ?? 443}${stringAt(service, 'path') || '/'}`;
}

/** What client-go makes of an answer that is none. */
function refusalOf({ status, text }: { readonly status: number; readonly text: string }): string {
  if (status === 404) return 'the server could not find the requested resource';
  const said = text.trim().slice(0, 500);
  if (status >= 500)
    return `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`;
  return `the server rejected our request for an unknown reason (${status} ${said})`;
}

function parsed(text: string): JsonObject {
  const answer = JSON.parse(text) as Json;
  if (!isObject(answer)) throw new Error('the answer is no object');
  return answer;
}
