import assert from 'node:assert/strict';
import { suite } from '../support/suite.ts';
import { fuzz } from './fuzz.ts';

const test = suite('memberlist-lite/fuzz');

test('five seconds of mutated captures and made-up messages break no promise, and reach what they are meant to reach', async () => {
  const report = await fuzz({ seconds: 5, seed: Date.now() % 1_000_000 });
  console.log(JSON.stringify(report));
  assert.ok(report.inputs.packets > 100 && report.inputs.streams > 100);
  assert.ok(report.messages > 0 && report.changes > 0 && report.replies > 0);
  for (const reason of ['truncated', 'malformed', 'too-big', 'checksum', 'compression', 'undecryptable'] as const) {
    assert.ok((report.dropped[reason] ?? 0) > 0, reason);
  }
});
