import { endpointText, parseEndpoint } from '../memberlist-lite/address-text.ts';
import type { JoinResult, Member, Memberlist } from '../memberlist-lite/memberlist.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';

/** Between two looks at whether all peers are in the ring, in milliseconds; the same as MetalLB's. */
const settledInterval = 60_000;
/**
 * The same while some are not: at first, and at most. It doubles with each attempt, so that a short interruption ends
 * soon, for as long as it lasts both sides may claim an address, and a node that is gone for good costs little.
 */
const missingInterval = { first: 500, longest: 5000 };

/**
 * Which speakers are alive. Joins the ring and keeps joining it, for whom the ring has lost does not come back by
 * itself: after a long partition each side has forgotten the other.
 */
export class Liveness {
  readonly #ring: Memberlist;
  readonly #peers: () => readonly string[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #listeners = new Set<(alive: ReadonlySet<string>) => void>();
  #alive: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #joining = false;
  /** Since somebody was lost last. */
  #attempts = 0;
  #unreached = '';
  #stopping: Promise<void> | undefined;

  /**
   * `ring` has not been started; it belongs to this object from here on. `peers` tells where the other speakers should
   * be, as `host:port`; our own place may be among them. It is asked anew before every attempt.
   */
  constructor(options: {
    readonly ring: Memberlist;
    readonly peers: () => readonly string[];
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Logger;
  }) {
    this.#ring = options.ring;
    this.#peers = options.peers;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
  }

  /** Starts the ring and the first attempt to join, without waiting for it. Rejects when the port cannot be had. */
  async start(): Promise<void> {
    this.#ring.onChange(({ type }) => {
      this.#refresh();
      if (type !== 'leave') return;
      this.#attempts = 0;
      this.#schedule();
    });
    await this.#ring.start();
    this.#refresh();
    this.rejoin();
  }

  /** The names of the speakers that are alive, our own included once started. A new set after every change. */
  alive(): ReadonlySet<string> {
    return this.#alive;
  }

  /** The same, and where each is and what it says of itself. */
  members(): readonly Pick<Member, 'name' | 'address' | 'meta'>[] {
    return this.#ring.members();
  }

  /** Calls `listener` after every change of `alive()`; returns the way to stop that. */
  onChange(listener: (alive: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks for missing peers now. To be called when the list of peers has changed. */
  rejoin(): void {
    this.#attempts = 0;
    void this.#attempt(); // Joining never rejects.
  }

  /** Leaves the ring, so that the others take over at once, and closes it. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown();
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    this.#timer?.cancel();
    this.#listeners.clear();
    await this.#ring.leave();
    await this.#ring.close();
  }

  #refresh(): void {
    const names = new Set(this.#ring.members().map((member) => member.name));
    // An update of a member's data is no change here.
    if (names.size === this.#alive.size && [...names].every((name) => this.#alive.has(name))) return;
    this.#alive = names;
    for (const listener of this.#listeners) listener(names);
  }

  async #attempt(): Promise<void> {
    if (this.#joining || this.#stopping !== undefined) return;
    this.#joining = true;
    const missing = this.#missing();
    if (missing.length > 0) {
      this.#report(await this.#ring.join(missing));
      this.#attempts += 1;
    }
    this.#joining = false;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#joining || this.#stopping !== undefined) return;
    this.#timer?.cancel();
    const settled = this.#alive.size > 1 && this.#missing().length === 0;
    if (settled) this.#attempts = 0;
    const pause = Math.min(missingInterval.first * 2 ** this.#attempts, missingInterval.longest);
    const delay = settled ? settledInterval : pause * (1 - this.#random.float() / 2);
    this.#timer = this.#clock.after(delay, () => void this.#attempt());
  }

  /** Peers at whose place the ring has no member. */
  #missing(): readonly string[] {
    const present = new Set(this.#ring.members().map(endpointText));
    return this.#peers().filter((peer) => {
      const endpoint = parseEndpoint(peer);
      return endpoint === undefined || !present.has(endpointText(endpoint));
    });
  }

  /** One line for each change in who cannot be reached. */
  #report({ joined, failed }: JoinResult): void {
    const unreached = failed.map(({ peer, error }) => `${peer} ${error}`).join(', ');
    if (joined > 0) this.#log.info('joined', { peers: joined });
    if (unreached !== '' && unreached !== this.#unreached) this.#log.warn('cannot join', { failed });
    this.#unreached = unreached;
  }
}
