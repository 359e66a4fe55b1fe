import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { Keyring, metallbKey } from '../../src/memberlist-lite/keyring.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, hexOf, sample, sampleKey } from './vectors.ts';

const test = suite('memberlist-lite/keyring');

const none = new Uint8Array(0);
const random = seededRandom(1);
const key = (fill: number, length = 32) => new Uint8Array(length).fill(fill);
const undecryptable = { malformed: 'undecryptable' };

for (const name of [
  'sealed ping',
  'sealed ack',
  'sealed ack, version 0',
  'sealed compressed gossip',
  'metallb gossip',
]) {
  test(`opens what Go sealed: ${name}`, () => {
    const { hex, plain } = sample(name);
    const opened = new Keyring([sampleKey]).open(bytesOf(hex), none);
    assert.equal(hexOf(opened as Uint8Array), plain);
  });
}

for (const length of [16, 24, 32]) {
  test(`opens what it sealed with a key of ${length} bytes`, () => {
    const ring = new Keyring([key(1, length)]);
    const plain = Uint8Array.of(1, 2, 3);
    const sealed = ring.seal(plain, Uint8Array.of(9), random);
    assert.equal(sealed.length, plain.length + 29);
    assert.deepEqual(new Uint8Array(ring.open(sealed, Uint8Array.of(9)) as Uint8Array), plain);
    assert.deepEqual(ring.open(sealed, none), undecryptable, 'authenticates the associated bytes');
  });
}

test('refuses a sealed message with any bit changed', () => {
  const sealed = bytesOf(sample('sealed ack').hex);
  const ring = new Keyring([sampleKey]);
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x80;
    assert.deepEqual(ring.open(changed, none), undecryptable, `byte ${at}`);
  }
});

test('refuses what is too short to be sealed', () => {
  const ring = new Keyring([sampleKey]);
  for (let length = 0; length < 29; length++) {
    assert.deepEqual(ring.open(new Uint8Array(length), none), undecryptable);
  }
});

/** Version 0 pads the plaintext; whoever has the key could still pad it wrongly. */
const paddings: readonly [name: string, plain: string, opened: string | undefined][] = [
  ['of one byte', `${'61'.repeat(15)}01`, '61'.repeat(15)],
  ['of a whole block', '10'.repeat(16), ''],
  ['of no byte', '00'.repeat(16), undefined],
  ['of more than a block', '11'.repeat(32), undefined],
  ['of unequal bytes', `${'61'.repeat(14)}0102`, undefined],
  ['that is no whole block', '0202', undefined],
  ['of an empty message', '', undefined],
];
for (const [name, plain, opened] of paddings) {
  test(`${opened === undefined ? 'refuses' : 'takes off'} a padding ${name}`, () => {
    const result = new Keyring([sampleKey]).open(sealVersion0(bytesOf(plain)), none);
    if (opened === undefined) assert.deepEqual(result, undecryptable);
    else assert.equal(hexOf(result as Uint8Array), opened);
  });
}

test('changes its key while both sides run', () => {
  const ours = new Keyring([key(1)]);
  const theirs = new Keyring([key(1)]);
  const reaches = () => !('malformed' in theirs.open(ours.seal(Uint8Array.of(7), none, random), none));
  assert.ok(reaches());
  ours.add(key(2));
  theirs.add(key(2));
  ours.use(key(2));
  assert.ok(reaches());
  theirs.use(key(2));
  ours.remove(key(1));
  theirs.remove(key(1));
  assert.ok(reaches());
  assert.ok('malformed' in theirs.open(new Keyring([key(1)]).seal(Uint8Array.of(7), none, random), none));
});

const misuses: readonly [name: string, code: string, act: () => void][] = [
  ['no key at all', 'NO_KEY', () => new Keyring([])],
  ['a key of 20 bytes', 'KEY_LENGTH', () => new Keyring([key(1, 20)])],
  ['sealing with an unknown key', 'NO_KEY', () => new Keyring([key(1)]).use(key(2))],
  ['removing the key that seals', 'PRIMARY_KEY', () => new Keyring([key(1)]).remove(key(1))],
];
for (const [name, code, act] of misuses) {
  test(`throws for ${name}`, () => assert.throws(act, { code }));
}

const secret = (text: string) => new TextEncoder().encode(text);
const derived: readonly [name: string, secret: string, length: 16 | 32, key: string][] = [
  ['22 characters', 'A'.repeat(22), 32, '41414141414141414141414141414141414141414141e3b0c44298fc1c149afb'],
  ['a trailing newline', `${'A'.repeat(22)}\n`, 32, '414141414141414141414141414141414141414141410ae3b0c44298fc1c149a'],
  ['22 characters before v0.14', 'A'.repeat(22), 16, '41414141414141414141414141414141'],
];
for (const [name, text, length, expected] of derived) {
  test(`derives MetalLB's key from a secret of ${name}`, () => {
    assert.equal(hexOf(metallbKey(secret(text), length)), expected);
  });
}

function sealVersion0(padded: Uint8Array): Uint8Array {
  const nonce = random.bytes(12);
  const cipher = createCipheriv('aes-256-gcm', sampleKey, nonce);
  return Buffer.concat([Uint8Array.of(0), nonce, cipher.update(padded), cipher.final(), cipher.getAuthTag()]);
}
