import { balanced } from '../election/balanced.ts';
import { candidacyOf } from '../election/candidacy.ts';
import type { Claim } from '../election/claims.ts';
import type { ElectionCluster, Hash } from '../election/metallb.ts';
import type { Ballot, BallotAddress } from '../election/strategy.ts';

/** For how long a loss is fresh: until then every speaker has learnt of it, and taken what falls to it; milliseconds. */
const freshness = 1_000;

/** Who had an address, as we had it. */
export type Tenure = { readonly node: string; readonly until: number };

/** Whether it ended so lately that a loss may be why. */
export function isFresh(before: Tenure | undefined, now: number): before is Tenure {
  return before !== undefined && now - before.until < freshness;
}

/**
 * What was lost lately, and how the addresses of the lost are elected meanwhile.
 *
 * Speakers learn of a loss at different times, and those that learn first have taken their part by then. What is left
 * must not go elsewhere because of it; but where an orphan goes depends on the other orphans. So all that the lost had
 * is placed together as long as the loss is fresh, as if nobody had taken any of it: everybody finds the same places.
 * Who has taken what falls to another all the same, because he knows something else, keeps it.
 */
export class FreshLosses {
  readonly #lost = new Map<string, number>();
  #standing: ReadonlySet<string> = new Set();

  /** The nodes are others, or may do other things. */
  see(cluster: ElectionCluster, now: number): void {
    const standing = standingOf(cluster);
    for (const name of this.#standing) if (!standing.has(name)) this.#lost.set(name, now);
    for (const name of standing) this.#lost.delete(name);
    this.#standing = standing;
    this.forget(now);
  }

  /** Returns for how long the freshest of the losses still is; undefined when none is. */
  forget(now: number): number | undefined {
    let longest: number | undefined;
    for (const [name, at] of this.#lost) {
      const left = at + freshness - now;
      if (left <= 0) this.#lost.delete(name);
      else longest = Math.max(longest ?? 0, left);
    }
    return longest;
  }

  /** Whether the address was that of a lost one, which may have let go already, and is the holder's by now. */
  isTaken(claims: Iterable<Claim>, holder: Claim | undefined, before: Tenure | undefined, now: number): boolean {
    if (this.#lost.size === 0 || holder === undefined) return false;
    if (isFresh(before, now) && this.#lost.has(before.node)) return true;
    for (const { node, since } of claims) if (this.#lost.has(node) && since < holder.since) return true;
    return false;
  }

  clear(): void {
    this.#lost.clear();
    this.#standing = new Set();
  }
}

/** How often it is tried without those that contradict. */
const mostAttempts = 3;

/**
 * The owners of the addresses. While there are orphans left, `taken` are placed with them; but not those that would come
 * elsewhere than they are.
 */
export function ownersOf(
  { addresses, nodes }: Ballot,
  taken: readonly BallotAddress[],
  hash: Hash,
): ReadonlyMap<string, string> {
  const isAnyLeft = addresses.some(({ holder }) => holder === undefined);
  let orphans: ReadonlySet<BallotAddress> = new Set(isAnyLeft ? taken : []);
  for (let attempt = 0; attempt < mostAttempts && orphans.size > 0; attempt++) {
    const asBefore = addresses.map((one) => (orphans.has(one) ? { ...one, holder: undefined, rival: undefined } : one));
    const owners = balanced.owners({ addresses: asBefore, nodes }, hash);
    const confirmed = new Set([...orphans].filter(({ address, holder }) => owners.get(address) === holder));
    if (confirmed.size === orphans.size) return owners;
    orphans = confirmed;
  }
  return balanced.owners({ addresses, nodes }, hash);
}

/** The nodes that take part in elections like any other. */
function standingOf({ nodes, members, ignoreExcludeLabel }: ElectionCluster): ReadonlySet<string> {
  const rules = { election: 'balanced', oursAlone: true, ignoreExcludeLabel } as const;
  const names = new Set<string>();
  for (const node of nodes) {
    const { may, planned } = candidacyOf(node, rules);
    if (may && !planned && members.has(node.name)) names.add(node.name);
  }
  return names;
}
