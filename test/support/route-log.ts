import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';
import type { Netns } from './netns.ts';

/** Nobody uses it: by its coming it is known that the log has begun. */
const mark = '203.0.113.255';

export type RouteChange = {
  /** When it was told; `performance.now()`. */
  readonly at: number;
  readonly prefix: string;
  readonly gone: boolean;
  readonly line: string;
};

/** Every change of the routes of a namespace's kernel, as the kernel tells them. */
export class RouteLog {
  static async start(netns: Netns): Promise<RouteLog> {
    const log = new RouteLog(netns);
    await eventually('the kernel tells of routes', () => {
      // What is there already is not told again.
      netns.ip('route', 'add', 'blackhole', mark);
      netns.ip('route', 'del', 'blackhole', mark);
      return log.#changes.some(({ line }) => line.includes(mark));
    });
    return log;
  }

  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #changes: RouteChange[] = [];

  private constructor(netns: Netns) {
    this.#child = spawn('ip', ['-n', netns.name, '-o', 'monitor', 'route'], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#ended = once(this.#child, 'exit');
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#read(line));
  }

  /** In the order in which they were told. */
  get changes(): readonly RouteChange[] {
    return this.#changes;
  }

  /** What it has told of routes to the address, or the prefix, so far. */
  of(prefix: string): readonly RouteChange[] {
    return this.#changes.filter((each) => each.prefix === prefix);
  }

  /** As if it had begun now. */
  clear(): void {
    this.#changes.length = 0;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }

  #read(line: string): void {
    const gone = line.startsWith('Deleted ');
    const [prefix = ''] = line.slice(gone ? 'Deleted '.length : 0).split(' ');
    this.#changes.push({ at: performance.now(), prefix, gone, line });
  }
}
