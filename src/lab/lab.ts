import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { ApiClient } from '../kubernetes/client.ts';
import { clientFromKubeConfig } from '../kubernetes/kubeconfig.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { ApiServer } from './api-server/api-server.ts';
import { Cluster } from './cluster/cluster.ts';
import { GarpoonProcesses } from './garpoon-processes.ts';
import { Network, removeRunNamespaces } from './network/network.ts';
import { labTopology, managementAddress } from './network/topology.ts';
import { listenIn } from './process/listen-in.ts';
import { ProcessTable } from './process/process-table.ts';
import { prepareStateDirectory, RunDirectory, removeLeftovers } from './process/run-directory.ts';

export type LabOptions = {
  /** Where runs are recorded. */
  readonly state: string;
  readonly nodes?: number;
  /** How long a node may be silent before the cluster takes it for lost, in milliseconds; 2 s unless given. */
  readonly gracePeriod?: number;
  /** The command that runs the product; this very code unless given. */
  readonly program?: readonly string[];
  /** Flags for every speaker, such as `--ml-timing=lan`. */
  readonly speakerArguments?: readonly string[];
  /** A listening socket of the host, when this process is in a network of its own. */
  readonly hostSocket?: { readonly server: Server; readonly port: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

const apiPort = 6443;

/**
 * A bare-metal cluster on one machine: the LAN, an API server, the parts of Kubernetes that a load balancer leans on,
 * and Garpoon itself as real processes. Everything is gone after `close()`; what a killed run leaves, the next removes.
 */
export class Lab {
  readonly directory: RunDirectory;
  readonly network: Network;
  readonly api: ApiServer;
  readonly garpoon: GarpoonProcesses;
  readonly client: ApiClient;
  /** For kubectl outside the lab, over the host's loopback. */
  readonly kubeconfig: string;
  /** For kubectl on the lab's management network. */
  readonly managementKubeconfig: string;
  readonly #processes: ProcessTable;
  readonly #cluster: Cluster;
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    readonly directory: RunDirectory;
    readonly network: Network;
    readonly api: ApiServer;
    readonly processes: ProcessTable;
    readonly kubeconfigs: { readonly host: string; readonly management: string; readonly own: string };
    readonly options: LabOptions;
  }) {
    const { directory, network, api, processes, kubeconfigs, options } = parts;
    this.directory = directory;
    this.network = network;
    this.api = api;
    this.kubeconfig = kubeconfigs.host;
    this.managementKubeconfig = kubeconfigs.management;
    this.#processes = processes;
    this.client = clientFromKubeConfig({ path: kubeconfigs.own, clock: options.clock });
    this.#cluster = new Cluster({ ...options, client: this.client, network, processes });
    this.garpoon = new GarpoonProcesses({
      ...options,
      client: this.client,
      network,
      processes,
      kubeconfig: kubeconfigs.management,
      disks: join(directory.path, 'disks'),
    });
  }

  /** Builds everything and resolves when the cluster works. On failure nothing is left. */
  static async start(options: LabOptions): Promise<Lab> {
    const { state, clock, random, log } = options;
    prepareStateDirectory(state);
    await removeLeftovers(state, removeRunNamespaces);
    const directory = RunDirectory.create(state, random);
    const network = new Network(directory.id, labTopology(options.nodes));
    const api = new ApiServer({ clock, random, log, crds: customResourceDefinitions() });
    const processes = await ProcessTable.create(directory);
    let lab: Lab | undefined;
    try {
      await network.up();
      const kubeconfigs = await listenEverywhere(api, network, directory, options);
      lab = new Lab({ directory, network, api, processes, kubeconfigs, options });
      await lab.#cluster.start();
      await lab.garpoon.startAll();
      return lab;
    } catch (error) {
      if (lab !== undefined) await lab.#cluster.stop();
      await processes.close();
      lab?.client.close();
      await api.close();
      await network.down();
      directory.remove();
      throw error;
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    await this.#cluster.stop();
    await this.#processes.close();
    this.client.close();
    await this.api.close();
    await this.network.down();
    this.directory.remove();
  }
}

/** The server listens on this process's loopback, on the management network, and on the host's loopback if given. */
async function listenEverywhere(api: ApiServer, network: Network, directory: RunDirectory, options: LabOptions) {
  const own = await api.listen({ host: '127.0.0.1', port: 0 });
  if (!('port' in own)) throw new TypeError('a TCP listener has a port');
  const management = await listenIn(network.namespace('management'), { host: managementAddress, port: apiPort });
  await api.listen(management);
  if (options.hostSocket !== undefined) await api.listen(options.hostSocket.server);
  const write = (name: string, server: string) => {
    const path = join(directory.path, name);
    writeFileSync(path, kubeconfigFor(server));
    return path;
  };
  return {
    own: write('kubeconfig-lab', `http://127.0.0.1:${own.port}`),
    host: write('kubeconfig', `http://127.0.0.1:${options.hostSocket?.port ?? own.port}`),
    management: write('kubeconfig-management', `http://${managementAddress}:${apiPort}`),
  };
}

/** Plain HTTP: the client library wants that said aloud. */
function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'lab', user: {} }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
  });
}

/** Those that the product ships: deploy/crds in the source tree, `crds` beside the bundle. */
export function customResourceDefinitions(): unknown[] {
  const bundled = !import.meta.url.endsWith('.ts');
  const folder = fileURLToPath(new URL(bundled ? './crds' : '../../deploy/crds', import.meta.url));
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((document) => document.toJS()));
}
