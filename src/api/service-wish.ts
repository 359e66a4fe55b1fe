import { type Address, type Family, parseAddress } from '../ip/address.ts';
import type { ApiProblem } from './field.ts';
import { compareTexts } from './label-selector.ts';
import {
  annotationField,
  type RequestedAddresses,
  type RequestReason,
  requestedAddresses,
} from './requested-addresses.ts';
import { type Annotations, foundAnnotation, readAnnotation, serviceAnnotations } from './service-annotations.ts';

/** The parts of a Service that say what address it should get. */
export type ServiceShape = {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Annotations };
  readonly spec?: {
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ipFamilyPolicy?: FamilyPolicy;
    readonly loadBalancerIP?: string;
    readonly externalTrafficPolicy?: 'Cluster' | 'Local';
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly protocol?: string; readonly port: number }[];
  };
};

export type FamilyPolicy = 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';

/** What a Service asks of the allocator. */
export type ServiceWish = RequestedAddresses & {
  /** Of its cluster addresses, the primary one first. */
  readonly families: readonly Family[];
  readonly familyPolicy: FamilyPolicy;
  readonly pool: string | undefined;
  /** Pools that may serve it together, in this order; empty for none in particular. */
  readonly pools: readonly string[];
  /** Undefined without the annotation; an empty key is present but shares with nobody. */
  readonly sharingKey: string | undefined;
  /**
   * Two Services with `externalTrafficPolicy: Local` may share an address only if they have the same pods behind them,
   * that is the same selector; this is that selector. Empty for policy Cluster.
   */
  readonly backend: string;
  readonly ports: readonly { readonly protocol: string; readonly port: number }[];
};

export type WishReason =
  | 'no-cluster-ips'
  | 'invalid-cluster-ips'
  | 'not-enough-cluster-ips'
  | 'invalid-address-pools'
  | RequestReason;

export type WishProblem = ApiProblem & { readonly reason: WishReason };

const poolsField = annotationField(serviceAnnotations.addressPools);

export function parseServiceWish(service: ServiceShape): ServiceWish | WishProblem {
  const { metadata, spec = {} } = service;
  const annotations = metadata.annotations ?? {};
  const families = readFamilies(service);
  if ('reason' in families) return families;
  const pools = readPools(service, annotations);
  if ('reason' in pools) return pools;
  const familyPolicy = spec.ipFamilyPolicy ?? 'SingleStack';
  if (familyPolicy === 'RequireDualStack' && families.length < 2) {
    const message = 'has one cluster address but requires two families: give the cluster both, or relax ipFamilyPolicy';
    return problem(service, 'not-enough-cluster-ips', 'spec.clusterIPs', spec.clusterIPs, message);
  }
  const requested = requestedAddresses(annotations, spec.loadBalancerIP, families);
  if ('reason' in requested) {
    const { reason, field, value, message } = requested;
    return problem(service, reason, field, value, message);
  }
  return {
    families,
    familyPolicy,
    ...requested,
    pool: readAnnotation(annotations, serviceAnnotations.addressPool) || undefined,
    pools,
    sharingKey: foundAnnotation(annotations, 'sharingKey')?.value,
    backend: spec.externalTrafficPolicy === 'Local' ? selectorText(spec.selector ?? {}) : '',
    ports: (spec.ports ?? []).map(({ protocol = 'TCP', port }) => ({ protocol, port })),
  };
}

function readFamilies(service: ServiceShape): readonly Family[] | WishProblem {
  const { clusterIP, clusterIPs = [] } = service.spec ?? {};
  const texts = clusterIPs.length > 0 ? clusterIPs : clusterIP ? [clusterIP] : [];
  if (texts.length === 0) {
    const message = 'is empty: the Service has no cluster address yet';
    return problem(service, 'no-cluster-ips', 'spec.clusterIPs', clusterIPs, message);
  }
  const families = oneEachFamily(texts)?.map((address) => address.family);
  const message = 'must be one address, or one of each family';
  return families ?? problem(service, 'invalid-cluster-ips', 'spec.clusterIPs', texts, message);
}

/** An empty text names no pools. */
function readPools(service: ServiceShape, annotations: Annotations): readonly string[] | WishProblem {
  const value = annotations[serviceAnnotations.addressPools];
  if (!value) return [];
  const names = value.split(',').map((name) => name.trim());
  const refuse = (message: string) => problem(service, 'invalid-address-pools', poolsField, value, message);
  if (readAnnotation(annotations, serviceAnnotations.addressPool)) {
    return refuse(`and ${serviceAnnotations.addressPool} both request pools: remove one of the two`);
  }
  if (names.includes('')) return refuse('must be names of pools separated by commas, such as office,office-v6');
  return new Set(names).size === names.length ? names : refuse('names a pool twice: remove one of the two');
}

/** One address, or two of different families; undefined for anything else. */
function oneEachFamily(texts: readonly string[]): readonly Address[] | undefined {
  if (texts.length > 2) return undefined;
  const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
  const families = new Set(addresses.map((address) => address.family));
  return addresses.length === texts.length && families.size === texts.length ? addresses : undefined;
}

function selectorText(selector: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  return pairs.sort(compareTexts).join(',');
}

function problem(
  service: ServiceShape,
  reason: WishReason,
  field: string,
  value: unknown,
  message: string,
): WishProblem {
  const { namespace, name } = service.metadata;
  return { object: `Service ${namespace ? `${namespace}/` : ''}${name}`, field, value, message, reason };
}
