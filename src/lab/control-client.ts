import { existsSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { controlSocket, type LabDescription } from './control-server.ts';

/** The lab that is up on this machine, as another shell sees it. */
export class ControlClient {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** @throws Error when no lab is up, or when several are and `run` does not say which. */
  static async find(state: string, run?: string): Promise<ControlClient> {
    const sockets = runsIn(state)
      .filter((name) => run === undefined || name.startsWith(`${run}.`))
      .map((name) => join(state, name, controlSocket))
      .filter((path) => existsSync(path));
    const answering: ControlClient[] = [];
    for (const socket of sockets) {
      const client = new ControlClient(socket);
      if (await client.describe().catch(() => undefined)) answering.push(client);
    }
    const [found, ...others] = answering;
    if (found === undefined) throw new Error('no lab is up: start one with "garpoon lab up"');
    if (others.length > 0)
      throw new Error(
        `several labs are up: choose with --run=ID, of ${runsIn(state)
          .map((name) => name.slice(0, 4))
          .join(', ')}`,
      );
    return found;
  }

  async describe(): Promise<LabDescription> {
    return (await this.#call('GET')) as LabDescription;
  }

  /** Resolves to what was done, in a sentence. @throws Error with what stood against it. */
  async operate(operation: string, target: string, options: { readonly carrier?: boolean } = {}): Promise<string> {
    const body = (await this.#call('POST', { operation, target, ...options })) as { done?: string; problem?: string };
    if (body.done === undefined) throw new Error(body.problem ?? 'the lab did not answer');
    return body.done;
  }

  #call(method: 'GET' | 'POST', body?: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socket, method, path: '/' }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(JSON.parse(text)));
      });
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function runsIn(state: string): readonly string[] {
  try {
    return readdirSync(state);
  } catch {
    return [];
  }
}
