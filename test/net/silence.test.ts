import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { netSuite } from '../support/net-suite.ts';
import type { Received } from '../support/packet-io.ts';
import type { Frame } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import {
  isAnnouncementOf,
  isAnswerToStation,
  isArpReplyFor,
  node,
  requestFor,
  Testbed,
  type TestbedOptions,
  vip,
  whoHas,
} from './testbed.ts';

const test = netSuite('net/silence');

// Others take over from a node that they have not heard of for long. So a process that does not run must fall silent
// before that, and must not answer again before it knows what it still has to announce.
const deadline = 1_500;
const renewEvery = 100;
const interval = 100;
const addresses = [vip.v4, vip.v6] as const;

let bed: Testbed;
const start = async (options: TestbedOptions = { deadline, renewEvery }) => {
  // It announces for as long as these tests last.
  bed = await Testbed.create({ gratuitous: { rounds: 100, interval }, ...options });
  await bed.serve(...addresses);
};
test.after.each(() => {
  proceed(); // A test that failed may have left it stopped, and then it would not end.
  return bed.close();
});

const isAnswer = (frame: Frame) => addresses.some((address) => isAnswerToStation(address)(frame));
const isAnnouncement = (frame: Frame) => addresses.some((address) => isAnnouncementOf(address)(frame));
const isOurs = (frame: Frame) => isAnswer(frame) || isAnnouncement(frame);
const answersAmong = (frames: readonly Received[]) => frames.filter((each) => isAnswer(each.frame)).length;

/** Asks for the addresses again and again until `done` resolves, and says how often, and all that it has heard. */
async function askUntil(done: Promise<unknown>): Promise<{ asked: number; heard: Received[] }> {
  let pending = true;
  const settled = done.finally(() => {
    pending = false;
  });
  const heard: Received[] = [];
  let asked = 0;
  bed.wire.clear();
  await eventually('it is over', () => {
    heard.push(...bed.wire.takeAll(isOurs));
    if (!pending) return true;
    bed.wire.send(...addresses.map(requestFor));
    asked += addresses.length;
    return false;
  });
  await settled;
  return { asked, heard };
}

/** What has been heard since, once the responder has passed over so many requests in all. */
async function passedOver(requests: number): Promise<Received[]> {
  await eventually('all requests are dealt with', async () => {
    return (await bed.responder.counters()).dropSilent >= requests;
  });
  await arrived();
  return bed.wire.takeAll(isOurs);
}

/** Resolves when all that was sent before is there: the kernel's answer comes behind it. */
async function arrived(): Promise<void> {
  await bed.wire.ask(whoHas(node.v4), "the kernel's answer", isArpReplyFor(node.v4));
}

/** Resolves when all threads of the process stand still, and what they have sent is there. */
async function stop(): Promise<void> {
  const { pid } = bed.responder;
  process.kill(pid, 'SIGSTOP');
  await eventually('it stands still', () =>
    readdirSync(`/proc/${pid}/task`).every((thread) =>
      / T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
    ),
  );
  await arrived();
}

const proceed = () => process.kill(bed.responder.pid, 'SIGCONT');

/** Resolves when so many milliseconds have passed. */
const passed = (milliseconds: number): Promise<boolean> => {
  const until = performance.now() + milliseconds;
  return eventually('time has passed', () => performance.now() > until);
};

test('changes nothing on the wire while the event loop stands still for less than the deadline', async () => {
  await start();
  await bed.responder.announce(vip.v4);
  await bed.responder.blockEventLoop(1_000);
  const { asked, heard } = await askUntil(bed.responder.counters());
  await bed.arpBarrier();
  await bed.ndpBarrier();
  heard.push(...bed.wire.takeAll(isOurs));
  assert.equal(answersAmong(heard), asked);
  const announcements = heard.filter((each) => isAnnouncement(each.frame)).length;
  assert.ok(announcements > 10, `only ${announcements} announcements`);
  assert.equal((await bed.responder.counters()).silences, 0);
});

test('falls silent at the deadline while the event loop stands still, until there is a new table', async () => {
  await start();
  await bed.responder.announce(vip.v4);
  await bed.responder.blockEventLoop(3_000);
  const begun = Date.now();
  const renewed = bed.responder.renew();
  const { asked, heard } = await askUntil(renewed);

  const last = Math.max(...heard.map((each) => each.arrival)) - begun;
  assert.ok(last > deadline - 500 && last < deadline + 100, `spoke last after ${last} ms`);
  const answered = answersAmong(heard);
  assert.ok(answered > 0 && answered < asked, `${answered} of ${asked} were answered`);
  assert.ok(heard.some((each) => isAnnouncement(each.frame)));

  assert.equal(await renewed, false);
  await bed.responder.announce(...addresses);
  await bed.responder.probe(...addresses);
  bed.wire.send(...addresses.map(requestFor));
  assert.deepEqual(await passedOver(asked - answered + addresses.length), []);
  assert.equal(await bed.responder.renew(), false);
  assert.equal((await bed.responder.status()).silent, true);
  const { silences, probesSent } = await bed.responder.counters();
  assert.deepEqual([silences, probesSent], [1, 0]);

  await bed.serve(...addresses);
  assert.equal(await bed.responder.renew(), true);
  assert.equal((await bed.responder.status()).silent, false);
  for (const address of addresses) await bed.ask(address);
  bed.wire.clear();
  await passed(3 * interval);
  assert.deepEqual(bed.wire.takeAll(isAnnouncement), [], 'announces what was asked for before the silence');
  await bed.responder.announce(vip.v4);
  await bed.wire.receive('an announcement', isAnnouncement);
  assert.equal((await bed.responder.counters()).silences, 1);
});

