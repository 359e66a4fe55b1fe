import { defaultWeight, readNodeOptions } from '../api/node-annotations.ts';
import type { NodeFacts } from '../election/candidacy.ts';
import type { Node } from '../kubernetes/core.ts';

/** The taints that an election looks at, with whatever effect and value, and what each says. */
const nodeTaints = {
  'node.kubernetes.io/out-of-service': 'outOfService',
  'node.kubernetes.io/not-ready': 'notReady',
  'node.kubernetes.io/unreachable': 'notReady',
} as const satisfies Readonly<Record<string, keyof NodeFacts>>;

/** What the election reads of a Node; heartbeats and cordons change none of it. */
export function electionNode(node: Node): NodeFacts {
  const { metadata, spec, status } = node;
  const conditions = status?.conditions ?? [];
  const { weight, draining } = readNodeOptions(node);
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    networkUnavailable: conditions.some(({ type, status: is }) => type === 'NetworkUnavailable' && is === 'True'),
    ...(weight === defaultWeight ? {} : { weight }),
    ...(draining ? { draining } : {}),
    ...Object.fromEntries(marksOf(spec).map((mark) => [mark, true])),
  };
}

/** Whether two states of a Node, undefined where there is none, are the same to the election. */
export function sameToElection(a: Node | undefined, b: Node | undefined): boolean {
  return JSON.stringify(a && electionNode(a)) === JSON.stringify(b && electionNode(b));
}

/** Whether its kubelet says that the node does not work, as it does when the node is being shut down. */
export function isGoingDown({ status }: Node): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'False') ?? false;
}

export function isElectionTaint(key: string): key is keyof typeof nodeTaints {
  return Object.hasOwn(nodeTaints, key);
}

/** In an order of their own, for taints come and go in any. */
function marksOf(spec: Node['spec']): readonly string[] {
  const marks = (spec?.taints ?? []).flatMap(({ key }) => (isElectionTaint(key) ? [nodeTaints[key]] : []));
  return [...new Set(marks)].sort();
}
