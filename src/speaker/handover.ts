import { type Address, formatAddress } from '../ip/address.ts';
import type { Announcer, ServiceAnnouncement } from '../layer2/announcer.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** For how long an address is announced on when the successor does not say that he has it; milliseconds. */
const patience = 1_000;

export type HandoverOptions = {
  readonly announcer: Pick<Announcer, 'set' | 'wishOf'>;
  /** Whether the node says that it announces the address. */
  readonly hasClaimed: (node: string, address: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Who is to have an address next; undefined: nobody. */
export type SuccessorOf = (address: Address) => string | undefined;

type Leaving = { readonly address: Address; readonly successor: string; readonly since: number; readonly timer: Timer };

type Service = {
  wanted: ServiceAnnouncement | undefined;
  /** Where those that leave are announced while nothing else is wanted. */
  readonly interfaces: ServiceAnnouncement['interfaces'];
  /** By the text of the address. */
  readonly leaving: Map<string, Leaving>;
};

/**
 * Lets go of an address only when its next owner has it: until he says so, or is heard on the wire, both announce it,
 * which a client does not notice, instead of neither. What nobody is to have next is withdrawn at once.
 */
export class Handover {
  readonly #options: HandoverOptions;
  /** Those with addresses that leave. */
  readonly #services = new Map<string, Service>();
  readonly #idle = new Set<() => void>();

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  /** What this node is to announce for a Service. What it announces beyond that leaves, to its successor. */
  set(key: string, wanted: ServiceAnnouncement | undefined, successorOf: SuccessorOf): void {
    const { announcer, clock } = this.#options;
    const present = announcer.wishOf(key);
    const stays = new Set(wanted?.addresses.map(formatAddress));
    const before = this.#services.get(key);
    const leaving = new Map<string, Leaving>();
    for (const address of present?.addresses ?? []) {
      const text = formatAddress(address);
      const successor = stays.has(text) ? undefined : successorOf(address);
      if (successor === undefined) continue;
      const known = before?.leaving.get(text);
      const timer = known?.timer ?? clock.after(patience, () => this.#expire(key, text));
      leaving.set(text, { address, successor, since: known?.since ?? clock.now(), timer });
    }
    for (const [text, { timer }] of before?.leaving ?? []) if (!leaving.has(text)) timer.cancel();
    if (present === undefined || leaving.size === 0) {
      this.#services.delete(key);
      announcer.set(key, wanted);
    } else {
      this.#services.set(key, { wanted, interfaces: before?.interfaces ?? present.interfaces, leaving });
      this.#apply(key);
      this.#look(key);
    }
    this.#tellIdle();
  }

  /** Whether the address is announced only until its next owner has it. */
  isLeaving(address: Address): boolean {
    const text = formatAddress(address);
    return [...this.#services.values()].some(({ leaving }) => leaving.has(text));
  }

  /** Claims have changed. */
  look(): void {
    for (const key of [...this.#services.keys()]) this.#look(key);
    this.#tellIdle();
  }

  /** The node was heard on the wire to have the address. */
  heard(node: string, address: Address): void {
    const text = formatAddress(address);
    for (const [key, { leaving }] of [...this.#services]) {
      if (leaving.get(text)?.successor === node) this.#letGo(key, [text]);
    }
    this.#tellIdle();
  }

  /** Resolves when nothing is being handed over; that takes a second at most. */
  idle(): Promise<void> {
    return this.#services.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.add(resolve));
  }

  /** Lets go of everything now. Idempotent. */
  close(): void {
    for (const [key, { leaving }] of [...this.#services]) this.#letGo(key, [...leaving.keys()]);
    this.#tellIdle();
  }

  #look(key: string): void {
    const { hasClaimed } = this.#options;
    const leaving = [...(this.#services.get(key)?.leaving ?? [])];
    const claimed = leaving.filter(([text, { successor }]) => hasClaimed(successor, text)).map(([text]) => text);
    if (claimed.length > 0) this.#letGo(key, claimed);
  }

  #expire(key: string, text: string): void {
    const successor = this.#services.get(key)?.leaving.get(text)?.successor;
    this.#options.log.warn('successor not heard', { service: key, address: text, successor });
    this.#letGo(key, [text]);
    this.#tellIdle();
  }

  #letGo(key: string, texts: readonly string[]): void {
    const { clock, log } = this.#options;
    const service = this.#services.get(key)!;
    let longest = 0;
    const to = new Set<string>();
    for (const text of texts) {
      const { successor, since, timer } = service.leaving.get(text)!;
      timer.cancel();
      service.leaving.delete(text);
      longest = Math.max(longest, Math.round(clock.now() - since));
      to.add(successor);
    }
    this.#apply(key);
    log.info('handed over', { service: key, addresses: texts, to: [...to], milliseconds: longest });
  }

  #apply(key: string): void {
    const { announcer } = this.#options;
    const { wanted, leaving, interfaces } = this.#services.get(key)!;
    if (leaving.size === 0) {
      this.#services.delete(key);
      announcer.set(key, wanted);
      return;
    }
    const going = [...leaving.values()].map(({ address }) => address);
    announcer.set(key, { interfaces, ...wanted, addresses: [...(wanted?.addresses ?? []), ...going] });
  }

  #tellIdle(): void {
    if (this.#services.size > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}
