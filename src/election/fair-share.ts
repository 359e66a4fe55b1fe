import type { Targets } from './targets.ts';

/**
 * What each node would hold if addresses could be divided: its share.
 *
 * All addresses are divided among their targets so that loads per weight become as level as they can: no part of an
 * address is where the load per weight is higher than at another of its targets. There is one such state, of which no
 * node can be relieved without burdening one that has as much already; it has the least possible maximum. Of an
 * address of a Service with k addresses, each target has at most 1/k (or 1/t with t targets, if that is more: its
 * portion), so that what is level is what can be had with the Service spread. With targets that are the same for all,
 * and equal weights, every share is the plain average.
 *
 * Such a division is a flow from addresses through Services on nodes to nodes. It fills no node beyond its share, and
 * no Service on a node beyond the sum of its portions; so with both rounded up to whole numbers there is also a flow of
 * whole addresses. That is why the limits (1.1 times the share, rounded up) can always be met, by all nodes at once.
 *
 * It is found by dividing anew one class of equal addresses after the other, as water finds its level, until nothing
 * changes. Every step is a division as described, so the limits hold even where that would take too many steps.
 */
export class FairShares {
  readonly #shares: Float64Array;
  readonly #classes = new Map<Targets, number[]>();
  /** The entry of #classes that was asked for last: most addresses are like the one before. */
  #last: { readonly targets: Targets; readonly counts: number[] } | undefined;

  constructor(nodes: number) {
    this.#shares = new Float64Array(nodes);
  }

  /** An address of a Service that has `siblings` addresses, itself included. */
  add(targets: Targets, siblings: number): void {
    const portions = Math.min(siblings, targets.nodes.length);
    const counts = this.#last?.targets === targets ? this.#last.counts : this.#countsOf(targets);
    counts[portions] = (counts[portions] ?? 0) + 1;
  }

  /** Call once, after the last `add`. */
  divide(): void {
    const classes = [...this.#classes]
      .flatMap(([targets, counts]) => counts.flatMap((count, portions) => new Class(targets, count, count / portions)))
      .sort(compareClasses);
    const width = classes.reduce((sum, { targets }) => sum + targets.nodes.length, 0);
    const rounds = Math.min(mostRounds, Math.max(fewestRounds, Math.floor(mostSteps / width)));
    for (let round = 0; round < rounds; round++) {
      let change = 0;
      for (const one of classes) change = Math.max(change, one.divide(this.#shares));
      if (change < settled) return;
    }
  }

  #countsOf(targets: Targets): number[] {
    let counts = this.#classes.get(targets);
    if (counts === undefined) {
      counts = [];
      this.#classes.set(targets, counts);
    }
    this.#last = { targets, counts };
    return counts;
  }

  of(node: number): number {
    return this.#shares[node]!;
  }

  /** The most that a node may hold: 1.1 times its share, rounded up. */
  limit(node: number): number {
    const share = this.#shares[node]!;
    return Math.max(0, Math.ceil(1.1 * share - inexact), Math.ceil(share - 1e-6));
  }

  /** The least that a node should hold: 0.9 times its share, rounded down, but one address if it has a share of one. */
  least(node: number): number {
    const share = this.#shares[node]! + inexact;
    return Math.max(Math.floor(0.9 * share), share >= 1 ? 1 : 0);
  }
}

/** More than a share is wrong by, as a rule: so that an average of 10 is no more than that. */
export const inexact = 1e-4;

/** The most of one address that is on one node. */
export function portion(targets: Targets, siblings: number): number {
  return 1 / Math.min(siblings, targets.nodes.length);
}

const mostRounds = 200;
const fewestRounds = 4;
/** Parts to compute, about; some 20 ms. */
const mostSteps = 200_000;
/** A change to a share that is none. */
const settled = 1e-7;
const tiny = 1e-9;

/** Addresses that have everything in common. */
class Class {
  readonly targets: Targets;
  readonly #count: number;
  readonly #most: number;
  /** In the order of the targets' nodes; they add up to the count, from the first division on. */
  readonly #parts: Float64Array;

  constructor(targets: Targets, count: number, most: number) {
    this.targets = targets;
    this.#count = count;
    this.#most = most;
    this.#parts = new Float64Array(targets.nodes.length);
  }

  get most(): number {
    return this.#most;
  }

  /** Takes its parts out of the shares, and puts them back in where the level is now. Returns the largest change. */
  divide(shares: Float64Array): number {
    const { nodes, weights } = this.targets;
    nodes.forEach((node, i) => {
      shares[node]! -= this.#parts[i]!;
    });
    const level = waterLevel(this.targets, shares, this.#count, this.#most);
    let change = 0;
    nodes.forEach((node, i) => {
      const part = Math.min(this.#most, Math.max(0, level * weights[node]! - shares[node]!));
      change = Math.max(change, Math.abs(part - this.#parts[i]!));
      this.#parts[i] = part;
      shares[node]! += part;
    });
    return change;
  }
}

/** In an order that is the same everywhere, because adding up in another one can end in another last digit. */
function compareClasses(a: Class, b: Class): number {
  if (a.targets !== b.targets) {
    return a.targets.nodes.length - b.targets.nodes.length || (a.targets.key < b.targets.key ? -1 : 1);
  }
  return a.most - b.most;
}

/**
 * The level, as load per weight, that `count` more give the targets if they come in like water, no target getting more
 * than `most` of them.
 */
function waterLevel({ nodes, weights }: Targets, loads: Float64Array, count: number, most: number): number {
  const bends: { readonly level: number; readonly width: number }[] = [];
  for (const node of nodes) {
    const weight = weights[node]!;
    const load = loads[node]!;
    bends.push({ level: load / weight, width: weight });
    bends.push({ level: (load + most) / weight, width: -weight });
  }
  bends.sort((a, b) => a.level - b.level || a.width - b.width);
  let level = bends[0]?.level ?? 0;
  let volume = 0;
  let width = 0;
  for (const bend of bends) {
    const next = volume + width * (bend.level - level);
    if (next >= count && width > 0) break;
    volume = next;
    level = bend.level;
    width += bend.width;
  }
  return width > tiny ? level + (count - volume) / width : level;
}
