import assert from 'node:assert/strict';
import { coversPrefix, formatPrefix, parsePrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';

const test = suite('ip/prefix');

for (const [text, canonical] of [
  ['192.0.2.0/24', '192.0.2.0/24'],
  ['192.0.2.77/24', '192.0.2.0/24'],
  ['192.0.2.77/32', '192.0.2.77/32'],
  ['192.0.2.77/0', '0.0.0.0/0'],
  ['192.0.2.0/024', '192.0.2.0/24'],
  ['2001:DB8::7/64', '2001:db8::/64'],
  ['2001:db8::7/128', '2001:db8::7/128'],
  ['ffff::/0', '::/0'],
] as const) {
  test(`${text} is the block ${canonical}`, () => {
    const prefix = parsePrefix(text);
    assert.ok(typeof prefix !== 'string');
    assert.equal(formatPrefix(prefix), canonical);
  });
}

for (const [text, problem] of [
  ['192.0.2.0', 'no-length'],
  ['192.0.2.0/', 'invalid-length'],
  ['192.0.2.0/33', 'invalid-length'],
  ['192.0.2.0/-1', 'invalid-length'],
  ['192.0.2.0/2.4', 'invalid-length'],
  ['192.0.2.0/24/8', 'invalid-length'],
  ['192.0.2.0/255.255.255.0', 'invalid-length'],
  [`192.0.2.0/${'9'.repeat(400)}`, 'invalid-length'],
  ['2001:db8::/129', 'invalid-length'],
  ['192.0.2/24', 'invalid-address'],
  ['::ffff:192.0.2.0/120', 'invalid-address'],
  [' 192.0.2.0/24', 'invalid-address'],
  ['/24', 'invalid-address'],
] as const) {
  test(`${text.slice(0, 40)} is refused as ${problem}`, () => assert.equal(parsePrefix(text), problem));
}

for (const [outer, inner, covers] of [
  ['192.0.2.0/24', '192.0.2.0/24', true],
  ['192.0.2.0/24', '192.0.2.255/32', true],
  ['192.0.2.0/25', '192.0.2.0/24', false],
  ['192.0.2.0/25', '192.0.2.128/25', false],
  ['0.0.0.0/0', '192.0.2.0/24', true],
  ['0.0.0.0/0', '::/0', false],
  ['::/0', '0.0.0.0/32', false],
  ['2001:db8::/32', '2001:db8:ffff::/48', true],
  ['2001:db8::/128', '2001:db8::1/128', false],
] as const) {
  test(`${outer} ${covers ? 'covers' : 'does not cover'} ${inner}`, () => {
    const [one, other] = [outer, inner].map(parsePrefix);
    assert.ok(one && other && typeof one !== 'string' && typeof other !== 'string');
    assert.equal(coversPrefix(one, other), covers);
  });
}
