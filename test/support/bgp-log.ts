import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './eventually.ts';
import type { Netns } from './netns.ts';

export type BgpLogOptions = {
  readonly interface: string;
  /** Only what this address sends. */
  readonly from: string;
  /** With what is in the messages, which takes tcpdump much longer. */
  readonly verbose?: boolean;
};

/** What a BGP speaker sends over an interface of a namespace, as tcpdump shows it. */
export class BgpLog {
  static async start(netns: Netns, options: BgpLogOptions): Promise<BgpLog> {
    const log = new BgpLog(netns, options);
    await eventually('tcpdump listens', () => log.#complaints.includes('listening on'));
    return log;
  }

  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #text = '';
  #complaints = '';

  private constructor(netns: Netns, { interface: name, from, verbose = false }: BgpLogOptions) {
    const options = ['-i', name, '-n', '-l', '-tt', '--immediate-mode', '-Z', 'root', ...(verbose ? ['-vv'] : [])];
    const [command, ...rest] = netns.command('tcpdump', ...options, `tcp port 179 and src host ${from}`);
    this.#child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = once(this.#child, 'exit');
    this.#child.stdout!.setEncoding('utf8').on('data', (chunk) => {
      this.#text += chunk;
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (chunk) => {
      this.#complaints += chunk;
    });
  }

  get text(): string {
    return this.#text;
  }

  /** Of the first segment since `since` with so many bytes or more, when it passed; both by `performance.now()`. */
  firstSegment(bytes: number, since: number): number | undefined {
    const times = [...this.#text.matchAll(/^(\d+\.\d+) .* length:? (\d+)/gm)]
      .filter(([, , length]) => Number(length) >= bytes)
      .map(([, seconds]) => Number(seconds) * 1_000 - performance.timeOrigin);
    return times.find((at) => at >= since);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}
