import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Claim, resolveClaims } from '../../src/election/claims.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';
import { sha256 } from './support.ts';

const test = suite('election/claims');

const resolve = (claims: Iterable<Claim>, candidates: readonly string[]) =>
  resolveClaims('10.0.0.1', claims, (node) => candidates.includes(node), sha256)?.node;

const abc = ['node-a', 'node-b', 'node-c'];

// Of equal ones the order is that of MetalLB's hash for 10.0.0.1: b, a, c (test/election/metallb.test.ts).
for (const [name, claims, candidates, holder] of [
  ['nobody has what nobody claims', [], abc, undefined],
  ['the only claim counts', [['node-a', 5]], abc, 'node-a'],
  [
    'the newer claim wins',
    [
      ['node-b', 5],
      ['node-a', 6],
    ],
    abc,
    'node-a',
  ],
  [
    'a newer claim of a node that is no candidate does not count',
    [
      ['node-b', 5],
      ['node-a', 6],
    ],
    ['node-b'],
    'node-b',
  ],
  ['claims of nodes that are no candidates are none', [['node-b', 5]], ['node-a'], undefined],
  [
    'of equal claims the hash decides',
    [
      ['node-c', 5],
      ['node-a', 5],
      ['node-b', 5],
    ],
    abc,
    'node-b',
  ],
  [
    'of equal claims those of candidates count',
    [
      ['node-c', 5],
      ['node-a', 5],
      ['node-b', 5],
    ],
    ['node-a', 'node-c'],
    'node-a',
  ],
] as const) {
  test(name, () => {
    assert.equal(
      resolve(
        claims.map(([node, since]) => ({ node, since })),
        candidates,
      ),
      holder,
    );
  });
}

test('all come to the same holder, in whatever order they heard of the claims, and it is the last to have claimed', () => {
  const anyClaims = fc.uniqueArray(fc.record({ node: fc.nat(20).map((n) => `node-${n}`), since: fc.nat(3) }), {
    selector: ({ node }) => node,
    maxLength: 10,
  });
  fc.assert(
    fc.property(anyClaims, fc.array(fc.nat(20)), fc.integer(), (claims, numbers, seed) => {
      const candidates = numbers.map((n) => `node-${n}`);
      const holder = resolve(claims, candidates);
      assert.equal(resolve(shuffled(claims, seededRandom(seed)), candidates), holder);
      const counted = claims.filter(({ node }) => candidates.includes(node));
      const latest = Math.max(...counted.map(({ since }) => since));
      if (counted.length === 0) assert.equal(holder, undefined);
      else assert.equal(counted.find(({ node }) => node === holder)?.since, latest);
    }),
  );
});
