import assert from 'node:assert/strict';
import { type Config, fast, lan } from '../../src/memberlist-lite/config.ts';
import { type Random, seededRandom, shuffled } from '../../src/runtime/random.ts';
import type { SimConditions } from '../support/sim-network.ts';
import { suite } from '../support/suite.ts';
import { type Node, type Ring, withRings } from './ring.ts';
import { skewed } from './skewed-clock.ts';

/**
 * Whole rings in virtual time. GARPOON_SIMULATION=long runs each case with ten times as many seeds; every case prints
 * the seeds it took and what it measured.
 */
const test = suite('memberlist-lite/simulation');
const times = process.env.GARPOON_SIMULATION === 'long' ? 10 : 1;
/** The machine may be busy with other tests. */
const limit = 220_000 * times;

/**
 * Seconds from a crash until the first and until all of the others miss the member, with `lan` timers: the mean over
 * thousands of simulated crashes under the rules of the Go implementation. We have to be within a tenth.
 */
const crashes: readonly [members: number, seeds: number, first: number, all: number][] = [
  [2, 60, 5.5, 5.5],
  [3, 60, 5.7, 5.8],
  [10, 60, 6.0, 6.1],
  [30, 24, 7.8, 8.0],
  [100, 6, 10.0, 10.4],
];
for (const [members, seeds, first, all] of crashes) {
  test(
    `a crash among ${members} is noticed after ${first} s by the first, after ${all} s by all, within a tenth`,
    async () => {
      const noticed: { first: number; all: number }[] = [];
      await withRings(seeds * times, async (ring, seed) => {
        await ring.grow(members, lan);
        await ring.clock.advance(2000 + seededRandom(seed).float() * 2000);
        noticed.push(await ring.crash(ring.nodes[seed % members] as Node));
        const survivors = ring.nodes.filter((_, index) => index !== seed % members);
        assert.deepEqual(wronglyLost(survivors, survivors), []);
      });
      const seconds = { first: mean(noticed.map((time) => time.first)), all: mean(noticed.map((time) => time.all)) };
      tell(`${members} members, seeds 1 to ${seeds * times}: first ${seconds.first} s, all ${seconds.all} s`);
      for (const [measured, expected] of [
        [seconds.first, first],
        [seconds.all, all],
      ] as const) {
        assert.ok(Math.abs(measured / expected - 1) <= 0.1, `${measured} s instead of ${expected} s`);
      }
    },
    limit,
  );
}

const calm: SimConditions = { loss: 0, delay: [0.1, 0.5] };
const presets = [
  ['lan', lan],
  ['fast', fast],
] as const;

type Trouble = (ring: Ring, random: Random, interval: number) => Promise<void>;
/**
 * What befalls a ring of twenty for 120 probe intervals. Delays are in probe intervals too, since what is late depends
 * on these. `most` is how often, on the average of the runs, one member may wrongly miss another.
 */
const troubles: readonly [what: string, conditions: Partial<SimConditions>, trouble: Trouble, most?: number][] = [
  ['a tenth of all packets lost', { loss: 0.1 }, time],
  ['delays that differ by a third of an interval', { delay: [0, 0.3] }, time],
  ['every other packet twice, one in ten late', { duplicates: 0.5, stragglers: { share: 0.1, delay: 1 } }, time],
  [
    'loss, delay, late and double packets',
    { loss: 0.05, delay: [0, 0.1], duplicates: 0.2, stragglers: { share: 0.05, delay: 1 } },
    time,
  ],
  ['pairs that do not reach each other', {}, (ring, random, interval) => paths(ring, random, interval, 'sever')],
  // A suspect's objection now and then does not find its way to one of the nineteen that suspect it.
  ['paths open in one direction', {}, (ring, random, interval) => paths(ring, random, interval, 'severOneWay'), 3],
  ['stalls of three intervals', {}, stalls],
];
for (const [preset, config] of presets) {
  for (const [what, conditions, trouble, most = 0] of troubles) {
    const whom = most > 0 ? 'hardly anyone' : 'nobody';
    const name = `a ring of twenty with ${preset} timers and clocks that differ loses ${whom} to ${what}`;
    test(
      name,
      async () => {
        const lost: string[] = [];
        await withRings(times, async (ring, seed) => {
          const nodes = await growSkewed(ring, 20, config, seed);
          const { delay = calm.delay, stragglers } = conditions;
          const scaled = delay === calm.delay ? delay : ([delay[0], delay[1] * config.probeInterval] as const);
          ring.network.setConditions({
            ...calm,
            ...conditions,
            delay: scaled,
            ...(stragglers && { stragglers: { ...stragglers, delay: stragglers.delay * config.probeInterval } }),
          });
          await trouble(ring, seededRandom(seed), config.probeInterval);
          lost.push(...wronglyLost(nodes, nodes));
          ring.network.heal();
          ring.network.setConditions(calm);
          await ring.converge(nodes.map((node) => node.name));
        });
        tell(`${preset}, ${what}, seeds 1 to ${times}: ${lost.length} wrongly lost`);
        assert.ok(lost.length <= most * times, lost.join(', '));
      },
      limit,
    );
  }
}

