import assert from 'node:assert/strict';
import fc from 'fast-check';
import { next, type Position, previous, toPosition } from '../../src/allocator/position.ts';
import { SpanSet } from '../../src/allocator/span-set.ts';
import { suite } from '../support/suite.ts';

const test = suite('allocator/span-set');

/** Around the end of plain numbers, so that spans reach over it. */
const start = BigInt(Number.MAX_SAFE_INTEGER) - 20n;

for (const [name, at] of [
  ['small positions', (i: number): Position => i],
  ['positions around 2^53', (i: number): Position => toPosition(start + BigInt(i))],
] as const) {
  test(`a set of spans has what was added and not removed: ${name}`, () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 200 }), (toggled) => {
        const spans = new SpanSet();
        const plain = new Set(Array.from({ length: 41 }, (_, i) => i));
        spans.add(at(0), at(40));
        for (const i of toggled) {
          if (plain.delete(i)) {
            spans.remove(at(i));
          } else {
            plain.add(i);
            spans.add(at(i));
          }
        }
        const sorted = [...plain].sort((a, b) => a - b);
        for (let i = 0; i <= 41; i++) {
          const expected = sorted.find((one) => one >= i);
          assert.equal(spans.from(at(i)), expected === undefined ? undefined : at(expected));
        }
      }),
    );
  });
}

test('a position has one form, so that two ways to it are equal', () => {
  const last = toPosition(BigInt(Number.MAX_SAFE_INTEGER));
  assert.equal(typeof last, 'number');
  assert.equal(typeof next(last), 'bigint');
  assert.equal(previous(next(last)), last);
  assert.equal(next(previous(next(last))), next(last));
});

test('the end of a /64 is removed and added like any other position', () => {
  const last = toPosition(2n ** 64n - 1n);
  const spans = new SpanSet();
  spans.add(0, last);
  spans.remove(last);
  assert.equal(spans.from(last), undefined);
  spans.add(last);
  assert.equal(spans.from(last), last);
});
