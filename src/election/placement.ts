import { type FairShares, inexact, portion } from './fair-share.ts';
import type { Targets } from './targets.ts';

/** An address and where it is. */
export type Item = {
  readonly address: string;
  readonly targets: Targets;
  /** Who holds it and may keep it; -1 for nobody. */
  readonly home: number;
  /** -1 while it is nowhere. */
  at: number;
  /** The addresses of its Service, itself included. */
  readonly siblings: readonly Item[];
  /** What `Chance` has drawn for it; -1 until it is asked. */
  lot: number;
};

/**
 * Which address is on which node. Invariant, from `settle` on: no node has more than its limit, and of no Service more
 * than the sum of its portions there, rounded up (one, when there are enough nodes).
 */
export class Placement {
  readonly loads: Float64Array;
  readonly #items: readonly Item[];
  readonly #shares: FairShares;
  readonly #limits: Float64Array;
  readonly #chance: Chance;
  #sorted: readonly Item[] | undefined;

  constructor(items: readonly Item[], shares: FairShares, limits: Float64Array, chance: Chance) {
    this.#items = items;
    this.#shares = shares;
    this.#limits = limits;
    this.#chance = chance;
    this.loads = new Float64Array(limits.length);
    for (const { at } of items) if (at >= 0) this.loads[at]! += 1;
  }

