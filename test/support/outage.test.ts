import assert from 'node:assert/strict';
import { outageOf, percentile, type Request } from './outage.ts';
import { contestedFor, contestedSeconds, longestSilence, movedAddresses, moves, type Sighting } from './sightings.ts';
import { suite } from './suite.ts';

const test = suite('support/outage');

/** One request every 10 ms, each given by when it was answered, as milliseconds after it was sent. */
const requests = (...answers: readonly (number | undefined)[]): Request[] =>
  answers.map((after, i) => ({ target: 0, sent: 10 * i, answered: after === undefined ? undefined : 10 * i + after }));

for (const [what, asked, longest, until, lost] of [
  ['nobody asks', [], 0, undefined, 0],
  ['all is well', requests(1, 1, 1), 1, 1, 0],
  ['one request is lost', requests(1, undefined, 1), 11, 21, 1],
  ['three are lost, and later one', requests(1, undefined, undefined, undefined, 1, undefined, 1), 31, 41, 4],
  ['the answer to a request comes late', requests(1, 24, 16, 6), 24, 34, 0],
  ['the last answers never come', requests(1, undefined, undefined), 10, undefined, 2],
  ['nothing is ever answered', requests(undefined, undefined, undefined), 20, undefined, 3],
  ['the client itself did not run for a while', [...requests(1), { target: 0, sent: 900, answered: 901 }], 1, 1, 0],
] as const) {
  test(`when ${what}, the outage is ${longest} ms and ${lost} are lost`, () => {
    assert.deepEqual(outageOf(asked), { longest, until, lost });
  });
}

test('what was sent before is no part of an outage', () => {
  assert.deepEqual(outageOf(requests(undefined, undefined, 1, 1), 20), { longest: 1, until: 21, lost: 0 });
});

for (const [values, share, expected] of [
  [[], 0.5, 0],
  [[3], 0.99, 3],
  [[4, 1, 3, 2], 0.5, 2],
  [[4, 1, 3, 2], 0.99, 4],
  [Array.from({ length: 200 }, (_, i) => i + 1), 0.99, 198],
] as const) {
  test(`the ${share} percentile of ${values.length} values is ${expected}`, () => {
    assert.equal(percentile(values, share), expected);
  });
}

/** An answer every 10 ms for address 0, by nodes named by a letter. */
const answers = (nodes: string, begin = 0): Sighting[] =>
  [...nodes].map((mac, i) => ({ at: begin + 10 * i, target: 0, mac, kind: 'answer' }));

test('an address moves when another one answers, not when another one only announces it', () => {
  const announced: Sighting = { at: 15, target: 0, mac: 'b', kind: 'announcement' };
  assert.deepEqual(moves([...answers('aaabb'), announced]), [{ at: 30, target: 0, from: 'a', to: 'b' }]);
});

test('an address counts as moved once, however often it moves', () => {
  assert.equal(movedAddresses([...answers('abab'), { at: 5, target: 1, mac: 'a', kind: 'answer' }]), 1);
});

test('the longest silence is the longest gap between two answers, whoever gives them', () => {
  assert.deepEqual([...longestSilence([...answers('aa'), ...answers('b', 500)])], [[0, 490]]);
});

for (const [what, sightings, seconds, milliseconds] of [
  ['stays', answers('aaaa'), 0, 0],
  ['moves', answers('aabb'), 0, 0],
  ['has two owners for a moment', answers('aababb'), 1, 40],
  ['has two owners again later', [...answers('aabab'), ...answers('abab', 2_500)], 2, 2_530],
] as const) {
  test(`an address that ${what} has two owners in ${seconds} seconds, for ${milliseconds} ms at most`, () => {
    assert.equal(contestedSeconds(sightings, 0), seconds);
    assert.equal(contestedFor(sightings, 0), milliseconds);
  });
}
