import { Allocator } from '../allocator/allocator.ts';
import { formatProblem } from '../api/field.ts';
import type { Config } from '../config/config.ts';
import type { Address } from '../ip/address.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import { Configuration } from '../kubernetes/configuration.ts';
import { ConfigurationReport } from '../kubernetes/configuration-report.ts';
import type { Namespace, Service } from '../kubernetes/core.ts';
import { EventRecorder } from '../kubernetes/events.ts';
import { Reflector } from '../kubernetes/reflector.ts';
import { namespaces, services } from '../kubernetes/resource.ts';
import { Store } from '../kubernetes/store.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import type { ClientState, PoolUse } from '../telemetry/metallb-metrics.ts';
import { DnsTargets, type DnsTiming } from './dns-targets.ts';
import { foundFor, sincesOf } from './earlier-run.ts';
import { NodeAddresses } from './node-addresses.ts';
import { PoolStatus } from './pool-status.ts';
import { poolUse } from './pool-use.ts';
import { ReservationStatus } from './reservation-status.ts';
import { ServiceReconciler } from './service-reconciler.ts';
import { trimNamespace, trimService } from './trim.ts';

/** The longest that is waited before another look at what is due; milliseconds. Timers cannot wait for a month. */
const longestWait = 3_600_000;
/** For how long the last writes are waited for when it stops; milliseconds. */
const lastWrites = 500;

