import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Network, PodLink } from '../network/network.ts';
import type { DualStack } from '../network/topology.ts';
import type { LabProcess, ProcessTable } from '../process/process-table.ts';
import { programArgv } from '../process/program.ts';

/** A running Pod: a namespace on its node and, in it, our own little server in place of every container. */
export type Sandbox = {
  /** Of the Pod it was made for: another Pod may later have the same name. */
  readonly uid: string;
  readonly address: DualStack;
  /** Whether all its ports are open. */
  readonly listening: boolean;
  readonly restarts: number;
};

export type SandboxSpec = {
  readonly uid: string;
  readonly node: string;
  /** What the server calls itself in its answers. */
  readonly name: string;
  readonly ports: readonly { readonly number: number; readonly protocol: 'tcp' | 'udp' }[];
};

/** Makes and removes sandboxes. The kubelet stand-in is written against this, so that its rules can be tested alone. */
export interface PodSandboxes {
  get(key: string): Sandbox | undefined;
  /** Makes the sandbox if need be. A server that ends is started again by itself. */
  ensure(key: string, spec: SandboxSpec): Promise<Sandbox>;
  /** Idempotent. */
  remove(key: string): Promise<void>;
  /** Called when a server has opened its ports or has ended. */
  onChange(listener: (key: string) => void): void;
}

/** Before a server that ended is started again, in milliseconds: one that cannot run must not keep the machine busy. */
const restartDelay = 1_000;

type Entry = {
  readonly spec: SandboxSpec;
  readonly link: PodLink;
  /** Undefined while the server waits to be started again. */
  process: LabProcess | undefined;
  restart: Timer | undefined;
  listening: boolean;
  restarts: number;
};

/** Sandboxes in the lab's network. */
export class NetworkSandboxes implements PodSandboxes {
  readonly #network: Network;
  readonly #processes: ProcessTable;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #listener: (key: string) => void = () => {};

  constructor(network: Network, processes: ProcessTable, clock: Clock) {
    this.#network = network;
    this.#processes = processes;
    this.#clock = clock;
  }

  onChange(listener: (key: string) => void): void {
    this.#listener = listener;
  }

  get(key: string): Sandbox | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : sandboxOf(entry);
  }

  async ensure(key: string, spec: SandboxSpec): Promise<Sandbox> {
    const known = this.#entries.get(key);
    if (known !== undefined) return sandboxOf(known);
    const link = await this.#network.addPod(spec.node, key);
    const entry: Entry = { spec, link, process: undefined, restart: undefined, listening: false, restarts: 0 };
    this.#entries.set(key, entry);
    this.#start(key, entry);
    return sandboxOf(entry);
  }

  async remove(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    entry.restart?.cancel();
    entry.process?.kill();
    await entry.process?.exited;
    await this.#network.removePod(key);
  }

  #start(key: string, entry: Entry): void {
    const argv = [...programArgv('pod-server'), entry.spec.name, ...entry.spec.ports.map(portArgument)];
    const name = `pod-${key.replaceAll('/', '-')}`;
    const report = (listening: boolean) => {
      if (this.#entries.get(key) !== entry) return;
      entry.listening = listening;
      this.#listener(key);
    };
    entry.process = this.#processes.spawnIn(entry.link.namespace, argv, { name, onMessage: () => report(true) });
    void entry.process.exited.then(() => {
      entry.process = undefined;
      report(false);
      if (this.#entries.get(key) !== entry) return;
      entry.restart = this.#clock.after(restartDelay, () => this.#startAgain(key, entry));
    });
  }

  #startAgain(key: string, entry: Entry): void {
    if (this.#processes.closed) return;
    entry.restarts += 1;
    this.#start(key, entry);
  }
}

function portArgument({ number, protocol }: SandboxSpec['ports'][number]): string {
  return protocol === 'tcp' ? String(number) : `${number}/${protocol}`;
}

function sandboxOf({ spec, link, listening, restarts }: Entry): Sandbox {
  return { uid: spec.uid, address: link.address, listening, restarts };
}
