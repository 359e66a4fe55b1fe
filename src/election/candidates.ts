import type { Address } from '../ip/address.ts';
import { type Advertisement, announcedInterfaces, coversNode, preferenceWeight } from './advertisement.ts';
import { type Candidacy, candidacyOf, firstChoice } from './candidacy.ts';
import { unfitness } from './interface-fitness.ts';
import type { Candidate, ElectionCluster, ElectionNode, ExcludedNode, Exclusion } from './metallb.ts';
import { Subnets } from './subnets.ts';

/** What an address of a Service asks of the nodes that may announce it. */
export type AddressWish = {
  readonly address: Address;
  /** Those of its pool that are about the Service. Equal lists had better be one array: it is looked at once. */
  readonly advertisements: readonly Advertisement[];
  /** With traffic policy Local: the names of the nodes where an endpoint serves, sorted, with spaces between. */
  readonly localTo: string | undefined;
};

/** Who may announce an address, for `balanced`. */
export type CandidateList = {
  /** Those among whom is elected, by name: none that hands over what it has, unless there is no other. */
  readonly candidates: readonly Candidate[];
  /** The names of these. */
  readonly names: ReadonlySet<string>;
  /** The candidates, and those that come last. */
  readonly able: readonly Able[];
  /** By name. */
  excluded(): readonly ExcludedNode[];
};

type Able = Candidate & { readonly candidacy: Candidacy };

/**
 * The candidates of addresses in a cluster as it is now. Addresses that ask the same have one list, made once: there
 * may be ten thousand of them, and a hundred nodes to look at for each.
 */
export class Candidates {
  readonly #nodes: readonly ElectionNode[];
  readonly #cluster: ElectionCluster;
  readonly #subnets: Subnets;
  /** By advertisements and subnets. */
  readonly #everywhere = new Map<readonly Advertisement[], Map<string, CandidateList>>();
  readonly #byName = new Map<CandidateList, ReadonlyMap<string, Able>>();
  readonly #local = new Map<CandidateList, Map<string, CandidateList>>();
  readonly #joint = new Map<CandidateList, Map<CandidateList, CandidateList>>();

  constructor(cluster: ElectionCluster) {
    const { nodes, requireSubnetAddress = false, interfaces = new Map() } = cluster;
    this.#cluster = cluster;
    this.#nodes = [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
    const said = requireSubnetAddress ? [...interfaces.values()].flat() : [];
    this.#subnets = new Subnets(said.flatMap(({ prefixes }) => prefixes));
  }

  of({ address, advertisements, localTo }: AddressWish): CandidateList {
    const bySubnets = getOrMake(this.#everywhere, advertisements, () => new Map<string, CandidateList>());
    const everywhere = getOrMake(bySubnets, this.#subnets.of(address), () => this.#judge(address, advertisements));
    if (localTo === undefined) return everywhere;
    const byNodes = getOrMake(this.#local, everywhere, () => new Map<string, CandidateList>());
    return getOrMake(byNodes, localTo, () => {
      const byName = getOrMake(this.#byName, everywhere, () => new Map(everywhere.able.map((one) => [one.node, one])));
      const able = localTo.split(' ').flatMap((name) => byName.get(name) ?? []);
      return listOf(able, () => without(everywhere, able, 'noLocalEndpoints'));
    });
  }

  /**
   * The candidates of an address that Services share: the nodes that may announce it for all of them; if there is none,
   * for as many as possible. One that nobody may announce keeps nobody else's address from the LAN.
   */
  together(lists: readonly CandidateList[]): CandidateList {
    const [first, ...others] = [...new Set(lists)].filter(({ able }) => able.length > 0);
    if (first === undefined) return lists[0]!;
    if (others.length === 0) return first;
    const [second] = others;
    if (others.length > 1 || second === undefined) return joint([first, ...others]);
    return getOrMake(
      getOrMake(this.#joint, first, () => new Map<CandidateList, CandidateList>()),
      second,
      () => joint([first, second]),
    );
  }

  #judge(address: Address, advertisements: readonly Advertisement[]): CandidateList {
    const able: Able[] = [];
    const excluded: ExcludedNode[] = [];
    for (const node of this.#nodes) {
      const candidacy = this.#candidacyOf(node);
      const why = this.#exclusion(node, candidacy, address, advertisements);
      if (why !== undefined) excluded.push({ node: node.name, why });
      else able.push({ node: node.name, weight: preferenceWeight(advertisements, node.labels), candidacy });
    }
    return listOf(able, () => excluded);
  }

  #exclusion(
    node: ElectionNode,
    candidacy: Candidacy,
    address: Address,
    advertisements: readonly Advertisement[],
  ): Exclusion | undefined {
    const { members, interfaces, requireSubnetAddress = false } = this.#cluster;
    if (!advertisements.some((one) => coversNode(one, node.labels))) return 'noMatchingAdvertisement';
    if (!members.has(node.name)) return 'noSpeaker';
    if (!candidacy.may) return candidacy.reason;
    const named = announcedInterfaces(advertisements, node.labels);
    return unfitness({ address, interfaces: named, requireSubnetAddress }, interfaces?.get(node.name));
  }

  #candidacyOf(node: ElectionNode): Candidacy {
    const { ignoreExcludeLabel } = this.#cluster;
    return candidacyOf(node, { election: 'balanced', oursAlone: true, ignoreExcludeLabel });
  }
}

function listOf(able: readonly Able[], others: () => readonly ExcludedNode[]): CandidateList {
  const first = firstChoice(able);
  let excluded: readonly ExcludedNode[] | undefined;
  return {
    candidates: first,
    names: new Set(first.map(({ node }) => node)),
    able,
    excluded() {
      excluded ??= [...others(), ...waiting(able, first)].sort((a, b) => (a.node < b.node ? -1 : 1));
      return excluded;
    },
  };
}

/** Those that come last, while there are others. */
function waiting(able: readonly Able[], first: readonly Able[]): readonly ExcludedNode[] {
  const last = able.filter((one) => !first.includes(one));
  return last.flatMap(({ node, candidacy: { reason } }) => (reason === undefined ? [] : [{ node, why: reason }]));
}

function without(list: CandidateList, able: readonly Able[], why: Exclusion): readonly ExcludedNode[] {
  const lost = list.able.filter((one) => !able.includes(one)).map(({ node }) => ({ node, why }));
  const known = new Set(list.able.map(({ node }) => node));
  return [...list.excluded().filter(({ node }) => !known.has(node)), ...lost];
}

/** Each list has a node; what it wants of it most counts. */
function joint(lists: readonly CandidateList[]): CandidateList {
  const byNode = new Map<string, { readonly able: Able; readonly count: number }>();
  for (const { able } of lists) {
    for (const one of able) {
      const other = byNode.get(one.node);
      const weight = Math.max(one.weight, other?.able.weight ?? one.weight);
      byNode.set(one.node, { able: { ...one, weight }, count: (other?.count ?? 0) + 1 });
    }
  }
  const most = Math.max(...[...byNode.values()].map(({ count }) => count));
  const able = [...byNode.values()].flatMap((one) => (one.count === most ? [one.able] : []));
  const chosen = new Set(able.map(({ node }) => node));
  const why = new Map(lists.flatMap((list) => list.excluded().map((one) => [one.node, one] as const)));
  return listOf(
    able.sort((a, b) => (a.node < b.node ? -1 : 1)),
    () => [...why.values()].filter(({ node }) => !chosen.has(node)),
  );
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
