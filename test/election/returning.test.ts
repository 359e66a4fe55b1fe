import assert from 'node:assert/strict';
import { returningNodes } from '../../src/election/returning.ts';
import { suite } from '../support/suite.ts';

const test = suite('election/returning');

const minute = 60_000;
/** The first speaker, on a node that has long been there. */
const first = { node: 'first', startedAt: 100 * minute, createdAt: 0 };
const at = (startedAt: number | undefined, createdAt: number | undefined = 0) => ({ node: 'x', startedAt, createdAt });

for (const [fact, one, now, failBackAfter, returning, until] of [
  ['began long after the first', at(200 * minute), 201, undefined, true, undefined],
  ['began two minutes after the first', at(102 * minute), 103, undefined, false, undefined],
  ['began a moment later than that', at(102 * minute + 1), 103, undefined, true, undefined],
  ['has not said when it began', at(undefined), 201, undefined, false, undefined],
  ['is on a Node of the last ten minutes', at(200 * minute, 190 * minute), 201, undefined, false, undefined],
  ['is on a Node that is older than that', at(200 * minute, 190 * minute - 1), 201, undefined, true, undefined],
  ['is on a Node of which no age is known', at(200 * minute, undefined), 201, undefined, true, undefined],
  ['began less than the delay ago', at(200 * minute), 204, 5 * minute, true, 205 * minute],
  ['began as long ago as the delay', at(200 * minute), 205, 5 * minute, false, undefined],
  ['is to be given its part at once, but has just begun', at(200 * minute), 200, 0, true, 200 * minute + 2_000],
  ['is to be given its part at once, and began 2 s ago', at(200 * minute - 2_000), 200, 0, false, undefined],
  ['began soon after the first, and just now', at(101 * minute), 101, undefined, true, 101 * minute + 2_000],
  ['began soon after the first, and 2 s ago', at(101 * minute - 2_000), 101, undefined, false, undefined],
] as const) {
  test(`a node whose speaker ${fact} is ${returning ? 'returning' : 'not returning'}`, () => {
    const found = returningNodes([first, one], now * minute, failBackAfter);
    assert.deepEqual(found, { nodes: new Set(returning ? ['x'] : []), until });
  });
}

test('of several that are returning, the first to end is told', () => {
  const all = [first, ...[200, 190, 210].map((minutes) => ({ ...at(minutes * minute), node: `at-${minutes}` }))];
  const { nodes, until } = returningNodes(all, 211 * minute, 30 * minute);
  assert.deepEqual([...nodes].sort(), ['at-190', 'at-200', 'at-210']);
  assert.equal(until, 220 * minute);
});

test('nobody alive, nobody returning', () => {
  assert.deepEqual(returningNodes([], 0, undefined), { nodes: new Set(), until: undefined });
});
