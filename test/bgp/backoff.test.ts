import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Backoff } from '../../src/bgp/backoff.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/backoff');

/** Without jitter. */
const full = { ...seededRandom(1), float: () => 1 };

for (const [why, expected] of [
  ['connection', [1, 2, 4, 8, 16, 32, 60, 60]],
  ['protocol', [2, 8, 32, 120, 120]],
] as const) {
  test(`errors of ${why} make it wait ${expected.join(', ')} seconds`, () => {
    const backoff = new Backoff({ longest: 60_000, random: full });
    assert.deepEqual(
      expected.map(() => backoff.next(why) / 1_000),
      expected,
    );
  });
}

test('a session that has lasted makes it start again', () => {
  const backoff = new Backoff({ longest: 60_000, random: full });
  for (let i = 0; i < 9; i++) backoff.next('connection');
  backoff.reset();
  assert.equal(backoff.next('connection'), 1_000);
});

test('jitter takes a quarter at most, and never makes it less than a second', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.constantFrom('connection', 'protocol'), { maxLength: 50 }), (seed, whys) => {
      const backoff = new Backoff({ longest: 1, random: seededRandom(seed) });
      for (const why of whys) {
        const wait = backoff.next(why as 'connection' | 'protocol');
        assert.ok(wait >= 1_000 && wait <= 120_000);
      }
    }),
  );
});
