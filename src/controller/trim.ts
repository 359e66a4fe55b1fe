import { annotationPrefixes } from '../api/service-annotations.ts';
import type { Namespace, Service } from '../kubernetes/core.ts';
import { trimMetadata } from '../kubernetes/trim-metadata.ts';

/** What the controller keeps of the objects it watches. A write starts from the whole object, read anew. */

export function trimService(service: Service): Service {
  return {
    ...service,
    metadata: trimMetadata(service.metadata, [...annotationPrefixes, 'external-dns.alpha.kubernetes.io/']),
  };
}

export function trimNamespace({ metadata }: Namespace): Namespace {
  return { metadata: trimMetadata(metadata) };
}
