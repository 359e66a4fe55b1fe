import type { Metrics } from './metrics.ts';

/** MetalLB's metrics by its names and labels, so that dashboards and alerts go on working. */

export type FamilyUse = { readonly total: bigint | number; readonly inUse: bigint | number };

export type PoolUse = {
  readonly pool: string;
  readonly ipv4: FamilyUse;
  readonly ipv6: FamilyUse;
  /** Services that have an address of the pool. */
  readonly services: number;
};

/** Controller: what the pools have and what of it is given out. */
export function registerAllocatorMetrics(metrics: Metrics, pools: () => Iterable<PoolUse>): void {
  const gauge = (name: string, help: string, value: (use: PoolUse) => number) =>
    metrics.register('gauge', { name: `metallb_allocator_${name}`, help, labels: ['pool'] }, () =>
      Array.from(pools(), (use) => ({ labels: { pool: use.pool }, value: value(use) })),
    );
  const both = (key: keyof FamilyUse) => (use: PoolUse) => Number(use.ipv4[key]) + Number(use.ipv6[key]);
  gauge('addresses_total', 'Addresses of the pool that may be given out', both('total'));
  gauge('ipv4_addresses_total', 'IPv4 addresses of the pool that may be given out', ({ ipv4 }) => Number(ipv4.total));
  gauge('ipv6_addresses_total', 'IPv6 addresses of the pool that may be given out', ({ ipv6 }) => Number(ipv6.total));
  gauge('addresses_in_use_total', 'Addresses of the pool that Services have', both('inUse'));
  gauge('ipv4_addresses_in_use_total', 'IPv4 addresses of the pool that Services have', ({ ipv4 }) =>
    Number(ipv4.inUse),
  );
  gauge('ipv6_addresses_in_use_total', 'IPv6 addresses of the pool that Services have', ({ ipv6 }) =>
    Number(ipv6.inUse),
  );
  gauge('services_allocated_total', 'Services that have an address of the pool', ({ services }) => services);
}

export type ClientState = {
  /** Objects looked at since the start, and how often that failed. */
  readonly reconciles: number;
  readonly failures: number;
  /**
   * Whether one is in force, and whether the resources have a fault, so that it is an older one. Undefined where nobody
   * reads the configuration: a standby.
   */
  readonly configuration: { readonly loaded: boolean; readonly stale: boolean } | undefined;
};

/** Controller and speaker: the work that the API server's objects make, and the state of the configuration. */
export function registerClientMetrics(metrics: Metrics, state: () => ClientState): void {
  const register = (
    type: 'counter' | 'gauge',
    name: string,
    help: string,
    value: (state: ClientState) => number | boolean | undefined,
  ) =>
    metrics.register(type, { name: `metallb_k8s_client_${name}`, help, labels: [] }, () => {
      const now = value(state());
      return now === undefined ? [] : [{ labels: {}, value: Number(now) }];
    });
  register('counter', 'updates_total', 'Kubernetes objects processed', ({ reconciles }) => reconciles);
  register('counter', 'update_errors_total', 'Kubernetes objects whose processing failed', ({ failures }) => failures);
  register(
    'gauge',
    'config_loaded_bool',
    '1 when a configuration is in force',
    ({ configuration }) => configuration?.loaded,
  );
  register(
    'gauge',
    'config_stale_bool',
    '1 when an older configuration is in force because the resources have a fault',
    ({ configuration }) => configuration?.stale,
  );
}

export type Layer2Use = {
  readonly ip: string;
  readonly requestsReceived: number;
  readonly responsesSent: number;
  readonly gratuitousSent: number;
};

/** Speaker: what was asked, answered and announced on the LAN, by address. */
export function registerLayer2Metrics(metrics: Metrics, addresses: () => Iterable<Layer2Use>): void {
  const counter = (name: string, help: string, value: (use: Layer2Use) => number) =>
    metrics.register('counter', { name: `metallb_layer2_${name}`, help, labels: ['ip'] }, () =>
      Array.from(addresses(), (use) => ({ labels: { ip: use.ip }, value: value(use) })),
    );
  const ofRequests = 'ARP requests and neighbour solicitations for the address';
  counter('requests_received', `${ofRequests} that this node is to answer`, ({ requestsReceived }) => requestsReceived);
  counter('responses_sent', `${ofRequests} that were answered`, ({ responsesSent }) => responsesSent);
  counter('gratuitous_sent', 'Frames that announced the address unasked', ({ gratuitousSent }) => gratuitousSent);
}

export type Announced = {
  /** `namespace/name`. */
  readonly service: string;
  readonly protocol: 'layer2' | 'bgp';
  readonly node: string;
  readonly ip: string;
};

/** Speaker: what this node announces. */
export function registerAnnouncedMetric(metrics: Metrics, announced: () => Iterable<Announced>): void {
  const labels = ['service', 'protocol', 'node', 'ip'] as const;
  const description = { name: 'metallb_speaker_announced', help: 'Addresses that this node announces', labels };
  metrics.register('gauge', description, () => Array.from(announced(), (one) => ({ labels: one, value: 1 })));
}
