import assert from 'node:assert/strict';
import { Awareness } from '../../src/memberlist-lite/awareness.ts';
import { suite } from '../support/suite.ts';

const test = suite('memberlist-lite/awareness');

const changes: readonly [change: number, score: number, wait: number][] = [
  [0, 0, 1000],
  [-1, 0, 1000],
  [1, 1, 2000],
  [3, 4, 5000],
  [100, 7, 8000],
  [-1, 6, 7000],
  [-100, 0, 1000],
];

test('keeps its score between healthy and the maximum, and stretches waits by it', () => {
  const awareness = new Awareness(8);
  for (const [change, score, wait] of changes) {
    awareness.change(change);
    assert.equal(awareness.score, score, `after ${change}`);
    assert.equal(awareness.scale(1000), wait, `after ${change}`);
  }
});
