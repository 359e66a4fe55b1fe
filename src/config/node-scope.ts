import { Field } from '../api/field.ts';
import { type LabelSelector, readLabelSelectors, readNodeSelector } from '../api/label-selector.ts';
import type { Labels } from '../api/resource.ts';

/**
 * The nodes that BGP resources are judged for. A speaker judges for its own alone, so that what is wrong for one node
 * holds up no other.
 */
export class NodeScope {
  readonly #nodes: readonly Labels[] | undefined;
  /** Indexes into `nodes`, by the text of the selectors. */
  readonly #selected = new Map<string, ReadonlySet<number>>();

  /** Undefined: it is not known which nodes there are, so everything is judged and any two things may meet. */
  constructor(nodes: readonly Labels[] | undefined) {
    this.#nodes = nodes;
  }

  /** Whether there is no node to judge for. */
  get empty(): boolean {
    return this.#nodes?.length === 0;
  }

  /** Whether it is not known which nodes there are. */
  get unknown(): boolean {
    return this.#nodes === undefined;
  }

  /** Whether a resource is about one of the nodes. One whose selectors cannot be read may be about any. */
  concerns(raw: unknown): boolean {
    return this.#concerns(raw, (spec) => readLabelSelectors(spec.at('nodeSelectors')));
  }

  /** The same of a resource that has a `nodeSelector`, the labels of its nodes. */
  concernsByLabels(raw: unknown): boolean {
    return this.#concerns(raw, (spec) => readNodeSelector(spec.at('nodeSelector')));
  }

  /** Whether one of the nodes is selected. */
  selects(selectors: readonly LabelSelector[]): boolean {
    return this.#nodes === undefined || this.#of(selectors).size > 0;
  }

  /** Whether there is a node that both lists select. */
  meet(a: readonly LabelSelector[], b: readonly LabelSelector[]): boolean {
    if (this.#nodes === undefined) return true;
    const ofB = this.#of(b);
    for (const node of this.#of(a)) if (ofB.has(node)) return true;
    return false;
  }

  #concerns(raw: unknown, read: (spec: Field) => readonly LabelSelector[]): boolean {
    if (this.#nodes === undefined || this.empty) return !this.empty;
    const problems: [] = [];
    const selectors = read(Field.root('', raw, problems).at('spec'));
    return problems.length > 0 || this.selects(selectors);
  }

  #of(selectors: readonly LabelSelector[]): ReadonlySet<number> {
    const text = selectors.join(';');
    const known = this.#selected.get(text);
    if (known !== undefined) return known;
    const selects = (labels: Labels) => selectors.length === 0 || selectors.some((one) => one.matches(labels));
    const nodes = this.#nodes ?? [];
    const selected = new Set(nodes.flatMap((labels, index) => (selects(labels) ? [index] : [])));
    this.#selected.set(text, selected);
    return selected;
  }
}
