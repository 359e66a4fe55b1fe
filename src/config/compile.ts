import { parseAddressReservation } from '../api/address-reservation.ts';
import { parseBFDProfile } from '../api/bfd-profile.ts';
import { type BGPAdvertisementDeclaration, parseBGPAdvertisement } from '../api/bgp-advertisement.ts';
import { type BGPPeerDeclaration, parseBGPPeer } from '../api/bgp-peer.ts';
import { type CommunityDeclaration, parseCommunityResource } from '../api/community.ts';
import { type CommunityValue, compareCommunities, formatCommunity } from '../api/community-value.ts';
import type { ApiProblem } from '../api/field.ts';
import { parseIPAddressPool } from '../api/ip-address-pool.ts';
import { type L2AdvertisementDeclaration, parseL2Advertisement } from '../api/l2-advertisement.ts';
import { compareTexts } from '../api/label-selector.ts';
import { defaultLayer2Policy, type Layer2PolicyDeclaration, parseLayer2Policy } from '../api/layer2-policy.ts';
import { type MetalClassDeclaration, parseMetalClass } from '../api/metal-class.ts';
import { parseMetalConfiguration } from '../api/metal-configuration.ts';
import { parseMetalPeer } from '../api/metal-peer.ts';
import { parseMetalPool } from '../api/metal-pool.ts';
import type { Labels, Parsed } from '../api/resource.ts';
import { findBGPConflicts } from './bgp-conflicts.ts';
import {
  type BFDProfile,
  Config,
  type Layer2Policy,
  type LoadBalancerClass,
  type Peer,
  type Pool,
  type PoolBGPAdvertisement,
} from './config.ts';
import { findDuplicateNames, findOverlaps } from './conflicts.ts';
import {
  advertisementOfClass,
  advertisementsOf,
  findIdlePeers,
  findSecondDefaults,
  peersOf,
  poolOfClass,
  profilesOf,
  withOwnPeers,
} from './metal.ts';
import { NodeScope } from './node-scope.ts';
import { findOddities } from './oddities.ts';
import { choosersOf } from './pool-selection.ts';
import { findReservationConflicts } from './reservation-conflicts.ts';

/** The resources of one namespace, ours, as the API server or files give them. Nothing about them is trusted. */
export type Resources = {
  readonly pools: readonly unknown[];
  readonly l2Advertisements: readonly unknown[];
  readonly bgpAdvertisements?: readonly unknown[];
  /** BGPPeers of either version. */
  readonly peers?: readonly unknown[];
  readonly bfdProfiles?: readonly unknown[];
  readonly communities?: readonly unknown[];
  readonly reservations?: readonly unknown[];
  readonly layer2Policies?: readonly unknown[];
  /** The kinds of network.deckhouse.io, which are of the cluster and in no namespace. */
  readonly metalClasses?: readonly unknown[];
  readonly metalPools?: readonly unknown[];
  readonly metalPeers?: readonly unknown[];
  readonly metalConfigurations?: readonly unknown[];
};

export type CompileOptions = {
  /**
   * The labels of the nodes for which BGP resources are judged. A BGPPeer or BGPAdvertisement that selects none of them
   * is left out, faults and all, and two contradict each other only where both are in effect; for no node at all, no
   * BGP resource is read. A speaker gives its own node, who judges for the cluster all of them. Undefined: all
   * resources are judged as if they were about one node.
   */
  readonly nodes?: readonly Labels[] | undefined;
};

export type ConfigError = ApiProblem & {
  /**
   * The kind of the object that is missing: the fault is over as soon as there is one. Admission lets that pass, because
   * objects may come in any order.
   */
  readonly awaits?: 'BFDProfile' | 'Community';
};

export type Compiled =
  | {
      readonly config: Config;
      /** What is allowed, and yet not what its author can have meant. Sorted. */
      readonly warnings: readonly ApiProblem[];
    }
  | { readonly errors: readonly ConfigError[] };

/**
 * Makes a Config, or says everything that stands against it, sorted. Never throws. One faulty resource refuses the
 * whole: callers keep the Config they have, because half of a change may be worse than none of it.
 */
