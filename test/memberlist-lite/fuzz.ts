/**
 * Throws mutated captures and made-up messages at members, over packets and streams, and holds what comes of it against
 * what a member promises: nothing throws, nothing takes long, nothing grows beyond its limit.
 *
 *   node test/memberlist-lite/fuzz.ts seconds=600 [seed=1]
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { type Config, lan } from '../../src/memberlist-lite/config.ts';
import { maxMembers } from '../../src/memberlist-lite/limits.ts';
import type { DropReason } from '../../src/memberlist-lite/malformed.ts';
import { Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import type {
  Endpoint,
  Stream,
  StreamHandlers,
  Transport,
  TransportHandlers,
} from '../../src/memberlist-lite/transport.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Random, seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { randomInput } from './fuzz-inputs.ts';
import { type FramingOptions, framing, hexOf, sampleKey } from './vectors.ts';

export type FuzzReport = {
  readonly seed: number;
  readonly inputs: { readonly packets: number; readonly streams: number };
  /** What the members took for a message of an application, and for a change of the ring. */
  readonly messages: number;
  readonly changes: number;
  readonly replies: number;
  readonly slowest: { readonly milliseconds: number; readonly input: string };
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
};

/** Longer than any input may keep a member busy, on a machine that does other things too. */
const slowestAllowed = 5000;
/** Between two looks at whether the limits hold, and between two steps of time. */
const checkEvery = 4000;

const targets: readonly (FramingOptions & { readonly config: Partial<Config> })[] = [
  { config: {} },
  { compression: true, config: { compression: true } },
  { key: sampleKey, config: {} },
  { key: sampleKey, label: 'lab1', config: { label: 'lab1' } },
  { key: sampleKey, protocolVersion: 1, config: { protocolVersion: 1 } },
  { key: sampleKey, verifyIncoming: false, config: { verifyIncoming: false } },
  { label: 'lab1', config: { label: 'lab1' } },
];

/** Runs for `seconds` of real time. Rejects with the seed and the input when a promise is broken. */
export async function fuzz({ seconds, seed }: { seconds: number; seed: number }): Promise<FuzzReport> {
  const random = seededRandom(seed);
  const members = await Promise.all(targets.map((options) => Target.start(options, random)));
  const inputs = { packets: 0, streams: 0 };
  let slowest = { milliseconds: 0, input: '' };
  const end = performance.now() + seconds * 1000;
  for (let count = 1; performance.now() < end; count++) {
    const target = members[random.integer(members.length)] as Target;
    const over = random.integer(3) === 0 ? 'streams' : 'packets';
    const bytes = randomInput(random, over, target.framing);
    inputs[over]++;
    const started = performance.now();
    try {
      if (over === 'packets') target.packet(bytes);
      else target.stream(bytes);
      // The reply to a stream comes after a turn.
      if (over === 'streams') await Promise.resolve();
    } catch (cause) {
      throw new Error(`seed=${seed}, input ${count}, over ${over}: ${hexOf(bytes)}`, { cause });
    }
    const milliseconds = performance.now() - started;
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, input: summary(over, bytes) };
    assert.ok(milliseconds < slowestAllowed, `seed=${seed}: ${milliseconds} ms for ${over} ${hexOf(bytes)}`);
    if (count % checkEvery === 0) for (const each of members) await each.check(random.integer(3000));
  }
  for (const each of members) await each.finish();
  return { seed, inputs, slowest, ...totals(members) };
}

/** One member on a transport that goes nowhere. */
class Target {
  readonly framing;
  readonly #member: Memberlist;
  readonly #clock = new FakeClock();
  readonly #transport = new NullTransport();
  readonly #random: Random;
  messages = 0;
  changes = 0;

  static async start(options: (typeof targets)[number], random: Random): Promise<Target> {
    const target = new Target(options, random);
    await target.#member.start();
    return target;
  }

