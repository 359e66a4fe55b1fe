import { type CommandOptions, type CommandResult, run, succeed } from '../process/command.ts';
import { inNamespace, listNamespaces, removeNamespaces } from '../process/namespace.ts';
import { type Batch, buildPlan, podPlan } from './build-plan.ts';
import {
  type DualStack,
  type HostName,
  type LabNode,
  type NodeName,
  podAddress,
  podNumbers,
  type Topology,
} from './topology.ts';

/** A Pod's place in the network. */
export type PodLink = {
  readonly node: NodeName;
  /** Full name of the Pod's namespace. */
  readonly namespace: string;
  /** The node's end of the Pod's veth; its name is one that load balancers leave out by default. */
  readonly nodeInterface: string;
  readonly address: DualStack;
};

/** Every namespace of a run is named with this. */
export function namespacePrefix(runId: string): string {
  return `gp-${runId}-`;
}

/** Removes whatever of a run's network is there, from outside the run: see removeLeftovers. */
export async function removeRunNamespaces(runId: string): Promise<void> {
  await removeNamespaces(listNamespaces(namespacePrefix(runId)));
}

/**
 * A bare-metal LAN in network namespaces: nodes, a client, a router with a remote client behind it, and a switch whose
 * ports can be cut. Only namespaces of this run are touched; the host's own network is not.
 */
export class Network {
  readonly topology: Topology;
  readonly #prefix: string;
  readonly #pods = new Map<string, PodLink>();
  /** By node: the number last given to one of its pods. Numbers go round, so that an address is not reused at once. */
  readonly #lastPodNumber = new Map<NodeName, number>();
  #podsMade = 0;

  constructor(runId: string, topology: Topology) {
    this.topology = topology;
    this.#prefix = namespacePrefix(runId);
  }

