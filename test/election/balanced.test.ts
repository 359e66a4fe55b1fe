import assert from 'node:assert/strict';
import fc from 'fast-check';
import { balanced } from '../../src/election/balanced.ts';
import type { Ballot, BallotAddress, BallotNode } from '../../src/election/strategy.ts';
import { suite } from '../support/suite.ts';
import { anyBallot } from './any-ballot.ts';
import {
  ballot,
  fewestMoves,
  heldBy,
  holdersOf,
  loadsOf,
  movesBetween,
  narrowed,
  nodesOf,
  promises,
} from './ballot.ts';
import { sha256 } from './support.ts';

const test = suite('election/balanced');

const elect = (given: Ballot) => balanced.owners(given, sha256);

for (const [count, nodes, expected] of [
  [20, 5, [4, 4, 4, 4, 4]],
  [4, 3, [1, 1, 2]],
  [3, 3, [1, 1, 1]],
  [2, 3, [0, 1, 1]],
  [21, 5, [4, 4, 4, 4, 5]],
  [100, 10, Array(10).fill(10)],
] as const) {
  test(`${count} new addresses on ${nodes} nodes are spread ${expected.join('/')}`, () => {
    const owners = elect(ballot(count, nodes));
    assert.deepEqual(
      [...loadsOf(owners, nodesOf(nodes)).values()].sort((a, b) => a - b),
      expected,
    );
  });
}

test('a node takes in proportion to its weight', () => {
  const nodes = [
    { name: 'node-0', weight: 1 },
    { name: 'node-1', weight: 2 },
    { name: 'node-2', weight: 3 },
  ];
  const owners = elect({ ...ballot(60, 3), nodes });
  assert.deepEqual(Object.fromEntries(loadsOf(owners, nodes)), { 'node-0': 10, 'node-1': 20, 'node-2': 30 });
});

test('a node of weight 0 takes what nobody else can, and only as long as that is so', () => {
  const [first, second] = nodesOf(2) as [BallotNode, BallotNode];
  const idle = { ...second, weight: 0 };
  const given = ballot(4, 2);
  assert.deepEqual([...loadsOf(elect({ ...given, nodes: [first, idle] }), [first, idle]).values()], [4, 0]);
  const alone = elect({ ...given, nodes: [idle] });
  assert.equal(alone.size, 4);
  const back = heldBy({ ...given, nodes: [{ ...first, returning: true }, idle] }, alone);
  assert.deepEqual([...new Set(elect(back).values())], ['node-0']);
});

test('the most preferred go before the balance, which is sought among them', () => {
  const candidates = ['node-0', 'node-1', 'node-2'].map((node, i) => ({ node, weight: i === 0 ? 5 : 10 }));
  const given = ballot(6, 3);
  const addresses = given.addresses.map((one) => ({ ...one, candidates }));
  const owners = elect({ ...given, addresses });
  assert.deepEqual([...loadsOf(owners, given.nodes).values()], [0, 3, 3]);
});

test('a preferred node that was not just away gets what it is preferred for; one that is returning waits', () => {
  const candidates = [
    { node: 'node-0', weight: 1 },
    { node: 'node-1', weight: 0 },
  ];
  const [first, second] = nodesOf(2) as [BallotNode, BallotNode];
  const addresses = [{ address: '192.0.2.1', service: 'shop/web', index: 0, candidates, holder: 'node-1' }];
  const owner = (returning: boolean) => elect({ addresses, nodes: [{ ...first, returning }, second] }).get('192.0.2.1');
  assert.deepEqual([owner(true), owner(false)], ['node-1', 'node-0']);
});

test('a death moves what the dead node had, evenly, and nothing else', () => {
  const before = elect(ballot(20, 5));
  const given = heldBy(ballot(20, 5), before);
  const nodes = given.nodes.slice(1);
  const after = elect({ ...given, nodes });
  assert.equal(movesBetween(before, after), 4);
  assert.deepEqual([...loadsOf(after, nodes).values()], [5, 5, 5, 5]);
});

