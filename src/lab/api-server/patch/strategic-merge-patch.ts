import { clone, equal, isObject, type Json, type JsonObject } from '../json.ts';
import { badRequest, unsupportedMediaType } from '../status.ts';
import { type ListLayouts, values } from './list-layout.ts';

const orderPrefix = '$setElementOrder/';
const removalPrefix = '$deleteFromPrimitiveList/';

/**
 * Applies a strategic merge patch, the patch of `kubectl apply` and `kubectl edit` for built-in kinds: a merge patch
 * in which `lists` names the lists that merge by key, and directives (`$patch`, `$retainKeys`, `$setElementOrder/…`,
 * `$deleteFromPrimitiveList/…`) say the rest. Returns the result; `target` is not touched.
 */
export function applyStrategicMergePatch(target: JsonObject, patch: Json, lists: ListLayouts): JsonObject {
  if (!isObject(patch)) throw badRequest('error decoding patch: a strategic merge patch is an object');
  return mergeObject(clone(target), patch, lists, '');
}

/** Custom resources have no strategic merge: their clients learn it from this refusal. */
export function refuseStrategicMerge(): never {
  throw unsupportedMediaType([
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/apply-patch+yaml',
  ]);
}

function mergeObject(target: JsonObject, patch: JsonObject, lists: ListLayouts, path: string): JsonObject {
  if (patch.$patch === 'delete') return {};
  if (patch.$patch === 'replace') return withoutDirectives(patch);
  if (patch.$patch !== undefined && patch.$patch !== 'merge') {
    throw badRequest(`Unknown patch type found: ${patch.$patch}`);
  }
  if (Array.isArray(patch.$retainKeys)) {
    for (const key of Object.keys(target)) if (!patch.$retainKeys.includes(key)) delete target[key];
  }
  const before = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined || key === '$patch' || key === '$retainKeys' || key.startsWith(orderPrefix)) continue;
    if (key.startsWith(removalPrefix)) removeValues(target, key.slice(removalPrefix.length), value);
    else mergeField(target, key, value, lists, path === '' ? key : `${path}.${key}`);
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(orderPrefix) || !Array.isArray(order)) continue;
    const field = key.slice(orderPrefix.length);
    const merge = lists.get(path === '' ? field : `${path}.${field}`)?.merge;
    const list = target[field];
    if (merge !== undefined && Array.isArray(list)) target[field] = inOrder(list, order, asList(before[field]), merge);
  }
  return target;
}

function mergeField(target: JsonObject, key: string, value: Json, lists: ListLayouts, path: string): void {
  const here = target[key];
  if (value === null) {
    delete target[key];
  } else if (isObject(value)) {
    target[key] = mergeObject(isObject(here) ? here : {}, value, lists, path);
  } else if (Array.isArray(value)) {
    const merge = lists.get(path)?.merge;
    if (merge === undefined) target[key] = value.map(plain);
    else if (merge === values) target[key] = inOrder(union(asList(here), value), value, asList(here), values);
    else target[key] = mergeList(asList(here), value, merge, lists, path);
  } else {
    target[key] = value;
  }
}

/** Items meet by `key`. Each patch item is merged into its match, added when it has none, or deletes it. */
function mergeList(target: Json[], patch: readonly Json[], key: string, lists: ListLayouts, path: string): Json[] {
  if (patch.some((item) => isObject(item) && item.$patch === 'replace')) {
    return patch.filter((item) => isObject(item) && item.$patch !== 'replace').map(plain);
  }
  const result = [...target];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`delete patch type with no merge key defined: ${path}`);
    const identity = item[key];
    if (identity === undefined) {
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    }
    const index = result.findIndex((other) => isObject(other) && equal(other[key], identity));
    const match = result[index];
    if (item.$patch === 'delete') {
      for (let i = result.length - 1; i >= 0; i--) {
        const other = result[i];
        if (isObject(other) && equal(other[key], identity)) result.splice(i, 1);
      }
    } else if (isObject(match)) {
      result[index] = mergeObject(match, item, lists, path);
    } else {
      result.push(mergeObject({}, item, lists, path));
    }
  }
  const named = patch.filter((item) => isObject(item) && item.$patch !== 'delete');
  return inOrder(result, named, target, key);
}

/**
 * The items that `order` names, in its order, among the ones that only the server has: those stay in front of the
 * named items that they were in front of, and come after the ones that are new.
 */
function inOrder(list: readonly Json[], order: readonly Json[], before: readonly Json[], key: string): Json[] {
  const identity = (item: Json): Json | undefined => (key === values ? item : isObject(item) ? item[key] : undefined);
  const same = (a: Json) => (b: Json) => equal(identity(a), identity(b));
  const once = order.filter((wanted, i) => order.findIndex(same(wanted)) === i);
  const named = once.flatMap((wanted) => list.filter(same(wanted)));
  const others = list.filter((item) => !order.some(same(item)));
  const positions = (item: Json) => before.findIndex(same(item));
  const result: Json[] = [];
  while (named.length > 0 && others.length > 0) {
    const [mine, other] = [positions(named[0] as Json), positions(others[0] as Json)];
    const otherFirst = mine >= 0 && other >= 0 && other < mine;
    result.push((otherFirst ? others.shift() : named.shift()) as Json);
  }
  return [...result, ...named, ...others];
}

function removeValues(target: JsonObject, field: string, removed: Json): void {
  const list = target[field];
  if (!Array.isArray(list) || !Array.isArray(removed)) return;
  target[field] = list.filter((item) => !removed.some((gone) => equal(item, gone)));
}

function union(target: readonly Json[], added: readonly Json[]): Json[] {
  return [...target, ...added.filter((item) => !target.some((other) => equal(item, other)))];
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function plain(item: Json): Json {
  return isObject(item) ? withoutDirectives(item) : item;
}

/** What a patch says once there is nothing to merge it with. Deletions inside it have nothing to delete. */
function withoutDirectives(patch: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$') || value === null || value === undefined) continue;
    result[key] = isObject(value) ? withoutDirectives(value) : value;
  }
  return result;
}
