import type { Wish } from '../allocator/wish.ts';
import { formatProblem } from '../api/field.ts';
import { serviceAnnotations } from '../api/service-annotations.ts';
import { parseServiceWish, type ServiceWish, type WishReason } from '../api/service-wish.ts';
import type { Service } from '../kubernetes/core.ts';
import { type ClassBinding, type ClassSource, classBinding, wishOfClass } from './class-binding.ts';
import { askedByName } from './class-pools.ts';

export type ReadWish =
  | {
      readonly wish: Wish;
      /**
       * Set when the Service requests addresses or pools in a way that cannot be met by anything: why. The wish is then
       * as if it requested none, and good for keeping addresses only.
       */
      readonly slip: Problem | undefined;
      /** The class that the Service is served by; undefined for none. */
      readonly binding: ClassBinding | undefined;
    }
  | Problem;

/** In words, and for programs. */
export type Problem = { readonly problem: string; readonly reason: WishReason };

/** What the Service asks of the allocator, with the labels of its namespace, or why that cannot be said. */
export function readWish(service: Service, namespaceLabels: Wish['namespaceLabels'], classes: ClassSource): ReadWish {
  const parsed = parseServiceWish(service);
  if (!('reason' in parsed)) return { ...wholeWish(service, parsed, namespaceLabels, classes), slip: undefined };
  const problem = formatProblem(parsed);
  const rest = isAboutRequest(parsed.reason) ? parseServiceWish(withoutRequest(service)) : parsed;
  if ('reason' in rest) return { problem, reason: parsed.reason };
  const whole = wholeWish(service, rest, namespaceLabels, classes);
  return { ...whole, slip: { problem, reason: parsed.reason } };
}

function wholeWish(
  service: Service,
  parsed: ServiceWish,
  namespaceLabels: Wish['namespaceLabels'],
  classes: ClassSource,
): { readonly wish: Wish; readonly binding: ClassBinding | undefined } {
  const { namespace = 'default', labels = {} } = service.metadata;
  const binding = classBinding(service, parsed, classes);
  const wish = wishOfClass(askedByName(parsed, classes), binding);
  return { wish: { ...wish, namespace, namespaceLabels, labels }, binding };
}

function isAboutRequest(reason: WishReason): boolean {
  switch (reason) {
    case 'requested-twice':
    case 'invalid-load-balancer-ips':
    case 'invalid-external-ips':
    case 'invalid-external-ips-count':
    case 'invalid-address-pools':
    case 'family-mismatch':
      return true;
    case 'no-cluster-ips':
    case 'invalid-cluster-ips':
    case 'not-enough-cluster-ips':
      return false;
    default:
      return reason satisfies never;
  }
}

function withoutRequest(service: Service): Service {
  const { loadBalancerIP: _ip, ...spec } = service.spec ?? {};
  // The empty text requests nothing, and goes before the annotations that say the same.
  const { externalIPs, externalIPsCount, addressPools } = serviceAnnotations;
  const none = { [externalIPs]: '', [externalIPsCount]: '', [addressPools]: '' };
  const annotations = { ...service.metadata.annotations, ...none };
  return { ...service, spec, metadata: { ...service.metadata, annotations } };
}
