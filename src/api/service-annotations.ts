/** The annotations of a Service that we read or write. */
export const serviceAnnotations = {
  /** Read: the pool to take the address from. */
  addressPool: 'metallb.io/address-pool',
  /** Read: the addresses to assign, comma-separated; all or none, if there is no more than one of a family. */
  loadBalancerIPs: 'metallb.io/loadBalancerIPs',
  /** Read: Services with the same key may share an address. */
  allowSharedIP: 'metallb.io/allow-shared-ip',
  /** Read: the pools that may serve it together, comma-separated; each address is of the first that has room. */
  addressPools: 'garpoon.io/address-pools',
  /** Read: addresses to assign, comma-separated, as far as they can be had. */
  externalIPs: 'garpoon.io/external-ips',
  /** Read: how many addresses of each family; those that are asked for by name count. */
  externalIPsCount: 'garpoon.io/external-ips-count',
  /** Written by the controller, removed with the assignment: the pool in use. */
  ipAllocatedFromPool: 'metallb.io/ip-allocated-from-pool',
  /** Read, as all of Deckhouse's: other words for the addresses, their number, the class and the sharing key. */
  deckhouseIPs: 'network.deckhouse.io/load-balancer-ips',
  deckhouseIPsCount: 'network.deckhouse.io/l2-load-balancer-external-ips-count',
  deckhouseClass: 'network.deckhouse.io/metal-load-balancer-class',
  deckhouseSharedIPKey: 'network.deckhouse.io/load-balancer-shared-ip-key',
  /** The name of the key before. */
  deckhouseAllowSharedIP: 'network.deckhouse.io/load-balancer-allow-shared-ip',
} as const;

const prefix = 'metallb.io/';
const deprecatedPrefix = 'metallb.universe.tf/';

/** With what the keys begin that are kept of a Service's annotations. */
export const annotationPrefixes = [prefix, deprecatedPrefix, 'garpoon.io/', 'network.deckhouse.io/'] as const;

export type Annotations = Readonly<Record<string, string>>;

/** What annotations of several kinds say alike, and these in the order in which they count. */
const aliases = {
  externalIPs: [serviceAnnotations.externalIPs, serviceAnnotations.loadBalancerIPs, serviceAnnotations.deckhouseIPs],
  externalIPsCount: [serviceAnnotations.externalIPsCount, serviceAnnotations.deckhouseIPsCount],
  sharingKey: [
    serviceAnnotations.allowSharedIP,
    serviceAnnotations.deckhouseSharedIPKey,
    serviceAnnotations.deckhouseAllowSharedIP,
  ],
} as const;

/** An annotation that counts, under its present name, and its value. */
export type FoundAnnotation = { readonly key: string; readonly value: string };

/** The first that is present, even when empty. */
export function foundAnnotation(annotations: Annotations, what: keyof typeof aliases): FoundAnnotation | undefined {
  return present(annotations, what)[0];
}

/** Those that are present and do not count, because of the one that does. */
export function shadowedAnnotations(
  annotations: Annotations,
): readonly { readonly key: string; readonly by: string }[] {
  const kinds = Object.keys(aliases) as (keyof typeof aliases)[];
  return kinds.flatMap((what) => {
    const [first, ...others] = present(annotations, what);
    return others.filter(({ value }) => value !== first?.value).map(({ key }) => ({ key, by: first?.key ?? '' }));
  });
}

/** The value under the key, or under its deprecated spelling. The new key wins if it is present, even when empty. */
export function readAnnotation(annotations: Annotations, key: string): string | undefined {
  return (
    annotations[key] ?? (key.startsWith(prefix) ? annotations[deprecatedPrefix + key.slice(prefix.length)] : undefined)
  );
}

/** The keys with the deprecated prefix, for a warning to the Service's owner. */
export function deprecatedAnnotations(annotations: Annotations): readonly string[] {
  return Object.keys(annotations).filter((key) => key.startsWith(deprecatedPrefix));
}

function present(annotations: Annotations, what: keyof typeof aliases): readonly FoundAnnotation[] {
  return aliases[what].flatMap((key) => {
    const value = readAnnotation(annotations, key);
    return value === undefined ? [] : { key, value };
  });
}
