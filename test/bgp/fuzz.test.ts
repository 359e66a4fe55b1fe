import assert from 'node:assert/strict';
import { suite } from '../support/suite.ts';
import { fuzz } from './fuzz.ts';

const test = suite('bgp/fuzz');

test('three seconds of mutated and made-up messages break no promise, and reach what they are meant to reach', () => {
  const report = fuzz({ seconds: 3, seed: Date.now() % 1_000_000 });
  console.log(JSON.stringify(report));
  assert.ok(report.announced > 100 && report.withdrawn > 100 && report.faulty > 20);
  for (const type of ['open', 'update', 'notification', 'keepalive', 'route-refresh']) {
    assert.ok((report.messages[type] ?? 0) > 0, type);
  }
  const errors = ['1/1', '1/2', '1/3', '2/0', '2/1', '2/2', '2/3', '2/4', '2/6', '3/1', '3/2', '3/9', '3/10'];
  for (const error of errors) assert.ok((report.errors[error] ?? 0) > 0, error);
});