  /**
   * Takes from every node what it has too much of, and places that and what is nowhere. So few held addresses move
   * that no other way to keep to the invariant moves fewer: what is too much and what is nowhere has to be placed
   * anyway, one after the other; that goes by the shortest augmenting path, which keeps the cost of the flow minimal.
   */
  settle(): void {
    const excess = this.#takeExcess();
    const orphans = this.#items.filter(({ at, home }) => at < 0 && home < 0);
    // Excess first: for an orphan, no detour is shorter than the next free place, but it is for what has a home to go to.
    for (const [targets, items] of [...this.#classes(excess), ...this.#classes(orphans)]) {
      const levels = this.#levelsOf(targets);
      for (const item of items) {
        const node = this.#choose(item, levels);
        if (node !== undefined) this.#put(item, node);
        else if (!this.#displace(item)) throw new Error(`no room for ${item.address}, which the limits rule out`);
      }
    }
  }

  /** Evens out what is not held yet, and so can still go anywhere, as far as one move after the other can. */
  level(): void {
    const fresh = this.#items.filter(({ home }) => home < 0);
    const gives = () => true;
    for (let node = 0; node < this.loads.length; node++) {
      this.#take(node, fresh, gives, () => this.loads[node]! < this.#limits[node]!);
    }
  }

  /** Moves held addresses to the node until it has `least`, as long as no giver is left with less than it should have. */
  pull(node: number, least: (node: number) => number): void {
    if (this.loads[node]! >= least(node)) return;
    const held = this.#items.filter(({ at, home }) => at === home);
    const gives = (giver: number) => this.loads[giver]! > least(giver);
    this.#take(node, held, gives, () => this.loads[node]! < least(node));
  }

  /** Moves items to the node, each from where most is, as long as the giver is no worse off than the node then. */
  #take(node: number, items: readonly Item[], gives: (node: number) => boolean, wants: () => boolean): void {
    if (!wants()) return;
    const gifts = new Map<number, Item[]>();
    for (const item of items) {
      // Who is not fuller by then now never will be: givers only get less, and the node only more.
      if (item.targets.weights[node] === 0 || !this.#isFuller(item, node)) continue;
      const given = gifts.get(item.at);
      if (given === undefined) gifts.set(item.at, [item]);
      else given.push(item);
    }
    // The last one is the first to go.
    for (const given of gifts.values()) given.sort((a, b) => this.#compareFor(node, b, a));
    while (wants()) {
      const item = this.#fullest(gifts, node, gives)?.pop();
      if (item === undefined) return;
      if (siblingsOn(item, node) > siblingsOn(item, item.at) || !this.#hasSpread(item, node)) continue;
      this.loads[item.at]! -= 1;
      this.#put(item, node);
    }
  }

  /** What the node can be given by the giver that has most, if it has enough more than the node. */
  #fullest(gifts: ReadonlyMap<number, Item[]>, node: number, gives: (node: number) => boolean): Item[] | undefined {
    let best: number | undefined;
    let most = -Infinity;
    for (const [giver, given] of gifts) {
      const item = given.at(-1);
      if (item === undefined || !gives(giver) || !this.#isFuller(item, node)) continue;
      const load = this.loads[giver]! / item.targets.weights[giver]!;
      if (load < most || (load === most && giver > best!)) continue;
      [best, most] = [giver, load];
    }
    return best === undefined ? undefined : gifts.get(best);
  }

  /** Whether the item's place holds no less than the node, per weight, even when the item has moved to the node. */
  #isFuller({ at, targets: { weights } }: Item, node: number): boolean {
    return at !== node && (this.loads[node]! + 1) / weights[node]! <= (this.loads[at]! - 1) / weights[at]! + tiny;
  }

  /** Takes away what breaks the invariant: that which has most other places first. */
  #takeExcess(): readonly Item[] {
    const excess: Item[] = [];
    const taken = (items: readonly Item[], count: number) => {
      const order = count > 0 ? items.toSorted((a, b) => this.#compareFreedom(a, b)) : [];
      for (const item of order.slice(0, Math.max(0, count))) {
        excess.push(item);
        this.loads[item.at]! -= 1;
        item.at = -1;
      }
    };
    for (const item of this.#items) {
      if (item.siblings.length === 1 || item.at < 0) continue;
      const together = item.siblings.filter(({ at }) => at === item.at);
      taken(together, together.length - mostOf(item, item.at));
    }
    const over = new Map<number, Item[]>();
    this.loads.forEach((load, node) => {
      if (load > this.#limits[node]!) over.set(node, []);
    });
    if (over.size > 0) for (const item of this.#items) over.get(item.at)?.push(item);
    for (const [node, items] of over) taken(items, items.length - this.#limits[node]!);
    return excess;
  }

  /** By targets, those with the fewest first, because the others can fill what these leave. */
  #classes(items: readonly Item[]): readonly (readonly [Targets, readonly Item[]])[] {
    const classes = new Map<Targets, Item[]>();
    for (const item of items) {
      const same = classes.get(item.targets);
      if (same === undefined) classes.set(item.targets, [item]);
      else same.push(item);
    }
    for (const same of classes.values()) same.sort((a, b) => this.#compareByChance(a, b));
    return [...classes].sort(
      ([a], [b]) => a.nodes.length - b.nodes.length || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
    );
  }

  /**
   * Of the targets with room: the fewest siblings; then below the share (of a target that has the least per weight,
   * because nothing is to flow to the others); then by chance.
   */
  #choose(item: Item, { low, high }: Levels): number | undefined {
    const { home, targets } = item;
    if (home >= 0 && this.loads[home]! < this.#limits[home]! && this.#hasSpread(item, home)) return home;
    let best: number | undefined;
    let fewest = Infinity;
    let lowest = Infinity;
    let luckiest = Infinity;
    const { nodes, weights } = targets;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]!;
      const load = this.loads[node]!;
      if (load >= this.#limits[node]!) continue;
      const tier = load < low[i]! ? 0 : load < high[i]! ? 1 : 2 + load / weights[node]!;
      const siblings = siblingsOn(item, node);
      if (siblings > fewest || (siblings === fewest && tier > lowest)) continue;
      if (siblings > 0 && siblings >= mostOf(item, node)) continue;
      const chance = this.#chance.of(item, node);
      if (siblings === fewest && tier === lowest && chance >= luckiest) continue;
      best = node;
      fewest = siblings;
      lowest = tier;
      luckiest = chance;
    }
    return best;
  }

  #levelsOf({ nodes, weights }: Targets): Levels {
    const levels = nodes.map((node) => this.#shares.of(node) / weights[node]!);
    const least = Math.min(...levels);
    const isLeast = levels.map((level) => level < least * (1 + inexact) + inexact);
    return {
      low: nodes.map((node, i) => (isLeast[i] ? Math.floor(this.#shares.of(node) + inexact) : 0)),
      high: nodes.map((node, i) => (isLeast[i] ? Math.ceil(this.#shares.of(node) - inexact) : 0)),
    };
  }

  #hasSpread(item: Item, node: number): boolean {
    const siblings = siblingsOn(item, node);
    return siblings === 0 || siblings < mostOf(item, node);
  }

  #put(item: Item, node: number): void {
    item.at = node;
    this.loads[node]! += 1;
  }

  /**
   * Makes room for an address that has none: it takes the place of another, which takes the place of another, and so
   * on until there is room. Of all such chains, one that moves the fewest held addresses (shortest path in the
   * residual graph; links may cost -1, where one moves back home, but no cycle does).
   */
  #displace(item: Item): boolean {
    const on = this.#byNode();
    const itemCost = new Map<Item, number>([[item, 0]]);
    const itemVia = new Map<Item, Item>();
    const nodeCost = new Float64Array(this.loads.length).fill(Infinity);
    const nodeVia: Item[] = [];
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
    for (const mover of queue) {
      waiting.delete(mover);
      const leaving = itemCost.get(mover)! - moveCost(mover, mover.at);
      for (const node of mover.targets.nodes) {
        if (node === mover.at) continue;
        const cost = leaving + moveCost(mover, node);
        if (!this.#hasSpread(mover, node)) {
          for (const sibling of mover.siblings) if (sibling.at === node) reach(sibling, cost, mover);
          continue;
        }
        if (cost >= nodeCost[node]!) continue;
        nodeCost[node] = cost;
        nodeVia[node] = mover;
        if (this.loads[node]! < this.#limits[node]!) {
          if (end < 0 || cost < nodeCost[end]!) end = node;
        } else {
          for (const other of on[node]!) reach(other, cost, mover);
        }
      }
      // No chain is cheaper than its first link.
      if (end >= 0 && nodeCost[end]! <= (item.home < 0 ? 1 : 0)) break;
    }
    if (end < 0) return false;
    this.loads[end]! += 1;
    let mover: Item | undefined = nodeVia[end];
    let target = end;
    while (mover !== undefined) {
      const left: number = mover.at;
      mover.at = target;
      target = left;
      mover = itemVia.get(mover);
    }
    return true;
  }

  /** In an order that does not depend on that of the input. */
  #byNode(): readonly (readonly Item[])[] {
    this.#sorted ??= this.#items.toSorted((a, b) => (a.address < b.address ? -1 : 1));
    const on: Item[][] = Array.from(this.loads, () => []);
    for (const item of this.#sorted) if (item.at >= 0) on[item.at]!.push(item);
    return on;
  }

  #compareFreedom(a: Item, b: Item): number {
    return b.targets.nodes.length - a.targets.nodes.length || this.#compareByChance(a, b);
  }

  #compareByChance(a: Item, b: Item): number {
    return this.#chance.ofItem(a) - this.#chance.ofItem(b) || (a.address < b.address ? -1 : 1);
  }

  #compareFor(node: number, a: Item, b: Item): number {
    const chance = this.#chance.of(a, node) - this.#chance.of(b, node);
    return siblingsOn(a, node) - siblingsOn(b, node) || chance || (a.address < b.address ? -1 : 1);
  }
}

/** Numbers that look random, and are the same on every node. */
export type Chance = { ofItem(item: Item): number; of(item: Item, node: number): number };

/** By target: up to where it is filled first, and then. */
type Levels = { readonly low: readonly number[]; readonly high: readonly number[] };

const tiny = 1e-9;

/** Nowhere is as far as any place that is not home. */
function moveCost(item: Item, node: number): number {
  return node < 0 ? 0 : node === item.home ? 0 : 1;
}

function siblingsOn(item: Item, node: number): number {
  if (item.siblings.length === 1) return 0;
  let count = 0;
  for (const sibling of item.siblings) if (sibling !== item && sibling.at === node) count += 1;
  return count;
}

/** How many addresses of the item's Service may be on the node. */
function mostOf({ siblings }: Item, node: number): number {
  let sum = 0;
  for (const { targets } of siblings) if (targets.weights[node]! > 0) sum += portion(targets, siblings.length);
  return Math.ceil(sum - tiny);
}
