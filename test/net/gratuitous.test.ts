import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import type { Received } from '../support/packet-io.ts';
import {
  allNodes,
  arpOperation,
  broadcastMac,
  type Frame,
  linkLayerOption,
  multicastMac,
  ndpOption,
  ndpType,
  zeroMac,
} from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { node, Testbed, vip } from './testbed.ts';

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

/** Announcements of the address: what is sent to everyone about it. */
const about = (address: string) => (frame: Frame) =>
  (frame.kind === 'arp' && frame.senderAddress === address && frame.destination === broadcastMac) ||
  (frame.kind === 'ndp' && frame.target === address && frame.to === allNodes);

/** Serves the addresses while nothing is being announced: an empty table ends whatever an earlier test has begun. */
async function serveQuietly(...addresses: readonly string[]): Promise<void> {
  await bed.serve();
  await bed.serve(...addresses);
  bed.wire.clear();
}

/** Everything announced about the address, once as much as is expected has come. */
function announced(address: string, count: number): Promise<Received[]> {
  const frames: Received[] = [];
  return eventually(`${count} announcements of ${address}`, () => {
    frames.push(...bed.wire.takeAll(about(address)));
    return frames.length >= count ? frames : undefined;
  });
}

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
  const common = {
    kind: 'arp',
    destination: broadcastMac,
    source: node.mac,
    tags: [],
    hardwareType: 1,
    protocolType: 0x0800,
    hardwareLength: 6,
    protocolLength: 4,
    senderMac: node.mac,
    senderAddress: vip.v4,
    targetAddress: vip.v4,
    trailer: new Uint8Array(18),
  };
  const request = { ...common, operation: arpOperation.request, targetMac: zeroMac };
  const reply = { ...common, operation: arpOperation.reply, targetMac: broadcastMac };
  for (let round = 0; round < rounds; round++) {
    const pair = frames.slice(2 * round, 2 * round + 2);
    assert.deepEqual(new Set(pair), new Set([request, reply]), `round ${round + 1}`);
  }
});

test('announces IPv6 by an unsolicited advertisement to all nodes, in every round', async () => {
  await serveQuietly(vip.v6);
  await bed.responder.announce(vip.v6);
  const frames = await announced(vip.v6, advertisements);
  for (const { frame } of frames) {
    assert.deepEqual(frame, {
      kind: 'ndp',
      destination: multicastMac(allNodes),
      source: node.mac,
      tags: [],
      from: vip.v6,
      to: allNodes,
      hopLimit: 255,
      hopByHop: false,
      type: ndpType.advertisement,
      code: 0,
      checksum: 'correct',
      router: false,
      solicited: false,
      override: true,
      target: vip.v6,
      options: [linkLayerOption(ndpOption.targetLinkLayer, node.mac)],
      trailer: new Uint8Array(0),
    });
  }
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

test('stops announcing an address when it is no longer served', async () => {
  await serveQuietly(vip.v4, vip.v6);
  await bed.responder.announce(vip.v6, vip.v4);
  await announced(vip.v6, 1);
  await bed.serve();
  bed.wire.clear();
  assert.deepEqual([await allArrivals(vip.v4), await allArrivals(vip.v6)], [[], []]);
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
  assert.deepEqual(bed.wire.takeAll(about('198.18.1.99')), []);
  assert.deepEqual(bed.wire.takeAll(about('2001:db8::99')), []);
});

test('spreads a large burst: every address once before any twice, and no faster than a switch takes', async () => {
  const addresses = Array.from({ length: 400 }, (_, i) => `198.18.${16 + (i >> 8)}.${i & 255}`);
  await serveQuietly(...addresses);
  await bed.responder.announce(...addresses);
  const all: Received[] = [];
  await eventually(
    'all are announced',
    () => {
      all.push(...bed.wire.takeAll((frame) => frame.kind === 'arp' && frame.destination === broadcastMac));
      return all.length >= 2 * rounds * addresses.length;
    },
    20_000,
  );
  const arrivals = all.map((each) => each.arrival);
  // A token bucket of 400 frames a second and a depth of 64, with a tenth of slack for the clocks.
  for (let i = 0; i < arrivals.length; i++) {
    const window = arrivals.findIndex((arrival) => arrival > arrivals[i]! + 1_000);
    const frames = (window === -1 ? arrivals.length : window) - i;
    assert.ok(frames <= 1.1 * (400 + 64), `${frames} frames within a second`);
  }
  const counts = new Map<string, number>(addresses.map((address) => [address, 0]));
  for (const { frame } of all) {
    if (frame.kind !== 'arp') continue;
    const count = counts.get(frame.senderAddress)! + 1;
    counts.set(frame.senderAddress, count);
    if (count === 3)
      assert.ok(Math.min(...counts.values()) >= 1, `${frame.senderAddress} came again before others came`);
  }
}, 60_000);

/** When each announcement of the address arrived, once none has come for longer than its rounds are apart. */
async function allArrivals(address: string): Promise<number[]> {
  const quiet = 1.5 * (address.includes(':') ? advertisementInterval : interval);
  const arrivals: number[] = [];
  let last = performance.now();
  await eventually('announcements are over', () => {
    const more = bed.wire.takeAll(about(address));
    if (more.length > 0) last = performance.now();
    arrivals.push(...more.map((each) => each.arrival));
    return performance.now() - last > quiet;
  });
  return arrivals;
}
