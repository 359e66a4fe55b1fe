import { appendFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../runtime/random.ts';
import { identifyProcess, isAlive, type ProcessIdentity, signalGroup } from './process-identity.ts';

/**
 * What one run of the lab leaves on the machine, written down before it is made, so that the next run can remove it
 * after a crash:
 *
 *   STATE/ID.PID.START/          exists while the run may own namespaces; PID.START is the identity of its owner
 *   STATE/ID.PID.START/processes one line "PID START" for each process started
 *   STATE/ID.PID.START/*.log     what the processes wrote
 *
 * Every namespace of the run is named `gp-ID-…`. The owner is in the directory's name because mkdir is atomic: there is
 * no moment at which a live run looks like a dead one.
 */
export class RunDirectory {
  readonly id: string;
  readonly path: string;

  private constructor(id: string, path: string) {
    this.id = id;
    this.path = path;
  }

  /** Starts a run owned by this process. `state` must exist: see prepareStateDirectory. */
  static create(state: string, random: Random): RunDirectory {
    const owner = identifyProcess(process.pid);
    if (owner === undefined) throw new Error(`read /proc/${process.pid}/stat: is /proc mounted?`);
    for (;;) {
      const id = Buffer.from(random.bytes(2)).toString('hex');
      if (readdirSync(state).some((name) => name.startsWith(`${id}.`))) continue;
      const path = join(state, `${id}.${owner.pid}.${owner.startTime}`);
      mkdirSync(path);
      return new RunDirectory(id, path);
    }
  }

  /** Where a process of this run writes. */
  logFile(name: string): string {
    return join(this.path, `${name}.log`);
  }

  /** Notes a process so that it can be ended if this one is killed. Call it as soon as the process exists. */
  record(started: ProcessIdentity): void {
    appendFileSync(join(this.path, 'processes'), `${started.pid} ${started.startTime}\n`);
  }

  /** Forgets the run. Its processes and namespaces must be gone. Idempotent. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/**
 * Ends what crashed runs left behind: their processes, by pid and start time, and through `removeNamespaces` the
 * namespaces of each run. Runs whose owner lives are not touched. Returns the ids of the runs removed.
 */
export async function removeLeftovers(
  state: string,
  removeNamespaces: (id: string) => Promise<void>,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of readdirSync(state)) {
    const [, id, pid, startTime] = /^([0-9a-f]{4})\.(\d+)\.(\d+)$/.exec(name) ?? [];
    if (id === undefined || pid === undefined || startTime === undefined) continue;
    if (isAlive({ pid: Number(pid), startTime })) continue;
    const path = join(state, name);
    for (const started of recordedProcesses(path)) signalGroup(started, 'SIGKILL');
    await removeNamespaces(id);
    rmSync(path, { recursive: true, force: true });
    removed.push(id);
  }
  return removed;
}

/** Inside the lab's user namespace everyone is uid 0, so the outer process says where its state is. */
export const stateVariable = 'GARPOON_LAB_STATE';

/** Where runs are recorded: `/run/garpoon-lab` for root, the user's runtime directory for everyone else. */
export function defaultStateDirectory(
  uid = process.getuid?.() ?? 0,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const given = env[stateVariable];
  if (given !== undefined && given !== '') return given;
  if (uid === 0) return '/run/garpoon-lab';
  const runtime = env.XDG_RUNTIME_DIR;
  return runtime === undefined || runtime === '' ? join(tmpdir(), `garpoon-lab-${uid}`) : join(runtime, 'garpoon-lab');
}

/**
 * Creates the state directory if need be. Refuses one that belongs to somebody else: its contents name processes to
 * kill, and the fallback lies in a folder anyone may write to.
 */
export function prepareStateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`use ${path} for the lab's state: it is not a directory of this user`);
  }
}

function recordedProcesses(path: string): readonly ProcessIdentity[] {
  let text: string;
  try {
    text = readFileSync(join(path, 'processes'), 'utf8');
  } catch {
    return []; // the run crashed before it started any
  }
  return text.split('\n').flatMap((line) => {
    const [, pid, startTime] = /^(\d+) (\d+)$/.exec(line) ?? [];
    return pid === undefined || startTime === undefined ? [] : [{ pid: Number(pid), startTime }];
  });
}
