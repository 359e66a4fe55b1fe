import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../scripts/bundle.mjs';
import { eventually } from '../support/suite.ts';

export type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** The product as it is installed: the bundle and the addon in a folder of their own, and a Node to run them. */
export class Installation {
  readonly directory: string;
  readonly #entry: string;
  readonly #node: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.#entry = join(directory, 'dist', 'garpoon.mjs');
    this.#node = join(directory, 'node');
  }

  static async create(): Promise<Installation> {
    const entry = await bundle();
    const directory = mkdtempSync(join(tmpdir(), 'garpoon-e2e-'));
    cpSync(join(entry, '..'), join(directory, 'dist'), { recursive: true });
    const addon = fileURLToPath(new URL('../../build/Release/garpoon.node', import.meta.url));
    copyFileSync(addon, join(directory, 'dist', 'garpoon.node'));
    copyFileSync(process.execPath, join(directory, 'node'));
    // Other users run it too.
    execFileSync('chmod', ['-R', 'a+rX', directory]);
    return new Installation(directory);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs one command to its end. `prefix` is what it is run under, such as setpriv. */
  run(args: readonly string[], { prefix = [] as readonly string[], env = {}, limit = 120_000 } = {}): Promise<Result> {
    const [program = '', ...rest] = [...prefix, this.#node, this.#entry, ...args];
    return new Promise((resolve) => {
      const options = { env: { ...process.env, ...env }, timeout: limit, maxBuffer: 1 << 24, cwd: tmpdir() };
      execFile(program, rest, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** Starts `garpoon lab demo`, sends SIGINT as Ctrl-C would once it prints `mark`, and resolves to the exit code. */
  async interruptDemo(state: string, mark: string): Promise<number | null> {
    const env = { ...process.env, GARPOON_LAB_STATE: state };
    const child = spawn(this.#node, [this.#entry, 'lab', 'demo'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    await eventually(`the demo says ${mark}`, () => output.includes(mark), 30_000);
    child.kill('SIGINT');
    const [code] = await ended;
    return code;
  }

  /** Starts `garpoon lab up` and resolves when it is up. */
  async labUp(state: string): Promise<RunningLab> {
    const env = { ...process.env, GARPOON_LAB_STATE: state };
    const child = spawn(this.#node, [this.#entry, 'lab', 'up'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    const kubeconfig = await eventually('the lab is up', () => {
      if (child.exitCode !== null) throw new Error(`garpoon lab up ended with ${child.exitCode}:\n${output}`);
      return output.includes('Ctrl-C') ? /KUBECONFIG=(\S+)/.exec(output)?.[1] : undefined;
    });
    return new RunningLab(this, child, state, kubeconfig);
  }
}

/** A lab that is up, as somebody in another shell sees it. */
export class RunningLab {
  readonly kubeconfig: string;
  readonly #installation: Installation;
  readonly #child: ChildProcess;
  readonly #state: string;

  constructor(installation: Installation, child: ChildProcess, state: string, kubeconfig: string) {
    this.#installation = installation;
    this.#child = child;
    this.#state = state;
    this.kubeconfig = kubeconfig;
  }

  /** `garpoon lab ARGS…` */
  lab(...args: readonly string[]): Promise<Result> {
    return this.#installation.run(['lab', ...args], { env: { GARPOON_LAB_STATE: this.#state } });
  }

  kubectl(args: readonly string[], input = ''): Promise<Result> {
    return new Promise((resolve) => {
      const options = { env: { ...process.env, KUBECONFIG: this.kubeconfig }, timeout: 30_000 };
      const child = execFile('kubectl', [...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
      child.stdin?.end(input);
    });
  }

  /** The node whose MAC address the client gets from ARP; undefined when nobody or an unknown one answers. */
  async announcer(address: string): Promise<string | undefined> {
    const { stdout } = await this.lab(
      'exec',
      'client',
      '--',
      'arping',
      '-r',
      '-C',
      '1',
      '-w',
      '1',
      '-i',
      'eth0',
      address,
    );
    return /^02:18:00:00:00:1([1-9])$/.exec(stdout.trim())?.[1]?.replace(/^/, 'n');
  }

  /** Ctrl-C. Resolves to the exit code. */
  async interrupt(): Promise<number | null> {
    const ended = this.#ended();
    this.#child.kill('SIGINT');
    return ended;
  }

  async kill(): Promise<void> {
    const ended = this.#ended();
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #ended(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const [code] = await once(this.#child, 'exit');
    return code;
  }
}
