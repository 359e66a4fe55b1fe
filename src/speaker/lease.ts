import type { Responder } from '../layer2/responder.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** Renewals within one deadline: four may be late before it passes. */
const renewals = 5;
/** Between two looks whether a silence is over, ms, where there is no deadline. */
const retryInterval = 1_000;

export type LeaseOptions = {
  readonly responder: Pick<Responder, 'renew'>;
  /** The responder's, in milliseconds; 0: it needs no renewal. */
  readonly deadline: number;
  /** The responder's, in milliseconds; 0: none is noticed. */
  readonly lapse: number;
  readonly clock: Clock;
  /**
   * The responder has fallen silent because this process hung, or its native thread lapsed: the other nodes may have taken over. To decide everything
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
    const { deadline, lapse, clock } = this.#options;
    if (deadline === 0 && lapse === 0) return;
    this.#renewed = clock.now();
    this.#timer = clock.every(deadline === 0 ? retryInterval : deadline / renewals, () => this.renew());
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  /** The responder says that its thread did not run for so long, and that it is silent since. */
  lapsed(milliseconds: number): void {
    const { lapse, log } = this.#options;
    const remedy = 'see what stopped this process, or kept it from the processor';
    log.error('lapsed', { awayFor: milliseconds, lapse, remedy });
    this.#silent = true; // This is told, whatever the next renewal says.
    this.#decide();
  }

  /**
   * To be called before every table, too. False when that table is not to be handed over: it was decided on what this
   * process knew before it hung, and would end the silence.
   */
  renew(): boolean {
    const { responder, deadline, lapse, clock, log } = this.#options;
    if (deadline === 0 && lapse === 0) return true;
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
    this.#decide();
    return false;
  }

  #decide(): void {
    if (this.#deciding) return;
    this.#deciding = true;
    void this.#options.onSilenced().then(() => {
      this.#deciding = false;
    });
  }
}
