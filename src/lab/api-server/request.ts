import { parse as parseYaml } from 'yaml';
import type { FieldValidation } from './admission.ts';
import { isObject, type Json } from './json.ts';
import { decodeProtobuf } from './protobuf/decode.ts';
import { badRequest, notAcceptable, unsupportedMediaType } from './status.ts';
import type { WriteOptions } from './write.ts';

/** A request with its body read and nothing yet decided. */
export type ApiRequest = {
  readonly method: string;
  /** Decoded steps of the path, without empty ones. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: Buffer;
};

export type Answer = {
  readonly code: number;
  readonly body: Json | string | Uint8Array;
  /** JSON when absent. */
  readonly contentType?: string;
};

/** How the client wants objects shown. */
export type Format =
  | { readonly form: 'object' }
  | { readonly form: 'table'; readonly version: string }
  | { readonly form: 'metadata'; readonly version: string };

const maxManagerLength = 128;

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** The first of the accepted forms that this server has. Throws a 406 Status when there is none. */
export function formatOf(accept: string): Format {
  for (const range of accept === '' ? ['*/*'] : accept.split(',')) {
    const [type = '', ...rest] = range.trim().split(';');
    const parameters = new Map(rest.map((text) => text.trim().split('=') as [string, string]));
    const group = parameters.get('g') ?? 'meta.k8s.io';
    if (!['application/json', 'application/*', '*/*'].includes(type) || group !== 'meta.k8s.io') continue;
    const shape = parameters.get('as') ?? '';
    const version = parameters.get('v') ?? 'v1';
    if (shape === '') return { form: 'object' };
    if (version !== 'v1' && version !== 'v1beta1') continue;
    if (shape === 'Table') return { form: 'table', version };
    if (shape === 'PartialObjectMetadata' || shape === 'PartialObjectMetadataList') {
      return { form: 'metadata', version };
    }
  }
  throw notAcceptable();
}

/** The body as JSON, from JSON, YAML or protobuf. Throws a 400 or 415 Status. */
export function bodyOf(request: ApiRequest): Json {
  const body = read(request);
  if (hasPrototypeKey(body)) throw badRequest('the key __proto__ is not allowed');
  return body;
}

/** The media type without its parameters. */
export function mediaType(request: ApiRequest): string {
  return (request.contentType.split(';')[0] ?? '').trim();
}

/** What the query says about a write. Throws a 400 Status. */
export function writeOptions(
  request: ApiRequest,
  subresource: WriteOptions['subresource'],
  warn: (text: string) => void,
): WriteOptions {
  const { query } = request;
  const validation = query.get('fieldValidation') || 'Warn';
  if (!isFieldValidation(validation)) {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  const dryRun = query.get('dryRun') ?? '';
  if (dryRun !== '' && dryRun !== 'All') {
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`);
  }
  const manager = query.get('fieldManager') || request.userAgent.split('/')[0] || 'unknown';
  return { manager: manager.slice(0, maxManagerLength), subresource, dryRun: dryRun === 'All', validation, warn };
}

function read(request: ApiRequest): Json {
  const text = () => request.body.toString('utf8');
  switch (mediaType(request)) {
    case '':
    case 'application/json':
    case patchTypes.json:
    case patchTypes.merge:
    case patchTypes.strategic:
      return parsed(text(), JSON.parse);
    case 'application/yaml':
    case patchTypes.apply:
      return parsed(text(), parseYaml);
    case 'application/vnd.kubernetes.protobuf':
      return decodeProtobuf(request.body);
    default:
      throw unsupportedMediaType(['application/json', 'application/yaml']);
  }
}

/** The one key that is no data in JavaScript: assigned in a merge, it would reach an object's prototype. */
function hasPrototypeKey(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.some(hasPrototypeKey);
  if (!isObject(value)) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasPrototypeKey);
}

function isFieldValidation(text: string): text is FieldValidation {
  return text === 'Ignore' || text === 'Warn' || text === 'Strict';
}

function parsed(text: string, parse: (text: string) => unknown): Json {
  try {
    return (parse(text) ?? null) as Json;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badRequest(`the object provided is unrecognized (must be of type JSON or YAML): ${why}`);
  }
}
