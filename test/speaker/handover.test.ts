import assert from 'node:assert/strict';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import type { ServiceAnnouncement } from '../../src/layer2/announcer.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Handover } from '../../src/speaker/handover.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/handover');

const address = (text: string) => parseAddress(text)!;
const announcement = (...texts: readonly string[]): ServiceAnnouncement => ({
  addresses: texts.map(address),
  interfaces: ['eth0'],
});
const to = (node: string | undefined) => () => node;

/** What is announced for the Services a and b, and who has claimed what. */
function made() {
  const clock = new FakeClock();
  const announced = new Map<string, ServiceAnnouncement>();
  const claims = new Set<string>();
  const handover = new Handover({
    clock,
    log: silentLogger,
    hasClaimed: (node, text) => claims.has(`${node} ${text}`),
    announcer: {
      wishOf: (service) => announced.get(service),
      set(service, next) {
        if (next === undefined) announced.delete(service);
        else announced.set(service, next);
      },
    },
  });
  const of = (service: string) => announced.get(service)?.addresses.map(formatAddress).join(' ') ?? '';
  const claim = (node: string, text: string) => {
    claims.add(`${node} ${text}`);
    handover.look();
  };
  return { clock, handover, of, claim, announced };
}

test('an address is let go when the successor says that he has it', async () => {
  const { handover, of, claim, clock } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', undefined, to('node-b'));
  await clock.advance(900);
  assert.equal(of('a'), '192.0.2.1');
  claim('node-c', '192.0.2.1');
  assert.equal(of('a'), '192.0.2.1');
  claim('node-b', '192.0.2.1');
  assert.equal(of('a'), '');
  assert.equal(clock.pending(), 0);
});

test('at once, when he has said so before', () => {
  const { handover, of, claim } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  claim('node-b', '192.0.2.1');
  handover.set('a', undefined, to('node-b'));
  assert.equal(of('a'), '');
});

test('or when he is heard on the wire', () => {
  const { handover, of } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', undefined, to('node-b'));
  handover.heard('node-c', address('192.0.2.1'));
  assert.equal(of('a'), '192.0.2.1');
  handover.heard('node-b', address('192.0.2.1'));
  assert.equal(of('a'), '');
});

test('or after a second, when nothing is heard of him', async () => {
  const { handover, of, clock } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', undefined, to('node-b'));
  await clock.advance(999);
  assert.equal(of('a'), '192.0.2.1');
  await clock.advance(1);
  assert.equal(of('a'), '');
});

test('the second is not begun anew when it is decided again, not even for another successor', async () => {
  const { handover, of, clock } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  for (const node of ['node-b', 'node-b', 'node-c']) {
    handover.set('a', undefined, to(node));
    await clock.advance(400);
  }
  assert.equal(of('a'), '');
});

test('what nobody is to have is withdrawn at once, also while it was being handed over', () => {
  const { handover, of, clock } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', undefined, to('node-b'));
  handover.set('a', undefined, to(undefined));
  assert.equal(of('a'), '');
  assert.equal(clock.pending(), 0);
});

test('what comes back while it was being handed over stays', async () => {
  const { handover, of, clock, claim } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', undefined, to('node-b'));
  handover.set('a', announcement('192.0.2.1'), to('node-b'));
  claim('node-b', '192.0.2.1');
  await clock.advance(5_000);
  assert.equal(of('a'), '192.0.2.1');
});

test('of several addresses each leaves by itself, to its own successor', () => {
  const { handover, of, claim } = made();
  handover.set('a', announcement('192.0.2.1', '192.0.2.2', '192.0.2.3'), to(undefined));
  const next = new Map([
    ['192.0.2.2', 'node-b'],
    ['192.0.2.3', 'node-c'],
  ]);
  handover.set('a', announcement('192.0.2.1'), (one) => next.get(formatAddress(one)));
  assert.equal(of('a'), '192.0.2.1 192.0.2.2 192.0.2.3');
  claim('node-c', '192.0.2.3');
  assert.equal(of('a'), '192.0.2.1 192.0.2.2');
  claim('node-b', '192.0.2.2');
  assert.equal(of('a'), '192.0.2.1');
});

test('what is new is announced while something else leaves', () => {
  const { handover, of } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', announcement('192.0.2.9'), to('node-b'));
  assert.equal(of('a'), '192.0.2.9 192.0.2.1');
});

test('it is idle when everything has left', async () => {
  const { handover, clock, claim } = made();
  await handover.idle();
  for (const [service, text] of [
    ['a', '192.0.2.1'],
    ['b', '192.0.2.2'],
  ] as const) {
    handover.set(service, announcement(text), to(undefined));
    handover.set(service, undefined, to('node-b'));
  }
  let isIdle = false;
  void handover.idle().then(() => {
    isIdle = true;
  });
  claim('node-b', '192.0.2.1');
  await clock.advance(10);
  assert.equal(isIdle, false);
  claim('node-b', '192.0.2.2');
  await clock.advance(0);
  assert.equal(isIdle, true);
});

test('closed, it has let go of everything', () => {
  const { handover, of, clock } = made();
  handover.set('a', announcement('192.0.2.1'), to(undefined));
  handover.set('a', undefined, to('node-b'));
  handover.close();
  handover.close();
  assert.equal(of('a'), '');
  assert.equal(clock.pending(), 0);
});