export type ControllerOptions = {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly loadBalancerClass: string;
  /** Whether the kinds of network.deckhouse.io are read, too. */
  readonly deckhouse?: boolean;
  /** The Pod that owns what the controller reports about itself; absent or empty: nobody does. */
  readonly podName?: string;
  /** Of DNS targets, where they are not to take their time. */
  readonly dnsTiming?: Partial<DnsTiming>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Assigns addresses to Services. One per cluster: the allocator's memory is this process's alone, and is made anew from
 * the Services' status at every start.
 */
export class Controller {
  readonly #configuration: Configuration;
  readonly #allocator = new Allocator();
  readonly #services: Store<Service>;
  readonly #namespaces: Store<Namespace>;
  readonly #reflectors: readonly Pick<Reflector<Service>, 'start' | 'stop' | 'synced'>[];
  readonly #events: EventRecorder;
  readonly #reconciler: ServiceReconciler;
  readonly #queue: WorkQueue;
  readonly #poolStatus: PoolStatus;
  readonly #reservationStatus: ReservationStatus;
  readonly #nodeAddresses: NodeAddresses;
  readonly #dnsTargets: DnsTargets;
  readonly #report: ConfigurationReport;
  readonly #stopping = new AbortController();
  readonly #clock: Clock;
  #started = false;
  #isStopped = false;
  #nextRelease: { readonly at: number; readonly timer: Timer } | undefined;

  constructor(options: ControllerOptions) {
    const { log } = options;
    const { signal } = this.#stopping;
    this.#clock = options.clock;
    this.#configuration = new Configuration(options);
    this.#services = new Store({ log });
    this.#namespaces = new Store({ log });
    const everywhere = { ...options, namespace: undefined };
    this.#nodeAddresses = new NodeAddresses({ ...options, onChange: () => this.#useNodeAddresses() });
    this.#reflectors = [
      this.#nodeAddresses,
      new Reflector({ ...everywhere, resource: services, store: this.#services, trim: trimService }),
      new Reflector({ ...everywhere, resource: namespaces, store: this.#namespaces, trim: trimNamespace }),
    ];
    // MetalLB's component name, which people's alerts and dashboards select.
    this.#events = new EventRecorder({ ...options, component: 'metallb-controller' });
    this.#poolStatus = new PoolStatus({
      ...options,
      pools: this.#configuration.pools,
      allocator: this.#allocator,
      signal,
    });
    this.#reservationStatus = new ReservationStatus({
      ...options,
      reservations: this.#configuration.reservations,
      allocator: this.#allocator,
      signal,
    });
    this.#report = new ConfigurationReport({
      ...options,
      configuration: this.#configuration,
      component: 'controller',
      podName: options.podName ?? '',
      events: this.#events,
      signal,
    });
    this.#reconciler = new ServiceReconciler({
      ...options,
      services: this.#services,
      namespaces: this.#namespaces,
      allocator: this.#allocator,
      config: () => this.#configuration.current(),
      events: this.#events,
      onRoom: (waiting) => this.#addAll(waiting),
      onPoolUse: (pool) => {
        this.#poolStatus.look(pool);
        this.#reservationStatus.look();
      },
      onNextRelease: (at) => this.#awaitRelease(at),
      signal,
    });
    this.#dnsTargets = new DnsTargets({
      ...options,
      services: this.#services,
      serves: ({ spec }) => {
        return this.#configuration.current().serves(spec?.loadBalancerClass ?? '', options.loadBalancerClass);
      },
      events: this.#events,
      timing: options.dnsTiming,
      signal,
    });
    this.#queue = new WorkQueue({ ...options, name: 'service', reconcile: (key) => this.#reconciler.reconcile(key) });
  }

  /**
   * Resolves when everything has been read, a configuration is in force, and every Service has been looked at once.
   * Rejects when stopped before that.
   */
  async start(): Promise<void> {
    this.#report.start();
    this.#configuration.start();
    for (const reflector of this.#reflectors) reflector.start();
    await Promise.all([this.#configuration.inForce, ...this.#reflectors.map((reflector) => reflector.synced)]);
    const { pools, reservations } = this.#configuration;
    this.#usePools(this.#configuration.current());
    this.#useNodeAddresses();
    this.#reconciler.adoptAll(sincesOf(pools.list()));
    this.#useReservations(this.#configuration.current(), foundFor(reservations.list()));
    this.#configuration.onChange((config) => {
      this.#usePools(config);
      this.#reconciler.adoptOrphans();
      this.#useReservations(config);
      this.#addAll(this.#services.keys());
      this.#dnsTargets.lookAtAll();
    });
    this.#services.onChange((key) => this.#queue.add(key));
    this.#namespaces.onChange((name, now, before) => {
      if (labelsText(now) !== labelsText(before)) this.#addNamespace(name);
    });
    this.#addAll(this.#services.keys());
    await this.#queue.idle();
    this.#dnsTargets.start();
    this.#started = true;
  }

  /** Why the controller is not at work yet; empty when it is. */
  unready(): readonly string[] {
    if (this.#started) return [];
    const problems = this.#configuration.errors().map(formatProblem);
    return problems.length > 0 ? problems : ['the Services and the configuration have not been read yet'];
  }

  /** Whether it is at work, or about to be. */
  get isServing(): boolean {
    return !this.#isStopped;
  }

  /** What the pools in force have; nothing while the controller is not at work. */
  poolUse(): readonly PoolUse[] {
    if (!this.#started || this.#isStopped) return [];
    return poolUse(this.#configuration.current().pools, this.#services.keys(), this.#allocator);
  }

  clientState(): ClientState {
    const { reconciles, failures } = this.#queue.counters();
    const loaded = this.#configuration.isInForce;
    const stale = loaded && this.#configuration.verdict() === 'Invalid';
    return { reconciles, failures, configuration: this.#isStopped ? undefined : { loaded, stale } };
  }

  /** Addresses stay with their Services: the next controller takes them over from their status. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#awaitRelease(undefined);
    const queues = [this.#queue.stop(), this.#poolStatus.stop(), this.#reservationStatus.stop(), this.#report.stop()];
    queues.push(this.#dnsTargets.stop());
    // Whoever leads next must not find a write of ours under way; but an API server that is away shall not hold us up.
    const limit = this.#clock.after(lastWrites, () => this.#stopping.abort());
    await Promise.all(queues);
    limit.cancel();
    this.#stopping.abort();
    await Promise.all([this.#configuration.stop(), ...this.#reflectors.map((reflector) => reflector.stop())]);
    await this.#events.stop();
  }

  /** Services that lose their addresses by it are told when they are reconciled, which the caller sees to. */
  #usePools(config: Config): void {
    this.#allocator.setPools(config.pools, this.#clock.wallTime());
    for (const pool of config.pools) this.#poolStatus.look(pool.name);
  }

  #useReservations(config: Config, known?: ReadonlyMap<string, readonly Address[]>): void {
    this.#allocator.setReservations(config.reservations, this.#clock.wallTime(), known);
    this.#reservationStatus.look();
    this.#reconciler.lookForRoom();
  }

  #useNodeAddresses(): void {
    this.#allocator.setNodeAddresses(this.#nodeAddresses.current(), this.#clock.wallTime());
    this.#reconciler.lookForRoom();
  }

  /** An address that is kept for its last Service is free for others at that time. */
  #awaitRelease(at: number | undefined): void {
    if (at === this.#nextRelease?.at) return;
    this.#nextRelease?.timer.cancel();
    this.#nextRelease = undefined;
    if (at === undefined || this.#stopping.signal.aborted) return;
    const timer = this.#clock.after(Math.min(longestWait, Math.max(0, at - this.#clock.wallTime())), () => {
      this.#nextRelease = undefined;
      this.#reconciler.lookForRoom();
    });
    this.#nextRelease = { at, timer };
  }

  #addNamespace(namespace: string): void {
    this.#addAll(this.#services.keys().filter((key) => key.startsWith(`${namespace}/`)));
  }

  #addAll(keys: Iterable<string>): void {
    for (const key of keys) this.#queue.add(key);
  }
}

function labelsText(namespace: Namespace | undefined): string {
  return namespace === undefined ? '' : JSON.stringify(namespace.metadata.labels ?? {});
}
