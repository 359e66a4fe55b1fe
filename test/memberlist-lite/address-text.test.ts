import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import fc from 'fast-check';
import { addressBytes, addressText, endpointText, parseEndpoint } from '../../src/memberlist-lite/address-text.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, hexOf } from './vectors.ts';

const test = suite('memberlist-lite/address-text');

const addresses: readonly [hex: string, text: string][] = [
  ['c0000201', '192.0.2.1'],
  ['00000000', '0.0.0.0'],
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['20010db8000000010000000000000001', '2001:db8:0:1::1'],
  ['00000000000000000000000000000000', '::'],
  ['00010002000300040005000600070008', '1:2:3:4:5:6:7:8'],
  ['00010000000300040005000600070008', '1:0:3:4:5:6:7:8'],
  ['00000000000000000000ffffc0000201', '::ffff:c000:201'],
];
for (const [hex, text] of addresses) {
  test(`writes and reads ${text}`, () => {
    assert.equal(addressText(bytesOf(hex)), text);
    assert.equal(hexOf(addressBytes(text) ?? new Uint8Array(0)), hex);
  });
}

for (const text of [
  '',
  '1',
  '192.0.2',
  '192.0.2.256',
  '192.0.2.01',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  'g::',
  'fe80::1%eth0',
]) {
  test(`"${text}" is no address`, () => assert.equal(addressBytes(text), undefined));
}

test('takes the other spellings of RFC 4291', () => {
  for (const text of ['2001:DB8::1', '2001:db8:0:0:0:0:0:1', '::ffff:192.0.2.1', '0::0']) {
    assert.equal(isIP(addressText(addressBytes(text) ?? new Uint8Array(0)) ?? ''), 6, text);
  }
});

test('every 4 and 16 bytes have a text of their own, which leads back to them', () => {
  const bytes = fc.oneof(...[4, 16].map((length) => fc.uint8Array({ minLength: length, maxLength: length })));
  fc.assert(
    fc.property(bytes, (address) => {
      const text = addressText(address) ?? '';
      assert.equal(isIP(text), address.length === 4 ? 4 : 6);
      assert.deepEqual(addressBytes(text), new Uint8Array(address));
    }),
  );
});

const endpoints: readonly [text: string, address: string | undefined, port: number | undefined][] = [
  ['192.0.2.1:7946', '192.0.2.1', 7946],
  ['[2001:db8::1]:7946', '2001:db8::1', 7946],
  ['node-1.example:1', 'node-1.example', 1],
  ['192.0.2.1', undefined, undefined],
  ['2001:db8::1:7946', undefined, undefined],
  [':7946', undefined, undefined],
  ['192.0.2.1:0', undefined, undefined],
  ['192.0.2.1:65536', undefined, undefined],
];
for (const [text, address, port] of endpoints) {
  test(`"${text}" is ${address === undefined ? 'no endpoint' : `port ${port} of ${address}`}`, () => {
    const endpoint = parseEndpoint(text);
    assert.equal(endpoint?.address, address);
    assert.equal(endpoint?.port, port);
    if (endpoint !== undefined) assert.equal(endpointText(endpoint), text);
  });
}
