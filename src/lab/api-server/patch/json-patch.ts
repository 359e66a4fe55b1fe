import { clone, equal, isObject, type Json, type JsonObject } from '../json.ts';
import { badRequest, unprocessablePatch } from '../status.ts';

/** The real server's limit on the operations of one patch. */
const maxOperations = 10_000;

/** Applies an RFC 6902 patch and returns the result. Throws the Status that refuses it. */
export function applyJsonPatch(target: JsonObject, patch: Json): JsonObject {
  if (!Array.isArray(patch)) {
    throw badRequest('error decoding patch: json: cannot unmarshal object into a list of operations');
  }
  if (patch.length > maxOperations) {
    throw badRequest(`The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`);
  }
  const root: { document: Json } = { document: clone<Json>(target) };
  for (const operation of patch) apply(root, operation);
  if (!isObject(root.document)) throw unprocessablePatch();
  return root.document;
}

function apply(root: { document: Json }, operation: Json): void {
  if (!isObject(operation) || typeof operation.path !== 'string') {
    throw badRequest('error decoding patch: operation without a path');
  }
  const path = parsePointer(operation.path);
  switch (operation.op) {
    case 'add':
      add(root, path, givenValue(operation));
      break;
    case 'remove':
      remove(root, path);
      break;
    case 'replace':
      replace(root, path, givenValue(operation));
      break;
    case 'move':
      add(root, path, remove(root, fromOf(operation)));
      break;
    case 'copy':
      add(root, path, clone(read(root, fromOf(operation))));
      break;
    case 'test':
      if (!equal(readOrNull(root, path), givenValue(operation))) throw unprocessablePatch();
      break;
    default:
      throw unprocessablePatch();
  }
}

function givenValue(operation: JsonObject): Json {
  return clone(operation.value ?? null);
}

function fromOf(operation: JsonObject): string[] {
  if (typeof operation.from !== 'string') throw unprocessablePatch();
  return parsePointer(operation.from);
}

/** RFC 6901. */
function parsePointer(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw unprocessablePatch();
  const parts = pointer.slice(1).split('/');
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(root: { document: Json }, path: readonly string[]): Json {
  let here: Json | undefined = root.document;
  for (const key of path) {
    if (Array.isArray(here)) here = here[indexOf(key, here.length - 1)];
    else if (isObject(here) && Object.hasOwn(here, key)) here = here[key];
    else throw unprocessablePatch();
  }
  if (here === undefined) throw unprocessablePatch();
  return here;
}

/** A missing member compares as null, as in the library that the real server uses. */
function readOrNull(root: { document: Json }, path: readonly string[]): Json {
  const last = path.at(-1);
  if (last === undefined) return root.document;
  const parent = read(root, path.slice(0, -1));
  if (isObject(parent)) return parent[last] ?? null;
  return read(root, path);
}

function add(root: { document: Json }, path: readonly string[], value: Json): void {
  const last = path.at(-1);
  if (last === undefined) {
    root.document = value;
    return;
  }
  const parent = read(root, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : indexOf(last, parent.length), 0, value);
  else if (isObject(parent)) parent[last] = value;
  else throw unprocessablePatch();
}

/** A missing member is added, as by the library that the real server uses. */
function replace(root: { document: Json }, path: readonly string[], value: Json): void {
  const last = path.at(-1);
  const parent = last === undefined ? undefined : read(root, path.slice(0, -1));
  if (last !== undefined && Array.isArray(parent)) parent[indexOf(last, parent.length - 1)] = value;
  else add(root, path, value);
}

function remove(root: { document: Json }, path: readonly string[]): Json {
  const last = path.at(-1);
  if (last === undefined) throw unprocessablePatch();
  const removed = read(root, path);
  const parent = read(root, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(indexOf(last, parent.length - 1), 1);
  else if (isObject(parent)) delete parent[last];
  return removed;
}

function indexOf(text: string, highest: number): number {
  const index = /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : -1;
  if (index < 0 || index > highest) throw unprocessablePatch();
  return index;
}
