import assert from 'node:assert/strict';
import fc from 'fast-check';
import { OrderedMap } from '../../src/allocator/ordered-map.ts';
import { suite } from '../support/suite.ts';

const test = suite('allocator/ordered-map');

const anySteps = fc.array(fc.record({ add: fc.boolean(), key: fc.integer({ min: 0, max: 60 }) }), { maxLength: 300 });

/** Built by these steps: the map, which sums its items up, and the keys as they should be. */
function built(steps: readonly { add: boolean; key: number }[]): [OrderedMap<number, number, number>, Set<number>] {
  const map = new OrderedMap<number, number, number>((item, left = 0, right = 0) => item + left + right);
  const keys = new Set<number>();
  for (const { add, key } of steps) {
    if (add) map.set(key, 2 * key);
    else if (keys.has(key)) map.delete(key);
    if (add) keys.add(key);
    else keys.delete(key);
  }
  return [map, keys];
}

test('floor, ceiling, first and get are those of a sorted list, whatever came and went', () => {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const [map, keys] = built(steps);
      const sorted = [...keys].sort((a, b) => a - b);
      assert.equal(map.size, sorted.length);
      assert.equal(map.first(), sorted[0] === undefined ? undefined : 2 * sorted[0]);
      for (let key = -1; key <= 61; key++) {
        const twice = (found: number | undefined) => (found === undefined ? undefined : 2 * found);
        assert.equal(map.get(key), twice(sorted.find((one) => one === key)));
        assert.equal(map.floor(key), twice(sorted.findLast((one) => one <= key)));
        assert.equal(map.ceiling(key), twice(sorted.find((one) => one >= key)));
      }
    }),
  );
});

test('find passes over whatever its summary rules out, and finds the first that is left', () => {
  fc.assert(
    fc.property(anySteps, fc.integer({ min: 0, max: 60 }), (steps, from) => {
      const [map, keys] = built(steps);
      const right = (item: number) => item % 3 === 0 && item > 0;
      const expected = [...keys].sort((a, b) => a - b).find((key) => key >= from && right(2 * key));
      const found = map.find(from, (sum) => sum > 0, right);
      assert.equal(found, expected === undefined ? undefined : 2 * expected);
    }),
  );
});

test('a summary can be revised in place', () => {
  const items = new Map(Array.from({ length: 50 }, (_, i) => [i, { weight: 1 }]));
  const map = new OrderedMap<number, { weight: number }, number>(
    ({ weight }, left = 0, right = 0) => weight + left + right,
  );
  for (const [key, item] of items) map.set(key, item);
  const heavy = items.get(17)!;
  heavy.weight = 1_000;
  map.revise(17, (_before, { weight }, left = 0, right = 0) => weight + left + right);
  const found = map.find(
    0,
    (sum) => sum >= 1_000,
    ({ weight }) => weight === 1_000,
  );
  assert.equal(found, heavy);
});

for (const [name, keyOf] of [
  ['ascending', (i: number) => i],
  ['descending', (i: number) => -i],
  ['alternating', (i: number) => (i % 2 === 0 ? i : -i)],
] as const) {
  test(`a hundred thousand ${name} keys are looked up along a path of at most 24`, () => {
    const map = new OrderedMap<number, number, number>((_item, left = 0, right = 0) => 1 + Math.max(left, right));
    for (let i = 0; i < 100_000; i++) map.set(keyOf(i), i);
    for (let i = 0; i < 50_000; i++) map.delete(keyOf(i));
    let depth = 0;
    map.find(
      Number.NEGATIVE_INFINITY,
      (height) => {
        depth = Math.max(depth, height);
        return false;
      },
      () => false,
    );
    assert.ok(depth > 0 && depth <= 24, String(depth));
  });
}
