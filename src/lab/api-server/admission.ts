import { type ApiObject, clone, isObject, type Json } from './json.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { validateMetadata } from './metadata.ts';
import { objectMeta } from './schema/object-meta.ts';
import { applyDefaults, prune } from './schema/prune.ts';
import { validateRules } from './schema/rules.ts';
import { validate } from './schema/validate.ts';
import { badRequest, invalidObject } from './status.ts';

/** What to do about fields that the kind does not know: drop them, drop and warn, refuse. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/**
 * A body as an object of this kind: a copy, with the type it was sent to and no field that the kind does not know.
 * Throws a 400 Status for what a typed decoder would not read.
 */
export function decodeObject(
  kind: Kind,
  body: Json,
  validation: FieldValidation,
  warn: (text: string) => void,
): ApiObject {
  if (!isObject(body)) throw badRequest(`the body is no object of kind ${kind.kind}`);
  const object = clone(body) as ApiObject;
  const apiVersion = apiVersionOf(kind);
  object.apiVersion ??= apiVersion;
  object.kind ??= kind.kind;
  object.metadata ??= {};
  if (object.apiVersion !== apiVersion) {
    const why = `the API version in the data (${object.apiVersion}) does not match the expected API version (${apiVersion})`;
    throw badRequest(why);
  }
  if (object.kind !== kind.kind) throw badRequest(unreadable(kind, `it is of kind ${object.kind}`));
  const [misfit] = validate(object.metadata, objectMeta, 'metadata');
  if (misfit !== undefined) {
    throw badRequest(unreadable(kind, `json: cannot unmarshal: ${misfit.field}: ${misfit.detail}`));
  }
  dropNulls(object);
  const unknown = prune(object, kind.schema).map((field) => `unknown field "${field}"`);
  if (unknown.length > 0 && validation === 'Strict') {
    throw badRequest(unreadable(kind, `strict decoding error: ${unknown.join(', ')}`));
  }
  if (validation === 'Warn') for (const text of unknown) warn(text);
  return object;
}

/**
 * The last steps before an object is stored: defaults, in place, then every rule. Throws a 422 Status with all
 * causes; for the built-in kinds a value of the wrong type is a 400, because their decoder is typed.
 */
export function admit(kind: Kind, object: ApiObject, before: ApiObject | undefined): void {
  applyDefaults(object, kind.schema);
  const misfits = validate(object, kind.schema);
  if (!kind.custom && misfits[0] !== undefined) {
    throw badRequest(unreadable(kind, `json: cannot unmarshal: ${misfits[0].field}: ${misfits[0].detail}`));
  }
  kind.rules.complete(object, before);
  const errors = [
    ...validateMetadata(kind, object, before),
    ...misfits,
    ...validateRules(object, before, kind.schema, misfits),
    ...kind.rules.validate(object, before),
  ];
  if (errors.length > 0) throw invalidObject(kind, object.metadata.name ?? '', errors);
}

function unreadable(kind: Kind, why: string): string {
  return `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`;
}

/** kubectl sends `creationTimestamp: null` and the like: absent, as a typed decoder has it. */
function dropNulls(object: ApiObject): void {
  for (const [key, value] of Object.entries(object.metadata)) if (value === null) delete object.metadata[key];
}
