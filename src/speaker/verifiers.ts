import type { NodeInterface } from '../election/interface-fitness.ts';
import { type Hash, rank } from '../election/metallb.ts';
import { sameAddress } from '../ip/address.ts';
import type { NodeReport } from './node-report.ts';

/**
 * The nodes whose speakers can ask the LAN who has an address that one of them claims, in the order in which they are
 * to do so: by the hash of `node#address`, the same on every node. A node without a subnet in common with the claimer
 * is not on its LAN, and would hear no answer.
 */
export function verifiersOf(
  address: string,
  claimer: string,
  reports: readonly Pick<NodeReport, 'node' | 'interfaces'>[],
  hash: Hash,
): readonly string[] {
  const claims = reports.find(({ node }) => node === claimer)?.interfaces;
  const able = reports.filter(({ node, interfaces }) => node !== claimer && isNear(interfaces, claims));
  const candidates = able.map(({ node }) => ({ node, weight: 0 }));
  return rank(candidates, address, hash).map(({ node }) => node);
}

function isNear(ours: readonly NodeInterface[] | undefined, theirs: readonly NodeInterface[] | undefined): boolean {
  if (ours === undefined || theirs === undefined) return true;
  const subnets = (interfaces: readonly NodeInterface[]) =>
    interfaces.flatMap(({ up, prefixes }) => (up ? prefixes : []));
  const near = subnets(theirs);
  return subnets(ours).some((one) => near.some((other) => one.length === other.length && sameAddress(one, other)));
}
