import type { PoolDeclaration } from '../api/ip-address-pool.ts';
import type { LabelSelector } from '../api/label-selector.ts';
import type { PoolChoice } from '../api/pool-choice.ts';

type Chooser = { readonly pools: PoolChoice };

/**
 * For each pool the advertisements that choose it, in their order. Pools chosen alike share one list. A pool of a load
 * balancer class has to be named: the class itself says where its addresses are announced.
 */
export function choosersOf<T extends Chooser>(
  pools: readonly PoolDeclaration[],
  choosers: readonly T[],
): readonly (readonly T[])[] {
  const index = new PoolIndex(pools);
  const everywhere: number[] = [];
  const here: number[][] = pools.map(() => []);
  for (const [number, { pools: choice }] of choosers.entries()) {
    if (choice === 'all') everywhere.push(number);
    else for (const pool of index.choose(choice)) here[pool]?.push(number);
  }
  const shared = new Map<string, readonly T[]>();
  return here.map((numbers, pool) => {
    const general = pools[pool]?.ofClass ? [] : everywhere;
    const key = `${general === everywhere ? '' : 'of a class '}${numbers}`;
    const known = shared.get(key);
    if (known !== undefined) return known;
    const list = [...general, ...numbers].sort((a, b) => a - b).map((number) => choosers[number] as T);
    shared.set(key, list);
    return list;
  });
}

/** Finds pools by name and by label without looking at each. */
class PoolIndex {
  readonly #pools: readonly PoolDeclaration[];
  readonly #byName = new Map<string, number>();
  readonly #byLabel = new Map<string, number[]>();

  constructor(pools: readonly PoolDeclaration[]) {
    this.#pools = pools;
    for (const [number, pool] of pools.entries()) {
      this.#byName.set(pool.name, number);
      for (const [key, value] of Object.entries(pool.labels)) {
        const label = `${key}=${value}`;
        const others = this.#byLabel.get(label);
        if (others === undefined) this.#byLabel.set(label, [number]);
        else others.push(number);
      }
    }
  }

  choose({ names, selectors }: Exclude<PoolChoice, 'all'>): ReadonlySet<number> {
    const chosen = new Set<number>();
    for (const name of names) {
      const pool = this.#byName.get(name);
      if (pool !== undefined) chosen.add(pool);
    }
    for (const selector of selectors) for (const pool of this.#selected(selector)) chosen.add(pool);
    return chosen;
  }

  #selected(selector: LabelSelector): readonly number[] {
    const labels = labelsAsked(selector);
    const candidates = labels?.flatMap((label) => this.#byLabel.get(label) ?? []) ?? [...this.#pools.keys()];
    return candidates.filter((number) => {
      const { ofClass, labels = {} } = this.#pools[number] ?? {};
      return !ofClass && selector.matches(labels);
    });
  }
}

/** Labels of which a pool must have one to be selected; undefined when there is nothing it must have. */
function labelsAsked({ requirements }: LabelSelector): readonly string[] | undefined {
  for (const requirement of requirements) {
    if (requirement.operator === 'Equals') return [`${requirement.key}=${requirement.value}`];
    if (requirement.operator === 'In') return requirement.values.map((value) => `${requirement.key}=${value}`);
  }
  return undefined;
}
