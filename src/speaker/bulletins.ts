import type { Claim } from '../election/claims.ts';
import type { NodeInterface } from '../election/interface-fitness.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import { messageKind } from '../liveness/message-kinds.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ByteReader, ByteWriter } from './byte-stream.ts';
import { decodeNodeReport, encodeNodeReport, maxReportBytes, type NodeReport } from './node-report.ts';
import { valueText } from './value-text.ts';

/** Changes of ours within this time are one report; milliseconds. What takes over had better be known at once. */
const gatherTime = 5;
/** How often we look whether our interfaces have other addresses, of which nobody tells us; milliseconds. */
const lookInterval = 10_000;
/** For how long reports of speakers that are in the ring no more are kept; milliseconds. */
const memory = 600_000;
/** A speaker that restarts is not waited for longer, whatever it says; milliseconds. */
const longestRestart = 60_000;
const maxNodes = 1_024;
const maxNameBytes = 253;

/** How speakers reach each other: the part of `src/liveness` that is used here. */
export type Channel = {
  readonly send: (node: string, message: Uint8Array) => unknown;
  readonly sendToAll: (message: Uint8Array) => unknown;
  /** The names of those that are in the ring, ours included. */
  readonly members: () => Iterable<{ readonly name: string }>;
};

/** What has changed: facts are what an election looks at, claims are who has what. */
export type BulletinChange = { readonly facts: boolean; readonly claims: boolean };

export type BulletinsOptions = {
  readonly node: string;
  readonly channel: Channel;
  /** Undefined: not known. */
  readonly interfaces: () => readonly NodeInterface[] | undefined;
  readonly clock: Clock;
  readonly log: Logger;
};

type Heard = { readonly report: NodeReport; readonly bytes: Uint8Array; readonly at: number };

/**
 * What the speakers tell each other of themselves: interfaces, what they hold, and that they are about to hand over or
 * to restart. Ours is told to everybody when it changes, and with it those of all others go to whoever exchanges
 * tables with us, so that a message that was lost is made good for. Nothing of it needs the API server.
 */
export class Bulletins {
  readonly #options: BulletinsOptions;
  readonly #startedAt: number;
  /** By node; ours is not among them. */
  readonly #heard = new Map<string, Heard>();
  readonly #claims = new Map<string, { readonly address: Address; readonly since: number }>();
  readonly #listeners = new Set<(change: BulletinChange) => void>();
  readonly #messages = new Map<number, (payload: Uint8Array, from: string) => void>();
  /** Ends the wait for those that restart. */
  readonly #returns = new Map<string, Timer>();
  #ours: NodeReport;
  #index: ReadonlyMap<string, readonly Claim[]> | undefined;
  #interfaces: ReadonlyMap<string, readonly NodeInterface[]> | undefined;
  #draining = false;
  #restartingUntil: number | undefined;
  /** What an earlier run of ours claimed, until we have decided ourselves. */
  #inherited: NodeReport['claims'] | undefined = [];
  #latest = 0;
  #pending: Timer | undefined;
  #look: Timer | undefined;
  #closed = false;

  constructor(options: BulletinsOptions) {
    this.#options = options;
    this.#startedAt = options.clock.wallTime();
    this.#ours = this.#compose();
  }

  /** From here on changes are told. */
  start(): void {
    this.#look = this.#options.clock.every(lookInterval, () => {
      if (!sameFacts(this.#compose(), this.#ours)) this.#changed();
    });
    this.#changed();
  }

  /** Nothing is told any more. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#pending?.cancel();
    this.#look?.cancel();
    for (const timer of this.#returns.values()) timer.cancel();
    this.#returns.clear();
    this.#listeners.clear();
  }

  /** What the node said last, ours included; undefined for a speaker of MetalLB, and until it is heard. */
  reportOf(node: string): NodeReport | undefined {
    return node === this.#options.node ? this.#ours : this.#heard.get(node)?.report;
  }

  /** When the speaker began, in milliseconds since 1970 by its own clock. */
  startedAt(node: string): number | undefined {
    return this.reportOf(node)?.startedAt;
  }

  /** Node → what it said of its interfaces; the same object until somebody says something else. */
  interfaces(): ReadonlyMap<string, readonly NodeInterface[]> {
    const all = [this.#ours, ...[...this.#heard.values()].map(({ report }) => report)];
    this.#interfaces ??= new Map(
      all.flatMap(({ node, interfaces }) => (interfaces === undefined ? [] : [[node, interfaces]])),
    );
    return this.#interfaces;
  }

  /** Who says that he has the address. */
  claimsOf(address: string): readonly Claim[] {
    this.#index ??= this.#indexed();
    return this.#index.get(address) ?? [];
  }

