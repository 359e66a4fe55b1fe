import { type ApiObject, clone, equal, isObject, type Json, type JsonObject } from '../json.ts';
import { applyConflict } from '../status.ts';
import { type FieldSet, type Fields, fieldsOf, indexOfStep, separator, shownPath, stepOf } from './field-set.ts';
import type { ListLayouts } from './list-layout.ts';
import { type Ownership, only, readOwnerships, sameWriter, type Writer, writeOwnerships } from './managed-fields.ts';

/**
 * Server-side apply: merges `config` into `live`, takes away what this manager applied before and no longer does
 * (unless somebody else owns it too), and records the ownership. A field with another value and another owner is a
 * conflict: thrown, or taken over with `force`. Returns a new object.
 */
export function applyConfiguration(
  live: ApiObject,
  config: JsonObject,
  lists: ListLayouts,
  writer: Writer,
  force: boolean,
): ApiObject {
  const held = readOwnerships(live);
  const mine = held.find((one) => sameWriter(one.writer, writer));
  const others = held.filter((one) => one !== mine);
  const applied = fieldsOf(config, lists);
  const conflicts = conflictsOf(others, fieldsOf(live, lists), applied);
  if (conflicts.length > 0 && !force) throw applyConflict(conflicts.map(({ owner, path }) => shown(owner, path)));

  const merged = mergeObject(clone(live), config, lists, '') as ApiObject;
  const dropped = only(mine?.fields ?? new Set(), (path) => !applied.has(path) && !others.some(keeps(path)));
  // In order, an item of a list comes before its fields: it must still have its keys when it is looked for.
  for (const path of [...dropped].sort()) removeField(merged, path.split(separator), lists);

  const taken = new Set(conflicts.map(({ path }) => path));
  const lost = (one: Ownership) => ({
    ...one,
    fields: only(one.fields, (path) => !taken.has(path) && !dropped.has(path)),
  });
  const asBefore = mine?.fields.size === applied.size && [...applied.keys()].every((path) => mine.fields.has(path));
  // An apply that changes nothing keeps the time of the one before it, so that the whole object stays as it is.
  const now: Ownership = asBefore ? mine : { writer, fields: new Set(applied.keys()) };
  writeOwnerships(
    merged,
    mine === undefined ? [...held.map(lost), now] : held.map((one) => (one === mine ? now : lost(one))),
  );
  return merged;
}

type Conflict = { readonly owner: Ownership; readonly path: string };

function conflictsOf(others: readonly Ownership[], live: Fields, applied: Fields): Conflict[] {
  return others.flatMap((owner) =>
    [...applied]
      .filter(([path, value]) => owner.fields.has(path) && live.has(path) && !equal(live.get(path), value))
      .map(([path]) => ({ owner, path })),
  );
}

function shown({ writer }: Ownership, path: string): { manager: string; field: string } {
  const subresource = writer.subresource === '' ? '' : ` with subresource "${writer.subresource}"`;
  const version = writer.operation === 'Update' ? ` using ${writer.apiVersion}` : '';
  return { manager: `"${writer.manager}"${subresource}${version}`, field: shownPath(path) };
}

/** Whether an owner holds the field, or, when it is an item of a list, anything inside that item. */
function keeps(path: string): (owner: Ownership) => boolean {
  const item = path.endsWith(`${separator}.`) ? path.slice(0, -1) : undefined;
  const inside = (fields: FieldSet) => item !== undefined && [...fields].some((other) => other.startsWith(item));
  return ({ fields }) => fields.has(path) || inside(fields);
}

function mergeObject(live: JsonObject, config: JsonObject, lists: ListLayouts, path: string): JsonObject {
  const result: JsonObject = { ...live };
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined) continue;
    result[key] = mergeValue(live[key], value, lists, path === '' ? key : `${path}.${key}`);
  }
  return result;
}

function mergeValue(live: Json | undefined, config: Json, lists: ListLayouts, path: string): Json {
  if (isObject(config)) return mergeObject(isObject(live) ? live : {}, config, lists, path);
  const layout = lists.get(path);
  if (!Array.isArray(config) || !Array.isArray(live) || layout?.keys === undefined) return clone(config);
  const result = [...live];
  for (const item of config) {
    const step = stepOf(item, layout);
    const index = step === undefined ? -1 : indexOfStep(result, step, layout);
    const match = result[index];
    if (index === -1) result.push(clone(item));
    else if (isObject(match) && isObject(item)) result[index] = mergeObject(match, item, lists, path);
  }
  return result;
}

/** Removes the field in place, and what it leaves empty. */
function removeField(parent: Json | undefined, steps: readonly string[], lists: ListLayouts, path = ''): void {
  const [step = '', ...rest] = steps;
  if (isObject(parent) && step.startsWith('f:')) {
    const key = step.slice(2);
    if (rest.length === 0) delete parent[key];
    else {
      removeField(parent[key], rest, lists, path === '' ? key : `${path}.${key}`);
      const left = parent[key];
      if (left !== undefined && left !== null && typeof left === 'object' && Object.keys(left).length === 0) {
        delete parent[key];
      }
    }
  } else if (Array.isArray(parent)) {
    const layout = lists.get(path) ?? {};
    const index = indexOfStep(parent, step, layout);
    const isKey = rest.length === 1 && layout.keys?.has((rest[0] ?? '').slice(2)) === true;
    if (index === -1 || isKey) return;
    if (rest.length === 0 || rest[0] === '.') parent.splice(index, 1);
    else removeField(parent[index], rest, lists, path);
  }
}
