import type { Config } from '../config/config.ts';
import { advertisementsFor, announcedInterfaces } from '../election/advertisement.ts';
import { type EndpointSliceShape, servingEndpoints } from '../election/endpoints.ts';
import { type Election, type ElectionCluster, elect, type Hash, reasonOn } from '../election/metallb.ts';
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
  /**
   * With `balanced`, the elections of the addresses of a Service, by their texts (./balanced-owners.ts). Undefined with
   * `metallb`, where there is one for each Service, decided here.
   */
  readonly electionsOf?: (service: ObjectKey) => Elections;
};

/** By the text of the address. */
export type Elections = ReadonlyMap<string, Election>;

/** `elections` has all addresses of the Service; those that nobody can have may be missing. */
export type Decision =
  | {
      /** With `balanced`, some of the Service's addresses: those that this node owns. */
      readonly announce: readonly Address[];
      readonly interfaces: readonly string[] | 'all';
      readonly pool: string;
      readonly elections: Elections;
    }
  /** `owner` is the node that announces instead, when there is one; with `balanced`, the one of the first address. */
  | { readonly withdraw: WithdrawReason; readonly owner?: string; readonly elections?: Elections };

/** Whether this node announces the Service, on what, and if not, why not. Pure: the same view, the same decision. */
export function decide(service: Service | undefined, slices: readonly EndpointSliceShape[], view: View): Decision {
  if (service === undefined) return { withdraw: 'serviceDeleted' };
  const found = announceable(service, view.config, view.loadBalancerClass);
  if ('withdraw' in found) return found;
  const { electionsOf } = view;
  if (electionsOf === undefined) return decideTogether(service, found, slices, view);
  const wishes = wishesOf(service, slices, view.config, view.loadBalancerClass);
  if ('withdraw' in wishes) return wishes;
  return decideEach(service, found, electionsOf(keyOf(service)), view);
}

/** By MetalLB's rule: who is elected for the first address has them all. */
function decideTogether(
  service: Service,
  { addresses, pools }: Announceable,
  slices: readonly EndpointSliceShape[],
  view: View,
): Decision {
  const [address] = addresses;
  // Of several pools the one of the first address decides, as the first address does.
  const [pool] = pools;
  const labels = service.metadata.labels ?? {};
  const election = elect(
    {
      address,
      labels,
      trafficPolicy: service.spec?.externalTrafficPolicy ?? 'Cluster',
      sharesAddress: sharesAddress(service),
      endpoints: servingEndpoints(slices),
      advertisements: pool.l2Advertisements,
    },
    view.cluster,
    view.hash,
  );
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
