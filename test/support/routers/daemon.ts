import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, within } from '../eventually.ts';
import type { Netns } from '../netns.ts';
import { pidFile } from './run-directory.ts';

/** A path of the machine, and the directory a daemon sees there in its stead. */
export type Bind = { readonly at: string; readonly directory: string };

export type Place = {
  readonly netns: Netns;
  /** Of the router: see run-directory.ts. */
  readonly directory: string;
  readonly binds?: readonly Bind[];
};

const run = promisify(execFile);

/** A daemon in the foreground inside a namespace. It ends with this process. */
export class Daemon {
  static start(place: Place, name: string, argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Daemon {
    const log = join(place.directory, `${name}.log`);
    const output = openSync(log, 'a');
    const [program, ...rest] = inPlace(place, argv);
    const child = spawn(program!, rest, { stdio: ['ignore', output, output], env: { ...process.env, ...environment } });
    closeSync(output);
    return new Daemon(name, child, log);
  }

  readonly name: string;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;

  private constructor(name: string, child: ChildProcess, log: string) {
    this.name = name;
    this.#child = child;
    this.#log = log;
    const file = pidFile(child.pid!);
    writeFileSync(file, '');
    this.#ended = once(child, 'exit').finally(() => rmSync(file, { force: true }));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves once `condition` holds, and fails with the end of its log when it ends before or takes too long. */
  async ready(condition: () => unknown, limit = 10_000): Promise<void> {
    try {
      await eventually(`${this.name} is ready`, () => !this.running || condition(), limit);
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${this.log()}`, { cause });
    }
    if (!this.running) throw new Error(`${this.name} has ended\n${this.log()}`);
  }

  /** The end of what it has written. */
  log(lines = 40): string {
    return readFileSync(this.#log, 'utf8').split('\n').slice(-lines).join('\n');
  }

  /** Resolves when it has ended, if the signal is one that ends it whatever it does. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    if (signal === 'SIGKILL') await this.#ended;
  }

  /** Ends it in the orderly way. Idempotent. */
  async stop(limit = 5_000): Promise<void> {
    if (!this.running) return;
    // One that a test has left stopped would not end.
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    await within(limit, `${this.name} does not end`, () => this.#ended).catch(() => this.signal('SIGKILL'));
  }
}

/** Runs a program beside the daemons of a place, and resolves to what it printed. Rejects with its stderr. */
export async function ask(place: Place, ...argv: readonly string[]): Promise<string> {
  const [program, ...rest] = inPlace(place, argv);
  const { stdout } = await run(program!, rest, { timeout: 20_000, maxBuffer: 256 * 1024 * 1024 });
  return stdout;
}

/** `ip netns exec` gives what it runs mounts of its own. */
function inPlace({ netns, binds = [] }: Place, argv: readonly string[]): string[] {
  if (binds.length === 0) return netns.command(...argv);
  const mounts = binds.map(({ at, directory }) => `mount --bind '${directory}' '${at}' && `).join('');
  return netns.command('sh', '-c', `${mounts}exec "$@"`, 'sh', ...argv);
}
