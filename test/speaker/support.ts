import { createHash } from 'node:crypto';
import { type Address, formatAddress } from '../../src/ip/address.ts';
import { pods } from '../../src/kubernetes/resource.ts';
import type { Announcement, ResponderStatus } from '../../src/layer2/responder.ts';
import type { Application } from '../../src/liveness/liveness.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import { type Ring, Speaker, type SpeakerOptions } from '../../src/speaker/speaker.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually } from '../support/suite.ts';

export const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** The speakers that see each other. */
export class FakeRing {
  readonly #members = new Map<string, FakeLiveness>();

  /** How one speaker sees the ring; not yet a member. */
  liveness(node: string, steps: string[] = []): FakeLiveness {
    return new FakeLiveness(this, node, steps);
  }

  /** A member without a speaker that a test could look at; it has these MAC addresses. */
  add(node: string, macs?: readonly string[]): void {
    const liveness = this.liveness(node);
    if (macs !== undefined) liveness.meta = encodeMemberMeta(macs);
    void liveness.start();
  }

  join(node: string, liveness: FakeLiveness): void {
    this.#members.set(node, liveness);
    this.#tell();
  }

  /** The node dies, or leaves. */
  remove(node: string): void {
    this.#members.delete(node);
    this.#tell();
  }

  names(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** The n-th to join is at 198.18.0.n. */
  members(): ReturnType<Ring['members']> {
    return [...this.#members].map(([name, { meta }], i) => ({ name, address: `198.18.0.${i + 1}`, meta }));
  }

  /** Messages arrive a moment later, among those that are in the ring. */
  deliver(from: string, to: string | undefined, message: Uint8Array): void {
    for (const [node, liveness] of this.#members) {
      if (node === from || (to !== undefined && node !== to)) continue;
      queueMicrotask(() => liveness.hear(message));
    }
  }

  /** The states of the others, as tables are exchanged. */
  statesBut(node: string): readonly Uint8Array[] {
    const others = [...this.#members].filter(([name]) => name !== node);
    return others.map(([, liveness]) => liveness.state());
  }

  #tell(): void {
    for (const liveness of this.#members.values()) liveness.see(this.names());
  }
}

export class FakeLiveness implements Ring {
  peers: () => readonly string[] = () => [];
  /** When set, joining takes until `meet()`; until then the speaker sees only itself. */
  slow = false;
  rejoins = 0;
  /** As of MetalLB's speakers: nothing. */
  meta: Uint8Array = new Uint8Array(0);
  readonly #ring: FakeRing;
  readonly #node: string;
  readonly #steps: string[];
  readonly #listeners = new Set<(alive: ReadonlySet<string>) => void>();
  #application: Application | undefined;
  #alive: ReadonlySet<string> = new Set();

  constructor(ring: FakeRing, node: string, steps: string[]) {
    this.#ring = ring;
    this.#node = node;
    this.#steps = steps;
  }

  async start(): Promise<void> {
    this.#steps.push('join');
    if (this.slow) this.see([this.#node]);
    else this.meet();
  }

  session(): void {}

  meet(): void {
    for (const state of this.#ring.statesBut(this.#node)) this.#application?.merge(state);
    this.#ring.join(this.#node, this);
  }

  attach(application: Application): void {
    this.#application = application;
  }

  hear(message: Uint8Array): void {
    this.#application?.hear(message);
  }

  state(): Uint8Array {
    return this.#application?.state() ?? new Uint8Array();
  }

  send(node: string, message: Uint8Array): void {
    this.#ring.deliver(this.#node, node, message);
  }

  sendToAll(message: Uint8Array): void {
    this.#ring.deliver(this.#node, undefined, message);
  }

  async exchange(): Promise<void> {
    for (const state of this.#ring.statesBut(this.#node)) this.#application?.merge(state);
  }

  async stop(): Promise<void> {
    this.#listeners.clear();
    this.#ring.remove(this.#node);
    this.#steps.push('leave');
  }

  alive(): ReadonlySet<string> {
    return this.#alive;
  }

  members(): ReturnType<Ring['members']> {
    return this.#ring.members().filter(({ name }) => this.#alive.has(name));
  }

  onChange(listener: (alive: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  rejoin(): void {
    this.rejoins += 1;
  }

  see(names: readonly string[]): void {
    this.#alive = new Set(names);
    for (const listener of this.#listeners) listener(this.#alive);
  }
}

/** Holds the table instead of answering for it. */
export class FakeResponder {
  closed = false;
  scheduling: ResponderStatus['scheduling'] = 'fifo';
  /** Set by a test when the deadline has passed. A table ends it, unless it is to be `forever`. */
  silent: boolean | 'forever' = false;
  renewals = 0;
  readonly #steps: string[];
  #table: readonly string[] = [];

  constructor(steps: string[] = []) {
    this.#steps = steps;
  }

  setAnnouncements(table: readonly Announcement[]): void {
    if (this.closed) throw new TypeError('the responder is closed');
    this.#table = table
      .map(({ address, interfaces, held }) => `${formatAddress(address)}@${interfaces}${held ? '(held)' : ''}`)
      .sort();
    this.#steps.push(this.table());
    if (this.silent === true) this.silent = false;
  }

  /** The addresses of every burst, in the order they were asked for; `x1` behind those of a defence. */
  readonly bursts: string[] = [];

  /** Nobody answers. */
  ask(addresses: readonly Address[]): number {
    return addresses.length;
  }

  announce(addresses: readonly Address[], rounds?: number): void {
    this.bursts.push(addresses.map(formatAddress).join(' ') + (rounds === undefined ? '' : ` x${rounds}`));
  }

  /** The addresses of every probe, in the order they were asked for. */
  readonly probes: string[] = [];

  probe(addresses: readonly Address[]): void {
    this.probes.push(addresses.map(formatAddress).join(' '));
  }

  renew(): boolean {
    if (this.closed) throw new TypeError('the responder is closed');
    this.renewals += 1;
    return this.silent === false;
  }

  status(): ResponderStatus {
    return { scheduling: this.scheduling, arpFilter: 'exact', ndpFilter: 'exact', silent: this.silent !== false };
  }

  close(): void {
    this.closed = true;
    this.#steps.push('close');
  }

  /** `192.0.2.1@all 192.0.2.2@eth0,eth1 192.0.2.3@all(held)`; empty for nothing. */
  table(): string {
    return this.#table.join(' ');
  }
}

/** One speaker and what a test can see of it. */
export type Station = {
  readonly node: string;
  readonly speaker: Speaker;
  readonly responder: FakeResponder;
  readonly liveness: FakeLiveness;
  readonly log: RecordedLog;
  /** What it did, in order: `join`, `leave`, `close`, and every table. */
  readonly steps: readonly string[];
};

/** A cluster with the pool 192.0.2.0/24 and 2001:db8::/120, advertised everywhere, and the speakers of a test. */
export class World {
  readonly cluster: TestCluster;
  readonly ring = new FakeRing();
  readonly #stations: Station[] = [];

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  /** A speaker that has not been started. Stopped with the world. */
  station(node: string, options: Partial<SpeakerOptions> = {}): Station {
    const steps: string[] = [];
    const log = new RecordedLog();
    const responder = new FakeResponder(steps);
    const liveness = this.ring.liveness(node, steps);
    const speaker = new Speaker({
      client: this.cluster.newClient(),
      responder,
      deadline: 0,
      lapse: 0,
      announceRate: 400,
      addressProbe: 'warn',
      addressesOf: () => [],
      liveness: (peers) => {
        liveness.peers = peers;
        return liveness;
      },
      nodeName: node,
      namespace: system,
      speakerLabels: 'component=speaker',
      loadBalancerClass: '',
      ignoreExcludeLabel: false,
      hash: sha256,
      clock: systemClock,
      random: impatient,
      log,
      ...options,
    });
    const station = { node, speaker, responder, liveness, log, steps };
    this.#stations.push(station);
    return station;
  }

  /** A speaker at work. */
  async start(node: string, options: Partial<SpeakerOptions> = {}): Promise<Station> {
    const station = this.station(node, options);
    await station.speaker.start();
    return station;
  }

  /** A Service with this address, and an endpoint on every node that is named; one on `node-a` when none is. */
  async serve(name: string, address: string, nodes: readonly string[] = ['node-a'], spec: object = {}): Promise<void> {
    await this.cluster.service(name, spec);
    await this.cluster.setAddresses(name, address.split(' '));
    await this.cluster.endpoints(
      name,
      nodes.map((node) => ({ node })),
    );
  }

  /** Resolves when the table of the speaker is this. */
  async announces(station: Station, table: string): Promise<void> {
    await eventually(`${station.node} announces "${table}"`, () => station.responder.table() === table);
  }

  async told(service: string, reason: string, times: number): Promise<void> {
    const count = () => this.cluster.eventCount(service, reason);
    await eventually(`${service} was told ${reason} ${times} times`, async () => (await count()) === times);
  }

  /** The Pod of a speaker. */
  async pod(node: string, podIP: string, phase = 'Running'): Promise<void> {
    const metadata = { name: `speaker-${node}`, namespace: system, labels: { component: 'speaker' } };
    const spec = { nodeName: node, containers: [{ name: 'speaker', image: 'garpoon' }] };
    const { client } = this.cluster;
    const there = await client.get(pods, `${system}/speaker-${node}`);
    const pod = there ?? (await client.create(pods, { metadata, spec } as Parameters<typeof client.create>[1]));
    await client.update(pods, { ...pod, status: { phase, podIP } } as typeof pod, { subresource: 'status' });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#stations.map(({ speaker }) => speaker.stop()));
    await this.cluster.stop();
  }
}

/** As a test's body: a world of its own with these nodes, taken down whatever happens. */
export function inWorld(
  nodes: readonly string[],
  run: (world: World, cluster: TestCluster) => Promise<void>,
  options?: Parameters<typeof TestCluster.start>[0],
): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start(options);
    const world = new World(cluster);
    try {
      await cluster.pool('lan', ['192.0.2.0/24', '2001:db8::/120']);
      await cluster.advertisement('everywhere');
      for (const node of nodes) await cluster.node(node);
      await run(world, cluster);
    } finally {
      await world.stop();
    }
  };
}
