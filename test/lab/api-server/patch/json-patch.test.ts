import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../../src/lab/api-server/json.ts';
import { applyJsonPatch } from '../../../../src/lab/api-server/patch/json-patch.ts';
import { applyMergePatch } from '../../../../src/lab/api-server/patch/merge-patch.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('lab/api-server/patch/json-patch');

const target = (): JsonObject => ({ a: 1, list: ['x', 'y'], deep: { 'k/e~y': true }, empty: null });

const valid: [name: string, patch: Json, want: JsonObject][] = [
  ['add a member', [{ op: 'add', path: '/b', value: 2 }], { ...target(), b: 2 }],
  ['add replaces a member', [{ op: 'add', path: '/a', value: 2 }], { ...target(), a: 2 }],
  ['add inserts', [{ op: 'add', path: '/list/1', value: 'z' }], { ...target(), list: ['x', 'z', 'y'] }],
  ['add appends', [{ op: 'add', path: '/list/-', value: 'z' }], { ...target(), list: ['x', 'y', 'z'] }],
  ['remove a member', [{ op: 'remove', path: '/empty' }], { a: 1, list: ['x', 'y'], deep: { 'k/e~y': true } }],
  ['remove an item', [{ op: 'remove', path: '/list/0' }], { ...target(), list: ['y'] }],
  ['replace adds a missing member', [{ op: 'replace', path: '/b', value: 2 }], { ...target(), b: 2 }],
  ['replace an item', [{ op: 'replace', path: '/list/0', value: 0 }], { ...target(), list: [0, 'y'] }],
  ['escaped names', [{ op: 'replace', path: '/deep/k~1e~0y', value: 1 }], { ...target(), deep: { 'k/e~y': 1 } }],
  ['move', [{ op: 'move', from: '/list/0', path: '/first' }], { ...target(), list: ['y'], first: 'x' }],
  ['copy', [{ op: 'copy', from: '/list', path: '/twin' }], { ...target(), twin: ['x', 'y'] }],
  ['a test that holds', [{ op: 'test', path: '/deep', value: { 'k/e~y': true } }], target()],
  ['a missing member tests as null', [{ op: 'test', path: '/none', value: null }], target()],
];

for (const [name, patch, want] of valid) {
  test(name, () => {
    const before = target();
    assert.deepEqual(applyJsonPatch(before, patch), want);
    assert.deepEqual(before, target(), 'the target stays as it was');
  });
}

const refused: [name: string, patch: Json, code: string][] = [
  ['no list', { op: 'add' }, 'BadRequest'],
  ['no path', [{ op: 'add' }], 'BadRequest'],
  ['an unknown operation', [{ op: 'bend', path: '/a' }], 'Invalid'],
  ['a test that fails', [{ op: 'test', path: '/a', value: 2 }], 'Invalid'],
  ['remove of nothing', [{ op: 'remove', path: '/none' }], 'Invalid'],
  ['replace of an item that is missing', [{ op: 'replace', path: '/list/2', value: 1 }], 'Invalid'],
  ['add below nothing', [{ op: 'add', path: '/none/x', value: 1 }], 'Invalid'],
  ['an index too far', [{ op: 'add', path: '/list/3', value: 1 }], 'Invalid'],
  ['an index with a leading zero', [{ op: 'remove', path: '/list/00' }], 'Invalid'],
  ['a pointer without a slash', [{ op: 'remove', path: 'a' }], 'Invalid'],
  ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 'BadRequest'],
];

for (const [name, patch, code] of refused) {
  test(`refuses ${name}`, () => {
    assert.throws(() => applyJsonPatch(target(), patch), { code });
  });
}

test('a merge patch merges objects, replaces lists and deletes with null (RFC 7386, appendix A)', () => {
  const cases: [JsonObject, JsonObject, JsonObject][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [before, patch, want] of cases) assert.deepEqual(applyMergePatch(before, patch), want);
});
