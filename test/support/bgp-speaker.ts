import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { StopKind } from '../../src/bgp/session.ts';
import type { Command, PeerWish, Report, RouteWish, StatusSeen } from './bgp-speaker-program.ts';
import type { Netns } from './netns.ts';

type Unsent = Command extends infer Each ? (Each extends Command ? Omit<Each, 'id'> : never) : never;
type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void };

/** Sessions of our own in a process of its own inside a namespace: see bgp-speaker-program.ts. */
export class BgpSpeaker {
  /** Resolves once its sessions have begun, and it listens where it is to. */
  static async start(
    netns: Netns,
    peers: readonly PeerWish[],
    listen: readonly string[] = [],
    /** By the name of the peer, from the beginning: a peer is told the end of the initial routes after these. */
    routes: { readonly [peer: string]: readonly RouteWish[] } = {},
  ): Promise<BgpSpeaker> {
    const program = fileURLToPath(new URL('./bgp-speaker-program.ts', import.meta.url));
    const [command, ...rest] = netns.command(process.execPath, program);
    const speaker = new BgpSpeaker(spawn(command!, rest, { stdio: ['pipe', 'pipe', 'inherit'] }));
    try {
      await speaker.#ask({ do: 'start', peers, listen, routes });
    } catch (error) {
      await speaker.close();
      throw error;
    }
    return speaker;
  }

  /** Every change of a session's status, in order. */
  readonly changes: { readonly peer: string; readonly status: StatusSeen }[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(JSON.parse(line) as Report));
    child.stdin.on('error', () => {}); // Whatever was asked fails when the process ends.
    child.on('exit', (status, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`speaker ended: ${signal ?? status}`));
      this.#waiting.clear();
    });
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that these peers are to be told; of others nothing changes. */
  async routes(routes: { readonly [peer: string]: readonly RouteWish[] }): Promise<void> {
    await this.#ask({ do: 'routes', routes });
  }

  async status(peer: string): Promise<StatusSeen> {
    const all = (await this.#ask({ do: 'status' })) as { readonly [peer: string]: StatusSeen };
    return all[peer]!;
  }

  async bfdDown(peer: string): Promise<void> {
    await this.#ask({ do: 'bfdDown', peer });
  }

  /** Ends all sessions. The process lives on. */
  async stop(how: StopKind, text = ''): Promise<void> {
    await this.#ask({ do: 'stop', how, text });
  }

  /** With SIGKILL resolves when the process has ended. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    if (signal === 'SIGKILL' && this.running) await once(this.#child, 'exit');
  }

  /** Ends the process, which says nothing to its peers. Idempotent. */
  async close(): Promise<void> {
    if (!this.running) return;
    // One that a test has left stopped would not end.
    this.#child.kill('SIGCONT');
    this.#child.stdin.end();
    await once(this.#child, 'exit');
  }

  #ask(command: Unsent): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.running) return reject(new Error('the speaker has ended'));
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ ...command, id })}\n`);
    });
  }

  #read(report: Report): void {
    if ('peer' in report) {
      this.changes.push(report);
      return;
    }
    const waiting = this.#waiting.get(report.id);
    this.#waiting.delete(report.id);
    if (report.error === undefined) waiting?.resolve(report.result);
    else waiting?.reject(new Error(report.error));
  }
}
