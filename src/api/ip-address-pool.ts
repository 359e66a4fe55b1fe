import { holdableParts, isHoldable } from '../ip/holdable.ts';
import { formatRange, parseRange, type Range, type RangeProblem } from '../ip/range.ts';
import type { Field, FieldNames } from './field.ts';
import { compareTexts, type LabelSelector, type LabelSelectorResource, readLabelSelectors } from './label-selector.ts';
import { type PoolOptions, readPoolOptions } from './pool-annotations.ts';
import { type Labels, type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `ipaddresspools.metallb.io/v1beta1` as the API serves it. */
export type IPAddressPool = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta & { readonly annotations?: Labels };
  readonly spec: {
    readonly addresses: readonly string[];
    readonly autoAssign?: boolean;
    readonly avoidBuggyIPs?: boolean;
    readonly serviceAllocation?: {
      readonly priority?: number;
      readonly namespaces?: readonly string[];
      readonly namespaceSelectors?: readonly LabelSelectorResource[];
      readonly serviceSelectors?: readonly LabelSelectorResource[];
    };
  };
  readonly status?: IPAddressPoolStatus;
};

/** How full a pool is, and who has what. An address that several Services share counts once. */
export type IPAddressPoolStatus = {
  readonly assignedIPv4: number;
  readonly assignedIPv6: number;
  readonly availableIPv4: number;
  readonly availableIPv6: number;
  /** The first addresses in use, ascending: no more than fit into an object that people read. */
  readonly assignments?: readonly AddressAssignment[];
  /** How many more are in use. */
  readonly assignmentsOmitted?: number;
};

export type AddressAssignment = {
  readonly address: string;
  /** As namespace/name, sorted. */
  readonly services: readonly string[];
  /** When the first of them got it: RFC 3339. */
  readonly since?: string;
};

/** As in deploy/crds. */
export const maxAssignments = 500;

/** What one IPAddressPool says, before it is held against the other resources. */
export type PoolDeclaration = PoolOptions & {
  readonly object: string;
  readonly name: string;
  readonly labels: Labels;
  /** In the order of `spec.addresses`, which is the order of their use; an index here is the index there. */
  readonly addresses: readonly Range[];
  readonly autoAssign: boolean;
  readonly avoidBuggyIPs: boolean;
  readonly serviceAllocation: ServiceAllocation | undefined;
  /** Set for the pool of a load balancer class, which has the name of the class. */
  readonly ofClass?: true;
  readonly fields?: FieldNames;
};

/**
 * Which Services may use a pool: those in one of the namespaces (by name or by selector, if any are given) that also
 * match one of the serviceSelectors (if any are given). Such a pool comes before unrestricted ones.
 */
export type ServiceAllocation = {
  /** 1 comes first; 0 and below come last. */
  readonly priority: number;
  readonly namespaces: readonly string[];
  readonly namespaceSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
};

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseIPAddressPool(raw: unknown): Parsed<PoolDeclaration> {
  return parseResource('IPAddressPool', raw, (root, identity) => {
    const spec = root.at('spec').required();
    return {
      ...identity,
      addresses: readAddresses(spec.at('addresses')),
      autoAssign: spec.at('autoAssign').flag() ?? true,
      avoidBuggyIPs: spec.at('avoidBuggyIPs').flag() ?? false,
      serviceAllocation: readServiceAllocation(spec.at('serviceAllocation')),
      ...readPoolOptions(root.at('metadata').at('annotations')),
    };
  });
}

/** As in deploy/crds: so many entries, each so long. */
const maxAddresses = 512;
const maxAddressLength = 84;
/** What ASCII has, for there are blanks that look like others; and no length with a leading zero. */
const plain = /^(?!.*\/0\d)[\t-\r -~]*$/;

/** Ranges as they stand in `spec.addresses`. */
export function readAddresses(field: Field): readonly Range[] {
  const items = field.required().items(maxAddresses);
  if (items.length === 0) field.refuse('must name at least one range, such as 192.0.2.0/24 or 192.0.2.10-192.0.2.20');
  return items.flatMap((item) => {
    const text = item.required().text();
    if (text === undefined) return [];
    const isPlain = text.length <= maxAddressLength && plain.test(text);
    const range = isPlain ? parseRange(text) : 'invalid-address';
    if (typeof range === 'string') item.refuse(rangeRemedy(range, text));
    else if (!isHoldable(range)) item.refuse(unholdableRemedy(range));
    else return [range];
    return [];
  });
}

function rangeRemedy(problem: RangeProblem, text: string): string {
  switch (problem) {
    case 'empty':
      return 'is empty: write a range such as 192.0.2.0/24 or 192.0.2.10-192.0.2.20, or remove the entry';
    case 'bare-address':
      return `is a single address: write ${text}/${text.includes(':') ? 128 : 32}`;
    case 'invalid-address':
      return 'is neither a CIDR nor a range: write 192.0.2.0/24 or 192.0.2.10-192.0.2.20, or the same with IPv6 addresses';
    case 'invalid-length':
      return 'has an impossible prefix length: write 0 to 32 for IPv4, 0 to 128 for IPv6';
    case 'mixed-families':
      return 'starts in one address family and ends in the other: write one range for each';
    case 'reversed':
      return 'ends before it starts: swap the two addresses';
    default:
      return problem satisfies never;
  }
}

function unholdableRemedy(range: Range): string {
  const parts = holdableParts(range).map(formatRange);
  const what = 'addresses that no host can hold (loopback, multicast or the like)';
  return parts.length === 0 ? `has only ${what}: remove the entry` : `has ${what}: write ${parts.join(' and ')}`;
}

function readServiceAllocation(field: Field): ServiceAllocation | undefined {
  const allocation = {
    priority: field.at('priority').integer() ?? 0,
    namespaces: [...field.at('namespaces').distinctTexts()].sort(compareTexts),
    namespaceSelectors: readLabelSelectors(field.at('namespaceSelectors')),
    serviceSelectors: readLabelSelectors(field.at('serviceSelectors')),
  };
  return field.absent ? undefined : allocation;
}
