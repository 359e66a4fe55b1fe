import { labelValue } from '../api/service-l2-status.ts';
import { serviceOfStatus, serviceStatusLabels } from '../api/service-status.ts';
import type { Hash } from '../election/metallb.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import { serviceL2Statuses } from '../kubernetes/config-kinds.ts';
import { keyOf, type ObjectKey } from '../kubernetes/resource.ts';
import { type Clock, sleep, type Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Pace } from '../runtime/pace.ts';

/** How long a node has to be gone, and between two looks at what it has left; milliseconds. It doubles each time. */
const interval = { first: 60_000, longest: 3_600_000 };
/** Objects read at once, and deleted in a second. */
const pageSize = 500;
const rate = 20;

export type DepartedStatusesOptions = {
  readonly client: ApiClient;
  readonly namespace: string;
  /** The nodes that neither the ring nor the API server hears of. */
  readonly departed: () => Iterable<string>;
  /** Whether this node announces the Service. */
  readonly isAnnounced: (service: ObjectKey) => boolean;
  readonly hash: Hash;
  /** Aborted when it is stopped, and with it the call under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * Deletes the ServiceL2Statuses of nodes that are gone for long, of the Services that this node announces in their
 * place. They would go with the Pod of their speaker, but that stays as long as the Node. Who cannot reach the API server
 * either does not make them anew; so nobody is fought.
 */
export class DepartedStatuses {
  readonly #options: DepartedStatusesOptions;
  readonly #pace: Pace;
  /** Node → by `clock.now()`, when it is looked for what it has left. */
  readonly #due = new Map<string, { readonly at: number; readonly pause: number }>();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: DepartedStatusesOptions) {
    this.#options = options;
    this.#pace = new Pace({ rate, burst: rate, clock: options.clock });
  }

  /** Does nothing when it has been stopped. */
  start(): void {
    if (this.#options.signal.aborted) return;
    this.#timer = this.#options.clock.every(interval.first / 2, () => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    });
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Never throws: what fails is tried again. */
  async #look(): Promise<void> {
    const { departed, clock, signal, log } = this.#options;
    const gone = new Set(departed());
    for (const node of this.#due.keys()) if (!gone.has(node)) this.#due.delete(node);
    for (const node of gone) {
      const due = this.#due.get(node) ?? { at: clock.now() + interval.first, pause: interval.first };
      const isDue = clock.now() >= due.at;
      const pause = isDue ? Math.min(due.pause * 2, interval.longest) : due.pause;
      this.#due.set(node, isDue ? { at: clock.now() + pause, pause } : due);
      if (!isDue || signal.aborted) continue;
      try {
        await this.#clear(node);
      } catch (error) {
        log.debug('statuses of a departed node not deleted', { of: node, error });
      }
    }
  }

  async #clear(node: string): Promise<void> {
    const { client, namespace, hash, isAnnounced, signal, log } = this.#options;
    const labelSelector = `${serviceStatusLabels.node}=${labelValue(node, hash)}`;
    let deleted = 0;
    let next: string | undefined;
    do {
      const page = { namespace, labelSelector, limit: pageSize, continue: next, signal };
      const { items, metadata } = await client.list(serviceL2Statuses, page);
      for (const object of items ?? []) {
        const service = serviceOfStatus(object);
        if (service === undefined || !isAnnounced(service)) continue;
        await this.#turn();
        const { uid } = object.metadata;
        const preconditions = uid === undefined ? {} : { uid };
        if (await client.delete(serviceL2Statuses, keyOf(object), { preconditions, signal })) deleted += 1;
      }
      next = metadata.continue;
    } while (next);
    if (deleted > 0) log.info('statuses of a departed node deleted', { of: node, count: deleted });
  }

  async #turn(): Promise<void> {
    const wait = this.#pace.take();
    if (wait > 0) await sleep(this.#options.clock, wait, this.#options.signal);
  }
}
