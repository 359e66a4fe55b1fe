import assert from 'node:assert/strict';
import { latency } from '../support/generator.ts';
import { netSuite } from '../support/net-suite.ts';
import type { Received } from '../support/packet-io.ts';
import { arpOperation, describeFrame, type Frame, writeFrame } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import {
  advertisement,
  arpAnnouncement,
  arpPadding,
  client,
  isAnnouncementOf,
  node,
  station,
  Testbed,
  type TestbedOptions,
  vip,
} from './testbed.ts';

const test = netSuite('net/announcing');

let bed: Testbed;
const start = async (gratuitous: TestbedOptions['gratuitous'] = {}) => {
  bed = await Testbed.create({ gratuitous });
};
test.after.each(() => bed.close());

const ipv4Range = (count: number) => Array.from({ length: count }, (_, i) => `198.18.${16 + (i >> 8)}.${i & 255}`);
const ipv6Range = (count: number) => Array.from({ length: count }, (_, i) => `2001:db8::e:${(i + 1).toString(16)}`);

const isAnyAnnouncement = (frame: Frame) =>
  (frame.kind === 'arp' && isAnnouncementOf(frame.senderAddress)(frame)) ||
  (frame.kind === 'ndp' && isAnnouncementOf(frame.target)(frame));
// Each round has one such frame of every address.
const isFirstOfRound = (frame: Frame) =>
  isAnyAnnouncement(frame) && !(frame.kind === 'arp' && frame.operation === arpOperation.reply);

const addressOf = ({ frame }: Received): string => {
  assert.ok(frame.kind === 'arp' || frame.kind === 'ndp');
  return frame.kind === 'arp' ? frame.senderAddress : frame.target;
};

// ---- refreshes

const refresh = 1_200;

test('announces addresses again and again, at times that differ, until they leave the table', async () => {
  await start({ rounds: 1, refresh });
  const [gone, kept] = [
    [...ipv4Range(10), ...ipv6Range(10)],
    ['198.18.20.1', '2001:db8::f:1'],
  ];
  await bed.serve(...gone, ...kept);
  await bed.responder.announce(...gone, ...kept);
  const frames = await bed.receiveAll('an announcement', 3 * (gone.length + kept.length), isFirstOfRound);
  for (const family of ['arp', 'ndp'] as const) {
    const gaps: number[] = [];
    for (const address of [...gone, ...kept]) {
      const arrivals = frames.filter((each) => each.frame.kind === family && addressOf(each) === address);
      for (let i = 1; i < arrivals.length; i++) gaps.push(arrivals[i]!.arrival - arrivals[i - 1]!.arrival);
    }
    // A quarter more or less, but never less than a second (RFC 4861 section 7.2.6).
    const [shortest, longest] = [Math.min(...gaps), Math.max(...gaps)];
    assert.ok(shortest > 950 && longest < 1.25 * refresh + 200, `${family}: ${shortest} to ${longest} ms apart`);
    assert.ok(longest - shortest > 100, `${family}: all ${shortest} to ${longest} ms apart`);
  }

  await bed.serve(...kept);
  bed.wire.clear();
  const later = await bed.receiveAll('an announcement', 2 * kept.length, isFirstOfRound);
  assert.deepEqual(new Set(later.map(addressOf)), new Set(kept));
});

// ---- in person

const toGateway = [
  arpAnnouncement(node.mac, vip.v4, {
    destination: client.mac,
    targetMac: client.mac,
    targetAddress: client.v4,
    trailer: arpPadding,
  }),
  advertisement(node.mac, vip.v6, { destination: client.mac, to: client.v6 }),
];
const toStation = [
  arpAnnouncement(node.mac, vip.v4, {
    destination: station.mac,
    targetMac: station.mac,
    targetAddress: station.v4,
    trailer: arpPadding,
  }),
  advertisement(node.mac, vip.v6, { destination: station.mac, to: station.v6 }),
];

/** The node knows the client, by which it has a default route, and the station. */
function knowNeighbors(): void {
  for (const { mac, v4, v6 } of [client, station]) {
    for (const address of [v4, v6]) {
      bed.node.ip('neigh', 'replace', address, 'lladdr', mac, 'nud', 'stale', 'dev', 'n0');
    }
  }
  bed.node.ip('route', 'add', 'default', 'via', client.v4);
  bed.node.ip('-6', 'route', 'add', 'default', 'via', client.v6);
}

const isInPerson = (frame: Frame) =>
  frame.source === node.mac &&
  (frame.destination === client.mac || frame.destination === station.mac) &&
  ((frame.kind === 'arp' && frame.senderAddress === vip.v4) || (frame.kind === 'ndp' && frame.target === vip.v6));

for (const [unicast, expected] of [
  ['off', []],
  ['gateways', toGateway],
  ['neighbors', [...toGateway, ...toStation]],
] as const) {
  test(`tells in person of an announcement, once in a round: ${unicast}`, async () => {
    const rounds = 2;
    await start({ rounds, interval: 1_000, unicast });
    knowNeighbors();
    await bed.serve(vip.v4, vip.v6);
    bed.wire.clear();
    await bed.responder.announce(vip.v4, vip.v6);
    await bed.receiveAll('an announcement', 3 * rounds, isAnyAnnouncement);
    const frames = await bed.receiveAll('a frame in person', rounds * expected.length, isInPerson);
    await bed.barrier();
    frames.push(...bed.wire.takeAll(isInPerson));
    const everyRound = Array.from({ length: rounds }, () => expected).flat();
    assert.deepEqual(
      frames.map((each) => describeFrame(each.bytes)).sort(),
      everyRound.map((frame) => describeFrame(writeFrame(frame))).sort(),
    );
  });
}

