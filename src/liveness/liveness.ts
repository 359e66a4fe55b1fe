import type { BfdEvent } from '../layer2/bfd.ts';
import { endpointText, parseEndpoint } from '../memberlist-lite/address-text.ts';
import type { JoinResult, Member, Memberlist, MemberlistOptions } from '../memberlist-lite/memberlist.ts';
import { type Clock, sleep, type Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { messageKind } from './message-kinds.ts';
import { type PeerSessions, sessionNews } from './peer-sessions.ts';
import { Verdicts } from './verdicts.ts';

/** Between two looks at whether all peers are in the ring, in milliseconds; the same as MetalLB's. */
const settledInterval = 60_000;
/**
 * The same while some are not: at first, and at most. It doubles with each attempt, so that a short interruption ends
 * soon, for as long as it lasts both sides may claim an address, and a node that is gone for good costs little.
 */
const missingInterval = { first: 500, longest: 5000 };
/** How many members are asked for what they know, when we have not heard for a while. */
const exchangePeers = 3;
/** And for how long their answers are waited for; milliseconds. */
const exchangeTime = 1_000;

/** What those who use the ring tell each other in it. */
export type Application = {
  /** What a member is told when tables are exchanged. */
  readonly state: () => Uint8Array;
  /** What another tells then. Must not throw. */
  readonly merge: (state: Uint8Array) => void;
  /** A message. Must not throw. */
  readonly hear: (message: Uint8Array) => void;
};

export type LivenessOptions = {
  /** Makes the ring; it is not to be started, and belongs to this object from here on. */
  readonly ring: (options: Required<Pick<MemberlistOptions, 'localState' | 'mergeState' | 'vouches'>>) => Memberlist;
  /** Our name in the ring. */
  readonly node: string;
  /** The BFD sessions with the others; undefined: there are none, and gossip alone tells who is alive. */
  readonly sessions?: PeerSessions | undefined;
  /**
   * Tells where the other speakers should be, as `host:port`; our own place may be among them. It is asked anew before
   * every attempt.
   */
  readonly peers: () => readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Which speakers are alive: one answer from gossip and from BFD sessions. A lost session is quick to tell of a loss,
 * and once it is confirmed all members are told; gossip finds whom no session is with. While a session is up its
 * peer is alive, even if it is too busy for gossip. (What it does then is bounded by the dead man's switch of its
 * responder, which ends the session.)
 *
 * Joins the ring and keeps joining it, for whom the ring has lost does not come back by itself: after a long partition
 * each side has forgotten the other.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #ring: Memberlist;
  readonly #verdicts: Verdicts;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #listeners = new Set<(alive: ReadonlySet<string>) => void>();
  #application: Application | undefined;
  #alive: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #joining = false;
  /** Since somebody was lost last. */
  #attempts = 0;
  #unreached = '';
  #stopping: Promise<void> | undefined;

  constructor(options: LivenessOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#clock = clock;
    this.#random = options.random;
    this.#log = log;
    this.#ring = options.ring({
      localState: () => this.#application?.state() ?? new Uint8Array(),
      mergeState: (state) => this.#application?.merge(state),
      vouches: (name) => options.sessions?.isUp(name) ?? false,
    });
    this.#verdicts = new Verdicts({
      clock,
      log,
      reach: (name, timeout) => this.#ring.reach(name, timeout),
      declareDead: (name) => void this.#ring.declareDead(name),
      tellLost: (name) => void this.#ring.sendToAll(lostMessage(name)),
    });
    this.#ring.onMessage((message) => {
      const lost = readLostMessage(message);
      if (lost === undefined) this.#application?.hear(message);
      else this.#verdicts.told(lost);
    });
  }

  /** Who uses the ring to tell the others something. To be set before the start. */
  attach(application: Application): void {
    this.#application = application;
  }

  /** Tells a member something. May get lost. Its first byte is its kind: message-kinds.ts. */
  send(name: string, message: Uint8Array): void {
    this.#ring.send(name, message);
  }

  sendToAll(message: Uint8Array): void {
    this.#ring.sendToAll(message);
  }

  /** The state of a session has changed. */
  session(event: BfdEvent): void {
    if (this.#stopping !== undefined) return;
    const news = sessionNews(event);
    this.#options.sessions?.see(event);
    switch (news) {
      case 'up':
        this.#verdicts.up(event.id);
        break;
      case 'lost':
        this.#verdicts.lost(event.id);
        break;
      case 'gave-up':
        this.#verdicts.gaveUp(event.id);
        break;
      case undefined:
        break;
      default:
        news satisfies never;
    }
    this.#refresh();
  }

  /** Asks some members for what they know; resolves when one of them has answered, or none did in time. Never rejects. */
  async exchange(): Promise<void> {
    const others = this.#ring.members().filter(({ name }) => name !== this.#options.node);
    const asked = others.slice(0, exchangePeers).map((member) => this.#ring.join([endpointText(member)]));
    const answered = asked.map(async (answer) => ((await answer).joined > 0 ? true : Promise.reject(new Error())));
    const given = new AbortController();
    const late = sleep(this.#clock, exchangeTime, given.signal).catch(() => {});
    await Promise.race([Promise.any(answered).catch(() => {}), late]);
    given.abort();
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

  /**
   * Leaves the ring, so that the others take over at once, and closes it; without a farewell it only closes it. Idempotent.
   */
  stop({ farewell = true } = {}): Promise<void> {
    this.#stopping ??= this.#shutDown(farewell);
    return this.#stopping;
  }

  async #shutDown(farewell: boolean): Promise<void> {
    this.#timer?.cancel();
    this.#listeners.clear();
    this.#verdicts.stop();
    this.#options.sessions?.set([]);
    if (farewell) await this.#ring.leave();
    await this.#ring.close();
  }

  #refresh(): void {
    const members = this.#ring.members();
    const { sessions, node } = this.#options;
    sessions?.set(members.filter(({ name }) => name !== node));
    const names = new Set(members.map((member) => member.name));
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
    return this.#options.peers().filter((peer) => {
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

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();
const maxNameBytes = 255;

/** Its kind, then the name. */
function lostMessage(name: string): Uint8Array {
  return Uint8Array.from([messageKind.lost, ...textEncoder.encode(name)]);
}

/** The name, or undefined when it is another message. */
function readLostMessage(message: Uint8Array): string | undefined {
  if (message[0] !== messageKind.lost || message.length > maxNameBytes + 1) return undefined;
  return textDecoder.decode(message.subarray(1));
}
