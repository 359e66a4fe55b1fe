import type { BFDProfileDeclaration } from '../api/bfd-profile.ts';
import type { BGPAdvertisementDeclaration } from '../api/bgp-advertisement.ts';
import type { BGPPeerDeclaration } from '../api/bgp-peer.ts';
import type { ApiProblem } from '../api/field.ts';
import type { PoolDeclaration } from '../api/ip-address-pool.ts';
import type { L2AdvertisementDeclaration } from '../api/l2-advertisement.ts';
import { compareTexts, LabelSelector, type Requirement } from '../api/label-selector.ts';
import type { MetalClassDeclaration } from '../api/metal-class.ts';
import type { MetalConfigurationDeclaration } from '../api/metal-configuration.ts';
import type { MetalPeerDeclaration } from '../api/metal-peer.ts';

/*
 * What the kinds of network.deckhouse.io say, in the terms of MetalLB's, so that both are checked against each other
 * and put in force by the same code. What people may name keeps its name; the rest has a slash in its name, which no
 * object can have.
 *
 *   MetalLoadBalancerClass web          pool web (of its class), L2 advertisement MetalLoadBalancerClass/web, class web
 *   MetalLoadBalancerPool wan           pool wan
 *   MetalLoadBalancerBGPPeer tor        peer tor, tor/NODE for each of its sourceAddresses
 *   MetalLoadBalancerConfiguration bgp  BGP advertisement MetalLoadBalancerConfiguration/bgp/0 for its first, and so on
 */

/** The pool of a class is given to Services of the class alone, however they ask. */
export function poolOfClass(declaration: MetalClassDeclaration): PoolDeclaration {
  const { isDefault: _isDefault, interfaces: _interfaces, nodeSelectors: _nodes, ...pool } = declaration;
  return {
    ...pool,
    autoAssign: false,
    avoidBuggyIPs: false,
    serviceAllocation: undefined,
    ofClass: true,
    fields: { 'spec.addresses': 'spec.addressPool' },
  };
}

export function advertisementOfClass(declaration: MetalClassDeclaration): L2AdvertisementDeclaration {
  const { object, name, nodeSelectors, interfaces } = declaration;
  return {
    object,
    name: `MetalLoadBalancerClass/${name}`,
    pools: { names: [name], selectors: [] },
    nodeSelectors,
    preferredNodeSelectors: [],
    interfaces,
    serviceSelectors: [],
  };
}

/** A Service that names no class would have two. The input is by name. */
export function findSecondDefaults(classes: readonly MetalClassDeclaration[]): readonly ApiProblem[] {
  const [first, ...others] = classes.filter(({ isDefault }) => isDefault);
  return others.map(({ object }) => {
    const message = `is set in ${first?.object}, too, and there can be one default: remove it from one of the two`;
    return { object, field: 'spec.isDefault', value: true, message };
  });
}

/**
 * The peers of one router: where it is spoken to from an address that is given for the node, and from anywhere else.
 * Only the nodes of the configurations that name it speak to it; of none, nobody does.
 */
export function peersOf(
  declaration: MetalPeerDeclaration,
  configurations: readonly MetalConfigurationDeclaration[],
): readonly BGPPeerDeclaration[] {
  const { name, address, bfd, sourceAddresses, ...peer } = declaration;
  const naming = configurations.filter(({ peers }) => peers.includes(name));
  if (naming.length === 0) return [];
  const selectors = unionOf(naming.map(({ nodeSelectors }) => nodeSelectors));
  const shared = {
    ...peer,
    localASN: undefined,
    neighbor: { address },
    connectTime: undefined,
    bfdProfile: bfd && profileName(name),
    gracefulRestart: false,
    // Where these resources come from, no session is bound to one hop. With BFD, the number of hops has to be told apart.
    ebgpMultiHop: peer.peerASN !== peer.myASN && (bfd === undefined || bfd.minimumTtl !== undefined),
    vrf: undefined,
    dualStack: false,
    disableMP: false,
    ttlSecurity: undefined,
    passive: false,
    sourceAddressFrom: undefined,
    allowedPrefixes: undefined,
    fields: { 'spec.bfdProfile': 'spec.bfd' },
  };
  const nodes = [...sourceAddresses.keys()].sort(compareTexts);
  const own = nodes.map((node) => ({
    ...shared,
    name: ownName(name, node),
    sourceAddress: sourceAddresses.get(node),
    nodeSelectors: narrowed(selectors, { key: hostname, operator: 'Equals', value: node }),
  }));
  const elsewhere =
    nodes.length === 0 ? selectors : narrowed(selectors, { key: hostname, operator: 'NotIn', values: nodes });
  return [{ ...shared, name, sourceAddress: undefined, nodeSelectors: elsewhere }, ...own];
}

