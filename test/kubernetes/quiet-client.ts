import { setImmediate as turn } from 'node:timers/promises';
import { ApiClient } from '../../src/kubernetes/client.ts';
import type { FakeClock } from '../support/fake-clock.ts';

/** A client that knows whether an answer is still to come, so that virtual time can wait for real answers. */
export class QuietClient extends ApiClient {
  #pending = 0;

  get isQuiet(): boolean {
    return this.#pending === 0;
  }

  override get: ApiClient['get'] = (...of) => this.#counted(super.get(...of));
  override create: ApiClient['create'] = (...of) => this.#counted(super.create(...of));
  override update: ApiClient['update'] = (...of) => this.#counted(super.update(...of));

  async #counted<T>(call: Promise<T>): Promise<T> {
    this.#pending += 1;
    try {
      return await call;
    } finally {
      this.#pending -= 1;
    }
  }
}

/** Lets virtual time pass in small steps, each only when all that was asked for has been answered. */
export async function advance(clock: FakeClock, milliseconds: number, clients: readonly QuietClient[]): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 50) {
    await clock.advance(Math.min(50, left));
    while (clients.some((client) => !client.isQuiet)) await turn();
    // What was answered may ask again.
    await turn();
    while (clients.some((client) => !client.isQuiet)) await turn();
  }
}
