import { type Address, formatAddress } from '../ip/address.ts';
import {
  type Advertisement,
  advertisementsFor,
  announcedInterfaces,
  coversNode,
  type Labels,
  preferenceWeight,
} from './advertisement.ts';
import { type CandidacyReason, candidacyOf, type NodeFacts } from './candidacy.ts';
import type { ServingEndpoints } from './endpoints.ts';
import { type NodeInterface, type Unfitness, unfitness } from './interface-fitness.ts';
import type { WithdrawReason } from './withdraw-reason.ts';

/**
 * MetalLB's election: every node computes the owner by itself, from the same facts, and so arrives at the same one
 * without a message. A node that leaves moves only what it owned; a node that comes back takes back what it owned.
 * What MetalLB's speakers do not know (marks of nodes, their interfaces) counts while none of them is in the ring.
 */
export function elect(service: ElectionService, cluster: ElectionCluster, hash: Hash): Election {
  if (!service.endpoints.any) return withdrawn('notOwner');
  const advertisements = advertisementsFor(service.labels, service.advertisements);
  if (service.sharesAddress && advertisements.some((one) => one.serviceSelectors.length > 0)) {
    return withdrawn('sharedIPWithServiceSelector');
  }
  const excluded: ExcludedNode[] = [];
  const eligible: ElectionNode[] = [];
  for (const node of cluster.nodes) {
    const why = exclusion(node, service, cluster, advertisements);
    if (why === undefined) eligible.push(node);
    else excluded.push({ node: node.name, why });
  }
  excluded.sort((a, b) => (a.node < b.node ? -1 : 1));
  // Those that are to hand over come last.
  const ranked = [false, true].map((planned) => {
    const alike = eligible.filter((node) => candidacyIn(cluster, node).planned === planned);
    const weighed = alike.map(({ name, labels }) => ({ node: name, weight: preferenceWeight(advertisements, labels) }));
    return rank(weighed, formatAddress(service.address), hash);
  });
  const candidates = ranked.flat();
  const owner = candidates[0]?.node;
  if (owner !== undefined) return { owner, reason: 'elected', candidates, excluded };
  const covered = excluded.some(({ why }) => why !== 'noMatchingAdvertisement');
  return withdrawn(covered ? 'notOwner' : 'noMatchingAdvertisement', excluded);
}

/** By weight descending, then by the hash of `node#address` ascending. */
export function rank(candidates: readonly Candidate[], address: string, hash: Hash): readonly Candidate[] {
  return candidates
    .map((candidate) => ({ candidate, digest: hash(`${candidate.node}#${address}`) }))
    .sort((a, b) => b.candidate.weight - a.candidate.weight || compareBytes(a.digest, b.digest))
    .map(({ candidate }) => candidate);
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What MetalLB's speaker on the node would give as its reason. */
export function reasonOn(node: string, election: Election): ElectionReason {
  if (election.owner === undefined || election.owner === node) return election.reason;
  const why = election.excluded.find((one) => one.node === node)?.why;
  return why === 'noMatchingAdvertisement' ? why : 'notOwner';
}

/** SHA-256. A parameter, because the core imports nothing. */
export type Hash = (text: string) => Uint8Array;

export type ElectionService = {
  /** The first address in the Service's status. Its owner announces all of them. */
  readonly address: Address;
  readonly labels: Labels;
  readonly trafficPolicy: 'Cluster' | 'Local';
  /** Whether the Service has the annotation to share its address, with whatever value. */
  readonly sharesAddress: boolean;
  readonly endpoints: ServingEndpoints;
  /** Of the pool that the address is from. */
  readonly advertisements: readonly Advertisement[];
};

export type ElectionCluster = {
  readonly nodes: Iterable<ElectionNode>;
  /** Nodes whose speaker is alive, or only suspected to be dead. Without a member list: all nodes. */
  readonly members: ReadonlySet<string>;
  /** Whether nodes labelled `node.kubernetes.io/exclude-from-external-load-balancers` announce all the same. */
  readonly ignoreExcludeLabel: boolean;
  /** Whether no speaker of MetalLB is in the ring. Absent: not known, and decided as it would. */
  readonly oursAlone?: boolean;
  /** Node → what it said of its interfaces. */
  readonly interfaces?: ReadonlyMap<string, readonly NodeInterface[]>;
  /** As `Config.layer2` has it. */
  readonly requireSubnetAddress?: boolean;
};

export type ElectionNode = NodeFacts;

export type Election = {
  /** The node that announces; undefined when none does. */
  readonly owner: string | undefined;
  readonly reason: ElectionReason;
  /** Best first: if the owner fails, the next one takes over. */
  readonly candidates: readonly Candidate[];
  /** By node name. Empty when the Service is withdrawn before nodes are looked at. */
  readonly excluded: readonly ExcludedNode[];
};

export type ElectionReason =
  | 'elected'
  | Extract<WithdrawReason, 'notOwner' | 'noMatchingAdvertisement' | 'sharedIPWithServiceSelector'>;

export type Candidate = { readonly node: string; readonly weight: number };

export type ExcludedNode = { readonly node: string; readonly why: Exclusion };

export type Exclusion =
  | 'noMatchingAdvertisement'
  /** No living speaker on the node. */
  | 'noSpeaker'
  | CandidacyReason
  | Unfitness
  /** `externalTrafficPolicy: Local`, and no endpoint serves on the node. */
  | 'noLocalEndpoints';

function exclusion(
  node: ElectionNode,
  service: ElectionService,
  cluster: ElectionCluster,
  advertisements: readonly Advertisement[],
): Exclusion | undefined {
  if (!advertisements.some((one) => coversNode(one, node.labels))) return 'noMatchingAdvertisement';
  if (!cluster.members.has(node.name)) return 'noSpeaker';
  const candidacy = candidacyIn(cluster, node);
  if (!candidacy.may) return candidacy.reason;
  if (service.trafficPolicy === 'Local' && !service.endpoints.nodes.has(node.name)) return 'noLocalEndpoints';
  const { oursAlone = false, requireSubnetAddress = false } = cluster;
  if (!oursAlone) return undefined;
  const interfaces = announcedInterfaces(advertisements, node.labels);
  const demand = { address: service.address, interfaces, requireSubnetAddress };
  return unfitness(demand, cluster.interfaces?.get(node.name));
}

function candidacyIn({ oursAlone = false, ignoreExcludeLabel }: ElectionCluster, node: ElectionNode) {
  return candidacyOf(node, { election: 'metallb', oursAlone, ignoreExcludeLabel });
}

function withdrawn(reason: Exclude<ElectionReason, 'elected'>, excluded: readonly ExcludedNode[] = []): Election {
  return { owner: undefined, reason, candidates: [], excluded };
}
