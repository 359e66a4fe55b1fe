import { admit, decodeObject, type FieldValidation } from './admission.ts';
import { type Attempt, mutated, validated } from './admission-webhooks.ts';
import type { Core } from './core.ts';
import { invalid } from './field-error.ts';
import { type ApiObject, clone, equal, type Json, type JsonObject, stringsAt } from './json.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { generatedName, newUid, now } from './metadata.ts';
import { applyConfiguration } from './patch/apply.ts';
import { fieldsOf } from './patch/field-set.ts';
import { afterUpdate, heldOwnerships, type Writer, writeOwnerships } from './patch/managed-fields.ts';
import { applyDefaults } from './schema/prune.ts';
import {
  alreadyExists,
  badRequest,
  forbiddenRequest,
  invalidObject,
  notFound,
  preconditionFailed,
  StatusError,
  staleObject,
} from './status.ts';
import { keyOf } from './store.ts';
import { served, stored } from './versions.ts';

/** One object of one kind, as a path names it. */
export type Target = { readonly kind: Kind; readonly namespace: string | undefined; readonly name: string };

export type WriteOptions = {
  readonly manager: string;
  readonly subresource: '' | 'status' | 'scale';
  readonly dryRun: boolean;
  readonly validation: FieldValidation;
  /** Takes a warning that goes back to the client beside the answer. */
  readonly warn: (text: string) => void;
};

/** An object that is not made of what somebody else has just changed is tried again this often. */
const maxAttempts = 10;

/** The object at `target` as its kind's version shows it. Throws 404. */
export function readObject(core: Core, target: Target): Promise<ApiObject> {
  return served(core, target.kind, storedObject(core, target));
}

/** The object at `target` as it is stored. Throws 404. */
export function storedObject(core: Core, { kind, namespace, name }: Target): ApiObject {
  const found = core.store.get(kind.resource, keyOf(namespace === undefined ? { name } : { namespace, name }));
  if (found === undefined) throw notFound(kind, name);
  return found;
}

/** What is there from the start: at once, and with nobody asked. */
export function createInitial(core: Core, kind: Kind, body: Json, options: WriteOptions): void {
  const object = decodeObject(kind, body, options.validation, options.warn);
  prepareInsertion(core, kind, undefined, object);
  ownAll(core, kind, object, options);
  core.store.put(kind.resource, object);
}

export function createObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  body: Json,
  options: WriteOptions,
): Promise<ApiObject> {
  const object = decodeObject(kind, body, options.validation, options.warn);
  return insert(core, kind, namespace, object, options, (final) => ownAll(core, kind, final, options));
}

/** Replaces an object by what `change` makes of it: a PUT's body, or a patch applied to what is stored. */
export function updateObject(
  core: Core,
  target: Target,
  options: WriteOptions,
  change: (current: ApiObject) => Json,
): Promise<ApiObject> {
  const { kind } = target;
  return replace(core, target, options, (current) => {
    const proposed = decodeObject(kind, change(current), options.validation, options.warn);
    const held = heldOwnerships(proposed, current);
    const own = (object: ApiObject) => {
      const [before, after] = [fieldsOf(current, kind.lists), fieldsOf(object, kind.lists)];
      writeOwnerships(object, afterUpdate(held, before, after, writerOf(core, kind, options, 'Update')));
    };
    return { proposed, own };
  });
}

