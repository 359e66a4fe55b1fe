import { parseTimestamp } from '../../../runtime/clock.ts';
import {
  duplicate,
  type FieldError,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../field-error.ts';
import { equal, isObject, type Json, type JsonObject } from '../json.ts';
import { fieldPath, type Schema } from './schema.ts';

/** What is wrong with a value by its schema, worded as the real server words it. Its rules are those of rules.ts. */
export function validate(value: Json, schema: Schema, path = ''): FieldError[] {
  if (value === null && schema.nullable === true) return [];
  const wrongType = checkType(value, schema, path);
  if (wrongType !== undefined) return [wrongType];
  const errors: FieldError[] = [];
  if (schema.enum !== undefined && !schema.enum.some((allowed) => equal(allowed, value))) {
    errors.push(notSupported(path, value, schema.enum));
  }
  if (typeof value === 'string') errors.push(...checkText(value, schema, path));
  if (typeof value === 'number') errors.push(...checkNumber(value, schema, path));
  if (Array.isArray(value)) errors.push(...checkList(value, schema, path));
  if (isObject(value)) errors.push(...checkObject(value, schema, path));
  return [...errors, ...checkCombinations(value, schema, path)];
}

function checkType(value: Json, schema: Schema, path: string): FieldError | undefined {
  const is = typeName(value);
  if (schema['x-kubernetes-int-or-string'] === true) {
    return is === 'integer' || is === 'string' ? undefined : wrongType(path, 'integer,string', is);
  }
  if (schema.type === undefined || is === schema.type) return undefined;
  if (schema.type === 'number' && is === 'integer') return undefined;
  return wrongType(path, schema.type, is);
}

function wrongType(path: string, want: string, is: string): FieldError {
  return typeInvalid(path, is, `${path} in body must be of type ${want}: ${JSON.stringify(is)}`);
}

function typeName(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkText(value: string, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const length = [...value].length;
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalid(path, value, `${path} in body should be at least ${schema.minLength} chars long`));
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) errors.push(tooLong(path, schema.maxLength));
  if (schema.pattern !== undefined && !compiled(schema.pattern).test(value)) {
    errors.push(invalid(path, value, `${path} in body should match '${schema.pattern}'`));
  }
  if (schema.format === 'date-time' && !isDateTime(value)) {
    errors.push(invalid(path, value, `${path} in body must be of type date-time: ${JSON.stringify(value)}`));
  }
  if (schema.format === 'micro-time' && !(isDateTime(value) && /\.\d{6}\D/.test(value))) {
    const why = `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05.000000Z07:00": cannot parse`;
    errors.push(invalid(path, value, why));
  }
  return errors;
}

function checkNumber(value: number, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const say = (why: string) => errors.push(invalid(path, value, `${path} in body ${why}`));
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    say(`should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
  }
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    say(`should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) say(`should be a multiple of ${multipleOf}`);
  const bits = schema.format === 'int32' ? 31 : schema.format === 'int64' ? 63 : undefined;
  if (bits !== undefined && (value >= 2 ** bits || value < -(2 ** bits))) {
    say(`must be of type integer with format ${schema.format}`);
  }
  return errors;
}

function checkList(value: readonly Json[], schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`));
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    // The items of a list that is too long are not looked at: the limit is there to bound this very work.
    return [tooMany(path, value.length, schema.maxItems)];
  }
  if (schema.uniqueItems === true && value.some((item, i) => value.findIndex((other) => equal(item, other)) < i)) {
    errors.push(invalid(path, '', `${path} in body shouldn't contain duplicates`));
  }
  errors.push(...checkUniqueKeys(value, schema, path));
  const { items } = schema;
  if (items === undefined) return errors;
  return [...errors, ...value.flatMap((item, i) => validate(item, items, `${path}[${i}]`))];
}

function checkUniqueKeys(value: readonly Json[], schema: Schema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== 'set' && listType !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Set<string>();
  return value.flatMap((item, i) => {
    const identity: Json = listType === 'set' ? item : pick(item, keys);
    const text = JSON.stringify(identity, inOrder);
    if (seen.has(text)) return [duplicate(`${path}[${i}]`, identity)];
    seen.add(text);
    return [];
  });
}

function checkObject(value: JsonObject, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of schema.required ?? []) {
    if (value[key] === undefined) errors.push(required(fieldPath(path, key)));
  }
  const count = Object.keys(value).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(invalid(path, count, `${path} in body should have at least ${schema.minProperties} properties`));
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push(tooMany(path, count, schema.maxProperties));
  }
  for (const [key, field] of Object.entries(value)) {
    const below = Object.hasOwn(schema.properties ?? {}, key) ? schema.properties?.[key] : schema.additionalProperties;
    if (field !== undefined && typeof below === 'object') errors.push(...validate(field, below, fieldPath(path, key)));
  }
  return errors;
}

function checkCombinations(value: Json, schema: Schema, path: string): FieldError[] {
  const fits = (one: Schema) => validate(value, one, path).length === 0;
  const errors = (schema.allOf ?? []).flatMap((one) => validate(value, one, path));
  const say = (why: string) => errors.push(invalid(path, value, why));
  if (schema.anyOf !== undefined && !schema.anyOf.some(fits)) {
    say(`${path} in body must validate at least one schema (anyOf)`);
  }
  if (schema.oneOf !== undefined && schema.oneOf.filter(fits).length !== 1) {
    say(`${path} in body must validate one and only one schema (oneOf)`);
  }
  if (schema.not !== undefined && fits(schema.not)) say(`${path} in body must not validate the schema (not)`);
  return errors;
}

const patterns = new Map<string, RegExp>();

/** Throws a SyntaxError on what JavaScript cannot read; definitions are checked for that when they are registered. */
export function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern) ?? new RegExp(pattern);
  patterns.set(pattern, known);
  return known;
}

function isDateTime(value: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:\d\d)$/.test(value) && parseTimestamp(value) !== undefined
  );
}

/** For JSON.stringify: objects with their keys in order, so that equal ones have equal texts. */
function inOrder(_key: string, value: Json): Json {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function pick(item: Json, keys: readonly string[]): JsonObject {
  const picked: JsonObject = {};
  for (const key of keys) if (isObject(item)) picked[key] = item[key];
  return picked;
}
