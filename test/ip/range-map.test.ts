import assert from 'node:assert/strict';
import { type Address, parseAddress } from '../../src/ip/address.ts';
import { parseRange, type Range } from '../../src/ip/range.ts';
import { RangeMap } from '../../src/ip/range-map.ts';
import { suite } from '../support/suite.ts';

const test = suite('ip/range-map');

const map = new RangeMap(
  [
    ['2001:db8::/64', 'v6'],
    ['192.0.2.128/25', 'high'],
    ['192.0.2.0-192.0.2.99', 'low'],
  ].map(([text, value]) => ({ range: parseRange(text as string) as Range, value })),
);

for (const [text, value] of [
  ['192.0.1.255', undefined],
  ['192.0.2.0', 'low'],
  ['192.0.2.99', 'low'],
  ['192.0.2.100', undefined],
  ['192.0.2.128', 'high'],
  ['192.0.2.255', 'high'],
  ['192.0.3.0', undefined],
  ['::', undefined],
  ['::c000:200', undefined],
  ['2001:db8::', 'v6'],
  ['2001:db8::ffff:ffff:ffff:ffff', 'v6'],
  ['2001:db8:0:1::', undefined],
] as const) {
  test(`${text} is in ${value ?? 'none of the ranges'}`, () => {
    assert.equal(map.get(parseAddress(text) as Address), value);
  });
}

test('without ranges no address has a value', () => {
  assert.equal(new RangeMap([]).get(parseAddress('192.0.2.1') as Address), undefined);
});
