import { HashChance } from './chance.ts';
import { FairShares } from './fair-share.ts';
import { itemsOf } from './item.ts';
import { Placement } from './placement.ts';
import type { ElectionStrategy } from './strategy.ts';
import { TargetFinder } from './targets.ts';

/**
 * Spreads addresses evenly, each by itself, and leaves them where they are as long as that may be.
 *
 * - Where an address may be: on its living candidates; of these only on those that weigh something, if there are such;
 *   of these only on the most preferred. To prefer a node is to want it before every other (MetalLB's
 *   preferredNodeSelectors rank before its hash), so it goes before the balance, which is sought among the preferred.
 * - No node holds more than 1.1 times its share, rounded up. With equal nodes that may all hold everything that is
 *   ceil(1.1 × addresses / nodes). If not, its share is what it has when all addresses are divided as evenly as their
 *   targets allow (./fair-share.ts), which has the least possible maximum; so the limits can always be met.
 * - The addresses of one Service are on different nodes, if there are enough; otherwise as evenly as whole numbers
 *   allow. (If they differ in their targets: on no node more than the sum of their portions there, rounded up.)
 * - Who holds an address keeps it, unless it is no target any more, or one of the two rules above would be broken.
 *   Of those that break one, no more than necessary move, and nothing else does (./placement.ts).
 * - A node that holds less than 0.9 times its share of what is held, rounded down (or nothing, where its share is one),
 *   gets as much from those that hold most and can give. As others do not count while they are `returning`, this is
 *   what joining or failing back does, as few moves as restore the balance; without a return there is rarely a cause.
 * - An address without a holder goes where the fewest of its Service are; of such nodes to one that has less than its
 *   share; of such to that of the lowest hash. Addresses with the fewest targets choose first.
 *
 * What is new moves nothing: it makes shares, and with them limits, only greater, and does not count for the lower
 * bound before it is held. (Unless it can be on so few nodes that there is no room for it without a move.) A return
 * moves nothing either: held addresses are looked at as if it had not been (./targets.ts; but nodes that weigh 0 give).
 *
 * Two speakers that know slightly different things differ only locally. What is held stays where it is by a rule that
 * looks at its own targets alone, until a limit is reached. So of held addresses they can differ on those whose own
 * facts differ, and on as many more as their counts of what is above a limit differ. An orphan's place depends on the
 * others only by which nodes have their share: most go to their first choice by hash, which is the same for all.
 * As soon as it is claimed it is held, and the same for everybody; two claims at once are resolved by ./claims.ts.
 */
export const balanced: ElectionStrategy = {
  name: 'balanced',
  owners({ addresses, nodes }, hash) {
    const finder = new TargetFinder(nodes);
    const items = itemsOf(addresses, finder);
    const shares = new FairShares(nodes.length);
    const heldShares = new FairShares(nodes.length);
    const held = new Float64Array(nodes.length);
    // Who has taken something, and who has less now, or will have.
    const affected = new Set<number>();
    for (const { targets, home, siblings, rival } of items) {
      const count = siblings?.length ?? 1;
      shares.add(targets, count);
      if (home < 0) continue;
      heldShares.add(targets, count);
      held[home]! += 1;
      if (rival !== undefined) affected.add(home).add(rival);
    }
    shares.divide();
    heldShares.divide();
    const isLeftAlone = (node: number) => finder.nodes[node]!.returning || affected.has(node);
    // A node that is returning does not give either what it has got in the meantime.
    const limits = held.map((count, node) => Math.max(isLeftAlone(node) ? count : 0, shares.limit(node)));
    const placement = new Placement({
      items,
      shares,
      limits,
      weights: finder.weights,
      chance: new HashChance(finder.nodes, hash),
    });
    placement.settle();
    placement.level();
    const least = (node: number) => (isLeftAlone(node) ? 0 : heldShares.least(node));
    for (let node = 0; node < limits.length; node++) placement.pull(node, least, (giver) => !affected.has(giver));
    const owners = new Map<string, string>();
    for (const { address, at } of items) owners.set(address, finder.nodes[at]!.name);
    return owners;
  },
};
