import assert from 'node:assert/strict';
import { type Address, formatAddress, parseAddress } from '../../src/ip/address.ts';
import { AddressProbe, type Claimant } from '../../src/layer2/address-probe.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('layer2/address-probe');

const address = (text: string) => parseAddress(text)!;
const one = address('192.0.2.1');
const printer: Claimant = { mac: '02:00:00:00:00:99', interface: 'eth0' };
const camera: Claimant = { mac: '02:00:00:00:00:98', interface: 'eth0' };

/** Records in words what it asks and decides: `ask 192.0.2.1`, `free 192.0.2.1`, `refused 192.0.2.1 …:99`. */
function probeWithRecord(rate = 1_000_000) {
  const clock = new FakeClock();
  const told: string[] = [];
  const probe = new AddressProbe({
    responder: { probe: (addresses) => void told.push(`ask ${addresses.map(formatAddress).join(' ')}`) },
    rate,
    clock,
    onFree: (free) => void told.push(`free ${formatAddress(free)}`),
    onRefused: (taken, { mac }, again) =>
      void told.push(`refused ${formatAddress(taken)} ${mac.slice(-2)}${again ? ' again' : ''}`),
  });
  const hold = (addresses: readonly Address[]) => {
    for (const each of addresses) probe.hold(each);
    probe.ask(addresses);
  };
  return { clock, probe, hold, told: () => told.splice(0) };
}

test('an address that nobody claims is free after the last question has had time for an answer', async () => {
  const { clock, probe, hold, told } = probeWithRecord();
  hold([one, address('2001:db8::1')]);
  await clock.advance(1_200);
  assert.deepEqual(told(), ['ask 192.0.2.1 2001:db8::1']);
  assert.ok(probe.isHeld('192.0.2.1'));
  await clock.advance(10);
  assert.deepEqual(told(), ['free 192.0.2.1', 'free 2001:db8::1']);
  assert.ok(!probe.isHeld('192.0.2.1'));
  assert.equal(clock.pending(), 0);
});

test('many addresses are held for as long as it takes to ask for all of them three times', async () => {
  const { clock, hold, told } = probeWithRecord(400);
  const addresses = Array.from({ length: 400 }, (_, i) => address(`198.18.${i >> 8}.${i & 255}`));
  hold(addresses);
  told();
  await clock.advance(4_199);
  assert.deepEqual(told(), []);
  await clock.advance(1);
  assert.equal(told().length, addresses.length);
});

test('an address that is claimed stays held, and is asked for every 30 s until nobody claims it', async () => {
  const { clock, probe, hold, told } = probeWithRecord();
  hold([one]);
  await clock.advance(400);
  probe.claimed(one, printer);
  await clock.advance(29_999);
  assert.deepEqual(told(), ['ask 192.0.2.1', 'refused 192.0.2.1 99']);
  await clock.advance(1);
  assert.deepEqual(told(), ['ask 192.0.2.1']);
  probe.claimed(one, printer);
  assert.deepEqual(told(), ['refused 192.0.2.1 99 again']);
  await clock.advance(30_000);
  assert.deepEqual(told(), ['ask 192.0.2.1']);
  assert.ok(probe.isHeld('192.0.2.1'));
  await clock.advance(1_210);
  assert.deepEqual(told(), ['free 192.0.2.1']);
  assert.equal(clock.pending(), 0);
});

test('a claim of one address leaves the others alone', async () => {
  const { clock, probe, hold, told } = probeWithRecord();
  hold([one, address('192.0.2.2')]);
  told();
  probe.claimed(one, printer);
  await clock.advance(1_210);
  assert.deepEqual(told(), ['refused 192.0.2.1 99', 'free 192.0.2.2']);
});

test('a refusal is told once, and anew when it is by another', async () => {
  const { clock, probe, hold, told } = probeWithRecord();
  hold([one]);
  probe.claimed(one, printer);
  probe.claimed(one, printer);
  probe.claimed(one, camera);
  assert.deepEqual(told(), ['ask 192.0.2.1', 'refused 192.0.2.1 99']);
  await clock.advance(30_000);
  probe.claimed(one, camera);
  assert.deepEqual(told(), ['ask 192.0.2.1', 'refused 192.0.2.1 98']);
});

// The responder does not tell of the same claim twice in 10 s.
for (const [age, outcome] of [
  [0, ['refused 192.0.2.1 99']],
  [9_999, ['refused 192.0.2.1 99']],
  [10_000, ['ask 192.0.2.1', 'free 192.0.2.1']],
] as const) {
  test(`a claim heard ${age} ms before the question ${outcome.length === 1 ? 'is an answer' : 'is none'}`, async () => {
    const { clock, probe, hold, told } = probeWithRecord();
    probe.claimed(one, printer);
    assert.deepEqual(told(), []);
    await clock.advance(age);
    hold([one]);
    await clock.advance(1_210);
    assert.deepEqual(told(), [...outcome]);
  });
}

test('a host that is heard to use the address all the time is not asked', async () => {
  const { clock, probe, hold, told } = probeWithRecord();
  hold([one]);
  for (let i = 0; i < 9; i++) {
    probe.claimed(one, printer);
    await clock.advance(10_000 - 1);
  }
  assert.deepEqual(told(), [
    'ask 192.0.2.1',
    'refused 192.0.2.1 99',
    'refused 192.0.2.1 99 again',
    'refused 192.0.2.1 99 again',
  ]);
});

for (const [state, claims] of [
  ['listened for', 0],
  ['refused', 1],
] as const) {
  test(`an address that is forgotten while it is ${state} is not heard of again`, async () => {
    const { clock, probe, hold, told } = probeWithRecord();
    hold([one]);
    for (let i = 0; i < claims; i++) probe.claimed(one, printer);
    told();
    probe.forget('192.0.2.1');
    probe.claimed(one, camera);
    await clock.advance(60_000);
    assert.deepEqual(told(), []);
    assert.equal(clock.pending(), 0);
  });
}

test('an address that is not held is asked for all the same, and nothing comes of it', async () => {
  const { clock, probe, told } = probeWithRecord();
  probe.ask([one]);
  probe.claimed(one, printer);
  await clock.advance(60_000);
  assert.deepEqual(told(), ['ask 192.0.2.1']);
  probe.ask([]);
  assert.deepEqual(told(), []);
});

test('close forgets every address', async () => {
  const { clock, probe, hold, told } = probeWithRecord();
  hold([one, address('192.0.2.2')]);
  probe.claimed(one, printer);
  told();
  probe.close();
  probe.close();
  await clock.advance(60_000);
  assert.deepEqual(told(), []);
  assert.equal(clock.pending(), 0);
});