  /** Speakers that are gone and have said that they will be back by now or later. */
  restarting(): ReadonlySet<string> {
    return new Set(this.#returns.keys());
  }

  /** Speakers that hand over what they have. */
  isDraining(node: string): boolean {
    return this.reportOf(node)?.draining === true;
  }

  /** Calls `listener` when what we or others said has changed, or a restart takes too long; returns the way to stop it. */
  onChange(listener: (change: BulletinChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `listener` with messages of this kind (2 to 255). */
  onMessage(kind: number, listener: (payload: Uint8Array, from: string) => void): void {
    this.#messages.set(kind, listener);
  }

  /** Tells one speaker, or all when that is undefined, something of a kind of its own. May get lost. */
  tell(node: string | undefined, kind: number, payload: Uint8Array): void {
    const message = messageOf(kind, this.#options.node, payload);
    if (node === undefined) this.#options.channel.sendToAll(message);
    else this.#options.channel.send(node, message);
  }

  /** These addresses are announced from here on. A take-over is claimed for later than the claim that it knows of. */
  claim(addresses: readonly Address[]): void {
    const fresh = addresses.filter((address) => !this.#claims.has(formatAddress(address)));
    const claims = fresh.map((address) => ({ address, since: this.#sinceOf(formatAddress(address)) }));
    for (const claim of claims) this.#claims.set(formatAddress(claim.address), claim);
    if (claims.length > 0) this.#changed();
  }

  /** These are not announced any more. */
  release(addresses: readonly Address[]): void {
    const held = addresses.filter((address) => this.#claims.delete(formatAddress(address)));
    if (held.length > 0) this.#changed();
  }

  /** Everything has been decided once: what an earlier run claimed counts no more. */
  settle(): void {
    this.#inherited = undefined;
    this.#changed();
  }

  /** Asks the others to take over what we have. Told at once. */
  drain(): void {
    this.#draining = true;
    this.#say();
  }

  /** Asks the others to wait for us for so many milliseconds. Told at once. */
  restart(grace: number): void {
    this.#restartingUntil = this.#options.clock.wallTime() + grace;
    this.#say();
  }

  /** Our interfaces may have changed. */
  look(): void {
    if (!sameFacts(this.#compose(), this.#ours)) this.#changed();
  }

  /** Somebody has come into the ring. */
  welcome(node: string): void {
    if (this.#heard.get(node)?.report.restartingUntil === undefined) this.#endWait(node);
    if (node !== this.#options.node && !this.#closed) {
      this.#options.channel.send(
        node,
        messageOf(messageKind.report, this.#options.node, encodeNodeReport(this.#ours).bytes),
      );
    }
  }

  /** A message from the ring, whatever it is. Never throws. */
  hear(message: Uint8Array): void {
    const read = readMessage(message);
    if (read === undefined || read.from === this.#options.node || this.#closed) return;
    if (read.kind !== messageKind.report) {
      this.#messages.get(read.kind)?.(read.payload, read.from);
      return;
    }
    const report = decodeNodeReport(read.payload);
    if (report?.node === read.from) this.#tellListeners(this.#take(report, read.payload));
  }

  /** What a member is told when tables are exchanged: all reports that we know of, ours first. */
  state(): Uint8Array {
    this.#forget();
    const all = [encodeNodeReport(this.#ours).bytes, ...[...this.#heard.values()].map(({ bytes }) => bytes)];
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const bytes of all) {
      const length = new ByteWriter();
      length.number(bytes.length);
      size += length.length + bytes.length;
      if (size > maxStateBytes) break;
      parts.push(length.bytes(), bytes);
    }
    return Buffer.concat(parts);
  }

  /** What another member tells then. Never throws. */
  merge(state: Uint8Array): void {
    if (this.#closed) return;
    const reader = new ByteReader(state);
    let change: BulletinChange = { facts: false, claims: false };
    while (!reader.failed && reader.left > 0) {
      const bytes = reader.raw(reader.number(maxReportBytes));
      const report = reader.failed ? undefined : decodeNodeReport(bytes);
      if (report === undefined) break;
      const taken = this.#take(report, Uint8Array.from(bytes));
      change = { facts: change.facts || taken.facts, claims: change.claims || taken.claims };
    }
    this.#tellListeners(change);
  }

  /** `bytes` are those of the report, and are kept. */
  #take(report: NodeReport, bytes: Uint8Array): BulletinChange {
    const { log, clock } = this.#options;
    const { node } = report;
    if (node === this.#options.node) return this.#recall(report);
    const before = this.#heard.get(node)?.report;
    if (before !== undefined && before.saidAt >= report.saidAt) return { facts: false, claims: false };
    if (before === undefined && !this.#makeRoom()) {
      log.warn('report refused', { node, why: `there are ${maxNodes} already` });
      return { facts: false, claims: false };
    }
    this.#heard.set(node, { report, bytes, at: clock.now() });
    this.#index = undefined;
    this.#await(report);
    return { facts: before === undefined || !sameFacts(before, report), claims: !sameClaims(before, report) };
  }

  /** What an earlier run of ours said, and others remember. */
  #recall(report: NodeReport): BulletinChange {
    if (report.startedAt === this.#startedAt) return { facts: false, claims: false };
    // Or nobody would listen to us, if our clock has been set back.
    this.#latest = Math.max(this.#latest, report.saidAt);
    if (this.#inherited === undefined) return { facts: false, claims: false };
    this.#inherited = report.claims;
    this.#changed();
    return { facts: false, claims: true };
  }

  /** Who is heard again may not be in the ring yet. */
  #await({ node, saidAt, restartingUntil }: NodeReport): void {
    const { clock, channel } = this.#options;
    if (restartingUntil === undefined || restartingUntil <= saidAt) {
      if ([...channel.members()].some(({ name }) => name === node)) this.#endWait(node);
      return;
    }
    this.#endWait(node);
    const timer = clock.after(Math.min(restartingUntil - saidAt, longestRestart), () => {
      this.#returns.delete(node);
      this.#tellListeners({ facts: true, claims: true });
    });
    this.#returns.set(node, timer);
  }

  #endWait(node: string): void {
    this.#returns.get(node)?.cancel();
    this.#returns.delete(node);
  }

  #makeRoom(): boolean {
    this.#forget();
    return this.#heard.size < maxNodes;
  }

  /** Of those that have been gone for long. One that comes back sooner is to know what it said. */
  #forget(): void {
    const now = this.#options.clock.now();
    const members = new Set([...this.#options.channel.members()].map(({ name }) => name));
    for (const [node, { at }] of this.#heard) {
      if (now - at > memory && !members.has(node) && !this.#returns.has(node)) this.#heard.delete(node);
    }
  }

  #changed(): void {
    this.#index = undefined;
    if (this.#closed || this.#look === undefined) return;
    this.#pending ??= this.#options.clock.after(gatherTime, () => this.#say());
  }

  #say(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    if (this.#closed) return;
    const before = this.#ours;
    this.#ours = this.#compose();
    this.#index = undefined;
    const { bytes, omittedClaims } = encodeNodeReport(this.#ours);
    if (omittedClaims > 0) this.#options.log.warn('claims not told', { count: omittedClaims });
    this.#options.channel.sendToAll(messageOf(messageKind.report, this.#options.node, bytes));
    this.#tellListeners({ facts: !sameFacts(before, this.#ours), claims: !sameClaims(before, this.#ours) });
  }

  #compose(): NodeReport {
    const { node, interfaces, clock } = this.#options;
    this.#latest = Math.max(this.#latest + 1, clock.wallTime());
    const own = [...this.#claims.values()];
    const inherited = (this.#inherited ?? []).filter(({ address }) => !this.#claims.has(formatAddress(address)));
    return {
      node,
      saidAt: this.#latest,
      startedAt: this.#startedAt,
      interfaces: interfaces(),
      draining: this.#draining,
      restartingUntil: this.#restartingUntil,
      claims: [...own, ...inherited],
    };
  }

  /** Since when the address is ours, as we take it. An earlier run of ours may have had it, and nobody since. */
  #sinceOf(address: string): number {
    const before = this.#inherited?.find((claim) => formatAddress(claim.address) === address)?.since;
    const others = this.claimsOf(address).filter(({ node }) => node !== this.#options.node);
    const latest = Math.max(0, ...others.map(({ since }) => since));
    return before !== undefined && before > latest ? before : Math.max(this.#options.clock.wallTime(), latest + 1);
  }

  #indexed(): ReadonlyMap<string, readonly Claim[]> {
    const index = new Map<string, Claim[]>();
    const ours = { node: this.#options.node, claims: this.#compose().claims };
    for (const { node, claims } of [ours, ...[...this.#heard.values()].map(({ report }) => report)]) {
      for (const { address, since } of claims) {
        const text = formatAddress(address);
        const known = index.get(text);
        if (known === undefined) index.set(text, [{ node, since }]);
        else known.push({ node, since });
      }
    }
    return index;
  }

  #tellListeners(change: BulletinChange): void {
    if (change.facts) this.#interfaces = undefined;
    if (change.facts || change.claims) for (const listener of this.#listeners) listener(change);
  }
}

const maxStateBytes = 2 ** 20;

/** kind (a byte) | name of who sends it (text) | the rest */
function messageOf(kind: number, from: string, payload: Uint8Array): Uint8Array {
  const head = new ByteWriter();
  head.byte(kind);
  head.text(from);
  const message = new Uint8Array(head.length + payload.length);
  message.set(head.bytes());
  message.set(payload, head.length);
  return message;
}

function readMessage(message: Uint8Array) {
  const reader = new ByteReader(message);
  const kind = reader.byte();
  const from = reader.text(maxNameBytes);
  return reader.failed || from === '' ? undefined : { kind, from, payload: reader.raw(reader.left) };
}

function sameFacts(a: NodeReport, b: NodeReport): boolean {
  const facts = ({ startedAt, interfaces, draining, restartingUntil }: NodeReport) =>
    valueText([startedAt, interfaces, draining, restartingUntil]);
  return facts(a) === facts(b);
}

function sameClaims(a: NodeReport | undefined, b: NodeReport): boolean {
  const text = ({ claims }: NodeReport) => claims.map(({ address, since }) => `${formatAddress(address)} ${since}`);
  return a !== undefined && text(a).join() === text(b).join();
}