test('a node that returns gets nothing back at first, but the next new address; then its part, in few moves', () => {
  const nodes = nodesOf(5);
  const [, ...others] = nodes;
  const without = elect({ ...ballot(20, 5), nodes: others });
  const returned = nodes.map((node, i) => ({ ...node, returning: i === 0 }));
  assert.equal(movesBetween(without, elect({ ...heldBy(ballot(20, 5), without), nodes: returned })), 0);
  const more = elect({ ...heldBy(ballot(21, 5), without), nodes: returned });
  assert.equal(movesBetween(without, more), 0);
  assert.equal(loadsOf(more, nodes).get('node-0'), 1);
  const failedBack = elect({ ...heldBy(ballot(21, 5), more), nodes });
  assert.equal(movesBetween(more, failedBack), 2);
  assert.deepEqual([...loadsOf(failedBack, nodes).values()].sort(), [3, 4, 4, 5, 5]);
  assert.deepEqual(elect({ ...heldBy(ballot(21, 5), failedBack), nodes }), failedBack);
});

test('the addresses of one Service are on different nodes, as long as there are enough, and all nodes have as many', () => {
  const given = ballot(40, 5, (i) => `shop/web-${i >> 2}`);
  const owners = elect(given);
  assert.deepEqual([...loadsOf(owners, given.nodes).values()], [8, 8, 8, 8, 8]);
  for (let service = 0; service < 10; service++) {
    const own = given.addresses.slice(4 * service, 4 * service + 4).map(({ address }) => owners.get(address));
    assert.equal(new Set(own).size, 4);
  }
});

test('a Service with more addresses than nodes has them spread over all', () => {
  const given = ballot(7, 3, () => 'shop/web');
  assert.deepEqual([...loadsOf(elect(given), given.nodes).values()].sort(), [2, 2, 3]);
});

test('addresses of one Service that came to be on one node part when there is another one', () => {
  const given = ballot(2, 2, () => 'shop/web');
  const together = new Map(given.addresses.map(({ address }) => [address, 'node-0']));
  const after = elect(heldBy(given, together));
  assert.equal(movesBetween(together, after), 1);
  assert.equal(new Set(after.values()).size, 2);
});

test('what can be on few nodes only leaves the others to what can be anywhere', () => {
  const few = narrowed(ballot(20, 5), (i) => (i < 10 ? ['node-0', 'node-1'] : undefined));
  assert.deepEqual([...loadsOf(elect(few), few.nodes).values()].sort(), [3, 3, 4, 5, 5]);
});

test('an address makes room for one that can be nowhere else', () => {
  const given = narrowed(ballot(3, 3), (i) => (i === 2 ? ['node-0'] : undefined));
  const [first, second, third] = given.addresses.map(({ address }) => address) as [string, string, string];
  const before = new Map([first, second].map((address) => [address, 'node-0']));
  const owners = elect(heldBy(given, before));
  assert.equal(promises(heldBy(given, before)).limits.get('node-0'), 2);
  assert.equal(owners.get(third), 'node-0');
  assert.equal(movesBetween(before, owners), 1);
});

const often = { numRuns: 400 };

test('every address with a living candidate is on a target, and no limit is broken, whatever is given', () => {
  fc.assert(
    fc.property(anyBallot(40), (given) => {
      const { places, limits, spreadLimits } = promises(given);
      const owners = elect(given);
      assert.equal(owners.size, places.size);
      const together = new Map<string, number>();
      for (const [{ address, service }, { targets }] of places) {
        const owner = owners.get(address);
        assert.ok(targets.some(({ name }) => name === owner));
        const pair = `${service} ${owner}`;
        together.set(pair, (together.get(pair) ?? 0) + 1);
      }
      for (const [node, load] of loadsOf(owners, given.nodes)) assert.ok(load <= limits.get(node)!, node);
      for (const [pair, count] of together) assert.ok(count <= spreadLimits.get(pair)!, pair);
    }),
    often,
  );
});

