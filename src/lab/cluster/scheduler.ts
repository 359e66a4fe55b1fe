import type { Node } from '../../kubernetes/core.ts';
import { isNodeReady } from './cluster-state.ts';
import { type LabPod, matchesLabels, type PodSpec } from './workload-objects.ts';

/**
 * Pure: the node for one more Pod of a group. Of the nodes that are ready, may be scheduled to and match the selector,
 * the one with the fewest Pods of the group, then the fewest Pods, then the first by name. A `nodeName` in the spec is
 * taken as it is. Undefined when no node fits.
 */
export function chooseNode(
  spec: PodSpec,
  nodes: readonly Node[],
  pods: readonly LabPod[],
  inGroup: (pod: LabPod) => boolean,
): string | undefined {
  if (spec.nodeName !== undefined) return spec.nodeName;
  const load = (node: Node) => {
    const here = pods.filter((pod) => pod.spec?.nodeName === node.metadata.name);
    return { name: node.metadata.name, group: here.filter(inGroup).length, all: here.length };
  };
  const [best] = nodes
    .filter((node) => isNodeReady(node) && node.spec?.unschedulable !== true)
    .filter((node) => matchesLabels(spec.nodeSelector ?? {}, node.metadata.labels))
    .map(load)
    .sort((a, b) => a.group - b.group || a.all - b.all || (a.name < b.name ? -1 : 1));
  return best?.name;
}
