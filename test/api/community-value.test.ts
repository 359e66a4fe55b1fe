import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type CommunityValue,
  compareCommunities,
  formatCommunity,
  parseCommunity,
} from '../../src/api/community-value.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/community-value');

for (const [text, value] of [
  ['0:0', [0, 0]],
  ['65535:65535', [65_535, 65_535]],
  ['00064:0001', [64, 1]],
  ['large:4294967295:0:7', [4_294_967_295, 0, 7]],
  ['65536:0', 'bad-number'],
  ['0:65536', 'bad-number'],
  ['64512:', 'bad-number'],
  [':', 'bad-number'],
  ['1: 1', 'bad-number'],
  ['0x1:1', 'bad-number'],
  ['large:0:0:4294967296', 'bad-number'],
  ['large:a:b:c', 'bad-number'],
  ['1:2:3:4', 'bad-marker'],
  ['Large:1:2:3', 'bad-marker'],
  ['', 'not-a-value'],
  ['backup', 'not-a-value'],
  ['large:1:2', 'not-a-value'],
  ['1:2:3', 'not-a-value'],
  ['1:2:3:4:5', 'not-a-value'],
] as const) {
  test(`${JSON.stringify(text)} is ${JSON.stringify(value)}`, () => assert.deepEqual(parseCommunity(text), value));
}

const anyValue: fc.Arbitrary<CommunityValue> = fc.oneof(
  fc.tuple(fc.nat(65_535), fc.nat(65_535)),
  fc.tuple(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1)),
);

test('what is written is read back', () => {
  fc.assert(fc.property(anyValue, (value) => assert.deepEqual(parseCommunity(formatCommunity(value)), value)));
});

test('the order is total, and equal are only the same', () => {
  fc.assert(
    fc.property(anyValue, anyValue, (a, b) => {
      const order = Math.sign(compareCommunities(a, b));
      assert.equal(order + Math.sign(compareCommunities(b, a)), 0);
      assert.equal(order === 0, formatCommunity(a) === formatCommunity(b));
    }),
  );
});
