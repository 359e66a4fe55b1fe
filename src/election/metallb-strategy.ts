import { rank } from './metallb.ts';
import type { BallotAddress, ElectionStrategy } from './strategy.ts';

/**
 * MetalLB's rule as a strategy: the first address of a Service decides, and its owner has them all. One of the others
 * that the owner is no candidate of has no owner. Who holds an address, and what a node weighs, mean nothing to it.
 */
export const metallb: ElectionStrategy = {
  name: 'metallb',
  owners({ addresses, nodes }, hash) {
    const living = new Set(nodes.map(({ name }) => name));
    const first = new Map<string, BallotAddress>();
    for (const one of addresses) {
      const other = first.get(one.service);
      if (other === undefined || one.index < other.index) first.set(one.service, one);
    }
    const elected = new Map<string, string | undefined>();
    for (const [service, { address, candidates }] of first) {
      const alive = candidates.filter(({ node }) => living.has(node));
      elected.set(service, rank(alive, address, hash)[0]?.node);
    }
    const owners = new Map<string, string>();
    for (const { address, service, candidates } of addresses) {
      const owner = elected.get(service);
      if (owner !== undefined && candidates.some(({ node }) => node === owner)) owners.set(address, owner);
    }
    return owners;
  },
};
