import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseAddress } from '../../src/ip/address.ts';
import {
  decodeVerification,
  encodeVerification,
  maxAnswers,
  maxAsked,
  type VerificationMessage,
} from '../../src/speaker/verification-message.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/verification-message');

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const noon = Date.UTC(2026, 0, 2, 12);

// The wire form: what is written here must be understood by every later version.
test('the bytes are those of version 1', () => {
  const asked = [
    { address: parseAddress('192.0.2.1')!, since: noon, macs: ['02:00:00:00:00:0a'] },
    { address: parseAddress('::1')!, since: noon, macs: [] },
  ];
  const time = '80e4d0f4b733';
  assert.equal(
    hexOf(encodeVerification({ claimed: 300, asked })),
    `01 ac02 02 04 818480800c ${time} 01 02000000000a 06 01 ${time} 00`.replaceAll(' ', ''),
  );
});

const anyAddress = fc.oneof(
  fc.bigInt(0n, (1n << 32n) - 1n).map((value) => ({ family: 4, value }) as const),
  fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ({ family: 6, value }) as const),
);
const anyMac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':'));
const exact = { noNullPrototype: true };
const anyMessage: fc.Arbitrary<VerificationMessage> = fc.record(
  {
    claimed: fc.integer({ min: 0, max: 2 ** 20 }),
    asked: fc.array(
      fc.record(
        {
          address: anyAddress,
          since: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
          macs: fc.array(anyMac, { maxLength: maxAnswers }),
        },
        exact,
      ),
      { maxLength: maxAsked },
    ),
  },
  exact,
);

test('what is told is what is read, whatever a later version appends', () => {
  fc.assert(
    fc.property(anyMessage, fc.uint8Array({ maxLength: 20 }), (message, appendix) => {
      const bytes = encodeVerification(message);
      assert.deepEqual(decodeVerification(new Uint8Array([...bytes, ...appendix])), message);
    }),
  );
});

test('a message that is cut short is none', () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), (message, where) => {
      const bytes = encodeVerification(message);
      assert.equal(decodeVerification(bytes.subarray(0, where % bytes.length)), undefined);
    }),
  );
});

test('any bytes are read without an error, and what is read keeps to the bounds', () => {
  const body = fc.uint8Array({ maxLength: 600 }).map((bytes) => new Uint8Array([1, ...bytes]));
  fc.assert(
    fc.property(fc.oneof(body, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      const message = decodeVerification(bytes);
      if (message === undefined) return;
      assert.ok(message.asked.length <= maxAsked);
      for (const { address, macs } of message.asked) {
        assert.ok(macs.length <= maxAnswers);
        assert.ok(address.value < 1n << BigInt(address.family === 4 ? 32 : 128));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('what is too much is left out', () => {
  const macs = Array.from({ length: maxAnswers + 1 }, (_, i) => `02:00:00:00:00:0${i}`);
  const asked = Array.from({ length: maxAsked + 1 }, () => ({
    address: parseAddress('192.0.2.1')!,
    since: noon,
    macs,
  }));
  const read = decodeVerification(encodeVerification({ claimed: 2 ** 40, asked }));
  assert.equal(read?.claimed, 2 ** 20);
  assert.equal(read?.asked.length, maxAsked);
  assert.equal(read?.asked[0]?.macs.length, maxAnswers);
  assert.equal(decodeVerification(new Uint8Array(8_193).fill(1)), undefined);
});
