import assert from 'node:assert/strict';
import { fast, lan, local, wan } from '../../src/memberlist-lite/config.ts';
import { remainingSuspicion, Suspicion, suspicionTimes } from '../../src/memberlist-lite/suspicion.ts';
import { suite } from '../support/suite.ts';

const test = suite('memberlist-lite/suspicion');

const times = { k: 3, min: 2000, max: 30_000 };
/** max − (max − min) · ln(c + 1) / ln(k + 1), cut to whole milliseconds, less what has passed. */
const remaining: readonly [confirmations: number, elapsed: number, left: number][] = [
  [0, 0, 30_000],
  [1, 2000, 14_000],
  [2, 3000, 4810],
  [3, 4000, -2000],
  [4, 5000, -3000],
  [5, 10_000, -8000],
];
for (const [confirmations, elapsed, left] of remaining) {
  test(`${left} ms are left after ${elapsed} ms and ${confirmations} confirmations`, () => {
    assert.equal(remainingSuspicion(confirmations, elapsed, times), left);
  });
}

test('without anyone to confirm it, the wait is the shortest from the start', () => {
  assert.equal(remainingSuspicion(0, 500, { k: 0, min: 2000, max: 30_000 }), 1500);
});

const scales = [
  ['lan', lan, 3, { k: 0, min: 4000, max: 24_000 }],
  ['lan', lan, 10, { k: 2, min: 4000, max: 24_000 }],
  ['lan', lan, 30, { k: 2, min: 5908, max: 35_448 }],
  ['lan', lan, 100, { k: 2, min: 8000, max: 48_000 }],
  ['wan', wan, 5, { k: 0, min: 30_000, max: 180_000 }],
  ['wan', wan, 6, { k: 4, min: 30_000, max: 180_000 }],
  ['local', local, 2, { k: 0, min: 3000, max: 18_000 }],
  ['local', local, 3, { k: 1, min: 3000, max: 18_000 }],
  ['fast', fast, 3, { k: 0, min: 800, max: 1600 }],
  ['fast', fast, 0, { k: 0, min: 800, max: 1600 }],
] as const;
for (const [name, config, members, expected] of scales) {
  test(`${members} members with ${name} settings wait ${expected.min} to ${expected.max} ms`, () => {
    assert.deepEqual(suspicionTimes(members, config), expected);
  });
}

test('counts each accuser once, the first one never, and none beyond k', () => {
  const suspicion = new Suspicion('a', 1000, times);
  assert.equal(suspicion.deadline, 31_000);
  const counted = ['a', 'b', 'b', 'c', 'd', 'e'].map((from) => suspicion.confirm(from));
  assert.deepEqual(counted, [false, true, false, true, true, false]);
  assert.equal(suspicion.deadline, 3000);
});

test('gives back the time in which nobody listened', () => {
  const suspicion = new Suspicion('a', 0, times);
  suspicion.excuse(700);
  assert.equal(suspicion.deadline, 30_700);
});
