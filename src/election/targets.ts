import type { Candidate } from './metallb.ts';
import type { BallotNode } from './strategy.ts';

/** The nodes that an address may be placed on. One object for all addresses of which they are the same nodes. */
export type Targets = {
  /** Equal for equal nodes, whatever order they were learnt in. */
  readonly key: string;
  /** Ascending; nodes are numbered by name. */
  readonly nodes: readonly number[];
  /** By node: its weight, or 0 for one that is no target. If all targets weigh 0, each weighs 1. */
  readonly weights: Float64Array;
};

/** Where an address stands: `home` is its holder if it may stay there, otherwise -1. */
export type Standing = { readonly targets: Targets; readonly home: number };

/**
 * Narrows candidates down to targets. Of living candidates, those that weigh something go before those that do not,
 * and then the most preferred before the others.
 *
 * An address that is held is looked at as if no node but its holder were returning: therefore a return changes nothing
 * for it. Only for a holder that weighs 0 it is otherwise: it was to help out, and somebody else can do it now.
 */
export class TargetFinder {
  /** Sorted by name. */
  readonly nodes: readonly BallotNode[];
  /** By node: what it weighs as a target, which is 1 where only nodes of weight 0 are. */
  readonly weights: Float64Array;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #byCandidates = new Map<readonly Candidate[], Choice>();
  readonly #targets = new Map<string, Targets>();
  /** What was found last: most addresses have the candidates of the one before. */
  #last: { readonly candidates: readonly Candidate[]; readonly choice: Choice } | undefined;

  constructor(nodes: readonly BallotNode[]) {
    this.nodes = nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    this.weights = Float64Array.from(this.nodes, ({ weight }) => weight || 1);
    this.#numbers = new Map(this.nodes.map(({ name }, number) => [name, number]));
  }

  /** Undefined when no candidate lives. */
  find(candidates: readonly Candidate[], holder: string | undefined): Standing | undefined {
    const choice = this.#last?.candidates === candidates ? this.#last.choice : this.#choiceOf(candidates);
    const { preferences, standings } = choice;
    if (preferences.size === 0) return undefined;
    const number = this.numberOf(holder);
    let standing = standings.get(number);
    if (standing === undefined) {
      standing = this.#stand(preferences, number);
      standings.set(number, standing);
    }
    return standing;
  }

  /** -1 for one that does not live. */
  numberOf(node: string | undefined): number {
    return node === undefined ? -1 : (this.#numbers.get(node) ?? -1);
  }

  #choiceOf(candidates: readonly Candidate[]): Choice {
    let choice = this.#byCandidates.get(candidates);
    if (choice === undefined) {
      choice = { preferences: this.#preferences(candidates), standings: new Map() };
      this.#byCandidates.set(candidates, choice);
    }
    this.#last = { candidates, choice };
    return choice;
  }

  #stand(preferences: ReadonlyMap<number, number>, holder: number): Standing {
    const living = [...preferences.keys()];
    const helpsOut = this.nodes[holder]?.weight === 0 && living.some((node) => this.nodes[node]!.weight > 0);
    if (preferences.has(holder) && !helpsOut) {
      const standing = living.filter((node) => node === holder || !this.nodes[node]!.returning);
      const best = this.#best(standing, preferences);
      if (best.includes(holder)) return { targets: this.#targetsOf(best), home: holder };
    }
    return { targets: this.#targetsOf(this.#best(living, preferences)), home: -1 };
  }

  #best(nodes: readonly number[], preferences: ReadonlyMap<number, number>): readonly number[] {
    const weighty = nodes.filter((node) => this.nodes[node]!.weight > 0);
    const able = weighty.length > 0 ? weighty : nodes;
    const most = able.reduce((max, node) => Math.max(max, preferences.get(node)!), -Infinity);
    return able.filter((node) => preferences.get(node) === most).sort((a, b) => a - b);
  }

  #targetsOf(nodes: readonly number[]): Targets {
    const key = nodes.join(' ');
    let targets = this.#targets.get(key);
    if (targets === undefined) {
      const weights = new Float64Array(this.nodes.length);
      for (const node of nodes) weights[node] = this.weights[node]!;
      targets = { key, nodes, weights };
      this.#targets.set(key, targets);
    }
    return targets;
  }

  #preferences(candidates: readonly Candidate[]): ReadonlyMap<number, number> {
    const preferences = new Map<number, number>();
    for (const { node, weight } of candidates) {
      const number = this.#numbers.get(node);
      if (number !== undefined) preferences.set(number, Math.max(weight, preferences.get(number) ?? -Infinity));
    }
    return preferences;
  }
}

/** What is known of one array of candidates. */
type Choice = {
  /** Living candidate → how much it is preferred. */
  readonly preferences: ReadonlyMap<number, number>;
  /** By the number of the holder, -1 for no living holder. */
  readonly standings: Map<number, Standing>;
};
