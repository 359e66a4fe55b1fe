import { portion } from './fair-share.ts';
import type { BallotAddress } from './strategy.ts';
import type { TargetFinder, Targets } from './targets.ts';

/** An address and where it is. */
export type Item = {
  readonly address: string;
  readonly targets: Targets;
  /** Who holds it and may keep it; -1 for nobody. */
  readonly home: number;
  /** Who says that he has it as well, beside its home; -1 for one that does not live. */
  readonly rival: number | undefined;
  /** -1 while it is nowhere. */
  at: number;
  /** The addresses of its Service, itself included; undefined when it is the only one. */
  siblings: Item[] | undefined;
  /** What `Chance` has drawn for it; -1 until it is asked. */
  lot: number;
};

/** The addresses that have a living candidate: at home, or nowhere. */
export function itemsOf(addresses: readonly BallotAddress[], finder: TargetFinder): readonly Item[] {
  const firsts = new Map<string, Item>();
  const items: Item[] = [];
  for (const { address, service, candidates, holder, rival: other } of addresses) {
    const standing = finder.find(candidates, holder);
    if (standing === undefined) continue;
    const { targets, home } = standing;
    const rival = home < 0 || other === undefined ? undefined : finder.numberOf(other);
    const item: Item = { address, targets, home, rival, at: home, siblings: undefined, lot: -1 };
    items.push(item);
    const first = firsts.get(service);
    if (first === undefined) firsts.set(service, item);
    else {
      first.siblings ??= [first];
      first.siblings.push(item);
      item.siblings = first.siblings;
    }
  }
  // A chain of displacements may go by any of them: by the same on every node.
  for (const item of firsts.values()) item.siblings?.sort((a, b) => (a.address < b.address ? -1 : 1));
  return items;
}

/** How many others of its Service are on the node. */
export function siblingsOn(item: Item, node: number): number {
  if (item.siblings === undefined) return 0;
  let count = 0;
  for (const sibling of item.siblings) if (sibling !== item && sibling.at === node) count += 1;
  return count;
}

/** How many addresses of the item's Service may be on the node. */
export function allowance({ siblings }: Item, node: number): number {
  if (siblings === undefined) return 1;
  let sum = 0;
  for (const { targets } of siblings) if (targets.weights[node]! > 0) sum += portion(targets, siblings.length);
  return Math.ceil(sum - tiny);
}

/** Whether the node may have the item as far as its Service goes. */
export function hasRoomFor(item: Item, node: number): boolean {
  const siblings = siblingsOn(item, node);
  return siblings === 0 || siblings < allowance(item, node);
}

const tiny = 1e-9;
