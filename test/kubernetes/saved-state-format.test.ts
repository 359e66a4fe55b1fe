import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import fc from 'fast-check';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { decodeState, encodeState, type ReadTerms, type RefusalCode } from '../../src/kubernetes/saved-state-format.ts';
import { suite } from '../support/suite.ts';
import { owner, savedAt, stateOf } from './saved-objects.ts';

const test = suite('kubernetes/saved-state-format');

const hour = 3_600_000;
const terms: ReadTerms = { owner, now: savedAt + hour, maxAge: 24 * hour };
const whole = Buffer.concat([...encodeState(owner, stateOf(3))]);

/** With the digest that these bytes should have. */
function signed(text: string): Buffer {
  return Buffer.from(`${text}sha256 ${hash('sha256', text)}\n`);
}

const refusalOf = (bytes: Buffer, changed: Partial<ReadTerms> = {}) => {
  const read = decodeState(bytes, { ...terms, ...changed });
  return 'refused' in read ? read.refused : undefined;
};

test('what is written is read, object for object', () => {
  assert.deepEqual(decodeState(whole, terms), stateOf(3));
});

test('state without any object is state', () => {
  const empty = { asOf: savedAt, kinds: new Map() };
  assert.deepEqual(decodeState(Buffer.concat([...encodeState(owner, empty)]), terms), empty);
});

test('much of it comes in pieces of some 64 KiB', () => {
  const lengths = [...encodeState(owner, stateOf(5_000))].map(({ length }) => length);
  assert.ok(lengths.length > 10, `${lengths.length} pieces`);
  assert.ok(Math.max(...lengths) < 68 * 1024, `${Math.max(...lengths)} bytes`);
});

const header = (changed: object) =>
  JSON.stringify({ ...owner, asOf: '2026-01-01T00:00:00.000Z', kinds: [['v1/nodes', 1]], ...changed });
const file = (second: string, ...objects: readonly string[]) =>
  signed(['garpoon-state 1', second, ...objects, ''].join('\n'));
const object = '{"metadata":{"name":"node-a"}}';

test('the form is one that a person with a text editor understands', () => {
  const kinds = new Map([['v1/nodes', [{ metadata: { name: 'node-a' } }]]]);
  assert.deepEqual(decodeState(file(header({}), object), terms), { asOf: savedAt, kinds });
});

for (const [what, bytes, reason] of [
  ['an empty file', Buffer.alloc(0), 'foreign'],
  ['zeros, as a file system leaves them after a power failure', Buffer.alloc(4_096), 'foreign'],
  ['a file of something else', Buffer.from('#!/bin/sh\n'), 'foreign'],
  ['a first line that never ends', Buffer.alloc(200_000, 'garpoon-state 1'), 'foreign'],
  ['another version of the format', signed('garpoon-state 2\nwhatever\n'), 'version'],
  ['a version of the format that is cut', Buffer.from('garpoon-state 12'), 'foreign'],
  ['a file without its last byte', whole.subarray(0, -1), 'cut'],
  ['a file without its last line', whole.subarray(0, -72), 'cut'],
  ['a file without its second half', whole.subarray(0, whole.length >> 1), 'cut'],
  ['a file with something behind it', Buffer.concat([whole, Buffer.from('\n')]), 'cut'],
  ['a file without a piece of its middle', Buffer.concat([whole.subarray(0, 200), whole.subarray(300)]), 'damaged'],
  ['a file twice', Buffer.concat([whole, whole]), 'damaged'],
  ['no second line', signed('garpoon-state 1\n'), 'garbled'],
  ['a second line that is no JSON', file('node-a'), 'garbled'],
  ['a second line that is null', file('null'), 'garbled'],
  ['a second line without a node', file(header({ node: undefined }), object), 'garbled'],
  ['a time that is none', file(header({ asOf: 'yesterday' }), object), 'garbled'],
  ['a time that is a number', file(header({ asOf: savedAt }), object), 'garbled'],
  ['kinds that are no list', file(header({ kinds: { 'v1/nodes': 1 } }), object), 'garbled'],
  ['a kind without a count', file(header({ kinds: [['v1/nodes']] }), object), 'garbled'],
  ['a negative count', file(header({ kinds: [['v1/nodes', -1]] }), object), 'garbled'],
  ['a count that is no whole number', file(header({ kinds: [['v1/nodes', 0.5]] }), object), 'garbled'],
  ['a count beyond all memory', file(header({ kinds: [['v1/nodes', 2 ** 52]] }), object), 'garbled'],
  ['a kind twice', file(header({ kinds: [['v1/nodes', 1], ['v1/nodes', 0]] }), object), 'garbled'], // biome-ignore format: a row
  ['an object too few', file(header({})), 'garbled'],
  ['an object too many', file(header({}), object, object), 'garbled'],
  ['an object that is no JSON', file(header({}), '{"metadata":'), 'garbled'],
  ['an object that is a list', file(header({}), '[]'), 'garbled'],
  ['an object without metadata', file(header({}), '{}'), 'garbled'],
  ['an object whose metadata are null', file(header({}), '{"metadata":null}'), 'garbled'],
  ['an object without a name', file(header({}), '{"metadata":{"namespace":"shop"}}'), 'garbled'],
  ['an object whose namespace is a number', file(header({}), '{"metadata":{"name":"a","namespace":7}}'), 'garbled'],
] as const satisfies readonly (readonly [string, Buffer, RefusalCode])[]) {
  test(`${what}: refused as ${reason}`, () => assert.equal(refusalOf(bytes), reason));
}

