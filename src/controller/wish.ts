import type { Wish } from '../allocator/wish.ts';
import { formatProblem } from '../api/field.ts';
import { serviceAnnotations } from '../api/service-annotations.ts';
import { parseServiceWish, type WishReason } from '../api/service-wish.ts';
import type { Service } from '../kubernetes/core.ts';

export type ReadWish =
  | {
      readonly wish: Wish;
      /**
       * Set when the Service requests addresses or pools in a way that cannot be met by anything: why. The wish is then
       * as if it requested none, and good for keeping addresses only.
       */
      readonly slip: Problem | undefined;
    }
  | Problem;

/** In words, and for programs. */
export type Problem = { readonly problem: string; readonly reason: WishReason };

/** What the Service asks of the allocator, with the labels of its namespace, or why that cannot be said. */
export function readWish(service: Service, namespaceLabels: Wish['namespaceLabels']): ReadWish {
  const { namespace = 'default', labels = {} } = service.metadata;
  const parsed = parseServiceWish(service);
  if (!('reason' in parsed)) return { wish: { ...parsed, namespace, namespaceLabels, labels }, slip: undefined };
  const problem = formatProblem(parsed);
  const rest = isAboutRequest(parsed.reason) ? parseServiceWish(withoutRequest(service)) : parsed;
  if ('reason' in rest) return { problem, reason: parsed.reason };
  return { wish: { ...rest, namespace, namespaceLabels, labels }, slip: { problem, reason: parsed.reason } };
}

function isAboutRequest(reason: WishReason): boolean {
  switch (reason) {
    case 'requested-twice':
    case 'invalid-load-balancer-ips':
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
  // The empty text requests nothing, and goes before the deprecated annotation.
  const none = { [serviceAnnotations.loadBalancerIPs]: '', [serviceAnnotations.addressPools]: '' };
  const annotations = { ...service.metadata.annotations, ...none };
  return { ...service, spec, metadata: { ...service.metadata, annotations } };
}
