import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Where the daemons of this process keep all they write, under the system's temporary directory:
 *
 *   garpoon-routers-XXXXXX/pids/1234     a daemon that runs now
 *   garpoon-routers-XXXXXX/1-FRR/…       configuration, sockets and logs of a router
 *
 * A shell waits for this process to end, be it by SIGKILL, and then ends the daemons and removes the directory.
 */
let root: string | undefined;
let created = 0;

/** A new directory for one router. */
export function createRunDirectory(label: string): string {
  root ??= createRoot();
  created += 1;
  const directory = join(root, `${created}-${label}`);
  mkdirSync(directory);
  return directory;
}

/** The file that says that the process runs; to be removed when it has ended. */
export function pidFile(pid: number): string {
  if (root === undefined) throw new Error('no router has a directory yet');
  return join(root, 'pids', `${pid}`);
}

export function removeRunDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

function createRoot(): string {
  const directory = mkdtempSync(join(tmpdir(), 'garpoon-routers-'));
  mkdirSync(join(directory, 'pids'));
  // Its standard input ends when this process does, which nobody else has the other end of.
  const script = 'cat >/dev/null; cd "$1/pids" && for pid in *; do kill -9 "$pid"; done; cd /; exec rm -rf "$1"';
  const keeper = spawn('sh', ['-c', script, 'sh', directory], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  keeper.unref();
  (keeper.stdin as Socket).unref();
  return directory;
}
