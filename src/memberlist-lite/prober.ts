import type { Clock, Timer } from '../runtime/clock.ts';
import { type Random, shuffled } from '../runtime/random.ts';
import type { Awareness } from './awareness.ts';
import { maxMembers } from './limits.ts';
import { type Entry, isMember, type MemberTable } from './member-table.ts';
import { ProbeRotation } from './probe-rotation.ts';

/** What a probe sends. All of it may get lost. */
export type ProbeWire = {
  readonly nextSeqNo: () => number;
  /** Sends a ping; `failed` when it did not even leave. */
  readonly probe: (target: Entry, seqNo: number, failed: () => void) => void;
  /** Asks another member to ping the target under the same number. */
  readonly askHelper: (helper: Entry, target: Entry, seqNo: number) => void;
  /** Pings over a stream; resolves to whether it was acked within `timeout` milliseconds, and never rejects. */
  readonly probeOverStream: (target: Entry, seqNo: number, timeout: number) => Promise<boolean>;
};

export type ProbeSettings = {
  readonly probeInterval: number;
  readonly probeTimeout: number;
  readonly indirectChecks: number;
  readonly tcpPings: boolean;
};

/** `stream-only`: packets get lost where a stream gets through, which is a fault of the network. */
export type ProbeResult = 'acked' | 'stream-only' | 'missed';

/** Protocol versions from which on a member answers in these ways. */
const streamPingVersion = 3;
const nackVersion = 4;

type Probe = {
  readonly target: Entry;
  readonly seqNo: number;
  readonly timers: Timer[];
  indirect: boolean;
  nacksExpected: number;
  nacks: number;
  streamAcked: boolean;
};

/**
 * Probes one member after another:
 *
 *   0              ping
 *   probeTimeout   no ack: ask others to ping, and try a stream
 *   deadline       still no ack: missed
 *
 * The deadline is one interval after the ping, more when we seem unwell. One probe runs at a time; the tick that it
 * keeps from starting follows right after it.
 */
export class Prober {
  readonly #self: string;
  readonly #table: MemberTable;
  readonly #awareness: Awareness;
  readonly #settings: ProbeSettings;
  readonly #wire: ProbeWire;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #done: (target: Entry, result: ProbeResult) => void;
  readonly #rotation: ProbeRotation;
  #running: Probe | undefined;
  #tickPending = false;
  #stopped = false;

  constructor(options: {
    readonly self: string;
    readonly table: MemberTable;
    readonly awareness: Awareness;
    readonly settings: ProbeSettings;
    readonly wire: ProbeWire;
    readonly clock: Clock;
    readonly random: Random;
    readonly done: (target: Entry, result: ProbeResult) => void;
  }) {
    this.#self = options.self;
    this.#table = options.table;
    this.#awareness = options.awareness;
    this.#settings = options.settings;
    this.#wire = options.wire;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#done = options.done;
    this.#rotation = new ProbeRotation(options.random);
  }

  /** A member that joins gets its turn in the round that runs. */
  add(name: string): void {
    // Names that were forgotten stay in the round: when many come and go, it starts anew.
    if (this.#rotation.size >= 2 * maxMembers) this.#restart();
    else this.#rotation.add(name);
  }

  /** To be called every `probeInterval`. */
  tick(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) {
      this.#tickPending = true;
      return;
    }
    const target = this.#nextTarget();
    if (target !== undefined) this.#start(target);
  }

  ack(seqNo: number): void {
    if (this.#running?.seqNo === seqNo) this.#finish(this.#running, 'acked');
  }

  nack(seqNo: number): void {
    if (this.#running?.seqNo === seqNo) this.#running.nacks++;
  }

  /** Breaks off the running probe without a result; its target is probed again at the next tick. */
  void(): void {
    if (this.#running === undefined) return;
    this.#end(this.#running);
    this.#tickPending = false;
    this.#rotation.back();
  }

  /** No probe runs or starts afterwards. */
  stop(): void {
    this.#stopped = true;
    if (this.#running !== undefined) this.#end(this.#running);
  }

  /** Passes over ourselves and the dead. At the end of a round, forgets members and starts another, once. */
  #nextTarget(): Entry | undefined {
    for (let round = 0; round < 2; round++) {
      for (let name = this.#rotation.next(); name !== undefined; name = this.#rotation.next()) {
        const entry = this.#table.get(name);
        if (entry !== undefined && isMember(entry) && name !== this.#self) return entry;
      }
      this.#table.forget(this.#clock.now());
      this.#restart();
    }
    return undefined;
  }

  #restart(): void {
    this.#rotation.restart(Array.from(this.#table.entries(), (entry) => entry.name));
  }

  #start(target: Entry): void {
    const duration = this.#awareness.scale(this.#settings.probeInterval);
    const deadline = this.#clock.now() + duration;
    const probe: Probe = {
      target,
      seqNo: this.#wire.nextSeqNo(),
      timers: [],
      indirect: false,
      nacksExpected: 0,
      nacks: 0,
      streamAcked: false,
    };
    this.#running = probe;
    const tryOtherWays = () => this.#goIndirect(probe, deadline - this.#clock.now());
    probe.timers.push(
      this.#clock.after(this.#settings.probeTimeout, tryOtherWays),
      this.#clock.after(duration, () => this.#expire(probe)),
    );
    this.#wire.probe(target, probe.seqNo, tryOtherWays);
  }

  #goIndirect(probe: Probe, timeout: number): void {
    if (this.#running !== probe || probe.indirect) return;
    probe.indirect = true;
    const others = [...this.#table.entries()].filter(
      ({ name, state }) => state === 'alive' && name !== this.#self && name !== probe.target.name,
    );
    for (const helper of shuffled(others, this.#random).slice(0, this.#settings.indirectChecks)) {
      if (asksForNack(helper)) probe.nacksExpected++;
      this.#wire.askHelper(helper, probe.target, probe.seqNo);
    }
    if (!this.#settings.tcpPings || protocolMax(probe.target) < streamPingVersion) return;
    // Cannot reject, and a probe that is over does not look at the outcome.
    void this.#wire.probeOverStream(probe.target, probe.seqNo, timeout).then((acked) => {
      probe.streamAcked = acked;
    });
  }

  #expire(probe: Probe): void {
    this.#finish(probe, probe.streamAcked ? 'stream-only' : 'missed');
  }

  #finish(probe: Probe, result: ProbeResult): void {
    this.#end(probe);
    this.#awareness.change(result === 'missed' ? blame(probe) : -1);
    this.#done(probe.target, result);
    if (!this.#tickPending) return;
    this.#tickPending = false;
    this.tick();
  }

  #end(probe: Probe): void {
    for (const timer of probe.timers) timer.cancel();
    this.#running = undefined;
  }
}

/** How far a missed probe speaks against ourselves: by the helpers that we could not hear either. */
function blame(probe: Probe): number {
  return probe.nacksExpected > 0 ? Math.max(0, probe.nacksExpected - probe.nacks) : 1;
}

/** Whether an indirect ping to this helper asks for, and may expect, a nack. */
export function asksForNack(helper: Entry): boolean {
  return protocolMax(helper) >= nackVersion;
}

/** The highest protocol version that a member understands. */
export function protocolMax(entry: Entry): number {
  return entry.vsn[1] ?? 0;
}
