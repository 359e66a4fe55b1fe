import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { systemUptime } from '../../src/runtime/uptime.ts';
import { suite } from '../support/suite.ts';

const test = suite('runtime/uptime');

test('it is the time since the machine was started, suspension included, in milliseconds', () => {
  // The first number of the file is that of CLOCK_BOOTTIME.
  const kernels = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000;
  const before = kernels();
  const ours = systemUptime();
  const after = kernels();
  assert.ok(before <= ours + 0.001 && ours <= after + 0.001, `${before} ${ours} ${after}`);
});
