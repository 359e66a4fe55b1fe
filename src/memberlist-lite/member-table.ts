import { noBytes, sameBytes } from './bytes.ts';
import { maxMembers, maxUint32 } from './limits.ts';
import type { DropReason } from './malformed.ts';
import { type Alive, type Dead, type MemberState, memberStates, type NodeState, type Suspect } from './messages.ts';
import { Suspicion, type SuspicionSettings, suspicionTimes } from './suspicion.ts';

/** What the table knows of one member. */
export type Entry = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly meta: Uint8Array;
  /** Protocol min, max, current, delegate min, max, current. */
  readonly vsn: Uint8Array;
  /** Counted up by the member itself, to overrule what others say of it. */
  readonly incarnation: number;
  readonly state: MemberState;
  /** When `state` changed last, on the clock that the callers pass. */
  readonly since: number;
};

export type Change = 'join' | 'leave' | 'update';

/** What has to happen outside as a result. */
export type Effect =
  /** Tell the others, in place of anything older about this member. */
  | { readonly type: 'broadcast'; readonly about: string; readonly message: Claim }
  | { readonly type: 'changed'; readonly change: Change; readonly member: Entry }
  /** A name not seen before is in the table now. */
  | { readonly type: 'added'; readonly name: string }
  /** We were accused and said otherwise. */
  | { readonly type: 'refuted' }
  | { readonly type: 'refused'; readonly reason: DropReason; readonly name: string };

export type Claim =
  | ({ readonly type: 'alive' } & Alive)
  | ({ readonly type: 'suspect' } & Suspect)
  | ({ readonly type: 'dead' } & Dead);

/** Between two attempts to make room in a full table, in milliseconds: each looks at every member. */
const sweepInterval = 1000;

export type TableSettings = SuspicionSettings & {
  readonly gossipToTheDeadTime: number;
  readonly deadNodeReclaimTime: number;
  readonly protocolVersion: number;
};

export type Self = Pick<Entry, 'name' | 'address' | 'port' | 'meta' | 'vsn'>;

/**
 * The rules of membership: what a claim about a member changes. No clock, no chance, no input or output: time comes
 * in as `now` and everything that has to be done goes out as effects.
 *
 * Invariant: a member has a suspicion exactly while its state is suspect. We are in the table from the start, never
 * suspected, and dead only by leaving.
 */