export function compile(resources: Resources, { nodes }: CompileOptions = {}): Compiled {
  const scope = new NodeScope(nodes);
  const { declared, errors } = declare(resources, scope);
  const choices = {
    l2: choosersOf(declared.pools, declared.l2Advertisements),
    bgp: choosersOf(declared.pools, declared.bgpAdvertisements),
  };
  const problems = [
    ...errors,
    ...findOverlaps(declared.pools),
    ...findBGPConflicts(declared, choices.bgp, scope),
    ...findReservationConflicts(declared.reservations),
  ];
  if (problems.length > 0) return { errors: problems.sort(compareErrors) };
  const profiles = new Map(declared.bfdProfiles.map(({ object: _, ...profile }) => [profile.name, profile]));
  const config = new Config({
    pools: compilePools(declared, choices),
    peers: declared.peers.map((peer) => compilePeer(peer, profiles)),
    bfdProfiles: [...profiles.values()],
    reservations: declared.reservations,
    classes: declared.classes.map(compileClass),
    layer2: compileLayer2Policy(declared.layer2Policies),
  });
  const everyPeer = [...(resources.peers ?? []), ...(resources.metalPeers ?? [])].map(nameOf);
  const peerNames = new Set([...everyPeer, ...declared.peers.map(({ name }) => name)]);
  const oddities = [...findOddities(declared, { config, peerNames, scope }), ...declared.idlePeers];
  return { config, warnings: oddities.sort(compareErrors) };
}

/** What the resources say, each on its own, by name. */
export type Declarations = ReturnType<typeof declare>['declared'];

function declare(resources: Resources, scope: NodeScope) {
  const concerned = (raws: readonly unknown[] = []) => raws.filter((raw) => scope.concerns(raw));
  const ofCluster = (raws: readonly unknown[] = []) => (scope.empty ? [] : raws);
  const pools = parseAll(resources.pools, parseIPAddressPool);
  const l2Advertisements = parseAll(resources.l2Advertisements, parseL2Advertisement);
  const bgpAdvertisements = parseAll(concerned(resources.bgpAdvertisements), parseBGPAdvertisement);
  const peers = parseAll(concerned(resources.peers), parseBGPPeer);
  const bfdProfiles = parseAll(ofCluster(resources.bfdProfiles), parseBFDProfile);
  const communities = parseAll(ofCluster(resources.communities), parseCommunityResource);
  const reservations = parseAll(resources.reservations ?? [], parseAddressReservation);
  const layer2Policies = parseAll(resources.layer2Policies ?? [], parseLayer2Policy);
  const metal = declareMetal(resources, scope);
  const { classes, configurations } = metal;
  const allPools = [...pools.values, ...metal.pools.values, ...classes.values.map(poolOfClass)].sort(compareNames);
  const routers = metal.peers.values;
  const sessions = routers.flatMap((one) => peersOf(one, configurations.values));
  const parsed = [l2Advertisements, bgpAdvertisements, bfdProfiles, communities, reservations, layer2Policies];
  const named = [...parsed.map(({ values }) => values), allPools, [...peers.values, ...routers].sort(compareNames)];
  const all = [...parsed, pools, peers, metal.pools, metal.peers, classes, configurations];
  return {
    errors: [
      ...all.flatMap(({ errors }) => errors),
      ...named.flatMap(findDuplicateNames),
      ...findSecondDefaults(classes.values),
    ],
    declared: {
      pools: allPools,
      classes: classes.values,
      l2Advertisements: [...l2Advertisements.values, ...classes.values.map(advertisementOfClass)].sort(compareNames),
      bgpAdvertisements: [...bgpAdvertisements.values, ...configurations.values.flatMap(advertisementsOf)]
        .map((one) => withOwnPeers(one, routers))
        .sort(compareNames),
      peers: [...peers.values, ...sessions.filter((one) => scope.selects(one.nodeSelectors))].sort(compareNames),
      bfdProfiles: [...bfdProfiles.values, ...routers.flatMap(profilesOf)].sort(compareNames),
      /** Also of resources with a fault elsewhere: what refers to them shall not be refused for it. */
      brokenProfiles: new Set(bfdProfiles.broken),
      communities: communities.values,
      communitiesAreWhole: communities.errors.length === 0,
      reservations: reservations.values,
      layer2Policies: layer2Policies.values,
      idlePeers: scope.unknown ? findIdlePeers(routers, configurations.values) : [],
    },
  };
}

function declareMetal(resources: Resources, scope: NodeScope) {
  const { metalClasses = [], metalPools = [], metalPeers = [], metalConfigurations = [] } = resources;
  const concerned = metalConfigurations.filter((raw) => scope.concernsByLabels(raw));
  const configurations = parseAll(concerned, parseMetalConfiguration);
  const named = new Set(configurations.values.flatMap(({ peers }) => peers));
  const spokenTo = metalPeers.filter((raw) => scope.unknown || named.has(nameOf(raw)));
  return {
    classes: parseAll(metalClasses, parseMetalClass),
    pools: parseAll(metalPools, parseMetalPool),
    peers: parseAll(spokenTo, parseMetalPeer),
    configurations,
  };
}