test('as few held addresses move as any assignment within the limits could do with, and those owed', () => {
  fc.assert(
    fc.property(anyBallot(7), (given) => {
      const { homes, least } = promises(given);
      const owed = [...homes].reduce((sum, [node, count]) => sum + Math.max(0, least.get(node)! - count), 0);
      const fewest = fewestMoves(given);
      const moved = movesBetween(holdersOf(given), elect(given));
      assert.ok(moved >= fewest && moved <= fewest + owed, `${moved} moves instead of ${fewest} + ${owed}`);
    }),
    { numRuns: 1000 },
  );
});

test('among equals, no more move than are orphaned, above a limit or owed to a node with too little', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(9), { maxLength: 60 }), (nodes, holders) => {
      const plain = ballot(holders.length, nodes);
      const before = new Map(plain.addresses.map(({ address }, i) => [address, `node-${holders[i]}`]));
      const after = elect(heldBy(plain, before));
      const loads = [...loadsOf(before, plain.nodes).values()];
      const alive = loads.reduce((sum, load) => sum + load, 0);
      const limit = Math.ceil((11 * holders.length) / (10 * nodes));
      const least = Math.max(Math.floor((9 * alive) / (10 * nodes)), alive >= nodes ? 1 : 0);
      const excess = loads.reduce((sum, load) => sum + Math.max(0, load - limit), 0);
      const owed = loads.reduce((sum, load) => sum + Math.max(0, least - load), 0);
      const orphans = holders.length - alive;
      assert.ok(movesBetween(before, after) <= orphans + Math.max(excess, owed));
      assert.ok(movesBetween(before, after) >= orphans + excess);
      assert.ok([...loadsOf(after, plain.nodes).values()].every((load) => load <= limit && load >= least));
    }),
    often,
  );
});

test('a return moves nothing, and neither does a new Service', () => {
  fc.assert(
    fc.property(anyBallot(40), fc.nat(8), (given, number) => {
      const name = `node-${number}`;
      // Who weighs nothing only helps out until somebody comes.
      const nodes = given.nodes
        .filter((node) => node.name !== name)
        .map((node) => ({ ...node, weight: Math.max(1, node.weight) }));
      let addresses: readonly BallotAddress[] = heldBy(given, elect({ ...given, nodes })).addresses.filter(
        ({ holder }) => holder !== undefined,
      );
      let held = holdersOf({ nodes, addresses });
      for (let round = 0; movesBetween(held, elect({ nodes, addresses })) > 0; round++) {
        assert.ok(round < 5, 'comes to rest');
        addresses = heldBy({ nodes, addresses }, elect({ nodes, addresses })).addresses;
        held = holdersOf({ nodes, addresses });
      }
      const returned = elect({ nodes: [...nodes, { name, weight: 1, returning: true }], addresses });
      assert.equal(movesBetween(held, returned), 0, 'by the return');
      const candidates = nodes.map((node) => ({ node: node.name, weight: 0 }));
      const grown = { address: '198.51.100.1', service: 'shop/new', index: 0, candidates };
      const more = elect({ nodes, addresses: [...addresses, grown] });
      assert.equal(movesBetween(held, more), 0, 'by the new Service');
    }),
    often,
  );
});

type Step =
  | { readonly kind: 'dies' | 'joins' | 'returns' | 'settles'; readonly node: number }
  | { readonly kind: 'weighs'; readonly node: number; readonly weight: number }
  | { readonly kind: 'comes'; readonly service: number; readonly some: readonly number[] | undefined }
  | { readonly kind: 'goes'; readonly address: number };

