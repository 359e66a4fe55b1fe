import type { Candidate, Hash } from './metallb.ts';

/** A way to elect owners. Pure: the same ballot, in whatever order, the same owners on every node. */
export interface ElectionStrategy {
  readonly name: StrategyName;
  /** Address → its owner: a living candidate. An address without one is not in it. */
  owners(ballot: Ballot, hash: Hash): ReadonlyMap<string, string>;
}

export type StrategyName = 'metallb' | 'balanced';

/** What is to be decided, as far as this speaker knows. The order means nothing. */
export type Ballot = {
  /** Each once, also one that several Services share: its candidates are then the nodes that all of them can have. */
  readonly addresses: readonly BallotAddress[];
  readonly nodes: readonly BallotNode[];
};

export type BallotAddress = {
  /** Canonical text. */
  readonly address: string;
  /** Addresses of one group go to different nodes. The Service, as a rule. */
  readonly service: string;
  /** Its place in the Service's status. */
  readonly index: number;
  /**
   * The nodes that may announce it, with how much each is preferred, in any order. Addresses that have the same array
   * are decided faster: 10,000 of them with 100 candidates each are a million facts to look at otherwise.
   */
  readonly candidates: readonly Candidate[];
  /** Who has it, by the claims (./claims.ts); may be dead, or a candidate no more. */
  readonly holder?: string | undefined;
  /**
   * Another living candidate that says so as well. Either the holder has taken it for a reason that this speaker does not
   * know yet, or the other has not let go yet: nothing else moves because of it.
   */
  readonly rival?: string | undefined;
};

/** A node with a living speaker. Candidates that are not among these own nothing. */
export type BallotNode = {
  readonly name: string;
  /** How many addresses it takes beside others: twice the weight, twice the addresses. 0: only if nobody else can. */
  readonly weight: number;
  /**
   * It has come (back) lately: it takes what is new or orphaned, but nobody gives up anything for it. For how long a
   * node is such is the fail-back delay, and the caller's business, as is all that has to do with time.
   */
  readonly returning?: boolean | undefined;
};
