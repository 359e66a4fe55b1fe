import type { Chance } from './chance.ts';
import { displace } from './displacement.ts';
import { type FairShares, inexact } from './fair-share.ts';
import { allowance, hasRoomFor, type Item, siblingsOn } from './item.ts';
import { Occupants } from './occupants.ts';
import type { Targets } from './targets.ts';

export type PlacementOptions = {
  readonly items: readonly Item[];
  readonly shares: FairShares;
  /** By node: the most that it may have. */
  readonly limits: Float64Array;
  /** By node: what it weighs as a target. */
  readonly weights: Float64Array;
  readonly chance: Chance;
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
  readonly #weights: Float64Array;
  readonly #chance: Chance;
  readonly #marks: { readonly low: Float64Array; readonly high: Float64Array };
  /** What is where; undefined until a displacement asks. */
  #occupants: Occupants | undefined;
  /** By node: what it has from before, and has not given away. Undefined until somebody pulls. */
  #held: Item[][] | undefined;

  constructor({ items, shares, limits, weights, chance }: PlacementOptions) {
    this.#items = items;
    this.#shares = shares;
    this.#limits = limits;
    this.#weights = weights;
    this.#chance = chance;
    this.loads = new Float64Array(limits.length);
    this.#marks = { low: new Float64Array(limits.length), high: new Float64Array(limits.length) };
    for (const { at } of items) if (at >= 0) this.loads[at]! += 1;
  }

  /**
   * Takes from every node what it has too much of, and places that and what is nowhere. So few held addresses move
   * that no other way to keep to the invariant moves fewer: what is too much and what is nowhere has to be placed
   * anyway, one after the other; that goes by the shortest augmenting path, which keeps the cost of the flow minimal.
   *
   * There always is such a path, because the limits were made so (./fair-share.ts). Should that ever be wrong, an
   * address goes where least is: too much on a node is a flaw, no owner would be an outage.
   */
  settle(): void {
    const excess = this.#takeExcess();
    const orphans = this.#items.filter(({ at, home }) => at < 0 && home < 0);
    // Excess first: for an orphan, no detour is shorter than the next free place, but it is for what has a home to go to.
    for (const [targets, items] of [...this.#classes(excess), ...this.#classes(orphans)]) {
      const levels = this.#levelsOf(targets);
      for (const item of items) {
        const node = this.#choose(item, levels);
        if (node >= 0) this.#put(item, node);
        else if (!this.#displace(item)) this.#put(item, this.#emptiest(targets));
      }
    }
    this.#occupants = undefined;
  }

  /** Evens out what is not held yet, and so can still go anywhere, as far as one move after the other can. */
  level(): void {
    let fresh: Item[][] | undefined;
    for (let node = 0; node < this.loads.length; node++) {
      if (!this.#hasFuller(node)) continue;
      fresh ??= this.#byNode(({ home }) => home < 0);
      const taken = this.#take(node, fresh, everybody, () => this.loads[node]! < this.#limits[node]!);
      fresh[node]!.push(...taken);
    }
  }

  /**
   * Moves held addresses to the node until it has `least`, of those that may give, and as long as none is left with less
   * than it should have.
   */
  pull(node: number, least: (node: number) => number, mayGive: (node: number) => boolean): void {
    if (this.loads[node]! >= least(node) || !this.#hasFuller(node)) return;
    this.#held ??= this.#byNode(({ at, home }) => at === home);
    const gives = (giver: number) => mayGive(giver) && this.loads[giver]! > least(giver);
    this.#take(node, this.#held, gives, () => this.loads[node]! < least(node));
  }

  /**
   * Moves items to the node, each from where most is, as long as the giver is no worse off than the node then. `from`
   * has by node what it can give; what it gave is taken out there, and returned.
   */
  #take(node: number, from: Item[][], gives: (node: number) => boolean, wants: () => boolean): readonly Item[] {
    const taken: Item[] = [];
    if (!wants()) return taken;
    const gifts = new Map<number, Item[]>();
    for (let giver = 0; giver < from.length; giver++) {
      // Who is not fuller by then now never will be: givers only get less, and the node only more.
      if (!this.#isFuller(giver, node)) continue;
      const given = from[giver]!.filter(({ targets }) => targets.weights[node]! > 0);
      if (given.length > 0) gifts.set(giver, this.#lastFirst(given, node));
    }
    const givers = new Set<number>();
    while (wants()) {
      const item = this.#fullest(gifts, node, gives)?.pop();
      if (item === undefined) break;
      if (siblingsOn(item, node) > siblingsOn(item, item.at) || !hasRoomFor(item, node)) continue;
      givers.add(item.at);
      this.loads[item.at]! -= 1;
      this.#put(item, node);
      taken.push(item);
    }
    for (const giver of givers) from[giver] = from[giver]!.filter(({ at }) => at === giver);
    return taken;
  }

  /** The last one is the first to go to the node: it has the fewest siblings there, and then the lowest number. */
  #lastFirst(items: readonly Item[], node: number): Item[] {
    const draws = items.map((item) => ({
      item,
      siblings: siblingsOn(item, node),
      draw: this.#chance.of(this.#chance.lotOf(item), node),
    }));
    draws.sort((a, b) => b.siblings - a.siblings || b.draw - a.draw || (b.item.address < a.item.address ? -1 : 1));
    return draws.map(({ item }) => item);
  }

  /** What the node can be given by the giver that has most, if it has enough more than the node. */
  #fullest(gifts: ReadonlyMap<number, Item[]>, node: number, gives: (node: number) => boolean): Item[] | undefined {
    let best: number | undefined;
    let most = -Infinity;
    for (const [giver, given] of gifts) {
      if (given.length === 0 || !gives(giver) || !this.#isFuller(giver, node)) continue;
      const load = this.loads[giver]! / this.#weights[giver]!;
      if (load < most || (load === most && giver > best!)) continue;
      [best, most] = [giver, load];
    }
    return best === undefined ? undefined : gifts.get(best);
  }

  #hasFuller(node: number): boolean {
    for (let giver = 0; giver < this.loads.length; giver++) if (this.#isFuller(giver, node)) return true;
    return false;
  }

  /** Whether the giver holds no less than the node, per weight, even when one more has moved to the node. */
  #isFuller(giver: number, node: number): boolean {
    const [weights, loads] = [this.#weights, this.loads];
    return giver !== node && (loads[node]! + 1) / weights[node]! <= (loads[giver]! - 1) / weights[giver]! + tiny;
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
      if (item.siblings === undefined || item.at < 0) continue;
      const together = item.siblings.filter(({ at }) => at === item.at);
      if (together.every(({ rival }) => rival === undefined))
        taken(together, together.length - allowance(item, item.at));
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
   * because nothing is to flow to the others); then by chance. -1 when there is none. What was taken from its home does
   * not find room there again: loads only rise, and only one of its Service can take the place of another.
   */
  #choose(item: Item, levels: Levels): number {
    if (item.siblings !== undefined) return this.#search(item, levels);
    const lot = this.#chance.lotOf(item);
    const low = this.#luckiest(lot, levels.low);
    if (low >= 0) return low;
    const high = this.#luckiest(lot, levels.high);
    return high >= 0 ? high : this.#search(item, levels);
  }

  /** The node that is still below its mark, by chance. Loads only rise now: who has reached it is not asked again. */
  #luckiest(lot: number, marks: Marks): number {
    const { below, mark } = marks;
    let best = -1;
    let luckiest = Infinity;
    let kept = 0;
    for (let i = 0; i < below.length; i++) {
      const node = below[i]!;
      if (this.loads[node]! >= mark[node]! || this.loads[node]! >= this.#limits[node]!) continue;
      below[kept++] = node;
      const chance = this.#chance.of(lot, node);
      if (chance >= luckiest) continue;
      best = node;
      luckiest = chance;
    }
    below.length = kept;
    return best;
  }

  #search(item: Item, { low, high }: Levels): number {
    const lot = this.#chance.lotOf(item);
    let best = -1;
    let fewest = Infinity;
    let lowest = Infinity;
    let luckiest = Infinity;
    for (const node of item.targets.nodes) {
      const load = this.loads[node]!;
      if (load >= this.#limits[node]!) continue;
      const tier = load < low.mark[node]! ? 0 : load < high.mark[node]! ? 1 : 2 + load / this.#weights[node]!;
      const siblings = siblingsOn(item, node);
      if (siblings > fewest || (siblings === fewest && tier > lowest)) continue;
      if (siblings > 0 && siblings >= allowance(item, node)) continue;
      const chance = this.#chance.of(lot, node);
      if (siblings === fewest && tier === lowest && chance >= luckiest) continue;
      best = node;
      fewest = siblings;
      lowest = tier;
      luckiest = chance;
    }
    return best;
  }

  /** Good until it is called again. */
  #levelsOf({ nodes }: Targets): Levels {
    const least = nodes.reduce((min, node) => Math.min(min, this.#levelOf(node)), Infinity);
    const below = nodes.filter((node) => this.#levelOf(node) < least * (1 + inexact) + inexact);
    const { low, high } = this.#marks;
    for (const node of nodes) low[node] = high[node] = 0;
    for (const node of below) {
      low[node] = Math.floor(this.#shares.of(node) + inexact);
      high[node] = Math.ceil(this.#shares.of(node) - inexact);
    }
    return { low: { mark: low, below: [...below] }, high: { mark: high, below: [...below] } };
  }

  #levelOf(node: number): number {
    return this.#shares.of(node) / this.#weights[node]!;
  }

  #put(item: Item, node: number): void {
    item.at = node;
    this.loads[node]! += 1;
    this.#occupants?.add(item);
  }

  #displace(item: Item): boolean {
    this.#occupants ??= new Occupants(this.#items, this.loads.length);
    const end = displace(item, this.#occupants, (node) => this.loads[node]! < this.#limits[node]!);
    if (end < 0) return false;
    this.loads[end]! += 1;
    return true;
  }

  #emptiest({ nodes }: Targets): number {
    const level = (node: number) => this.loads[node]! / this.#weights[node]!;
    return nodes.reduce((best, node) => (level(node) < level(best) ? node : best));
  }

  #byNode(are: (item: Item) => boolean): Item[][] {
    const on: Item[][] = Array.from(this.loads, () => []);
    for (const item of this.#items) if (are(item)) on[item.at]!.push(item);
    return on;
  }

  #compareFreedom(a: Item, b: Item): number {
    return b.targets.nodes.length - a.targets.nodes.length || this.#compareByChance(a, b);
  }

  #compareByChance(a: Item, b: Item): number {
    return this.#chance.lotOf(a) - this.#chance.lotOf(b) || (a.address < b.address ? -1 : 1);
  }
}

/** For one kind of targets: up to where the nodes are filled first, and then. */
type Levels = { readonly low: Marks; readonly high: Marks };

/** `mark` is by node; `below` are, ascending, the nodes that may still be below it. */
type Marks = { readonly mark: Float64Array; readonly below: number[] };

const tiny = 1e-9;
const everybody = () => true;
