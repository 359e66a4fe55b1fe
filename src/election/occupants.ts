import type { Item } from './item.ts';

/** The addresses on each node, in an order that does not depend on that of the input. */
export class Occupants {
  readonly #on: Item[][];
  /** The nodes whose addresses are in order; nobody has asked for the others yet. */
  readonly #ordered = new Set<number>();

  constructor(items: readonly Item[], nodes: number) {
    this.#on = Array.from({ length: nodes }, () => []);
    for (const item of items) if (item.at >= 0) this.#on[item.at]!.push(item);
  }

  on(node: number): readonly Item[] {
    const items = this.#on[node]!;
    if (!this.#ordered.has(node)) {
      items.sort((a, b) => (a.address < b.address ? -1 : 1));
      this.#ordered.add(node);
    }
    return items;
  }

  /** The item has come to be where it is. */
  add(item: Item): void {
    this.#on[item.at]!.push(item);
    this.#ordered.delete(item.at);
  }

  move(item: Item, node: number): void {
    if (item.at >= 0) this.#on[item.at]!.splice(this.#on[item.at]!.indexOf(item), 1);
    item.at = node;
    this.add(item);
  }
}
