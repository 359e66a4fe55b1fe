import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/**
 * For how long somebody is looked for who still reaches a speaker whose session is lost, in milliseconds. On a LAN an
 * answer takes one; the rest is for garbage collections of who is asked.
 */
const confirmation = 100;
/** Losses within this time are one event, in milliseconds: some detection times. */
const together = 500;
/** Who was declared dead and is back within this time was not dead; milliseconds. */
const errorTime = 5_000;
/** For how long that is remembered, and by what the confirmation takes longer, each time. */
const penalty = { time: 60_000, factor: 2, most: 8 } as const;

export type VerdictsOptions = {
  /** Whether anybody reaches the speaker: see Memberlist. Never rejects. */
  readonly reach: (name: string, timeout: number) => Promise<boolean>;
  readonly declareDead: (name: string) => void;
  /** Tells the other speakers that our session with this one is lost. */
  readonly tellLost: (name: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
};

type Peer = {
  /** Since when the session is not up any more; undefined while it is. */
  lostAt: number | undefined;
  /** When another speaker lost his session with this one. */
  toldAt: number | undefined;
  /** When we declared it dead. */
  condemnedAt: number | undefined;
  /** How much longer a confirmation takes, and until when. */
  factor: number;
  until: number;
  /** Ends the confirmation under way. */
  settle: (() => void) | undefined;
};

/**
 * Turns lost sessions into verdicts. A session that is lost says that packets do not arrive, which can be the path's
 * fault or our own. So before a speaker is declared dead:
 *
 * - If most of our sessions are lost at once, it is us: there is no verdict, and gossip decides in its own time.
 * - Another speaker who has lost his session with it, too, confirms the loss at once.
 * - Otherwise somebody is looked for who still reaches it, by packet, by stream or through others. One who does acquits.
 * - Whom we declared dead in error, we ask for longer the next time.
 *
 * The speaker itself objects to a verdict as soon as it hears of it.
 */
export class Verdicts {
  readonly #options: VerdictsOptions;
  readonly #peers = new Map<string, Peer>();
  #isStopped = false;

  constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /** The session is up. */
  up(name: string): void {
    const peer = this.#peerOf(name);
    const { clock } = this.#options;
    if (peer.condemnedAt !== undefined && clock.now() - peer.condemnedAt < errorTime) {
      peer.factor = Math.min(peer.factor * penalty.factor, penalty.most);
      peer.until = clock.now() + penalty.time;
    }
    peer.lostAt = undefined;
    peer.condemnedAt = undefined;
    peer.settle?.();
  }

  /** There is no session with this speaker any more, because it is not to be one. */
  forget(name: string): void {
    this.#peers.get(name)?.settle?.();
    this.#peers.delete(name);
  }

  /** The peer says itself that it does no work: that it stops, or that its control plane hangs. */
  gaveUp(name: string): void {
    const peer = this.#peerOf(name);
    if (peer.lostAt !== undefined) return;
    peer.lostAt = this.#options.clock.now();
    this.#condemn(name, peer, 'it said so');
  }

  /** The session was up, and is not, because nothing was heard for the detection time. */
  lost(name: string): void {
    const peer = this.#peerOf(name);
    if (peer.lostAt !== undefined || this.#isStopped) return;
    const { clock, log, tellLost } = this.#options;
    const now = clock.now();
    peer.lostAt = now;
    if (this.#areMostLost(now)) {
      log.warn('most sessions lost at once', { peers: [...this.#lostSince(now - together)] });
      for (const other of this.#peers.values()) other.settle?.();
      return;
    }
    tellLost(name);
    void this.#confirm(name, peer); // Never rejects.
  }

  /** Another speaker has lost his session with this one. */
  told(name: string): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    peer.toldAt = this.#options.clock.now();
    peer.settle?.();
  }

  /** No verdict from here on. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    for (const peer of this.#peers.values()) peer.settle?.();
    this.#peers.clear();
  }

  async #confirm(name: string, peer: Peer): Promise<void> {
    const { clock, reach, log } = this.#options;
    const { promise, resolve } = Promise.withResolvers<'settled'>();
    peer.settle = () => resolve('settled');
    const factor = clock.now() < peer.until ? peer.factor : 1;
    if (this.#isConfirmed(peer) && factor === 1) peer.settle();
    const answer = await Promise.race([promise, reach(name, confirmation * factor)]);
    peer.settle = undefined;
    if (this.#isStopped || peer.lostAt === undefined || this.#peers.get(name) !== peer) return;
    if (this.#areMostLost(peer.lostAt)) return;
    if (answer === true) log.warn('session lost, but the speaker is reached', { peer: name });
    else this.#condemn(name, peer, this.#isConfirmed(peer) ? 'another has lost it, too' : 'nobody reaches it');
  }

  #isConfirmed({ toldAt }: Peer): boolean {
    return toldAt !== undefined && this.#options.clock.now() - toldAt < together;
  }

  #condemn(name: string, peer: Peer, why: string): void {
    const { clock, log, declareDead } = this.#options;
    const silent = Math.round(clock.now() - (peer.lostAt ?? clock.now()));
    log.info('speaker lost', { peer: name, why, confirmedAfter: silent });
    peer.condemnedAt = clock.now();
    declareDead(name);
  }

  /** Of one or two sessions, one is not most: then gossip could not tell either. */
  #areMostLost(now: number): boolean {
    const lost = [...this.#lostSince(now - together)].length;
    return lost > 1 && lost * 2 > this.#counted(now - together);
  }

  *#lostSince(since: number): Generator<string> {
    for (const [name, { lostAt }] of this.#peers) if (lostAt !== undefined && lostAt >= since) yield name;
  }

  /** Those that are up or were until then. */
  #counted(since: number): number {
    return [...this.#peers.values()].filter(({ lostAt }) => lostAt === undefined || lostAt >= since).length;
  }

  #peerOf(name: string): Peer {
    const known = this.#peers.get(name);
    if (known !== undefined) return known;
    const fresh = {
      factor: 1,
      until: 0,
      lostAt: undefined,
      toldAt: undefined,
      condemnedAt: undefined,
      settle: undefined,
    };
    this.#peers.set(name, fresh);
    return fresh;
  }
}
