import assert from 'node:assert/strict';
import { systemClock } from '../../src/runtime/clock.ts';
import { jsonLogger, type LogLevel } from '../../src/telemetry/json-logger.ts';
import { suite } from '../support/suite.ts';

const test = suite('telemetry/json-logger');

function capture(level: LogLevel) {
  const lines: string[] = [];
  const clock = { ...systemClock, wallTime: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) };
  return { log: jsonLogger({ clock, level, write: (line) => lines.push(line) }), lines };
}

test('a line is one JSON object with time, level, event and fields', () => {
  const { log, lines } = capture('info');
  log.with({ node: 'n1' }).info('announce', { address: '192.0.2.1' });
  assert.deepEqual(lines, [
    '{"ts":"2026-01-02T03:04:05.006Z","level":"info","event":"announce","node":"n1","address":"192.0.2.1"}\n',
  ]);
});

test('lines below the level are dropped', () => {
  const { log, lines } = capture('warn');
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).event),
    ['c', 'd'],
  );
});

test('an error is printed with its causes, each once', () => {
  const { log, lines } = capture('info');
  const cause = new Error('connect ECONNREFUSED');
  log.error('failed', { error: new Error('list services', { cause }) });
  assert.equal(JSON.parse(lines[0]!).error, 'list services: connect ECONNREFUSED');
});

test('values that JSON lacks are printed all the same', () => {
  const { log, lines } = capture('info');
  log.info('values', { big: 2n ** 70n, set: new Set(['a']) });
  const { big, set } = JSON.parse(lines[0]!);
  assert.deepEqual({ big, set }, { big: '1180591620717411303424', set: ['a'] });
});
