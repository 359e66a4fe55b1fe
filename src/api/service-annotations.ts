/** The annotations of a Service that we read or write. */
export const serviceAnnotations = {
  /** Read: the pool to take the address from. */
  addressPool: 'metallb.io/address-pool',
  /** Read: the addresses to assign, comma-separated. */
  loadBalancerIPs: 'metallb.io/loadBalancerIPs',
  /** Read: Services with the same key may share an address. */
  allowSharedIP: 'metallb.io/allow-shared-ip',
  /** Read: the pools that may serve it together, comma-separated; each address is of the first that has room. */
  addressPools: 'garpoon.io/address-pools',
  /** Written by the controller, removed with the assignment: the pool in use. */
  ipAllocatedFromPool: 'metallb.io/ip-allocated-from-pool',
} as const;

const prefix = 'metallb.io/';
const deprecatedPrefix = 'metallb.universe.tf/';

export type Annotations = Readonly<Record<string, string>>;

/** The value under the key, or under its deprecated spelling. The new key wins if it is present, even when empty. */
export function readAnnotation(
  annotations: Annotations,
  key: (typeof serviceAnnotations)['addressPool' | 'loadBalancerIPs' | 'allowSharedIP'],
): string | undefined {
  return annotations[key] ?? annotations[deprecatedPrefix + key.slice(prefix.length)];
}

/** The keys with the deprecated prefix, for a warning to the Service's owner. */
export function deprecatedAnnotations(annotations: Annotations): readonly string[] {
  return Object.keys(annotations).filter((key) => key.startsWith(deprecatedPrefix));
}