for (const [unicast, learns] of [
  ['off', false],
  ['gateways', true],
] as const) {
  test(`is ${learns ? '' : 'not '}learned by a kernel that takes no notice of gratuitous ARP: ${unicast}`, async () => {
    await start({ rounds: 1, unicast });
    knowNeighbors();
    await bed.serve(vip.v4);
    bed.client.sysctl('net.ipv4.conf.c0.arp_accept', 0);
    assert.equal(bed.client.ip('neigh', 'show', vip.v4), '');
    await bed.responder.announce(vip.v4);
    await bed.receiveAll('an announcement', 2, isAnnouncementOf(vip.v4));
    const entry = () => bed.client.ip('neigh', 'show', vip.v4);
    if (learns) await eventually('the kernel knows it', () => entry().includes(node.mac));
    await bed.barrier();
    assert.equal(entry().includes(node.mac), learns);
  });
}

// ---- the pace

const rate = 200;
const burst = 10;

test('never announces faster than it may, nor much slower, and each address once before any twice', async () => {
  const rounds = 2;
  const addresses = ipv4Range(120);
  await start({ rounds, interval: 100, rate, burst });
  await bed.serve(...addresses);
  bed.wire.clear();
  await bed.responder.announce(...addresses);
  const frames = await bed.receiveAll('an announcement', 2 * rounds * addresses.length, isAnyAnnouncement);
  assert.equal(frames.length, 2 * rounds * addresses.length);

  const arrivals = frames.map((each) => each.arrival);
  for (let first = 0; first < arrivals.length; first++) {
    for (let last = first; last < arrivals.length; last++) {
      const window = arrivals[last]! - arrivals[first]!;
      // On its way a frame is held up for a moment, and the next ones are not.
      const allowed = burst + (rate * (window + 20)) / 1_000 + 1;
      const count = last - first + 1;
      assert.ok(count <= allowed, `${count} frames within ${window} ms`);
    }
  }
  const seconds = (arrivals.at(-1)! - arrivals[0]!) / 1_000;
  assert.ok(seconds < (1.2 * arrivals.length) / rate, `took ${seconds} s`);

  const firsts = frames.slice(0, addresses.length).map(addressOf);
  assert.deepEqual(new Set(firsts), new Set(addresses));
});

test('announces a fresh address before it repeats the others, and in as many rounds as it is told', async () => {
  const addresses = ipv4Range(100);
  const fresh = '198.18.20.1';
  const rounds = 2;
  await start({ rounds, interval: 10, rate, burst: 1 });
  await bed.serve(...addresses, fresh);
  await bed.responder.announce(...addresses);
  // The second round of all of them has begun.
  const begun = await bed.receiveAll('an announcement', 2 * addresses.length + 5, isAnyAnnouncement);
  await bed.responder.announceInRounds(1, fresh);
  const next = await bed.receiveAll('an announcement', 10, isAnyAnnouncement);
  assert.ok(next.some((each) => addressOf(each) === fresh));
  const left = 2 * rounds * addresses.length + 2 - begun.length - next.length;
  const rest = await bed.receiveAll('an announcement', left, isAnyAnnouncement);
  assert.equal([...next, ...rest].filter((each) => addressOf(each) === fresh).length, 2);
});

test('answers at once while it announces', async () => {
  await start({ rounds: 5, interval: 100, rate, burst });
  const addresses = ipv4Range(1_000);
  await bed.serve(vip.v4, ...addresses);
  await bed.responder.announce(...addresses);
  const place = { netns: bed.client, interfaceName: 'c0' };
  const { lost, p50 } = await latency(place, { first: vip.v4, probes: 300, gap: 1_000 });
  assert.equal(lost, 0);
  // The last of the announcements is seconds away.
  assert.ok(p50 < 20_000, `half of the answers took more than ${p50} us`);
  const { gratuitousArpSent } = await bed.responder.counters();
  assert.ok(gratuitousArpSent > 0 && gratuitousArpSent < 2 * addresses.length, `${gratuitousArpSent} announcements`);
});

test('stops at once when the addresses leave the table', async () => {
  await start({ rounds: 5, interval: 100, rate, burst });
  const addresses = [...ipv4Range(200), ...ipv6Range(200)];
  await bed.serve(vip.v4, ...addresses);
  await bed.responder.announce(...addresses, vip.v4);
  await bed.receiveAll('an announcement', 20, isAnyAnnouncement);
  await bed.serve(vip.v4);
  bed.wire.clear();
  // One address still has its rounds to go.
  const frames = await bed.receiveAll('an announcement', 4, isAnyAnnouncement);
  assert.deepEqual(new Set(frames.map(addressOf)), new Set([vip.v4]));
});
