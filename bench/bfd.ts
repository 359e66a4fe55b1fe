import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BfdEvent } from '../src/layer2/bfd.ts';
import { allUp, BfdBed, sides, towardsPeer } from '../test/support/bfd-bed.ts';
import { eventually } from '../test/support/eventually.ts';
import type { Netns } from '../test/support/netns.ts';
import type { ResponderProcess } from '../test/support/responder-process.ts';
import type { BfdWish } from '../test/support/responder-program.ts';
import { cpuTime, long, progress, reporter } from './bench.ts';

/**
 * BFD on the packet thread: what sessions cost, how soon a cut is seen, and how often a peer that is there is taken for
 * gone while JavaScript is busy, beside the same by JavaScript's own timers.
 */
const report = reporter('bfd');
const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1_000));

for (const count of [32, 1_024]) await cost(count);
for (const interval of [50, 100]) await detection(interval, long ? 100 : 20);
await falseDowns();

/** Percent of a core that one side uses for so many sessions of 100 ms, which are told apart by ports. */
async function cost(count: number): Promise<void> {
  progress(`${count} sessions`);
  const bed = BfdBed.create();
  try {
    const [a, b] = [await bed.responder('a'), await bed.responder('b')];
    // 32 ports of 32 addresses: as many receiving sockets as ports.
    const wishes = (side: 'a' | 'b') =>
      Array.from({ length: count }, (_, index): BfdWish => {
        const host = index % 32;
        const address = (of: 'a' | 'b') => `198.18.${of === 'a' ? 1 : 2}.${host + 1}`;
        const port = 8_000 + Math.floor(index / 32);
        const other = side === 'a' ? 'b' : 'a';
        return towardsPeer(side, { id: `${index}`, peer: address(other), local: address(side), port });
      });
    for (const side of ['a', 'b'] as const) {
      for (let host = 1; host <= 32; host++) {
        bed[side].ip('addr', 'add', `198.18.${side === 'a' ? 1 : 2}.${host}/15`, 'dev', 'eth0');
      }
    }
    await a.setBfdSessions(...wishes('a'));
    await b.setBfdSessions(...wishes('b'));
    await allUp(a, b);
    await seconds(2);
    const flapsBefore = await flapsOf(a, b);
    const [begun, used] = [performance.now(), cpuTime(a.pid)];
    await seconds(long ? 20 : 5);
    const percent = (cpuTime(a.pid) - used) / 1e4 / (performance.now() - begun);
    report({ case: `sessions-${count}/cpu`, value: percent, unit: '% of a core', better: 'lower' });
    const flaps = (await flapsOf(a, b)) - flapsBefore;
    report({ case: `sessions-${count}/flaps`, value: flaps, unit: 'flaps', better: 'lower' });
  } finally {
    await bed.close();
  }
}

async function detection(interval: number, trials: number): Promise<void> {
  progress(`${trials} cuts at ${interval} ms`);
  const bed = BfdBed.create();
  try {
    const [a, b] = await upPair(bed, interval);
    const times: number[] = [];
    for (let trial = 0; trial < trials; trial++) {
      await settled(a, b, interval);
      // Anywhere within an interval.
      await seconds(((trial * 37) % 100) / 1_000);
      a.events.length = 0;
      const before = Date.now();
      bed.cut();
      const after = Date.now();
      const event = (await a.event('the session is down', (each) => each.type === 'bfd')) as BfdEvent;
      times.push(event.at - (before + after) / 2);
      bed.repair();
    }
    times.sort((x, y) => x - y);
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const value = times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
      const baseline = 3 * interval;
      report({
        case: `cut-${interval}x3/${name}`,
        value,
        unit: 'ms',
        better: 'lower',
        baseline,
        against: 'detection time',
      });
    }
  } finally {
    await bed.close();
  }
}

/** While the event loop of one side stands still for 200 ms of every second. Both at once, so that both are disturbed. */
async function falseDowns(): Promise<void> {
  const [interval, block, duration] = [50, 200, 20];
  progress(`${duration} s of a busy event loop`);
  const bed = BfdBed.create();
  try {
    const [a, b] = await upPair(bed, interval);
    const timers = await Promise.all([
      startTimers(bed.a, sides.b.v4, interval, block),
      startTimers(bed.b, sides.a.v4, interval, 0),
    ]);
    await settled(a, b, interval);
    const before = await flapsOf(a, b);
    for (let second = 0; second < duration; second++) {
      await a.blockEventLoop(block);
      await seconds(1);
    }
    const value = (await flapsOf(a, b)) - before;
    const baseline = (await Promise.all(timers.map((stop) => stop()))).reduce((sum, count) => sum + count, 0);
    report({
      case: `busy-event-loop-${interval}x3/false-downs`,
      value,
      unit: 'in 20 s',
      better: 'lower',
      baseline,
      against: 'JavaScript timers',
    });
  } finally {
    await bed.close();
  }
}

async function upPair(bed: BfdBed, interval: number): Promise<[ResponderProcess, ResponderProcess]> {
  const timers = { desiredMinTx: interval, requiredMinRx: interval };
  const [a, b] = [await bed.responder('a'), await bed.responder('b')];
  await a.setBfdSessions(towardsPeer('a', timers));
  await b.setBfdSessions(towardsPeer('b', timers));
  await allUp(a, b);
  return [a, b];
}

/** Both up, with the timers that were asked for. */
async function settled(a: ResponderProcess, b: ResponderProcess, interval: number): Promise<void> {
  await allUp(a, b);
  for (const side of [a, b]) {
    await eventually(
      'the timers are in use',
      async () => (await side.bfdSessions())[0]!.detectionTime === 3 * interval,
    );
  }
}

async function flapsOf(...responders: readonly ResponderProcess[]): Promise<number> {
  const all = await Promise.all(responders.map((each) => each.bfdSessions()));
  return all.flat().reduce((sum, { flaps }) => sum + flaps, 0);
}

async function startTimers(
  netns: Netns,
  peer: string,
  interval: number,
  block: number,
): Promise<() => Promise<number>> {
  const program = fileURLToPath(new URL('./bfd-timers.ts', import.meta.url));
  const [command, ...args] = netns.command(process.execPath, program, peer, `${interval}`, '3', `${block}`);
  const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return async () => {
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stdin.end();
    await once(child, 'close');
    return Number(printed);
  };
}
