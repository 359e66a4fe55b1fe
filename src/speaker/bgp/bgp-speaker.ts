import type { Transport } from '../../bgp/transport.ts';
import type { Config } from '../../config/config.ts';
import { candidacyOf, type NodeFacts } from '../../election/candidacy.ts';
import type { Hash } from '../../election/metallb.ts';
import { parseAddress } from '../../ip/address.ts';
import type { ApiClient } from '../../kubernetes/client.ts';
import type { KubernetesObject, Node } from '../../kubernetes/core.ts';
import type { EventRecorder } from '../../kubernetes/events.ts';
import type { ObjectKey } from '../../kubernetes/resource.ts';
import { WorkQueue } from '../../kubernetes/workqueue.ts';
import type { BfdEvent } from '../../layer2/bfd.ts';
import type { BfdShare } from '../../layer2/bfd-sessions.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import type { BfdUse, BgpUse } from '../../telemetry/bgp-metrics.ts';
import type { Announced } from '../../telemetry/metallb-metrics.ts';
import type { ClusterWatch } from '../cluster-watch.ts';
import { electionNode } from '../node-facts.ts';
import type { NodeStatuses } from '../node-statuses.ts';
import { sliceIndex } from '../service-reconciler.ts';
import { valueText } from '../value-text.ts';
import { Departure } from './departure.ts';
import { type Caller, Listening, type ListeningOptions } from './listening.ts';
import { Passwords } from './passwords.ts';
import type { PeerSession } from './peer-session.ts';
import { type NeighborDiscovery, PeerSessions } from './peer-sessions.ts';
import { type PeerFault, type PeeringOptions, peeringsOf, secretsOf } from './peers.ts';
import { RouterBfd } from './router-bfd.ts';
import { RoutePolicy } from './routes.ts';
import { ServiceRoutes } from './service-routes.ts';
import { SessionNews } from './session-news.ts';
import { bfdUses, bgpUses } from './session-uses.ts';
import type { BGPNode } from './source-address.ts';
import { bgpSessionStatusesOf, serviceBGPStatusesOf } from './statuses.ts';

/** How often it is looked whether all is sent, and for how long at most; milliseconds. */
const flush = { interval: 20, limit: 2_000 };

