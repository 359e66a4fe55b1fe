import type { Config } from '../config/config.ts';
import { advertisementsFor, announcedInterfaces } from '../election/advertisement.ts';
import { type EndpointSliceShape, servingEndpoints } from '../election/endpoints.ts';
import { type Election, type ElectionCluster, elect, type Hash, reasonOn } from '../election/metallb.ts';
import type { StrategyName } from '../election/strategy.ts';
import type { WithdrawReason } from '../election/withdraw-reason.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import { keyOf, type ObjectKey } from '../kubernetes/resource.ts';
import { type Announceable, announceable, sharesAddress } from './announceable.ts';
import { wishesOf } from './wishes.ts';

/** The world as this speaker sees it. */
export type View = {
  readonly node: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly config: Config;
  readonly cluster: ElectionCluster;
  readonly loadBalancerClass: string;
  readonly hash: Hash;
  /** The one in force. */
  readonly strategy: StrategyName;
  /**
   * The elections of those addresses of a Service that are elected each by itself (./balanced-owners.ts): with
   * `balanced` all, with `metallb` those of ./spread-addresses.ts. All others of a Service have one election, which is
   * decided here. Undefined where there are only such: with MetalLB's speakers in the ring, or without a ring.
   */
  readonly electionsOf?: (service: ObjectKey) => Elections;
};

/** By the text of the address. */
export type Elections = ReadonlyMap<string, Election>;

/** `elections` has all addresses of the Service; those that nobody can have may be missing. */
export type Decision =
  | {
      /** Where addresses are elected each by itself, some of the Service's: those that this node owns. */
      readonly announce: readonly Address[];
      readonly interfaces: readonly string[] | 'all';
      readonly pool: string;
      readonly elections: Elections;
    }
  /** `owner` is the node that announces instead, when there is one; where there are several, that of the first address. */
  | { readonly withdraw: WithdrawReason; readonly owner?: string; readonly elections?: Elections };

/** Whether this node announces the Service, on what, and if not, why not. Pure: the same view, the same decision. */
export function decide(service: Service | undefined, slices: readonly EndpointSliceShape[], view: View): Decision {
  if (service === undefined) return { withdraw: 'serviceDeleted' };
  const found = announceable(service, view.config, view.loadBalancerClass);
  if ('withdraw' in found) return found;
  const each = view.electionsOf?.(keyOf(service));
  if (each === undefined || (view.strategy === 'metallb' && each.size === 0)) {
    return decideTogether(service, found, slices, view);
  }
  const wishes = wishesOf(service, slices, view.config, view.loadBalancerClass);
  if ('withdraw' in wishes) return wishes;
  if (view.strategy === 'balanced') return decideEach(service, found, each, view);
  return decideEach(service, found, withTheOthers(each, service, found, slices, view), view);
}

/** With `metallb`, those that are not elected each by itself have their one election. */
function withTheOthers(
  each: Elections,
  service: Service,
  found: Announceable,
  slices: readonly EndpointSliceShape[],
  view: View,
): Elections {
  const texts = found.addresses.map(formatAddress);
  if (texts.every((text) => each.has(text))) return each;
  const one = electTogether(service, found, slices, view);
  return new Map(texts.map((text) => [text, each.get(text) ?? one]));
}

/** By MetalLB's rule: the first address decides for all. */
function electTogether(
  service: Service,
  // Of several pools the one of the first address decides, as the first address does.
  { addresses: [address], pools: [pool] }: Announceable,
  slices: readonly EndpointSliceShape[],
  { cluster, hash }: View,
): Election {
  return elect(
    {
      address,
      labels: service.metadata.labels ?? {},
      trafficPolicy: service.spec?.externalTrafficPolicy ?? 'Cluster',
      sharesAddress: sharesAddress(service),
      endpoints: servingEndpoints(slices),
      advertisements: pool.l2Advertisements,
    },
    cluster,
    hash,
  );
}

/** Who is elected has all addresses. */
function decideTogether(
  service: Service,
  found: Announceable,
  slices: readonly EndpointSliceShape[],
  view: View,
): Decision {
  const { addresses, pools } = found;
  const [pool] = pools;
  const labels = service.metadata.labels ?? {};
  const election = electTogether(service, found, slices, view);
  const elections = new Map(addresses.map((each) => [formatAddress(each), election]));
  if (election.owner !== view.node.name) return withdrawn(election, elections, view);
  const advertisements = pools.flatMap((one) => advertisementsFor(labels, one.l2Advertisements));
  const interfaces = announcedInterfaces(advertisements, view.node.labels);
  return { announce: addresses, interfaces, pool: pool.name, elections };
}

/** Each address by itself. They are announced on the interfaces of all their pools, as those of `metallb` are. */
function decideEach(service: Service, { addresses }: Announceable, elections: Elections, view: View): Decision {
  const own = addresses.filter((address) => elections.get(formatAddress(address))?.owner === view.node.name);
  const [pool, ...others] = view.config.poolsOf(own) ?? [];
  if (pool === undefined) {
    const all = addresses.flatMap((address) => elections.get(formatAddress(address)) ?? []);
    const telling = all.find(({ owner }) => owner !== undefined) ?? all[0];
    return telling === undefined ? { withdraw: 'notOwner', elections } : withdrawn(telling, elections, view);
  }
  const labels = service.metadata.labels ?? {};
  const advertisements = [pool, ...others].flatMap((one) => advertisementsFor(labels, one.l2Advertisements));
  const interfaces = announcedInterfaces(advertisements, view.node.labels);
  return { announce: own, interfaces, pool: pool.name, elections };
}

function withdrawn(election: Election, elections: Elections, { node }: View): Decision {
  const reason = reasonOn(node.name, election);
  const withdraw = reason === 'elected' ? 'notOwner' : reason;
  const { owner } = election;
  return owner === undefined ? { withdraw, elections } : { withdraw, owner, elections };
}
