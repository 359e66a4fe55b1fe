import assert from 'node:assert/strict';
import { maxMetaBytes } from '../../src/memberlist-lite/limits.ts';
import { decodeMemberMeta, encodeMemberMeta, isOurs, maxMacs } from '../../src/speaker/member-meta.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/member-meta');

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const macOf = (number: number) => `02:00:00:00:00:${number.toString(16).padStart(2, '0')}`;
const many = Array.from({ length: 200 }, (_, i) => macOf(i));

for (const [what, macs, hex] of [
  ['no MAC address', [], '0100'],
  ['one', ['02:00:00:00:00:0a'], '010102000000000a'],
  ['two, in whatever order', ['fe:ff:ff:ff:ff:ff', '02:00:00:00:00:0a'], '010202000000000afeffffffffff'],
  ['one twice', ['02:00:00:00:00:0a', '02:00:00:00:00:0a'], '010102000000000a'],
  ['what is none', ['', 'eth0', '02:00:00:00:00', '02:00:00:00:00:0a:0b', '02-00-00-00-00-0a'], '0100'],
] as const) {
  test(`${what} is told as ${hex}, and read back`, () => {
    const meta = encodeMemberMeta(macs);
    assert.ok(isOurs(meta));
    assert.equal(Buffer.from(meta).toString('hex'), hex);
    const valid = [...new Set(macs)].filter((mac) => mac.length === 17 && mac.includes(':')).sort();
    assert.deepEqual(decodeMemberMeta(meta), valid);
  });
}

test('more MAC addresses than fit are left out', () => {
  const meta = encodeMemberMeta(many);
  assert.ok(meta.length <= maxMetaBytes);
  assert.deepEqual(decodeMemberMeta(meta), many.slice(0, maxMacs));
});

for (const [what, hex] of [
  ['nothing, as MetalLB’s speakers tell', ''],
  ['a version alone', '01'],
  ['fewer MAC addresses than counted', '010202000000000a'],
  ['half a MAC address', '0101020000'],
  ['another version', '020102000000000a'],
  ['more than anybody tells', `01${(maxMacs + 1).toString(16)}${'02000000000a'.repeat(maxMacs + 1)}`],
  ['the tags of a Serf agent', 'ff81a4726f6c65a3776562'],
  ['any text', Buffer.from('{"macs":[]}').toString('hex')],
] as const) {
  test(`${what} reads as no MAC address`, () => {
    assert.deepEqual(decodeMemberMeta(bytes(hex)), []);
  });
}

test('MetalLB’s speakers and Serf’s agents are not ours', () => {
  for (const hex of ['', 'ff81a4726f6c65a3776562']) assert.equal(isOurs(bytes(hex)), false);
});

test('what a later version appends is passed over', () => {
  assert.deepEqual(decodeMemberMeta(bytes('010102000000000affff')), ['02:00:00:00:00:0a']);
});
