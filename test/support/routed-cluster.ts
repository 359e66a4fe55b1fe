import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../scripts/bundle.mjs';
import { mergePatch, updateStatus } from '../../src/kubernetes/apply.ts';
import { bfdProfiles, bgpAdvertisements, bgpPeers, bgpSessionStatuses } from '../../src/kubernetes/config-kinds.ts';
import type { KubernetesObject, Node } from '../../src/kubernetes/core.ts';
import { daemonSets, nodes, pods } from '../../src/kubernetes/resource.ts';
import { listenIn } from '../../src/lab/process/listen-in.ts';
import { BgpBed } from './bgp-bed.ts';
import { system, TestCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { Flows } from './flows.ts';
import { LineProgram } from './line-program.ts';
import { frr } from './routers/frr.ts';
import type { Neighbor, Router, RouterKind } from './routers/router.ts';
import { SpeakerProcess } from './speaker-process.ts';

export type RoutedClusterOptions = {
  readonly nodes: number;
  readonly kind?: RouterKind;
  /** How the router is set up towards each node, beyond what makes an external neighbor of one family. */
  readonly neighbor?: Partial<Neighbor>;
  /** What the BGPPeers say beyond AS, address and BFD profile. */
  readonly peer?: object;
  readonly speakerArguments?: readonly string[];
};

type Pair = { readonly 4: string; readonly 6: string };

export const routerAsn = 64500;
export const nodeAsn = 64512;
/** Where a node finds the API server: on its own loopback, so that its only cable may be cut. */
const apiPort = 6443;
const servicePort = 7;
const daemonSet = 'garpoon-speaker';
const speakerLabels = { app: 'garpoon', component: 'speaker' };
const patience = 20_000;

/**
 * A cluster whose nodes announce to a router, and a client behind it: see BgpBed. On every node runs the product's own
 * speaker; for every Service something there answers with the node's name. No kube-proxy: each node has the addresses.
 */
export class RoutedCluster {
  static async start(options: RoutedClusterOptions): Promise<RoutedCluster> {
    const bed = BgpBed.create({ nodes: options.nodes, client: true });
    const cluster = new RoutedCluster(bed, await TestCluster.start(), await bundle(), options);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  readonly bed: BgpBed;
  readonly api: TestCluster;
  /** By number. */
  readonly names: readonly string[];
  readonly #entry: string;
  readonly #options: RoutedClusterOptions;
  readonly #directory = mkdtempSync(join(tmpdir(), 'garpoon-routed-'));
  readonly #speakers = new Map<number, SpeakerProcess>();
  readonly #servers: LineProgram[] = [];
  readonly #flows: Flows[] = [];
  #router: Router | undefined;
  #services = 0;

  private constructor(bed: BgpBed, api: TestCluster, entry: string, options: RoutedClusterOptions) {
    this.bed = bed;
    this.api = api;
    this.#entry = entry;
    this.#options = options;
    this.names = bed.nodes.map((_, i) => `n${i}`);
  }

  get router(): Router {
    return this.#router!;
  }

  speaker(i: number): SpeakerProcess {
    return this.#speakers.get(i)!;
  }

  startSpeaker(i: number): void {
    this.#speakers.set(
      i,
      new SpeakerProcess(this.bed.nodes[i]!, [
        process.execPath,
        this.#entry,
        'speaker',
        `--kubeconfig=${join(this.#directory, 'kubeconfig')}`,
        `--node-name=${this.names[i]}`,
        `--pod-name=${podName(i)}`,
        ...(this.#options.speakerArguments ?? []),
      ]),
    );
  }

  /** A Service with an address of each family that something on every node answers for, endpoints or not. */
  async service(name: string, spec: object = {}, endpoints: readonly number[] = [...this.names.keys()]): Promise<Pair> {
    const number = 10 + this.#services++;
    const pair = { 4: `192.0.2.${number}`, 6: `2001:db8:ff::${number}` };
    for (const [i, netns] of this.bed.nodes.entries()) {
      netns.ip('addr', 'add', `${pair[4]}/32`, 'dev', 'lo');
      netns.ip('addr', 'add', `${pair[6]}/128`, 'dev', 'lo', 'nodad');
      const program = fileURLToPath(new URL('./name-server-program.ts', import.meta.url));
      const argv = netns.command(process.execPath, program, this.names[i]!, `${servicePort}`, pair[4], pair[6]);
      this.#servers.push(await LineProgram.start(argv, () => {}));
    }
    await this.endpoints(name, endpoints);
    await this.api.service(name, spec);
    await this.api.setAddresses(name, [pair[4], pair[6]]);
    return pair;
  }

  /** The nodes that have endpoints of the Service. */
  async endpoints(name: string, on: readonly number[]): Promise<void> {
    await this.api.endpoints(
      name,
      on.map((i) => ({ node: this.names[i]! })),
    );
  }

  /** The client asks over 64 source ports. */
  async ask({ 4: v4, 6: v6 }: Pair, rate = 100): Promise<Flows> {
    const flows = await Flows.start(this.bed.client!, { addresses: [v4, v6], port: servicePort, flows: 64, rate });
    this.#flows.push(flows);
    return flows;
  }

  /** The numbers of the nodes that the router's kernel sends an address to, sorted. */
  nextHops(address: string): readonly number[] {
    const family = address.includes(':') ? 6 : 4;
    const known = this.names.map((_, i) => this.bed.nodeAddresses(i)[family]);
    return this.bed
      .forwarding(`${address}/${family === 4 ? 32 : 128}`)
      .map((hop) => known.indexOf(hop))
      .sort();
  }

  /** Resolves when the router's kernel sends both addresses to these nodes and no others; to milliseconds it took. */
  async routed(pair: Pair, to: readonly number[], limit = patience): Promise<number> {
    const begun = performance.now();
    const wanted = JSON.stringify(to);
    const seen = () => [this.nextHops(pair[4]), this.nextHops(pair[6])].map((each) => JSON.stringify(each));
    await eventually(
      `${pair[4]} and ${pair[6]} go to nodes ${wanted}`,
      () => seen().every((each) => each === wanted),
      limit,
    ).catch((cause: unknown) => {
      throw new Error(`routed to ${seen()} and not ${wanted}: ${this.#logs()}`, { cause });
    });
    return performance.now() - begun;
  }

  /** Resolves when the router watches all nodes, or these, by BFD with the timers asked for. */
  async watched(of: readonly number[] = [...this.names.keys()]): Promise<void> {
    const { interval, multiplier } = this.#options.neighbor!.bfd!;
    const addresses = of.flatMap((i) => Object.values(this.bed.nodeAddresses(i)) as string[]);
    for (const address of addresses) {
      await eventually(
        `BFD with ${address} is up`,
        async () => {
          const seen = await this.router.bfd!(address);
          return seen.up && Math.round(seen.detectionTime ?? 0) === interval * multiplier;
        },
        patience,
      );
    }
  }

  /** What the node tells of its session with the BGPPeer. */
  async session(i: number, peer: string) {
    const { items } = await this.api.client.list(bgpSessionStatuses, { namespace: system });
    return (items ?? [])
      .map(({ status }) => status)
      .find((each) => each?.node === this.names[i] && each?.peer === peer);
  }

  /** Changes the BGPPeer; undefined takes a field away. */
  async changePeer(name: string, spec: object): Promise<void> {
    await this.api.change(bgpPeers, `${system}/${name}`, (peer) => ({ ...peer, spec: { ...peer.spec, ...spec } }));
  }

  async drain(i: number, draining: boolean): Promise<void> {
    const annotations = { 'garpoon.io/drain': draining ? 'true' : null };
    await mergePatch(this.api.client, nodes, this.names[i]!, { metadata: { annotations } });
  }

  /** What its kubelet says of the node. */
  async setReady(i: number, ready: boolean): Promise<void> {
    const addresses = Object.values(this.bed.nodeAddresses(i)).map((address) => ({ type: 'InternalIP', address }));
    const condition = { type: 'Ready', status: ready ? 'True' : 'False' };
    await updateStatus(this.api.client, nodes, this.names[i]!, (node: Node) => ({
      ...node,
      status: { ...node.status, addresses, conditions: [condition] },
    }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#speakers.values()].map((each) => each.kill()));
    await Promise.all([...this.#flows, ...this.#servers].map((each) => each.stop()));
    await this.#router?.stop();
    await this.api.stop();
    this.bed.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { kind = frr } = this.#options;
    writeFileSync(join(this.#directory, 'kubeconfig'), kubeconfig);
    for (const netns of this.bed.nodes) {
      await this.api.api.listen(await listenIn(netns.name, { host: '127.0.0.1', port: apiPort }));
    }
    await this.#configure();
    this.#router = await kind.start({
      netns: this.bed.router,
      asn: routerAsn,
      routerId: this.bed.routerAddresses[4],
      addresses: this.bed.routerAddresses,
      neighbors: this.names.flatMap((_, i) => ([4, 6] as const).map((family) => this.#neighbor(i, family))),
    });
    for (const i of this.names.keys()) this.startSpeaker(i);
  }

  #neighbor(i: number, family: 4 | 6): Neighbor {
    const { neighbor } = this.#options;
    // The node calls.
    const usual = { asn: nodeAsn, families: [family], passive: true };
    return { ...usual, ...neighbor, address: this.bed.nodeAddresses(i)[family] };
  }

  async #configure(): Promise<void> {
    const { peer, neighbor } = this.#options;
    const { client } = this.api;
    const named = (name: string) => ({ metadata: { namespace: system, name } });
    await this.api.pool('routed', ['192.0.2.0/24', '2001:db8:ff::/112']);
    if (neighbor?.bfd !== undefined) {
      const { interval, multiplier } = neighbor.bfd;
      const spec = { receiveInterval: interval, transmitInterval: interval, detectMultiplier: multiplier };
      await client.create(bfdProfiles, { ...named('fast'), spec });
    }
    await client.create(bgpAdvertisements, { ...named('routed'), spec: {} });
    for (const family of [4, 6] as const) {
      const bfd = neighbor?.bfd === undefined ? {} : { bfdProfile: 'fast' };
      const usual = { myASN: nodeAsn, peerASN: routerAsn, peerAddress: this.bed.routerAddresses[family] };
      await client.create(bgpPeers, { ...named(`router-v${family}`), spec: { ...usual, ...bfd, ...peer } });
    }
    const template = { metadata: { labels: speakerLabels }, spec: { containers: [{ name: 'speaker', image: 'x' }] } };
    const { metadata } = await client.create(daemonSets, {
      metadata: { namespace: system, name: daemonSet },
      spec: { selector: { matchLabels: speakerLabels }, template },
    } as KubernetesObject);
    const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: daemonSet, uid: metadata.uid! };
    for (const [i, nodeName] of this.names.entries()) {
      await client.create(nodes, { metadata: { name: nodeName, labels: { 'kubernetes.io/hostname': nodeName } } });
      await this.setReady(i, true);
      await client.create(pods, {
        metadata: { namespace: system, name: podName(i), labels: speakerLabels, ownerReferences: [owner] },
        spec: { nodeName, hostNetwork: true, containers: [{ name: 'speaker', image: 'garpoon' }] },
      } as KubernetesObject);
    }
  }

  #logs(): string {
    const speakers = [...this.#speakers].map(([i, each]) => `\nspeaker of ${this.names[i]}:\n${each.log()}`);
    return `${speakers.join('')}\nrouter:\n${this.#router?.log()}`;
  }
}

function podName(i: number): string {
  return `${daemonSet}-${i}`;
}

const kubeconfig = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'test',
  clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${apiPort}`, 'insecure-skip-tls-verify': true } }],
  users: [{ name: 'test', user: {} }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
});
