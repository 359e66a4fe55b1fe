import { type FieldError, type FieldReason, forbidden, invalid, required } from '../field-error.ts';
import { at, equal, isObject, type Json, type JsonObject, stringAt } from '../json.ts';
import { celValue, compileExpression, type Variables } from './expression.ts';
import { fieldPath, type Schema, subschemas } from './schema.ts';

/** Errors after which the real server evaluates no rule: it could not trust what it would find. */
const blocking: readonly FieldReason[] = [
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
];

/**
 * What an object breaks of the rules (`x-kubernetes-validations`) in its schema, worded as the real server words it.
 * `misfits` is what else is wrong with it by the schema. What an update leaves as it was is not held against it.
 */
export function validateRules(
  value: JsonObject,
  before: JsonObject | undefined,
  schema: Schema,
  misfits: readonly FieldError[],
): FieldError[] {
  if (!hasRules(schema)) return [];
  if (misfits.some(({ reason }) => blocking.includes(reason))) return [notChecked];
  const place: Place = { path: '', value, before, unchanged: before !== undefined && equal(value, before) };
  return check(place, withObjectFields(schema));
}

/** Whether there is a rule anywhere in the schema. */
export function hasRules(schema: Schema): boolean {
  const known = withRules.get(schema);
  if (known !== undefined) return known;
  const found = rulesOf(schema).length > 0 || [...subschemas(schema), ...(schema.allOf ?? [])].some(hasRules);
  withRules.set(schema, found);
  return found;
}

/** The rules of one level that cannot be read, each with why. */
export function unreadableRules(schema: Schema): { readonly rule: string; readonly why: string }[] {
  return rulesOf(schema).flatMap(({ rule, messageExpression }) =>
    [rule, ...(messageExpression === undefined ? [] : [messageExpression])].flatMap((text) => {
      const expression = compileExpression(text);
      return 'error' in expression ? [{ rule: text, why: expression.error }] : [];
    }),
  );
}

type Rule = {
  readonly rule: string;
  readonly message: string | undefined;
  readonly messageExpression: string | undefined;
  readonly reason: string;
  readonly fieldPath: string;
};

type Place = {
  readonly path: string;
  readonly value: Json;
  /** What stood here before the update. */
  readonly before: Json | undefined;
  /** Whether this, or the nearest of what it is part of that can be compared, is as it was. */
  readonly unchanged: boolean;
};

const withRules = new WeakMap<Schema, boolean>();

/** How the real server writes the path of the object itself. */
const noField = '<nil>';

const notChecked: FieldError = {
  reason: 'FieldValueInvalid',
  field: noField,
  detail:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
};

function check(place: Place, schema: Schema): FieldError[] {
  const { value } = place;
  if (value === null || !hasRules(schema)) return [];
  const errors = [...checkHere(place, schema), ...(schema.allOf ?? []).flatMap((one) => check(place, one))];
  if (Array.isArray(value)) return [...errors, ...checkItems(place, value, schema)];
  if (!isObject(value)) return errors;
  return [
    ...errors,
    ...Object.entries(value).flatMap(([key, field]) => {
      const own = Object.hasOwn(schema.properties ?? {}, key) ? schema.properties?.[key] : schema.additionalProperties;
      if (field === undefined || typeof own !== 'object') return [];
      return check(below(place, fieldPath(place.path, key), field, at(place.before, key)), own);
    }),
  ];
}

function checkItems(place: Place, items: readonly Json[], schema: Schema): FieldError[] {
  const { items: itemSchema, 'x-kubernetes-list-type': listType } = schema;
  if (itemSchema === undefined) return [];
  const keys = listType === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : undefined;
  const earlier = Array.isArray(place.before) ? place.before : [];
  return items.flatMap((item, i) => {
    const path = `${place.path}[${i}]`;
    // Only the entries of a map have an identity beyond their place.
    if (keys === undefined) return check({ ...place, path, value: item, before: undefined }, itemSchema);
    const before = earlier.find((one) => keys.every((key) => equal(at(one, key), at(item, key))));
    return check(below(place, path, item, before), itemSchema);
  });
}

function below(parent: Place, path: string, value: Json, before: Json | undefined): Place {
  return { path, value, before, unchanged: parent.unchanged || (before !== undefined && equal(value, before)) };
}

function checkHere(place: Place, schema: Schema): FieldError[] {
  const rules = rulesOf(schema);
  if (rules.length === 0) return [];
  const old = place.before === undefined ? {} : { oldSelf: celValue(place.before, schema) };
  const variables = { self: celValue(place.value, schema), ...old };
  return rules.flatMap((rule) => {
    const expression = compileExpression(rule.rule);
    const say = (why: string) => [invalid(place.path || noField, schema.type ?? '', why)];
    if ('error' in expression) return say(`rule compile error: ${expression.error}`);
    if (expression.usesOldSelf && place.before === undefined) return [];
    const result = expression.evaluate(variables);
    if ('error' in result) return say(`${result.error} evaluating rule: ${rule.message ?? rule.rule}`);
    if (result.value === true || (place.unchanged && !expression.usesOldSelf)) return [];
    return [broken(rule, place, schema, messageOf(rule, variables))];
  });
}

function messageOf(rule: Rule, variables: Variables): string {
  const made = rule.messageExpression === undefined ? undefined : textOf(rule.messageExpression, variables);
  return made ?? rule.message ?? `failed rule: ${rule.rule}`;
}

/** The text that the expression makes; undefined when it makes none that fits into one line. */
function textOf(text: string, variables: Variables): string | undefined {
  const expression = compileExpression(text);
  const result = 'error' in expression ? expression : expression.evaluate(variables);
  const made = 'value' in result ? result.value : undefined;
  return typeof made === 'string' && made.trim() !== '' && !made.includes('\n') ? made.trim() : undefined;
}

function broken({ reason, fieldPath: inside }: Rule, { path }: Place, schema: Schema, why: string): FieldError {
  const type = schema.type ?? '';
  const field = `${path}${inside}`.replace(/^\./, '') || noField;
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(field, why);
    case 'FieldValueRequired':
      return required(field, why);
    case 'FieldValueDuplicate':
      return { reason, field, detail: `Duplicate value: ${JSON.stringify(type)}` };
    default:
      return invalid(field, type, why);
  }
}

function rulesOf(schema: Schema): Rule[] {
  return (schema['x-kubernetes-validations'] ?? []).map((one) => ({
    rule: stringAt(one, 'rule').trim(),
    message: stringAt(one, 'message').trim() || undefined,
    messageExpression: stringAt(one, 'messageExpression').trim() || undefined,
    reason: stringAt(one, 'reason'),
    fieldPath: stringAt(one, 'fieldPath').replace(/\['([^']*)'\]/g, '[$1]'),
  }));
}

/** What rules at the root can see of every object. */
function withObjectFields(schema: Schema): Schema {
  const known = roots.get(schema);
  if (known !== undefined) return known;
  const text: Schema = { type: 'string' };
  const metadata: Schema = { type: 'object', properties: { name: text, generateName: text } };
  const root = { ...schema, properties: { ...schema.properties, apiVersion: text, kind: text, metadata } };
  roots.set(schema, root);
  return root;
}

const roots = new WeakMap<Schema, Schema>();
