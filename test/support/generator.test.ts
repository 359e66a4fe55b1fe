import assert from 'node:assert/strict';
import { flood, latency } from './generator.ts';
import { netSuite } from './net-suite.ts';
import { connect, Netns } from './netns.ts';

const test = netSuite('support/generator');

const spaces: Netns[] = [];
const place = () => ({ netns: spaces[0]!, interfaceName: 'l0' });

test.before(() => {
  const [a, b] = [Netns.create('left'), Netns.create('right')];
  spaces.push(a, b);
  connect({ netns: a, name: 'l0' }, { netns: b, name: 'r0' });
  b.ip('addr', 'add', '198.18.0.2/15', 'dev', 'r0');
  b.ip('addr', 'add', '2001:db8::2/64', 'dev', 'r0', 'nodad');
});
test.after(() => {
  for (const netns of spaces) netns.destroy();
});

// The kernel holds the first address of each pair and not the second.
for (const [name, first] of [
  ['ARP', '198.18.0.2'],
  ['NDP', '2001:db8::2'],
] as const) {
  test(`counts every ${name} answer, and only answers`, async () => {
    const result = await flood(place(), { first, count: 2, frames: 2_000, rate: 20_000 });
    assert.deepEqual([result.sent, result.answered], [2_000, 1_000]);
  });

  test(`times ${name} answers, and gives up on those that do not come`, async () => {
    const result = await latency(place(), { first, count: 2, probes: 4, gap: 100 });
    assert.deepEqual([result.probes, result.lost], [4, 2]);
    assert.ok(result.p50 > 0 && result.p50 <= result.p99 && result.p99 <= result.max, JSON.stringify(result));
  });
}

test('asks for targets that are as far apart as it is told', async () => {
  const result = await flood(place(), { first: '198.18.0.0', count: 2, step: 2, frames: 1_000, rate: 20_000 });
  assert.deepEqual([result.sent, result.answered], [1_000, 500]);
});

test('does not take the answers to another station for its own', async () => {
  const mine = { first: '198.18.0.3', frames: 1_000, rate: 20_000 };
  const other = { first: '198.18.0.2', frames: 1_000, rate: 20_000, mac: '02:00:00:00:00:bb', address: '198.18.0.9' };
  const [silent, answered] = await Promise.all([flood(place(), mine), flood(place(), other)]);
  assert.deepEqual([silent.answered, answered.answered], [0, 1_000]);
});

test('keeps the rate', async () => {
  const result = await flood(place(), { first: '198.18.0.2', seconds: 0.2, rate: 5_000 });
  assert.ok(result.sent > 500 && result.sent < 1_100, JSON.stringify(result));
});
