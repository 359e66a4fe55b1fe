import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MessageFramer } from '../../src/bgp/framer.ts';
import { isMessageError, type MessageError } from '../../src/bgp/message-error.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, hexOf, message } from './wire-bytes.ts';

const test = suite('bgp/framer');

/** What comes of bytes handed over in pieces of `size`; the error, if there is one, last. */
function framed(bytes: Uint8Array, size = bytes.length, framer = new MessageFramer()): (string | MessageError)[] {
  const results: (string | MessageError)[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const result = framer.push(bytes.subarray(at, at + size));
    // What shares memory with the chunk is looked at before the chunk is gone.
    if (Array.isArray(result)) results.push(...result.map(hexOf));
    else return [...results, result];
  }
  return framer.fault === undefined ? results : [...results, framer.fault];
}

const keepalive = message(4);
const notification = message(3, '0602 026f6b');
const largest = message(2, `0000 0000 ${'00'.repeat(4096 - 23)}`);
const messages = [keepalive, notification, largest, message(1, '04 fbf4 005a c0000201 00'), keepalive];

for (const size of [1, 2, 18, 19, 20, 1000, 4096, 100_000]) {
  test(`gives whole messages, ${size} bytes at a time`, () => {
    assert.deepEqual(framed(bytesOf(messages.join('')), size), messages);
  });
}

test('gives the same messages wherever the stream is cut', () => {
  const bytes = bytesOf(messages.join(''));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 40 }), (sizes) => {
      const framer = new MessageFramer();
      const found: string[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        const result = framer.push(bytes.slice(at, at + size));
        assert.ok(Array.isArray(result));
        found.push(...result.map(hexOf));
        at += size;
      }
      assert.deepEqual(found, messages);
    }),
  );
});

const header = (length: number, type: number) => `${'ff'.repeat(16)}${length.toString(16).padStart(4, '0')}0${type}`;
const faults: readonly [name: string, hex: string, code: number, subcode: number, data: string][] = [
  ['another marker', `${'ff'.repeat(15)}fe001304`, 1, 1, ''],
  ['what is not BGP at all', hexOf(new TextEncoder().encode('GET / HTTP/1.1\r\nHost: a')), 1, 1, ''],
  ['length 18', header(18, 4), 1, 2, '0012'],
  ['length 0', header(0, 4), 1, 2, '0000'],
  ['length 4097', header(4097, 2), 1, 2, '1001'],
  ['a KEEPALIVE of 20 bytes', header(20, 4), 1, 2, '0014'],
  ['an OPEN of 28 bytes', header(28, 1), 1, 2, '001c'],
  ['an UPDATE of 22 bytes', header(22, 2), 1, 2, '0016'],
  ['a NOTIFICATION of 20 bytes', header(20, 3), 1, 2, '0014'],
  ['a ROUTE-REFRESH of 22 bytes', header(22, 5), 1, 2, '0016'],
  ['type 6', header(19, 6), 1, 3, '06'],
];
for (const [name, hex, code, subcode, data] of faults) {
  for (const size of [1, 1000]) {
    test(`ends at ${name}, ${size} bytes at a time, by its header alone`, () => {
      const [error, ...more] = framed(bytesOf(hex), size) as MessageError[];
      assert.ok(error !== undefined && isMessageError(error) && more.length === 0);
      assert.deepEqual([error.code, error.subcode, hexOf(error.data)], [code, subcode, data]);
    });
  }
}

test('gives the messages before a fault, has the fault at once, and takes nothing after it', () => {
  const framer = new MessageFramer();
  const result = framer.push(bytesOf(`${notification}${header(18, 4)}`));
  assert.deepEqual((result as Uint8Array[]).map(hexOf), [notification]);
  assert.equal(framer.fault?.subcode, 2);
  assert.equal(framer.push(bytesOf(keepalive)), framer.fault);
  assert.equal(framer.push(new Uint8Array(0)), framer.fault);
});

test('takes UPDATEs of 65,535 bytes once both sides have said so, whole and in single bytes', () => {
  const whole = message(2, `0000 0000 ${'00'.repeat(65_535 - 23)}`);
  for (const size of [65_535, 1]) {
    const framer = new MessageFramer();
    framer.extended = true;
    assert.deepEqual(framed(bytesOf(whole), size, framer), [whole]);
  }
  assert.equal((framed(bytesOf(whole)) as MessageError[])[0]?.subcode, 2);
});

test('takes no longer OPEN than ever, whatever both sides have said', () => {
  const framer = new MessageFramer();
  framer.extended = true;
  assert.equal((framed(bytesOf(header(4097, 1)), 19, framer) as MessageError[])[0]?.subcode, 2);
});

test('takes two megabytes in single bytes in a time that grows with their number only', () => {
  const bytes = bytesOf(largest);
  const feed = (framer: MessageFramer, times: number) => {
    const begun = performance.now();
    for (let i = 0; i < times; i++) for (let at = 0; at < bytes.length; at++) framer.push(bytes.subarray(at, at + 1));
    return performance.now() - begun;
  };
  feed(new MessageFramer(), 20);
  const framer = new MessageFramer();
  framer.extended = true;
  const few = feed(framer, 50);
  const many = feed(framer, 500);
  assert.ok(many < few * 10 * 5 + 1000, `${few} ms and ${many} ms`);
});
