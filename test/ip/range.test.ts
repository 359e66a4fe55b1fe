import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Address, addressBits, type Family, parseAddress } from '../../src/ip/address.ts';
import { formatRange, parseRange, type Range, rangeHas, rangeSize } from '../../src/ip/range.ts';
import { suite } from '../support/suite.ts';

const test = suite('ip/range');

for (const [text, canonical, size] of [
  ['192.0.2.0/24', '192.0.2.0/24', 256n],
  ['192.0.2.9/30', '192.0.2.8/30', 4n],
  ['192.0.2.10-192.0.2.20', '192.0.2.10-192.0.2.20', 11n],
  ['  192.0.2.10 -  192.0.2.20 ', '192.0.2.10-192.0.2.20', 11n],
  ['192.0.2.8-192.0.2.11', '192.0.2.8/30', 4n],
  ['192.0.2.9-192.0.2.12', '192.0.2.9-192.0.2.12', 4n],
  ['192.0.2.1-192.0.2.1', '192.0.2.1/32', 1n],
  ['0.0.0.0/0', '0.0.0.0/0', 1n << 32n],
  ['2001:db8::/64', '2001:db8::/64', 1n << 64n],
  ['2001:db8::1-2001:db8::ff', '2001:db8::1-2001:db8::ff', 255n],
] as const) {
  test(`"${text}" is ${canonical}`, () => {
    const range = parseRange(text);
    assert.ok(typeof range !== 'string');
    assert.equal(formatRange(range), canonical);
    assert.equal(rangeSize(range), size);
  });
}

for (const [text, problem] of [
  ['', 'empty'],
  ['   ', 'empty'],
  ['192.0.2.1', 'bare-address'],
  ['2001:db8::1', 'bare-address'],
  ['office', 'invalid-address'],
  ['192.0.2.1-', 'invalid-address'],
  ['-192.0.2.1', 'invalid-address'],
  ['192.0.2.1-20', 'invalid-address'],
  ['192.0.2.1-192.0.2.5-192.0.2.9', 'invalid-address'],
  ['192.0.2.0/25-192.0.2.255', 'invalid-address'],
  ['fe80::1%eth0-fe80::9%eth0', 'invalid-address'],
  ['192.0.2.0/33', 'invalid-length'],
  ['192.0.2.1-2001:db8::1', 'mixed-families'],
  ['192.0.2.20-192.0.2.10', 'reversed'],
] as const) {
  test(`"${text}" is refused as ${problem}`, () => assert.equal(parseRange(text), problem));
}

test('both ends belong to a range, their neighbours and the other family do not', () => {
  const range = parseRange('192.0.2.10-192.0.2.20') as Range;
  const inside = (text: string) => rangeHas(range, parseAddress(text) as Address);
  assert.deepEqual(['192.0.2.9', '192.0.2.10', '192.0.2.20', '192.0.2.21', '::c000:20a'].map(inside), [
    false,
    true,
    true,
    false,
    false,
  ]);
});

const anyRange = fc.constantFrom<Family>(4, 6).chain((family) => {
  const value = fc.bigInt({ min: 0n, max: (1n << BigInt(addressBits[family])) - 1n });
  const ends = fc.tuple(value, value).map(([a, b]) => (a < b ? ([a, b] as const) : ([b, a] as const)));
  return ends.map(([first, last]): Range => ({ family, first, last }));
});

test('a written range reads back as itself', () => {
  // IPv4-mapped IPv6 has no text of its own.
  const writable = anyRange.filter(
    ({ family, first, last }) => family === 4 || (first >> 48n > 0n && last >> 48n > 0n),
  );
  fc.assert(fc.property(writable, (range) => assert.deepEqual(parseRange(formatRange(range)), range)));
});

test('any text is a range or a reason', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0129af:./- ') }), (text) => {
      const range = parseRange(text);
      assert.ok(typeof range === 'string' || range.first <= range.last);
    }),
  );
});
