import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { formatAddress, parseAddress } from '../src/ip/address.ts';
import { eventually } from '../test/support/eventually.ts';
import { latency, type Targets } from '../test/support/generator.ts';
import { connect, Netns } from '../test/support/netns.ts';
import { OneByOne } from '../test/support/one-by-one.ts';
import { ResponderProcess, type ResponderProcessOptions } from '../test/support/responder-process.ts';
import type { AddressRange } from '../test/support/responder-program.ts';
import { cpuTime } from './bench.ts';

/**
 * Whoever can answer for addresses. The processor time of `processes` and of the interface's receiving is all that
 * answering takes.
 */
export type Answerer = {
  readonly processes: readonly number[];
  start(range: AddressRange): Promise<void>;
  /** Answers for nothing any more, and costs nothing. */
  stop(): Promise<void>;
};

/** IPv4 addresses to serve are from here on. What is below belongs to hosts, who must not be taken for our own. */
const served = ['198.18.64.0/18', '198.18.128.0/17', '198.19.0.0/16'];

/**
 * What the benches of the packet path run in: two namespaces, a cable, and a core for everything that answering takes.
 *
 *   generator  c0 ────────── n0  the kernel, the responder, or the one-by-one loop
 *   processor 0                  processor 1: receiving (the interface's NAPI thread) and answering
 *
 * Receiving goes first, as in a soft interrupt. On a veth pair the sender pays for part of the peer's receiving; all
 * competitors pay that alike.
 */
export class PacketLab {
  /** With `softirq`, receiving is a soft interrupt, which cannot be told to go first or to tell its processor time. */
  static build(receiving: 'thread' | 'softirq' = 'thread'): PacketLab {
    const lab = new PacketLab();
    try {
      lab.#build(receiving);
    } catch (thrown) {
      lab.#destroy();
      throw thrown;
    }
    return lab;
  }

  readonly client = Netns.create('bench-client');
  readonly node = Netns.create('bench-node');
  /** Where the generator runs. */
  readonly place = { netns: this.client, interfaceName: 'c0', ...(pinned ? { cpu: 0 } : {}) };
  readonly nobody: Answerer = { processes: [], start: async () => {}, stop: async () => {} };
  readonly #responders: ResponderProcess[] = [];

  private constructor() {}

  /** The kernel: for any IPv4 address that is served, as for its own; for IPv6, having the addresses. */
  kernel(): Answerer {
    let undo = () => {};
    return {
      processes: [],
      start: async (range) => {
        const [change, lines] = range.first.includes(':')
          ? ['addr', addressesOf(range).map((address) => `${address}/128 dev n0`)]
          : ['route', served.map((prefix) => `local ${prefix} dev lo`)];
        this.#ipBatch(lines.map((line) => `${change} add ${line}${change === 'addr' ? ' nodad' : ''}`));
        undo = () => this.#ipBatch(lines.map((line) => `${change} delete ${line}`));
      },
      stop: async () => undo(),
    };
  }

  /** native/bench/one_by_one.cc, a new process each time. */
  oneByOne({ under = [] }: Pick<ResponderProcessOptions, 'under'> = {}): Answerer {
    let loop: OneByOne | undefined;
    return {
      get processes() {
        return loop === undefined ? [] : [loop.pid];
      },
      start: async ({ step = 1, ...range }) => {
        const ranges = step === 1 ? [range] : addressesOf({ ...range, step }).map((first) => ({ first, count: 1 }));
        loop = await OneByOne.start(this.node, 'n0', ranges, [...nodeProcessor, ...under]);
      },
      stop: async () => {
        await loop?.stop();
        loop = undefined;
      },
    };
  }

  /** A process that lives as long as the lab. */
  async responder(options: ResponderProcessOptions = {}): Promise<Answerer & { readonly process: ResponderProcess }> {
    const under = [...nodeProcessor, ...(options.under ?? [])];
    const process = await ResponderProcess.start(this.node, { ...options, under });
    this.#responders.push(process);
    return {
      process,
      processes: [process.pid],
      start: (range) => process.serveRange(range),
      stop: () => process.serve(),
    };
  }

  /** Has `range` answered for while `run` runs; it begins when the last address is answered for. */
  async while<T>(answerer: Answerer, range: AddressRange, run: () => Promise<T>): Promise<T> {
    try {
      await answerer.start(range);
      if (answerer !== this.nobody) {
        const last = { first: addressAt(range, range.count - 1), count: 1 };
        await eventually(`${last.first} is answered for`, async () => {
          const { lost } = await latency(this.place, { ...asking(last), probes: 1, gap: 1 });
          return lost === 0;
        });
      }
      return await run();
    } finally {
      await answerer.stop();
    }
  }

  /** Nanoseconds of processor time that receiving and answering have used so far. */
  cpuTime({ processes }: Answerer): number {
    return [napiThread('n0'), ...processes].reduce((sum, pid) => sum + cpuTime(pid), 0);
  }