export type BgpSpeakerOptions = {
  readonly client: ApiClient;
  readonly cluster: Pick<ClusterWatch, 'configuration' | 'services' | 'slices' | 'nodes'>;
  readonly nodeName: string;
  readonly namespace: string;
  readonly podName: string;
  readonly loadBalancerClass: string;
  readonly ignoreExcludeLabel: boolean;
  /** What a BGPPeer leaves open is as in this mode of MetalLB. */
  readonly defaults: PeeringOptions['defaults'];
  /** For how long routers are told to prefer others before routes are withdrawn, in milliseconds; 0: not at all. */
  readonly drainTime: number;
  readonly transport: Transport;
  readonly discovery: NeighborDiscovery;
  readonly listen: ListeningOptions['listen'];
  readonly bfd: BfdShare;
  /** With their addresses, as the kernel has them. */
  readonly interfaces: () => BGPNode['interfaces'];
  readonly events: Pick<EventRecorder, 'record'>;
  readonly hash: Hash;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * `restart`: this node's speaker is back in a moment, and routers that can keep its routes until then. `drain`: routers
 * are told to prefer others, and get the time to. `hard`: the routes lead nowhere, and go at once.
 */
export type BgpStopKind = 'restart' | 'drain' | 'hard';

type Statuses = Pick<NodeStatuses<KubernetesObject, object>, 'start' | 'look' | 'stop'>;

/** Announces the addresses of Services to routers. One per node. */
export class BgpSpeaker {
  readonly #options: BgpSpeakerOptions;
  readonly #routes: ServiceRoutes;
  readonly #sessions: PeerSessions;
  readonly #bfd: RouterBfd;
  readonly #departure: Departure;
  readonly #listening: Listening;
  readonly #passwords: Passwords;
  readonly #queue: WorkQueue;
  readonly #news: SessionNews;
  readonly #serviceStatuses: Statuses;
  readonly #sessionStatuses: Statuses;
  readonly #stopping = new AbortController();
  readonly #subscriptions: (() => void)[] = [];
  /** What was looked at last: a heartbeat of the node is no change. */
  #seen = '';
  #config: Config | undefined;
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(options: BgpSpeakerOptions) {
    const { nodeName: node, events, log, cluster } = options;
    this.#options = options;
    const status = { ...options, node, signal: this.#stopping.signal };
    this.#serviceStatuses = serviceBGPStatusesOf({ ...status, peersOf: (service) => this.#routes.peersOf(service) });
    this.#sessionStatuses = bgpSessionStatusesOf({ ...status, factsOf: (peer) => this.#sessions.factsOf(peer) });
    this.#passwords = new Passwords({ ...options, onChange: () => this.#reconsider() });
    this.#departure = new Departure({ ...options, onChange: () => this.#departed() });
    this.#bfd = new RouterBfd({
      share: options.bfd,
      onLost: (peer, why) => {
        log.warn('path to the peer lost', { peer, why });
        this.#sessions.bfdDown(peer);
      },
      onChange: (peer) => this.#sessionStatuses.look(peer),
      log,
    });
    this.#routes = new ServiceRoutes({
      ...options,
      services: cluster.services,
      slices: cluster.slices,
      onChange: (service, changes) => {
        for (const [peer, { announce, withdraw }] of changes) {
          this.#sessions.tell(peer, this.#departure.routes(peer, announce), withdraw);
        }
        this.#serviceStatuses.look(service);
        for (const peer of changes.keys()) this.#sessionStatuses.look(peer);
      },
    });
    this.#sessions = new PeerSessions({
      ...options,
      bfd: this.#bfd,
      routesTo: (peer) => this.#departure.routes(peer, this.#routes.to(peer)),
      onChange: (peer) => this.#sessionChanged(peer),
      onElsewhere: () => this.linksChanged(),
    });
    const accept: ListeningOptions['accept'] = (...caller) => this.#sessions.accept(...caller);
    this.#listening = new Listening({ ...options, accept });
    this.#news = new SessionNews({ node, events, objectOf: (peer) => this.#objectOf(peer) });
    const reconcile = async (key: string) => this.#routes.reconcile(key);
    this.#queue = new WorkQueue({ ...options, name: 'bgp service', reconcile });
  }

  /**
   * To be called when all of the cluster has been read and a configuration is in force. Resolves when every Service has
   * been looked at: only then are there sessions, because what a router is told first it takes for all there is.
   */
  async start(): Promise<void> {
    const { configuration, services, slices, nodes } = this.#options.cluster;
    configuration.onChange(() => this.#reconsider());
    this.#subscriptions.push(
      services.onChange((key) => this.#look(key)),
      slices.onChange((_key, now, before) => {
        for (const slice of [now, before]) {
          if (slice !== undefined) for (const key of sliceIndex.service(slice)) this.#look(key);
        }
      }),
      nodes.onChange((name) => {
        if (name === this.#options.nodeName) this.#reconsider();
      }),
    );
    this.#reconsider();
    await this.#queue.idle();
    if (this.#stopped !== undefined) return;
    this.#started = true;
    this.#sessions.start();
    this.#serviceStatuses.start();
    this.#sessionStatuses.start();
  }

  /** What this node tells at least one peer. */
  announced(): Iterable<Announced> {
    return this.#routes.announced(this.#options.nodeName);
  }

  bgpUses(): Iterable<BgpUse> {
    return bgpUses(this.#sessions.sessions());
  }

  bfdUses(): Iterable<BfdUse> {
    return bfdUses(this.#sessions.sessions(), this.#bfd.states());
  }

  /** A BFD session with a router has changed. */
  bfdChanged(event: BfdEvent): void {
    this.#bfd.see(event);
  }

  /** The node has other interfaces or addresses, or another neighbour on a link. */
  linksChanged(): void {
    if (this.#config === undefined || this.#stopped !== undefined) return;
    this.#reconsider();
    this.#sessions.look();
    this.#listen();
  }

  /** Resolves when no connection is left. Idempotent. */
  stop(how: BgpStopKind): Promise<void> {
    this.#stopped ??= this.#stop(how);
    return this.#stopped;
  }

  async #stop(how: BgpStopKind): Promise<void> {
    const keeping = new Set(how === 'restart' ? this.#sessions.keeping() : []);
    // What changes meanwhile is told on: an address whose endpoints go is not to be kept for the time it takes.
    if (how !== 'hard') await this.#depart(keeping);
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    await this.#queue.stop();
    this.#departure.close();
    this.#listening.close();
    const kindOf = (peer: string) => (keeping.has(peer) ? 'restart' : how === 'hard' ? 'hard' : 'shutdown');
    await this.#sessions.close(kindOf, how === 'restart' ? 'restarting' : 'the speaker of this node stops');
    // Not before: FRR takes even the orderly end of BFD for a failure, and would drop the routes that it is to keep.
    this.#bfd.close();
    this.#stopping.abort();
    await Promise.all([this.#passwords.stop(), this.#serviceStatuses.stop(), this.#sessionStatuses.stop()]);
  }

  /** Takes back all routes but those of routers that keep them. Resolves when that is sent. */
  async #depart(keeping: ReadonlySet<string>): Promise<void> {
    this.#beginToGo(keeping);
    await this.#departure.gone();
    for (let waited = 0; waited < flush.limit && !this.#sessions.isFlushed; waited += flush.interval) {
      await sleep(this.#options.clock, flush.interval);
    }
  }

  /** Does nothing once begun. Where nobody has been told anything, nobody is waited for. */
  #beginToGo(exempt: ReadonlySet<string> = new Set()): void {
    if (this.#departure.stage !== 'here') return;
    const { log, drainTime } = this.#options;
    const told = [...this.#sessions.sessions()].filter(([name, session]) => !exempt.has(name) && session.hasTold);
    if (told.length > 0) log.info('draining', { peers: told.map(([name]) => name), milliseconds: drainTime });
    this.#departure.begin({ exempt, atOnce: told.length === 0 });
  }

  /** Something that concerns every Service has changed, or may have. */
  #reconsider(): void {
    if (this.#stopped !== undefined) return;
    const { cluster, nodeName, namespace } = this.#options;
    const own = cluster.nodes.get(nodeName);
    const node = own === undefined ? { name: nodeName, labels: {}, networkUnavailable: false } : electionNode(own);
    const config = cluster.configuration.current();
    this.#passwords.want(secretsOf(config.peers, namespace));
    this.#obey(node);
    const found = peeringsOf(config.peers, this.#peeringOptions(own));
    const { peerings, faults } = config === this.#config ? this.#withoutLinkFaults(found) : found;
    // It is read in a moment, or found to be a fault; until then sessions and their routes stay as they are.
    const isUnread = ({ peer, reason }: PeerFault) =>
      reason === 'passwordUnread' && this.#sessions.sessions().has(peer);
    if (faults.some(isUnread)) return;
    // While it goes, what it may not announce any more is still there.
    const ignoreExcludeLabel = this.#options.ignoreExcludeLabel || this.#departure.stage === 'leaving';
    const isGone = this.#departure.stage === 'gone';
    const seen = valueText([peerings, faults, node, ignoreExcludeLabel, isGone]);
    if (seen === this.#seen && config === this.#config) return;
    this.#seen = seen;
    this.#config = config;
    this.#sessions.set(peerings, faults);
    if (peerings.length === 0) this.#routes.setPolicy('noPeers');
    else if (isGone) this.#routes.setPolicy('nodeDraining');
    else this.#routes.setPolicy(new RoutePolicy({ ...this.#options, node, config, peerings, ignoreExcludeLabel }));
    for (const key of cluster.services.keys()) this.#look(key);
    this.#listen();
    if (this.#started) void this.#queue.idle().then(() => this.#sessions.start());
  }

  /** That a link goes down, and its addresses with it, is found out by the session that is there, and may pass. */
  #withoutLinkFaults({ peerings, faults }: ReturnType<typeof peeringsOf>): ReturnType<typeof peeringsOf> {
    const kept = faults.flatMap(({ peer, reason }) => {
      const session = reason === 'sourceAddressMissing' ? this.#sessions.sessions().get(peer) : undefined;
      return session?.peering ?? [];
    });
    const isKept = ({ peer }: PeerFault) => kept.some(({ wish }) => wish.name === peer);
    return { peerings: [...peerings, ...kept], faults: faults.filter((fault) => !isKept(fault)) };
  }

  #look(service: ObjectKey): void {
    if (this.#routes.concerns(service)) this.#queue.add(service);
  }

  #listen(): void {
    const sessions = [...this.#sessions.sessions().values()];
    const isListening = sessions.some(({ peering }) => peering.wish.passive);
    this.#listening.set(isListening ? sessions.flatMap((session) => callerOf(session) ?? []) : []);
  }

  /** Goes when the node is to hand over what it announces, and comes back when it is not. */
  #obey(node: NodeFacts): void {
    const { ignoreExcludeLabel } = this.#options;
    const rules = { election: 'metallb', oursAlone: true, ignoreExcludeLabel } as const;
    const { planned } = candidacyOf(node, rules);
    if (planned) this.#beginToGo();
    else this.#departure.cancel();
  }

  #departed(): void {
    this.#sessions.refill();
    // Not from within: it may be what has led here.
    queueMicrotask(() => this.#reconsider());
  }

  #peeringOptions(own: Node | undefined): PeeringOptions {
    const { nodeName: name, namespace, defaults, interfaces } = this.#options;
    const internal = (own?.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
    const addresses = internal.flatMap(({ address }) => parseAddress(address) ?? []);
    return {
      node: { name, labels: own?.metadata.labels ?? {}, addresses, interfaces: interfaces() },
      namespace,
      passwordOf: (secret) => this.#passwords.of(secret),
      defaults,
      // Whoever starts has started anew, as far as a router is concerned that keeps routes.
      restarted: true,
    };
  }

  #sessionChanged(peer: string): void {
    const facts = this.#sessions.factsOf(peer);
    // That sessions end with the speaker is no news.
    if (this.#stopped === undefined) this.#news.see(peer, facts?.session, facts?.problem);
    this.#sessionStatuses.look(peer);
  }

  #objectOf(peer: string): KubernetesObject | undefined {
    const { peers = [] } = this.#options.cluster.configuration.resources();
    return (peers as readonly KubernetesObject[]).find(({ metadata }) => metadata.name === peer);
  }
}

/** A peer that may connect; one behind a VRF is not heard where we listen. */
function callerOf({ address, peering }: Pick<PeerSession, 'address' | 'peering'>): Caller | undefined {
  const { device, password, ttl, minimumTtl } = peering.wish;
  return address === undefined || device !== undefined ? undefined : { address, password, ttl, minimumTtl };
}
