import type { ElectionNode } from '../election/metallb.ts';
import type { Node } from '../kubernetes/core.ts';

/** What the election reads of a Node; heartbeats change none of it. */
export function electionNode({ metadata, status }: Node): ElectionNode {
  const conditions = status?.conditions ?? [];
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    networkUnavailable: conditions.some(({ type, status: is }) => type === 'NetworkUnavailable' && is === 'True'),
  };
}

/** Whether two states of a Node, undefined where there is none, are the same to the election. */
export function sameToElection(a: Node | undefined, b: Node | undefined): boolean {
  return JSON.stringify(a && electionNode(a)) === JSON.stringify(b && electionNode(b));
}