export class MemberTable {
  readonly #self: Self;
  readonly #settings: TableSettings;
  readonly #entries = new Map<string, Entry>();
  readonly #suspicions = new Map<string, Suspicion>();
  #incarnation = 1;
  #leaving = false;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(self: Self, now: number, settings: TableSettings) {
    this.#self = self;
    this.#settings = settings;
    this.#entries.set(self.name, { ...self, incarnation: this.#incarnation, state: 'alive', since: now });
  }

  /** All known members: ourselves, the dead and the departed included, until these are forgotten. */
  get size(): number {
    return this.#entries.size;
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** The claim that we are alive, as first told to others and again on every accusation. */
  ownAlive(): Claim & { type: 'alive' } {
    const { name, address, port, meta, vsn } = this.#self;
    return { type: 'alive', incarnation: this.#incarnation, node: name, addr: address, port, meta, vsn };
  }

  /** What a peer claims, whichever it is. */
  hear(claim: Claim, now: number): readonly Effect[] {
    switch (claim.type) {
      case 'alive':
        return this.alive(claim, now);
      case 'suspect':
        return this.suspect(claim, now);
      case 'dead':
        return this.dead(claim, now);
      default:
        return claim satisfies never;
    }
  }

  alive(received: Alive, now: number): readonly Effect[] {
    // Protocol 1 had no ports: everyone used the same one.
    const portless = received.port === 0 || this.#settings.protocolVersion === 1;
    const claim = portless ? { ...received, port: this.#self.port } : received;
    const known = this.#entries.get(claim.node);
    const aboutUs = claim.node === this.#self.name;
    if (aboutUs && this.#leaving) return [];
    if (known === undefined) this.#makeRoom(now);
    const refusal = this.#refusal(claim, known, now);
    if (refusal !== undefined) return [{ type: 'refused', reason: refusal, name: claim.node }];
    if (aboutUs) return this.#aliveAboutUs(claim);

    const moved = known !== undefined && !sameEndpoint(known, claim);
    // An incarnation starts at 1, so that a claim of 0 about an unknown name is news to nobody.
    if (claim.incarnation <= (known?.incarnation ?? 0) && !moved) return [];
    this.#suspicions.delete(claim.node);
    const member: Entry = {
      name: claim.node,
      address: claim.addr,
      port: claim.port,
      meta: claim.meta,
      vsn: claim.vsn.length === 0 ? (known?.vsn ?? noBytes) : claim.vsn,
      incarnation: claim.incarnation,
      state: 'alive',
      since: known?.state === 'alive' ? known.since : now,
    };
    this.#entries.set(member.name, member);
    const effects: Effect[] = known === undefined ? [{ type: 'added', name: member.name }] : [];
    effects.push({ type: 'broadcast', about: member.name, message: { ...claim, type: 'alive' } });
    const change = changeBetween(known, member);
    if (change !== undefined) effects.push({ type: 'changed', change, member });
    return effects;
  }

  suspect(claim: Suspect, now: number): readonly Effect[] {
    const known = this.#entries.get(claim.node);
    if (known === undefined || claim.incarnation < known.incarnation) return [];
    const broadcast: Effect = { type: 'broadcast', about: claim.node, message: { ...claim, type: 'suspect' } };
    const running = this.#suspicions.get(claim.node);
    if (running !== undefined) return running.confirm(claim.from) ? [broadcast] : [];
    if (known.state !== 'alive') return [];
    if (claim.node === this.#self.name) return this.#refute(claim.incarnation);
    this.#entries.set(known.name, { ...known, incarnation: claim.incarnation, state: 'suspect', since: now });
    const times = suspicionTimes(this.size, this.#settings);
    this.#suspicions.set(known.name, new Suspicion(claim.from, now, times));
    return [broadcast];
  }

  /** Equal incarnation is enough, and no suspicion has to come first: any member's verdict is taken. */
  dead(claim: Dead, now: number): readonly Effect[] {
    const known = this.#entries.get(claim.node);
    if (known === undefined || claim.incarnation < known.incarnation) return [];
    if (known.state === 'dead' || known.state === 'left') return [];
    if (claim.node === this.#self.name && !this.#leaving) return this.#refute(claim.incarnation);
    this.#suspicions.delete(claim.node);
    const state = claim.node === claim.from ? 'left' : 'dead';
    const member: Entry = { ...known, incarnation: claim.incarnation, state, since: now };
    this.#entries.set(member.name, member);
    return [
      { type: 'broadcast', about: member.name, message: { ...claim, type: 'dead' } },
      { type: 'changed', change: 'leave', member },
    ];
  }

  /** Takes in the table of another member. Hearsay of a death only makes a suspect: the dead may not know yet. */
  merge(states: readonly NodeState[], now: number): readonly Effect[] {
    return states.flatMap((remote): readonly Effect[] => {
      const { name: node, incarnation } = remote;
      const state = memberStates[remote.state] ?? 'alive';
      switch (state) {
        case 'alive':
          return this.alive({ ...remote, node }, now);
        case 'left':
          return this.dead({ node, incarnation, from: node }, now);
        case 'suspect':
        case 'dead':
          return this.suspect({ node, incarnation, from: this.#self.name }, now);
        default:
          return state satisfies never;
      }
    });
  }

  /** Our own accusation of a member as it was when the probe that failed began. */
  accuse({ name, incarnation }: Entry, now: number): readonly Effect[] {
    return this.suspect({ node: name, incarnation, from: this.#self.name }, now);
  }

  /**
   * The verdict of another failure detector: dead, as of now. The member may object, and is back with a higher
   * incarnation. Nothing for who is no member, for ourselves, and once we are leaving.
   */
  declareDead(name: string, now: number): readonly Effect[] {
    const known = this.#entries.get(name);
    if (known === undefined || !isMember(known) || name === this.#self.name || this.#leaving) return [];
    return this.dead({ node: name, incarnation: known.incarnation, from: this.#self.name }, now);
  }

  /** When `expire` has something to do next; undefined while nobody is suspected. */
  nextDeadline(): number | undefined {
    const deadlines = Array.from(this.#suspicions.values(), (suspicion) => suspicion.deadline);
    return deadlines.length === 0 ? undefined : deadlines.reduce((a, b) => Math.min(a, b));
  }

  /** Declares dead whom nobody saved in time. Those that are vouched for stay suspects for another while. */
  expire(now: number, vouches: (name: string) => boolean = () => false): readonly Effect[] {
    const over = [...this.#suspicions].filter(([, suspicion]) => suspicion.deadline <= now);
    return over.flatMap(([node, suspicion]) => {
      if (vouches(node)) {
        suspicion.excuse(now - suspicion.deadline + this.#settings.probeInterval);
        return [];
      }
      const incarnation = this.#entries.get(node)?.incarnation ?? 0;
      return this.dead({ node, incarnation, from: this.#self.name }, now);
    });
  }

  /** We did not run for `duration` milliseconds and could not hear objections: suspects get that time back. */
  excuse(duration: number): void {
    for (const suspicion of this.#suspicions.values()) suspicion.excuse(duration);
  }

  /** Marks us as departed, for good. The effects carry the message that tells the others. */
  leave(now: number): readonly Effect[] {
    this.#leaving = true;
    return this.dead({ node: this.#self.name, incarnation: this.#incarnation, from: this.#self.name }, now);
  }

  /** Forgets whoever has been dead or gone for long, and returns their names. */
  forget(now: number): readonly string[] {
    const gone = (entry: Entry) =>
      entry.name !== this.#self.name &&
      (entry.state === 'dead' || entry.state === 'left') &&
      now - entry.since > this.#settings.gossipToTheDeadTime;
    const names = [...this.#entries.values()].filter(gone).map((entry) => entry.name);
    for (const name of names) this.#entries.delete(name);
    return names;
  }

  /** The end of a probe round, when others forget the dead, is far away in a table that somebody has filled up. */
  #makeRoom(now: number): void {
    if (this.size < maxMembers || now - this.#sweptAt < sweepInterval) return;
    this.#sweptAt = now;
    this.forget(now);
  }

  #refusal(claim: Alive, known: Entry | undefined, now: number): DropReason | undefined {
    if (claim.node === '') return 'malformed';
    const [min = 0, max = 0] = claim.vsn;
    // A member without versions makes every later push/pull of the ring fail, so it does not get in.
    if (claim.vsn.length === 0 ? known === undefined : min === 0 || max === 0 || min > max) return 'version';
    if (known === undefined) return this.size >= maxMembers ? 'table-full' : undefined;
    if (sameEndpoint(known, claim)) return undefined;
    const reclaim = this.#settings.deadNodeReclaimTime;
    const released = known.state === 'left' || (known.state === 'dead' && reclaim > 0 && now - known.since > reclaim);
    return released ? undefined : 'address-conflict';
  }

  #aliveAboutUs(claim: Alive): readonly Effect[] {
    if (claim.incarnation < this.#incarnation) return [];
    const ours =
      claim.incarnation === this.#incarnation &&
      sameBytes(claim.meta, this.#self.meta) &&
      sameBytes(claim.vsn, this.#self.vsn);
    return ours ? [] : this.#refute(claim.incarnation);
  }

  /** Claims to be alive with an incarnation above the accusation. At the last number there is none above it. */
  #refute(accusation: number): readonly Effect[] {
    this.#incarnation = Math.min(maxUint32, Math.max(this.#incarnation, accusation) + 1);
    const own = this.#entries.get(this.#self.name);
    if (own !== undefined) this.#entries.set(own.name, { ...own, incarnation: this.#incarnation });
    return [{ type: 'refuted' }, { type: 'broadcast', about: this.#self.name, message: this.ownAlive() }];
  }
}

/** A member counts while it is alive or only suspected; this is what MetalLB counts. */
export function isMember(entry: Pick<Entry, 'state'>): boolean {
  return entry.state === 'alive' || entry.state === 'suspect';
}

function changeBetween(before: Entry | undefined, after: Entry): Change | undefined {
  if (before === undefined || !isMember(before)) return 'join';
  return sameBytes(before.meta, after.meta) ? undefined : 'update';
}

function sameEndpoint(entry: Entry, claim: Alive): boolean {
  return entry.address === claim.addr && entry.port === claim.port;
}
