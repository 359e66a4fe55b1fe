import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { eventually } from '../test/support/eventually.ts';
import { nativeTool } from '../test/support/native-tool.ts';
import { PacketIo } from '../test/support/packet-io.ts';
import { broadcastMac, type Frame } from '../test/support/packets.ts';
import type { ResponderProcess } from '../test/support/responder-process.ts';
import { interleaved, long, median, progress, reporter } from './bench.ts';
import { nodeProcessor, PacketLab, packetThread } from './packet-lab.ts';

/**
 * Announcing 10,000 addresses unasked: what a frame costs, beside a loop that sends one frame at a time, and how long
 * it takes at a pace that switches can follow until every address has been announced once, beside the least that the
 * pace allows.
 */
const report = reporter('burst');
const rounds = long ? 9 : 5;
const range = { first: '198.18.64.0', count: 10_000 };
const frames = 2 * range.count; // as an ARP request and as a reply
/** One round of announcements: at the pace to measure, or so fast that the pace is no matter. */
const paced = { rounds: 1, interval: 1_000, rate: 2_000, burst: 64 };
const unpaced = { rounds: 1, interval: 1_000, rate: 1_000_000, burst: 65_536 };

const lab = PacketLab.build();
try {
  lab.letClientReceiveByItself();
  progress('cost of a frame');
  const cost = await interleaved(rounds, { responder: await costOfResponder(), loop: costOfLoop });
  report({
    case: 'packet-10000/cpu-per-frame',
    value: cost.responder.cpu!,
    unit: 'ns',
    better: 'lower',
    baseline: cost.loop.cpu!,
    against: 'one sendto per frame',
  });
  progress('time until all are announced');
  report({
    case: 'packet-10000/all-announced',
    value: await timeUntilAllAreAnnounced(),
    unit: 'ms',
    better: 'lower',
    baseline: (1_000 * (range.count - paced.burst)) / paced.rate,
    against: 'the pace',
  });
} finally {
  await lab.close();
}

/** Nanoseconds of the packet thread for a frame. */
async function costOfResponder() {
  const responder = await lab.responder({ gratuitous: unpaced });
  const { process } = responder;
  const thread = packetThread(process.pid);
  const used = () => Number(readFileSync(`/proc/${thread}/schedstat`, 'utf8').split(' ')[0]);
  const sent = async () => (await process.counters()).gratuitousArpSent;
  return () =>
    lab.while(responder, range, async () => {
      const [usedBefore, sentBefore] = [used(), await sent()];
      await process.announceRange(range);
      const deadline = performance.now() + 3_000;
      const isOver = async () => (await sent()) - sentBefore >= frames || performance.now() > deadline;
      await eventually('all frames are sent', isOver);
      const count = (await sent()) - sentBefore;
      if (count < frames) progress(`${count} of ${frames} frames in 3 s: what was measured is the pace's wake-ups`);
      return { cpu: (used() - usedBefore) / count };
    });
}

async function costOfLoop() {
  const argv = lab.node.command(...nodeProcessor, nativeTool('burst'), 'n0', range.first, String(range.count));
  return JSON.parse(execFileSync(argv[0]!, argv.slice(1), { encoding: 'utf8' })) as { cpu: number };
}

async function timeUntilAllAreAnnounced(): Promise<number> {
  const responder = await lab.responder({ gratuitous: paced });
  const wire = await PacketIo.open(lab.client, 'c0');
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    times.push(await lab.while(responder, range, () => timeToAnnounce(responder.process, wire)));
  }
  await wire.close();
  return median(times);
}

/** Milliseconds until the wire has seen the last address announced for the first time. */
async function timeToAnnounce(responder: ResponderProcess, wire: PacketIo): Promise<number> {
  wire.clear();
  const seen = new Set<string>();
  let last = 0;
  const begun = Date.now(); // the clock of the kernel's time stamps
  await responder.announceRange(range);
  const allSeen = () => {
    for (const { frame, arrival } of wire.takeAll(isAnnouncement)) {
      if (frame.kind !== 'arp' || seen.has(frame.senderAddress)) continue;
      seen.add(frame.senderAddress);
      last = arrival;
    }
    return seen.size === range.count;
  };
  await eventually(`${range.count} addresses are announced`, allSeen, 60_000);
  return last - begun;
}

function isAnnouncement(frame: Frame): boolean {
  return frame.kind === 'arp' && frame.destination === broadcastMac && frame.senderAddress === frame.targetAddress;
}
