import { isObject, type Json, type JsonObject } from '../json.ts';
import { badRequest } from '../status.ts';

/** Applies an RFC 7386 merge patch and returns the result; `target` is not touched. */
export function applyMergePatch(target: JsonObject, patch: Json): JsonObject {
  if (!isObject(patch)) throw badRequest('error decoding patch: a merge patch is an object');
  return merged(target, patch);
}

function merged(target: Json | undefined, patch: JsonObject): JsonObject {
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = merged(result[key], value);
    else result[key] = value;
  }
  return result;
}
