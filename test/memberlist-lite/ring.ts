import { type Config, lan } from '../../src/memberlist-lite/config.ts';
import { type MemberEvent, Memberlist, type MemberlistOptions } from '../../src/memberlist-lite/memberlist.ts';
import type { Transport } from '../../src/memberlist-lite/transport.ts';
import type { Clock, Timer } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type SimConditions, SimNetwork } from '../support/sim-network.ts';

const port = 7946;

export type NodeOptions = { readonly address?: string; readonly clock?: Clock } & Pick<
  MemberlistOptions,
  'keys' | 'meta' | 'localState' | 'mergeState' | 'vouches'
>;

/** One simulated member and what it has said so far. */
export type Node = {
  readonly name: string;
  readonly address: string;
  readonly member: Memberlist;
  readonly events: MemberEvent[];
  /** The names that it counts in, itself included: kept from its events, where asking would be slow. */
  readonly sees: Set<string>;
  readonly process: Process;
};

/** A ring of simulated members in virtual time. Everything follows from the seed. */
export class Ring {
  readonly clock = new FakeClock();
  readonly network: SimNetwork;
  readonly nodes: Node[] = [];
  readonly #seed: number;
  /** Events of all members so far. */
  #events = 0;

  constructor(seed: number, conditions?: SimConditions) {
    this.#seed = seed;
    this.network = new SimNetwork(this.clock, seededRandom(seed), conditions);
  }

  /** Starts a member; the first one of a name gets an address of its own, unless one is given. */
  async add(name: string, config: Config = lan, options: NodeOptions = {}): Promise<Node> {
    const { address = addressOf(this.nodes.length), clock = this.clock, ...rest } = options;
    const process = new Process(clock);
    const member = new Memberlist({
      name,
      advertise: { address, port },
      transport: process.transport(this.network.transport({ address, port })),
      clock: process.clock,
      random: seededRandom(this.#seed * 1000 + this.nodes.length),
      log: silentLogger,
      config,
      ...rest,
    });
    const node: Node = { name, address, member, events: [], sees: new Set(), process };
    member.onChange((event) => {
      this.#events++;
      node.events.push(event);
      if (event.type === 'leave') node.sees.delete(event.member.name);
      else node.sees.add(event.member.name);
    });
    await member.start();
    this.nodes.push(node);
    return node;
  }

  /** `count` members that have joined the first one and know each other. */
  async grow(count: number, config: Config = lan): Promise<readonly Node[]> {
    for (let i = 0; i < count; i++) await this.add(`node-${i + 1}`, config);
    for (const node of this.nodes) void node.member.join([this.endpoint(0)]);
    await this.converge(this.nodes.map((node) => node.name));
    return this.nodes;
  }

  endpoint(index: number): string {
    return `${this.nodes[index]?.address}:${port}`;
  }

  /** Time until each of `among` sees exactly `names`. */
  converge(names: readonly string[], among: readonly Node[] = this.nodes, limit = 60_000): Promise<number> {
    const what = `${among.map((node) => node.name).join(' ')} see ${names.join(' ')}`;
    const want = new Set(names);
    const content = ({ sees }: Node) => sees.size === want.size && [...sees].every((name) => want.has(name));
    return this.#until(what, () => among.every(content), limit);
  }

  /** Pulls the cable of a member and returns how long the first and the last of the others take to notice. */
  async crash(victim: Node, limit = 60_000): Promise<{ first: number; all: number }> {
    const others = this.nodes.filter((node) => node !== victim);
    const noticed = (node: Node) => !node.sees.has(victim.name);
    this.network.cut(victim.address);
    const first = await this.#until(`anyone misses ${victim.name}`, () => others.some(noticed), limit);
    const rest = await this.#until(`all miss ${victim.name}`, () => others.every(noticed), limit);
    return { first, all: first + rest };
  }

  /** Of what members see, and so looked at only after an event. */
  #until(what: string, condition: () => boolean, limit: number): Promise<number> {
    let looked = -1;
    const changed = () => {
      if (looked === this.#events) return false;
      looked = this.#events;
      return condition();
    };
    return this.clock.until(what, changed, limit);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.member.close();
  }
}

/** Runs `body` with a new ring for each seed; a failure names the seed, which reproduces it. */
export async function withRings(
  seeds: number,
  body: (ring: Ring, seed: number) => Promise<void>,
  conditions?: SimConditions,
): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const ring = new Ring(seed, conditions);
    try {
      await body(ring, seed);
    } catch (cause) {
      throw new Error(`with seed ${seed}: ${(cause as Error).message}`, { cause });
    } finally {
      await ring.close();
    }
  }
}

/** 192.0.2.0/24, and where that ends 198.18.0.0/15: both are for documentation and tests. */
function addressOf(index: number): string {
  if (index < 254) return `192.0.2.${index + 1}`;
  return `198.${18 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}

/** The names that a member counts in, sorted. */
export function seenBy(node: Node): readonly string[] {
  return node.member
    .members()
    .map((member) => member.name)
    .sort();
}

/**
 * A process that can be held up: while it is, no timer runs and no packet is read. Afterwards what was due runs at
 * once, timers first, as an event loop does it.
 */
export class Process {
  readonly clock: Clock;
  #held: { readonly timers: (() => void)[]; readonly packets: (() => void)[] } | undefined;

  constructor(clock: Clock) {
    const after = (delay: number, run: () => void): Timer => {
      let cancelled = false;
      const timer = clock.after(delay, () =>
        this.#run('timers', () => {
          if (!cancelled) run();
        }),
      );
      const cancel = () => {
        cancelled = true;
        timer.cancel();
      };
      return { cancel };
    };
    const every = (period: number, run: () => void): Timer => {
      const tick = () => {
        current = after(period, tick);
        run();
      };
      let current = after(period, tick);
      return { cancel: () => current.cancel() };
    };
    this.clock = { now: () => clock.now(), wallTime: () => clock.wallTime(), after, every };
  }

  /** The transport as this process sees it. */
  transport(inner: Transport): Transport {
    return {
      listen: (handlers) =>
        inner.listen({
          packet: (packet, from) => this.#run('packets', () => handlers.packet(packet, from)),
          stream: (stream, from) => this.#run('packets', () => handlers.stream(stream, from)),
        }),
      send: (to, packet, failed) => inner.send(to, packet, failed),
      connect: (to) => inner.connect(to),
      close: () => inner.close(),
    };
  }

  hold(): void {
    this.#held ??= { timers: [], packets: [] };
  }

  resume(): void {
    const { timers, packets } = this.#held ?? { timers: [], packets: [] };
    this.#held = undefined;
    for (const run of [...timers, ...packets]) run();
  }

  #run(kind: 'timers' | 'packets', run: () => void): void {
    if (this.#held === undefined) run();
    else this.#held[kind].push(run);
  }
}
