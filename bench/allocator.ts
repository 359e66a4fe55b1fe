import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Allocator } from '../src/allocator/allocator.ts';
import type { Wish } from '../src/allocator/wish.ts';
import { compile } from '../src/config/compile.ts';
import type { Pool } from '../src/config/config.ts';
import { seededRandom, shuffled } from '../src/runtime/random.ts';
import { interleaved, long, median, progress, reporter } from './bench.ts';
import { addressOf, FirstFit } from './first-fit.ts';

/**
 * What an assignment costs with ever more addresses held, what it costs to learn anew who has what, and the memory of
 * that; beside the plain way, a scan of the pool from its beginning (bench/first-fit.ts).
 *
 *   assign   the next address of a pool whose beginning is full
 *   refill   the first of the holes that Services have left everywhere in the pool
 *   release  and how it comes to them
 *   again    a Service that has its address is looked at again
 */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const report = reporter('allocator');
const rounds = long ? 15 : 5;
const sizes = [100, 10_000, 100_000] as const;
const most = 100_000;
const first = addressOf('10.0.0.0').value;
const [pool] = poolsOf('10.0.0.0/12') as [Pool];

const steps = ['assign', 'refill', 'release', 'again'] as const;
type Step = (typeof steps)[number];

const growth = await interleaved(rounds, {
  warmUp: async () => ({ ...ours(1_000), ...plain(1_000) }),
  ours100: async () => ours(100),
  plain100: async () => plain(100),
  ours10000: async () => ours(10_000),
  plain10000: async () => plain(10_000),
  ours100000: async () => ours(100_000),
  plain100000: async () => plain(100_000),
});
for (const size of sizes) {
  for (const what of steps) {
    const value = growth[`ours${size}`][what]!;
    const compared = { baseline: growth[`plain${size}`][what]!, against: 'first-fit' };
    report({ case: `growth-${size}/${what}`, value, unit: 'us', better: 'lower', ...compared });
    const few = { baseline: growth.ours100[what]!, against: 'growth-100' };
    if (size > 100) report({ case: `growth-${size}/${what}-growth`, value, unit: 'us', better: 'lower', ...few });
  }
}

progress('sharing and waiting');
const crowds = await interleaved(rounds, {
  warmUp: async () => ({ sharing: sharing(1_000), waiting: waiting(1_000) }),
  few: async () => ({ sharing: sharing(100), waiting: waiting(100) }),
  many: async () => ({ sharing: sharing(most), waiting: waiting(10_000) }),
});
const few = { unit: 'us', better: 'lower', against: 'a hundred' } as const;
report({ case: 'sharing-100000/assign-growth', value: crowds.many.sharing!, baseline: crowds.few.sharing!, ...few });
report({ case: 'waiting-10000/serve-growth', value: crowds.many.waiting!, baseline: crowds.few.waiting!, ...few });

progress('relearn');
const relearned = await interleaved(rounds, {
  ours: async () => ({ time: timed(() => void learned(new Allocator(), most)) }),
  pools: async () => {
    const allocator = learned(new Allocator(), most);
    const [grown] = poolsOf('10.0.0.0/11') as [Pool];
    return { time: timed(() => void allocator.setPools([grown], 0)) };
  },
  plain: async () => ({ time: timed(() => void plainLearned(most)) }),
});
const relearnedPlain = { unit: 'ms', better: 'lower', baseline: relearned.plain.time!, against: 'first-fit' } as const;
report({ case: 'relearn-100000/time', value: relearned.ours.time!, ...relearnedPlain });
report({ case: 'relearn-100000/pool-changed', value: relearned.pools.time!, ...relearnedPlain });

progress('memory');
report({
  case: 'memory-100000/heap',
  value: heapOf(() => learned(new Allocator(), most)),
  unit: 'MB',
  better: 'lower',
  baseline: heapOf(() => plainLearned(most)),
  against: 'first-fit',
});

function ours(size: number): Record<Step, number> {
  const allocator = learned(new Allocator(), size);
  const assign = (name: string) => allocator.assign(name, wish(), 0);
  return measured(size, 10_000, assign, (name) => allocator.release(name, 0));
}

function plain(size: number): Record<Step, number> {
  const firstFit = plainLearned(size);
  // A scan of 100,000 addresses takes milliseconds.
  const times = size > 1_000 ? 20 : 2_000;
  return measured(
    size,
    times,
    (name) => firstFit.assign(name, wish()),
    (name) => firstFit.release(name),
  );
}

