import type { CommunityValue } from '../../api/community-value.ts';
import { isAllowed } from '../../bgp/adj-rib-out.ts';
import { internAttributes, mergeAttributes } from '../../bgp/attributes.ts';
import type { Route, RouteAttributes } from '../../bgp/route.ts';
import type { Config, Pool, PoolBGPAdvertisement } from '../../config/config.ts';
import { selects } from '../../election/advertisement.ts';
import { candidacyOf, type NodeFacts } from '../../election/candidacy.ts';
import { type EndpointSliceShape, servingEndpoints } from '../../election/endpoints.ts';
import type { WithdrawReason } from '../../election/withdraw-reason.ts';
import { type Address, type Family, formatAddress } from '../../ip/address.ts';
import { type Prefix, prefixAround } from '../../ip/prefix.ts';
import type { Service } from '../../kubernetes/core.ts';
import { announceable } from '../announceable.ts';
import type { Peering } from './peers.ts';

/** Peer → what it is told of a prefix. Shared by all prefixes that are told alike, so that `===` mostly compares them. */
export type Telling = ReadonlyMap<string, RouteAttributes>;

/** A prefix of a Service, and who is told of it. */
export type ToldRoute = { readonly prefix: Prefix; readonly telling: Telling };

/** Why a Service is not announced to routers from this node. The names are MetalLB's. */
export type BGPWithdrawReason =
  | WithdrawReason
  /** Two advertisements give one prefix two preferences. */
  | 'conflictingAdvertisements'
  | 'nodeNetworkUnavailable'
  | 'nodeLabeledExcludeBalancers'
  /** The traffic policy is Local, and nothing serves on this node. */
  | 'noLocalEndpoints'
  | 'noEndpoints';

export type RouteDecision =
  | {
      /** Each prefix once. */
      readonly routes: readonly ToldRoute[];
      /** Those that are told of any of it, by name: an intent, whether there are sessions or not. */
      readonly peers: readonly string[];
      /** What the allow-lists of peers keep back. */
      readonly refused: readonly { readonly peer: string; readonly prefix: Prefix }[];
    }
  | { readonly withdraw: BGPWithdrawReason };

export type RoutePolicyOptions = {
  readonly node: NodeFacts;
  readonly config: Config;
  /** Those of this node. */
  readonly peerings: readonly Peering[];
  readonly loadBalancerClass: string;
  readonly ignoreExcludeLabel: boolean;
};

/**
 * What this node tells its peers of each Service, and if nothing, why. Pure; one for a state of configuration, peers
 * and node, because all that Services have in common is worked out once.
 */
export class RoutePolicy {
  readonly #options: RoutePolicyOptions;
  /** Those of a pool that are about this node. */
  readonly #ofNode = new Map<Pool, readonly PoolBGPAdvertisement[]>();
  readonly #numbers = new Map<PoolBGPAdvertisement, number>();
  /** By the numbers of the advertisements that give a prefix, and the peers that may be told of it. */
  readonly #tellings = new Map<string, Telling>();

  constructor(options: RoutePolicyOptions) {
    this.#options = options;
  }

  decide(service: Service | undefined, slices: readonly EndpointSliceShape[]): RouteDecision {
    const { config, loadBalancerClass } = this.#options;
    const found = announceable(service, config, loadBalancerClass);
    if ('withdraw' in found) return found;
    if (service === undefined) return { withdraw: 'serviceDeleted' };
    const decisions = found.pools.map((pool) => {
      const addresses = found.addresses.filter((address) => config.poolOf(address) === pool);
      return this.#decidePool(service, pool, addresses, slices);
    });
    const announced = decisions.flatMap((one) => (typeof one === 'string' ? [] : one));
    // Of several pools, the one of the first address says why.
    const [why] = decisions;
    if (typeof why === 'string' && announced.length === 0) return { withdraw: why };
    return this.#routes(announced);
  }

