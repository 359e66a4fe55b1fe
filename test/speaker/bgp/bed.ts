import type { Open } from '../../../src/bgp/message.ts';
import type { ConnectionCallbacks, IncomingConnection } from '../../../src/bgp/transport.ts';
import { type Address, formatAddress } from '../../../src/ip/address.ts';
import { updateStatus } from '../../../src/kubernetes/apply.ts';
import {
  type BGPSessionStatusObject,
  bgpAdvertisements,
  bgpPeers,
  bgpSessionStatuses,
  serviceBGPStatuses,
} from '../../../src/kubernetes/config-kinds.ts';
import { EventRecorder } from '../../../src/kubernetes/events.ts';
import { endpointSlices, events, nodes, secrets, services } from '../../../src/kubernetes/resource.ts';
import type { BfdEvent, BfdSession, BfdSessionState } from '../../../src/layer2/bfd.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { BgpSpeaker, type BgpSpeakerOptions } from '../../../src/speaker/bgp/bgp-speaker.ts';
import type { TcpListenOptions } from '../../../src/speaker/bgp/tcp-transport.ts';
import { ClusterWatch } from '../../../src/speaker/cluster-watch.ts';
import { impatient, system, TestCluster } from '../../support/cluster.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { eventually } from '../../support/suite.ts';
import { TcpNetwork } from '../../support/tcp-network.ts';
import { sha256 } from '../support.ts';
import { address } from './support.ts';
import { TestRouter } from './test-router.ts';

/** Of every bed. */
export const own = { name: 'node-a', 4: address('198.51.100.101'), 6: address('2001:db8:ffff::101') } as const;

/** A cluster of one node with a BGP speaker, and routers that a test holds. */
export class Bed {
  readonly cluster: TestCluster;
  readonly watch: ClusterWatch;
  readonly speaker: BgpSpeaker;
  readonly log = new RecordedLog();
  readonly network = new TcpNetwork(systemClock);
  /** All that were ever handed down. */
  readonly bfdSessions: (readonly BfdSession[])[] = [];
  /** Interface → who is heard on it. */
  readonly neighbors = new Map<string, Address>();
  watched: ReadonlySet<string> = new Set();
  /** Set by a test that has something to do when routers are looked for. */
  onWatch = (): void => {};
  /** What is listened for, by family. */
  readonly listeners = new Map<4 | 6, TcpListenOptions>();
  readonly #events: EventRecorder;
  /** By where we have dialled. */
  readonly #passwords = new Map<string, string | undefined>();

  static async start(options: Partial<BgpSpeakerOptions> = {}): Promise<Bed> {
    const cluster = await TestCluster.start();
    await cluster.node(own.name);
    const addresses = [own[4], own[6]].map((one) => ({ type: 'InternalIP', address: formatAddress(one) }));
    await updateStatus(cluster.client, nodes, own.name, (node) => ({ ...node, status: { ...node.status, addresses } }));
    await cluster.pool('office', ['192.0.2.0/24', '2001:db8::/64']);
    await cluster.pool('large', ['198.18.0.0/16']);
    return new Bed(cluster, options);
  }

  constructor(cluster: TestCluster, options: Partial<BgpSpeakerOptions>) {
    this.cluster = cluster;
    const client = cluster.newClient();
    const edge = { client, clock: systemClock, random: impatient, log: this.log };
    const place = { nodeName: own.name, namespace: system };
    this.#events = new EventRecorder({ ...edge, component: 'metallb-speaker', host: own.name });
    this.watch = new ClusterWatch({ ...edge, ...place, speakerLabels: 'component=speaker' });
    this.speaker = new BgpSpeaker({
      ...edge,
      ...place,
      cluster: this.watch,
      podName: '',
      loadBalancerClass: '',
      ignoreExcludeLabel: false,
      defaults: 'native',
      drainTime: 200,
      transport: {
        dial: (target, callbacks) => {
          this.#passwords.set(formatAddress(target.address), target.password);
          return this.network.transport(own[target.address.family]).dial(target, callbacks);
        },
      },
      discovery: {
        watch: (interfaces) => {
          this.watched = interfaces;
          this.onWatch();
        },
        neighborOn: (name) => this.neighbors.get(name),
      },
      listen: async (listening) => {
        const { family } = listening.address;
        this.listeners.set(family, listening);
        return {
          setPeers: (peers) => this.listeners.set(family, { ...listening, peers }),
          close: () => this.listeners.delete(family),
        };
      },
      bfd: {
        setBfdSessions: (sessions) => void this.bfdSessions.push(sessions),
        bfdSessions: () => (this.bfdSessions.at(-1) ?? []).map(({ id }) => bfdStateOf(id)),
      },
      interfaces: () => [{ name: 'eth0', addresses: [{ ...own[4], length: 24 }] }],
      events: this.#events,
      hash: sha256,
      ...options,
    });
  }

