import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { flood } from '../support/generator.ts';
import { netSuite } from '../support/net-suite.ts';
import type { AddressRange } from '../support/responder-program.ts';
import { eventually } from '../support/suite.ts';
import { Testbed, vip } from './testbed.ts';

const test = netSuite('net/endurance');

// In KiB: what allocators keep for later, in several threads, comes and goes by this much.
const allowance = 8 * 1024;

let bed: Testbed;
test.before.each(async () => {
  bed = await Testbed.create({ gratuitous: { rounds: 1 } });
});
test.after.each(() => bed.close());

/** KiB that the process has in memory, without what JavaScript no longer needs. */
async function memory(): Promise<number> {
  await bed.responder.collectGarbage();
  const status = readFileSync(`/proc/${bed.responder.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]);
}

/** How long nothing is opened or closed when all is done: groups are left a few at a time; milliseconds. */
const calm = 500;

/** How many descriptors are open for the same two addresses, once those for others are closed. */
async function descriptorsAtRest(): Promise<number> {
  await bed.serve(vip.v4, vip.v6);
  let open = -1;
  let since = 0;
  await eventually('no more descriptors are closed', () => {
    if (bed.descriptors !== open) since = performance.now();
    open = bed.descriptors;
    return performance.now() - since > calm;
  });
  return open;
}

/** Fails when the process holds more after `body` than before. Something like it must have gone before, to warm up. */
async function expectNoGrowth(body: () => Promise<void>): Promise<void> {
  const before = { descriptors: await descriptorsAtRest(), memory: await memory() };
  await body();
  assert.equal(await descriptorsAtRest(), before.descriptors);
  const grown = (await memory()) - before.memory;
  assert.ok(grown < allowance, `${grown} KiB more than the ${before.memory} before`);
}

/** A station asks for the address, again and again, while `body` runs. Says how often, and how often it was answered. */
async function askedDuring(address: string, body: () => Promise<void>): Promise<{ sent: number; answered: number }> {
  const total = { sent: 0, answered: 0 };
  let running = true;
  const finished = body().finally(() => {
    running = false;
  });
  while (running) {
    const place = { netns: bed.client, interfaceName: 'c0' };
    const { sent, answered } = await flood(place, { first: address, frames: 1_000, rate: 2_000 });
    total.sent += sent;
    total.answered += answered;
  }
  await finished;
  return total;
}

/** Puts one table after another in place, until so many have been. */
async function swap(tables: readonly AddressRange[], times: number): Promise<void> {
  const swaps = async () => (await bed.responder.counters()).tableSwaps;
  const end = (await swaps()) + times;
  for (let i = 0; i % 100 !== 0 || (await swaps()) < end; i++) {
    await bed.responder.serveRange(tables[i % tables.length]!);
  }
}

test('needs no more memory and descriptors after 10,000 tables, and loses no request to any', async () => {
  const tables = [1, 300, 2, 40, 1_000, 7].map((count) => ({ first: vip.v4, count }));
  await bed.serve(vip.v4);
  const { sent, answered } = await askedDuring(vip.v4, async () => {
    await swap(tables, 1_000);
    await expectNoGrowth(() => swap(tables, 10_000));
  });
  assert.equal(answered, sent);
  await bed.serve(vip.v4, vip.v6);
  for (const address of [vip.v4, vip.v6]) await bed.ask(address);
}, 60_000);

test('needs no more memory and descriptors after 1,000 tables, now of one family and now of the other', async () => {
  const tables = [vip.v4, vip.v6].flatMap((first) => [1, 200, 0, 20].map((count) => ({ first, count })));
  const { answered } = await askedDuring(vip.v6, async () => {
    await swap(tables, 200);
    await expectNoGrowth(() => swap(tables, 1_000));
  });
  assert.ok(answered > 0, 'nothing was answered meanwhile');
  await bed.serve(vip.v4, vip.v6);
  for (const address of [vip.v4, vip.v6]) await bed.ask(address);
}, 60_000);

/** Switches the interface off and on so many times, as fast as the kernel does. */
async function flap(times: number): Promise<void> {
  const switching = promisify(execFile)('ip', ['-n', bed.node.name, '-batch', '-']);
  switching.child.stdin!.end('link set n0 down\nlink set n0 up\n'.repeat(times));
  await switching;
  for (const address of [vip.v4, vip.v6]) await eventually('answers', () => bed.ask(address, { limit: 200 }));
}

test('needs no more memory and descriptors after an interface went down and up 1,000 times', async () => {
  await bed.serve(vip.v4, vip.v6);
  const { answered } = await askedDuring(vip.v4, async () => {
    await flap(200);
    await expectNoGrowth(() => flap(1_000));
  });
  assert.ok(answered > 0, 'nothing was answered meanwhile');
  const { linkChanges, eventsDropped } = await bed.responder.counters();
  assert.ok(linkChanges > 1_000, `only ${linkChanges} changes were seen`);
  assert.equal(eventsDropped, 0);
}, 60_000);
