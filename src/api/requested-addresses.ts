import { type Address, type Family, parseAddress } from '../ip/address.ts';
import { type Annotations, foundAnnotation, serviceAnnotations } from './service-annotations.ts';

/** The most addresses of a Service, of one family or wanted by name: what one can spread over with sense, and read. */
export const mostAddresses = 64;

const specField = 'spec.loadBalancerIP';

/** The addresses of which a Service speaks. */
export type RequestedAddresses = {
  /** Requested all or nothing, in this order: by MetalLB's rules, at most one of each family. */
  readonly addresses: readonly Address[];
  /** Requested as far as they can be had, in this order. Empty where `addresses` is not. */
  readonly wanted: readonly Address[];
  /** How many addresses of each family; not fewer than are wanted of one. */
  readonly count: number;
};

export type RequestReason =
  | 'requested-twice'
  | 'invalid-load-balancer-ips'
  | 'invalid-external-ips'
  | 'invalid-external-ips-count'
  | 'family-mismatch';

/** What is wrong with a request, and where. */
export type RequestFault = {
  readonly reason: RequestReason;
  readonly field: string;
  readonly value: string;
  readonly message: string;
};

/**
 * What the annotations and `spec.loadBalancerIP` request, for a Service of these families. Of several annotations that
 * say the same, the first of `service-annotations` counts.
 */
export function requestedAddresses(
  annotations: Annotations,
  loadBalancerIP: string | undefined,
  families: readonly Family[],
): RequestedAddresses | RequestFault {
  const count = readCount(annotations);
  if (typeof count === 'object') return count;
  const request = readRequest(annotations, loadBalancerIP);
  if (request === undefined) return { addresses: [], wanted: [], count: count ?? 1 };
  if ('reason' in request) return request;
  const { list, isStrict, ...at } = request;
  const present = new Set(list.map(({ family }) => family));
  if (isStrict && (count ?? 1) === 1 && present.size === list.length) {
    if (sameMembers(present, families)) return { addresses: list, wanted: [], count: 1 };
    const message = `must be one address of each family of the Service, which has IPv${families.join(' and IPv')}`;
    return { reason: 'family-mismatch', ...at, message };
  }
  if (!list.every(({ family }) => families.includes(family))) {
    const message = `must be addresses of the families of the Service, which has IPv${families.join(' and IPv')}`;
    return { reason: 'family-mismatch', ...at, message };
  }
  return { addresses: [], wanted: list, count: Math.max(count ?? 1, mostOfAFamily(list)) };
}

/** How many addresses the Service asks for in so many words; undefined when it does not, or nothing that counts. */
export function readCount(annotations: Annotations): number | undefined | RequestFault {
  const found = foundAnnotation(annotations, 'externalIPsCount');
  if (!found?.value) return undefined;
  const { key, value } = found;
  const count = /^\d{1,4}$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (count >= 1 && count <= mostAddresses) return count;
  // Deckhouse takes what is no number for one.
  if (key !== serviceAnnotations.externalIPsCount && !(count > mostAddresses)) return undefined;
  const message = `must be a whole number from 1 to ${mostAddresses}`;
  return { reason: 'invalid-external-ips-count', field: annotationField(key), value, message };
}

/** Where the addresses are requested that count; of no matter when there are none. */
export function addressField(annotations: Annotations, loadBalancerIP: string | undefined): string {
  const found = foundAnnotation(annotations, 'externalIPs');
  const isAlias = found?.key === serviceAnnotations.deckhouseIPs;
  return found?.value && !(isAlias && loadBalancerIP) ? annotationField(found.key) : specField;
}

export function annotationField(key: string): string {
  return `metadata.annotations[${key}]`;
}

type Request = {
  readonly field: string;
  readonly value: string;
  readonly list: readonly Address[];
  /** Whether MetalLB knows it, which gives all of them or none. */
  readonly isStrict: boolean;
};

/** Where the Service requests addresses, and which; an empty text requests none. */
function readRequest(annotations: Annotations, loadBalancerIP: string | undefined): Request | RequestFault | undefined {
  const found = foundAnnotation(annotations, 'externalIPs');
  const field = addressField(annotations, loadBalancerIP);
  if (found?.value && field !== specField) {
    if (loadBalancerIP) {
      const message = 'and spec.loadBalancerIP both request addresses: remove spec.loadBalancerIP';
      return { reason: 'requested-twice', field, value: found.value, message };
    }
    const isStrict = found.key === serviceAnnotations.loadBalancerIPs;
    const list = parseList(found.value);
    if (typeof list !== 'string') return { field, value: found.value, list, isStrict };
    const reason = found.key === serviceAnnotations.externalIPs ? 'invalid-external-ips' : 'invalid-load-balancer-ips';
    return { reason, field, value: found.value, message: list };
  }
  if (!loadBalancerIP) return undefined;
  const at = { field, value: loadBalancerIP };
  const address = parseAddress(loadBalancerIP);
  if (address !== undefined) return { ...at, list: [address], isStrict: true };
  return { reason: 'invalid-load-balancer-ips', ...at, message: 'must be one address, such as 192.0.2.10' };
}

/** The addresses, or what is wrong with them. */
function parseList(text: string): readonly Address[] | string {
  const texts = text.split(',', mostAddresses + 1).map((one) => one.trim());
  if (texts.length > mostAddresses) return `names more than ${mostAddresses} addresses: remove some`;
  const addresses = texts.flatMap((one) => parseAddress(one) ?? []);
  if (addresses.length < texts.length) {
    return 'must be one address, or several separated by commas, such as 192.0.2.10,2001:db8::10';
  }
  const different = new Set(addresses.map(({ family, value }) => `${family} ${value}`));
  return different.size < addresses.length ? 'names an address twice: remove one of the two' : addresses;
}

function mostOfAFamily(list: readonly Address[]): number {
  const ofIPv4 = list.filter(({ family }) => family === 4).length;
  return Math.max(ofIPv4, list.length - ofIPv4);
}

function sameMembers(a: ReadonlySet<Family>, b: readonly Family[]): boolean {
  return a.size === b.length && b.every((one) => a.has(one));
}