  /** As a Speaker starts it: when all of the cluster has been read. */
  async run(): Promise<void> {
    this.watch.nodes.onChange((_name, now) =>
      this.watch.configuration.judgeFor(now ? [now.metadata.labels ?? {}] : []),
    );
    await this.watch.start();
    const { configuration } = this.watch;
    const { items = [] } = await this.cluster.client.list(bgpPeers, { namespace: system });
    const isRead = () =>
      configuration.current().peers.length === items?.length || configuration.verdict() === 'Invalid';
    await eventually('the configuration is judged for the node', isRead);
    await this.speaker.start();
  }

  async stop(): Promise<void> {
    await this.speaker.stop('hard');
    await this.watch.stop();
    await this.#events.stop();
    await this.cluster.stop();
  }

  /** A router that takes connections. */
  router(at: string, open: Partial<Open> = {}): TestRouter {
    const router = new TestRouter(address(at), open);
    this.network.listen(router.address, (incoming) => {
      router.take(incoming);
      return true;
    });
    return router;
  }

  /** Of AS 64513, unless the spec says otherwise. Ours is 64512. */
  async peer(name: string, spec: object, annotations: Record<string, string> = {}): Promise<void> {
    const whole = { myASN: 64_512, ...('dynamicASN' in spec ? {} : { peerASN: 64_513 }), ...spec };
    await this.cluster.put(bgpPeers, { metadata: { name, namespace: system, annotations }, spec: whole });
  }

  async removePeer(name: string): Promise<void> {
    await this.cluster.client.delete(bgpPeers, `${system}/${name}`);
  }

  async advertisement(name: string, spec: object = {}): Promise<void> {
    await this.cluster.put(bgpAdvertisements, { metadata: { name, namespace: system }, spec });
  }

  /** With these addresses and an endpoint on each of the nodes. */
  async serve(name: string, addresses: string, spec: object = {}, on: readonly string[] = [own.name]): Promise<void> {
    await this.cluster.service(name, spec);
    await this.cluster.setAddresses(name, addresses.split(' '));
    await this.cluster.endpoints(
      name,
      on.map((node) => ({ node })),
    );
  }