  /** In the order in which MetalLB looks. */
  #decidePool(
    service: Service,
    pool: Pool,
    addresses: readonly Address[],
    slices: readonly EndpointSliceShape[],
  ): BGPWithdrawReason | readonly AdvertisedAddress[] {
    const ofNode = this.#advertisementsOf(pool);
    if (ofNode.length === 0) return 'notOwner';
    const { labels = {} } = service.metadata;
    const advertisements = ofNode.filter(({ serviceSelectors }) => selects(serviceSelectors, labels));
    if (advertisements.length === 0) return 'noMatchingAdvertisement';
    if (isConflicting(advertisements, new Set(addresses.map(({ family }) => family)))) {
      return 'conflictingAdvertisements';
    }
    return (
      this.#nodeReason() ??
      endpointReason(service, slices, this.#options.node) ??
      addresses.map((address) => ({ address, advertisements }))
    );
  }

  #advertisementsOf(pool: Pool): readonly PoolBGPAdvertisement[] {
    const known = this.#ofNode.get(pool);
    if (known !== undefined) return known;
    const { labels } = this.#options.node;
    const ofNode = pool.bgpAdvertisements.filter(({ nodeSelectors }) => selects(nodeSelectors, labels));
    this.#ofNode.set(pool, ofNode);
    return ofNode;
  }

  /** Of what an election by MetalLB's rule knows of a node, what MetalLB looks at before it announces to routers. */
  #nodeReason(): BGPWithdrawReason | undefined {
    const { node, ignoreExcludeLabel } = this.#options;
    const { reason } = candidacyOf(node, { election: 'metallb', oursAlone: false, ignoreExcludeLabel });
    return reason === 'nodeNetworkUnavailable' || reason === 'nodeLabeledExcludeBalancers' ? reason : undefined;
  }

  #routes(announced: readonly AdvertisedAddress[]): RouteDecision {
    const byPrefix = new Map<string, { readonly prefix: Prefix; readonly by: Set<PoolBGPAdvertisement> }>();
    for (const { address, advertisements } of announced) {
      for (const advertisement of advertisements) {
        const prefix = prefixAround(address, advertisement.aggregationLength[address.family]);
        const key = `${formatAddress(prefix)}/${prefix.length}`;
        const known = byPrefix.get(key);
        if (known === undefined) byPrefix.set(key, { prefix, by: new Set([advertisement]) });
        else known.by.add(advertisement);
      }
    }
    const refused: { peer: string; prefix: Prefix }[] = [];
    const routes = [...byPrefix.values()].flatMap(({ prefix, by }) => {
      const telling = this.#telling(prefix, [...by], (peer) => refused.push({ peer, prefix }));
      return telling.size === 0 ? [] : [{ prefix, telling }];
    });
    const peers = new Set(routes.flatMap(({ telling }) => [...telling.keys()]));
    return { routes, peers: [...peers].sort(), refused };
  }

  #telling(prefix: Prefix, by: readonly PoolBGPAdvertisement[], refuse: (peer: string) => void): Telling {
    const refusing = this.#options.peerings.filter(({ wish, allowedPrefixes }) => {
      if (allowedPrefixes === undefined || !wish.families.includes(prefix.family)) return false;
      return by.some((one) => names(one, wish.name)) && !isAllowed(prefix, allowedPrefixes);
    });
    for (const { wish } of refusing) refuse(wish.name);
    const numbers = by.map((one) => this.#numberOf(one)).sort((a, b) => a - b);
    const key = `${prefix.family} ${numbers} ${refusing.map(({ wish }) => wish.name)}`;
    const known = this.#tellings.get(key);
    if (known !== undefined) return known;
    const telling = new Map<string, RouteAttributes>();
    for (const peering of this.#options.peerings) {
      const { name, families } = peering.wish;
      const [first, ...others] = by.filter((one) => names(one, name));
      if (first === undefined || !families.includes(prefix.family) || refusing.includes(peering)) continue;
      telling.set(name, attributesOf([first, ...others]));
    }
    this.#tellings.set(key, telling);
    return telling;
  }

  #numberOf(advertisement: PoolBGPAdvertisement): number {
    const number = this.#numbers.get(advertisement) ?? this.#numbers.size;
    this.#numbers.set(advertisement, number);
    return number;
  }
}

/** What one peer is told of them. */
export function routesTo(peer: string, routes: Iterable<ToldRoute>): readonly Route[] {
  const told: Route[] = [];
  for (const { prefix, telling } of routes) {
    const attributes = telling.get(peer);
    if (attributes !== undefined) told.push({ prefix, attributes });
  }
  return told;
}

type AdvertisedAddress = { readonly address: Address; readonly advertisements: readonly PoolBGPAdvertisement[] };

function endpointReason(
  service: Service,
  slices: readonly EndpointSliceShape[],
  { name }: NodeFacts,
): BGPWithdrawReason | undefined {
  const { any, nodes } = servingEndpoints(slices);
  if (service.spec?.externalTrafficPolicy === 'Local') return nodes.has(name) ? undefined : 'noLocalEndpoints';
  return any ? undefined : 'noEndpoints';
}

/**
 * Whether two of them give one prefix two preferences: they have the same length in a family that is announced, and a
 * peer that both name, whether or not there is one of that name. One that says no local preference has one, as for
 * MetalLB; what only our annotations say, one may leave to the other.
 */
function isConflicting(advertisements: readonly PoolBGPAdvertisement[], families: ReadonlySet<Family>): boolean {
  return advertisements.some((a, index) =>
    advertisements.slice(0, index).some((b) => {
      const isSame = (x: number | undefined, y: number | undefined) => x === undefined || y === undefined || x === y;
      const agree = a.localPref === b.localPref && isSame(a.med, b.med) && isSame(a.prepend, b.prepend);
      const isOneLength = [...families].some((family) => a.aggregationLength[family] === b.aggregationLength[family]);
      return !agree && isOneLength && sharePeer(a, b);
    }),
  );
}

function sharePeer({ peers }: PoolBGPAdvertisement, other: PoolBGPAdvertisement): boolean {
  return peers === 'all' || other.peers === 'all' || peers.some((name) => names(other, name));
}

function names({ peers }: PoolBGPAdvertisement, peer: string): boolean {
  return peers === 'all' || peers.includes(peer);
}

/** They agree, unless they are of two pools that have addresses in one prefix. */
function attributesOf(advertisements: readonly [PoolBGPAdvertisement, ...PoolBGPAdvertisement[]]): RouteAttributes {
  const [first, ...others] = advertisements;
  const merged = mergeAttributes([ownAttributes(first), ...others.map(ownAttributes)]);
  // Who says nothing of it leaves it to the others.
  const given = advertisements.flatMap(({ prepend }) => prepend ?? []);
  return internAttributes({ ...merged, prepend: given.length === 0 ? 0 : Math.min(...given) });
}

function ownAttributes({ localPref, med, communities }: PoolBGPAdvertisement): RouteAttributes {
  return {
    localPref,
    med,
    communities: communities.filter(isClassic).map(([high, low]) => high * 0x1_0000 + low),
    largeCommunities: communities.filter((value) => !isClassic(value)),
    prepend: 0,
  };
}

function isClassic(value: CommunityValue): value is readonly [number, number] {
  return value.length === 2;
}