test('says nothing from the moment it goes on after it was stopped for longer than the deadline', async () => {
  await start();
  await bed.responder.announce(vip.v4);
  await stop();
  const { asked, heard } = await askUntil(passed(deadline + 200));
  assert.deepEqual(heard, []);
  proceed();
  assert.deepEqual(await passedOver(asked), []);
  assert.equal(await bed.responder.renew(), false);
  await bed.serve(...addresses);
  assert.deepEqual(bed.wire.takeAll(isOurs), []);
  for (const address of addresses) await bed.ask(address);
});

test('answers what it was asked while it was stopped for less than the deadline', async () => {
  await start();
  await stop();
  const { asked } = await askUntil(passed(500));
  proceed();
  await bed.arpBarrier();
  await bed.ndpBarrier();
  assert.equal(answersAmong(bed.wire.takeAll(isAnswer)), asked);
  assert.equal(await bed.responder.renew(), true);
});

test('falls silent when nobody renews, though JavaScript runs', async () => {
  await start({ deadline });
  await eventually('it is silent', async () => (await bed.responder.status()).silent);
  bed.wire.send(...addresses.map(requestFor));
  await passedOver(addresses.length);
  assert.equal(await bed.responder.renew(), false);
});

test('never falls silent without a deadline', async () => {
  await start({ deadline: 0 });
  await stop();
  const { asked } = await askUntil(passed(deadline + 200));
  proceed();
  await bed.arpBarrier();
  await bed.ndpBarrier();
  assert.equal(answersAmong(bed.wire.takeAll(isAnswer)), asked);
  assert.equal(await bed.responder.renew(), true);
  assert.equal((await bed.responder.status()).silent, false);
  assert.deepEqual([(await bed.responder.counters()).silences, (await bed.responder.counters()).dropSilent], [0, 0]);
});

// Whoever is gone for long enough is replaced, whatever its control plane may think of itself.
const lapse = 300;
const lapses = () => bed.responder.events.filter((event) => event.type === 'lapse');

for (const [name, options] of [
  ['with a deadline', { deadline: 60_000, renewEvery: 50, lapse }],
  ['without a deadline', { lapse }],
] as const) {
  test(`says nothing from the moment it goes on after its thread lapsed, ${name}, until there is a new table`, async () => {
    await start(options);
    await bed.responder.announce(vip.v4);
    await stop();
    const { asked, heard } = await askUntil(passed(1_000));
    assert.deepEqual(heard, []);
    proceed();
    assert.deepEqual(await passedOver(asked), []);
    assert.equal(await bed.responder.renew(), false);
    assert.equal((await bed.responder.status()).silent, true);
    const { lapses: counted, silences } = await bed.responder.counters();
    assert.deepEqual([counted, silences], [1, 1]);
    const [event, ...more] = lapses();
    assert.ok(event?.type === 'lapse' && more.length === 0);
    assert.ok(event.milliseconds >= 1_000 && event.milliseconds < 3_000, `${event.milliseconds} ms`);

    await bed.serve(...addresses);
    assert.equal(await bed.responder.renew(), true);
    for (const address of addresses) await bed.ask(address);
    bed.wire.clear();
    await passed(3 * interval);
    assert.deepEqual(bed.wire.takeAll(isAnnouncement), [], 'announces what was asked for before the lapse');
    assert.equal(lapses().length, 1);
  });
}

test('answers nothing of a flood that it was in the middle of when it was stopped', async () => {
  await start({ lapse });
  const flood = (count: number) => {
    for (let i = 0; i < count; i++) bed.wire.send(...addresses.map(requestFor));
  };
  flood(2_000);
  await eventually('it is at it', () => bed.wire.take(isAnswer) !== undefined);
  await stop();
  flood(500);
  await passed(2 * lapse);
  await arrived();
  bed.wire.clear();
  proceed();
  await eventually('the lapse is told', () => lapses().length > 0);
  await eventually('all requests are dealt with', async () => {
    const { arpReceived, arpAnswered, dropSilent } = await bed.responder.counters();
    return arpReceived >= 2_500 && dropSilent > 0 && arpAnswered < arpReceived;
  });
  await arrived();
  assert.deepEqual(bed.wire.takeAll(isAnswer), []);
});

test('is not disturbed by a stop that is shorter than a lapse', async () => {
  await start({ lapse: 2_000 });
  await stop();
  const { asked } = await askUntil(passed(500));
  proceed();
  await bed.barrier();
  assert.equal(answersAmong(bed.wire.takeAll(isAnswer)), asked);
  assert.deepEqual([await bed.responder.renew(), lapses()], [true, []]);
});

test('does not lapse while every processor is taken by others, where it may run in real time', async () => {
  await start({ lapse });
  if ((await bed.responder.status()).scheduling !== 'fifo') return;
  const hogs = Array.from({ length: 2 * availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  try {
    await passed(3_000);
    for (const address of addresses) await bed.ask(address);
    assert.deepEqual([(await bed.responder.counters()).lapses, lapses()], [0, []]);
  } finally {
    for (const hog of hogs) hog.kill('SIGKILL');
  }
});

test('does not take rest for a lapse, and wakes a few times a second for it', async () => {
  await start({ lapse });
  const before = (await bed.responder.counters()).wakeups;
  await passed(1_500);
  const { wakeups, lapses: counted } = await bed.responder.counters();
  assert.equal(counted, 0);
  assert.ok(wakeups - before > 10 && wakeups - before < 60, `${wakeups - before} wake-ups`);
});