const anyNode = fc.nat(8);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('dies', 'joins', 'returns', 'settles'), node: anyNode }),
  fc.record({ kind: fc.constant('weighs'), node: anyNode, weight: fc.nat(3) }),
  { arbitrary: fc.record({ kind: fc.constant('goes'), address: fc.nat(40) }), weight: 2 },
  {
    arbitrary: fc.record({
      kind: fc.constant('comes'),
      service: fc.nat(12),
      some: fc.option(fc.subarray([0, 1, 2, 3, 4, 5, 6, 7, 8], { minLength: 1 }), { nil: undefined, freq: 2 }),
    }),
    weight: 5,
  },
);

/** What follows in the cluster. The decisions before are kept as what is held. */
function after(given: Ballot, step: Step, number: number): Ballot {
  const { nodes, addresses } = given;
  if (step.kind === 'goes') return { nodes, addresses: addresses.filter((_, i) => i !== step.address) };
  if (step.kind === 'comes') {
    const candidates = (step.some ?? [0, 1, 2, 3, 4, 5, 6, 7, 8]).map((node) => ({ node: `node-${node}`, weight: 0 }));
    const service = `shop/web-${step.service}`;
    return { nodes, addresses: [...addresses, { address: `10.0.0.${number}`, service, index: number, candidates }] };
  }
  const name = `node-${step.node}`;
  const before = nodes.find((node) => node.name === name);
  const others = nodes.filter((node) => node.name !== name);
  if (step.kind === 'dies') return { addresses, nodes: others };
  if (step.kind === 'weighs') {
    return before === undefined ? given : { addresses, nodes: [...others, { ...before, weight: step.weight }] };
  }
  if (before !== undefined) {
    return step.kind === 'settles' ? { addresses, nodes: [...others, { ...before, returning: false }] } : given;
  }
  return { addresses, nodes: [...others, { name, weight: 1, returning: step.kind === 'returns' }] };
}

test('through any history, every promise holds at every step, and what need not move stays', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 10, maxLength: 60 }), (steps) => {
      let given = ballot(0, 3);
      for (const [number, step] of steps.entries()) {
        const next = after(given, step, number);
        const { places, homes, limits, least, spreadLimits } = promises(next);
        const owners = elect(next);
        assert.equal(owners.size, places.size);
        const loads = loadsOf(owners, next.nodes);
        for (const [node, load] of loads) assert.ok(load <= limits.get(node)!, `${node} has ${load}`);
        const together = loadsOf(holdersByPair(heldBy(next, owners)), pairsOf(spreadLimits));
        for (const [pair, count] of together) assert.ok(count <= spreadLimits.get(pair)!, pair);
        const calm =
          [...homes].every(([node, count]) => count <= limits.get(node)! && count >= least.get(node)!) &&
          [...loadsOf(holdersByPair(next), pairsOf(spreadLimits))].every(([pair, n]) => n <= spreadLimits.get(pair)!);
        const forced = [...places].filter(
          ([{ holder }, { home }]) => holder !== undefined && home === undefined,
        ).length;
        const lost = next.addresses.filter((one) => one.holder !== undefined && !places.has(one)).length;
        const moved = movesBetween(holdersOf(next), owners);
        assert.ok(moved >= forced + lost);
        // With room everywhere a move has a cause that can be named.
        const everywhere = next.addresses.every(({ candidates }) => candidates.length === 9);
        if (calm && everywhere && next.nodes.every(({ weight }) => weight === 1)) assert.equal(moved, forced + lost);
        given = heldBy(next, owners);
      }
    }),
    { numRuns: 150 },
  );
});

function holdersByPair(given: Ballot): ReadonlyMap<string, string> {
  return new Map(given.addresses.map(({ address, service, holder }) => [address, `${service} ${holder}`]));
}

function pairsOf(spreadLimits: ReadonlyMap<string, number>): readonly BallotNode[] {
  return [...spreadLimits.keys()].map((name) => ({ name, weight: 1 }));
}
