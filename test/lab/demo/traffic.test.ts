import assert from 'node:assert/strict';
import { outageSince, type Request } from '../../../src/lab/demo/traffic.ts';
import { suite } from '../../support/suite.ts';

const test = suite('lab/demo/traffic');

/** One request every 10 ms from time 0: `.` answered, `x` not. */
const requests = (text: string): Request[] =>
  [...text].map((mark, i) => ({ sent: i * 10, ended: i * 10 + 10, answered: mark === '.' }));

for (const [what, text, want] of [
  ['nothing failed', '............', { firstAnswer: 0, lastFailure: 0, failed: 0, sent: 12 }],
  ['one gap', '..xxx..........', { firstAnswer: 60, lastFailure: 50, failed: 3, sent: 15 }],
  ['a straggler', '..xx.x..........', { firstAnswer: 50, lastFailure: 60, failed: 3, sent: 16 }],
  ['still failing', '..xxx', undefined],
  ['not ten in a row yet', '..xxx.........', undefined],
] as const) {
  test(what, () => assert.deepEqual(outageSince(requests(text), 0), want));
}

test('requests that ended before do not count', () => {
  assert.deepEqual(outageSince(requests('xx..........'), 25), { firstAnswer: 0, lastFailure: 0, failed: 0, sent: 10 });
});
