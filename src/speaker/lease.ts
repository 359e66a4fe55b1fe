import type { Responder } from '../layer2/responder.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** Renewals within one deadline: four may be late before it passes. */
const renewals = 5;

export type LeaseOptions = {
  readonly responder: Pick<Responder, 'renew'>;
  /** The responder's, in milliseconds; 0: it needs no renewal. */
  readonly deadline: number;
  readonly clock: Clock;
  /**
   * The responder has fallen silent because this process hung: the other nodes may have taken over. To decide everything
   * anew and hand over a table, which ends the silence. Called until it has, not before the last call has resolved.
   * Never rejects.
   */
  readonly onSilenced: () => Promise<void>;
  readonly log: Logger;
};

/** Holds the dead man's switch: tells the responder again and again that this process is alive. */
export class Lease {
  readonly #options: LeaseOptions;
  #timer: Timer | undefined;
  #renewed = 0;
  #silent = false;
  #deciding = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  start(): void {
    const { deadline, clock } = this.#options;
    if (deadline === 0) return;
    this.#renewed = clock.now();
    this.#timer = clock.every(deadline / renewals, () => this.renew());
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  /**
   * To be called before every table, too. False when that table is not to be handed over: it was decided on what this
   * process knew before it hung, and would end the silence.
   */
  renew(): boolean {
    const { responder, deadline, clock, onSilenced, log } = this.#options;
    if (deadline === 0) return true;
    if (responder.renew()) {
      this.#renewed = clock.now();
      this.#silent = false;
      return true;
    }
    if (!this.#silent) {
      const hungFor = Math.round(clock.now() - this.#renewed);
      log.error('silenced', { hungFor, deadline, remedy: 'see what kept this process from running' });
    }
    this.#silent = true;
    if (this.#deciding) return false;
    this.#deciding = true;
    void onSilenced().then(() => {
      this.#deciding = false;
    });
    return false;
  }
}
