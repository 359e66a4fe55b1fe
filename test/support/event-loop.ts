import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { programArgv } from '../../src/lab/process/program.ts';
import type { Netns } from './netns.ts';

/** Keeps the event loop of a Node process in the namespace busy for so many milliseconds. Resolves when it runs again. */
export async function blockEventLoopOf(netns: Netns, pid: number, milliseconds: number): Promise<void> {
  const [command, ...rest] = netns.command(...programArgv('event-loop-blocker'), `${pid}`, `${milliseconds}`);
  await promisify(execFile)(command!, rest, { timeout: milliseconds + 10_000 });
}