/** Microseconds of each step, with `size` addresses held before and after. */
function measured(
  size: number,
  times: number,
  assign: (name: string) => unknown,
  release: (name: string) => unknown,
): Record<Step, number> {
  const random = seededRandom(size);
  // In small parts, so that the number of those that are held stays what it is.
  const part = 10;
  // What making the allocator has left behind shall not be collected while it is measured.
  collect();
  const growing: number[] = [];
  for (let done = 0; done < times; done += part) {
    const names = Array.from({ length: part }, (_, i) => `shop/new-${done + i}`);
    growing.push(timed(() => names.forEach(assign)));
    names.forEach(release);
  }
  const again: number[] = [];
  for (let done = 0; done < times; done += part) {
    const names = Array.from({ length: part }, () => nameOf(random.integer(size)));
    again.push(timed(() => names.forEach(assign)));
  }
  // Every other one goes, which leaves a hole beside each.
  const held = Array.from({ length: size >> 1 }, (_, i) => nameOf(2 * i));
  for (let i = 1; i < size; i += 2) release(nameOf(i));
  const releasing: number[] = [];
  const refilling: number[] = [];
  for (let done = 0; done < times; done += part) {
    const places = shuffled([...new Set(Array.from({ length: part }, () => random.integer(held.length)))], random);
    releasing.push(timed(() => places.forEach((place) => void release(held[place]!))));
    places.forEach((place, i) => {
      held[place] = `shop/late-${done + i}`;
    });
    refilling.push(timed(() => places.forEach((place) => void assign(held[place]!))));
  }
  const each = (parts: readonly number[]) => (1_000 * median(parts)) / part;
  return { assign: each(growing), refill: each(refilling), release: each(releasing), again: each(again) };
}

/** Microseconds to find that none of the addresses under one's sharing key has one's port to spare, and take a free one. */
function sharing(size: number): number {
  const allocator = learned(new Allocator(), size, { sharingKey: 'key' });
  const times = 10_000;
  collect();
  const finding: number[] = [];
  for (let i = 0; i < times; i++) {
    const asking = { ...wish(), sharingKey: 'key' };
    finding.push(timed(() => void allocator.assign(`shop/new-${i}`, asking, 0)));
    allocator.release(`shop/new-${i}`, 0);
  }
  return 1_000 * median(finding);
}

/** Microseconds to give an address that has come free to the first of those who wait. */
function waiting(size: number): number {
  const allocator = new Allocator();
  allocator.setPools(poolsOf('10.0.0.0/32'), 0);
  allocator.assign('shop/holder', wish(), 0);
  for (let i = 0; i < size; i++) allocator.assign(nameOf(i), wish(), 0);
  const times = 5_000;
  let holder = 'shop/holder';
  collect();
  const serving = timed(() => {
    for (let i = 0; i < times; i++) {
      allocator.release(holder, 0);
      const [first] = allocator.takeCalled(0);
      allocator.assign(first!, wish(), 0);
      // It waits again, behind the others, so that there are always as many.
      allocator.assign(holder, wish(), 0);
      holder = first!;
    }
  });
  return (1_000 * serving) / times;
}

/** An allocator that has learnt from the status of Services what they have, and looked at each once. */
function learned(allocator: Allocator, size: number, more: Partial<Wish> = {}): Allocator {
  allocator.setPools([pool], 0);
  for (let i = 0; i < size; i++) {
    allocator.adopt(nameOf(i), { ...wish(), ...more }, [{ family: 4, value: first + BigInt(i) }], 0);
  }
  for (let i = 0; i < size; i++) allocator.assign(nameOf(i), { ...wish(), ...more }, 0);
  return allocator;
}

function plainLearned(size: number): FirstFit {
  const firstFit = new FirstFit(pool.addresses[0]!);
  for (let i = 0; i < size; i++) firstFit.adopt(nameOf(i), wish(), { family: 4, value: first + BigInt(i) });
  for (let i = 0; i < size; i++) firstFit.assign(nameOf(i), wish());
  return firstFit;
}

function nameOf(index: number): string {
  return `shop/web-${index}`;
}

/** Made anew for each Service, as it is when a Service is read. */
function wish(): Wish {
  return {
    namespace: 'shop',
    namespaceLabels: {},
    labels: {},
    families: [4],
    familyPolicy: 'SingleStack',
    addresses: [],
    wanted: [],
    count: 1,
    pool: undefined,
    pools: [],
    sharingKey: undefined,
    backend: '',
    ports: [{ protocol: 'TCP', port: 80 }],
  };
}

function poolsOf(range: string): readonly Pool[] {
  const raw = { metadata: { name: 'lan' }, spec: { addresses: [range] } };
  const compiled = compile({ pools: [raw], l2Advertisements: [] });
  if ('errors' in compiled) throw new Error(compiled.errors.map((error) => error.message).join('; '));
  return compiled.config.pools;
}

/** Milliseconds. */
function timed(run: () => void): number {
  const begun = performance.now();
  run();
  return performance.now() - begun;
}

/** Megabytes that what is made keeps. */
function heapOf(make: () => object): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  const made = make();
  collect();
  const after = process.memoryUsage().heapUsed;
  // Mentioned here, it is not collected before.
  if (made === undefined) throw new Error('nothing was made');
  return (after - before) / 1e6;
}