  /** As many Services, with as few requests as that takes. */
  async serveMany(count: number, addressOf: (number: number) => string): Promise<void> {
    const { client } = this.cluster;
    for (let i = 0; i < count; i++) {
      const service = await this.cluster.service(`web-${i}`);
      const ingress = [{ ip: addressOf(i) }];
      await client.update(services, { ...service, status: { loadBalancer: { ingress } } }, { subresource: 'status' });
      await client.create(endpointSlices, {
        metadata: {
          name: `web-${i}-1`,
          namespace: 'default',
          labels: { 'kubernetes.io/service-name': `web-${i}` },
        },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['198.51.100.7'], nodeName: own.name, conditions: { ready: true } }],
      });
    }
  }

  async secret(name: string, password: string): Promise<void> {
    const data = { password: Buffer.from(password).toString('base64') };
    const metadata = { name, namespace: system };
    await this.cluster.put(secrets, { metadata, type: 'kubernetes.io/basic-auth', data });
  }

  async mark(labels: Record<string, string>, annotations: Record<string, string> = {}): Promise<void> {
    await this.cluster.change(nodes, own.name, (node) => ({
      ...node,
      metadata: { ...node.metadata, labels, annotations },
    }));
  }

  /** The node has no network, as whoever is to set it up says. */
  async cutOff(): Promise<void> {
    const conditions = [{ type: 'NetworkUnavailable', status: 'True' }];
    await updateStatus(this.cluster.client, nodes, own.name, (node) => ({
      ...node,
      status: { ...node.status, conditions },
    }));
  }

  /** Resolves when the router has exactly this. */
  async knows(router: TestRouter, text: string): Promise<void> {
    const isKnown = () => {
      if (router.knows !== text) throw new Error(`it knows "${router.knows}"`);
      return true;
    };
    await eventually(`the router knows "${text}"`, isKnown);
  }

  /** The status of the session with this peer, once it is as asked for. */
  async session(peer: string, isAsAsked: (status: Status) => boolean): Promise<Status> {
    const found = await eventually(`the session with ${peer} is told`, async () => {
      const { items } = await this.cluster.client.list(bgpSessionStatuses, { namespace: system });
      const status = (items ?? []).find((one) => one.status?.peer === peer)?.status;
      return status !== undefined && isAsAsked(status) ? status : undefined;
    });
    return found;
  }

  /** The peers of which there is a status. */
  async sessionsTold(): Promise<string> {
    const { items } = await this.cluster.client.list(bgpSessionStatuses, { namespace: system });
    return (items ?? []).map(({ status }) => status?.peer).join();
  }

  /** Service → the peers it is told to, as the statuses have it. */
  async toldOf(service: string): Promise<string> {
    const { items } = await this.cluster.client.list(serviceBGPStatuses, { namespace: system });
    const found = (items ?? []).filter(({ status }) => status?.serviceName === service);
    return found.map(({ status }) => (status?.peers ?? []).join()).join(' and ');
  }

  /** `reason: message` of each event about the object, and how often; in the order in which they came. */
  async happened(name: string): Promise<readonly string[]> {
    const { items } = await this.cluster.client.list(events);
    const about = (items ?? []).filter(({ involvedObject }) => involvedObject.name === name);
    return about.map(({ reason, message, count }) => `${count} × ${reason}: ${message}`);
  }

  /** The router connects to us. Rejects when the connection is not wanted. */
  async call(router: TestRouter): Promise<void> {
    const { family } = router.address;
    this.network.listen(own[family], (incoming, remoteAddress) => {
      let wasOpened = false;
      const open: IncomingConnection['open'] = (callbacks) => {
        wasOpened = true;
        return incoming.open(callbacks);
      };
      const place = { remoteAddress, localAddress: own[family], localInterface: undefined };
      this.listeners.get(family)?.onConnection({ ...place, open });
      return wasOpened;
    });
    let theirs: ConnectionCallbacks | undefined;
    const callbacks: ConnectionCallbacks = {
      onData: (bytes) => theirs?.onData(bytes),
      onDrain: () => theirs?.onDrain(),
      onClose: (error) => theirs?.onClose(error),
    };
    const target = { address: own[family], port: 179, ttl: 1, signal: new AbortController().signal };
    const connection = await this.network.transport(router.address).dial(target, callbacks);
    router.take({
      open: (callbacks) => {
        theirs = callbacks;
        return connection;
      },
    });
  }

  /** With which the router was dialled last. */
  passwordOf({ address }: TestRouter): string | undefined {
    return this.#passwords.get(formatAddress(address));
  }

  /** An event of the native thread. */
  bfd(peer: string, state: BfdEvent['state'], more: Partial<BfdEvent> = {}): void {
    const event = { type: 'bfd', id: peer, state, diagnostic: 'none', remoteDiagnostic: 'none', at: 0 } as const;
    this.speaker.bfdChanged({ remoteState: 'up', ...event, ...more });
  }
}

type Status = NonNullable<BGPSessionStatusObject['status']>;

function bfdStateOf(id: string): BfdSessionState {
  return { id, state: 'up', received: 5, sent: 6, flaps: 1, echo: { received: 0, sent: 0 } } as BfdSessionState;
}

/** As a test's body: a bed of its own, taken down whatever happens. */
export function inBed(run: (bed: Bed) => Promise<void>, options?: Partial<BgpSpeakerOptions>): () => Promise<void> {
  return async () => {
    const bed = await Bed.start(options);
    try {
      await run(bed);
    } finally {
      await bed.stop();
    }
  };
}
