import { equal, isObject, type Json, type JsonObject } from '../json.ts';
import type { ListLayout, ListLayouts } from './list-layout.ts';

/**
 * The fields of an object, one entry a leaf: path → value. A path is the steps of the FieldsV1 format (`f:spec`,
 * `k:{"port":80}`, `v:"x"`) joined by `separator`. An item of a list map is an entry of its own, ending in `.`.
 *
 *     {spec: {ports: [{port: 80, name: 'a'}]}}   spec.ports being a list map by port
 *     f:spec f:ports k:{"port":80} .        →  the item
 *     f:spec f:ports k:{"port":80} f:port   →  80
 *     f:spec f:ports k:{"port":80} f:name   →  "a"
 */
export type Fields = Map<string, Json>;

/** Paths of such fields. */
export type FieldSet = Set<string>;

export const separator = '\u001f';
const self = '.';

/** Metadata that no manager owns. */
const unowned = new Set(
  [
    'apiVersion',
    'kind',
    ...['name', 'namespace', 'generateName', 'uid', 'resourceVersion', 'generation', 'creationTimestamp'].map(meta),
    ...['deletionTimestamp', 'deletionGracePeriodSeconds', 'managedFields', 'selfLink'].map(meta),
  ].map((path) =>
    path
      .split('/')
      .map((key) => `f:${key}`)
      .join(separator),
  ),
);

export function fieldsOf(object: JsonObject, lists: ListLayouts): Fields {
  const fields: Fields = new Map();
  collectObject(object, [], '', lists, fields);
  return fields;
}

/** The item of a list that a `k:` or `v:` step names; -1 when the list has none. */
export function indexOfStep(list: readonly Json[], step: string, layout: ListLayout): number {
  return list.findIndex((item) => stepOf(item, layout) === step);
}

/** The step that names an item of a list map or set; undefined when it lacks its keys. */
export function stepOf(item: Json, layout: ListLayout): string | undefined {
  const keys = layout.keys ?? new Map<string, string | undefined>();
  if (keys.size === 0) return isObject(item) ? undefined : `v:${JSON.stringify(item)}`;
  if (!isObject(item)) return undefined;
  const identity: JsonObject = {};
  for (const key of [...keys.keys()].sort()) {
    const value = item[key] ?? keys.get(key);
    if (value === undefined) return undefined;
    identity[key] = value;
  }
  return `k:${JSON.stringify(identity)}`;
}

/** The nested FieldsV1 form, as it stands in metadata.managedFields. */
export function toFieldsV1(set: Iterable<string>): JsonObject {
  const root: JsonObject = {};
  for (const path of [...set].sort()) {
    let here = root;
    for (const step of path.split(separator)) {
      const below = here[step];
      const next: JsonObject = isObject(below) ? below : {};
      here[step] = next;
      here = next;
    }
  }
  return root;
}

export function fromFieldsV1(fieldsV1: Json | undefined): FieldSet {
  const set: FieldSet = new Set();
  const walk = (node: JsonObject, path: string) => {
    for (const [step, below] of Object.entries(node)) {
      const here = path === '' ? step : `${path}${separator}${step}`;
      if (isObject(below) && Object.keys(below).length > 0) walk(below, here);
      else set.add(here);
    }
  };
  if (isObject(fieldsV1)) walk(fieldsV1, '');
  return set;
}

/** The fields that are new or different in `after`. */
export function changed(before: Fields, after: Fields): FieldSet {
  const set: FieldSet = new Set();
  for (const [path, value] of after) if (!before.has(path) || !equal(before.get(path), value)) set.add(path);
  return set;
}

/** As conflicts are reported: `.spec.ports[port=80,protocol="TCP"].name`. */
export function shownPath(path: string): string {
  return path
    .split(separator)
    .filter((step) => step !== self)
    .map((step) => {
      const rest = step.slice(2);
      if (step.startsWith('f:')) return `.${rest}`;
      if (step.startsWith('v:')) return `[=${rest}]`;
      const keys = Object.entries(JSON.parse(rest) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}

function collectObject(
  object: JsonObject,
  steps: readonly string[],
  path: string,
  lists: ListLayouts,
  fields: Fields,
): void {
  for (const [key, value] of Object.entries(object)) {
    const below = [...steps, `f:${key}`];
    if (value === undefined || (steps.length < 2 && unowned.has(below.join(separator)))) continue;
    collect(value, below, path === '' ? key : `${path}.${key}`, lists, fields);
  }
}

function collect(value: Json, steps: readonly string[], path: string, lists: ListLayouts, fields: Fields): void {
  const layout = lists.get(path);
  if (isObject(value) && Object.keys(value).length > 0) {
    collectObject(value, steps, path, lists, fields);
  } else if (Array.isArray(value) && layout?.keys !== undefined && value.length > 0) {
    for (const item of value) {
      const step = stepOf(item, layout);
      if (step === undefined) continue;
      const below = [...steps, step];
      if (!isObject(item)) fields.set(below.join(separator), item);
      else {
        fields.set([...below, self].join(separator), null);
        collectObject(item, below, path, lists, fields);
      }
    }
  } else {
    fields.set(steps.join(separator), value);
  }
}

function meta(field: string): string {
  return `metadata/${field}`;
}
