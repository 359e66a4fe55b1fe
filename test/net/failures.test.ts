import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { flood } from '../support/generator.ts';
import { netSuite } from '../support/net-suite.ts';
import type { Frame } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { isAnnouncementOf, requestFor, Testbed, type TestbedOptions, vip } from './testbed.ts';

const test = netSuite('net/failures');

const second = '02:00:00:00:01:0f';

let bed: Testbed;
const start = async (options: TestbedOptions = {}) => {
  bed = await Testbed.create({ gratuitous: { rounds: 1 }, ...options });
};
test.after.each(() => bed.close());

const errors = () => bed.responder.events.filter((event) => event.type === 'error');

async function errorTold() {
  const event = await bed.responder.event('an error', ({ type }) => type === 'error');
  assert.ok(event.type === 'error');
  return event;
}

/** Lets the process have so many more descriptors than it has. */
function allowDescriptors(more: number): void {
  const open = new Set(readdirSync(`/proc/${bed.responder.pid}/fd`).map(Number));
  let limit = 0;
  for (let free = 0; open.has(limit) || free++ < more; ) limit += 1;
  execFileSync('prlimit', ['--pid', String(bed.responder.pid), `--nofile=${limit}:`]);
}

test('tells once that no descriptor was left for a socket, serves without, and opens it as soon as there is one', async () => {
  await start();
  allowDescriptors(1);
  await bed.responder.serve(vip.v4, vip.v6);
  const { operation, code, name } = await errorTold();
  assert.deepEqual([operation, code, name], ['open NDP socket', 'EMFILE', 'n0']);
  await bed.responder.serve(vip.v4, vip.v6, '198.18.1.11');
  await eventually('what can be served is', () => bed.ask('198.18.1.11', { limit: 100 }));
  assert.ok((await bed.responder.counters()).socketFailures >= 2);
  assert.deepEqual(errors(), []);
  allowDescriptors(100);
  bed.wire.clear();
  for (const address of [vip.v4, vip.v6]) {
    await eventually(`${address} is announced`, () => bed.wire.take(isAnnouncementOf(address)));
    await bed.ask(address);
  }
  assert.deepEqual(errors(), []);
});

test('tells that no descriptor was left to join a group, hears solicitations all the same, and tries again', async () => {
  await start();
  await bed.responder.serve(vip.v4);
  await eventually('it answers', () => bed.ask(vip.v4, { limit: 100 }));
  allowDescriptors(1);
  await bed.responder.serve(vip.v4, vip.v6);
  const { operation, code, name } = await errorTold();
  assert.deepEqual([operation, code, name], ['join solicited-node groups', 'EMFILE', 'n0']);
  await bed.ask(vip.v6);
  allowDescriptors(100);
  await eventually('joined', () => bed.node.ip('maddr', 'show', 'dev', 'n0').includes('ff02::1:ff0a:10'));
});

test('does not take it for a failure that an interface goes down under it, and answers when it is up', async () => {
  await start();
  await bed.serve(vip.v4, vip.v6);
  for (let i = 0; i < 10; i++) {
    await bed.responder.announce(vip.v4, vip.v6);
    bed.wire.send(...Array.from({ length: 20 }, () => [requestFor(vip.v4), requestFor(vip.v6)]).flat());
    bed.node.ip('link', 'set', 'n0', 'down');
    bed.node.ip('link', 'set', 'n0', 'up');
    for (const address of [vip.v4, vip.v6]) await eventually('answers', () => bed.ask(address, { limit: 100 }));
  }
  assert.deepEqual(errors(), []);
  assert.equal((await bed.responder.counters()).socketFailures, 0);
});

test('does not take it for a failure that an interface is deleted under it, and answers when it is made anew', async () => {
  await start({ gratuitous: { rounds: 100, interval: 10 } });
  const child = { v4: '198.18.1.11', v6: '2001:db8::a:11' };
  await bed.serve(vip.v4, ...[child.v4, child.v6].map((address) => ({ address, interfaces: ['mv0'] })));
  const place = { netns: bed.client, interfaceName: 'c0' };
  const elsewhere = flood(place, { first: vip.v4, frames: 4_000, rate: 2_000 });
  for (let i = 0; i < 10; i++) {
    bed.node.ip('link', 'add', 'mv0', 'link', 'n0', 'address', second, 'type', 'macvlan', 'mode', 'bridge');
    bed.node.ip('link', 'set', 'mv0', 'up');
    for (const address of [child.v4, child.v6]) {
      const { frame } = await eventually('mv0 answers', () => bed.ask(address, { limit: 100 }));
      assert.equal(frame.source, second);
    }
    bed.wire.send(...Array.from({ length: 20 }, () => [requestFor(child.v4), requestFor(child.v6)]).flat());
    bed.node.ip('link', 'delete', 'mv0');
  }
  const { sent, answered } = await elsewhere;
  assert.equal(answered, sent);
  await bed.expectNoAnswer(child.v4);
  assert.deepEqual(errors(), []);
  assert.equal((await bed.responder.counters()).socketFailures, 0);
});

test('loses no announcement to a transmit queue that is full, and answers elsewhere meanwhile', async () => {
  await start({ gratuitous: { rounds: 1, rate: 100_000, burst: 10_000 } });
  await bed.plug('n1', second);
  const addresses = Array.from({ length: 100 }, (_, i) => [`198.18.16.${i}`, `2001:db8::e:${i + 1}`]).flat();
  await bed.serve(vip.v4, ...addresses.map((address) => ({ address, interfaces: ['n0'] })));
  // About 40 frames wait, and some 800 go out in a second.
  bed.node.run(
    'tc',
    'qdisc',
    'replace',
    'dev',
    'n0',
    'root',
    'tbf',
    'rate',
    '400kbit',
    'burst',
    '1600',
    'limit',
    '2000',
  );
  const isAnnouncement = (frame: Frame) => addresses.some((address) => isAnnouncementOf(address)(frame));
  await bed.responder.announce(...addresses);
  const place = { netns: bed.client, interfaceName: 'c-n1' };
  const { sent, answered } = await flood(place, { first: vip.v4, frames: 500, rate: 2_000 });
  assert.ok((await bed.responder.counters()).sendFailures > 0, 'the queue was never full');
  assert.equal(answered, sent);
  const frames = await bed.receiveAll('an announcement', 1.5 * addresses.length, isAnnouncement);
  for (const address of addresses) {
    const count = frames.filter(({ frame }) => isAnnouncementOf(address)(frame)).length;
    assert.equal(count, address.includes(':') ? 1 : 2, address);
  }
  assert.deepEqual(errors(), []);
});
