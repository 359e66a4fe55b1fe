import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import fc from 'fast-check';
import {
  type Address,
  addressBits,
  addressBytes,
  addressFromBytes,
  compareAddresses,
  type Family,
  formatAddress,
  parseAddress,
} from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('ip/address');

const anyOf = (family: Family): fc.Arbitrary<Address> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(addressBits[family])) - 1n }).map((value) => ({ family, value }));

const anyAddress: fc.Arbitrary<Address> = fc
  .oneof(anyOf(4), anyOf(6))
  .filter((address) => address.family === 4 || address.value >> 32n !== 0xffffn);

for (const [text, canonical] of [
  ['192.0.2.1', '192.0.2.1'],
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['::', '::'],
  ['::1', '::1'],
  ['fe80::', 'fe80::'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
] as const) {
  test(`${text} is written ${canonical}`, () => {
    const address = parseAddress(text);
    assert.ok(address);
    assert.equal(formatAddress(address), canonical);
  });
}

for (const text of [
  '',
  '1',
  '0x7f.1',
  '192.0.2',
  '192.0.2.01',
  '192.0.2.256',
  '192.0.2.1 ',
  'fe80::1%eth0',
  '::ffff:192.0.2.1',
  ':::',
  '2001:db8::1::2',
  '12345::',
]) {
  test(`${JSON.stringify(text)} is not an address`, () => {
    assert.equal(parseAddress(text), undefined);
  });
}

test('text and bytes give back every address', () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      assert.deepEqual(parseAddress(formatAddress(address)), address);
      assert.deepEqual(addressFromBytes(addressBytes(address)), address);
    }),
  );
});

test('any text is an address or undefined, never a throw, and agrees with isIP', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseAddress(text);
      if (address !== undefined) assert.equal(address.family, isIP(text));
    }),
  );
});

test('byte lengths other than 4 and 16 are refused', () => {
  for (const length of [0, 1, 3, 5, 15, 17]) assert.equal(addressFromBytes(new Uint8Array(length)), undefined);
});

test('addresses are ordered by family, then by value', () => {
  const sorted = ['2001:db8::1', '192.0.2.10', '192.0.2.9', '::1'].map((text) => parseAddress(text)!);
  sorted.sort(compareAddresses);
  assert.deepEqual(sorted.map(formatAddress), ['192.0.2.9', '192.0.2.10', '::1', '2001:db8::1']);
});
