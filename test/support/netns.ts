import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

// Where `ip` and its like are; an ordinary user's PATH often lacks it.
process.env.PATH += ':/usr/sbin:/sbin';

const prefix = 'garpoon-test-';
const registry = '/run/netns';
let created = 0;

/**
 * A network namespace of this run. The process id is part of its name, so that a later run can tell the leftovers of
 * a dead one from the namespaces of another run going on beside it.
 */
export class Netns {
  static create(label: string): Netns {
    removeLeftovers();
    created += 1;
    const netns = new Netns(`${prefix}${process.pid}-${created}-${label}`);
    run('ip', 'netns', 'add', netns.name);
    netns.ip('link', 'set', 'lo', 'up');
    return netns;
  }

  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** The command line that runs a program inside. */
  command(...argv: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...argv];
  }

  /** Runs a program inside and returns what it printed. Throws with its stderr when it fails. */
  run(...argv: readonly string[]): string {
    return run(...this.command(...argv));
  }

  /** `ip` inside, without the cost of entering. */
  ip(...argv: readonly string[]): string {
    return run('ip', '-n', this.name, ...argv);
  }

  /** For instance `sysctl('net.ipv4.ip_forward', 1)`. */
  sysctl(key: string, value: string | number): void {
    this.run('sysctl', '-qw', `${key}=${value}`);
  }

  /** Idempotent. Interfaces inside go with it once the last process inside has ended. */
  destroy(): void {
    if (existsSync(`${registry}/${this.name}`)) run('ip', 'netns', 'delete', this.name);
  }
}

export type End = { readonly netns: Netns; readonly name: string; readonly mac?: string };

/** Joins two namespaces by a cable, both ends up. */
export function connect(a: End, b: End): void {
  addCable(a, b);
  for (const { netns, name } of [a, b]) netns.ip('link', 'set', name, 'up');
}

/** Joins two namespaces by a cable whose ends are still down. */
export function addCable(a: End, b: End): void {
  const end = ({ netns, name, mac }: End) => ['netns', netns.name, 'name', name, ...(mac ? ['address', mac] : [])];
  run('ip', 'link', 'add', ...end(a), 'type', 'veth', 'peer', ...end(b));
  for (const { netns, name } of [a, b]) {
    // Duplicate address detection would hold an address back for a second; no test here is about it.
    netns.sysctl(`net.ipv6.conf.${name}.accept_dad`, 0);
    netns.sysctl(`net.ipv6.conf.${name}.router_solicitations`, 0);
  }
}

/** Runs a program and returns what it printed. Throws with its stderr when it fails. */
function run(...argv: readonly string[]): string {
  return execFileSync(argv[0]!, argv.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
}

function removeLeftovers(): void {
  if (created > 0 || !existsSync(registry)) return;
  for (const name of readdirSync(registry)) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    if (!(pid > 0) || existsSync(`/proc/${pid}`)) continue;
    // Somebody else may be doing the same at this moment.
    spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
  }
}
