import type { Route } from '../../bgp/route.ts';
import { formatPrefix } from '../../ip/prefix.ts';
import type { Service } from '../../kubernetes/core.ts';
import type { EventRecorder } from '../../kubernetes/events.ts';
import type { ObjectKey } from '../../kubernetes/resource.ts';
import type { Store } from '../../kubernetes/store.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Announced } from '../../telemetry/metallb-metrics.ts';
import { statusAddresses } from '../announceable.ts';
import type { SliceStore } from '../service-reconciler.ts';
import { type PeerChanges, RouteTable } from './route-table.ts';
import type { RouteDecision, RoutePolicy } from './routes.ts';

export type ServiceRoutesOptions = {
  readonly nodeName: string;
  readonly services: Pick<Store<Service>, 'get'>;
  readonly slices: Pick<SliceStore, 'by'>;
  /** Of these peers these routes have changed, because of the Service. */
  readonly onChange: (service: ObjectKey, changes: ReadonlyMap<string, PeerChanges>) => void;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly log: Logger;
};

/** Why no Service is announced to anybody, whatever a policy says. */
export type NobodyReason = 'noPeers' | 'nodeDraining';

/** The routes of all Services, as the policy has them. Says once, when it changes, what is announced of a Service. */
export class ServiceRoutes {
  readonly #options: ServiceRoutesOptions;
  readonly #table = new RouteTable();
  /** Of the Services that are told to somebody. */
  readonly #announced = new Map<ObjectKey, { readonly peers: readonly string[]; readonly ips: readonly string[] }>();
  readonly #told = new Map<ObjectKey, string>();
  /** What is kept back of a Service, as told. */
  readonly #refused = new Map<ObjectKey, ReadonlySet<string>>();
  #policy: RoutePolicy | NobodyReason = 'noPeers';

  constructor(options: ServiceRoutesOptions) {
    this.#options = options;
  }

  /** From here on; Services have to be reconciled for it, those at least that `concerns` it. */
  setPolicy(policy: RoutePolicy | NobodyReason): void {
    this.#policy = policy;
  }

  /** Whether it makes a difference to reconcile the Service: when nobody is to be told, it is for what was told before. */
  concerns(key: ObjectKey): boolean {
    return typeof this.#policy !== 'string' || this.#told.has(key);
  }

  reconcile(key: ObjectKey): void {
    const { services, slices, onChange } = this.#options;
    const service = services.get(key);
    const policy = this.#policy;
    const decision =
      typeof policy === 'string' ? { withdraw: policy } : policy.decide(service, slices.by('service', key));
    const [routes, peers] = 'withdraw' in decision ? [[], []] : [decision.routes, decision.peers];
    const before = this.#announced.get(key);
    if (peers.length === 0) this.#announced.delete(key);
    else this.#announced.set(key, { peers, ips: statusAddresses(service) });
    const changes = this.#table.set(key, routes);
    if (changes.size > 0 || before?.peers.join() !== this.#announced.get(key)?.peers.join()) onChange(key, changes);
    this.#tell(key, service, decision, before !== undefined);
  }

  /** All that one peer is to be told. */
  to(peer: string): Iterable<Route> {
    return this.#table.routesTo(peer);
  }

  /** Sorted; undefined when nobody is told of the Service. */
  peersOf(service: ObjectKey): readonly string[] | undefined {
    return this.#announced.get(service)?.peers;
  }

  *announced(node: string): Generator<Announced> {
    for (const [service, { ips }] of this.#announced) {
      for (const ip of ips) yield { service, protocol: 'bgp', node, ip };
    }
  }

  #tell(key: ObjectKey, service: Service | undefined, decision: Decision, wasAnnounced: boolean): void {
    const text = textOf(decision);
    const before = this.#told.get(key);
    if (service === undefined || typeof this.#policy === 'string') this.#told.delete(key);
    else this.#told.set(key, text);
    if (before === text || (service === undefined && before === undefined)) return;
    const { nodeName, events, log } = this.#options;
    this.#tellRefusals(key, service, 'withdraw' in decision ? [] : decision.refused);
    if ('withdraw' in decision) {
      const fields = { service: key, reason: decision.withdraw, protocol: 'bgp' };
      if (wasAnnounced) log.info('serviceWithdrawn', fields);
      else log.debug('serviceNotAnnounced', fields);
      return;
    }
    const { routes, peers } = decision;
    if (peers.length === 0) return;
    const prefixes = routes.map(({ prefix }) => formatPrefix(prefix));
    log.info('serviceAnnounced', { service: key, prefixes, peers, protocol: 'bgp' });
    if (service === undefined || wasAnnounced) return;
    // MetalLB's words.
    const message = `announcing from node "${nodeName}" with protocol "bgp"`;
    events.record(service, { type: 'Normal', reason: 'nodeAssigned', message });
  }

  #tellRefusals(key: ObjectKey, service: Service | undefined, refused: Refused): void {
    const { events, log } = this.#options;
    const before = this.#refused.get(key);
    const now = new Map(refused.map(({ peer, prefix }) => [`${peer} ${formatPrefix(prefix)}`, { peer, prefix }]));
    if (now.size === 0) this.#refused.delete(key);
    else this.#refused.set(key, new Set(now.keys()));
    for (const [text, { peer, prefix: refusedPrefix }] of now) {
      if (before?.has(text)) continue;
      const prefix = formatPrefix(refusedPrefix);
      const message = `${prefix} is not announced to BGPPeer ${peer}, whose garpoon.io/allowed-prefixes leave it out`;
      log.warn('routeRefused', { service: key, peer, prefix });
      if (service !== undefined) events.record(service, { type: 'Warning', reason: 'routeRefused', message });
    }
  }
}

type Refused = Extract<RouteDecision, { readonly refused: unknown }>['refused'];
type Decision = RouteDecision | { readonly withdraw: NobodyReason };

function textOf(decision: Decision): string {
  if ('withdraw' in decision) return decision.withdraw;
  const { routes, peers, refused } = decision;
  const refusals = refused.map(({ peer, prefix }) => `${peer} ${formatPrefix(prefix)}`);
  return `${routes.map(({ prefix }) => formatPrefix(prefix)).join()} to ${peers.join()} not ${refusals.join()}`;
}