type Named = { readonly object: string; readonly name: string };

function parseAll<T extends Named>(raws: readonly unknown[], parse: (raw: unknown) => Parsed<T>) {
  const values: T[] = [];
  const errors: ConfigError[] = [];
  const broken: string[] = [];
  for (const raw of raws) {
    const parsed = parse(raw);
    if ('value' in parsed) values.push(parsed.value);
    else {
      errors.push(...parsed.problems);
      broken.push(nameOf(raw));
    }
  }
  values.sort(compareNames);
  return { values, errors, broken };
}

function compilePools(
  declared: Declarations,
  choices: {
    readonly l2: readonly (readonly L2AdvertisementDeclaration[])[];
    readonly bgp: readonly (readonly BGPAdvertisementDeclaration[])[];
  },
): readonly Pool[] {
  const aliases = aliasesOf(declared.communities);
  const l2 = listsOf(choices.l2, ({ object: _object, pools: _pools, ...advertisement }) => advertisement);
  const bgp = listsOf(choices.bgp, (advertisement) => compileBGPAdvertisement(advertisement, aliases));
  return declared.pools.map(({ object: _object, labels: _labels, fields: _fields, ...pool }, number) => ({
    ...pool,
    l2Advertisements: l2[number] ?? [],
    bgpAdvertisements: bgp[number] ?? [],
  }));
}

/** Compiles each advertisement and each list once. */
function listsOf<T extends object, U>(
  lists: readonly (readonly T[])[],
  compileOne: (one: T) => U,
): readonly (readonly U[])[] {
  const compiled = new Map<T, U>();
  const made = new Map<readonly T[], readonly U[]>();
  const one = (declaration: T) => {
    if (!compiled.has(declaration)) compiled.set(declaration, compileOne(declaration));
    return compiled.get(declaration) as U;
  };
  return lists.map((list) => {
    if (!made.has(list)) made.set(list, list.map(one));
    return made.get(list) as readonly U[];
  });
}

function compileBGPAdvertisement(
  declaration: BGPAdvertisementDeclaration,
  aliasValues: ReadonlyMap<string, CommunityValue>,
): PoolBGPAdvertisement {
  const { object: _object, pools: _pools, fields: _fields, aliases, ...advertisement } = declaration;
  const named = aliases.map(({ name }) => aliasValues.get(name)).filter((value) => value !== undefined);
  const values = [...advertisement.communities, ...named].map((value) => [formatCommunity(value), value] as const);
  return { ...advertisement, communities: [...new Map(values).values()].sort(compareCommunities) };
}

function compilePeer(declaration: BGPPeerDeclaration, profiles: ReadonlyMap<string, BFDProfile>): Peer {
  const { object: _object, fields: _fields, disableMP: _disableMP, bfdProfile, ...peer } = declaration;
  return { ...peer, bfdProfile: bfdProfile === undefined ? undefined : profiles.get(bfdProfile) };
}

function compileClass({ name, isDefault }: MetalClassDeclaration): LoadBalancerClass {
  return { name, isDefault };
}

/** Those of another name have been refused, and a name stands for one object. */
function compileLayer2Policy([declared]: readonly Layer2PolicyDeclaration[]): Layer2Policy {
  if (declared === undefined) return defaultLayer2Policy;
  const { object: _object, name: _name, ...policy } = declared;
  return policy;
}

function aliasesOf(communities: readonly CommunityDeclaration[]): ReadonlyMap<string, CommunityValue> {
  return new Map(communities.flatMap(({ aliases }) => aliases.map(({ name, value }) => [name, value])));
}

function nameOf(raw: unknown): string {
  const name = (raw as { readonly metadata?: { readonly name?: unknown } } | null | undefined)?.metadata?.name;
  return typeof name === 'string' ? name : '';
}

function compareNames(a: Named, b: Named): number {
  return compareTexts(a.name, b.name) || compareTexts(a.object, b.object);
}

function compareErrors(a: ApiProblem, b: ApiProblem): number {
  return compareTexts(a.object, b.object) || compareTexts(a.field, b.field) || compareTexts(a.message, b.message);
}
