import { compareBytes, type Hash } from './metallb.ts';

/** A speaker says that it has the address, and since when. */
export type Claim = {
  readonly node: string;
  /**
   * Milliseconds since 1970 by the clock of whoever claims. A speaker that takes an address over from another claims
   * it for later than the claim that it knows of, whatever its own clock says; so clocks that differ decide nothing.
   */
  readonly since: number;
};

/**
 * Who has an address that several claim: the newest claim wins, because a take-over has a reason that the older
 * holder has not heard of yet; of equal ones the lowest hash of `node#address`. A claim by a node that is no living
 * candidate does not count. Undefined when none counts: the address is an orphan.
 */
export function resolveClaims(
  address: string,
  claims: Iterable<Claim>,
  isCandidate: (node: string) => boolean,
  hash: Hash,
): Claim | undefined {
  let best: Claim | undefined;
  for (const claim of claims) {
    if (isCandidate(claim.node) && (best === undefined || beats(claim, best, address, hash))) best = claim;
  }
  return best;
}

function beats(claim: Claim, other: Claim, address: string, hash: Hash): boolean {
  if (claim.since !== other.since) return claim.since > other.since;
  return compareBytes(hash(`${claim.node}#${address}`), hash(`${other.node}#${address}`)) < 0;
}
