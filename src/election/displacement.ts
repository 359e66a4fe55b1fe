import { hasRoomFor, type Item } from './item.ts';
import type { Occupants } from './occupants.ts';

/**
 * Makes room for an address that has none: it takes the place of another, which takes the place of another, and so on
 * until there is room. Of all such chains, one that moves the fewest held addresses (shortest path in the residual
 * graph; links may cost -1, where one moves back home, but no cycle does).
 *
 * Returns the node that has one more by it; -1 when there is no chain, and nothing has moved.
 */
export function displace(item: Item, occupants: Occupants, hasRoom: (node: number) => boolean): number {
  const itemCost = new Map<Item, number>([[item, 0]]);
  const itemVia = new Map<Item, Item>();
  const nodeCost = new Map<number, number>();
  const nodeVia = new Map<number, Item>();
  const queue: Item[] = [item];
  const waiting = new Set(queue);
  let end = -1;
  const reach = (other: Item, cost: number, via: Item) => {
    if (cost >= (itemCost.get(other) ?? Infinity)) return;
    itemCost.set(other, cost);
    itemVia.set(other, via);
    if (waiting.has(other)) return;
    waiting.add(other);
    queue.push(other);
  };
  const costOf = (node: number) => nodeCost.get(node) ?? Infinity;
  for (const mover of queue) {
    waiting.delete(mover);
    const leaving = itemCost.get(mover)! - moveCost(mover, mover.at);
    for (const node of mover.targets.nodes) {
      if (node === mover.at) continue;
      const cost = leaving + moveCost(mover, node);
      if (!hasRoomFor(mover, node)) {
        for (const sibling of mover.siblings ?? []) if (sibling.at === node) reach(sibling, cost, mover);
        continue;
      }
      if (cost >= costOf(node)) continue;
      nodeCost.set(node, cost);
      nodeVia.set(node, mover);
      if (hasRoom(node)) {
        if (end < 0 || cost < costOf(end)) end = node;
      } else {
        for (const other of occupants.on(node)) reach(other, cost, mover);
      }
    }
    // No chain is cheaper than its first link.
    if (end >= 0 && costOf(end) <= (item.home < 0 ? 1 : 0)) break;
  }
  if (end < 0) return -1;
  let target = end;
  for (let mover = nodeVia.get(end); mover !== undefined; mover = itemVia.get(mover)) {
    const left: number = mover.at;
    occupants.move(mover, target);
    target = left;
  }
  return end;
}

/** Nowhere is as far as any place that is not home. */
function moveCost(item: Item, node: number): number {
  return node < 0 ? 0 : node === item.home ? 0 : 1;
}
