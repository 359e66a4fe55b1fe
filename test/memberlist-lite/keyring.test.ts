import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { Keyring, maxSealOverhead, sealedLength } from '../../src/memberlist-lite/keyring.ts';
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

test('keeps to the keys that it was given, whatever becomes of the memory that they were in', () => {
  const given = Buffer.from(key(1));
  const ring = new Keyring([given]);
  given.fill(0);
  assert.ok(!('malformed' in ring.open(new Keyring([key(1)]).seal(Uint8Array.of(7), none, random), none)));
});

test('any course of adding, using and removing keys leaves a ring that opens all it has, seals with the one used last, and refuses the others', () => {
  const step = fc.tuple(fc.constantFrom('add', 'use', 'remove'), fc.nat({ max: 4 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.constantFrom(0 as const, 1 as const), (steps, version) => {
      const ring = new Keyring([key(0)]);
      let model = [0];
      for (const [what, which] of steps) {
        const known = model.includes(which);
        const legal = what === 'add' || (what === 'use' ? known : model[0] !== which);
        if (!legal) assert.throws(() => ring[what as 'use'](key(which)), { name: 'ConfigError' });
        else ring[what as 'use'](key(which));
        if (legal && what === 'use') model = [which, ...model.filter((other) => other !== which)];
        if (legal && what === 'remove') model = model.filter((other) => other !== which);
        if (what === 'add' && !known) model.push(which);
      }
      for (let which = 0; which <= 4; which++) {
        const theirs = new Keyring([key(which)]);
        const opened = ring.open(theirs.seal(Uint8Array.of(which), none, random, version), none);
        assert.equal('malformed' in opened, !model.includes(which));
        const ours = theirs.open(ring.seal(Uint8Array.of(9), none, random, version), none);
        assert.equal('malformed' in ours, which !== model[0]);
      }
    }),
  );
});

for (const version of [0, 1] as const) {
  test(`restores any bytes that it sealed as version ${version}, and knows their length before`, () => {
    const ring = new Keyring([key(1)]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 20 }), (plain, associated) => {
        const sealed = ring.seal(plain, associated, random, version);
        assert.equal(sealed.length, sealedLength(plain.length, version));
        assert.ok(sealed.length <= plain.length + maxSealOverhead[version]);
        assert.equal(hexOf(ring.open(sealed, associated) as Uint8Array), hexOf(plain));
      }),
    );
  });
}

const misuses: readonly [name: string, code: string, act: () => void][] = [
  ['no key at all', 'NO_KEY', () => new Keyring([])],
  ['a key of 20 bytes', 'KEY_LENGTH', () => new Keyring([key(1, 20)])],
  ['sealing with an unknown key', 'NO_KEY', () => new Keyring([key(1)]).use(key(2))],
  ['removing the key that seals', 'PRIMARY_KEY', () => new Keyring([key(1)]).remove(key(1))],
];
for (const [name, code, act] of misuses) {
  test(`throws for ${name}`, () => assert.throws(act, { code }));
}

function sealVersion0(padded: Uint8Array): Uint8Array {
  const nonce = random.bytes(12);
  const cipher = createCipheriv('aes-256-gcm', sampleKey, nonce);
  return Buffer.concat([Uint8Array.of(0), nonce, cipher.update(padded), cipher.final(), cipher.getAuthTag()]);
}
