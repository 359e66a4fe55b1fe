import { spawn } from 'node:child_process';
import { eventually } from '../test/support/eventually.ts';
import { PacketIo } from '../test/support/packet-io.ts';
import { broadcastMac, type Frame } from '../test/support/packets.ts';
import { interleaved, long, progress, reporter } from './bench.ts';
import { PacketLab } from './packet-lab.ts';

/**
 * From the change of an interface to the first announcement with the right MAC address on the wire, beside when the
 * kernel's own notice of the change reaches a program, `ip monitor`. Both begin before the `ip` that makes the change
 * is started, whose own time is in both.
 */
const report = reporter('link-follow');
const rounds = long ? 50 : 15;
const vip = '198.19.0.1';
const macs = ['02:00:00:00:00:0f', '02:00:00:00:00:1f'];

const lab = PacketLab.build();
const wire = await PacketIo.open(lab.client, 'c0');
const monitor = await watch();
try {
  const { process } = await lab.responder({ gratuitous: { rounds: 1, interval: 1_000 } });
  await process.serve(vip);
  const isUp = (wanted: boolean) => () =>
    process
      .interfaces()
      .then((all) => all.some(({ name, up, carrier }) => name === 'n0' && (up && carrier) === wanted));
  progress(`${rounds} rounds`);
  const results = await interleaved(rounds, {
    'link-up': async () => {
      lab.node.ip('link', 'set', 'n0', 'down');
      await eventually('n0 is down', isUp(false));
      return timeOf(() => lab.node.ip('link', 'set', 'n0', 'up'));
    },
    'carrier-up': async () => {
      lab.client.ip('link', 'set', 'c0', 'down');
      await eventually('n0 has no carrier', isUp(false));
      return timeOf(() => lab.client.ip('link', 'set', 'c0', 'up'));
    },
    'mac-change': () => {
      macs.reverse();
      return timeOf(() => lab.node.ip('link', 'set', 'n0', 'address', macs[0]!));
    },
  });
  for (const [change, { announced, noticed }] of Object.entries(results)) {
    report({
      case: `packet-1/${change}-to-announcement`,
      value: announced!,
      unit: 'ms',
      better: 'lower',
      baseline: noticed!,
      against: 'ip monitor',
    });
  }
} finally {
  monitor.stop();
  await wire.close();
  await lab.close();
}

/** Milliseconds from `change` on, when n0 is up and has the MAC address `macs[0]`. */
async function timeOf(change: () => void) {
  wire.clear();
  const begun = performance.timeOrigin + performance.now(); // the clock of the kernel's time stamps, and finer than Date
  change();
  const { arrival } = await wire.receive('an announcement', isAnnouncement, { since: begun });
  const noticed = await eventually('ip monitor shows the change', () => monitor.since(begun));
  return { announced: arrival - begun, noticed: noticed - begun };
}

function isAnnouncement(frame: Frame): boolean {
  if (frame.kind !== 'arp' || frame.destination !== broadcastMac) return false;
  return frame.senderAddress === vip && frame.targetAddress === vip && frame.senderMac === macs[0];
}

/** Follows the kernel's notices about n0. */
async function watch() {
  const argv = lab.node.command('ip', '-ts', 'monitor', 'link');
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  // It says nothing when it is ready; it is when it has seen a change.
  await eventually('ip monitor is ready', () => {
    lab.node.ip('link', 'set', 'lo', 'mtu', String(65_536 - Math.round(performance.now() % 1_000)));
    return output.includes(' lo: ');
  });
  return {
    /** When it was first shown, no earlier than `begun`, that n0 is up and has its MAC address. */
    since(begun: number): number | undefined {
      const blocks = output.split(/^\[/m).filter((block) => block.includes(' n0@'));
      const wanted = blocks.filter((block) => /[,<]LOWER_UP/.test(block));
      return wanted
        .filter((block) => block.includes(`link/ether ${macs[0]!}`))
        .map((block) => localTime(block.slice(0, block.indexOf(']'))))
        .find((time) => time >= begun);
    },
    stop: () => void child.kill(),
  };
}

/** Milliseconds since 1970 of a time stamp of `ip`, for instance `2026-11-21T10:54:52.123456`. */
function localTime(text: string): number {
  const [seconds, microseconds] = text.split('.');
  return Date.parse(seconds!) + Number(microseconds) / 1_000;
}
