import assert from 'node:assert/strict';
import { Lease } from '../../src/speaker/lease.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/lease');

/** A lease of 15 s on a responder that a test may silence. `decide` is what happens when it is silent. */
function leased(deadline: number, decide: () => Promise<void> = async () => {}, lapse = 0) {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const state = { silent: false, renewals: 0, decisions: 0 };
  const renew = () => {
    state.renewals += 1;
    return !state.silent;
  };
  const onSilenced = () => {
    state.decisions += 1;
    return decide();
  };
  const lease = new Lease({ responder: { renew }, deadline, lapse, clock, onSilenced, log });
  lease.start();
  return { clock, log, state, lease };
}

test('the lease is renewed five times within the deadline, until it is stopped', async () => {
  const { clock, state, lease } = leased(15_000);
  await clock.advance(15_000);
  assert.equal(state.renewals, 5);
  lease.stop();
  lease.stop();
  await clock.advance(60_000);
  assert.equal(state.renewals, 5);
  assert.equal(clock.pending(), 0);
});

test('a silence that comes to light between two renewals is decided upon, too', () => {
  const { log, state, lease } = leased(15_000);
  state.silent = true;
  lease.renew();
  assert.equal(state.decisions, 1);
  assert.equal(log.of('silenced').length, 1);
});

test('without a deadline nothing is renewed', async () => {
  const { clock, state, lease } = leased(0);
  lease.renew();
  await clock.advance(60_000);
  assert.equal(state.renewals, 0);
  lease.stop();
});

test('a silence is told once, with its length, and decided upon at every renewal until it is over', async () => {
  const { clock, log, state } = leased(15_000);
  await clock.advance(9_000);
  state.silent = true;
  await clock.advance(9_000);
  assert.equal(state.decisions, 3);
  assert.deepEqual(
    log.of('silenced').map(({ level, hungFor, deadline }) => [level, hungFor, deadline]),
    [['error', 3_000, 15_000]],
  );
  state.silent = false;
  await clock.advance(9_000);
  assert.equal(state.decisions, 3);
  state.silent = true;
  await clock.advance(3_000);
  assert.equal(log.of('silenced').length, 2);
});

for (const deadline of [15_000, 0]) {
  test(`a lapse is told once and decided upon at once, with a deadline of ${deadline} ms`, async () => {
    const { clock, log, state, lease } = leased(deadline, undefined, 500);
    await clock.advance(6_000);
    assert.equal(state.decisions, 0);
    state.silent = true;
    lease.lapsed(800);
    assert.equal(state.decisions, 1);
    await clock.advance(6_000);
    assert.ok(state.decisions > 1, 'it is silent still, and decided upon again');
    assert.deepEqual(
      log.of('lapsed').map(({ level, awayFor, lapse }) => [level, awayFor, lapse]),
      [['error', 800, 500]],
    );
    assert.deepEqual(log.of('silenced'), []);
    state.silent = false;
    await clock.advance(6_000);
    const { decisions } = state;
    await clock.advance(6_000);
    assert.equal(state.decisions, decisions);
  });
}

test('a lapse is decided upon though a table has ended the silence: it may have been decided on before', () => {
  const { state, lease } = leased(15_000, undefined, 500);
  lease.lapsed(800);
  assert.equal(state.decisions, 1);
});

test('no second decision begins while the first is under way', async () => {
  const first = Promise.withResolvers<void>();
  const { clock, state } = leased(15_000, () => first.promise);
  state.silent = true;
  await clock.advance(30_000);
  assert.equal(state.decisions, 1);
  first.resolve();
  await clock.advance(3_000);
  assert.equal(state.decisions, 2);
});
