import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { commandEnvironment, run } from './command.ts';
import { inNamespace } from './namespace.ts';
import { identifyProcess } from './process-identity.ts';
import type { RunDirectory } from './run-directory.ts';

export type SpawnOptions = {
  /** Names the log file; unique among the processes that run at the same time. */
  readonly name: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with what the process sends by `process.send`. Only Node programs of ours have such a channel. */
  readonly onMessage?: (message: unknown) => void;
};

export type Exit = { readonly status: number | undefined; readonly signal: NodeJS.Signals | undefined };

/** A process that runs in one of the run's namespaces. */
export type LabProcess = {
  readonly name: string;
  readonly pid: number;
  /** Standard output and standard error of the process, appended. */
  readonly log: string;
  /** Settles when the process has ended; never rejects. */
  readonly exited: Promise<Exit>;
  readonly running: boolean;
  /** Signals the process and its children; SIGKILL unless told otherwise. Does nothing once it has ended. */
  kill(signal?: NodeJS.Signals): void;
  /** Stops it in its tracks (SIGSTOP): alive for the kernel, silent for everyone else. */
  pause(): void;
  resume(): void;
};

/**
 * The processes of one run. Each leads a process group of its own, so that a Ctrl-C at the terminal reaches only the
 * lab, and each dies with the lab however the lab dies (PR_SET_PDEATHSIG), where `setpriv` can arrange it.
 */
export class ProcessTable {
  readonly #directory: RunDirectory;
  readonly #prefix: readonly string[];
  readonly #running = new Map<number, Tracked>();
  #closed = false;

  private constructor(directory: RunDirectory, prefix: readonly string[]) {
    this.#directory = directory;
    this.#prefix = prefix;
  }

  static async create(directory: RunDirectory): Promise<ProcessTable> {
    return new ProcessTable(directory, (await canDieWithParent()) ? dieWithParent : []);
  }

  /**
   * Starts a program in the namespace (its full name) and returns at once.
   * Must be called on the main thread: the death signal follows the thread that spawns.
   * @throws Error when the table is closed or the kernel refuses the process.
   */
  spawnIn(namespace: string, argv: readonly string[], options: SpawnOptions): LabProcess {
    if (this.#closed) throw new Error(`start ${options.name}: the lab is shutting down`);
    const log = this.#directory.logFile(options.name);
    const output = openSync(log, 'a');
    const child = spawnLogged(inNamespace(namespace, [...this.#prefix, ...argv]), options, output);
    const tracked = new Tracked(options.name, child, log);
    if (options.onMessage !== undefined) child.on('message', options.onMessage);
    const identity = identifyProcess(tracked.pid);
    if (identity !== undefined) this.#directory.record(identity);
    this.#running.set(tracked.pid, tracked);
    void tracked.exited.then(() => this.#running.delete(tracked.pid)); // `exited` never rejects
    return tracked;
  }

  /** Whether nothing can be started any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The processes that run now, oldest first. */
  list(): readonly LabProcess[] {
    return [...this.#running.values()];
  }

  /** Kills everything and waits until it is gone. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = this.list();
    for (const one of all) one.kill();
    await Promise.all(all.map((one) => one.exited));
  }
}

/** Takes over `output`, and closes our copy of it. */
function spawnLogged(argv: readonly string[], options: SpawnOptions, output: number): ChildProcess {
  const [program = '', ...rest] = argv;
  const stdio: StdioOptions = ['ignore', output, output];
  if (options.onMessage !== undefined) stdio.push('ipc');
  try {
    return spawn(program, rest, { env: { ...commandEnvironment(), ...options.env }, stdio, detached: true });
  } finally {
    closeSync(output);
  }
}

const dieWithParent = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;

/** BusyBox has a setpriv without this option. There, leftovers of a killed lab wait for the next start. */
async function canDieWithParent(): Promise<boolean> {
  try {
    return (await run([...dieWithParent, 'true'])).status === 0;
  } catch {
    return false;
  }
}

class Tracked implements LabProcess {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;

  constructor(name: string, child: ChildProcess, log: string) {
    if (child.pid === undefined) {
      child.on('error', () => {}); // reported by the throw
      throw new Error(`start ${name}: ${child.spawnfile} is not installed or the kernel refused the process`);
    }
    this.name = name;
    this.pid = child.pid;
    this.log = log;
    this.#child = child;
    this.exited = once(child, 'exit').then(([status, signal]) => ({
      status: status ?? undefined,
      signal: signal ?? undefined,
    }));
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (!this.running) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      // ESRCH: it has ended, and its exit event is on the way.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  pause(): void {
    this.kill('SIGSTOP');
  }

  resume(): void {
    this.kill('SIGCONT');
  }
}
