export type Labels = Readonly<Record<string, string>>;

/** A label selector that is known to be valid. */
export type Selector = { matches(labels: Labels): boolean };

/** An L2 advertisement of the pool that a Service's addresses are from. `Config` has them in this form. */
export type Advertisement = {
  readonly name: string;
  /** Any may match; empty means every node. */
  readonly nodeSelectors: readonly Selector[];
  readonly preferredNodeSelectors: readonly { readonly weight: number; readonly preference: Selector }[];
  readonly interfaces: readonly string[] | 'all';
  /** Any may match; empty means every Service. */
  readonly serviceSelectors: readonly Selector[];
};

/** Those of the advertisements that are about the Service. */
export function advertisementsFor(
  serviceLabels: Labels,
  advertisements: readonly Advertisement[],
): readonly Advertisement[] {
  return advertisements.filter((one) => selects(one.serviceSelectors, serviceLabels));
}

export function coversNode(advertisement: Advertisement, nodeLabels: Labels): boolean {
  return selects(advertisement.nodeSelectors, nodeLabels);
}

/** How much a node is preferred: all matching weights of the advertisements that cover it. */
export function preferenceWeight(advertisements: readonly Advertisement[], nodeLabels: Labels): number {
  let sum = 0;
  for (const advertisement of advertisements) {
    if (!coversNode(advertisement, nodeLabels)) continue;
    for (const { weight, preference } of advertisement.preferredNodeSelectors) {
      if (preference.matches(nodeLabels)) sum += weight;
    }
  }
  return sum;
}

/** Where a node announces: the interfaces of all advertisements that cover it together, sorted. */
export function announcedInterfaces(
  advertisements: readonly Advertisement[],
  nodeLabels: Labels,
): readonly string[] | 'all' {
  const names = new Set<string>();
  for (const advertisement of advertisements) {
    if (!coversNode(advertisement, nodeLabels)) continue;
    if (advertisement.interfaces === 'all') return 'all';
    for (const name of advertisement.interfaces) names.add(name);
  }
  return [...names].sort();
}

/** Any of them may match; none at all selects everything. */
export function selects(selectors: readonly Selector[], labels: Labels): boolean {
  return selectors.length === 0 || selectors.some((selector) => selector.matches(labels));
}
