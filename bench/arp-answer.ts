import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { eventually } from '../test/support/eventually.ts';
import { flood, latency } from '../test/support/generator.ts';
import { connect, Netns } from '../test/support/netns.ts';
import { ResponderProcess } from '../test/support/responder-process.ts';
import { cpuTime, interleaved, long, progress, type Quantities, reporter } from './bench.ts';

/**
 * What answering costs, beside the kernel answering for the same addresses:
 *
 *   generator  c0 ────────── n0  the kernel, or the responder
 *   processor 0                  processor 1: receiving (the interface's NAPI thread) and answering
 *
 * So "a core" is all that answering takes, not the responder's thread alone. Receiving goes first, as in a soft
 * interrupt, but for the saturated case. On a veth pair the sender pays for part of the peer's receiving; both
 * competitors pay that alike.
 */
const report = reporter('arp-answer');
const seconds = long ? 2 : 0.2;
const rounds = long ? 9 : 3;
const pinned = availableParallelism() > 1;
const moderateRate = 50_000;

const space = { client: Netns.create('bench-client'), node: Netns.create('bench-node') };
const place = { netns: space.client, interfaceName: 'c0', ...(pinned ? { cpu: 0 } : {}) };

const quantities = {
  'highest-rate': { unit: 'replies/s', better: 'higher' },
  'replies-saturated': { unit: 'replies/s', better: 'higher' },
  'cpu-per-reply': { unit: 'ns', better: 'lower' },
  'latency-p50': { unit: 'us', better: 'lower' },
  'latency-p99': { unit: 'us', better: 'lower' },
} as const;

/** What is asked for. */
type Subject = {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Whether the search for its highest rate is worth the time. */
  readonly searched: boolean;
  /** Makes the kernel hold the addresses, and returns what undoes that. */
  letKernelAnswer(): () => void;
};
let stopKernel = () => {};

const responder = await build();
try {
  for (const subject of [arp(1), arp(1_000), ndp()]) await measure(subject);
  await measureStorm(arp(1_000));
} finally {
  await responder.stop();
  for (const netns of Object.values(space)) netns.destroy();
}

async function build(): Promise<ResponderProcess> {
  connect({ netns: space.client, name: 'c0' }, { netns: space.node, name: 'n0', mac: '02:00:00:00:00:0f' });
  space.client.ip('addr', 'add', '198.18.0.1/15', 'dev', 'c0');
  space.node.ip('addr', 'add', '198.18.0.2/15', 'dev', 'n0');
  for (const [netns, name] of [
    [space.client, 'c0'],
    [space.node, 'n0'],
  ] as const) {
    // GRO makes a veth receive by NAPI; without TSO off, frames from a packet socket would go past it.
    netns.run('ethtool', '-K', name, 'gro', 'on', 'tso', 'off', 'gso', 'off');
  }
  space.node.run('sh', '-c', 'echo 1 > /sys/class/net/n0/threaded');
  letReceivingGoFirst(true);
  space.node.run('renice', '--priority', '-20', '--pid', String(napiThread())); // when it does not go first
  if (pinned) space.node.run('taskset', '--cpu-list', '--pid', '1', String(napiThread()));
  return ResponderProcess.start(space.node, { under: pinned ? ['taskset', '--cpu-list', '1'] : [] });
}

/** Before the responder, which runs in real time if it may; or after it, as an ordinary thread. */
function letReceivingGoFirst(on: boolean): void {
  space.node.run('chrt', on ? '--fifo' : '--other', '--pid', on ? '50' : '0', String(napiThread()));
}

/** Receives what n0 is sent, on its own, so that its processor time can be read. */
function napiThread(): number {
  const threads = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('napi/n0-');
    } catch {
      return false; // It has ended since.
    }
  });
  if (threads.length !== 1)
    throw new Error(`${threads.length} NAPI threads of n0: run as root, on Linux 5.12 or later`);
  return Number(threads[0]);
}

function arp(count: number): Subject {
  const addresses = Array.from({ length: count }, (_, i) => `198.19.${i >> 8}.${i & 255}`);
  const route = ['local', '198.19.0.0/16', 'dev', 'lo'];
  const letKernelAnswer = () => {
    space.node.ip('route', 'add', ...route);
    return () => void space.node.ip('route', 'delete', ...route);
  };
  return { name: `arp/${count}`, addresses, searched: long || count > 1, letKernelAnswer };
}

