import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiError, isAlreadyExists } from '../kubernetes/api-error.ts';
import { updateStatus } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import { namespaces, pods } from '../kubernetes/resource.ts';
import { type Clock, timestamp } from '../runtime/clock.ts';
import type { Network } from './network/network.ts';
import { managementAddress } from './network/topology.ts';
import type { LabProcess, ProcessTable } from './process/process-table.ts';

/** Where the manifests install Garpoon, and where its resources are. */
export const systemNamespace = 'metallb-system';

const speakerLabels = { app: 'garpoon', component: 'speaker' } as const;
const controllerLabels = { app: 'garpoon', component: 'controller' } as const;

export type GarpoonProcessesOptions = {
  readonly client: ApiClient;
  readonly network: Network;
  readonly processes: ProcessTable;
  /** A kubeconfig whose server is the one on the management network. */
  readonly kubeconfig: string;
  /** Stands for the nodes' disks: each gets a directory of its name in it. */
  readonly disks: string;
  /** The command that runs the product; that of `garpoonArgv` unless given. */
  readonly program?: readonly string[];
  /** Given to every speaker after the lab's own. */
  readonly speakerArguments?: readonly string[];
  readonly clock: Clock;
};

/**
 * The product itself, as the processes that a cluster would run: one controller on the management network, one speaker
 * on every node. Each has a Pod object, by which the speakers find each other and people see them in kubectl.
 */
export class GarpoonProcesses {
  readonly #options: GarpoonProcessesOptions;
  /** `controller`, or the name of a node -> the process that runs or ran last. */
  readonly #processes = new Map<string, LabProcess>();
  /** Those whose end the API is not to be told of. */
  readonly #unreported = new Set<LabProcess>();

  constructor(options: GarpoonProcessesOptions) {
    this.#options = options;
  }

  /** The names that the other operations take. */
  names(): readonly string[] {
    return ['controller', ...this.#options.network.topology.nodes.map(({ name }) => name)];
  }

  async startAll(): Promise<void> {
    const { client } = this.#options;
    await ignoreExisting(client.create(namespaces, { metadata: { name: systemNamespace } }));
    await Promise.all(this.names().map((name) => this.start(name)));
  }

  /** Starts it, unless it runs; as on a node, be the API server there or not. */
  async start(name: string): Promise<void> {
    if (this.#processes.get(name)?.running) return;
    await ignoreAway(this.#ensurePod(name));
    const { network, processes } = this.#options;
    const program =
      name === 'controller'
        ? processes.spawnIn(network.namespace('management'), this.#controllerArgv(), { name: 'controller' })
        : processes.spawnIn(network.namespace(name), this.#speakerArgv(name), { name: `speaker-${name}` });
    this.#processes.set(name, program);
    await ignoreAway(this.#writeStatus(name, true));
    // The Pod shows that its process has ended; when the lab ends, nobody is there to be told.
    void program.exited
      .then(() => (this.#unreported.delete(program) ? undefined : this.#writeStatus(name, false)))
      .catch(() => {});
  }

  /** Ends it at once, as a crash would; or with SIGTERM in good order. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const running = this.#get(name);
    running.kill(signal);
    await running.exited;
  }

  /** Ends it at once, and nobody on the node is left to report it. */
  async killUnreported(name: string): Promise<void> {
    const running = this.#get(name);
    if (running.running) this.#unreported.add(running);
    await this.kill(name);
  }

  pause(name: string): void {
    this.#get(name).pause();
  }

  resume(name: string): void {
    this.#get(name).resume();
  }

  isRunning(name: string): boolean {
    return this.#get(name).running;
  }

  /** Of the process that runs or ran last. */
  pid(name: string): number {
    return this.#get(name).pid;
  }

  /** Where it writes its log lines. */
  log(name: string): string {
    return this.#get(name).log;
  }

  #get(name: string): LabProcess {
    const found = this.#processes.get(name);
    if (found === undefined)
      throw new RangeError(`no process ${JSON.stringify(name)}: one of ${this.names().join(', ')}`);
    return found;
  }

  #program(): readonly string[] {
    return this.#options.program ?? garpoonArgv();
  }

  #controllerArgv(): readonly string[] {
    return [
      ...this.#program(),
      'controller',
      `--kubeconfig=${this.#options.kubeconfig}`,
      `--namespace=${systemNamespace}`,
      `--health-probe-host=${managementAddress}`,
      `--metrics-host=${managementAddress}`,
      // There is one, and when it is killed and started again nobody wants to wait for its Lease to run out.
      '--leader-elect=false',
      // Nothing leads from the lab's API server to the webhooks.
      '--webhook-mode=disabled',
    ];
  }

  #speakerArgv(name: string): readonly string[] {
    return [
      ...this.#program(),
      'speaker',
      `--kubeconfig=${this.#options.kubeconfig}`,
      `--namespace=${systemNamespace}`,
      `--node-name=${name}`,
      `--pod-name=${podName(name)}`,
      `--ml-bindaddr=${this.#options.network.node(name).address.v4}`,
      `--ml-labels=${Object.entries(speakerLabels)
        .map(([key, value]) => `${key}=${value}`)
        .join(',')}`,
      `--state-dir=${join(this.#options.disks, name, 'garpoon')}`,
      ...(this.#options.speakerArguments ?? []),
    ];
  }

  async #ensurePod(name: string): Promise<void> {
    const isController = name === 'controller';
    const component = isController ? 'controller' : 'speaker';
    const labels = isController ? controllerLabels : speakerLabels;
    const pod = {
      metadata: { namespace: systemNamespace, name: podName(name), labels },
      // On the host's network: the kubelet stand-in has nothing to do with it.
      spec: {
        hostNetwork: true,
        ...(isController ? {} : { nodeName: name }),
        containers: [{ name: component, image: 'garpoon' }],
      },
    };
    await ignoreExisting(this.#options.client.create(pods, pod));
  }

  async #writeStatus(name: string, running: boolean): Promise<void> {
    const { client, clock, network } = this.#options;
    const podIP = name === 'controller' ? managementAddress : network.node(name).address.v4;
    const ready = running ? 'True' : 'False';
    const component = name === 'controller' ? 'controller' : 'speaker';
    await updateStatus(client, pods, `${systemNamespace}/${podName(name)}`, (pod) => ({
      ...pod,
      status: {
        ...pod.status,
        phase: running ? 'Running' : 'Failed',
        hostIP: podIP,
        podIP,
        podIPs: [{ ip: podIP }],
        startTime: timestamp(clock),
        conditions: [
          { type: 'Initialized', status: 'True' },
          { type: 'Ready', status: ready },
          { type: 'ContainersReady', status: ready },
        ],
        containerStatuses: [{ name: component, image: 'garpoon', imageID: '', ready: running, restartCount: 0 }],
      },
    }));
  }
}

/** The command that runs this product with this very Node: from the bundle when this is the bundle. */
export function garpoonArgv(): readonly string[] {
  const bundled = !import.meta.url.endsWith('.ts');
  return [process.execPath, fileURLToPath(new URL(bundled ? './garpoon.mjs' : '../cli/main.ts', import.meta.url))];
}

export function podName(name: string): string {
  return name === 'controller' ? 'garpoon-controller' : `garpoon-speaker-${name}`;
}

async function ignoreAway(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'unreachable') throw error;
  }
}

async function ignoreExisting(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
