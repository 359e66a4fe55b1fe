import type { ReservationDeclaration } from '../api/address-reservation.ts';
import type { BFDProfileDeclaration } from '../api/bfd-profile.ts';
import type { AdvertisementOptions } from '../api/bgp-annotations.ts';
import type { BGPPeerDeclaration } from '../api/bgp-peer.ts';
import type { CommunityValue } from '../api/community-value.ts';
import type { ServiceAllocation } from '../api/ip-address-pool.ts';
import type { PreferredNodes } from '../api/l2-advertisement.ts';
import type { LabelSelector } from '../api/label-selector.ts';
import { defaultLayer2Policy, type Layer2PolicyDeclaration } from '../api/layer2-policy.ts';
import type { PoolOptions } from '../api/pool-annotations.ts';
import type { Address } from '../ip/address.ts';
import type { Range } from '../ip/range.ts';
import { RangeMap } from '../ip/range-map.ts';

/**
 * Everything the resources of a cluster say, checked against each other. Immutable, and canonical: the same resources
 * give the same Config in whatever order they arrive. Of their lists, only a pool's ranges and the addresses of a
 * reservation have an order.
 *
 * It depends on those resources alone, and on the nodes that its BGP part was compiled for. Selectors of nodes,
 * namespaces and Services stay selectors, and are held against labels where the labels are at hand (allocator,
 * election): so a node that joins, leaves or changes a label makes no new Config for anybody else.
 *
 * Pools that are advertised alike share one list of advertisements, so that a thousand advertisements of a thousand
 * pools are not a million entries.
 */
export class Config {
  /** No pools: nothing can be assigned or announced. */
  static readonly empty = new Config({
    pools: [],
    peers: [],
    bfdProfiles: [],
    reservations: [],
    classes: [],
    layer2: defaultLayer2Policy,
  });

  /** By name. */
  readonly pools: readonly Pool[];
  /** Those that the nodes speak BGP to, by name. */
  readonly peers: readonly Peer[];
  /** By name. */
  readonly bfdProfiles: readonly BFDProfile[];
  /** By name. */
  readonly reservations: readonly Reservation[];
  /** By name. */
  readonly classes: readonly LoadBalancerClass[];
  readonly layer2: Layer2Policy;
  readonly #byName: ReadonlyMap<string, Pool>;
  readonly #byAddress: RangeMap<Pool>;
  readonly #classNames: ReadonlySet<string>;
  /** Made when first compared. */
  #text: string | undefined;

  /** For `compile`, which has checked that names are unique and ranges do not overlap. */
  constructor(parts: Pick<Config, 'pools' | 'peers' | 'bfdProfiles' | 'reservations' | 'classes' | 'layer2'>) {
    this.pools = parts.pools;
    this.peers = parts.peers;
    this.bfdProfiles = parts.bfdProfiles;
    this.reservations = parts.reservations;
    this.classes = parts.classes;
    this.layer2 = parts.layer2;
    this.#byName = new Map(parts.pools.map((pool) => [pool.name, pool]));
    this.#classNames = new Set(parts.classes.map(({ name }) => name));
    this.#byAddress = new RangeMap(
      parts.pools.flatMap((pool) => pool.addresses.map((range) => ({ range, value: pool }))),
    );
  }

  pool(name: string): Pool | undefined {
    return this.#byName.get(name);
  }

  poolOf(address: Address): Pool | undefined {
    return this.#byAddress.get(address);
  }

  /** The pools that own the addresses, each once, in the order of these; undefined when one is owned by none. */
  poolsOf(addresses: readonly Address[]): readonly Pool[] | undefined {
    const owners = addresses.map((address) => this.#byAddress.get(address));
    return owners.every((owner) => owner !== undefined) ? [...new Set(owners)] : undefined;
  }

  /**
   * Whether a Service whose `spec.loadBalancerClass` is `asked` (empty: none) is ours, who are to serve `served`: the same
   * or, of whatever name, a class that there is.
   */
  serves(asked: string, served: string): boolean {
    return asked === served || this.#classNames.has(asked);
  }

  equals(other: Config): boolean {
    return this === other || this.#canonicalText() === other.#canonicalText();
  }

  #canonicalText(): string {
    this.#text ??= textOf(this);
    return this.#text;
  }
}

export type Pool = PoolOptions & {
  readonly name: string;
  /** In the order in which they are used, the one of `spec.addresses`. No overlaps here or with other pools. */
  readonly addresses: readonly Range[];
  /** Whether Services that ask for nothing may be given addresses of this pool. */
  readonly autoAssign: boolean;
  /** Whether IPv4 addresses ending in .0 and .255 are kept back, which some old routers drop. */
  readonly avoidBuggyIPs: boolean;
  readonly serviceAllocation: ServiceAllocation | undefined;
  /** Set where only Services that are bound to the class of this name are given addresses of the pool. */
  readonly ofClass?: true;
  /** By name. */
  readonly l2Advertisements: readonly PoolL2Advertisement[];
  /** By name. */
  readonly bgpAdvertisements: readonly PoolBGPAdvertisement[];
};

/** How the addresses of a pool are announced on the LAN. All advertisements of a pool add up. */
export type PoolL2Advertisement = {
  readonly name: string;
  readonly nodeSelectors: readonly LabelSelector[];
  readonly preferredNodeSelectors: readonly PreferredNodes[];
  readonly interfaces: readonly string[] | 'all';
  readonly serviceSelectors: readonly LabelSelector[];
};

/** How the addresses of a pool are announced to routers. All advertisements of a pool add up. */
export type PoolBGPAdvertisement = AdvertisementOptions & {
  readonly name: string;
  /** What is announced of an address: the prefix of this length around it. */
  readonly aggregationLength: { readonly 4: number; readonly 6: number };
  /** Undefined: the speaker's own. */
  readonly localPref: number | undefined;
  /** Ascending, each once; aliases are resolved. */
  readonly communities: readonly CommunityValue[];
  readonly nodeSelectors: readonly LabelSelector[];
  /** By name; a peer of that name need not exist. */
  readonly peers: readonly string[] | 'all';
  readonly serviceSelectors: readonly LabelSelector[];
};

/** A router. Times are in milliseconds. */
export type Peer = Omit<BGPPeerDeclaration, 'object' | 'fields' | 'disableMP' | 'bfdProfile'> & {
  readonly bfdProfile: BFDProfile | undefined;
};

export type BFDProfile = Omit<BFDProfileDeclaration, 'object'>;

/** Addresses that only one Service may have, whether it exists or not. */
export type Reservation = ReservationDeclaration;

/** A load balancer class of Deckhouse, which Services may name; its pool has the same name. */
export type LoadBalancerClass = { readonly name: string; readonly isDefault: boolean };

/** What all speakers agree on about announcing on the LAN. */
export type Layer2Policy = Omit<Layer2PolicyDeclaration, 'object' | 'name'>;

/** The same for equal Configs alone. Each list of advertisements is written once, where it first appears. */
function textOf({ pools, peers, bfdProfiles, reservations, classes, layer2 }: Config): string {
  const lists = new Map<readonly unknown[], number>();
  const numbered = (list: readonly unknown[]): unknown => {
    const known = lists.get(list);
    if (known !== undefined) return known;
    lists.set(list, lists.size);
    return list;
  };
  const written = pools.map((pool) => ({
    ...pool,
    l2Advertisements: numbered(pool.l2Advertisements),
    bgpAdvertisements: numbered(pool.bgpAdvertisements),
  }));
  return JSON.stringify([written, peers, bfdProfiles, reservations, classes, layer2], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}
