/**
 * Items in the order of their keys, no two with the same key; each operation is O(log n). A balanced tree (AVL):
 *
 *           key, item         left:  lower keys
 *           /      \          right: higher keys
 *        left      right      heights differ by one at most
 *
 * With `summarise` every subtree has a summary of its items, by which `find` passes over subtrees that have nothing
 * for it.
 */
export class OrderedMap<Key extends bigint | number, Item, Summary = undefined> {
  readonly #summarise: Summarise<Item, Summary> | undefined;
  #root: Branch<Key, Item, Summary>;
  #size = 0;

  constructor(summarise?: Summarise<Item, Summary>) {
    this.#summarise = summarise;
  }

  get size(): number {
    return this.#size;
  }

  get(key: Key): Item | undefined {
    let node = this.#root;
    while (node && node.key !== key) node = key < node.key ? node.left : node.right;
    return node?.item;
  }

  /** The item with the lowest key. */
  first(): Item | undefined {
    let node = this.#root;
    while (node?.left) node = node.left;
    return node?.item;
  }

  /** The item with the highest key that is not above this one. */
  floor(key: Key): Item | undefined {
    let best: Branch<Key, Item, Summary>;
    for (let node = this.#root; node; ) {
      if (node.key <= key) {
        best = node;
        node = node.right;
      } else {
        node = node.left;
      }
    }
    return best?.item;
  }

  /** The item with the lowest key that is not below this one. */
  ceiling(key: Key): Item | undefined {
    let best: Branch<Key, Item, Summary>;
    for (let node = this.#root; node; ) {
      if (node.key >= key) {
        best = node;
        node = node.left;
      } else {
        node = node.right;
      }
    }
    return best?.item;
  }

  /** The lowest item from the key on that is `right`, only looking where the summary says that one `mayBe`. */
  find(from: Key, mayBe: (summary: Summary) => boolean, right: (item: Item) => boolean): Item | undefined {
    const search = (node: Branch<Key, Item, Summary>): Item | undefined => {
      if (!node || !mayBe(node.summary)) return undefined;
      const isPast = node.key >= from;
      const lower = isPast ? search(node.left) : undefined;
      if (lower !== undefined) return lower;
      return isPast && right(node.item) ? node.item : search(node.right);
    };
    return search(this.#root);
  }

  /** The item at the key, if there is one, is replaced. */
  set(key: Key, item: Item): void {
    const setIn = (node: Branch<Key, Item, Summary>): Node<Key, Item, Summary> => {
      if (!node) {
        this.#size += 1;
        return this.#measured({ key, item, left: undefined, right: undefined, height: 1, summary: undefined! });
      }
      if (key < node.key) return this.#withLeft(node, heightOf(node.left), node.left?.summary, setIn(node.left));
      if (key > node.key) return this.#withRight(node, heightOf(node.right), node.right?.summary, setIn(node.right));
      node.item = item;
      return this.#measured(node);
    };
    this.#root = setIn(this.#root);
  }

  /** The caller knows that an item has the key. */
  delete(key: Key): void {
    const deleteFrom = (node: Branch<Key, Item, Summary>): Branch<Key, Item, Summary> => {
      if (!node) return undefined;
      if (key < node.key) return this.#withLeft(node, heightOf(node.left), node.left?.summary, deleteFrom(node.left));
      if (key > node.key)
        return this.#withRight(node, heightOf(node.right), node.right?.summary, deleteFrom(node.right));
      if (!node.left || !node.right) return node.left ?? node.right;
      node.right = this.#withoutLowest(node.right, node);
      return this.#balanced(node);
    };
    this.#root = deleteFrom(this.#root);
    this.#size -= 1;
  }

  /**
   * To be called when an item that is in the map has changed in what its summary tells. `revise` makes the new summary
   * of a subtree from the one it has, for those that the item is in, from the bottom up.
   */
  revise(key: Key, revise: (summary: Summary, item: Item, left?: Summary, right?: Summary) => Summary): void {
    const reviseIn = (node: Branch<Key, Item, Summary>): void => {
      if (!node) return;
      if (key !== node.key) reviseIn(key < node.key ? node.left : node.right);
      node.summary = revise(node.summary, node.item, node.left?.summary, node.right?.summary);
    };
    reviseIn(this.#root);
  }

  /** Moves the lowest item of the subtree into `heir`, and returns the rest. */
  #withoutLowest(node: Node<Key, Item, Summary>, heir: Node<Key, Item, Summary>): Branch<Key, Item, Summary> {
    if (!node.left) {
      heir.key = node.key;
      heir.item = node.item;
      return node.right;
    }
    node.left = this.#withoutLowest(node.left, heir);
    return this.#balanced(node);
  }

  /** With another left subtree, where that was so high and had this summary: if it still has, no more is to be done. */
  #withLeft(
    node: Node<Key, Item, Summary>,
    height: number,
    summary: Summary | undefined,
    left: Branch<Key, Item, Summary>,
  ): Node<Key, Item, Summary> {
    if (left !== node.left) node.left = left;
    return heightOf(left) === height && left?.summary === summary ? node : this.#balanced(node);
  }

  #withRight(
    node: Node<Key, Item, Summary>,
    height: number,
    summary: Summary | undefined,
    right: Branch<Key, Item, Summary>,
  ): Node<Key, Item, Summary> {
    if (right !== node.right) node.right = right;
    return heightOf(right) === height && right?.summary === summary ? node : this.#balanced(node);
  }

  #balanced(node: Node<Key, Item, Summary>): Node<Key, Item, Summary> {
    const lean = heightOf(node.left) - heightOf(node.right);
    if (lean > 1) {
      if (heightOf(node.left?.left) < heightOf(node.left?.right)) node.left = this.#rotatedLeft(node.left!);
      return this.#rotatedRight(node);
    }
    if (lean < -1) {
      if (heightOf(node.right?.right) < heightOf(node.right?.left)) node.right = this.#rotatedRight(node.right!);
      return this.#rotatedLeft(node);
    }
    return this.#measured(node);
  }

  #rotatedLeft(node: Node<Key, Item, Summary>): Node<Key, Item, Summary> {
    const top = node.right!;
    node.right = top.left;
    top.left = this.#measured(node);
    return this.#measured(top);
  }

  #rotatedRight(node: Node<Key, Item, Summary>): Node<Key, Item, Summary> {
    const top = node.left!;
    node.left = top.right;
    top.right = this.#measured(node);
    return this.#measured(top);
  }

  #measured(node: Node<Key, Item, Summary>): Node<Key, Item, Summary> {
    const left = heightOf(node.left);
    const right = heightOf(node.right);
    node.height = (left > right ? left : right) + 1;
    if (this.#summarise)
      node.summary = this.#summarise(node.item, node.left?.summary, node.right?.summary, node.summary);
    return node;
  }
}

/**
 * Of a subtree: its top item, and the summaries of what is below on both sides, where there is anything. Where the
 * subtree had a summary before and the new one says the same, that very value is to be returned.
 */
export type Summarise<Item, Summary> = (
  item: Item,
  left: Summary | undefined,
  right: Summary | undefined,
  before: Summary | undefined,
) => Summary;

type Node<Key, Item, Summary> = {
  key: Key;
  item: Item;
  left: Branch<Key, Item, Summary>;
  right: Branch<Key, Item, Summary>;
  height: number;
  summary: Summary;
};

type Branch<Key, Item, Summary> = Node<Key, Item, Summary> | undefined;

function heightOf(node: Branch<unknown, unknown, unknown>): number {
  return node === undefined ? 0 : node.height;
}
