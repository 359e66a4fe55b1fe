import { LineProgram } from './line-program.ts';
import { nativeTool } from './native-tool.ts';
import type { Netns } from './netns.ts';
import type { Request } from './outage.ts';

export type AskerOptions = {
  readonly addresses: readonly string[];
  /** Where a datagram is sent back as it came. */
  readonly port: number;
  /** Requests a second to each address. */
  readonly rate: number;
};

/** native/bench/asker.cc: a client that asks every address all the time, by UDP like any program. */
export class Asker {
  static async start(netns: Pick<Netns, 'command'>, { addresses, port, rate }: AskerOptions): Promise<Asker> {
    const asker = new Asker(addresses.length);
    const argv = netns.command(nativeTool('asker'), String(rate), String(port), ...addresses);
    asker.#program = await LineProgram.start(argv, (line) => asker.#read(line));
    return asker;
  }

  readonly #requests: Request[] = [];
  /** By the index of the address: when the last request that was answered was sent. */
  readonly #served: number[];
  #program: LineProgram | undefined;

  private constructor(count: number) {
    this.#served = new Array(count).fill(0);
  }

  /** Since when no address has gone without an answer, as far as known: the oldest of their last answered requests. */
  servedUntil(): number {
    return Math.min(...this.#served);
  }

  /** How many requests have been answered so far. */
  answered(): number {
    return this.#requests.filter(({ answered }) => answered !== undefined).length;
  }

  /** What became of every request, by the index of the address. Idempotent. */
  async stop(): Promise<ReadonlyMap<number, readonly Request[]>> {
    await this.#program?.stop();
    return Map.groupBy(this.#requests, ({ target }) => target);
  }

  #read(line: string): void {
    const [target = 0, sent = 0, answered = 0] = line.split(' ').map(Number);
    this.#requests.push({ target, sent: sent / 1000, answered: answered === 0 ? undefined : answered / 1000 });
    if (answered !== 0) this.#served[target] = Math.max(this.#served[target]!, sent / 1000);
  }
}
