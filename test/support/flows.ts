import { fileURLToPath } from 'node:url';
import { LineProgram } from './line-program.ts';
import type { Netns } from './netns.ts';
import type { Request } from './outage.ts';

export type FlowRequest = Request & {
  /** Index of the flow: one source port. */
  readonly flow: number;
  /** Who has answered. */
  readonly by: string | undefined;
};

export type FlowsOptions = {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly flows: number;
  /** Requests a second to each address. */
  readonly rate: number;
};

/** A client of many source ports: see flows-program.ts. */
export class Flows {
  static async start(netns: Netns, { addresses, port, flows, rate }: FlowsOptions): Promise<Flows> {
    const asking = new Flows();
    const program = fileURLToPath(new URL('./flows-program.ts', import.meta.url));
    const argv = netns.command(process.execPath, program, `${flows}`, `${rate}`, `${port}`, ...addresses);
    asking.#program = await LineProgram.start(argv, (line) => asking.#read(line));
    return asking;
  }

  /** Those of which it is known what became, in the order in which it was. */
  readonly requests: FlowRequest[] = [];
  #program: LineProgram | undefined;

  private constructor() {}

  /** Who has answered requests to an address that were sent since then. */
  answeredBy(target: number, since = 0): ReadonlySet<string> {
    const all = this.requests.filter((each) => each.target === target && each.sent >= since);
    return new Set(all.flatMap(({ by }) => by ?? []));
  }

  /** All requests, those that were never answered last. Idempotent. */
  async stop(): Promise<readonly FlowRequest[]> {
    await this.#program?.stop();
    return this.requests;
  }

  #read(line: string): void {
    const [target, flow, sent, answered, by] = line.split(' ');
    this.requests.push({
      target: Number(target),
      flow: Number(flow),
      sent: Number(sent),
      answered: Number(answered) || undefined,
      by,
    });
  }
}
