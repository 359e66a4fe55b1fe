import { maxBroadcasts, maxCompoundParts } from './limits.ts';
import { partOverhead } from './packet.ts';

type Broadcast = { readonly about: string; readonly bytes: Uint8Array; readonly order: number; sent: number };

/**
 * What is still to be told to others. At most one message about each member, the newest; each is sent a limited
 * number of times to random members, which reaches all of them with high probability, and is then dropped.
 *
 * Invariant: `#tiers[n]` holds the messages sent n times, each sorted longest first and, among equals, newest first.
 */
export class BroadcastQueue {
  readonly #retransmitMult: number;
  readonly #byMember = new Map<string, Broadcast>();
  #tiers: Broadcast[][] = [];
  #queued = 0;

  constructor(retransmitMult: number) {
    this.#retransmitMult = retransmitMult;
  }

  get size(): number {
    return this.#byMember.size;
  }

  /** Queues an encoded message about a member; an older one about it is dropped, or when full, the one sent most. */
  add(about: string, bytes: Uint8Array): void {
    this.remove(about);
    if (this.size >= maxBroadcasts) this.#dropMostSent();
    const broadcast = { about, bytes, order: this.#queued++, sent: 0 };
    this.#byMember.set(about, broadcast);
    this.#insert(broadcast);
  }

  remove(about: string): void {
    const old = this.#byMember.get(about);
    if (old === undefined) return;
    this.#byMember.delete(about);
    const tier = this.#tiers[old.sent] ?? [];
    tier.splice(tier.indexOf(old), 1);
  }

  /**
   * The messages for one packet with `room` bytes left, at most `parts` of them: those sent least often first. Counts
   * them as sent. `members` counts all known members and decides how often each message goes out in total.
   */
  take(room: number, members: number, parts = maxCompoundParts): readonly Uint8Array[] {
    const limit = this.#retransmitMult * Math.ceil(Math.log10(members + 1));
    const taken: Broadcast[] = [];
    let left = room;
    for (const tier of this.#tiers) {
      let at = firstThatFits(tier, left - partOverhead);
      while (at < tier.length && taken.length < parts) {
        const [broadcast] = tier.splice(at, 1) as [Broadcast];
        taken.push(broadcast);
        left -= broadcast.bytes.length + partOverhead;
        at = Math.max(at, firstThatFits(tier, left - partOverhead));
      }
    }
    for (const broadcast of taken) {
      broadcast.sent++;
      if (broadcast.sent < limit) this.#insert(broadcast);
      else this.#byMember.delete(broadcast.about);
    }
    return taken.map((broadcast) => broadcast.bytes);
  }

  #dropMostSent(): void {
    const dropped = this.#tiers.findLast((tier) => tier.length > 0)?.at(-1);
    if (dropped !== undefined) this.remove(dropped.about);
  }

  #insert(broadcast: Broadcast): void {
    while (this.#tiers.length <= broadcast.sent) this.#tiers.push([]);
    const tier = this.#tiers[broadcast.sent] as Broadcast[];
    const comesAfter = (other: Broadcast) =>
      other.bytes.length > broadcast.bytes.length ||
      (other.bytes.length === broadcast.bytes.length && other.order > broadcast.order);
    tier.splice(partition(tier, comesAfter), 0, broadcast);
  }
}

function firstThatFits(tier: readonly Broadcast[], room: number): number {
  return partition(tier, (broadcast) => broadcast.bytes.length > room);
}

/** The index of the first item that is not `before`, in items of which the `before` ones come first. */
function partition<T>(items: readonly T[], before: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
