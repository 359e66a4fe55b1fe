import type { ObjectMeta } from './core.ts';

/**
 * What a store keeps of an object's metadata: all but owners and finalizers, and of the annotations those whose key
 * begins with one of the prefixes. What `kubectl apply` notes there is another copy of the whole object.
 */
export function trimMetadata(metadata: ObjectMeta, annotationPrefixes: readonly string[] = []): ObjectMeta {
  const { annotations = {}, ownerReferences: _owners, finalizers: _finalizers, ...kept } = metadata;
  const ours = Object.entries(annotations).filter(([key]) =>
    annotationPrefixes.some((prefix) => key.startsWith(prefix)),
  );
  return ours.length === 0 ? kept : { ...kept, annotations: Object.fromEntries(ours) };
}
