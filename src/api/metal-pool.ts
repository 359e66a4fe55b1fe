import { type PoolDeclaration, readAddresses } from './ip-address-pool.ts';
import { readPoolOptions } from './pool-annotations.ts';
import { type Labels, type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `metalloadbalancerpools.network.deckhouse.io/v1alpha1` as the API serves it. Of the cluster. */
export type MetalLoadBalancerPool = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta & { readonly annotations?: Labels };
  readonly spec: {
    readonly addresses: readonly string[];
    readonly autoAssign?: boolean;
    readonly avoidBuggyIPs?: boolean;
  };
};

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseMetalPool(raw: unknown): Parsed<PoolDeclaration> {
  return parseResource('MetalLoadBalancerPool', raw, (root, identity) => {
    const spec = root.at('spec').required();
    return {
      ...identity,
      addresses: readAddresses(spec.at('addresses')),
      autoAssign: spec.at('autoAssign').flag() ?? true,
      avoidBuggyIPs: spec.at('avoidBuggyIPs').flag() ?? false,
      serviceAllocation: undefined,
      ...readPoolOptions(root.at('metadata').at('annotations')),
    };
  });
}
