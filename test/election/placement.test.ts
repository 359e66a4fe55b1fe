import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { balanced } from '../../src/election/balanced.ts';
import type { Chance } from '../../src/election/chance.ts';
import { FairShares } from '../../src/election/fair-share.ts';
import { type Item, itemsOf } from '../../src/election/item.ts';
import { Occupants } from '../../src/election/occupants.ts';
import { Placement } from '../../src/election/placement.ts';
import type { Ballot } from '../../src/election/strategy.ts';
import { TargetFinder } from '../../src/election/targets.ts';
import { type Random, seededRandom, shuffled } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';
import { ballot, fewestMoves, heldBy, holdersOf, loadsOf, movesBetween, narrowed, nodesOf } from './ballot.ts';
import { sha256 } from './support.ts';

const test = suite('election/placement');

/** `0,2@1`: it may be on node-0 and node-2, and node-1 has it; of a Service of its own. */
function written(nodes: number, ...addresses: readonly string[]): Ballot {
  return {
    nodes: nodesOf(nodes),
    addresses: addresses.map((text, i) => {
      const [some = '', holder] = text.split('@');
      const candidates = some.split(',').map((number) => ({ node: `node-${number}`, weight: 0 }));
      const address = `10.0.0.${i}`;
      return { address, service: address, index: 0, candidates, holder: holder && `node-${holder}` };
    }),
  };
}

/** Up to five nodes, and addresses that may be on some of them, two or three of a Service. */
const anyTight: fc.Arbitrary<Ballot> = fc.integer({ min: 2, max: 5 }).chain((nodes) => {
  const all = Array.from({ length: nodes }, (_, i) => i);
  const any = fc.record({
    some: fc.subarray(all, { minLength: 1 }),
    holder: fc.constantFrom(undefined, 0, 0, ...all),
    service: fc.nat(6),
  });
  return fc.array(any, { minLength: 2, maxLength: 9 }).map((list) => ({
    nodes: nodesOf(nodes),
    addresses: list.map(({ some, holder, service }, i) => ({
      address: `10.0.0.${i}`,
      service: `shop/web-${service}`,
      index: 0,
      candidates: some.map((number) => ({ node: `node-${number}`, weight: 0 })),
      holder: holder === undefined ? undefined : `node-${holder}`,
    })),
  }));
});

/** By no more than the place of the address. */
const chance: Chance = {
  lotOf: ({ address }) => Number(address.split('.')[3]),
  of: (lot, node) => (7 * lot + 11 * node) % 13,
};

/** A ballot settled, and nothing done about evenness; with those limits instead of the right ones, if any. */
function settled({ nodes, addresses }: Ballot, given?: number): readonly Item[] {
  const finder = new TargetFinder(nodes);
  const items = itemsOf(addresses, finder);
  const shares = new FairShares(nodes.length);
  for (const { targets, siblings } of items) shares.add(targets, siblings?.length ?? 1);
  shares.divide();
  const limits = Float64Array.from(nodes, (_, node) => given ?? shares.limit(node));
  new Placement({ items, shares, limits, weights: finder.weights, chance }).settle();
  return items;
}

const ownersOf = (items: readonly Item[]) => new Map(items.map(({ address, at }) => [address, `node-${at}`]));

test('nothing that keeps to the limits moves fewer held addresses, however few places there are', () => {
  fc.assert(
    fc.property(anyTight, (given) => {
      assert.equal(movesBetween(holdersOf(given), ownersOf(settled(given))), fewestMoves(given));
    }),
    {
      numRuns: 3_000,
      // Room is made by what has to move anyway, not by what could stay.
      examples: [
        [written(4, '1,2@1', '0@0', '3@0', '1,3@0', '0,3', '1,3@0', '2,3@0')],
        [written(4, '1,2@1', '0@0', '3@3', '1,3@0', '0,3', '0,1,3@1', '2,3@2')],
      ],
    },
  );
});

test('who makes room for whom is the same in whatever order the addresses were learnt', () => {
  fc.assert(
    fc.property(anyTight, fc.integer(), (given, seed) => {
      const random = seededRandom(seed);
      const other = { nodes: shuffled(given.nodes, random), addresses: shuffled(given.addresses, random) };
      const owners = [...balanced.owners(given, sha256)].sort();
      assert.deepEqual([...balanced.owners(other, sha256)].sort(), owners);
    }),
    { numRuns: 3_000 },
  );
});

