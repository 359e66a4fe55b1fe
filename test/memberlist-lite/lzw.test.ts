import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decompress } from '../../src/memberlist-lite/lzw.ts';
import { compress } from '../../src/memberlist-lite/lzw-encoder.ts';
import { isMalformed } from '../../src/memberlist-lite/malformed.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';
import { compress as reference } from './lzw-encoder.ts';
import { bytesOf, hexOf } from './vectors.ts';

const test = suite('memberlist-lite/lzw');

const limit = 8 * 1024 * 1024;
const text = (value: string) => new TextEncoder().encode(value);

/** Made by Go's compress/lzw. */
const vectors: readonly [plain: string, compressed: string][] = [
  ['', '000302'],
  ['a', '00c30404'],
  ['aaaaaaaaaa', '00c3081c483020'],
  ['memberlist memberlist memberlist', '00db946923a68c1c3669e6d0012190a041840a190e2c7830219d80'],
];
for (const [plain, compressed] of vectors) {
  test(`gives "${plain}" for what Go made of it`, () => {
    assert.deepEqual(decompress(bytesOf(compressed), limit), text(plain));
  });
  test(`makes of "${plain}" what Go makes of it`, () => {
    for (const encode of [compress, reference]) assert.equal(hexOf(encode(text(plain))), compressed);
  });
}

const refused: readonly [name: string, hex: string, reason: string][] = [
  ['nothing at all', '', 'compression'],
  ['data that ends before its end code', '00c308', 'compression'],
  ['a first code out of the dictionary', '00050200', 'compression'],
  ['a code that is not defined yet', '00c3f8ff', 'compression'],
];
for (const [name, hex, reason] of refused) {
  test(`refuses ${name}`, () => assert.deepEqual(decompress(bytesOf(hex), limit), { malformed: reason }));
}

test('ignores what follows the end code', () => {
  assert.deepEqual(decompress(bytesOf('00c30404ffff'), limit), text('a'));
});

test('stops at the limit', () => {
  const bomb = compress(new Uint8Array(100_000));
  assert.ok(bomb.length < 2000);
  assert.deepEqual(decompress(bomb, 99_999), { malformed: 'too-big' });
  assert.deepEqual(decompress(bomb, 100_000), new Uint8Array(100_000));
});

test('restores what an encoder fills its dictionary with, several times over', () => {
  for (const alphabet of [1, 2, 17, 256]) {
    const random = seededRandom(alphabet);
    const input = Uint8Array.from({ length: 40_000 }, () => random.integer(alphabet));
    const compressed = compress(input);
    assert.deepEqual(decompress(compressed, limit), input);
    assert.deepEqual(compressed, reference(input), 'as the slow encoder of these tests does it');
  }
});

test('restores what fills the dictionary to the last code and one more', () => {
  const random = seededRandom(1);
  const input = random.bytes(4200);
  for (let length = 3700; length < input.length; length++) {
    const part = input.subarray(0, length);
    const compressed = compress(part);
    assert.deepEqual(decompress(compressed, limit), part.slice());
    if (length % 20 === 0) assert.deepEqual(compressed, reference(part));
  }
});

test('restores any bytes, and does not depend on what was compressed before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
      const compressed = compress(bytes);
      assert.deepEqual(decompress(compressed, limit), new Uint8Array(bytes));
      assert.deepEqual(compressed, reference(bytes));
    }),
  );
});

test('any bytes give a result or a reason, and never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const result = decompress(bytes, 10_000);
      assert.ok(isMalformed(result) || result.length <= 10_000);
    }),
    { numRuns: 2000 },
  );
});
