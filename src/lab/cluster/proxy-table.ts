import { type Address, compareAddresses, type Family, parseAddress } from '../../ip/address.ts';
import type { Endpoint, Service, ServicePort } from '../../kubernetes/core.ts';
import { keyOf } from '../../kubernetes/resource.ts';
import { type PortedSlice, serviceNameLabel } from './workload-objects.ts';

/** One place that a connection may be sent to. */
export type Backend = { readonly address: Address; readonly port: number };

/** What one node does with connections to one port of one Service, in one family. */
export type ProxyEntry = {
  /** `default/web`, or `default/web:http` when the port has a name. */
  readonly name: string;
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  /** Reached from inside the cluster. */
  readonly clusterAddresses: readonly Address[];
  /** Reached from outside: the load balancer's addresses. */
  readonly externalAddresses: readonly Address[];
  readonly nodePort: number | undefined;
  /** Everywhere in the cluster. Empty: connections are refused. */
  readonly backends: readonly Backend[];
  /**
   * For connections from outside under `externalTrafficPolicy: Local`: those on this node, reached with the client's
   * address kept. Empty: dropped, because the load balancer should not have sent them here. Undefined under `Cluster`.
   */
  readonly localBackends: readonly Backend[] | undefined;
};

/** Pure: what the Services and EndpointSlices mean on one node. In a fixed order, whatever the order of the input. */
export function proxyTable(
  services: readonly Service[],
  slices: readonly PortedSlice[],
  nodeName: string,
): readonly ProxyEntry[] {
  const slicesOf = Map.groupBy(
    slices,
    (slice) => `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel]}`,
  );
  return [...services]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .flatMap((service) => entriesOf(service, slicesOf.get(keyOf(service)) ?? [], nodeName));
}

function entriesOf(service: Service, slices: readonly PortedSlice[], nodeName: string): ProxyEntry[] {
  const spec = service.spec;
  if (spec === undefined || spec.type === 'ExternalName') return [];
  const cluster = addresses(spec.clusterIPs ?? [spec.clusterIP ?? '']);
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  // With ipMode Proxy the load balancer ends the connection itself: a packet to its address is not ours.
  const external = addresses(ingress.map((one) => (one.ipMode === 'Proxy' ? '' : (one.ip ?? ''))));
  const families = ([4, 6] as const).filter((family) => cluster.some((address) => address.family === family));
  return families.flatMap((family) =>
    (spec.ports ?? []).map((port): ProxyEntry => {
      const backends = backendsOf(slices, family, port);
      const local = spec.externalTrafficPolicy === 'Local';
      return {
        name: port.name === undefined || port.name === '' ? keyOf(service) : `${keyOf(service)}:${port.name}`,
        family,
        protocol: protocolOf(port),
        port: port.port,
        clusterAddresses: cluster.filter((address) => address.family === family),
        externalAddresses: external.filter((address) => address.family === family),
        nodePort: port.nodePort,
        backends,
        localBackends: local ? backendsOf(slices, family, port, nodeName) : undefined,
      };
    }),
  );
}

/** The ready endpoints; when there is none, those that still serve while they terminate. */
function backendsOf(
  slices: readonly PortedSlice[],
  family: Family,
  port: ServicePort,
  onlyNode?: string,
): readonly Backend[] {
  const found = slices.flatMap((slice) => {
    const target = slice.ports?.find(
      (one) => (one.name ?? '') === (port.name ?? '') && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )?.port;
    if (target === undefined) return [];
    return (slice.endpoints ?? [])
      .filter((endpoint) => onlyNode === undefined || endpoint.nodeName === onlyNode)
      .flatMap((endpoint) =>
        addresses(endpoint.addresses)
          .filter((address) => address.family === family)
          .map((address) => ({ address, port: target, endpoint })),
      );
  });
  const usable = found.some(({ endpoint }) => isReady(endpoint)) ? isReady : isLastResort;
  return found
    .filter(({ endpoint }) => usable(endpoint))
    .map(({ address, port }) => ({ address, port }))
    .sort((a, b) => compareAddresses(a.address, b.address));
}

/** Absent means ready: discovery.k8s.io/v1. */
function isReady({ conditions }: Endpoint): boolean {
  return conditions?.ready !== false;
}

function isLastResort({ conditions }: Endpoint): boolean {
  return conditions?.serving === true && conditions.terminating === true;
}

/** Those that are addresses: `None`, host names and absent ones are not. */
function addresses(texts: readonly string[]): readonly Address[] {
  return texts.flatMap((text) => parseAddress(text) ?? []);
}

function protocolOf(port: ServicePort): ProxyEntry['protocol'] {
  switch (port.protocol) {
    case 'UDP':
      return 'udp';
    case 'SCTP':
      return 'sctp';
    case 'TCP':
    case undefined:
      return 'tcp';
    default:
      return port.protocol satisfies never;
  }
}
