import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

/** Stands in front of an API server and notes who asks for what. Plain HTTP on a free port of 127.0.0.1. */
export class RecordingProxy {
  readonly requests: { readonly method: string; readonly url: string }[] = [];
  readonly #server: Server;

  static async start(target: string): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  constructor(target: string) {
    this.#server = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      this.requests.push({ method, url });
      const onward = httpRequest(`${target}${url}`, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, response, () => {}); // A side that breaks off ends the other.
      });
      pipeline(request, onward, () => {});
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