/** Server-side apply: updates the object, or creates it. `created` tells which. */
export async function applyObject(
  core: Core,
  target: Target,
  body: Json,
  options: WriteOptions & { readonly force: boolean },
): Promise<{ readonly object: ApiObject; readonly created: boolean }> {
  const { kind, namespace, name } = target;
  const config = configurationOf(kind, body, options);
  if ((config.metadata.name ?? name) !== name) throw nameMismatch(config.metadata.name, name);
  if (config.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  config.metadata.name = name;
  const writer = writerOf(core, kind, options, 'Apply');
  const key = keyOf(namespace === undefined ? { name } : { namespace, name });
  if (core.store.get(kind.resource, key) === undefined && options.subresource === '') {
    const nothing: ApiObject = { apiVersion: config.apiVersion, kind: config.kind, metadata: {} };
    const object = applyConfiguration(nothing, config, kind.lists, writer, false);
    return { object: await insert(core, kind, namespace, object, options, () => undefined), created: true };
  }
  const object = await replace(core, target, options, (current) => ({
    proposed: applyConfiguration(current, config, kind.lists, writer, options.force),
    own: () => undefined,
  }));
  return { object, created: false };
}

/** Stores the new state of an object, or removes it when that state ends its deletion. Takes it as it is stored. */
export function commit(core: Core, kind: Kind, object: ApiObject): ApiObject {
  const finalizers = [...stringsAt(object, 'metadata', 'finalizers'), ...namespaceFinalizers(kind, object)];
  if (object.metadata.deletionTimestamp === undefined || finalizers.length > 0) {
    return core.store.put(kind.resource, object);
  }
  core.store.remove(kind.resource, keyOf(object.metadata));
  return object;
}

/** Namespaces are held by finalizers in their specification until they are empty. */
export function namespaceFinalizers(kind: Kind, object: ApiObject): string[] {
  return kind.resource === 'namespaces' ? stringsAt(object, 'spec', 'finalizers') : [];
}

async function insert(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  proposed: ApiObject,
  options: WriteOptions,
  own: (object: ApiObject) => void,
): Promise<ApiObject> {
  const attempt: Omit<Attempt, 'object'> = {
    operation: 'CREATE',
    kind,
    namespace,
    name: proposed.metadata.name ?? '',
    before: undefined,
    ...options,
  };
  applyDefaults(proposed, kind.schema);
  const object = (await mutated(core, { ...attempt, object: proposed })) as ApiObject;
  prepareInsertion(core, kind, namespace, object);
  own(object);
  await validated(core, { ...attempt, name: object.metadata.name ?? '', object });
  const kept = await stored(core, kind, object);
  // Only now: whoever may not create it is not told that it exists, and meanwhile somebody else may have been faster.
  if (namespace !== undefined) requireNamespace(core, kind, namespace, object.metadata.name ?? '');
  if (core.store.get(kind.resource, keyOf(object.metadata)) !== undefined) {
    throw alreadyExists(kind, object.metadata.name ?? '');
  }
  if (options.dryRun) return object;
  return served(core, kind, core.store.put(kind.resource, kept));
}

/** Everything that is decided about a new object before its writer's ownership and the webhooks. */
function prepareInsertion(core: Core, kind: Kind, namespace: string | undefined, object: ApiObject): void {
  const { metadata } = object;
  if ((metadata.namespace ?? '') !== '' && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if ((metadata.resourceVersion ?? '') !== '') {
    // Refused by the real server's storage, which has no words for whose fault it is.
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
  }
  if (namespace === undefined) delete metadata.namespace;
  else metadata.namespace = namespace;
  if ((metadata.name ?? '') === '' && (metadata.generateName ?? '') !== '') {
    metadata.name = generatedName(metadata.generateName ?? '', core.random);
  }
  if (namespace !== undefined) requireNamespace(core, kind, namespace, metadata.name ?? '');
  if (kind.subresources.includes('status') && !kind.statusOnCreate) delete object.status;
  for (const key of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'generation']) delete metadata[key];
  if (kind.generation) metadata.generation = 1;
  metadata.uid = newUid(core.random);
  metadata.creationTimestamp = now(core.clock);
  admit(kind, object, undefined);
}

function ownAll(core: Core, kind: Kind, object: ApiObject, options: WriteOptions): void {
  const writer = writerOf(core, kind, options, 'Update');
  writeOwnerships(object, afterUpdate([], new Map(), fieldsOf(created(kind, object), kind.lists), writer));
}

/** What the creator owns: all but a status that only its own subresource writes. */
function created(kind: Kind, { status, ...rest }: ApiObject): JsonObject {
  return status !== undefined && (kind.statusOnCreate || !kind.subresources.includes('status'))
    ? { ...rest, status }
    : rest;
}

function requireNamespace(core: Core, kind: Kind, namespace: string, name: string): void {
  const found = core.store.get('namespaces', namespace);
  if (found === undefined) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const message = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw forbiddenRequest(kind, name, message, {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  });
}

type Proposal = { readonly proposed: ApiObject; readonly own: (object: ApiObject) => void };

/** Reads, changes and writes; again when somebody else wrote in between, as the real server does. */
async function replace(
  core: Core,
  target: Target,
  options: WriteOptions,
  propose: (current: ApiObject) => Proposal,
): Promise<ApiObject> {
  const { kind, namespace, name } = target;
  for (let attempts = 1; attempts <= maxAttempts; attempts++) {
    const found = storedObject(core, target);
    const current = await served(core, kind, found);
    const { proposed, own } = propose(current);
    const attempt = { operation: 'UPDATE', kind, namespace, name, before: current, ...options } as const;
    applyDefaults(proposed, kind.schema);
    const changed = (await mutated(core, { ...attempt, object: proposed })) as ApiObject;
    const object = prepareReplacement(target, current, changed, options.subresource, own);
    await validated(core, { ...attempt, object });
    // Nothing new is no write: the revision stays, and no watch hears of it.
    if (equal(object, current)) return current;
    if (options.dryRun) return object;
    const kept = await stored(core, kind, object);
    if (storedObject(core, target) === found) return served(core, kind, commit(core, kind, kept));
  }
  throw staleObject(kind, name);
}

function prepareReplacement(
  { kind, namespace, name }: Target,
  current: ApiObject,
  proposed: ApiObject,
  subresource: WriteOptions['subresource'],
  own: (object: ApiObject) => void,
): ApiObject {
  const sent = proposed.metadata;
  if ((sent.name ?? name) !== name) throw nameMismatch(sent.name, name);
  if ((sent.namespace ?? namespace) !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if ((sent.uid ?? '') !== '' && sent.uid !== current.metadata.uid) {
    throw preconditionFailed(kind, name, 'UID', sent.uid ?? '', current.metadata.uid ?? '');
  }
  if ((sent.resourceVersion ?? '') !== '' && sent.resourceVersion !== current.metadata.resourceVersion) {
    throw staleObject(kind, name);
  }
  if ((sent.resourceVersion ?? '') === '' && kind.custom) {
    throw invalidObject(kind, name, [invalid('metadata.resourceVersion', 0, 'must be specified for an update')]);
  }
  const object = confine(kind, current, proposed, subresource);
  admit(kind, object, current);
  own(object);
  if (kind.generation && !equal(specificationOf(current), specificationOf(object))) {
    object.metadata.generation = (current.metadata.generation ?? 0) + 1;
  }
  return object;
}

/** What of the proposal this subresource may change; the rest stays as it is. */
function confine(
  kind: Kind,
  current: ApiObject,
  proposed: ApiObject,
  subresource: WriteOptions['subresource'],
): ApiObject {
  const object = subresource === 'status' ? { ...clone(current), metadata: clone(proposed.metadata) } : clone(proposed);
  const source = subresource === 'status' ? proposed : current;
  if (subresource === 'status' || kind.subresources.includes('status')) {
    if (source.status === undefined) delete object.status;
    else object.status = clone(source.status);
  }
  const metadata = subresource === 'status' && kind.custom ? clone(current.metadata) : object.metadata;
  if (proposed.metadata.managedFields !== undefined) metadata.managedFields = clone(proposed.metadata.managedFields);
  for (const key of serverFields) {
    if (current.metadata[key] === undefined) delete metadata[key];
    else metadata[key] = current.metadata[key];
  }
  return { ...object, metadata };
}

const serverFields = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'generateName',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
];

/** The applied configuration, less the part that this subresource does not write. */
function configurationOf(kind: Kind, body: Json, options: WriteOptions): ApiObject {
  const config = decodeObject(kind, body, options.validation, options.warn);
  if (options.subresource === 'status') {
    const { apiVersion, kind: kindName, metadata, status } = config;
    return {
      apiVersion,
      kind: kindName,
      metadata: { name: metadata.name ?? '' },
      ...(status === undefined ? {} : { status }),
    };
  }
  if (kind.subresources.includes('status')) delete config.status;
  return config;
}

function specificationOf({ metadata: _metadata, status: _status, ...rest }: ApiObject): JsonObject {
  return rest;
}

function writerOf(core: Core, kind: Kind, options: WriteOptions, operation: Writer['operation']): Writer {
  const { manager, subresource } = options;
  return { manager, operation, apiVersion: apiVersionOf(kind), subresource, time: now(core.clock) };
}

function nameMismatch(inBody: string | undefined, inPath: string): Error {
  return badRequest(`the name of the object (${inBody}) does not match the name on the URL (${inPath})`);
}
