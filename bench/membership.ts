import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { provideGoMember } from '../scripts/go-member.mjs';
import { GoMembers } from '../test/support/go-member.ts';
import { cpuTime, long, progress, type Quantities, reporter } from './bench.ts';
import { SimulatedRing } from './simulated-ring.ts';

/**
 * What being a member costs a speaker: processor time and packets per second, in rings of up to a thousand, encrypted.
 * Beside a member on hashicorp/memberlist as MetalLB runs it. Each is a real process in a ring whose other members are
 * simulated, all at one time; `fast` is our default and probes five times as often, `lan` has the Go member's timers.
 * `quiet`: nothing happens. `changing`: every second a member leaves or returns.
 */
const report = reporter('membership');
const seconds = long ? 60 : 10;
const rounds = long ? 5 : 1;
const sizes = [10, 100, 1_000];
const port = 17986;
const key = new Uint8Array(32).fill(5);
const program = fileURLToPath(new URL('member-program.ts', import.meta.url));
const names = ['fast', 'lan', 'hashicorp'] as const;

const { program: goMember, problem } = provideGoMember();
if (goMember === undefined) throw new Error(problem);

for (const [index, size] of sizes.entries()) {
  const net = 80 + index;
  progress(`${size} members`);
  const ring = await SimulatedRing.open(size - 1, net, port, key);
  const processes: ChildProcess[] = [];
  try {
    const members: { name: (typeof names)[number]; address: string; pid: number }[] = [];
    for (const [at, name] of names.entries()) {
      const address = `127.${net}.200.${at + 1}`;
      ring.expect(name, { address, port });
      const child = name === 'hashicorp' ? await goMemberAt(address, ring) : await ourMemberAt(address, ring, name);
      processes.push(child);
      members.push({ name, address, pid: child.pid ?? 0 });
      await ring.drain(address);
    }
    for (const [situation, changes] of [
      ['quiet', 0],
      ['changing', 1],
    ] as const) {
      const used = await usedBy(members, ring, changes);
      for (const name of ['fast', 'lan'] as const) {
        for (const [quantity, unit] of [
          ['cpu', 'ms/s'],
          ['packets', '/s'],
        ] as const) {
          report({
            case: `${situation}-${size}/${name}-${quantity}`,
            value: used[name][quantity]!,
            unit,
            better: 'lower',
            baseline: used.hashicorp[quantity]!,
            against: 'hashicorp/memberlist v0.5.1',
          });
        }
      }
    }
  } finally {
    for (const child of processes) child.kill('SIGKILL');
    await ring.close();
  }
}

/** Per second, of all rounds together: disturbances of the machine hit all of them alike. */
async function usedBy(
  members: readonly { name: (typeof names)[number]; address: string; pid: number }[],
  ring: SimulatedRing,
  changes: number,
): Promise<Record<(typeof names)[number], Quantities>> {
  const read = () => members.map(({ pid, address }) => ({ cpu: cpuTime(pid), packets: ring.packets(address) }));
  const before = read();
  const began = performance.now();
  for (let round = 0; round < rounds; round++) await ring.run(seconds, changes);
  const elapsed = (performance.now() - began) / 1000;
  const after = read();
  return Object.fromEntries(
    members.map(({ name }, i) => [
      name,
      {
        cpu: (after[i]!.cpu - before[i]!.cpu) / 1e6 / elapsed,
        packets: (after[i]!.packets - before[i]!.packets) / elapsed,
      },
    ]),
  ) as unknown as Record<(typeof names)[number], Quantities>;
}

async function goMemberAt(address: string, ring: SimulatedRing): Promise<ChildProcess> {
  const members = await GoMembers.start(goMember!, { names: ['hashicorp'], address, port, keys: [key] });
  const { joined, error } = await members.join([`${ring.entrance.address}:${port}`]);
  if (joined !== 1) throw new Error(`the Go member cannot join: ${error}`);
  return members.process;
}

function ourMemberAt(address: string, ring: SimulatedRing, preset: 'fast' | 'lan'): Promise<ChildProcess> {
  const join = `${ring.entrance.address}:${port}`;
  const settings = { name: preset, address, port, preset, key: Buffer.from(key).toString('hex'), join };
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`our member at ${address} ended with ${code}`)));
    child.stdout.once('data', () => resolve(child));
  });
}