for (const [what, changed, reason] of [
  ['of another node', { owner: { ...owner, node: 'node-b' } }, 'owner'],
  ['of another cluster', { owner: { ...owner, cluster: 'https://192.0.2.2:6443' } }, 'owner'],
  ['of another namespace', { owner: { ...owner, namespace: 'garpoon' } }, 'owner'],
  ['a day and a millisecond old', { now: savedAt + 24 * hour + 1 }, 'too-old'],
  ['a day old', { now: savedAt + 24 * hour }, undefined],
  ['from the future, because the clock of a node without one starts in the past', { now: 0 }, undefined],
] as const) {
  test(`state ${what}: ${reason === undefined ? 'read' : `refused as ${reason}`}`, () => {
    assert.equal(refusalOf(whole, changed), reason);
  });
}

test('a refusal says what is there and what is wanted', () => {
  assert.deepEqual(decodeState(whole, { ...terms, owner: { ...owner, node: 'node-b' } }), {
    refused: 'owner',
    why: 'it is of the node "node-a", and this is "node-b"',
  });
  assert.deepEqual(decodeState(whole, { ...terms, maxAge: 60_000 }), {
    refused: 'too-old',
    why: 'it is 3600 s old, and at most 60 s are allowed',
  });
});

test('a file that is cut anywhere is refused', () => {
  for (let length = 0; length < whole.length; length++) {
    assert.ok(['foreign', 'cut'].includes(refusalOf(whole.subarray(0, length)) ?? ''), `cut after ${length} bytes`);
  }
});

test('a file with one bit turned over is refused', () => {
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = whole[at]! ^ (1 << (at % 8));
    assert.notEqual(refusalOf(damaged), undefined, `bit ${at % 8} of byte ${at}`);
  }
});

const name = fc.string({ unit: 'binary' });
const anyObject: fc.Arbitrary<KubernetesObject> = fc
  .tuple(fc.jsonValue({ maxDepth: 3 }), name, fc.option(name, { nil: undefined }), fc.dictionary(name, name))
  .map(([spec, own, namespace, labels]) => {
    const metadata = { name: own, ...(namespace === undefined ? {} : { namespace }), labels };
    // As JSON carries it: without -0 and prototypes.
    return JSON.parse(JSON.stringify({ metadata, spec }));
  });

test('any objects come back as they were', () => {
  const anyKinds = fc.uniqueArray(fc.tuple(name, fc.array(anyObject, { maxLength: 5 })), {
    selector: ([kind]) => kind,
  });
  fc.assert(
    fc.property(anyKinds, fc.integer({ min: 0, max: 4e12 }), (kinds, asOf) => {
      const state = { asOf, kinds: new Map(kinds) };
      const bytes = Buffer.concat([...encodeState(owner, state)]);
      assert.deepEqual(decodeState(bytes, { owner, now: asOf, maxAge: 0 }), state);
    }),
  );
});

test('any bytes are refused, and never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isSigned) => {
      const text = `garpoon-state 1\n${Buffer.from(bytes).toString('latin1')}\n`;
      assert.notEqual(refusalOf(isSigned ? signed(text) : Buffer.from(bytes)), undefined);
    }),
  );
});
