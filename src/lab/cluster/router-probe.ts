import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Network } from '../network/network.ts';
import type { LabProcess, ProcessTable } from '../process/process-table.ts';
import { programArgv } from '../process/program.ts';
import type { NodeProbe } from './node-monitor.ts';

/** Between two looks at a node, in milliseconds. */
const period = 250;
/** Before a probe that ended is started again, in milliseconds. */
const restartDelay = 1_000;

/** Looks for the nodes from the router: where the remote client's traffic comes from. */
export class RouterProbe implements NodeProbe {
  readonly #network: Network;
  readonly #processes: ProcessTable;
  readonly #clock: Clock;
  #process: LabProcess | undefined;
  #restart: Timer | undefined;
  #stopped = false;

  constructor(network: Network, processes: ProcessTable, clock: Clock) {
    this.#network = network;
    this.#processes = processes;
    this.#clock = clock;
  }

  start(onAnswer: (node: string) => void): void {
    if (this.#stopped || this.#processes.closed) return;
    const targets = this.#network.topology.nodes.map((node) => `${node.name}=${node.address.v4}`);
    const argv = [...programArgv('reachability-probe'), String(period), ...targets];
    const process = this.#processes.spawnIn(this.#network.namespace('router'), argv, {
      name: 'reachability-probe',
      onMessage: (node) => onAnswer(String(node)),
    });
    this.#process = process;
    void process.exited.then(() => {
      if (!this.#stopped) this.#restart = this.#clock.after(restartDelay, () => this.start(onAnswer));
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#restart?.cancel();
    this.#process?.kill();
  }
}
