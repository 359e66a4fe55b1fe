import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Address, parseAddress } from '../../src/ip/address.ts';
import { formatRange, parseRange, type Range } from '../../src/ip/range.ts';
import { RangeSet } from '../../src/ip/range-set.ts';
import { suite } from '../support/suite.ts';

const test = suite('ip/range-set');

const range = (text: string) => parseRange(text) as Range;
const address = (text: string) => parseAddress(text) as Address;
const setOf = (...texts: string[]) => new RangeSet(texts.map(range));
const texts = (set: RangeSet) => set.ranges().map(formatRange);

for (const [name, set, expected] of [
  ['ranges that touch become one', setOf('192.0.2.0/25', '192.0.2.128/25'), ['192.0.2.0/24']],
  ['ranges that overlap become one', setOf('192.0.2.0/25', '192.0.2.64-192.0.2.255'), ['192.0.2.0/24']],
  ['a range swallows what lies in it', setOf('192.0.2.8/30', '192.0.2.20/30', '192.0.2.0/24'), ['192.0.2.0/24']],
  ['a range that is there already changes nothing', setOf('192.0.2.0/24', '192.0.2.8/30'), ['192.0.2.0/24']],
  ['families are kept apart', setOf('2001:db8::/64', '192.0.2.0/24'), ['192.0.2.0/24', '2001:db8::/64']],
] as const) {
  test(name, () => assert.deepEqual(texts(set), expected));
}

test('an address taken out of a /64 leaves two ranges, and one when it comes back', () => {
  const set = setOf('2001:db8::/64');
  set.remove(range('2001:db8::5/128'));
  assert.deepEqual(texts(set), ['2001:db8::-2001:db8::4', '2001:db8::6-2001:db8::ffff:ffff:ffff:ffff']);
  assert.equal(set.size(6), (1n << 64n) - 1n);
  set.add(range('2001:db8::5/128'));
  assert.deepEqual(texts(set), ['2001:db8::/64']);
});

test('the first address is the lowest of its family', () => {
  const set = setOf('198.51.100.7/32', '192.0.2.9/32', '2001:db8::1/128');
  assert.deepEqual(set.first(4), address('192.0.2.9'));
  assert.deepEqual(set.first(6), address('2001:db8::1'));
  set.remove(range('192.0.2.0/24'));
  assert.deepEqual(set.first(4), address('198.51.100.7'));
  set.remove(range('0.0.0.0/0'));
  assert.equal(set.first(4), undefined);
});

test('the ends of the address space are addresses like others', () => {
  const set = setOf('0.0.0.0/0');
  set.remove(range('0.0.0.0/32'));
  set.remove(range('255.255.255.255/32'));
  assert.deepEqual(texts(set), ['0.0.0.1-255.255.255.254']);
  set.add(range('255.255.255.255/32'));
  set.add(range('0.0.0.0/32'));
  assert.deepEqual(texts(set), ['0.0.0.0/0']);
});

type Change = { readonly add: boolean; readonly range: Range };

const low = 40;

const anyRange = fc
  .tuple(fc.constantFrom<4 | 6>(4, 6), fc.nat(low - 1), fc.nat(low - 1))
  .map(([family, a, b]): Range => ({ family, first: BigInt(Math.min(a, b)), last: BigInt(Math.max(a, b)) }));

const anyChange: fc.Arbitrary<Change> = fc.record({ add: fc.boolean(), range: anyRange }, { noNullPrototype: true });

test('it holds the same addresses as a plain set after any changes', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30 }), anyRange, (changes, probe) => {
      const set = new RangeSet();
      const model = { 4: new Set<bigint>(), 6: new Set<bigint>() };
      for (const change of changes) {
        if (change.add) set.add(change.range);
        else set.remove(change.range);
        for (let value = change.range.first; value <= change.range.last; value++) {
          if (change.add) model[change.range.family].add(value);
          else model[change.range.family].delete(value);
        }
      }
      for (const family of [4, 6] as const) {
        const members = [...model[family]].sort((a, b) => Number(a - b));
        assert.equal(set.size(family), BigInt(members.length));
        assert.deepEqual(set.first(family)?.value, members[0]);
        for (let value = 0n; value < low; value++) assert.equal(set.has({ family, value }), model[family].has(value));
      }
      const members = [...model[probe.family]];
      assert.equal(
        set.overlaps(probe),
        members.some((value) => probe.first <= value && value <= probe.last),
      );
      assertMaximal(set.ranges());
    }),
  );
});

/** Ascending, and never two that touch. */
function assertMaximal(ranges: readonly Range[]): void {
  for (const [index, { family, first }] of ranges.entries()) {
    const before = ranges[index - 1];
    if (before?.family === family) assert.ok(before.last + 1n < first);
    else assert.ok(before === undefined || before.family < family);
  }
}
