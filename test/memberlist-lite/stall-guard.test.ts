import assert from 'node:assert/strict';
import { StallGuard } from '../../src/memberlist-lite/stall-guard.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';
import { Process } from './ring.ts';

const test = suite('memberlist-lite/stall-guard');

/** Timers of 100 ms, once and again, in a process that is held up from 150 ms on for a while. */
const cases: readonly [held: number, stalls: readonly number[]][] = [
  [0, []],
  [80, []],
  [130, [80]],
  [1000, [950]],
];
for (const [held, stalls] of cases) {
  test(`being held up for ${held} ms is ${stalls.length === 0 ? 'nothing' : `a stall of ${stalls[0]} ms`}`, async () => {
    const clock = new FakeClock();
    const process = new Process(clock);
    const log: (string | number)[] = [];
    const guard = new StallGuard(process.clock, 50, (duration) => log.push(duration));
    guard.every(100, () => log.push('tick'));
    guard.after(200, () => log.push('once'));
    await clock.advance(150);
    process.hold();
    await clock.advance(held);
    process.resume();
    await clock.advance(1000);
    assert.deepEqual(
      log.filter((entry) => typeof entry === 'number'),
      stalls,
    );
    // The owner hears of it before the timer that was late.
    if (stalls.length > 0) assert.deepEqual(log.slice(0, 4), ['tick', ...stalls, 'once', 'tick']);
  });
}

test('a cancelled timer does not run', async () => {
  const clock = new FakeClock();
  const guard = new StallGuard(clock, 50, () => {});
  let ran = 0;
  for (const timer of [guard.after(100, () => ran++), guard.every(100, () => ran++)]) timer.cancel();
  await clock.advance(1000);
  assert.equal(ran, 0);
  assert.equal(clock.pending(), 0);
});