/** One address: the kernel answers only for those on the interface itself, which nobody has a thousand of. */
function ndp(): Subject {
  const address = '2001:db8::a:10';
  const letKernelAnswer = () => {
    space.node.ip('addr', 'add', `${address}/64`, 'dev', 'n0', 'nodad');
    return () => void space.node.ip('addr', 'delete', `${address}/64`, 'dev', 'n0');
  };
  return { name: 'ndp/1', addresses: [address], searched: true, letKernelAnswer };
}

async function measure(subject: Subject): Promise<void> {
  const target = { first: subject.addresses[0]!, count: subject.addresses.length };
  const compare = async (what: string, run: () => Promise<Quantities>) => {
    progress(`${subject.name}: ${what}`);
    const results = await interleaved(rounds, {
      kernel: () => answeredBy('kernel', subject).then(run),
      responder: () => answeredBy('responder', subject).then(run),
    });
    for (const [quantity, { unit, better }] of Object.entries(quantities)) {
      const [kernel, value] = [results.kernel[quantity], results.responder[quantity]];
      if (kernel === undefined || value === undefined) continue;
      report({ case: `${subject.name}/${quantity}`, value, unit, better, baseline: kernel, against: 'kernel' });
    }
  };
  if (subject.searched) await compare('the highest rate', async () => ({ 'highest-rate': await highestRate(target) }));
  // When there is too much to do, the kernel leaves soft interrupts to an ordinary thread.
  letReceivingGoFirst(false);
  await compare('as fast as it goes', async () => {
    const { answered, seconds: took } = await flood(place, { ...target, rate: 0, seconds });
    return { 'replies-saturated': answered / took };
  });
  letReceivingGoFirst(true);
  await compare('processor time', async () => ({ 'cpu-per-reply': await cpuPerFrame(target) }));
  await compare('latency', async () => {
    const { lost, p50, p99 } = await latency(place, { ...target, probes: long ? 5_000 : 400, gap: 1_000 });
    if (lost > 0) throw new Error(`${lost} probes were not answered`);
    return { 'latency-p50': p50, 'latency-p99': p99 };
  });
}

/** What a request for someone else costs the node, with and without a responder that serves other addresses. */
async function measureStorm(subject: Subject): Promise<void> {
  progress('arp: storm of requests for others');
  const others = { first: '198.18.128.0', count: 1_000 };
  const run = async () => ({ cpu: await cpuPerFrame(others) });
  const { idle, serving } = await interleaved(rounds, {
    idle: () => answeredBy('nobody', subject).then(run),
    serving: () => answeredBy('responder', subject).then(run),
  });
  const name = 'arp/1000/cpu-per-unserved-request';
  report({
    case: name,
    value: serving.cpu!,
    unit: 'ns',
    better: 'lower',
    baseline: idle.cpu!,
    against: 'no responder',
  });
}

/** Sets the scene, and waits until it is set. */
async function answeredBy(who: 'kernel' | 'responder' | 'nobody', subject: Subject): Promise<void> {
  stopKernel();
  stopKernel = () => {};
  await responder.serve(...(who === 'responder' ? subject.addresses : []));
  if (who === 'kernel') stopKernel = subject.letKernelAnswer();
  if (who === 'nobody') return;
  const last = { first: subject.addresses.at(-1)! };
  await eventually(`${who} answers`, async () => (await latency(place, { ...last, probes: 1, gap: 1 })).lost === 0);
}

type Target = { readonly first: string; readonly count: number };

/** The highest rate, to a tenth, at which 99.9 % are answered. One miss may be another program's doing, two are not. */
async function highestRate(target: Target): Promise<number> {
  const isAnswered = async (rate: number) => {
    const { sent, answered } = await flood(place, { ...target, rate, seconds });
    return answered >= 0.999 * sent;
  };
  let [good, bad] = [20_000, 1_000_000];
  while (bad / good > (long ? 1.03 : 1.1)) {
    const rate = Math.sqrt(good * bad);
    if ((await isAnswered(rate)) || (await isAnswered(rate))) good = rate;
    else bad = rate;
  }
  return good;
}

/** Nanoseconds of processor time, receiving included, for a request at a rate that leaves the core idle at times. */
async function cpuPerFrame(target: Target): Promise<number> {
  const threads = [responder.pid, napiThread()];
  const used = () => threads.reduce((sum, pid) => sum + cpuTime(pid), 0);
  const before = used();
  const { sent } = await flood(place, { ...target, rate: moderateRate, seconds: 2 * seconds });
  return (used() - before) / sent;
}
