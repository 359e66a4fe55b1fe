import { mutated, validated } from './admission-webhooks.ts';
import type { Core } from './core.ts';
import { type ApiObject, clone, isObject, type Json, type JsonObject, objectsAt, stringAt, stringsAt } from './json.ts';
import type { Kind } from './kind.ts';
import { now } from './metadata.ts';
import { badRequest, deleted, preconditionFailed } from './status.ts';
import { served } from './versions.ts';
import { commit, namespaceFinalizers, storedObject, type Target } from './write.ts';

export type DeleteOptions = {
  readonly dryRun: boolean;
  /** Dependents lose their reference to the owner and stay. Otherwise they are deleted after it. */
  readonly orphan: boolean;
  readonly uid: string;
  readonly resourceVersion: string;
};

/** From a DeleteOptions body and the query, which may say the same things. */
export function deleteOptions(body: Json | undefined, query: URLSearchParams): DeleteOptions {
  if (body !== undefined && !isObject(body)) throw badRequest('the body of a delete is a DeleteOptions object');
  const policy = stringAt(body, 'propagationPolicy') || (query.get('propagationPolicy') ?? '');
  if (!['', 'Background', 'Foreground', 'Orphan'].includes(policy)) {
    throw badRequest(`invalid propagationPolicy ${JSON.stringify(policy)}`);
  }
  return {
    dryRun: query.get('dryRun') === 'All' || stringsAt(body, 'dryRun').includes('All'),
    orphan: policy === 'Orphan' || body?.orphanDependents === true,
    uid: stringAt(body, 'preconditions', 'uid'),
    resourceVersion: stringAt(body, 'preconditions', 'resourceVersion'),
  };
}

/**
 * Deletes one object: at once, or, while it has finalizers, by marking it. Pods go at once too, because no kubelet
 * is here to end them. Returns a Status when it is gone, and the object as long as it is not.
 */
export async function deleteObject(
  core: Core,
  target: Target,
  options: DeleteOptions,
  warn: (text: string) => void,
): Promise<JsonObject> {
  const { kind, namespace, name } = target;
  for (;;) {
    const found = storedObject(core, target);
    const { uid = '', resourceVersion = '' } = found.metadata;
    if (options.uid !== '' && options.uid !== uid) throw preconditionFailed(kind, name, 'UID', options.uid, uid);
    if (options.resourceVersion !== '' && options.resourceVersion !== resourceVersion) {
      throw preconditionFailed(kind, name, 'ResourceVersion', options.resourceVersion, resourceVersion);
    }
    const before = await served(core, kind, found);
    const { dryRun } = options;
    const attempt = { operation: 'DELETE', kind, namespace, name, subresource: '', before, dryRun, warn } as const;
    await mutated(core, { ...attempt, object: undefined });
    await validated(core, { ...attempt, object: undefined });
    if (dryRun) return deleted(kind, name, uid);
    // What somebody else wrote meanwhile nobody has been asked about.
    if (storedObject(core, target) !== found) continue;
    const left = retire(core, kind, found, options.orphan);
    return left === undefined ? deleted(kind, name, uid) : served(core, kind, left);
  }
}

/** Deletes or marks the object, as it is stored. Returns it while finalizers hold it, undefined once it is gone. */
export function retire(core: Core, kind: Kind, current: ApiObject, orphan = false): ApiObject | undefined {
  if (orphan) orphanDependents(core, current.metadata.uid ?? '');
  const held = [...stringsAt(current, 'metadata', 'finalizers'), ...namespaceFinalizers(kind, current)].length > 0;
  if (held && current.metadata.deletionTimestamp !== undefined) return current;
  const object = clone(current);
  object.metadata.deletionTimestamp = now(core.clock);
  object.metadata.deletionGracePeriodSeconds = 0;
  if (kind.generation) object.metadata.generation = (object.metadata.generation ?? 0) + 1;
  if (kind.resource === 'namespaces') object.status = { phase: 'Terminating' };
  // Unheld, the object leaves as it was last seen: the mark is not part of its history.
  const last = commit(core, kind, object);
  return held ? last : undefined;
}

function orphanDependents(core: Core, owner: string): void {
  const resources = new Set(core.registry.all().map((kind) => kind.resource));
  for (const resource of resources) {
    for (const dependent of core.store.list(resource)) dropOwner(core, resource, dependent, owner);
  }
}

/** Takes one owner out of a dependent's references. */
export function dropOwner(core: Core, resource: string, dependent: ApiObject, owner: string): void {
  const owners = objectsAt(dependent, 'metadata', 'ownerReferences');
  const left = owners.filter((one) => one.uid !== owner);
  if (left.length === owners.length) return;
  const object = clone(dependent);
  if (left.length === 0) delete object.metadata.ownerReferences;
  else object.metadata.ownerReferences = clone(left);
  const kind = core.registry.ofResource(resource);
  if (kind !== undefined) commit(core, kind, object);
}