for (const [preset, config] of presets) {
  test(
    `halves of a ring with ${preset} timers that lost each other find together again by themselves`,
    async () => {
      const healed: number[] = [];
      await withRings(4 * times, async (ring, seed) => {
        const nodes = await growSkewed(ring, 12, config, seed);
        const names = nodes.map(({ name }) => name);
        const [left, right] = [nodes.slice(0, 6), nodes.slice(6)];
        ring.network.partition(left.map(({ address }) => address));
        await ring.converge(names.slice(0, 6), left);
        await ring.converge(names.slice(6), right);
        ring.network.heal();
        healed.push(await ring.converge(names));
      });
      tell(`${preset}, halves together again, seeds 1 to ${4 * times}: after ${mean(healed)} s`);
    },
    limit,
  );
}

test(
  'halves that have forgotten each other are one ring again as soon as one member joins another',
  async () => {
    await withRings(2 * times, async (ring) => {
      const nodes = await ring.grow(12, fast);
      const names = nodes.map(({ name }) => name);
      ring.network.partition(nodes.slice(0, 6).map(({ address }) => address));
      await ring.clock.advance(120_000);
      ring.network.heal();
      await ring.clock.advance(30_000);
      await ring.converge(names.slice(0, 6), nodes.slice(0, 6), 0);
      void nodes[0]?.member.join([ring.endpoint(11)]);
      // By gossip in a fraction of a second, and whom that misses, by the next push/pull.
      assert.ok((await ring.converge(names)) <= fast.pushPullInterval + 1000);
    });
  },
  limit,
);

/** Members whose clocks are set apart by up to a day, and run apart by up to two percent. */
async function growSkewed(ring: Ring, count: number, config: Config, seed: number): Promise<readonly Node[]> {
  const random = seededRandom(seed + 7);
  for (let i = 0; i < count; i++) {
    const clock = skewed(ring.clock, random.float() * 86_400_000, (random.float() - 0.5) * 0.04);
    await ring.add(`node-${i + 1}`, config, { clock });
  }
  for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
  await ring.converge(ring.nodes.map((node) => node.name));
  return ring.nodes;
}

async function time(ring: Ring, _random: Random, interval: number): Promise<void> {
  await ring.clock.advance(120 * interval);
}

/** A fifth of all paths is broken at any time, others every twenty intervals. */
async function paths(ring: Ring, random: Random, interval: number, how: 'sever' | 'severOneWay'): Promise<void> {
  const addresses = ring.nodes.map((node) => node.address);
  const pairs = addresses.flatMap((from) => addresses.filter((to) => to !== from).map((to) => [from, to] as const));
  const broken = how === 'sever' ? pairs.length / 10 : pairs.length / 5;
  for (let round = 0; round < 6; round++) {
    ring.network.heal();
    for (const [from, to] of shuffled(pairs, random).slice(0, broken)) ring.network[how](from, to, 'everything');
    await ring.clock.advance(20 * interval);
  }
}

/** One process after the other does not run for a while. */
async function stalls(ring: Ring, random: Random, interval: number): Promise<void> {
  for (let round = 0; round < 24; round++) {
    const { process } = ring.nodes[random.integer(ring.nodes.length)] as Node;
    process.hold();
    await ring.clock.advance(3 * interval);
    process.resume();
    await ring.clock.advance(2 * interval);
  }
}

/** Who of `well`, each of whom is there all the time, was lost at one of `among`. */
function wronglyLost(among: readonly Node[], well: readonly Node[]): readonly string[] {
  const names = new Set(well.map((node) => node.name));
  return among.flatMap((node) =>
    node.events
      .filter(({ type, member }) => type === 'leave' && names.has(member.name))
      .map(({ member }) => `${node.name} lost ${member.name}`),
  );
}

/** In seconds, of milliseconds. */
function mean(milliseconds: readonly number[]): number {
  return Math.round(milliseconds.reduce((sum, value) => sum + value, 0) / milliseconds.length) / 1000;
}

function tell(text: string): void {
  console.log(`${text} (${Math.round(process.cpuUsage().user / 1e6)} s)`);
}
