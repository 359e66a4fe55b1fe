import type { Schema } from './schema.ts';

/** Short words for the schemas of the built-in kinds. */
export const text: Schema = { type: 'string' };
export const int: Schema = { type: 'integer' };
export const int32: Schema = { type: 'integer', format: 'int32' };
export const bool: Schema = { type: 'boolean' };
export const time: Schema = { type: 'string', format: 'date-time', nullable: true };
/** MicroTime: RFC 3339 with exactly six decimals. Clients in other languages get this wrong, and are told. */
export const microTime: Schema = { type: 'string', format: 'micro-time', nullable: true };
export const intOrText: Schema = { 'x-kubernetes-int-or-string': true };
/** Whatever is there is kept unseen. */
export const anything: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

export function list(items: Schema): Schema {
  return { type: 'array', items, nullable: true };
}

export function mapOf(additionalProperties: Schema): Schema {
  return { type: 'object', additionalProperties, nullable: true };
}

export function object(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, nullable: true };
}
