import { formatProblem } from '../api/field.ts';
import type { NodeInterface } from '../election/interface-fitness.ts';
import type { Hash } from '../election/metallb.ts';
import type { Beginnings } from '../election/returning.ts';
import { formatAddress } from '../ip/address.ts';
import { ConfigurationReport } from '../kubernetes/configuration-report.ts';
import type { KubernetesObject } from '../kubernetes/core.ts';
import { EventRecorder } from '../kubernetes/events.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import { Announcer, type ProbePolicy } from '../layer2/announcer.ts';
import type { BfdEvent } from '../layer2/bfd.ts';
import type { AnswerEvent, ConflictEvent, Responder } from '../layer2/responder.ts';
import type { Liveness } from '../liveness/liveness.ts';
import { parseTimestamp, sleep } from '../runtime/clock.ts';
import type { Announced, ClientState } from '../telemetry/metallb-metrics.ts';
import { BalancedOwners } from './balanced-owners.ts';
import type { BgpSpeaker } from './bgp/bgp-speaker.ts';
import { type BulletinChange, Bulletins } from './bulletins.ts';
import { ClusterWatch, type ClusterWatchOptions } from './cluster-watch.ts';
import type { View } from './decision.ts';
import { Handover } from './handover.ts';
import { Lease } from './lease.ts';
import { leavingOfAddresses, leavingOfRoutes } from './leaving.ts';
import { isOurs } from './member-meta.ts';
import { Newcomers } from './newcomers.ts';
import { electionNode, sameToElection } from './node-facts.ts';
import { NodeWarnings } from './node-warnings.ts';
import { Ownership } from './ownership.ts';
import type { OwnershipMetrics } from './ownership-metrics.ts';
import { ServiceReconciler, sliceIndex } from './service-reconciler.ts';
import { Siblings, type SiblingsOptions } from './siblings.ts';
import { SpreadNotice } from './spread-notice.ts';
import { StrategyNotice, strategyInForce } from './strategy-in-force.ts';

/** For how long a speaker that has peers waits to hear of one before it decides alone; milliseconds. */
const companyTimeout = 3_000;

/** Between two messages of the same content; milliseconds. */
const repetition = 25;

/** Who is alive: the part of `src/liveness` that a speaker uses. */
export type Ring = Pick<
  Liveness,
  | 'start'
  | 'stop'
  | 'alive'
  | 'members'
  | 'onChange'
  | 'rejoin'
  | 'session'
  | 'attach'
  | 'send'
  | 'sendToAll'
  | 'exchange'
>;

export type SpeakerOptions = ClusterWatchOptions & {
  /** Closed by the speaker when it stops. */
  readonly responder: Pick<Responder, 'setAnnouncements' | 'announce' | 'probe' | 'ask' | 'renew' | 'status' | 'close'>;
  /** The responder's `deadline`: it is renewed five times as often. 0: never. */
  readonly deadline: number;
  /** The responder's `lapse`. 0: never. */
  readonly lapse: number;
  /** The responder's `gratuitous.rate`. */
  readonly announceRate: number;
  /** What is done about an address that has only just been assigned. */
  readonly addressProbe: ProbePolicy;
  readonly addressesOf: SiblingsOptions['addressesOf'];
  readonly ownershipMetrics?: OwnershipMetrics;
  /**
   * Makes the ring from a function that tells the addresses of the other speakers, because those are known only once
   * their Pods have been read. Undefined: every Node counts as alive.
   */
  readonly liveness: ((peers: () => readonly string[]) => Ring) | undefined;
  /** What this node has of interfaces, for the other speakers and for what is told of it. */
  readonly interfaces?: () => readonly NodeInterface[];
  /** For how long the others are asked to wait for a speaker that restarts, in milliseconds; 0: it hands over. */
  readonly restartGrace?: number;
  /** Whether another speaker will take the place of this one, once it has stopped. */
  readonly willReturn?: () => Promise<boolean>;
  /** The Pod that owns what the speaker reports about itself; absent or empty: nobody does. */
  readonly podName?: string;
  readonly loadBalancerClass: string;
  /** Whether the kinds of network.deckhouse.io are read, too. */
  readonly deckhouse?: boolean;
  readonly ignoreExcludeLabel: boolean;
  readonly hash: Hash;
  /** Makes what announces to routers, of what the speaker reads; undefined: nothing does. */
  readonly bgp?: (shared: { readonly cluster: ClusterWatch; readonly events: EventRecorder }) => RouterSpeaker;
};

