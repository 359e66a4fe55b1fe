import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { arpOperation, broadcastMac } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { advertisement, arpAnnouncement, arpPadding, isAnnouncementOf, node, Testbed, vip } from './testbed.ts';

const test = netSuite('net/gratuitous');

const rounds = 3;
const interval = 300;
// RFC 4861 section 7.2.6 sets these for IPv6: MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER.
const advertisements = 3;
const advertisementInterval = 1_000;

let bed: Testbed;
test.before(async () => {
  bed = await Testbed.create({ gratuitous: { rounds, interval } });
});
test.after(() => bed.close());

/** Serves the addresses while nothing is being announced: an empty table ends whatever an earlier test has begun. */
async function serveQuietly(...addresses: readonly string[]): Promise<void> {
  await bed.serve();
  await bed.serve(...addresses);
  bed.wire.clear();
}

const announced = (address: string, count: number) =>
  bed.receiveAll(`an announcement of ${address}`, count, isAnnouncementOf(address));

for (const address of [vip.v4, vip.v6]) {
  test(`moves a fresh entry of an ordinary kernel for ${address} to this node`, async () => {
    await serveQuietly(vip.v4, vip.v6);
    bed.client.ip('neigh', 'replace', address, 'lladdr', '02:00:00:00:00:99', 'nud', 'reachable', 'dev', 'c0');
    await bed.responder.announce(address);
    await eventually('the entry has moved', () => bed.client.ip('neigh', 'show', address).includes(node.mac));
  });
}

test('announces IPv4 in both forms of ARP, in every round', async () => {
  await serveQuietly(vip.v4);
  await bed.responder.announce(vip.v4);
  const frames = (await announced(vip.v4, 2 * rounds)).map((each) => each.frame);
  const request = arpAnnouncement(node.mac, vip.v4, { trailer: arpPadding });
  const reply = { ...request, operation: arpOperation.reply, targetMac: broadcastMac };
  for (let round = 0; round < rounds; round++) {
    const pair = frames.slice(2 * round, 2 * round + 2);
    assert.deepEqual(new Set(pair), new Set([request, reply]), `round ${round + 1}`);
  }
});

test('announces IPv6 by an unsolicited advertisement to all nodes, in every round', async () => {
  await serveQuietly(vip.v6);
  await bed.responder.announce(vip.v6);
  const frames = await announced(vip.v6, advertisements);
  for (const { frame } of frames) assert.deepEqual(frame, advertisement(node.mac, vip.v6));
});

for (const [address, frames, apart] of [
  [vip.v4, 2 * rounds, interval],
  [vip.v6, advertisements, advertisementInterval],
] as const) {
  test(`announces ${address} at once, and again for as many rounds as it was told and as far apart`, async () => {
    await serveQuietly(address);
    const start = Date.now();
    await bed.responder.announce(address);
    const arrivals = await allArrivals(address);
    assert.equal(arrivals.length, frames);
    assert.ok(arrivals[0]! - start < 100, `the first came after ${arrivals[0]! - start} ms`);
    const perRound = frames / rounds;
    for (let i = perRound; i < frames; i += perRound) {
      const gap = arrivals[i]! - arrivals[i - perRound]!;
      assert.ok(gap > 0.9 * apart && gap < 1.5 * apart, `${gap} ms between two rounds`);
    }
  });
}

test('starts anew when it is told again while it announces', async () => {
  await serveQuietly(vip.v4);
  await bed.responder.announce(vip.v4);
  await announced(vip.v4, 2);
  await bed.responder.announce(vip.v4);
  assert.equal((await allArrivals(vip.v4)).length, 2 * rounds);
});

test('announces what the table set a moment before brings', async () => {
  await serveQuietly(vip.v4);
  const fresh = '198.18.1.33';
  await Promise.all([bed.responder.serve(vip.v4, fresh), bed.responder.announce(fresh)]);
  await announced(fresh, 2 * rounds);
});

test('says nothing of its own accord when a table brings an address', async () => {
  await serveQuietly(vip.v4, vip.v6);
  await bed.serve(vip.v4, vip.v6, '198.18.1.34');
  assert.deepEqual(await allArrivals('198.18.1.34'), []);
});

test('announces nothing that is not served', async () => {
  await serveQuietly(vip.v4);
  await bed.responder.announce('198.18.1.99', '2001:db8::99');
  await bed.responder.announce(vip.v4);
  await announced(vip.v4, 2 * rounds);
  assert.deepEqual(bed.wire.takeAll(isAnnouncementOf('198.18.1.99')), []);
  assert.deepEqual(bed.wire.takeAll(isAnnouncementOf('2001:db8::99')), []);
});

/** When each announcement of the address arrived, once none has come for longer than its rounds are apart. */
async function allArrivals(address: string): Promise<number[]> {
  const quiet = 1.5 * (address.includes(':') ? advertisementInterval : interval);
  const frames = await bed.receiveUntilQuiet(isAnnouncementOf(address), quiet);
  return frames.map((each) => each.arrival);
}
