import type { Logger } from '../runtime/logger.ts';
import { ApiError } from './api-error.ts';
import type { ApiClient } from './client.ts';
import type { OwnerReference } from './core.ts';
import { pods } from './resource.ts';

export type OwnPodOptions = {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Empty: this program runs in none, or was not told. */
  readonly podName: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
};

/** The Pod that this program runs in: what the program writes about itself goes with it. */
export class OwnPod {
  readonly #options: OwnPodOptions;
  /** Null: there is none that we may see, and that has been said. */
  #reference: OwnerReference | null | undefined;

  constructor(options: OwnPodOptions) {
    this.#options = options;
  }

  /** Undefined when there is no such Pod, or when we may not read it. Rejects when the API server is away. */
  async reference(): Promise<OwnerReference | undefined> {
    if (this.#options.podName !== '' && this.#reference === undefined) this.#reference = await this.#look();
    return this.#reference ?? undefined;
  }

  async #look(): Promise<OwnerReference | null> {
    const { client, namespace, podName: name, signal, log } = this.#options;
    const key = `${namespace}/${name}`;
    let why = 'there is none';
    try {
      const uid = (await client.get(pods, key, { signal }))?.metadata.uid;
      if (uid !== undefined) return { apiVersion: 'v1', kind: 'Pod', name, uid };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      why = error.message;
    }
    log.warn('own Pod not found', { pod: key, why, remedy: 'see --pod-name; what this Pod reports outlives it' });
    return null;
  }
}
