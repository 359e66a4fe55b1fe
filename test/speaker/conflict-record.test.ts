import assert from 'node:assert/strict';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import { ConflictRecord } from '../../src/speaker/conflict-record.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/conflict-record');

const address = (text: string) => parseAddress(text)!;
const printer = { mac: '02:00:00:00:00:99', interface: 'eth0' };
const nodeB = { mac: '02:00:00:00:00:0b', interface: 'eth0', node: 'node-b' };

function made() {
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 12));
  const changed: string[] = [];
  const record = new ConflictRecord({ clock, onChange: (one) => void changed.push(formatAddress(one)) });
  return { record, clock, changed };
}

test('a conflict is news once, is kept as long as it is heard of, and is over five minutes later', async () => {
  const { record, clock, changed } = made();
  assert.ok(record.heard(address('192.0.2.1'), printer));
  await clock.advance(200_000);
  assert.ok(!record.heard(address('192.0.2.1'), printer));
  await clock.advance(299_999);
  assert.deepEqual(record.of(address('192.0.2.1')), { ...printer, since: '2026-01-02T12:00:00.000Z' });
  await clock.advance(1);
  assert.equal(record.of(address('192.0.2.1')), undefined);
  assert.deepEqual(changed, ['192.0.2.1', '192.0.2.1']);
  assert.equal(clock.pending(), 0);
  assert.ok(record.heard(address('192.0.2.1'), printer));
});

test('another host is news, and one that ends is over at once', () => {
  const { record, changed } = made();
  record.heard(address('192.0.2.1'), printer);
  assert.ok(record.heard(address('192.0.2.1'), nodeB));
  assert.equal(record.of(address('192.0.2.1'))?.node, 'node-b');
  record.ended(address('192.0.2.1'));
  record.ended(address('192.0.2.1'));
  assert.equal(record.of(address('192.0.2.1')), undefined);
  assert.equal(changed.length, 3);
});

test('of too many the ones heard longest ago are forgotten', () => {
  const { record } = made();
  for (let i = 0n; i < 5_000n; i++) record.heard({ family: 4, value: i }, printer);
  assert.equal(record.of({ family: 4, value: 0n }), undefined);
  assert.notEqual(record.of({ family: 4, value: 4_999n }), undefined);
  record.close();
});