test('what has to leave a node has its first choice before what is new', () => {
  // Both 10.0.0.4 and 10.0.0.3 draw node-1, and the one that comes second has to wait until node-2 has one, too.
  const given = written(3, '0,1,2@0', '0,1,2@0', '0,1,2@0', '0,1,2', '0,1,2@0');
  assert.deepEqual(Object.fromEntries(balanced.owners(given, sha256)), {
    '10.0.0.0': 'node-2',
    '10.0.0.1': 'node-0',
    '10.0.0.2': 'node-0',
    '10.0.0.3': 'node-1',
    '10.0.0.4': 'node-1',
  });
});

test('of several nodes that get their part, none is given what another one just was', () => {
  const given = ballot(1_000, 45);
  const before = balanced.owners({ ...given, nodes: nodesOf(40) }, sha256);
  const owners = balanced.owners(heldBy(given, before), sha256);
  const loads = [...loadsOf(owners, given.nodes).values()];
  assert.deepEqual(loads.slice(40), [20, 20, 20, 20, 20]);
  assert.equal(movesBetween(before, owners), 5 * 20);
});

for (const [fact, given, limit] of [
  ['there is no room at all', ballot(7, 3), 0],
  ['there is room for some', ballot(9, 3), 2],
  ['there is none for those that can be on one node only', narrowed(ballot(6, 3), () => ['node-1']), 3],
] as const) {
  test(`were limits wrong, so that ${fact}, every address would have an owner all the same, and loads be even`, () => {
    const items = settled(given, limit);
    for (const { at, targets } of items) assert.ok(targets.nodes.includes(at));
    const targets = given.nodes.filter(({ name }) => given.addresses[0]!.candidates.some(({ node }) => node === name));
    const loads = [...loadsOf(ownersOf(items), targets).values()];
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, loads.join());
    assert.ok(Math.max(...loads) > limit);
  });
}

/** Drawn by our own generator, so that they are always the same. */
function drawn(random: Random): Ballot {
  const upTo = (most: number) => random.integer(most);
  const nodes = 2 + upTo(30);
  const addresses = 10 + upTo(300);
  const weights = upTo(2) === 0 ? [1] : [1, 1, 1, 2, 5, 0];
  return {
    nodes: nodesOf(nodes).map((node) => ({
      ...node,
      weight: weights[upTo(weights.length)]!,
      returning: upTo(8) === 0,
    })),
    addresses: Array.from({ length: addresses }, (_, i) => ({
      address: `10.0.0.${i}`,
      service: `shop/web-${upTo(addresses)}`,
      index: 0,
      candidates: Array.from({ length: upTo(3) === 0 ? nodes : 1 + upTo(4) }, () => ({
        node: `node-${upTo(nodes)}`,
        weight: upTo(5) === 0 ? 3 : 0,
      })),
      holder: upTo(2) === 0 ? undefined : `node-${upTo(1 + (nodes >> upTo(3)))}`,
    })),
  };
}

test('a version decides as the one before, because both are in the cluster while it is replaced', () => {
  const random = seededRandom(1);
  const digest = createHash('sha256');
  for (let i = 0; i < 80; i++) {
    const given = drawn(random);
    const owners = balanced.owners(given, sha256);
    const fewer = heldBy({ ...given, nodes: given.nodes.slice(1) }, owners);
    const without = balanced.owners(fewer, sha256);
    const all = given.nodes.map((node) => ({ ...node, returning: false }));
    const again = balanced.owners(heldBy({ ...given, nodes: all }, without), sha256);
    for (const decided of [owners, without, again]) {
      for (const [address, owner] of [...decided].sort()) digest.update(`${address} ${owner}\n`);
    }
  }
  assert.equal(digest.digest('hex'), '0e190ddd1a5152a0567f679585b1c4b8f6b810beef62f3c13ad4ab08c16a4ce7');
});

test('what is on a node is told in order of address, whatever came and went', () => {
  const items = itemsOf(ballot(40, 4).addresses, new TargetFinder(nodesOf(4)));
  const random = seededRandom(2);
  for (const item of items) item.at = random.integer(5) - 1;
  const occupants = new Occupants(shuffled(items, random), 4);
  for (const item of shuffled(items, random)) {
    if (item.at >= 0) {
      occupants.move(item, random.integer(4));
    } else {
      item.at = random.integer(4);
      occupants.add(item);
    }
    for (let node = 0; node < 4; node++) {
      const addresses = items.filter(({ at }) => at === node).map(({ address }) => address);
      assert.deepEqual(
        occupants.on(node).map(({ address }) => address),
        addresses.sort(),
      );
    }
  }
});
