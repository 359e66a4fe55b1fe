import assert from 'node:assert/strict';
import { Pace } from '../../src/runtime/pace.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('runtime/pace');

const takes = (pace: Pace, count: number) => Array.from({ length: count }, () => pace.take());

test('so many turns are at once, and the others one after the other', () => {
  const pace = new Pace({ rate: 10, burst: 3, clock: new FakeClock() });
  assert.deepEqual(takes(pace, 6), [0, 0, 0, 100, 200, 300]);
});

test('a pause gives back what it is long, and no more than the burst', async () => {
  const clock = new FakeClock();
  const pace = new Pace({ rate: 10, burst: 3, clock });
  takes(pace, 3);
  await clock.advance(200);
  assert.deepEqual(takes(pace, 3), [0, 0, 100]);
  await clock.advance(60_000);
  assert.deepEqual(takes(pace, 4), [0, 0, 0, 100]);
});
