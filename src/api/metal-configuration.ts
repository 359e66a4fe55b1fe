import {
  type CommunityValue,
  communityRemedy,
  compareCommunities,
  formatCommunity,
  maxCommunityLength,
  parseCommunity,
} from './community-value.ts';
import type { Field } from './field.ts';
import { compareTexts, type LabelSelector, readNodeSelector } from './label-selector.ts';
import { type Labels, type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `metalloadbalancerconfigurations.network.deckhouse.io/v1alpha1` as the API serves it. Of the cluster. */
export type MetalLoadBalancerConfiguration = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec: {
    readonly mode: 'BGP';
    readonly nodeSelector?: Labels;
    readonly bgp?: { readonly peerNames?: readonly string[] };
    readonly advertisements?: readonly {
      readonly poolNames: readonly string[];
      readonly bgp?: {
        readonly communities?: readonly string[];
        readonly localPref?: number;
        readonly aggregationLength?: number;
      };
    }[];
  };
};

/** What one MetalLoadBalancerConfiguration says. Lists of names are sorted, each name once: their order means nothing. */
export type MetalConfigurationDeclaration = {
  readonly object: string;
  readonly name: string;
  /** Nodes that speak to the peers and announce; empty means every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  readonly peers: readonly string[];
  readonly advertisements: readonly MetalAdvertisement[];
};

export type MetalAdvertisement = {
  readonly pools: readonly string[];
  readonly communities: readonly CommunityValue[];
  /** Undefined when not given, which 0 counts as, too. */
  readonly localPref: number | undefined;
  /** Of what is announced of an address: up to 32 of an IPv4 one, beyond that of an IPv6 one; undefined: it alone. */
  readonly aggregationLength: number | undefined;
};

/** By the names that RFC 1997 has for them; `none` attaches nothing. */
const wellKnown: ReadonlyMap<string, CommunityValue | undefined> = new Map([
  ['no-export', [65_535, 65_281]],
  ['no-advertise', [65_535, 65_282]],
  ['local-as', [65_535, 65_283]],
  ['none', undefined],
]);

const maxLocalPref = 2 ** 32 - 1;
const maxAggregationLength = 128;
/** As in deploy/crds/deckhouse. */
const maxAdvertisements = 256;
const maxNames = 4_096;
const maxCommunities = 256;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseMetalConfiguration(raw: unknown): Parsed<MetalConfigurationDeclaration> {
  return parseResource('MetalLoadBalancerConfiguration', raw, (root, { object, name }) => {
    const spec = root.at('spec').required();
    spec.at('mode').required().oneOf(['BGP']);
    return {
      object,
      name,
      nodeSelectors: readNodeSelector(spec.at('nodeSelector')),
      peers: readNames(spec.at('bgp').at('peerNames')),
      advertisements: spec.at('advertisements').items(maxAdvertisements).map(readAdvertisement),
    };
  });
}

function readAdvertisement(field: Field): MetalAdvertisement {
  const pools = readNames(field.required().at('poolNames').required());
  if (pools.length === 0) field.at('poolNames').refuse('must name at least one pool');
  const bgp = field.at('bgp');
  return {
    pools,
    communities: readCommunities(bgp.at('communities')),
    localPref: bgp.at('localPref').integerWithin(0, maxLocalPref) || undefined,
    aggregationLength: bgp.at('aggregationLength').integerWithin(1, maxAggregationLength),
  };
}

function readNames(field: Field): readonly string[] {
  const names = field.items(maxNames).flatMap((item) => item.required().text() ?? []);
  return [...new Set(names)].sort(compareTexts);
}

function readCommunities(field: Field): readonly CommunityValue[] {
  const communities = new Map<string, CommunityValue>();
  for (const item of field.items(maxCommunities)) {
    const text = item.required().text();
    if (text === undefined) continue;
    if (text.length > maxCommunityLength) {
      item.refuse(`must have at most ${maxCommunityLength} characters`);
      continue;
    }
    const value = wellKnown.has(text) ? wellKnown.get(text) : parseCommunity(text);
    if (typeof value === 'string') item.refuse(communityRemedy(value));
    else if (value !== undefined) communities.set(formatCommunity(value), value);
  }
  return [...communities.values()].sort(compareCommunities);
}
