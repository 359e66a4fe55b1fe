import type { Core } from './core.ts';
import { dropOwner, retire } from './delete.ts';
import { type ApiObject, clone, objectsAt, stringAt } from './json.ts';
import { type Change, keyOf } from './store.ts';
import { commit, namespaceFinalizers } from './write.ts';

type Dependent = { readonly resource: string; readonly key: string };

/**
 * Deletes what an object leaves behind: its dependents once their last owner is gone, and everything in a namespace
 * that is being deleted. It works inside the change that sets it off, so a client sees the outcome at once; the
 * real controllers take a moment.
 */
export function collectGarbage(core: Core): void {
  // Owner's uid → resource and key, joined → the dependent.
  const dependents = new Map<string, Map<string, Dependent>>();
  core.store.onChange((change) => {
    index(dependents, change);
    if (change.type === 'DELETED') releaseDependents(core, dependents, change.object.metadata.uid ?? '');
    emptyNamespace(core, change);
  });
}

function index(dependents: Map<string, Map<string, Dependent>>, change: Change): void {
  const dependent = { resource: change.resource, key: keyOf(change.object.metadata) };
  const id = `${dependent.resource}/${dependent.key}`;
  for (const uid of ownersOf(change.before)) dependents.get(uid)?.delete(id);
  if (change.type === 'DELETED') return;
  for (const uid of ownersOf(change.object)) {
    dependents.set(uid, (dependents.get(uid) ?? new Map<string, Dependent>()).set(id, dependent));
  }
}

function releaseDependents(core: Core, dependents: Map<string, Map<string, Dependent>>, owner: string): void {
  const left = [...(dependents.get(owner)?.values() ?? [])];
  dependents.delete(owner);
  for (const { resource, key } of left) {
    const kind = core.registry.ofResource(resource);
    const object = core.store.get(resource, key);
    if (kind === undefined || object === undefined) continue;
    if (ownersOf(object).length > 1) dropOwner(core, resource, object, owner);
    else retire(core, kind, object);
  }
}

function ownersOf(object: ApiObject | undefined): string[] {
  return objectsAt(object, 'metadata', 'ownerReferences').map((owner) => stringAt(owner, 'uid'));
}

/** Starts or goes on with a namespace's deletion: its content first, then the namespace itself. */
function emptyNamespace(core: Core, change: Change): void {
  const { metadata } = change.object;
  const name = change.resource === 'namespaces' ? metadata.name : metadata.namespace;
  const namespace = name === undefined ? undefined : core.store.get('namespaces', name);
  if (name === undefined || namespace?.metadata.deletionTimestamp === undefined) return;
  const content = core.registry
    .all()
    .filter((kind) => kind.namespaced && kind.version === kind.storageVersion)
    .flatMap((kind) => core.store.list(kind.resource, name).map((object) => ({ kind, object })));
  const [first] = content;
  if (first === undefined) {
    const kind = core.registry.ofResource('namespaces');
    // Finalizers of others may still hold it: then this is done, and the last of them removes it.
    const done = kind === undefined || namespaceFinalizers(kind, namespace).length === 0;
    if (!done) commit(core, kind, { ...clone(namespace), spec: {} });
  } else if (change.resource === 'namespaces') {
    for (const { kind, object } of content) retire(core, kind, object);
  }
}
