import type { ApiClient } from '../kubernetes/client.ts';
import type { Fence } from '../kubernetes/fence.ts';
import { LeaderElection, type LeaderElectionOptions } from '../kubernetes/leader-election.ts';
import type { Logger } from '../runtime/logger.ts';

/** What works for one term of leadership. */
export type Worker = {
  /** Resolves when it is at work; rejects when it is stopped before that. */
  start(): Promise<void>;
  /** Resolves when nothing more is written. */
  stop(): Promise<void>;
  unready(): readonly string[];
};

/** The controller, and beside it what else the leader sees to. */
export function termOf(controller: Worker, upkeep: { start(): void; stop(): Promise<void> } | undefined): Worker {
  return {
    start() {
      upkeep?.start();
      return controller.start();
    },
    async stop() {
      await upkeep?.stop();
      await controller.stop();
    },
    unready: () => controller.unready(),
  };
}

export type ReplicaOptions = Omit<LeaderElectionOptions, 'onElected' | 'onFollowing'> & {
  /** Makes what works in a term, with the client that may write as long as the term lasts. */
  readonly worker: (client: ApiClient) => Worker;
};

/**
 * One of several controllers of a cluster, of which one works and the others stand by. A new leader knows nothing: it
 * lists everything anew, so that it sees all that the former one has written.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #election: LeaderElection;
  readonly #log: Logger;
  /** Resolves when this replica works or knows who does. */
  readonly #placed = Promise.withResolvers<void>();
  #worker: Worker | undefined;
  /** The terms, one after the other. Never rejects. */
  #terms: Promise<void> = Promise.resolve();
  #isPlaced = false;
  #isStopped = false;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#election = new LeaderElection({
      ...options,
      onElected: (term) => {
        this.#terms = this.#terms.then(() => this.#serve(term));
      },
      onFollowing: () => this.#place(),
    });
    this.#placed.promise.catch(() => {});
  }

  /** Resolves when this replica works, or stands by for one that does. Rejects when stopped before. */
  start(): Promise<void> {
    this.#election.start();
    return this.#placed.promise;
  }

  /** Why it neither works nor stands by; empty when it does. */
  unready(): readonly string[] {
    if (this.#worker !== undefined) return this.#worker.unready();
    return this.#isPlaced ? [] : ['it is not known yet which controller leads'];
  }

  /** Gives the Lease back when the last write is done, so that another replica takes over at once. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#placed.reject(new Error('controller: stopped before it worked or stood by'));
    await this.#worker?.stop();
    await this.#election.stop();
    await this.#terms;
  }

  /** From the beginning of the term to its end. Never throws. */
  async #serve(term: Fence): Promise<void> {
    if (this.#isStopped || !term.holds()) return;
    const worker = this.#options.worker(this.#options.client.fencedBy(term));
    this.#worker = worker;
    const ended = new Promise<void>((resolve) => {
      if (term.signal.aborted) resolve();
      else term.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const working = worker.start().then(
      () => this.#place(),
      (error) => {
        if (!term.signal.aborted && !this.#isStopped) this.#log.error('leader not at work', { error });
      },
    );
    await ended;
    await worker.stop();
    await working;
    this.#worker = undefined;
  }

  #place(): void {
    this.#isPlaced = true;
    this.#placed.resolve();
  }
}