export function profilesOf({ object, name, bfd }: MetalPeerDeclaration): readonly BFDProfileDeclaration[] {
  return bfd === undefined ? [] : [{ object, name: profileName(name), ...bfd }];
}

export function advertisementsOf(declaration: MetalConfigurationDeclaration): readonly BGPAdvertisementDeclaration[] {
  const { object, name, nodeSelectors, peers, advertisements } = declaration;
  return advertisements.map(({ pools, communities, localPref, aggregationLength }, index) => {
    const at = `spec.advertisements[${index}]`;
    const length = aggregationLength ?? whole[4];
    return {
      object,
      name: `MetalLoadBalancerConfiguration/${name}/${index}`,
      pools: { names: pools, selectors: [] },
      aggregationLength: { 4: Math.min(length, whole[4]), 6: length > whole[4] ? length : whole[6] },
      localPref,
      med: undefined,
      prepend: undefined,
      communities,
      aliases: [],
      nodeSelectors,
      peers: peers.length === 0 ? 'all' : peers,
      serviceSelectors: [],
      fields: {
        'spec.ipAddressPools': `${at}.poolNames`,
        'spec.peers': 'spec.bgp.peerNames',
        'spec.localPref': `${at}.bgp.localPref`,
        'spec.aggregationLength': `${at}.bgp.aggregationLength`,
        'spec.aggregationLengthV6': `${at}.bgp.aggregationLength`,
      },
    };
  });
}

/** Who names a peer means it on every node, whatever address that speaks from. */
export function withOwnPeers<T extends Pick<BGPAdvertisementDeclaration, 'peers'>>(
  advertisement: T,
  declarations: readonly MetalPeerDeclaration[],
): T {
  const { peers } = advertisement;
  if (peers === 'all') return advertisement;
  const own = declarations
    .filter(({ name }) => peers.includes(name))
    .flatMap(({ name, sourceAddresses }) => [...sourceAddresses.keys()].map((node) => ownName(name, node)));
  return own.length === 0 ? advertisement : { ...advertisement, peers: [...peers, ...own].sort(compareTexts) };
}

/** What nobody speaks to is a mistake more often than not. */
export function findIdlePeers(
  declarations: readonly MetalPeerDeclaration[],
  configurations: readonly MetalConfigurationDeclaration[],
): readonly ApiProblem[] {
  const message = 'is in the spec.bgp.peerNames of no MetalLoadBalancerConfiguration: no node speaks to it';
  return declarations
    .filter(({ name }) => !configurations.some(({ peers }) => peers.includes(name)))
    .map(({ object, name }) => ({ object, field: 'metadata.name', value: name, message }));
}

/** The label by which the kinds of network.deckhouse.io name a node. */
const hostname = 'kubernetes.io/hostname';
const whole = { 4: 32, 6: 128 } as const;

function ownName(peer: string, node: string): string {
  return `${peer}/${node}`;
}

function profileName(peer: string): string {
  return `MetalLoadBalancerBGPPeer/${peer}`;
}

/** Nodes that any of the lists selects; an empty list selects every node. */
function unionOf(lists: readonly (readonly LabelSelector[])[]): readonly LabelSelector[] {
  if (lists.some((list) => list.length === 0)) return [];
  const byText = new Map(lists.flat().map((selector) => [String(selector), selector]));
  return [...byText.keys()].sort(compareTexts).map((text) => byText.get(text)!);
}

function narrowed(selectors: readonly LabelSelector[], requirement: Requirement): readonly LabelSelector[] {
  const all = selectors.length === 0 ? [new LabelSelector([])] : selectors;
  return all.map(({ requirements }) => new LabelSelector([...requirements, requirement]));
}
