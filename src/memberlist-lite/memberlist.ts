import { type Clock, sleep, type Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Random, shuffled } from '../runtime/random.ts';
import { attempt } from './attempt.ts';
import { Awareness } from './awareness.ts';
import { noBytes } from './bytes.ts';
import type { Config } from './config.ts';
import { type Counters, newCounters } from './counters.ts';
import { Dispatch } from './dispatch.ts';
import { Framing } from './framing.ts';
import { Keyring } from './keyring.ts';
import { type Change, type Effect, type Entry, isMember, MemberTable, type Self } from './member-table.ts';
import type { NodeState } from './messages.ts';
import { Messenger, type SendFailure } from './messenger.ts';
import { PacketSender } from './packet-sender.ts';
import { PingWire } from './ping-wire.ts';
import { type ProbeResult, Prober } from './prober.ts';
import { pushPullScale } from './push-pull.ts';
import { ReachChecks } from './reach-check.ts';
import { Relays } from './relays.ts';
import { selfOf } from './self.ts';
import { type Sender, senderOfPacket, senderOfStream } from './sender.ts';
import { StallGuard } from './stall-guard.ts';
import { StreamExchange } from './stream-exchange.ts';
import { type JoinFailure, type JoinResult, TableExchange } from './table-exchange.ts';
import type { Endpoint, Transport } from './transport.ts';
import { UserState, type UserStateOptions } from './user-state.ts';

export type Member = Readonly<Entry>;
export type MemberEvent = { readonly type: Change; readonly member: Member };

/** `payload` is the listener's to keep. */
export type MessageListener = (payload: Uint8Array, from: Sender) => void;

export type { JoinFailure, JoinResult, Sender, SendFailure };

export type MemberlistOptions = UserStateOptions & {
  /** Unique in the ring. */
  readonly name: string;
  /** Where the others reach us. */
  readonly advertise: Endpoint;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly config: Config;
  /** What all members are told of us, at most 512 bytes. */
  readonly meta?: Uint8Array | undefined;
  /**
   * Whether another failure detector hears the member, which may be too busy to answer. Then we accuse it of nothing,
   * and do not declare it dead on the word of others.
   */
  readonly vouches?: ((name: string) => boolean) | undefined;
  /** With keys all traffic is encrypted, under the first of them. Each has 16, 24 or 32 bytes. */
  readonly keys?: readonly Uint8Array[] | undefined;
};

/** The farewell goes out twice, for the case that a packet is lost. */
const farewellPause = 50;
/** Distinct warnings within one push/pull interval. */
const maxWarned = 100;

/**
 * One member of a ring, wire-compatible with HashiCorp's memberlist. It owns the timers and moves messages between the
 * transport and the parts that decide: MemberTable, Prober, Relays.
 */
