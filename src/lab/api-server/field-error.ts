import type { Json } from './json.ts';

/** One thing wrong with one field: a cause of a 422. `detail` is worded as the real server words it. */
export type FieldError = { readonly reason: FieldReason; readonly field: string; readonly detail: string };

export type FieldReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany';

export function required(field: string, why = ''): FieldError {
  return { reason: 'FieldValueRequired', field, detail: why === '' ? 'Required value' : `Required value: ${why}` };
}

export function invalid(field: string, value: Json, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, detail: `Invalid value: ${shown(value)}: ${why}` };
}

export function typeInvalid(field: string, value: Json, why: string): FieldError {
  return { reason: 'FieldValueTypeInvalid', field, detail: `Invalid value: ${shown(value)}: ${why}` };
}

export function notSupported(field: string, value: Json, supported: readonly Json[]): FieldError {
  const list = supported.map((item) => `"${typeof item === 'string' ? item : JSON.stringify(item)}"`).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    detail: `Unsupported value: ${shown(value)}: supported values: ${list}`,
  };
}

export function duplicate(field: string, value: Json): FieldError {
  return { reason: 'FieldValueDuplicate', field, detail: `Duplicate value: ${shown(value)}` };
}

export function forbidden(field: string, why: string): FieldError {
  return { reason: 'FieldValueForbidden', field, detail: `Forbidden: ${why}` };
}

export function tooLong(field: string, limit: number): FieldError {
  return { reason: 'FieldValueTooLong', field, detail: `Too long: may not be more than ${limit} bytes` };
}

export function tooMany(field: string, count: number, limit: number): FieldError {
  return { reason: 'FieldValueTooMany', field, detail: `Too many: ${count}: must have at most ${limit} items` };
}

function shown(value: Json): string {
  return JSON.stringify(value);
}
