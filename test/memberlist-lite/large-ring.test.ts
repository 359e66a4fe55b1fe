import assert from 'node:assert/strict';
import { lan } from '../../src/memberlist-lite/config.ts';
import { suite } from '../support/suite.ts';
import { type Node, withRings } from './ring.ts';

/** GARPOON_SIMULATION=long lets one member crash as well, which takes minutes. */
const test = suite('memberlist-lite/large-ring');
const long = process.env.GARPOON_SIMULATION === 'long';
const members = 1000;

/**
 * Each joins one of a few, these join each other, and whoever still misses someone joins again, as speakers do every
 * minute. Gossip alone would do too, in some more seconds, at several times the work for this machine.
 */
const entrances = 32;

test(
  'a thousand members that join at once know each other within two seconds',
  async () => {
    await withRings(1, async (ring, seed) => {
      const names = Array.from({ length: members }, (_, i) => `node-${i + 1}`);
      for (const name of names) await ring.add(name, lan);
      const began = ring.clock.now();
      const join = async (index: number, entrance: number) => {
        void ring.nodes[index]?.member.join([ring.endpoint(entrance)]);
        await ring.clock.advance(0.1);
      };
      for (let i = entrances; i < members; i++) await join(i, i % entrances);
      for (let i = 1; i < 2 * entrances; i++) await join(i % entrances, 0);
      await ring.clock.advance(5);
      for (const [i, node] of ring.nodes.entries()) if (node.sees.size < members) await join(i, i % entrances);
      await ring.converge(names);
      const took = ring.clock.now() - began;
      console.log(`${members} members, seed ${seed}: one ring after ${Math.round(took)} ms (${cpu()} s)`);
      assert.ok(took < 2000, `took ${took} ms`);
      const departures = ring.nodes.flatMap((node) => node.events).filter(({ type }) => type === 'leave');
      assert.deepEqual(departures, []);
      if (!long) return;
      const { first, all } = await ring.crash(ring.nodes[members >> 1] as Node, 120_000);
      console.log(
        `${members} members, seed ${seed}: a crash noticed by the first after ${first} ms, by all after ${all}`,
      );
      // One probe interval and the shortest suspicion, which is 4 × log10(1000) intervals, come first in any case.
      assert.ok(first >= 13_000 && first < 20_000);
    });
  },
  long ? 1_200_000 : 220_000,
);

/** Spent by this process so far, in seconds. */
function cpu(): number {
  return Math.round(process.cpuUsage().user / 1e6);
}
