import { clone, isObject, type Json, type JsonObject } from '../json.ts';
import { objectMeta } from './object-meta.ts';
import { fieldPath, type Schema } from './schema.ts';

/**
 * Removes the fields that the schema does not know, in place, and returns their paths. `apiVersion`, `kind` and
 * `metadata` belong to the root of every object whatever its schema says.
 */
export function prune(object: JsonObject, schema: Schema): string[] {
  const unknown: string[] = [];
  pruneValue(object, withObjectFields(schema), '', unknown);
  return unknown;
}

/** Puts in the schema's defaults, in place, and drops nulls where null is no value: they mean "not given". */
export function applyDefaults(value: Json | undefined, schema: Schema): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) applyDefaults(item, schema.items);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const given = value[key];
    if (given === null && property.nullable !== true) delete value[key];
    if (value[key] === undefined && property.default !== undefined) value[key] = clone(property.default);
    applyDefaults(value[key], property);
  }
  const others = schema.additionalProperties;
  if (typeof others !== 'object') return;
  for (const [key, item] of Object.entries(value)) {
    if (schema.properties?.[key] !== undefined) continue;
    if (item === null && others.nullable !== true) delete value[key];
    else applyDefaults(item, others);
  }
}

function pruneValue(value: Json | undefined, schema: Schema, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (const [i, item] of value.entries()) pruneValue(item, schema.items, `${path}[${i}]`, unknown);
    return;
  }
  if (!isObject(value)) return;
  const here = schema['x-kubernetes-embedded-resource'] === true ? withObjectFields(schema) : schema;
  for (const key of Object.keys(value)) {
    const below = Object.hasOwn(here.properties ?? {}, key) ? here.properties?.[key] : here.additionalProperties;
    if (typeof below === 'object') pruneValue(value[key], below, fieldPath(path, key), unknown);
    else if (below !== true && here['x-kubernetes-preserve-unknown-fields'] !== true) {
      unknown.push(fieldPath(path, key));
      delete value[key];
    }
  }
}

function withObjectFields(schema: Schema): Schema {
  const text: Schema = { type: 'string' };
  return { ...schema, properties: { ...schema.properties, apiVersion: text, kind: text, metadata: objectMeta } };
}