export class Memberlist {
  readonly counters: Counters;
  /** For changing keys while the ring runs; undefined for a ring without encryption. */
  readonly keyring: Keyring | undefined;
  readonly #counts = newCounters();
  readonly #config: Config;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #vouches: (name: string) => boolean;
  readonly #self: Self;
  readonly #table: MemberTable;
  readonly #sender: PacketSender;
  readonly #awareness: Awareness;
  readonly #prober: Prober;
  readonly #relays: Relays;
  readonly #streams: StreamExchange;
  readonly #tables: TableExchange;
  readonly #messenger: Messenger;
  readonly #reachChecks: ReachChecks;
  readonly #dispatch: Dispatch;
  readonly #listeners = new Set<(event: MemberEvent) => void>();
  readonly #messageListeners = new Set<MessageListener>();
  readonly #timers = new Map<'gossip' | 'probe' | 'push-pull' | 'suspicion', Timer>();
  /** What was warned about lately. */
  readonly #warned = new Set<string>();
  #leaving: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** Throws ConfigError when one of the options cannot work. Nothing is sent before `start`. */
  constructor(options: MemberlistOptions) {
    const { config, random, transport } = options;
    this.counters = this.#counts;
    this.keyring = options.keys && new Keyring(options.keys);
    this.#config = config;
    this.#transport = transport;
    this.#random = random;
    this.#log = options.log;
    this.#vouches = options.vouches ?? (() => false);
    this.#clock = new StallGuard(options.clock, config.stallTolerance, (duration) => this.#stalled(duration));
    this.#self = selfOf(options.name, options.advertise, options.meta ?? noBytes, config);
    const framing = new Framing({ ...config, keyring: this.keyring, random });
    this.#table = new MemberTable(this.#self, this.#clock.now(), config);
    this.#awareness = new Awareness(config.awarenessMaxMultiplier);
    this.#sender = new PacketSender({
      self: this.#self.name,
      table: this.#table,
      framing,
      transport,
      random,
      counts: this.#counts,
      settings: config,
    });
    this.#streams = new StreamExchange({
      transport,
      framing,
      clock: this.#clock,
      timeout: config.tcpTimeout,
      answer: (request, from) => this.#dispatch.request(request, from),
      drop: (reason) => {
        this.#counts.dropped[reason]++;
      },
    });
    this.#tables = new TableExchange({
      table: this.#table,
      streams: this.#streams,
      userState: new UserState(options, this.#log),
      accept: (states) => this.#merge(states),
    });
    this.#messenger = new Messenger({
      self: this.#self.name,
      table: this.#table,
      sender: this.#sender,
      streams: this.#streams,
      counts: this.#counts,
    });
    const wire = new PingWire(this.#self, this.#sender, this.#streams);
    this.#relays = new Relays(this.#clock, config.probeTimeout, wire);
    this.#reachChecks = new ReachChecks({
      self: this.#self.name,
      table: this.#table,
      helpers: config.indirectChecks,
      wire,
      clock: this.#clock,
      random,
    });
    this.#prober = new Prober({
      self: this.#self.name,
      table: this.#table,
      awareness: this.#awareness,
      settings: config,
      wire,
      clock: this.#clock,
      random,
      done: (target, result) => this.#probed(target, result),
    });
    this.#dispatch = new Dispatch({
      self: this.#self,
      framing,
      wire,
      prober: this.#prober,
      relays: this.#relays,
      reachChecks: this.#reachChecks,
      tables: this.#tables,
      counts: this.#counts,
      claimed: (claim) => this.#apply(this.#table.hear(claim, this.#clock.now())),
      accused: (from) => this.#object(from),
      told: (payload, from, over) => this.#told(payload, from, over),
    });
  }

  /** Starts listening, probing and gossiping. Rejects when the transport cannot listen. */
  async start(): Promise<void> {
    await this.#transport.listen({
      packet: (packet, from) => this.#dispatch.packet(packet, from),
      // Serving never rejects.
      stream: (stream, from) => void this.#streams.serve(stream, from),
    });
    if (this.#closing !== undefined) return;
    this.#sender.broadcast(this.#self.name, this.#table.ownAlive());
    this.#emit('join', this.#table.get(this.#self.name) as Entry);
    this.#every('gossip', this.#config.gossipInterval, () => this.#sender.gossip(this.#clock.now()));
    this.#every('probe', this.#config.probeInterval, () => {
      this.#confrontSuspects();
      this.#prober.tick();
    });
    this.#armPushPull(this.#random.float());
  }

  /**
   * Exchanges tables with each of these peers (`host:port`), a few at a time. One that works joins both rings into
   * one. Never rejects.
   */
  join(peers: readonly string[]): Promise<JoinResult> {
    return this.#tables.join(peers);
  }

  /** Who is in the ring, ourselves included: alive or merely suspected. This is what MetalLB counts. */
  members(): Member[] {
    return [...this.#table.entries()].filter(isMember);
  }

  /** Calls `listener` after every change of `members()`; returns the way to stop that. */
  onChange(listener: (event: MemberEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Tells a member something, at best: in one packet when it fits, otherwise over a stream. At most 1 MiB. A member
   * without a listener, such as MetalLB's speaker, ignores it. Tells why it cannot be tried.
   */
  send(name: string, payload: Uint8Array): SendFailure | undefined {
    return this.#messenger.send(name, payload);
  }

  /** The same to every member but ourselves, each directly. */
  sendToAll(payload: Uint8Array): SendFailure | undefined {
    return this.#messenger.sendToAll(payload);
  }

  /**
   * Calls `listener` with what other members send; returns the way to stop that. Messages may be lost, come twice and
   * overtake each other. What identifies the sender for sure has to be in the message.
   */
  onMessage(listener: MessageListener): () => void {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  /**
   * The verdict of another failure detector: tells all members directly, and the accused too, that this one is dead. It
   * may object, and is back at once. False, and nothing is told, when it is no member, is ourselves, or we leave.
   */
  declareDead(name: string): boolean {
    const accused = this.#table.get(name);
    const effects = this.#closing === undefined ? this.#table.declareDead(name, this.#clock.now()) : [];
    if (accused === undefined || effects.length === 0) return false;
    this.#apply(effects);
    this.#announce(effects);
    for (const effect of effects) if (effect.type === 'broadcast') this.#sender.sendAlone(accused, [effect.message]);
    return true;
  }

  /**
   * Whether anybody reaches this member within `timeout` milliseconds: we by a packet or a stream, or one of some other
   * members. False for who is no member. When we are held up or closed meanwhile, nothing was found out: true.
   */
  reach(name: string, timeout: number): Promise<boolean> {
    const target = this.#table.get(name);
    if (target === undefined || !isMember(target)) return Promise.resolve(false);
    if (name === this.#self.name) return Promise.resolve(true);
    return this.#reachChecks.start(target, timeout);
  }

  /** Tells all members that we go, twice, and stops accusing anyone. Idempotent; there is no way back. */
  leave(): Promise<void> {
    this.#leaving ??= this.#sayFarewell();
    return this.#leaving;
  }

  /** Stops at once, without a farewell: the others will find out. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #sayFarewell(): Promise<void> {
    this.#prober.stop();
    const alone = this.members().length <= 1;
    const effects = this.#table.leave(this.#clock.now());
    this.#apply(effects);
    this.#announce(effects);
    if (alone || this.#closing !== undefined) return;
    await sleep(this.#clock, farewellPause);
    if (this.#closing === undefined) this.#announce(effects);
  }

  #shutDown(): Promise<void> {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#prober.stop();
    this.#relays.stop();
    this.#reachChecks.stop();
    this.#messenger.stop();
    this.#listeners.clear();
    this.#messageListeners.clear();
    return this.#transport.close();
  }

  /**
   * Whoever passes on an accusation of us gets our objection directly too, even one made long ago: gossip may have
   * missed exactly the member that is waiting for it.
   */
  #object(from: Endpoint): void {
    if (!this.#table.leaving) this.#sender.sendAlone(from, [this.#table.ownAlive()]);
  }

  #told(payload: Uint8Array, at: Endpoint, over: 'packet' | 'stream'): void {
    this.#counts.messagesReceived++;
    if (this.#messageListeners.size === 0) return;
    const from = over === 'packet' ? senderOfPacket(this.#table, at) : senderOfStream(this.#table, at);
    for (const listener of this.#messageListeners) attempt(this.#log, 'onMessage', () => listener(payload, from));
  }

  #merge(states: readonly NodeState[]): void {
    if (this.#closing === undefined) this.#apply(this.#table.merge(states, this.#clock.now()));
  }

  /** Does what the table asks for, and wakes up in time for the next suspicion that runs out. */
  #apply(effects: readonly Effect[]): void {
    if (effects.length === 0) return;
    for (const effect of effects) {
      switch (effect.type) {
        case 'broadcast':
          this.#sender.broadcast(effect.about, effect.message);
          break;
        case 'added':
          this.#prober.add(effect.name);
          break;
        case 'changed':
          this.#emit(effect.change, effect.member);
          break;
        case 'refuted':
          this.#counts.refutations++;
          this.#awareness.change(1);
          break;
        case 'refused':
          this.#counts.dropped[effect.reason]++;
          this.#warnOnce('member refused', effect.name, effect.reason);
          break;
        default:
          effect satisfies never;
      }
    }
    this.#armSuspicion();
  }

  /** Sends the claims among these effects to everyone, at once. */
  #announce(effects: readonly Effect[]): void {
    for (const effect of effects) if (effect.type === 'broadcast') this.#sender.sendToAll(effect.message);
  }

  #armSuspicion(): void {
    this.#timers.get('suspicion')?.cancel();
    this.#timers.delete('suspicion');
    const deadline = this.#table.nextDeadline();
    if (deadline === undefined || this.#closing !== undefined) return;
    const expire = () => {
      const effects = this.#table.expire(this.#clock.now(), this.#vouches);
      this.#apply(effects);
      // A suspicion that was excused for a while ends later.
      if (effects.length === 0) this.#armSuspicion();
      if (this.#config.announceVerdicts) this.#announce(effects);
    };
    this.#timers.set('suspicion', this.#clock.after(Math.max(0, deadline - this.#clock.now()), expire));
  }

  /** `phase` spreads the members of a ring that started together: the first wait is this share of the interval. */
  #armPushPull(phase: number): void {
    const interval = this.#config.pushPullInterval * pushPullScale(this.#table.size);
    const exchange = async () => {
      this.#warned.clear();
      const alive = this.members().filter(({ name, state }) => name !== this.#self.name && state === 'alive');
      const [peer] = shuffled(alive, this.#random);
      const failure = peer && !this.#table.leaving ? await this.#tables.begin(peer, false) : undefined;
      if (failure !== undefined) this.#log.debug('push/pull failed', { peer: peer?.name, ...failure });
    };
    const tick = () => {
      this.#armPushPull(1);
      void exchange(); // Never rejects.
    };
    if (this.#closing === undefined) this.#timers.set('push-pull', this.#clock.after(interval * phase, tick));
  }

  /** Repeats `run`, first after a random part of the period, so that members do not beat in step. */
  #every(name: 'gossip' | 'probe', period: number, run: () => void): void {
    const begin = () => this.#timers.set(name, this.#clock.every(period, run));
    this.#timers.set(name, this.#clock.after(this.#random.float() * period, begin));
  }

  /**
   * Tells suspects to their face, so that those who are back can object. Upstream leaves it to gossip, which may have
   * ended by then, and to the next probe, which may come too late: it loses members over a flapping link.
   */
  #confrontSuspects(): void {
    for (const { name: node, incarnation, state, ...suspect } of this.#table.entries()) {
      if (state !== 'suspect') continue;
      this.#sender.sendAlone(suspect, [{ type: 'suspect', node, incarnation, from: this.#self.name }]);
    }
  }

  #stalled(duration: number): void {
    this.#counts.stalls++;
    this.#prober.void();
    this.#reachChecks.void();
    this.#table.excuse(duration);
    this.#log.warn('timers were late, running probes are void', { milliseconds: Math.round(duration) });
  }

  #probed(target: Entry, result: ProbeResult): void {
    this.#counts.probes++;
    if (result === 'stream-only') this.#warnOnce('packets get lost', target.name, 'streams get through');
    if (result !== 'missed') return;
    this.#counts.probesMissed++;
    if (this.#vouches(target.name)) return;
    this.#apply(this.#table.accuse(target, this.#clock.now()));
  }

  /** Once per push/pull interval: peers repeat what they say many times. */
  #warnOnce(event: string, member: string, reason: string): void {
    const warning = `${event} ${reason} ${member}`;
    if (this.#warned.has(warning) || this.#warned.size >= maxWarned) return;
    this.#warned.add(warning);
    this.#log.warn(event, { member, reason });
  }

  #emit(type: Change, member: Entry): void {
    this.#log.info('member changed', {
      change: type,
      member: member.name,
      address: member.address,
      state: member.state,
    });
    for (const listener of this.#listeners) listener({ type, member });
  }
}
