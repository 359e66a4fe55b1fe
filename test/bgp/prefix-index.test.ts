import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PrefixIndex } from '../../src/bgp/prefix-index.ts';
import { formatPrefix, type Prefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/prefix-index');

/** Few enough to meet again, and alike in all but some of their bits. */
const anyPrefix = {
  4: fc
    .tuple(fc.nat(40), fc.constantFrom(0, 8, 24), fc.constantFrom(24, 32))
    .map(([value, shift, length]): Prefix => ({ family: 4, value: BigInt((value << shift) >>> 0), length })),
  6: fc
    .tuple(fc.nat(40), fc.constantFrom(0, 31, 32, 64, 96, 122), fc.constantFrom(64, 128))
    .map(([value, shift, length]): Prefix => ({ family: 6, value: BigInt(value) << BigInt(shift), length })),
};

for (const family of [4, 6] as const) {
  test(`IPv${family} prefixes have numbers of their own, from when they are added until they are removed`, () => {
    const anyStep = fc.tuple(fc.constantFrom('add', 'add', 'remove'), anyPrefix[family]);
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 200, size: 'max' }), (steps) => {
        const index = new PrefixIndex(family);
        const model = new Map<string, number>();
        for (const [step, prefix] of steps) {
          const text = formatPrefix(prefix);
          const number = model.get(text);
          assert.equal(index.find(prefix), number);
          if (step === 'remove') {
            if (number !== undefined) index.remove(number);
            model.delete(text);
          } else {
            const added = index.add(prefix);
            assert.equal(added, number ?? added);
            model.set(text, added);
          }
          assert.equal(index.size, model.size);
        }
        assert.equal(new Set(model.values()).size, model.size);
        for (const [text, number] of model) assert.equal(formatPrefix(index.prefixAt(number)), text);
        const used = Array.from({ length: index.end }, (_, number) => number).filter((number) => index.has(number));
        assert.deepEqual(
          used,
          [...model.values()].sort((a, b) => a - b),
        );
      }),
    );
  });
}

test('the numbers are no more than the most prefixes there have been', () => {
  const index = new PrefixIndex(4);
  for (let round = 0; round < 50; round++) {
    const numbers = Array.from({ length: 100 }, (_, i) =>
      index.add({ family: 4, value: BigInt(1_000 * round + i), length: 32 }),
    );
    for (const number of numbers) index.remove(number);
  }
  assert.equal(index.end, 100);
  assert.equal(index.size, 0);
});
