import type { Clock, Timer } from '../runtime/clock.ts';
import { type Random, shuffled } from '../runtime/random.ts';
import { maxReachChecks } from './limits.ts';
import type { Entry, MemberTable } from './member-table.ts';
import type { ProbeWire } from './prober.ts';

type Check = { readonly resolve: (reached: boolean) => void; readonly timer: Timer };

/**
 * Finds out whether anybody reaches a member, when somebody else's failure detector says that it is gone: a packet and
 * a stream from here, and pings by other members, all at once. Whichever is answered first settles it.
 *
 * Only "nobody reached it" is a finding that costs a member its place, so whatever keeps us from finding out, a stall
 * of our own or being closed, counts as reached.
 */
export class ReachChecks {
  readonly #self: string;
  readonly #table: MemberTable;
  readonly #helpers: number;
  readonly #wire: ProbeWire;
  readonly #clock: Clock;
  readonly #random: Random;
  /** number of the pings → who waits for an ack to them */
  readonly #running = new Map<number, Check>();
  #stopped = false;

  constructor(options: {
    readonly self: string;
    readonly table: MemberTable;
    /** How many other members are asked. */
    readonly helpers: number;
    readonly wire: ProbeWire;
    readonly clock: Clock;
    readonly random: Random;
  }) {
    this.#self = options.self;
    this.#table = options.table;
    this.#helpers = options.helpers;
    this.#wire = options.wire;
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** Resolves within `timeout` milliseconds, and never rejects. */
  start(target: Entry, timeout: number): Promise<boolean> {
    if (this.#stopped || this.#running.size >= maxReachChecks) return Promise.resolve(true);
    return new Promise((resolve) => {
      const seqNo = this.#wire.nextSeqNo();
      const timer = this.#clock.after(timeout, () => this.#settle(seqNo, false));
      this.#running.set(seqNo, { resolve, timer });
      this.#wire.probe(target, seqNo, () => {});
      for (const helper of this.#choose(target)) this.#wire.askHelper(helper, target, seqNo);
      // Cannot reject.
      void this.#wire.probeOverStream(target, seqNo, timeout).then((acked) => {
        if (acked) this.#settle(seqNo, true);
      });
    });
  }

  ack(seqNo: number): void {
    this.#settle(seqNo, true);
  }

  /** Breaks off what is running: we were held up, and could not hear an answer. */
  void(): void {
    for (const seqNo of [...this.#running.keys()]) this.#settle(seqNo, true);
  }

  stop(): void {
    this.#stopped = true;
    this.void();
  }

  #choose(target: Entry): readonly Entry[] {
    const others = [...this.#table.entries()].filter(
      ({ name, state }) => state === 'alive' && name !== this.#self && name !== target.name,
    );
    return shuffled(others, this.#random).slice(0, this.#helpers);
  }

  #settle(seqNo: number, reached: boolean): void {
    const check = this.#running.get(seqNo);
    if (check === undefined) return;
    this.#running.delete(seqNo);
    check.timer.cancel();
    check.resolve(reached);
  }
}
