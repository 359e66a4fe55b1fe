import assert from 'node:assert/strict';
import fc from 'fast-check';
import { balanced } from '../../src/election/balanced.ts';
import { elect } from '../../src/election/metallb.ts';
import { metallb } from '../../src/election/metallb-strategy.ts';
import type { Ballot } from '../../src/election/strategy.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';
import { anyBallot } from './any-ballot.ts';
import { ballot, heldBy, movesBetween, narrowed } from './ballot.ts';
import { clusterOf, serviceAt, sha256 } from './support.ts';

const test = suite('election/strategy');

for (const { name, owners } of [metallb, balanced]) {
  const decide = (given: Ballot) => owners(given, sha256);

  test(`${name}: only living candidates own`, () => {
    fc.assert(
      fc.property(anyBallot(30), (given) => {
        const living = new Set(given.nodes.map((node) => node.name));
        const result = decide(given);
        for (const { address, candidates } of given.addresses) {
          const owner = result.get(address);
          if (owner !== undefined) assert.ok(living.has(owner) && candidates.some(({ node }) => node === owner));
        }
      }),
    );
  });

  test(`${name}: a Service's only address has an owner exactly if it has a living candidate`, () => {
    fc.assert(
      fc.property(anyBallot(30), (given) => {
        const living = new Set(given.nodes.map((node) => node.name));
        const addresses = given.addresses.map((one, i) => ({ ...one, service: `shop/web-${i}` }));
        const expected = addresses.filter(({ candidates }) => candidates.some(({ node }) => living.has(node)));
        const result = decide({ ...given, addresses });
        assert.deepEqual([...result.keys()].sort(), expected.map(({ address }) => address).sort());
      }),
    );
  });

  test(`${name}: the order of what was learnt means nothing`, () => {
    fc.assert(
      fc.property(anyBallot(30), fc.integer(), (given, seed) => {
        const random = seededRandom(seed);
        const addresses = shuffled(given.addresses, random).map((one) => ({
          ...one,
          candidates: shuffled(one.candidates, random),
        }));
        const elsewhere = decide({ addresses, nodes: shuffled(given.nodes, random) });
        assert.deepEqual(new Map([...elsewhere].sort()), new Map([...decide(given)].sort()));
      }),
    );
  });

  test(`${name}: what is decided stays decided while nothing changes`, () => {
    const before = decide(ballot(50, 7));
    assert.deepEqual(decide(heldBy(ballot(50, 7), before)), before);
  });

  test(`${name}: a death moves only what the dead node had`, () => {
    const given = heldBy(ballot(50, 7), decide(ballot(50, 7)));
    const before = decide(given);
    const after = decide({ ...given, nodes: given.nodes.slice(1) });
    const lost = [...before.values()].filter((owner) => owner === 'node-0').length;
    assert.equal(movesBetween(before, after), lost);
    assert.equal(after.size, 50);
  });

  test(`${name}: without nodes, or without addresses, nobody owns anything`, () => {
    assert.equal(decide({ ...ballot(5, 3), nodes: [] }).size, 0);
    assert.equal(decide({ ...ballot(5, 3), addresses: [] }).size, 0);
  });
}

test('metallb decides as the election of the first address does', () => {
  const nodes = ['node-0', 'node-1', 'node-2'];
  const given = ballot(30, 3, (i) => `shop/web-${i % 10}`);
  const owners = metallb.owners(given, sha256);
  for (const [i, { address }] of given.addresses.entries()) {
    const first = given.addresses[i % 10]!.address;
    assert.equal(owners.get(address), elect(serviceAt(first), clusterOf(nodes), sha256).owner);
  }
});

test('metallb leaves an address without an owner that the owner of the first one cannot have', () => {
  const given = narrowed(
    ballot(2, 2, () => 'shop/web'),
    (i) => [`node-${i}`],
  );
  assert.deepEqual([...metallb.owners(given, sha256)], [['10.0.0.0', 'node-0']]);
});