  /** Before the answerer, which runs in real time if it may; or after it, as an ordinary thread. */
  letReceivingGoFirst(on: boolean): void {
    const thread = String(napiThread('n0'));
    this.node.run('chrt', on ? '--fifo' : '--other', '--pid', on ? '50' : '0', thread);
  }

  /**
   * Has a core of its own receive on c0, and the client's kernel take no interest in ARP, so that it keeps up. Otherwise
   * whoever sends from n0 pays for that, and with short frames it is half of all he pays.
   */
  letClientReceiveByItself(): void {
    this.client.ip('link', 'set', 'c0', 'arp', 'off');
    this.client.run('sh', '-c', 'echo 1 > /sys/class/net/c0/threaded');
    const thread = String(napiThread('c0'));
    this.client.run('chrt', '--fifo', '--pid', '50', thread);
    if (pinned) this.client.run('taskset', '--cpu-list', '--pid', '0', thread);
  }

  async close(): Promise<void> {
    for (const responder of this.#responders) await responder.stop();
    this.#destroy();
  }

  #build(receiving: 'thread' | 'softirq'): void {
    const { client, node } = this;
    connect({ netns: client, name: 'c0' }, { netns: node, name: 'n0', mac: '02:00:00:00:00:0f' });
    client.ip('addr', 'add', '198.18.0.1/15', 'dev', 'c0');
    node.ip('addr', 'add', '198.18.0.2/15', 'dev', 'n0');
    node.ip('addr', 'add', '2001:db8::f/64', 'dev', 'n0', 'nodad');
    for (const [netns, name] of [
      [client, 'c0'],
      [node, 'n0'],
    ] as const) {
      // GRO makes a veth receive by NAPI; without TSO off, frames from a packet socket would go past it.
      netns.run('ethtool', '-K', name, 'gro', 'on', 'tso', 'off', 'gso', 'off');
    }
    if (receiving === 'softirq') {
      if (pinned) node.run('sh', '-c', 'echo 2 > /sys/class/net/n0/queues/rx-0/rps_cpus'); // a mask: processor 1
      return;
    }
    node.run('sh', '-c', 'echo 1 > /sys/class/net/n0/threaded');
    const thread = String(napiThread('n0'));
    this.letReceivingGoFirst(true);
    node.run('renice', '--priority', '-20', '--pid', thread); // for when it does not go first
    if (pinned) node.run('taskset', '--cpu-list', '--pid', '1', thread);
  }

  #destroy(): void {
    for (const netns of [this.client, this.node]) netns.destroy();
  }

  #ipBatch(lines: readonly string[]): void {
    execFileSync('ip', ['-n', this.node.name, '-batch', '-'], { input: lines.join('\n') });
  }
}

/** Receives what the interface is sent, on its own, so that its processor time can be read. */
function napiThread(name: string): number {
  const threads = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && nameOf(pid).startsWith(`napi/${name}-`));
  if (threads.length !== 1) {
    throw new Error(
      `${threads.length} NAPI threads of ${name}: run as root, on Linux 5.12 or later, one bench at a time`,
    );
  }
  return Number(threads[0]);
}

/** The same station asks in every bench; one that asks beside it needs another MAC address and address. */
export function asking(range: AddressRange): Targets {
  return { ...range, address: range.first.includes(':') ? '2001:db8::fffe' : '198.18.0.3' };
}

export function besides(range: AddressRange): Targets {
  return { ...range, mac: '02:00:00:00:00:bb', address: range.first.includes(':') ? '2001:db8::fffd' : '198.18.0.4' };
}

/** The responder's packet thread, by the name that it has given itself. */
export function packetThread(pid: number): string {
  const found = readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`);
  const thread = found.find((each) => nameOf(each) === 'l2-responder');
  if (thread === undefined) throw new Error(`process ${pid} has no packet thread`);
  return thread;
}

/** Whether the packet thread runs before ordinary ones: SCHED_FIFO is 1 in field 41 of proc_pid_stat(5). */
export function isRealtime(pid: number): boolean {
  const afterName = readFileSync(`/proc/${packetThread(pid)}/stat`, 'utf8').split(') ')[1]!;
  return afterName.split(' ')[41 - 3] === '1';
}

const pinned = availableParallelism() > 1;
/** What runs a program on the core that answers. */
export const nodeProcessor = pinned ? ['taskset', '--cpu-list', '1'] : [];

function nameOf(process: string): string {
  try {
    return readFileSync(`/proc/${process}/comm`, 'utf8').trim();
  } catch {
    return ''; // It has ended since.
  }
}

function addressesOf(range: AddressRange): string[] {
  return Array.from({ length: range.count }, (_, i) => addressAt(range, i));
}

function addressAt({ first, step = 1 }: AddressRange, index: number): string {
  const address = parseAddress(first);
  if (address === undefined) throw new Error(`not an address: ${first}`);
  return formatAddress({ ...address, value: address.value + BigInt(index * step) });
}
