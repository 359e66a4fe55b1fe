import assert from 'node:assert/strict';
import { Verdicts } from '../../src/liveness/verdicts.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('liveness/verdicts');

/** One speaker's verdicts on b, c, d and e, with whom it has sessions. */
function made(reached: readonly string[] = []) {
  const clock = new FakeClock();
  const dead: string[] = [];
  const told: string[] = [];
  const asked: { name: string; timeout: number }[] = [];
  const verdicts = new Verdicts({
    clock,
    log: silentLogger,
    declareDead: (name) => dead.push(`${name} ${clock.now()}`),
    tellLost: (name) => told.push(name),
    reach(name, timeout) {
      asked.push({ name, timeout });
      const isReached = reached.includes(name);
      return new Promise((resolve) => clock.after(isReached ? 1 : timeout, () => resolve(isReached)));
    },
  });
  for (const name of ['b', 'c', 'd', 'e']) verdicts.up(name);
  return { verdicts, clock, dead, told, asked };
}

test('whom nobody reaches is dead, and the others are told of the loss at once', async () => {
  const { verdicts, clock, dead, told } = made();
  verdicts.lost('b');
  assert.deepEqual(told, ['b']);
  await clock.advance(99);
  assert.deepEqual(dead, []);
  await clock.advance(1);
  assert.deepEqual(dead, ['b 100']);
});

test('whom another still reaches is not', async () => {
  const { verdicts, clock, dead } = made(['b']);
  verdicts.lost('b');
  await clock.advance(10_000);
  assert.deepEqual(dead, []);
});

for (const first of ['the other', 'we'] as const) {
  test(`a second speaker who lost it confirms at once, when ${first} came first`, async () => {
    const { verdicts, clock, dead } = made();
    const both = [() => verdicts.told('b'), () => verdicts.lost('b')];
    if (first === 'we') both.reverse();
    both[0]!();
    await clock.advance(40);
    both[1]!();
    await clock.advance(0);
    assert.deepEqual(dead, ['b 40']);
  });
}

test('what another said long ago confirms nothing', async () => {
  const { verdicts, clock, dead } = made(['b']);
  verdicts.told('b');
  await clock.advance(1_000);
  verdicts.lost('b');
  await clock.advance(1_000);
  assert.deepEqual(dead, []);
});

test('what another said is no verdict while our own session is up', async () => {
  const { verdicts, clock, dead } = made();
  verdicts.told('b');
  await clock.advance(1_000);
  assert.deepEqual(dead, []);
});

test('who comes back before it is confirmed is not dead', async () => {
  const { verdicts, clock, dead } = made();
  verdicts.lost('b');
  await clock.advance(50);
  verdicts.up('b');
  await clock.advance(1_000);
  assert.deepEqual(dead, []);
});

test('when most sessions are lost at once it is us, and there is no verdict', async () => {
  const { verdicts, clock, dead } = made();
  verdicts.lost('b');
  verdicts.lost('c');
  await clock.advance(60);
  verdicts.lost('d');
  await clock.advance(10_000);
  assert.deepEqual(dead, []);
});

test('half of them may die at once', async () => {
  const { verdicts, clock, dead } = made();
  verdicts.lost('b');
  verdicts.lost('c');
  await clock.advance(100);
  assert.deepEqual(dead, ['b 100', 'c 100']);
});

test('one after the other all may die', async () => {
  const { verdicts, clock, dead } = made();
  for (const name of ['b', 'c', 'd', 'e']) {
    verdicts.lost(name);
    await clock.advance(1_000);
  }
  assert.deepEqual(dead, ['b 100', 'c 1100', 'd 2100', 'e 3100']);
});

test('the only other one may die', async () => {
  const { verdicts, clock, dead } = made();
  for (const name of ['c', 'd', 'e']) verdicts.forget(name);
  verdicts.lost('b');
  await clock.advance(100);
  assert.deepEqual(dead, ['b 100']);
});

test('who says himself that he does no work is believed', () => {
  const { verdicts, dead } = made(['b']);
  verdicts.gaveUp('b');
  verdicts.gaveUp('b');
  assert.deepEqual(dead, ['b 0']);
});

test('whom we declared dead in error we ask for longer, for a minute', async () => {
  const { verdicts, clock, dead, asked } = made();
  const error = async () => {
    verdicts.lost('b');
    await clock.advance(1_000);
    verdicts.up('b');
  };
  for (let i = 0; i < 6; i++) await error();
  assert.deepEqual(
    asked.map(({ timeout }) => timeout),
    [100, 200, 400, 800, 800, 800],
  );
  assert.equal(dead.length, 6);
  await clock.advance(61_000);
  verdicts.lost('b');
  assert.equal(asked.at(-1)?.timeout, 100);
});

test('who was dead and comes back later was not declared so in error', async () => {
  const { verdicts, clock, asked } = made();
  verdicts.lost('b');
  await clock.advance(10_000);
  verdicts.up('b');
  verdicts.lost('b');
  assert.deepEqual(
    asked.map(({ timeout }) => timeout),
    [100, 100],
  );
});

test('after a stop there is no verdict', async () => {
  const { verdicts, clock, dead } = made();
  verdicts.lost('b');
  verdicts.stop();
  await clock.advance(1_000);
  assert.deepEqual(dead, []);
});
