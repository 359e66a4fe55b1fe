import { isDeepStrictEqual } from 'node:util';
import { isConflict, isNotFound } from './api-error.ts';
import type { ApiClient, PatchOptions } from './client.ts';
import type { KubernetesObject } from './core.ts';
import { apiVersionOf, keyOf, type ObjectKey, type Resource } from './resource.ts';

/** Writers of one status are few; who loses this often in a row had better come back later. */
const maxConflicts = 5;

/** What the object keeps of ours: its identity, and the fields we want to own. */
export type Applied<T extends KubernetesObject> = Partial<Omit<T, 'metadata'>> & Pick<T, 'metadata'>;

/**
 * Server-side apply: creates the object or changes it, so that the fields given are as given; fields that an earlier
 * apply of ours set and this one leaves out are removed. By default takes over fields that others manage.
 */
export function apply<T extends KubernetesObject>(
  client: ApiClient,
  of: Resource<T>,
  object: Applied<T>,
  options: Omit<PatchOptions, 'contentType'> = {},
): Promise<T> {
  const body = { ...object, apiVersion: apiVersionOf(of), kind: of.kind };
  return client.patch(of, keyOf(object), body, {
    force: true,
    ...options,
    contentType: 'application/apply-patch+yaml',
  });
}

/** RFC 7396: the fields given are set, those given as null removed. */
export function mergePatch<T extends KubernetesObject>(
  client: ApiClient,
  of: Resource<T>,
  key: ObjectKey,
  patch: object,
  options: Omit<PatchOptions, 'contentType' | 'force'> = {},
): Promise<T> {
  return client.patch(of, key, patch, { ...options, contentType: 'application/merge-patch+json' });
}

export type UpdateOutcome = 'updated' | 'unchanged' | 'absent';

/**
 * Reads the object, lets `mutate` change its copy or return another, and writes its status; for Services the metadata
 * that came with it too. When someone else wrote in between, begins again, so `mutate` may run several times. Nothing
 * is written when nothing changes.
 */
export async function updateStatus<T extends KubernetesObject>(
  client: ApiClient,
  of: Resource<T>,
  key: ObjectKey,
  mutate: (current: T) => T,
  options: { readonly signal?: AbortSignal } = {},
): Promise<UpdateOutcome> {
  for (let conflicts = 1; ; conflicts++) {
    const current = await client.get(of, key, options);
    if (current === undefined) return 'absent';
    const wanted = mutate(structuredClone(current));
    if (isDeepStrictEqual(current, wanted)) return 'unchanged';
    try {
      await client.update(of, wanted, { ...options, subresource: 'status' });
      return 'updated';
    } catch (error) {
      if (isNotFound(error)) return 'absent';
      if (!isConflict(error) || conflicts === maxConflicts) throw error;
    }
  }
}
