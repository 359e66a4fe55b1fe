import type { Core } from './core.ts';
import { deleteObject, deleteOptions } from './delete.ts';
import type { ApiObject, Json, JsonObject } from './json.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { applyStrategicMergePatch, refuseStrategicMerge } from './patch/strategic-merge-patch.ts';
import { flag, listObjects, type Page, type Scope } from './read.ts';
import {
  type Answer,
  type ApiRequest,
  bodyOf,
  type Format,
  formatOf,
  mediaType,
  patchTypes,
  writeOptions,
} from './request.ts';
import { readScale, updateScale } from './scale.ts';
import { methodNotAllowed, StatusError, unsupportedMediaType } from './status.ts';
import { keyOf } from './store.ts';
import { toPartialMetadata, toPartialMetadataList, toTable } from './tables/table.ts';
import type { Presentation } from './watch.ts';
import { applyObject, createObject, readObject, type Target, updateObject } from './write.ts';

type Warn = (text: string) => void;

/** A request on `…/PLURAL`: list, watch, create, delete all that match. */
export async function collectionAnswer(
  core: Core,
  request: ApiRequest,
  scope: Scope,
  warn: Warn,
): Promise<Answer | { watch: Scope }> {
  const { kind, namespace } = scope;
  if (kind.answer !== undefined) {
    if (request.method !== 'POST') throw methodNotAllowed();
    return { code: 201, body: kind.answer(bodyOf(request) as ApiObject) };
  }
  switch (request.method) {
    case 'GET':
      if (flag(request.query, 'watch')) return { watch: scope };
      return { code: 200, body: presentPage(core, request, kind, await listObjects(core, scope)) };
    case 'POST': {
      if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
      const present = presenter(core, request, kind);
      const created = await createObject(core, kind, namespace, bodyOf(request), writeOptions(request, '', warn));
      return { code: 201, body: present(created) };
    }
    case 'DELETE': {
      if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
      const page = await listObjects(core, scope);
      const options = deleteOptions(optionalBody(request), request.query);
      for (const { metadata } of page.items) {
        // An object before it may have taken it along, as its owner.
        if (core.store.get(kind.resource, keyOf(metadata)) === undefined) continue;
        await deleteObject(core, { kind, namespace, name: metadata.name ?? '' }, options, warn);
      }
      return { code: 200, body: listOf(kind, page) };
    }
    default:
      throw methodNotAllowed();
  }
}

/** A request on `…/PLURAL/NAME` or one of its subresources. */
export async function objectAnswer(
  core: Core,
  request: ApiRequest,
  target: Target,
  subresource: string,
  warn: Warn,
): Promise<Answer> {
  const { kind } = target;
  if (kind.answer !== undefined) throw methodNotAllowed();
  if (subresource === 'eviction' && kind.subresources.includes('eviction')) return evict(core, request, target, warn);
  if (subresource === 'scale' && kind.subresources.includes('scale')) return scaleAnswer(core, request, target, warn);
  if (subresource !== '' && !(subresource === 'status' && kind.subresources.includes('status'))) {
    throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  }
  const present = presenter(core, request, kind);
  const options = () => writeOptions(request, subresource === 'status' ? 'status' : '', warn);
  switch (request.method) {
    case 'GET':
      return { code: 200, body: present(await readObject(core, target)) };
    case 'PUT': {
      const body = bodyOf(request);
      return { code: 200, body: present(await updateObject(core, target, options(), () => body)) };
    }
    case 'PATCH': {
      const { object, created } = await patchObject(core, request, target, options());
      return { code: created ? 201 : 200, body: present(object) };
    }
    case 'DELETE': {
      if (subresource !== '') throw methodNotAllowed();
      const deletion = deleteOptions(optionalBody(request), request.query);
      return { code: 200, body: await deleteObject(core, target, deletion, warn) };
    }
    default:
      throw methodNotAllowed();
  }
}

/** How single objects are shown to this client, in answers and in watch events. */
export function presenter(core: Core, request: ApiRequest, kind: Kind): Presentation {
  const format = formatOf(request.accept);
  let headers = true;
  return (object) => {
    switch (format.form) {
      case 'object':
        return object;
      case 'metadata':
        return toPartialMetadata(object, format.version);
      case 'table': {
        const { resourceVersion = '' } = object.metadata;
        const table = toTable(
          kind,
          [object],
          { resourceVersion },
          tableOptions(core, request, format.version, headers),
        );
        headers = false;
        return table;
      }
      default:
        return format satisfies never;
    }
  };
}

function presentPage(core: Core, request: ApiRequest, kind: Kind, page: Page): JsonObject {
  const format: Format = formatOf(request.accept);
  switch (format.form) {
    case 'object':
      return listOf(kind, page);
    case 'metadata':
      return toPartialMetadataList(page.items, page.metadata, format.version);
    case 'table':
      return toTable(kind, page.items, page.metadata, tableOptions(core, request, format.version, true));
    default:
      return format satisfies never;
  }
}

function tableOptions(core: Core, request: ApiRequest, version: string, headers: boolean) {
  const asked = request.query.get('includeObject');
  const includeObject = asked === 'None' || asked === 'Object' ? asked : 'Metadata';
  return { version, includeObject, headers, now: core.clock.wallTime() } as const;
}

function listOf(kind: Kind, { items, metadata }: Page): JsonObject {
  return { kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata, items };
}

async function patchObject(core: Core, request: ApiRequest, target: Target, options: ReturnType<typeof writeOptions>) {
  const type = mediaType(request);
  const patch = bodyOf(request);
  if (type === patchTypes.apply) {
    return applyObject(core, target, patch, { ...options, force: flag(request.query, 'force') });
  }
  const change = patchFunction(type, patch, target.kind);
  return { object: await updateObject(core, target, options, change), created: false };
}

function patchFunction(type: string, patch: Json, kind: Kind): (current: ApiObject) => Json {
  switch (type) {
    case patchTypes.json:
      return (current) => applyJsonPatch(current, patch);
    case patchTypes.merge:
      return (current) => applyMergePatch(current, patch);
    case patchTypes.strategic:
      if (kind.custom) return refuseStrategicMerge();
      return (current) => applyStrategicMergePatch(current, patch, kind.lists);
    default:
      throw unsupportedMediaType(Object.values(patchTypes));
  }
}

async function scaleAnswer(core: Core, request: ApiRequest, target: Target, warn: Warn): Promise<Answer> {
  const options = () => writeOptions(request, 'scale', warn);
  switch (request.method) {
    case 'GET':
      return { code: 200, body: await readScale(core, target) };
    case 'PUT': {
      const body = bodyOf(request);
      return { code: 200, body: await updateScale(core, target, options(), () => body) };
    }
    case 'PATCH': {
      const change = patchFunction(mediaType(request), bodyOf(request), target.kind);
      return { code: 200, body: await updateScale(core, target, options(), change) };
    }
    default:
      throw methodNotAllowed();
  }
}

/** `kubectl drain` evicts; without disruption budgets an eviction is a deletion. */
async function evict(core: Core, request: ApiRequest, target: Target, warn: Warn): Promise<Answer> {
  if (request.method !== 'POST') throw methodNotAllowed();
  await deleteObject(core, target, deleteOptions(undefined, request.query), warn);
  return { code: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
}

function optionalBody(request: ApiRequest): Json | undefined {
  return request.body.length === 0 ? undefined : bodyOf(request);
}
