import { createHash } from 'node:crypto';
import { LabelSelector } from '../../src/api/label-selector.ts';
import type { Advertisement } from '../../src/election/advertisement.ts';
import type { ElectionCluster, ElectionNode, ElectionService, Hash } from '../../src/election/metallb.ts';
import { parseAddress } from '../../src/ip/address.ts';

export const sha256: Hash = (text) => createHash('sha256').update(text).digest();

/** `a=x` as a selector. */
export function selector(text: string): LabelSelector {
  const [key = '', value = ''] = text.split('=');
  return new LabelSelector([{ key, operator: 'Equals', value }]);
}

export function advertisement(change: Partial<Advertisement> = {}): Advertisement {
  return {
    name: 'lan',
    nodeSelectors: [],
    preferredNodeSelectors: [],
    interfaces: 'all',
    serviceSelectors: [],
    ...change,
  };
}

/** A Service that every node could announce, unless the case says otherwise. */
export function serviceAt(address: string, change: Partial<ElectionService> = {}): ElectionService {
  const parsed = parseAddress(address);
  if (!parsed) throw new Error(`no address: ${address}`);
  return {
    address: parsed,
    labels: {},
    trafficPolicy: 'Cluster',
    sharesAddress: false,
    endpoints: { any: true, nodes: new Set() },
    advertisements: [advertisement()],
    ...change,
  };
}

/** Living, unlabelled nodes with these names, unless the case says otherwise. */
export function clusterOf(
  nodes: readonly (string | (Partial<ElectionNode> & { readonly name: string }))[],
  change: Partial<ElectionCluster> = {},
): ElectionCluster {
  const all = nodes.map((node) => ({
    labels: {},
    networkUnavailable: false,
    ...(typeof node === 'string' ? { name: node } : node),
  }));
  return { nodes: all, members: new Set(all.map((node) => node.name)), ignoreExcludeLabel: false, ...change };
}