  /** Builds everything, first removing what is left under the same name. @throws CommandError, leaving nothing. */
  async up(): Promise<void> {
    await this.down();
    const plan = buildPlan(this.topology, (host) => this.namespace(host));
    try {
      await applyBatch(plan.create);
      await Promise.all([...plan.configure].map(([host, batch]) => applyBatch(batch, this.namespace(host))));
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  /** Removes every namespace and kills what still runs in them. Idempotent. */
  async down(): Promise<void> {
    this.#pods.clear();
    await removeNamespaces(listNamespaces(this.#prefix));
  }

  /** The full name of the namespace of a host. Those of pods are in their PodLink. */
  namespace(host: HostName): string {
    return `${this.#prefix}${host}`;
  }

  /** @throws RangeError for a name that is no node. */
  node(name: NodeName): LabNode {
    const node = this.topology.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new RangeError(`the lab has no node "${name}"`);
    return node;
  }

  /** Runs a command on a host, in the host's network only: files and processes are those of the machine. */
  exec(host: HostName, argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return run(inNamespace(this.namespace(host), argv), options);
  }

  /**
   * Takes the node off the LAN. By default silently, as a dead switch would: the port leaves the bridge and the node
   * sees nothing. With `carrier`, as a pulled cable: the node sees its link go down.
   */
  async cut(node: NodeName, { carrier = false }: { readonly carrier?: boolean } = {}): Promise<void> {
    await this.#setPort('switch', node, carrier ? 'down' : 'nomaster');
  }

  /** Undoes any cut. */
  async plug(node: NodeName): Promise<void> {
    await this.#setPort('switch', node, 'master br0 up');
  }

  /** Takes the node off the management network, as `cut` does off the LAN: it no longer reaches the API server. */
  async isolateApi(node: NodeName, { carrier = false }: { readonly carrier?: boolean } = {}): Promise<void> {
    await this.#setPort('management', node, carrier ? 'down' : 'nomaster');
  }

  async restoreApi(node: NodeName): Promise<void> {
    await this.#setPort('management', node, 'master br0 up');
  }

  /** The switch passes nothing between the two nodes any more, and everything between each of them and others. */
  async partition(one: NodeName, other: NodeName): Promise<void> {
    const [a, b] = [this.node(one).name, this.node(other).name];
    // Adding the table and the chain where they exist changes nothing.
    const ruleset = `add table bridge partition
add chain bridge partition forward { type filter hook forward priority 0; }
add rule bridge partition forward iifname ${a} oifname ${b} drop
add rule bridge partition forward iifname ${b} oifname ${a} drop
`;
    await succeed(inNamespace(this.namespace('switch'), ['nft', '-f', '-']), { input: ruleset });
  }

  /** Undoes every partition. Idempotent. */
  async heal(): Promise<void> {
    const ruleset = 'add table bridge partition\ndelete table bridge partition\n';
    await succeed(inNamespace(this.namespace('switch'), ['nft', '-f', '-']), { input: ruleset });
  }

  /** The full names of the namespaces that make up the node: its own and those of its pods. */
  namespacesOf(node: NodeName): readonly string[] {
    const own = [...this.#pods.values()].filter((link) => link.node === node).map((link) => link.namespace);
    return [this.namespace(this.node(node).name), ...own];
  }

  /**
   * Makes the namespace of a Pod and connects it to its node. `key` names the Pod in removePod; for a key that exists,
   * answers the link it has.
   * @throws Error when the node's pod addresses are used up; CommandError when the kernel refuses.
   */
  async addPod(node: NodeName, key: string): Promise<PodLink> {
    const known = this.#pods.get(key);
    if (known !== undefined) return known;
    this.#podsMade += 1;
    const link: PodLink = {
      node,
      namespace: `${this.#prefix}pod${this.#podsMade}`,
      nodeInterface: `veth${this.#podsMade}`,
      address: this.#nextPodAddress(this.node(node)),
    };
    this.#pods.set(key, link); // before the first await: the address is taken
    try {
      await connectPod(this.node(node), this.namespace(node), link);
    } catch (error) {
      this.#pods.delete(key);
      await removeNamespaces([link.namespace]);
      throw error;
    }
    return link;
  }

  /** Disconnects the Pod and removes its namespace, killing what still runs in it. Idempotent. */
  async removePod(key: string): Promise<void> {
    const link = this.#pods.get(key);
    if (link === undefined) return;
    this.#pods.delete(key);
    await run(['ip', '-n', this.namespace(link.node), 'link', 'del', link.nodeInterface]);
    await removeNamespaces([link.namespace]);
  }

  async #setPort(bridge: 'switch' | 'management', node: NodeName, state: string): Promise<void> {
    const port = this.node(node).name;
    await succeed(['ip', '-n', this.namespace(bridge), 'link', 'set', port, ...state.split(' ')]);
  }

  #nextPodAddress(node: LabNode): DualStack {
    const taken = new Set([...this.#pods.values()].map((link) => link.address.v4));
    const count = podNumbers.last - podNumbers.first + 1;
    const last = this.#lastPodNumber.get(node.name) ?? podNumbers.first - 1;
    for (let step = 1; step <= count; step++) {
      const number = podNumbers.first + ((last + step - podNumbers.first) % count);
      const address = podAddress(node, number);
      if (taken.has(address.v4)) continue;
      this.#lastPodNumber.set(node.name, number);
      return address;
    }
    throw new Error(`give a pod on ${node.name} an address: all ${count} are taken`);
  }
}

async function connectPod(node: LabNode, nodeNamespace: string, link: PodLink): Promise<void> {
  const names = { node: nodeNamespace, pod: link.namespace, nodeInterface: link.nodeInterface };
  const plan = podPlan(node, names, link.address);
  await applyBatch(plan.create);
  await Promise.all([applyBatch(plan.configureNode, nodeNamespace), applyBatch(plan.configurePod, link.namespace)]);
}

async function applyBatch(lines: Batch, namespace?: string): Promise<void> {
  const place = namespace === undefined ? [] : ['-n', namespace];
  await succeed(['ip', ...place, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}
