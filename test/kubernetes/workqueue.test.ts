import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import { WorkQueue, type WorkQueueOptions } from '../../src/kubernetes/workqueue.ts';
import { sleep, systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/workqueue');

function queueOf(
  clock: FakeClock,
  reconcile: WorkQueueOptions['reconcile'],
  options: Partial<WorkQueueOptions> = {},
): WorkQueue {
  return new WorkQueue({ name: 'test', reconcile, clock, random: seededRandom(1), log: silentLogger, ...options });
}

test('a key added many times is reconciled once, in order of first adding', async () => {
  const seen: string[] = [];
  const queue = queueOf(new FakeClock(), async (key) => void seen.push(key));
  for (const key of ['a', 'b', 'a', 'c', 'a']) queue.add(key);
  assert.deepEqual(seen, [], 'nothing runs within add');
  await queue.idle();
  assert.deepEqual(seen, ['a', 'b', 'c']);
});

test('a key added while it runs is reconciled once more', async () => {
  const clock = new FakeClock();
  let runs = 0;
  const queue = queueOf(clock, async () => {
    runs += 1;
    await sleep(clock, 100);
  });
  queue.add('a');
  await clock.advance(50);
  queue.add('a');
  queue.add('a');
  await clock.advance(1_000);
  assert.equal(runs, 2);
});

test('no key ever runs twice at once, whatever the concurrency', async () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), at: fc.nat(200) }, { noNullPrototype: true });
  const durations = fc.array(fc.nat(50), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(step), durations, fc.integer({ min: 1, max: 4 }), async (steps, lasts, concurrency) => {
      const clock = new FakeClock();
      const running = new Set<string>();
      const startedAt = new Map<string, number>();
      let runs = 0;
      const reconcile = async (key: string) => {
        assert.ok(!running.has(key), `${key} runs twice`);
        running.add(key);
        startedAt.set(key, clock.now());
        assert.ok(running.size <= concurrency);
        const run = ++runs;
        await sleep(clock, lasts[run % lasts.length] ?? 0);
        running.delete(key);
        if (run % 5 === 0) throw new Error('now and then');
      };
      const queue = queueOf(clock, reconcile, { concurrency });
      for (const { key, at } of steps) clock.after(at, () => queue.add(key));
      await clock.advance(60_000);
      for (const { key, at } of steps) assert.ok((startedAt.get(key) ?? -1) >= at, `${key} ran after its last add`);
      assert.equal(queue.counters().failures, Math.floor(runs / 5));
    }),
    { numRuns: 50 },
  );
});

test('one slow key does not hold up others when more than one may run', async () => {
  const clock = new FakeClock();
  const done: string[] = [];
  const reconcile = async (key: string) => {
    await sleep(clock, key === 'slow' ? 10_000 : 10);
    done.push(key);
  };
  const queue = queueOf(clock, reconcile, { concurrency: 2 });
  for (const key of ['slow', 'a', 'b']) queue.add(key);
  await clock.advance(1_000);
  assert.deepEqual(done, ['a', 'b']);
});

test('a failing key comes back later each time, up to the longest wait, and at once after a success', async () => {
  const clock = new FakeClock();
  const times: number[] = [];
  let broken = true;
  const queue = queueOf(
    clock,
    async () => {
      times.push(clock.now());
      if (broken) throw new Error('not yet');
    },
    { backoff: { base: 10, max: 1_000 } },
  );
  queue.add('a');
  await clock.advance(20_000);
  const waits = times.slice(1).map((time, i) => time - times[i]!);
  waits.forEach((wait, i) => {
    assert.ok(wait >= 10 && wait <= Math.min(1_000, 10 * 2 ** (i + 1)), `wait ${i} is ${wait} ms`);
  });
  assert.ok(waits.length > 20 && Math.max(...waits) > 500);

  broken = false;
  await clock.advance(1_000);
  const runs = times.length;
  broken = true;
  queue.add('a');
  await clock.advance(20);
  assert.ok(times.length >= runs + 2, 'the first retry after a success is soon again');
  await queue.stop();
});

test('a server that asks for patience gets it', async () => {
  const clock = new FakeClock();
  let runs = 0;
  const queue = queueOf(clock, async () => {
    runs += 1;
    throw new ApiError('update', '429', { code: 'refused', status: 429, retryAfter: 5_000 });
  });
  queue.add('a');
  await clock.advance(4_999);
  assert.equal(runs, 1);
  await clock.advance(1);
  assert.equal(runs, 2);
  await queue.stop();
});

test('of several wishes for later the earliest is kept', async () => {
  const clock = new FakeClock();
  const times: number[] = [];
  const queue = queueOf(clock, async () => void times.push(clock.now()));
  queue.addAfter('a', 500);
  queue.addAfter('a', 100);
  queue.addAfter('a', 900);
  await clock.advance(2_000);
  assert.deepEqual(times, [100]);
});

test('stop waits for what runs, and begins nothing more', async () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  const queue = queueOf(clock, async (key) => {
    seen.push(`${key} begins`);
    await sleep(clock, 100);
    seen.push(`${key} ends`);
    throw new Error('would be tried again');
  });
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 50);
  await clock.advance(10);
  const stopped = queue.stop();
  queue.add('d');
  await clock.advance(60_000);
  await stopped;
  await queue.stop();
  assert.deepEqual(seen, ['a begins', 'a ends']);
  assert.equal(clock.pending(), 0);
});

test('is idle only when every key at work is done', async () => {
  const clock = new FakeClock();
  const queue = queueOf(clock, (key) => sleep(clock, key === 'slow' ? 10_000 : 10), { concurrency: 2 });
  queue.add('slow');
  queue.add('fast');
  let idle = false;
  void queue.idle().then(() => {
    idle = true;
  });
  await clock.advance(9_999);
  assert.equal(idle, false);
  await clock.advance(1);
  assert.equal(idle, true);
  await queue.idle();
});

test('ten thousand keys that never wait leave the event loop time for others', async () => {
  let beats = 0;
  const heartbeat = systemClock.every(1, () => {
    beats += 1;
  });
  const reconcile = async () => {
    const until = systemClock.now() + 0.05;
    while (systemClock.now() < until);
  };
  const queue = queueOf(new FakeClock(), reconcile, { clock: systemClock });
  for (let i = 0; i < 10_000; i++) queue.add(`key-${i}`);
  await queue.idle();
  heartbeat.cancel();
  assert.equal(queue.counters().reconciles, 10_000);
  assert.ok(beats >= 10, `${beats} timers ran within half a second`);
});