  constructor({ config, ...options }: (typeof targets)[number], random: Random) {
    this.#random = random;
    this.framing = framing({ ...options, random });
    this.#member = new Memberlist({
      name: 'c',
      advertise: { address: '127.0.0.3', port: 17952 },
      transport: this.#transport,
      clock: this.#clock,
      random,
      log: silentLogger,
      config: { ...lan, compression: false, ...config },
      ...(options.key && { keys: [options.key, new Uint8Array(16).fill(7)] }),
      localState: () => new Uint8Array(100),
      mergeState: () => this.messages++,
    });
    this.#member.onMessage(() => this.messages++);
    this.#member.onChange(() => this.changes++);
  }

  get counters() {
    return this.#member.counters;
  }

  get replies(): number {
    return this.#transport.replies;
  }

  packet(bytes: Uint8Array): void {
    this.#transport.handlers?.packet(bytes, this.#peer());
  }

  /** In one piece, or in pieces as a network may cut it. Mostly the peer closes afterwards; some just stop talking. */
  stream(bytes: Uint8Array): void {
    const stream = new NullStream(this.#transport);
    this.#transport.handlers?.stream(stream, this.#peer());
    const piece = this.#random.integer(2) === 0 ? bytes.length : 1 + this.#random.integer(64);
    for (let at = 0; at < bytes.length; at += Math.max(1, piece)) stream.handlers?.data(bytes.subarray(at, at + piece));
    if (this.#random.integer(10) === 0) return;
    stream.handlers?.end();
    stream.destroy();
  }

  /** Lets time pass and looks at the limits. */
  async check(milliseconds: number): Promise<void> {
    await this.#clock.advance(milliseconds);
    assert.ok(this.#member.members().length <= maxMembers);
    assert.ok(
      this.#member.members().some(({ name }) => name === 'c'),
      'knows itself',
    );
    assert.ok(this.#transport.open <= 256, `${this.#transport.open} streams are open`);
    // Timers of relays, streams and probes; nothing else may arm any.
    assert.ok(this.#clock.pending() < 3000, `${this.#clock.pending()} timers are armed`);
  }

  async finish(): Promise<void> {
    await this.#member.close();
    await this.#clock.advance(60_000);
    assert.equal(this.#clock.pending(), 0, 'no timer is left');
  }

  #peer(): Endpoint {
    return { address: `127.0.0.${1 + this.#random.integer(4)}`, port: 17952 };
  }
}

class NullTransport implements Transport {
  handlers: TransportHandlers | undefined;
  open = 0;
  replies = 0;

  async listen(handlers: TransportHandlers): Promise<void> {
    this.handlers = handlers;
  }

  send(): void {
    this.replies++;
  }

  connect(): Stream {
    return new NullStream(this);
  }

  async close(): Promise<void> {
    this.handlers = undefined;
  }
}

class NullStream implements Stream {
  readonly #transport: NullTransport;
  #closed = false;
  handlers: StreamHandlers | undefined;

  constructor(transport: NullTransport) {
    this.#transport = transport;
    transport.open++;
  }

  receive(handlers: StreamHandlers): void {
    this.handlers = handlers;
  }

  write(): void {}

  end(): void {
    this.#transport.replies++;
    this.destroy();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.open--;
    // As sockets do it: not within the call.
    queueMicrotask(() => this.handlers?.closed());
  }
}

function totals(members: readonly Target[]) {
  const sum = (of: (target: Target) => number) => members.reduce((total, target) => total + of(target), 0);
  const reasons = Object.keys(members[0]?.counters.dropped ?? {}) as DropReason[];
  return {
    messages: sum((target) => target.messages),
    changes: sum((target) => target.changes),
    replies: sum((target) => target.replies),
    dropped: Object.fromEntries(reasons.map((reason) => [reason, sum(({ counters }) => counters.dropped[reason])])),
  };
}

function summary(over: string, bytes: Uint8Array): string {
  return `${over} ${bytes.length} bytes ${hexOf(bytes.subarray(0, 40))}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = Object.fromEntries(process.argv.slice(2).map((arg) => arg.split('=') as [string, string]));
  const { seconds = 60, seed = Date.now() % 1_000_000 } = options as { seconds?: string; seed?: string };
  console.log(`seed=${seed}`);
  const report = await fuzz({ seconds: Number(seconds), seed: Number(seed) });
  const memory = `${Math.round(process.memoryUsage().heapUsed / 1024 / 1024)} MiB of heap in use`;
  console.log(JSON.stringify(report, null, 2), memory);
}
