import assert from 'node:assert/strict';
import type { Route } from '../../../src/bgp/route.ts';
import { parsePrefix } from '../../../src/ip/prefix.ts';
import { Departure } from '../../../src/speaker/bgp/departure.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../support/suite.ts';

const test = suite('speaker/bgp/departure');

const prefix = parsePrefix('192.0.2.1/32');
if (typeof prefix === 'string') throw new Error(prefix);
const attributes = { localPref: 150, med: undefined, communities: [7], largeCommunities: [], prepend: 0 };
const routes: readonly Route[] = [{ prefix, attributes }];

function bench(drainTime = 1_000) {
  const clock = new FakeClock();
  const stages: string[] = [];
  const departure: Departure = new Departure({ drainTime, onChange: () => stages.push(departure.stage), clock });
  const told = (peer: string) =>
    Array.from(departure.routes(peer, routes), ({ attributes: { localPref, communities } }) => ({
      localPref,
      communities,
    }));
  return { clock, departure, stages, told };
}

const asIs = [{ localPref: 150, communities: [7] }];

test('routes are there, then the last to be used, then gone', async () => {
  const { clock, departure, stages, told } = bench();
  assert.deepEqual(told('tor'), asIs);
  departure.begin();
  departure.begin({ atOnce: true });
  assert.deepEqual(told('tor'), [{ localPref: 0, communities: [7, 0xffff_0000] }]);
  await clock.advance(999);
  assert.deepEqual(stages, ['leaving']);
  await clock.advance(1);
  assert.deepEqual(stages, ['leaving', 'gone']);
  assert.deepEqual(told('tor'), []);
});

test('nothing changes for the exempt', async () => {
  const { clock, departure, told } = bench();
  departure.begin({ exempt: new Set(['keeper']) });
  await clock.advance(1_000);
  assert.deepEqual([told('keeper'), told('tor')], [asIs, []]);
});

for (const [what, drainTime, atOnce] of [
  ['without time', 0, false],
  ['with nobody to tell', 1_000, true],
] as const) {
  test(`${what} routes are gone at once`, async () => {
    const { clock, departure, stages } = bench(drainTime);
    departure.begin({ atOnce });
    assert.deepEqual(stages, ['gone']);
    await departure.gone();
    assert.equal(clock.pending(), 0);
  });
}

test('who waits is told when the time is over', async () => {
  const { clock, departure } = bench();
  departure.begin();
  let isOver = false;
  void departure.gone().then(() => {
    isOver = true;
  });
  await clock.advance(999);
  assert.equal(isOver, false);
  await clock.advance(1);
  assert.equal(isOver, true);
});

test('it may be called off at any time, and begun again', async () => {
  const { clock, departure, stages, told } = bench();
  departure.cancel();
  departure.begin();
  departure.cancel();
  await clock.advance(5_000);
  assert.deepEqual(stages, ['leaving', 'here']);
  departure.begin({ atOnce: true });
  departure.cancel();
  assert.deepEqual(told('tor'), asIs);
  departure.begin();
  departure.close();
  assert.equal(clock.pending(), 0);
});
