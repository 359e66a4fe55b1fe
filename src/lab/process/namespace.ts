import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run, succeed } from './command.ts';
import { identifyProcess, type ProcessIdentity, signalProcess } from './process-identity.ts';

const namespaceDirectory = '/run/netns';

/**
 * The command that runs `argv` inside a named network namespace. `ip netns exec` replaces itself by the program, so the
 * process that is started is the program, and it sees the /sys of its own network.
 */
export function inNamespace(namespace: string, argv: readonly string[]): readonly string[] {
  return ['ip', 'netns', 'exec', namespace, ...argv];
}

/** The named network namespaces that begin with `prefix`. */
export function listNamespaces(prefix: string): readonly string[] {
  try {
    return readdirSync(namespaceDirectory).filter((name) => name.startsWith(prefix));
  } catch {
    return []; // the folder appears with the first namespace of the machine
  }
}

/**
 * Deletes the namespaces, and kills what still runs inside, without which the kernel would keep them. Names that do not
 * exist are no failure.
 * @throws CommandError when one cannot be deleted.
 */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  const existing = listNamespaces('').filter((name) => names.includes(name));
  if (existing.length === 0) return;
  signalIn(existing, 'SIGKILL');
  // One that goes away by itself meanwhile is no failure: what counts is that none is left.
  await run(['ip', '-force', '-batch', '-'], { input: existing.map((name) => `netns del ${name}\n`).join('') });
  const left = listNamespaces('').find((name) => existing.includes(name));
  if (left !== undefined) await succeed(['ip', 'netns', 'del', left]);
}

/** Signals every process that runs in one of the namespaces. */
export function signalIn(names: readonly string[], signal: NodeJS.Signals): void {
  for (const found of processesIn(names)) signalProcess(found, signal);
}

/**
 * The processes in the network namespaces of these names. Never those of our own network: a name whose mount is missing
 * is a plain file, and its inode number says nothing about namespaces.
 */
function processesIn(names: readonly string[]): readonly ProcessIdentity[] {
  const own = statSync('/proc/self/ns/net');
  const inodes = new Set<number>();
  for (const name of names) {
    const found = statSync(join(namespaceDirectory, name), { throwIfNoEntry: false });
    if (found?.dev === own.dev && found.ino !== own.ino) inodes.add(found.ino);
  }
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry) || !inodes.has(networkInode(entry))) return [];
    return identifyProcess(Number(entry)) ?? [];
  });
}

/** From a link of the form `net:[4026531840]`; 0 for processes that ended or belong to others. */
function networkInode(pid: string): number {
  try {
    return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0] ?? 0);
  } catch {
    return 0;
  }
}
