import assert from 'node:assert/strict';
import { isMalformed } from '../../src/memberlist-lite/malformed.ts';
import type { Entry } from '../../src/memberlist-lite/member-table.ts';
import { memberStates, type NodeState } from '../../src/memberlist-lite/messages.ts';
import { encodePushPull, PushPullReader, versionsAgree } from '../../src/memberlist-lite/push-pull.ts';
import { suite } from '../support/suite.ts';
import { bytesOf, hexOf, sample } from './vectors.ts';

const test = suite('memberlist-lite/push-pull');

const entry = (name: string, changes: Partial<Entry> = {}): Entry => ({
  name,
  address: '127.0.0.1',
  port: 7946,
  meta: new Uint8Array(0),
  vsn: bytesOf('010502000000'),
  incarnation: 1,
  state: 'alive',
  since: 0,
  ...changes,
});

test('writes the request that a MetalLB speaker writes', () => {
  const { inflated } = sample('metallb push/pull request');
  assert.equal(hexOf(encodePushPull([entry('b', { address: '127.0.0.2', port: 17954 })], true)), inflated);
});

test('reads back a table of every state', () => {
  const table = memberStates.map((state, i) => entry(`node-${i}`, { state, incarnation: i * 1000 }));
  const result = new PushPullReader().read(encodePushPull(table, false));
  assert.ok(result !== undefined && !isMalformed(result));
  const told = result.states.map(({ name, state, incarnation }) => [name, memberStates[state], incarnation]);
  assert.deepEqual(
    told,
    table.map(({ name, state, incarnation }) => [name, state, incarnation]),
  );
});

test('reads the largest table there may be', () => {
  const table = Array.from({ length: 10_000 }, (_, i) => entry(`a-node-with-a-rather-long-name-${i}.example.com`));
  const bytes = encodePushPull(table, true);
  assert.ok(bytes.length < 4 * 1024 * 1024);
  const result = new PushPullReader().read(bytes);
  assert.ok(result !== undefined && !isMalformed(result));
  assert.equal(result.states.length, 10_000);
});

/** Versions as protocol min, max, current and delegate min, max, current. */
const agreements: readonly [name: string, ours: string, theirs: string, state: Entry['state'], agree: boolean][] = [
  ['two like MetalLB', '010502000000', '010502000000', 'alive', true],
  ['Serf and one like MetalLB', '010502000000', '010502020504', 'alive', false],
  ['Serf and one with its delegate versions', '010502020504', '010502020504', 'alive', true],
  ['one that speaks a protocol we do not understand', '010502000000', '010706000000', 'alive', false],
  ['one that does not understand what we speak', '010502000000', '030503000000', 'alive', false],
  ['one that understands less and speaks the same', '010502000000', '010302000000', 'alive', true],
  ['a dead one whose version does not fit', '010502000000', '010706000000', 'dead', false],
  ['a dead one that understands little', '010502000000', '020202000000', 'dead', true],
];
for (const [name, ours, theirs, state, agree] of agreements) {
  test(`${agree ? 'goes together with' : 'refuses'}: ${name}`, () => {
    assert.equal(versionsAgree([entry('a', { vsn: bytesOf(ours) })], [stateOf('b', theirs, state)]), agree);
    const both = [stateOf('a', ours, 'alive'), stateOf('b', theirs, state)];
    assert.equal(versionsAgree([], both), agree, 'whoever tells it');
  });
}

test('refuses a member that tells no versions, as peers do', () => {
  assert.equal(versionsAgree([entry('a')], [stateOf('b', '', 'alive')]), false);
});

function stateOf(name: string, vsn: string, state: Entry['state']): NodeState {
  const { address: addr, port, meta, incarnation } = entry(name);
  return { name, addr, port, meta, incarnation, state: memberStates.indexOf(state), vsn: bytesOf(vsn) };
}
