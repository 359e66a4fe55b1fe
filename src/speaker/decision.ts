import { readAnnotation, serviceAnnotations } from '../api/service-annotations.ts';
import type { Config } from '../config/config.ts';
import { advertisementsFor, announcedInterfaces } from '../election/advertisement.ts';
import { type EndpointSliceShape, servingEndpoints } from '../election/endpoints.ts';
import { type Election, type ElectionCluster, elect, type Hash, reasonOn } from '../election/metallb.ts';
import type { WithdrawReason } from '../election/withdraw-reason.ts';
import { type Address, parseAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';

/** The world as this speaker sees it. */
export type View = {
  readonly node: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly config: Config;
  readonly cluster: ElectionCluster;
  readonly loadBalancerClass: string;
  readonly hash: Hash;
};

export type Decision =
  | {
      readonly announce: readonly Address[];
      readonly interfaces: readonly string[] | 'all';
      readonly pool: string;
      readonly election: Election;
    }
  /** `owner` is the node that announces instead, when there is one. */
  | { readonly withdraw: WithdrawReason; readonly owner?: string };

/** Whether this node announces the Service, on what, and if not, why not. Pure: the same view, the same decision. */
export function decide(service: Service | undefined, slices: readonly EndpointSliceShape[], view: View): Decision {
  if (service === undefined) return { withdraw: 'serviceDeleted' };
  const { type, loadBalancerClass = '', externalTrafficPolicy = 'Cluster' } = service.spec ?? {};
  if (type !== 'LoadBalancer' || loadBalancerClass !== view.loadBalancerClass) return { withdraw: 'notLoadBalancer' };
  const addresses = announcedAddresses(service);
  if (addresses === 'invalid') return { withdraw: 'invalidIP' };
  const [first] = addresses;
  if (first === undefined) return { withdraw: 'noIPAllocated' };
  const pools = view.config.poolsOf(addresses) ?? [];
  const maySpread = service.metadata.annotations?.[serviceAnnotations.addressPools] !== undefined;
  // Of several pools the one of the first address decides, as the first address does.
  const [pool, ...others] = pools;
  if (pool === undefined || (others.length > 0 && !maySpread)) return { withdraw: 'ipNotAllowed' };
  const labels = service.metadata.labels ?? {};
  const election = elect(
    {
      address: first,
      labels,
      trafficPolicy: externalTrafficPolicy,
      sharesAddress: sharesAddress(service),
      endpoints: servingEndpoints(slices),
      advertisements: pool.l2Advertisements,
    },
    view.cluster,
    view.hash,
  );
  if (election.owner !== view.node.name) {
    const reason = reasonOn(view.node.name, election);
    const withdraw = reason === 'elected' ? 'notOwner' : reason;
    return election.owner === undefined ? { withdraw } : { withdraw, owner: election.owner };
  }
  const advertisements = pools.flatMap((one) => advertisementsFor(labels, one.l2Advertisements));
  const interfaces = announcedInterfaces(advertisements, view.node.labels);
  return { announce: addresses, interfaces, pool: pool.name, election };
}

/** What the status of a Service gives as its addresses; texts of any kind. */
export function statusAddresses(service: Service | undefined): readonly string[] {
  return (service?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}

/** In the order of the status, because the first one decides the election on every node. */
function announcedAddresses(service: Service): readonly Address[] | 'invalid' {
  const addresses = statusAddresses(service).map(parseAddress);
  return addresses.every((address) => address !== undefined) ? addresses : 'invalid';
}

function sharesAddress(service: Service): boolean {
  return readAnnotation(service.metadata.annotations ?? {}, serviceAnnotations.allowSharedIP) !== undefined;
}
