import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Netns } from './netns.ts';

/** Lines of its log that are kept. */
const tail = 400;

/** One `garpoon speaker` in a namespace. It ends with this process, however that ends. */
export class SpeakerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: string[] = [];

  constructor(netns: Netns, argv: readonly string[]) {
    const [command, ...rest] = netns.command('setpriv', '--pdeathsig', 'KILL', '--', ...argv);
    this.#child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = once(this.#child, 'exit');
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#lines.push(...chunk.split('\n').filter(Boolean));
        this.#lines.splice(0, this.#lines.length - tail);
      });
    }
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what it has logged. */
  log(): string {
    return this.#lines.join('\n');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves to its exit code when it has ended. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  /** Ends it at once. Idempotent. */
  async kill(): Promise<void> {
    if (this.running) this.signal('SIGKILL');
    await this.#ended;
  }
}
