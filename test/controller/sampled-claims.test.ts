import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Claim, SampledClaims } from '../../src/controller/sampled-claims.ts';
import { suite } from '../support/suite.ts';

const test = suite('controller/sampled-claims');

function claims(count: number, verified: number, since = 100_900, node = 'node-a'): readonly Claim[] {
  return Array.from({ length: count }, (_, i) => ({ node, since, isVerified: i < verified }));
}

function counting(...lists: readonly (readonly Claim[])[]): SampledClaims {
  const counts = new SampledClaims();
  for (const claim of lists.flat()) counts.add(claim);
  return counts;
}

for (const [fact, counts, expected] of [
  ['the sample of many stands for all', counting(claims(200, 50)), true],
  ['what comes a moment later is of the same claim', counting(claims(40, 30), claims(40, 0, 101_100)), true],
  ['few are all asked about, so each stands for itself', counting(claims(50, 49)), false],
  ['a bad sample stands for nothing', counting(claims(200, 25)), false],
  ['what was claimed at another time says nothing', counting(claims(40, 40), claims(40, 0, 105_000)), false],
  ['another node says nothing', counting(claims(40, 0), claims(200, 50, 100_900, 'node-b')), false],
] as const) {
  test(fact, () => assert.equal(counts.vouchFor('node-a', 100_900), expected));
}

test('what is removed does not count, whatever it was removed with', () => {
  const claim = fc.record({
    node: fc.constantFrom('node-a', 'node-b'),
    since: fc.integer({ min: 0, max: 3_000 }),
    isVerified: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 100 }), fc.array(claim, { maxLength: 200 }), (gone, stay) => {
      const counts = counting(gone, stay);
      for (const one of gone) counts.remove(one);
      for (const node of ['node-a', 'node-b']) {
        for (const since of [0, 1_000, 2_500]) {
          assert.equal(counts.vouchFor(node, since), counting(stay).vouchFor(node, since));
        }
      }
    }),
  );
});
