import { type ApiProblem, Field } from './field.ts';
import type { Labels, ResourceMeta } from './resource.ts';

/** The annotations of a Node that speakers read. */
export const nodeAnnotations = {
  weight: 'garpoon.io/weight',
  drain: 'garpoon.io/drain',
} as const;

/** What a Node is told to do about announcing, beside what its labels say. */
export type NodeOptions = {
  /** How much it is given beside other nodes: twice as much with 2 as with 1. 0: nothing while another can take it. */
  readonly weight: number;
  /** Whether it hands over what it announces, and takes nothing while another can. */
  readonly draining: boolean;
};

export const defaultWeight = 1;
const maxWeight = 100;

type AnnotatedNode = { readonly metadata: ResourceMeta & { readonly annotations?: Labels } };

/** Never throws. In the place of a bad value stands what would be without the annotation: a Node cannot be refused. */
export function readNodeOptions(node: AnnotatedNode): NodeOptions & { readonly problems: readonly ApiProblem[] } {
  const problems: ApiProblem[] = [];
  const root = Field.root(`Node ${node.metadata.name}`, node, problems);
  const annotations = root.at('metadata').at('annotations');
  const weight = readWeight(annotations.entry(nodeAnnotations.weight));
  const drain = annotations.entry(nodeAnnotations.drain).oneOf(['true', 'false']);
  return { weight: weight ?? defaultWeight, draining: drain === 'true', problems };
}

/** Annotations are texts. */
function readWeight(field: Field): number | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const weight = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (weight <= maxWeight) return weight;
  field.refuse(`must be a whole number from 0 to ${maxWeight}; until it is, ${defaultWeight} is used`);
  return undefined;
}
