import { compareBytes, type Hash } from '../src/election/metallb.ts';
import type { Ballot } from '../src/election/strategy.ts';

/**
 * How Deckhouse's module spreads the addresses of Services of one class: the nodes in the order of the hash of
 * `class#node`, and the n-th address of every Service on the n-th of them. That is the node it prefers; the MetalLB
 * beneath decides by its own rule only if that node is dead, which here none is.
 */
export function ownersByClass({ addresses, nodes }: Ballot, hash: Hash): ReadonlyMap<string, string> {
  const order = nodes
    .map(({ name }) => ({ name, digest: hash(`${className}#${name}`) }))
    .sort((a, b) => compareBytes(a.digest, b.digest));
  return new Map(addresses.map(({ address, index }) => [address, order[index % order.length]!.name]));
}

const className = 'public';
