import { readDuration } from './duration.ts';
import type { Field } from './field.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `layer2policies.garpoon.io/v1alpha1` as the API serves it. */
export type Layer2Policy = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec?: {
    readonly election?: ElectionStrategy;
    readonly failBack?: { readonly after: string };
    readonly requireSubnetAddress?: boolean;
    readonly onConflict?: ConflictPolicy;
  };
};

/**
 * Which node announces which address. `metallb`: as MetalLB's speakers decide, per Service. `balanced`: per address,
 * spread evenly, with the fewest moves. The addresses of a Service that has several of a family are always `balanced`,
 * unless speakers of MetalLB decide, too.
 */
export type ElectionStrategy = 'metallb' | 'balanced';

/** What is done when a host that is no speaker claims an announced address. */
export type ConflictPolicy = 'defend' | 'yield' | 'report';

/** What all speakers of a cluster agree on about announcing on the LAN. */
export type Layer2PolicyDeclaration = {
  readonly object: string;
  readonly name: string;
  readonly election: ElectionStrategy;
  /**
   * How long after a better node has returned an address goes back to it, in milliseconds; undefined: never. With
   * `metallb` that is about Services with several addresses of a family; all others go back at once.
   */
  readonly failBackAfter: number | undefined;
  /** Whether only nodes with an address in the subnet of an announced address may announce it. */
  readonly requireSubnetAddress: boolean;
  readonly onConflict: ConflictPolicy;
};

/** The only name that counts: where there are two, no two readers might take the same. */
export const layer2PolicyName = 'default';

/** In force where there is none. */
export const defaultLayer2Policy = {
  election: 'metallb',
  failBackAfter: undefined,
  requireSubnetAddress: false,
  onConflict: 'defend',
} as const satisfies Omit<Layer2PolicyDeclaration, 'object' | 'name'>;

const longestFailBack = 720 * 3_600_000;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseLayer2Policy(raw: unknown): Parsed<Layer2PolicyDeclaration> {
  return parseResource('Layer2Policy', raw, (root, { object, name }) => {
    if (name !== layer2PolicyName) {
      const message = `is not ${layer2PolicyName}, the only name that counts: write it all into the one of that name`;
      root.at('metadata').at('name').refuse(message);
    }
    const spec = root.at('spec');
    const election = spec.at('election').oneOf(['metallb', 'balanced']) ?? defaultLayer2Policy.election;
    return {
      object,
      name,
      election,
      failBackAfter: readFailBack(spec.at('failBack')),
      requireSubnetAddress: spec.at('requireSubnetAddress').flag() ?? defaultLayer2Policy.requireSubnetAddress,
      onConflict: spec.at('onConflict').oneOf(['defend', 'yield', 'report']) ?? defaultLayer2Policy.onConflict,
    };
  });
}

function readFailBack(field: Field): number | undefined {
  if (field.absent) return undefined;
  const after = field.at('after').required();
  const time = readDuration(after);
  if (time !== undefined && time > longestFailBack) after.refuse('must be at most 720h');
  return time;
}
