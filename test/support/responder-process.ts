import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { formatAddress } from '../../src/ip/address.ts';
import type { BfdDrops, BfdSessionState } from '../../src/layer2/bfd.ts';
import type {
  AddressCounters,
  Counters,
  InterfaceState,
  ResponderEvent,
  ResponderStatus,
} from '../../src/layer2/responder.ts';
import { eventually } from './eventually.ts';
import type { Netns } from './netns.ts';
import type { AddressRange, BfdWish, Command, ProgramOptions, Report, SwapTimes, Wish } from './responder-program.ts';

export type ResponderProcessOptions = Partial<ProgramOptions> & {
  /** A program and its arguments that runs the process in its own way, as `setpriv` does. */
  readonly under?: readonly string[];
};

type Unsent = Command extends infer Each ? (Each extends Command ? Omit<Each, 'id'> : never) : never;
type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void };

/** A Responder in a process of its own inside a namespace: see responder-program.ts. */
export class ResponderProcess {
  /** Resolves once it serves: it has looked at the interfaces. */
  static async start(
    netns: Netns,
    { under = [], ...options }: ResponderProcessOptions = {},
  ): Promise<ResponderProcess> {
    const program = fileURLToPath(new URL('./responder-program.ts', import.meta.url));
    const complete = JSON.stringify({ excludeInterfaces: [], ...options });
    const command = netns.command(...under, process.execPath, program, complete);
    const started = new ResponderProcess(spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] }));
    await started.interfaces();
    return started;
  }

  readonly events: ResponderEvent[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #killed = false;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(JSON.parse(line, readBigint) as Report));
    child.stdin.on('error', () => {}); // Whatever was asked fails when the process ends.
    child.on('exit', (status, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`responder ended: ${signal ?? status}`));
      this.#waiting.clear();
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async setAnnouncements(table: readonly Wish[]): Promise<void> {
    await this.#ask({ do: 'setAnnouncements', table });
  }

  /** Puts exactly these addresses into the table, on every interface. */
  serve(...addresses: readonly string[]): Promise<void> {
    return this.setAnnouncements(addresses.map((address) => ({ address, interfaces: 'all' })));
  }

  /** `serve` for very many. */
  async serveRange({ first, count, step = 1 }: AddressRange): Promise<void> {
    await this.#ask({ do: 'serveRange', first, count, step });
  }

  async announce(...addresses: readonly string[]): Promise<void> {
    await this.#ask({ do: 'announce', addresses });
  }

  /** `announce` in another number of rounds. */
  async announceInRounds(rounds: number, ...addresses: readonly string[]): Promise<void> {
    await this.#ask({ do: 'announce', addresses, rounds });
  }

  async announceRange({ first, count, step = 1 }: AddressRange): Promise<void> {
    await this.#ask({ do: 'announceRange', first, count, step });
  }

  async probe(...addresses: readonly string[]): Promise<void> {
    await this.#ask({ do: 'probe', addresses });
  }

  /** Resolves to how many of the addresses are asked for. */
  async ask(addresses: readonly string[], interfaces: Wish['interfaces'] = 'all'): Promise<number> {
    return (await this.#ask({ do: 'ask', addresses, interfaces })) as number;
  }

  async setBfdSessions(...sessions: readonly BfdWish[]): Promise<void> {
    await this.#ask({ do: 'setBfdSessions', sessions });
  }

  async bfdSessions(): Promise<BfdSessionState[]> {
    return (await this.#ask({ do: 'bfdSessions' })) as BfdSessionState[];
  }

  async bfdDrops(): Promise<BfdDrops> {
    return (await this.#ask({ do: 'bfdDrops' })) as BfdDrops;
  }

  async renew(): Promise<boolean> {
    return (await this.#ask({ do: 'renew' })) as boolean;
  }

  async status(): Promise<ResponderStatus> {
    return (await this.#ask({ do: 'status' })) as ResponderStatus;
  }

  async timeSwaps({ first, count }: AddressRange, times: number): Promise<SwapTimes> {
    return (await this.#ask({ do: 'timeSwaps', first, count, times })) as SwapTimes;
  }

  async counters(): Promise<Counters> {
    return (await this.#ask({ do: 'counters' })) as Counters;
  }

  /** By the address's text: requests received, responses sent, gratuitous frames sent. */
  async addressCounters(): Promise<ReadonlyMap<string, readonly [number, number, number]>> {
    const all = (await this.#ask({ do: 'addressCounters' })) as AddressCounters[];
    return new Map(
      all.map(({ address, requestsReceived, responsesSent, gratuitousSent }) => [
        formatAddress(address),
        [requestsReceived, responsesSent, gratuitousSent],
      ]),
    );
  }

  async interfaces(): Promise<InterfaceState[]> {
    return (await this.#ask({ do: 'interfaces' })) as InterfaceState[];
  }

  /** Resolves once the process's event loop stands still; it will for as many milliseconds. */
  async blockEventLoop(milliseconds: number): Promise<void> {
    await this.#ask({ do: 'block', milliseconds });
  }

  /** Resolves once the event loop is as good as blocked: busy for `milliseconds`, in pieces of `piece`. */
  async stall(milliseconds: number, piece: number): Promise<void> {
    await this.#ask({ do: 'stall', milliseconds, piece });
  }

  /** Frees what JavaScript no longer needs. */
  async collectGarbage(): Promise<void> {
    await this.#ask({ do: 'collectGarbage' });
  }

  /** Closes the Responder. The process lives on. */
  async closeResponder(): Promise<void> {
    await this.#ask({ do: 'close' });
  }

  /** The first event not looked at yet that is wanted, waiting for it. */
  event(what: string, wanted: (event: ResponderEvent) => boolean, limit = 5_000): Promise<ResponderEvent> {
    return eventually(
      what,
      () => {
        const at = this.events.findIndex(wanted);
        return at === -1 ? undefined : this.events.splice(at, 1)[0];
      },
      limit,
    );
  }

  /** Resolves when the process is gone, without having had a chance to do anything about it. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill('SIGKILL');
    if (this.running) await once(this.#child, 'exit');
  }

  /** Ends the process in an orderly way, and fails when it ended otherwise, unless it was killed. Idempotent. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.running) await once(this.#child, 'exit');
    const status = this.#child.exitCode ?? this.#child.signalCode;
    if (!this.#killed) assert.equal(status, 0, 'the responder process did not end in order');
  }

  #ask(command: Unsent): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.running) return reject(new Error('the responder process has ended'));
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ ...command, id })}\n`);
    });
  }

  #read(report: Report): void {
    if ('event' in report) {
      this.events.push(report.event as ResponderEvent);
      return;
    }
    const waiting = this.#waiting.get(report.id);
    this.#waiting.delete(report.id);
    if (report.error === undefined) waiting?.resolve(report.result);
    else waiting?.reject(new Error(report.error));
  }
}

function readBigint(_: string, value: unknown): unknown {
  const text = value !== null && typeof value === 'object' && 'bigint' in value ? value.bigint : undefined;
  return typeof text === 'string' ? BigInt(text) : value;
}