/** Who announces to routers: the part of `BgpSpeaker` that a speaker uses. */
export type RouterSpeaker = Pick<BgpSpeaker, 'start' | 'stop' | 'announced' | 'linksChanged'>;

/** Decides what this node announces, and has it announced. One per node. */
export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #cluster: ClusterWatch;
  readonly #liveness: Ring | undefined;
  /** What the speakers tell each other; undefined without a ring. */
  readonly #bulletins: Bulletins | undefined;
  readonly #announcer: Announcer;
  readonly #handover: Handover;
  readonly #siblings: Siblings;
  readonly #ownership: Ownership;
  readonly #lease: Lease;
  /** Whether a table was decided on after the last hang; the first one is. */
  #mayEndSilence = true;
  readonly #events: EventRecorder;
  readonly #report: ConfigurationReport;
  readonly #reconciler: ServiceReconciler;
  readonly #owners: BalancedOwners;
  readonly #newcomers: Newcomers;
  readonly #strategyNotice: StrategyNotice;
  readonly #spreadNotice: SpreadNotice;
  readonly #queue: WorkQueue;
  readonly #bgp: RouterSpeaker | undefined;
  readonly #stopping = new AbortController();
  /** Made once for all Services, until something in it changes. */
  #view: View | undefined;
  /** Who was alive when last looked at, and who has been lost and is not back. */
  #members: ReadonlySet<string> = new Set();
  readonly #lost = new Set<string>();
  #started = false;
  #stopped: Promise<void> | undefined;
  #returns: Promise<boolean> | undefined;

  constructor(options: SpeakerOptions) {
    const { log, clock, nodeName, responder } = options;
    this.#options = options;
    this.#cluster = new ClusterWatch(options);
    this.#liveness = options.liveness?.(() => this.#cluster.hosts().map(({ address }) => address));
    const { interfaces = () => undefined } = options;
    const channel = this.#liveness;
    this.#bulletins = channel && new Bulletins({ node: nodeName, channel, interfaces, clock, log });
    this.#siblings = new Siblings({
      members: () => this.#liveness?.members() ?? [],
      hosts: () => this.#cluster.hosts(),
      // Without a ring every Node counts as alive.
      isAlive: (node) => this.#liveness?.alive().has(node) ?? true,
      addressesOf: options.addressesOf,
    });
    this.#lease = new Lease({ ...options, onSilenced: () => this.#decideAnew() });
    this.#announcer = new Announcer({
      responder: {
        setAnnouncements: (table) => {
          const renewed = this.#lease.renew();
          if (renewed || this.#mayEndSilence) responder.setAnnouncements(table);
        },
        announce: (addresses, rounds) => responder.announce(addresses, rounds),
        probe: (addresses) => responder.probe(addresses),
      },
      clock,
      probe: options.addressProbe,
      rate: options.announceRate,
      onRefused: (address, by, again) => this.#ownership.conflicts.refused(address, by, again),
      onChange: (change) => {
        this.#bulletins?.claim(change.announced);
        this.#bulletins?.release(change.withdrawn);
        this.#ownership.changed(change);
      },
    });
    this.#handover = new Handover({
      announcer: this.#announcer,
      hasClaimed: (node, address) => this.#bulletins?.claimsOf(address).some((claim) => claim.node === node) ?? true,
      clock,
      log,
    });
    // MetalLB's component name, which people's alerts and dashboards select.
    this.#events = new EventRecorder({ ...options, component: 'metallb-speaker', host: nodeName });
    this.#report = new ConfigurationReport({
      ...options,
      configuration: this.#cluster.configuration,
      component: { speakerOn: nodeName },
      podName: options.podName ?? '',
      events: this.#events,
      signal: this.#stopping.signal,
    });
    this.#ownership = new Ownership({
      ...options,
      services: this.#cluster.services,
      announcer: this.#announcer,
      siblings: this.#siblings,
      bulletins: this.#bulletins,
      alive: () => this.#liveness?.alive() ?? [],
      ask: (addresses) => void responder.ask(addresses),
      events: this.#events,
      policy: () => this.#cluster.configuration.current().layer2.onConflict,
      onHandover: (node, address) => this.#handover.heard(node, address),
      departed: () => this.#departed(),
      signal: this.#stopping.signal,
    });
    this.#reconciler = new ServiceReconciler({
      services: this.#cluster.services,
      slices: this.#cluster.slices,
      view: () => this.#currentView(),
      announcer: this.#announcer,
      handover: this.#handover,
      takeovers: this.#ownership.takeovers,
      events: this.#events,
      log,
    });
    this.#newcomers = new Newcomers({
      beginningOf: (node) => this.#beginningOf(node),
      onChange: () => this.#reconsider(),
      clock,
    });
    this.#owners = new BalancedOwners({
      services: this.#cluster.services,
      slices: this.#cluster.slices,
      view: () => this.#currentView(),
      claimsOf: (address) => this.#bulletins?.claimsOf(address) ?? [],
      isReturning: (node) => this.#newcomers.has(node),
      onDecided: (keys) => {
        for (const key of keys) this.#queue.add(key);
      },
      clock,
    });
    this.#strategyNotice = new StrategyNotice({
      events: this.#events,
      policies: () => (this.#cluster.configuration.resources().layer2Policies ?? []) as readonly KubernetesObject[],
      log,
    });
    this.#bgp = options.bgp?.({ cluster: this.#cluster, events: this.#events });
    this.#spreadNotice = new SpreadNotice({
      services: this.#cluster.services,
      view: () => this.#currentView(),
      events: this.#events,
      log,
    });
    const reconcile = async (key: string) => {
      if (!this.#owners.isAwaited(key)) this.#reconciler.reconcile(key);
    };
    this.#queue = new WorkQueue({ ...options, name: 'service', reconcile });
  }

  /**
   * Resolves when everything has been read, a configuration is in force, the ring joined, and every Service looked at
   * once. Rejects when stopped before that, or when the ring cannot be started.
   */
  async start(): Promise<void> {
    const { nodeName } = this.#options;
    this.#lease.start();
    this.#tellScheduling();
    const warnings = new NodeWarnings({ events: this.#events, log: this.#options.log });
    this.#cluster.nodes.onChange((name, now) => {
      if (name !== nodeName) return;
      this.#cluster.configuration.judgeFor(now ? [now.metadata.labels ?? {}] : []);
      if (now !== undefined) warnings.see(now);
    });
    // Not before the Node is known for which BGP is judged. Rejects when stopped.
    this.#cluster.nodesRead.then(
      () => {
        if (!this.#stopping.signal.aborted) this.#report.start();
      },
      () => {},
    );
    await this.#cluster.start();
    const toldRouters = this.#bgp?.start();
    // Not before: whoever is in the ring is given Services, and must know enough to announce them.
    if (this.#liveness !== undefined) await this.#join(this.#liveness);
    this.#stopping.signal.throwIfAborted();
    this.#cluster.configuration.onChange(() => this.#reconsider());
    this.#cluster.services.onChange((key) => this.#reconsiderService(key));
    this.#cluster.slices.onChange((_key, now, before) => {
      for (const slice of [now, before]) {
        if (slice !== undefined) for (const key of sliceIndex.service(slice)) this.#reconsiderService(key);
      }
    });
    this.#cluster.nodes.onChange((_name, now, before) => {
      if (!sameToElection(now, before)) this.#reconsider();
    });
    this.#reconsider();
    await Promise.all([this.#decided(), toldRouters]);
    this.#reconciler.settle();
    this.#announcer.flush();
    this.#ownership.start();
    this.#bulletins?.settle();
    this.#mayEndSilence = false;
    this.#started = true;
  }

  /** Why the speaker is not at work yet; empty when it is. */
  unready(): readonly string[] {
    if (this.#started) return [];
    const problems = this.#cluster.configuration.errors().map(formatProblem);
    return problems.length > 0 ? problems : ['the cluster has not been read, or no other speaker been heard yet'];
  }

  /** What this node announces. */
  *announced(): Generator<Announced> {
    const { nodeName: node } = this.#options;
    for (const [service, addresses] of this.#announcer.announced()) {
      for (const address of addresses) yield { service, protocol: 'layer2', node, ip: formatAddress(address) };
    }
    yield* this.#bgp?.announced() ?? [];
  }

  clientState(): ClientState {
    const { reconciles, failures } = this.#queue.counters();
    const loaded = this.#cluster.configuration.isInForce;
    const stale = loaded && this.#cluster.configuration.verdict() === 'Invalid';
    return { reconciles, failures, configuration: { loaded, stale } };
  }

  /**
   * How long ago what it works from was known to be the API server's, in milliseconds; 0 while it is. Undefined while
   * the speaker is not at work yet.
   */
  stateAge(): number | undefined {
    return this.#started ? this.#cluster.age() : undefined;
  }

  /** How many speakers are alive as far as this one knows, itself included; undefined without a ring. */
  membersAlive(): number | undefined {
    return this.#liveness?.alive().size;
  }

  /** Another host claims one of our addresses: an event of the responder. */
  claimed(event: ConflictEvent): void {
    this.#ownership.conflicts.claimed(event);
  }

  /** A BFD session has changed: an event of the responder. */
  session(event: BfdEvent): void {
    this.#liveness?.session(event);
  }

  /** The packet thread did not run for so long, and is silent: an event of the responder. */
  lapsed(milliseconds: number): void {
    this.#lease.lapsed(milliseconds);
  }

  /** A host on the LAN has answered a question: an event of the responder. */
  answered({ address, mac }: Pick<AnswerEvent, 'address' | 'mac'>): void {
    this.#ownership.answered(address, mac);
  }

  /** What this node has of interfaces may have changed: an event of the responder. */
  linksChanged(): void {
    this.#bulletins?.look();
    this.#bgp?.linksChanged();
  }

  /**
   * Has the others take over, or wait for the speaker that takes the place of this one, and only then falls silent:
   * between the two both answer, which a client does not notice, instead of neither. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown();
    return this.#stopped;
  }

  async #shutDown(): Promise<void> {
    const leftRouters = this.#bgp && this.#leaveRouters(this.#bgp);
    const isRestart = await this.#askToWait();
    if (!isRestart) await this.#handOver();
    await leftRouters;
    this.#stopping.abort();
    this.#owners.clear();
    await this.#queue.stop();
    this.#handover.close();
    this.#newcomers.close();
    this.#bulletins?.close();
    // The others notice our silence too, only later; nothing may keep us from falling silent.
    const left = this.#liveness?.stop({ farewell: !isRestart });
    await left?.catch((error) => this.#options.log.warn('ring not left', { error }));
    this.#lease.stop();
    this.#ownership.close();
    this.#announcer.close();
    this.#options.responder.close();
    await Promise.all([this.#report.stop(), this.#ownership.stop()]);
    await this.#cluster.stop();
    await this.#events.stop();
  }

  /** Whether a speaker takes the place of this one, once it has stopped. Whoever has not begun leaves nothing behind. */
  #willReturn(): Promise<boolean> {
    this.#returns ??= this.#started ? (this.#options.willReturn?.() ?? Promise.resolve(false)) : Promise.resolve(false);
    return this.#returns;
  }

  /** Takes back what routers were told, as why we stop asks for. */
  async #leaveRouters(bgp: RouterSpeaker): Promise<void> {
    const { nodeName, ignoreExcludeLabel } = this.#options;
    const leaving = leavingOfRoutes(this.#cluster.nodes.get(nodeName), ignoreExcludeLabel);
    if (!this.#started || leaving === 'lost') await bgp.stop('hard');
    else await bgp.stop(leaving === 'stay' && (await this.#willReturn()) ? 'restart' : 'drain');
  }

  /** Whether the others wait for whoever takes the place of this speaker. */
  async #askToWait(): Promise<boolean> {
    const { restartGrace = 0, nodeName, ignoreExcludeLabel, clock, log } = this.#options;
    if (restartGrace === 0 || !this.#hasCompany()) return false;
    const leaving = leavingOfAddresses(this.#cluster.nodes.get(nodeName), ignoreExcludeLabel);
    if (leaving !== 'stay' || !(await this.#willReturn())) return false;
    log.info('restart announced', { grace: restartGrace });
    // Twice, for the case that a message is lost.
    for (let i = 0; i < 2; i++) {
      this.#bulletins?.restart(restartGrace);
      await sleep(clock, repetition);
    }
    return true;
  }

  /** Resolves when every address has its next owner, as far as there is one; within a second or two. */
  async #handOver(): Promise<void> {
    if (!this.#hasCompany()) return;
    this.#bulletins?.drain();
    this.#reconsider();
    await this.#decided();
    await this.#handover.idle();
  }

  /** Whether there are others who understand what we tell them. */
  #hasCompany(): boolean {
    if (!this.#started || this.#liveness === undefined || this.#liveness.alive().size < 2) return false;
    return this.#currentView().cluster.oursAlone === true;
  }

  /** A speaker that has heard of no other yet would take every address for itself, so it waits for company first. */
  async #join(liveness: Ring): Promise<void> {
    const { nodeName, clock, log } = this.#options;
    this.#stopping.signal.throwIfAborted();
    const bulletins = this.#bulletins!;
    liveness.attach({
      state: () => bulletins.state(),
      merge: (state) => bulletins.merge(state),
      hear: (message) => bulletins.hear(message),
    });
    bulletins.onChange((change) => this.#heard(bulletins, change));
    await liveness.start();
    bulletins.start();
    this.#cluster.pods.onChange((_key, now, before) => {
      if (now?.status?.podIP !== before?.status?.podIP) liveness.rejoin();
    });
    const heard = new AbortController();
    this.#members = liveness.alive();
    this.#siblings.look();
    liveness.onChange(() => {
      this.#siblings.look();
      if (liveness.alive().size > 1) heard.abort();
      for (const name of liveness.alive()) if (!this.#members.has(name)) bulletins.welcome(name);
      this.#reconsider();
      this.#ownership.conflicts.look();
      this.#repeatForTheReturned(liveness.alive());
    });
    const peers = this.#cluster.hosts().filter(({ name }) => name !== nodeName);
    if (liveness.alive().size > 1 || peers.length === 0) return;
    const signal = AbortSignal.any([heard.signal, this.#stopping.signal]);
    await sleep(clock, companyTimeout, signal).then(
      () => log.warn('no other speaker heard', { peers: peers.map(({ address }) => address) }),
      () => {}, // Heard one, or stopped.
    );
  }

  /**
   * A member that was lost and is back may have held what we hold, each of us believing the other dead. It withdraws
   * now, but the neighbours still have its MAC address.
   */
  #repeatForTheReturned(alive: ReadonlySet<string>): void {
    const returned = [...alive].filter((name) => this.#lost.delete(name)).length > 0;
    for (const name of this.#members) {
      if (alive.has(name)) continue;
      this.#lost.add(name);
      this.#ownership.takeovers.lost(name);
    }
    for (const name of alive) if (!this.#members.has(name)) this.#ownership.takeovers.isWell(name);
    this.#members = alive;
    // Not before it is decided anew who holds what. Waiting for the queue never rejects.
    if (returned) void this.#decided().then(() => this.#repeat());
  }

  /** Ends the silence of the responder, as the first table does while we start. Who stops had better stay silent. */
  async #decideAnew(): Promise<void> {
    if (!this.#started) return;
    this.#liveness?.rejoin();
    await this.#liveness?.exchange();
    this.#reconsider();
    await this.#decided();
    if (this.#stopping.signal.aborted) return;
    // What has gone to others meanwhile they have had for a while.
    this.#handover.close();
    this.#mayEndSilence = true;
    this.#repeat();
    this.#mayEndSilence = false;
  }

  /** The speakers have told something, we among them. */
  #heard(bulletins: Bulletins, { facts, claims }: BulletinChange): void {
    const restarting = bulletins.restarting();
    for (const name of this.#liveness?.alive() ?? []) {
      if (bulletins.isDraining(name) || restarting.has(name)) this.#ownership.takeovers.handsOver(name);
      else this.#ownership.takeovers.isWell(name);
    }
    if (facts) this.#reconsider();
    if (!claims) return;
    // To MetalLB's rule they are of no importance.
    if (this.#currentView().electionsOf !== undefined) this.#owners.decideSoon();
    this.#handover.look();
    this.#ownership.look();
  }

  #repeat(): void {
    this.#announcer.repeat((address) => this.#handover.isLeaving(address));
  }

  /** The nodes that neither the ring nor the API server hears of. */
  #departed(): readonly string[] {
    const { nodes, members } = this.#currentView().cluster;
    return [...nodes].filter(({ name, notReady }) => notReady === true && !members.has(name)).map(({ name }) => name);
  }

  #tellScheduling(): void {
    const { responder, log } = this.#options;
    const { scheduling } = responder.status();
    const remedy = 'grant the speaker CAP_SYS_NICE; until then an answer may take milliseconds while the CPUs are busy';
    log.info('packet thread scheduled', scheduling === 'fifo' ? { scheduling } : { scheduling, remedy });
  }

  #currentView(): View {
    this.#view ??= this.#look();
    return this.#view;
  }

  #beginningOf(node: string): Beginnings {
    const created = this.#cluster.nodes.get(node)?.metadata.creationTimestamp;
    const createdAt = created === undefined ? undefined : parseTimestamp(created);
    return { node, startedAt: this.#bulletins?.startedAt(node), createdAt };
  }

  #look(): View {
    const { nodeName: name, loadBalancerClass, ignoreExcludeLabel, hash } = this.#options;
    const known = this.#cluster.nodes.list().map(electionNode);
    const all = known.map((node) => (this.#bulletins?.isDraining(node.name) ? { ...node, draining: true } : node));
    const config = this.#cluster.configuration.current();
    const members = this.#liveness && new Set([...this.#liveness.alive(), ...this.#bulletins!.restarting()]);
    const inForce = strategyInForce(config.layer2.election, this.#liveness?.members());
    const isEachElected = inForce.together === undefined;
    if (isEachElected) {
      const { failBackAfter } = config.layer2;
      const begun = this.#started;
      this.#newcomers.look(this.#liveness?.alive() ?? [], { members: members ?? [], failBackAfter, begun });
    } else {
      this.#newcomers.clear();
    }
    return {
      node: { name, labels: this.#cluster.nodes.get(name)?.metadata.labels ?? {} },
      config,
      cluster: {
        nodes: all,
        members: members ?? new Set(all.map((node) => node.name)),
        ignoreExcludeLabel,
        interfaces: this.#bulletins?.interfaces() ?? new Map(),
        // Without a ring nobody knows who else decides.
        oursAlone: this.#liveness?.members().every(({ meta }) => isOurs(meta)) ?? false,
        requireSubnetAddress: config.layer2.requireSubnetAddress,
      },
      loadBalancerClass,
      hash,
      strategy: inForce.strategy,
      ...(isEachElected ? { electionsOf: (key) => this.#owners.electionsOf(key) } : {}),
    };
  }

  /** Something that concerns every Service has changed. Those that lost their owner by it come first. */
  #reconsider(): void {
    this.#view = undefined;
    const { electionsOf, strategy } = this.#currentView();
    this.#tellStrategy();
    if (strategy === 'balanced') {
      this.#owners.decideSoon();
      return;
    }
    if (electionsOf === undefined) this.#owners.clear();
    else this.#owners.decideIfRested();
    for (const key of this.#reconciler.orphans(this.#currentView().cluster.members)) this.#queue.add(key);
    for (const key of this.#cluster.services.keys()) this.#queue.add(key);
  }

  #reconsiderService(key: string): void {
    if (this.#currentView().electionsOf === undefined) this.#queue.add(key);
    else this.#owners.serviceChanged(key);
    this.#spreadNotice.serviceChanged(key);
  }

  /** Resolves when what there is to decide now is decided. Never rejects. */
  #decided(): Promise<void> {
    this.#owners.flush();
    return this.#queue.idle();
  }

  #tellStrategy(): void {
    const members = this.#liveness?.members();
    const ours = (members ?? []).filter(({ meta }) => isOurs(meta)).map(({ name }) => name);
    const isFirst = ours.every((name) => name >= this.#options.nodeName);
    const inForce = strategyInForce(this.#cluster.configuration.current().layer2.election, members);
    this.#strategyNotice.see(inForce, isFirst);
    this.#spreadNotice.see(inForce.together, isFirst);
  }
}
