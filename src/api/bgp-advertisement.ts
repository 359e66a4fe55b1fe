import { type AdvertisementOptions, readAdvertisementOptions } from './bgp-annotations.ts';
import {
  type CommunityValue,
  communityRemedy,
  compareCommunities,
  formatCommunity,
  maxCommunityLength,
  parseCommunity,
} from './community-value.ts';
import type { Field, FieldNames } from './field.ts';
import { compareTexts, type LabelSelector, type LabelSelectorResource, readLabelSelectors } from './label-selector.ts';
import { type PoolChoice, readPoolChoice } from './pool-choice.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `bgpadvertisements.metallb.io/v1beta1` as the API serves it. */
export type BGPAdvertisement = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec?: {
    readonly aggregationLength?: number;
    readonly aggregationLengthV6?: number;
    readonly localPref?: number;
    readonly communities?: readonly string[];
    readonly ipAddressPools?: readonly string[];
    readonly ipAddressPoolSelectors?: readonly LabelSelectorResource[];
    readonly nodeSelectors?: readonly LabelSelectorResource[];
    readonly peers?: readonly string[];
    readonly serviceSelectors?: readonly LabelSelectorResource[];
  };
};

/** What one BGPAdvertisement says. Lists are sorted: their order in the resource means nothing. */
export type BGPAdvertisementDeclaration = AdvertisementOptions & {
  readonly object: string;
  readonly name: string;
  readonly pools: PoolChoice;
  /** The prefix of this length around an address is what is announced. */
  readonly aggregationLength: { readonly 4: number; readonly 6: number };
  /** LOCAL_PREF; undefined when not given, which 0 counts as, too. */
  readonly localPref: number | undefined;
  readonly communities: readonly CommunityValue[];
  /** Communities by the name that a Community resource gives them. */
  readonly aliases: readonly NamedAlias[];
  /** Nodes that announce: any selector may match; empty means every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** BGPPeers by name. */
  readonly peers: readonly string[] | 'all';
  /** Services that are announced: any selector may match; empty means every Service. */
  readonly serviceSelectors: readonly LabelSelector[];
  readonly fields?: FieldNames;
};

/** An alias, and where it is named: `spec.communities[1]`. */
export type NamedAlias = { readonly name: string; readonly field: string };

const wholeLength = { 4: 32, 6: 128 } as const;
const maxLocalPref = 2 ** 32 - 1;
/** As in deploy/crds. */
const maxCommunities = 256;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseBGPAdvertisement(raw: unknown): Parsed<BGPAdvertisementDeclaration> {
  return parseResource('BGPAdvertisement', raw, (root, { object, name }) => {
    const spec = root.at('spec');
    const peers = [...spec.at('peers').distinctTexts()].sort(compareTexts);
    const declaration = {
      object,
      name,
      pools: readPoolChoice(spec),
      aggregationLength: {
        4: spec.at('aggregationLength').integerWithin(1, wholeLength[4]) ?? wholeLength[4],
        6: spec.at('aggregationLengthV6').integerWithin(0, wholeLength[6]) ?? wholeLength[6],
      },
      localPref: spec.at('localPref').integerWithin(0, maxLocalPref) || undefined,
      ...readAdvertisementOptions(root.at('metadata').at('annotations')),
      ...readCommunities(spec.at('communities')),
      nodeSelectors: readLabelSelectors(spec.at('nodeSelectors')),
      peers: peers.length === 0 ? ('all' as const) : peers,
      serviceSelectors: readLabelSelectors(spec.at('serviceSelectors')),
    };
    checkAggregation(spec, declaration);
    return declaration;
  });
}

/** A route to many addresses cannot be announced for some of their Services only. */
function checkAggregation(spec: Field, { aggregationLength, serviceSelectors }: BGPAdvertisementDeclaration): void {
  const aggregates = aggregationLength[4] !== wholeLength[4] || aggregationLength[6] !== wholeLength[6];
  if (!aggregates || serviceSelectors.length === 0) return;
  spec.refuseAs(
    { aggregationLength: aggregationLength[4], aggregationLengthV6: aggregationLength[6] },
    'cannot aggregate what serviceSelectors choose: remove aggregationLength and aggregationLengthV6, or serviceSelectors',
  );
}

function readCommunities(field: Field): Pick<BGPAdvertisementDeclaration, 'communities' | 'aliases'> {
  const communities = new Map<string, CommunityValue>();
  const aliases: NamedAlias[] = [];
  field.distinctTexts(maxCommunities);
  for (const item of field.items(maxCommunities)) {
    const text = item.text();
    if (text === undefined) continue;
    if (text === '') item.refuse('is empty: name a community such as 64512:100, or remove the entry');
    if (text.length > maxCommunityLength) item.refuse(`must have at most ${maxCommunityLength} characters`);
    const value = parseCommunity(text);
    if (value === 'not-a-value') aliases.push({ name: text, field: item.path });
    else if (typeof value === 'string') item.refuse(communityRemedy(value));
    else communities.set(formatCommunity(value), value);
  }
  return {
    communities: [...communities.values()].sort(compareCommunities),
    aliases: aliases.sort((a, b) => compareTexts(a.name, b.name)),
  };
}
