import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Family } from '../../src/ip/address.ts';
import { holdableParts, isHoldable } from '../../src/ip/holdable.ts';
import { formatRange, parseRange, type Range } from '../../src/ip/range.ts';
import { RangeSet } from '../../src/ip/range-set.ts';
import { suite } from '../support/suite.ts';

const test = suite('ip/holdable');

for (const [text, ...parts] of [
  ['192.0.2.0/24', '192.0.2.0/24'],
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['240.0.0.0-255.255.255.254', '240.0.0.0-255.255.255.254'],
  ['0.0.0.0/0', '1.0.0.0-126.255.255.255', '128.0.0.0-223.255.255.255', '240.0.0.0-255.255.255.254'],
  ['0.255.255.255-1.0.0.0', '1.0.0.0/32'],
  ['127.0.0.1/32'],
  ['224.0.0.0/4'],
  ['255.255.255.255/32'],
  ['::/0', '::2-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['::1/128'],
  ['::2-2001:db8::1', '::2-2001:db8::1'],
  ['fe80::/10', 'fe80::/10'],
  ['ff02::/16'],
] as const) {
  test(`hosts can hold ${parts.join(' and ') || 'nothing'} of ${text}`, () => {
    const range = parseRange(text) as Range;
    assert.deepEqual(holdableParts(range).map(formatRange), parts);
    assert.equal(isHoldable(range), parts[0] === text);
  });
}

// Ends that differ in their first 16 bits, where the boundaries are, or at the ends of the address space.
const anyRange = fc.constantFrom<[Family, bigint]>([4, 16n], [6, 112n]).chain(([family, shift]) => {
  const head = fc.integer({ min: 0, max: 0xffff }).map((value) => BigInt(value) << shift);
  const last = (0x10000n << shift) - 1n;
  const end = fc.oneof(head, fc.constantFrom(0n, 1n, 2n, last - 1n, last));
  return fc
    .tuple(end, end)
    .map(([a, b]): Range => (a < b ? { family, first: a, last: b } : { family, first: b, last: a }));
});

test('a range is holdable exactly when all of it is, and its holdable parts are', () => {
  fc.assert(
    fc.property(anyRange, (range) => {
      const parts = holdableParts(range);
      assert.equal(isHoldable(range), parts.length === 1 && formatRange(parts[0]!) === formatRange(range));
      assert.ok(parts.every(isHoldable));
      const rest = new RangeSet([range]);
      for (const part of parts) rest.remove(part);
      for (const { family, first, last } of rest.ranges()) {
        for (const value of [first, last]) assert.ok(!isHoldable({ family, first: value, last: value }));
      }
    }),
  );
});
