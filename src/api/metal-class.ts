import type { Range } from '../ip/range.ts';
import type { Field } from './field.ts';
import { readAddresses } from './ip-address-pool.ts';
import { compareTexts, type LabelSelector, readNodeSelector } from './label-selector.ts';
import { type PoolOptions, readPoolOptions } from './pool-annotations.ts';
import { type Labels, type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `metalloadbalancerclasses.network.deckhouse.io/v1alpha1` as the API serves it. Of the cluster. */
export type MetalLoadBalancerClass = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta & { readonly annotations?: Labels };
  readonly spec: {
    readonly isDefault?: boolean;
    readonly type?: 'L2';
    readonly l2?: { readonly interfaces?: readonly string[] };
    readonly addressPool: readonly string[];
    readonly nodeSelector?: Labels;
    /** Accepted, and without effect: speakers run where their DaemonSet puts them. */
    readonly tolerations?: readonly {
      readonly effect?: string;
      readonly key?: string;
      readonly operator?: string;
      readonly tolerationSeconds?: number;
      readonly value?: string;
    }[];
  };
};

/** What one MetalLoadBalancerClass says: addresses for Services of the class, and where they are announced. */
export type MetalClassDeclaration = PoolOptions & {
  readonly object: string;
  readonly name: string;
  readonly labels: Labels;
  /** Whether Services that name no class are of this one. */
  readonly isDefault: boolean;
  /** In the order of their use. */
  readonly addresses: readonly Range[];
  readonly interfaces: readonly string[] | 'all';
  /** Nodes that may announce; empty means every node. */
  readonly nodeSelectors: readonly LabelSelector[];
};

/** As in deploy/crds/deckhouse. */
const maxTolerations = 256;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseMetalClass(raw: unknown): Parsed<MetalClassDeclaration> {
  return parseResource('MetalLoadBalancerClass', raw, (root, identity) => {
    const spec = root.at('spec').required();
    const interfaces = [...new Set(spec.at('l2').at('interfaces').texts())].sort(compareTexts);
    spec.at('type').oneOf(['L2']);
    checkTolerations(spec.at('tolerations'));
    return {
      ...identity,
      isDefault: spec.at('isDefault').flag() ?? false,
      addresses: readAddresses(spec.at('addressPool')),
      interfaces: interfaces.length === 0 ? 'all' : interfaces,
      nodeSelectors: readNodeSelector(spec.at('nodeSelector')),
      ...readPoolOptions(root.at('metadata').at('annotations')),
    };
  });
}

function checkTolerations(field: Field): void {
  for (const item of field.items(maxTolerations)) {
    for (const key of ['effect', 'key', 'operator', 'value']) item.required().at(key).text();
    item.at('tolerationSeconds').integer();
  }
}
