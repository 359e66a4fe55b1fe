import type { Field } from './field.ts';
import {
  compareTexts,
  type LabelSelector,
  type LabelSelectorResource,
  readLabelSelector,
  readLabelSelectors,
} from './label-selector.ts';
import { type PoolChoice, readPoolChoice } from './pool-choice.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `l2advertisements.metallb.io/v1beta1` as the API serves it. */
export type L2Advertisement = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec?: {
    readonly ipAddressPools?: readonly string[];
    readonly ipAddressPoolSelectors?: readonly LabelSelectorResource[];
    readonly nodeSelectors?: readonly LabelSelectorResource[];
    readonly interfaces?: readonly string[];
    readonly serviceSelectors?: readonly LabelSelectorResource[];
    readonly preferredNodeSelectors?: readonly {
      readonly weight: number;
      readonly preference: LabelSelectorResource;
    }[];
  };
};

/** What one L2Advertisement says. Lists are sorted: their order in the resource means nothing. */
export type L2AdvertisementDeclaration = {
  readonly object: string;
  readonly name: string;
  readonly pools: PoolChoice;
  /** Nodes that may announce: any selector may match; empty means every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  readonly preferredNodeSelectors: readonly PreferredNodes[];
  readonly interfaces: readonly string[] | 'all';
  /** Services that are announced: any selector may match; empty means every Service. */
  readonly serviceSelectors: readonly LabelSelector[];
};

/** Nodes that go before others; the weights of all that match a node are summed. */
export type PreferredNodes = { readonly weight: number; readonly preference: LabelSelector };

const maxWeight = 100;
/** As in deploy/crds. */
const maxPreferences = 4096;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseL2Advertisement(raw: unknown): Parsed<L2AdvertisementDeclaration> {
  return parseResource('L2Advertisement', raw, (root, { object, name }) => {
    const spec = root.at('spec');
    const interfaces = [...new Set(spec.at('interfaces').texts())].sort(compareTexts);
    return {
      object,
      name,
      pools: readPoolChoice(spec),
      nodeSelectors: readLabelSelectors(spec.at('nodeSelectors')),
      preferredNodeSelectors: readPreferredNodes(spec.at('preferredNodeSelectors')),
      interfaces: interfaces.length === 0 ? 'all' : interfaces,
      serviceSelectors: readLabelSelectors(spec.at('serviceSelectors')),
    };
  });
}

function readPreferredNodes(field: Field): readonly PreferredNodes[] {
  const preferred = field.items(maxPreferences).map((item) => {
    const weight = item.required().at('weight').required().integerWithin(1, maxWeight) ?? 1;
    return { weight, preference: readLabelSelector(item.at('preference').required()) };
  });
  return preferred.sort((a, b) => b.weight - a.weight || compareTexts(String(a.preference), String(b.preference)));
}
