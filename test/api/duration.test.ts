import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseDuration } from '../../src/api/duration.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/duration');

for (const [text, milliseconds] of [
  ['0', 0],
  ['+0', 0],
  ['0s', 0],
  ['90s', 90_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['2.s', 2_000],
  ['+3s', 3_000],
  ['1h2m3s4ms5us6ns', 3_723_004.005006],
  ['7µs', 0.007],
  ['7μs', 0.007],
  ['0.1s', 100],
  ['0.9999999999s', 999.999999],
] as const) {
  test(`${text} are ${milliseconds} ms`, () => assert.equal(parseDuration(text), milliseconds));
}

for (const text of ['', ' ', '90', '-1s', '1d', '1 s', 's', '.s', '1e3s', '1s ', '٣s', '9'.repeat(64)]) {
  test(`${JSON.stringify(text)} is no duration`, () => assert.equal(parseDuration(text), undefined));
}

test('whole seconds are exact however they are cut', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(59), fc.nat(59), (hours, minutes, seconds) => {
      const whole = (hours * 60 + minutes) * 60 + seconds;
      assert.equal(parseDuration(`${hours}h${minutes}m${seconds}s`), whole * 1000);
      assert.equal(parseDuration(`${whole}s`), whole * 1000);
    }),
  );
});

test('any text is a duration or none, and never throws', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseDuration(text);
      assert.ok(parsed === undefined || parsed >= 0);
    }),
  );
});
