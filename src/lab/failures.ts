import { availableParallelism } from 'node:os';
import type { Lab } from './lab.ts';
import { CommandError, type CommandResult } from './process/command.ts';
import { signalIn } from './process/namespace.ts';
import { programArgv } from './process/program.ts';

/**
 * What happens to nodes and speakers, beyond cutting cables (Network) and signalling processes (GarpoonProcesses).
 */

/**
 * The node loses its power: everything on it stops at once, and its cables carry nothing. Of its last moment nothing gets
 * out, not even that its connections are closed. Its Pods are not killed but frozen for good: the stand-in for its kubelet
 * is no process of the node, and would report their end.
 */
export async function powerOff(lab: Lab, node: string): Promise<void> {
  const namespaces = lab.network.namespacesOf(node);
  signalIn(namespaces, 'SIGSTOP');
  await Promise.all([lab.network.cut(node, { carrier: true }), lab.network.isolateApi(node, { carrier: true })]);
  await lab.garpoon.killUnreported(node);
}

/** Undoes powerOff; resolves when the speaker's process has been started. */
export async function powerOn(lab: Lab, node: string): Promise<void> {
  await Promise.all([lab.network.plug(node), lab.network.restoreApi(node)]);
  signalIn(lab.network.namespacesOf(node), 'SIGCONT');
  await lab.garpoon.start(node);
}

/**
 * Keeps the event loop of a node's speaker busy for so many milliseconds, as a long garbage collection would; its other
 * threads run on. Resolves when it runs again.
 */
export async function blockEventLoop(lab: Lab, node: string, milliseconds: number): Promise<void> {
  const argv = [...programArgv('event-loop-blocker'), String(lab.garpoon.pid(node)), String(milliseconds)];
  const result = await lab.network.exec(node, argv, { timeout: milliseconds + 10_000 });
  if (result.status !== 0) throw new CommandError('FAILED', `block the event loop on ${node}: ${result.stderr.trim()}`);
}

/** Has other programs of ordinary priority use every processor of the machine, two for each, for so long. */
export async function saturate(lab: Lab, milliseconds: number): Promise<void> {
  const spinning = ['timeout', '-s', 'KILL', String(milliseconds / 1000), 'sh', '-c', 'while :; do :; done'];
  const one = (): Promise<CommandResult> => lab.network.exec('switch', spinning, { timeout: milliseconds + 10_000 });
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, one));
}
