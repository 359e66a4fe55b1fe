import assert from 'node:assert/strict';
import { flood } from '../support/generator.ts';
import { netSuite } from '../support/net-suite.ts';
import { eventually } from '../support/suite.ts';
import { isArpReplyFor, node, solicit, Testbed, vip, whoHas } from './testbed.ts';

const test = netSuite('net/table');

let bed: Testbed;
test.before.each(async () => {
  bed = await Testbed.create();
});
test.after.each(() => bed.close());

const place = () => ({ netns: bed.client, interfaceName: 'c0' });

test('answers for what the last table says, and for nothing else', async () => {
  const [kept, removed, added] = ['198.18.1.1', '198.18.1.2', '198.18.1.3'];
  await bed.serve(kept, removed, vip.v6);
  for (const address of [kept, removed, vip.v6]) await bed.ask(address);
  await bed.serve(kept, added);
  for (const address of [kept, added]) await bed.ask(address);
  await bed.expectNoArpAnswer('a removed address', whoHas(removed));
  await bed.expectNoAdvertisement('a removed address', solicit(vip.v6));
});

test('answers for every one of 10,000 addresses and for none around them', async () => {
  const addresses = Array.from({ length: 10_000 }, (_, i) => `198.19.${16 + (i >> 8)}.${i & 255}`);
  await bed.serve(...addresses);
  const inside = await flood(place(), { first: addresses[0]!, count: 10_000, frames: 10_000, rate: 20_000 });
  assert.deepEqual([inside.sent, inside.answered], [10_000, 10_000]);
  await bed.expectNoArpAnswer('a neighbour', whoHas('198.19.15.255'), whoHas('198.19.55.16'));
});

test('answers for every one of 1,000 IPv6 addresses', async () => {
  const addresses = Array.from({ length: 1_000 }, (_, i) => `2001:db8::c:${(i + 1).toString(16)}`);
  await bed.serve(...addresses);
  const inside = await flood(place(), { first: addresses[0]!, count: 1_000, frames: 5_000, rate: 10_000 });
  assert.deepEqual([inside.sent, inside.answered], [5_000, 5_000]);
});

test('loses no request while the table is swapped over and over', async () => {
  const kept = Array.from({ length: 100 }, (_, i) => `198.19.1.${i}`);
  const others = Array.from({ length: 1_000 }, (_, i) => `198.19.${4 + (i >> 8)}.${i & 255}`);
  await bed.serve(...kept);
  let flooding = true;
  const result = flood(place(), { first: kept[0]!, count: kept.length, frames: 40_000, rate: 20_000 }).finally(() => {
    flooding = false;
  });
  let swaps = 0;
  for (; flooding; swaps++) await bed.responder.serve(...kept, ...others.slice(0, (swaps % 10) * 100));
  const { sent, answered } = await result;
  assert.deepEqual([sent, answered], [40_000, 40_000]);
  assert.ok(swaps >= 100, `only ${swaps} swaps`);
});

test('goes on answering while the event loop stands still', async () => {
  await bed.serve(vip.v4);
  await bed.responder.blockEventLoop(3_000);
  let blocked = true;
  const afterwards = bed.responder.counters().finally(() => {
    blocked = false;
  });
  const result = await flood(place(), { first: vip.v4, frames: 2_000, rate: 1_000 });
  assert.ok(blocked, 'the event loop ran again too early for this test');
  assert.deepEqual([result.sent, result.answered], [2_000, 2_000]);
  assert.ok((await afterwards).arpAnswered >= 2_000);
});

test('sleeps while nobody asks, and through the talk of others', async () => {
  await bed.serve(vip.v4, vip.v6);
  await finished();
  const { wakeups } = await bed.responder.counters();
  const ping = bed.client.run('ping', '-c', '3', '-i', '0.2', '-W', '1', node.v4);
  assert.match(ping, / 3 received/);
  assert.ok(
    (await bed.responder.counters()).wakeups - wakeups <= 1,
    'the request for the node itself may wake it once',
  );
});

test('counts what it answers', async () => {
  await bed.serve(vip.v4, vip.v6);
  const before = await bed.responder.counters();
  await bed.ask(vip.v4);
  await bed.ask(vip.v4);
  await bed.ask(vip.v6);
  const after = await bed.responder.counters();
  assert.equal(after.arpAnswered - before.arpAnswered, 2);
  assert.equal(after.ndpAnswered - before.ndpAnswered, 1);
});

test('serves nothing, listens to nothing and takes part in no group after close, however often it is closed', async () => {
  await bed.serve(vip.v4, vip.v6);
  await bed.responder.closeResponder();
  await bed.responder.closeResponder();
  assert.deepEqual(packetSockets(), []);
  assert.ok(!bed.node.ip('maddr', 'show', 'dev', 'n0').includes('ff02::1:ff0a:10'));
  bed.wire.clear();
  bed.wire.send(whoHas(vip.v4));
  await bed.wire.ask(whoHas(node.v4), "the kernel's answer", isArpReplyFor(node.v4));
  assert.equal(bed.wire.take(isArpReplyFor(vip.v4)), undefined);
  assert.ok(bed.responder.running);
});

test('falls silent when its process is killed', async () => {
  await bed.serve(vip.v4);
  await bed.responder.kill();
  assert.deepEqual(packetSockets(), []);
});

/** Nothing has woken the responder for a while: what starting it has set off is over. */
async function finished(): Promise<void> {
  let seen = -1;
  let since = performance.now();
  await eventually('the responder is at rest', async () => {
    const { wakeups } = await bed.responder.counters();
    if (wakeups !== seen) since = performance.now();
    seen = wakeups;
    return performance.now() - since > 500;
  });
}

function packetSockets(): string[] {
  return bed.node.run('cat', '/proc/net/packet').trim().split('\n').slice(1);
}
