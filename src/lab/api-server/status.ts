import type { FieldError } from './field-error.ts';
import type { Json, JsonObject } from './json.ts';

/** The part of a kind that a Status names: errors about objects say the plural, errors about fields the kind. */
export type Named = { readonly group: string; readonly plural: string; readonly kind: string };

type Cause = { readonly reason?: string; readonly message: string; readonly field?: string };

type Details = {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
};

/**
 * A request refused. Thrown anywhere below the router and caught there alone: it is the answer itself, with the HTTP
 * status in `httpStatus` and the reason as `code`.
 */
export class StatusError extends Error {
  readonly code: string;
  readonly httpStatus: number;
  readonly details: Details | undefined;

  constructor(httpStatus: number, reason: string, message: string, details?: Details) {
    super(message);
    this.name = 'StatusError';
    this.code = reason;
    this.httpStatus = httpStatus;
    this.details = details;
  }

  /** The Status object that goes over the wire. */
  body(): JsonObject {
    const body: JsonObject = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' };
    body.message = this.message;
    if (this.code !== '') body.reason = this.code;
    if (this.details !== undefined) body.details = detailsBody(this.details);
    body.code = this.httpStatus;
    return body;
  }
}

/** The Status that answers a successful delete. */
export function deleted(named: Named, name: string, uid: string): JsonObject {
  const group: JsonObject = named.group === '' ? {} : { group: named.group };
  const details = { name, ...group, kind: named.plural, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

export function notFound(named: Named, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${pluralOf(named)} "${name}" not found`, about(named, name));
}

export function alreadyExists(named: Named, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${pluralOf(named)} "${name}" already exists`, about(named, name));
}

export function conflict(named: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${pluralOf(named)} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, about(named, name));
}

export function staleObject(named: Named, name: string): StatusError {
  return conflict(
    named,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

export function preconditionFailed(named: Named, name: string, field: string, want: string, is: string): StatusError {
  const why = `Precondition failed: ${field} in precondition: ${want}, ${field} in object meta: ${is}`;
  return conflict(named, name, why);
}

/** A server-side apply that would take fields away from other managers. */
export function applyConflict(conflicts: readonly { readonly manager: string; readonly field: string }[]): StatusError {
  const causes = conflicts.map(({ manager, field }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${manager}`,
    field,
  }));
  const [only] = conflicts;
  if (conflicts.length === 1 && only !== undefined) {
    const message = `Apply failed with 1 conflict: conflict with ${only.manager}: ${only.field}`;
    return new StatusError(409, 'Conflict', message, { causes });
  }
  const lines = [...new Set(conflicts.map((one) => one.manager))].flatMap((manager) => {
    const fields = conflicts.filter((one) => one.manager === manager).map((one) => `- ${one.field}`);
    return [`conflicts with ${manager}:`, ...fields];
  });
  const message = `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
  return new StatusError(409, 'Conflict', message, { causes });
}

export function invalidObject(named: Named, name: string, errors: readonly FieldError[]): StatusError {
  const causes = errors.map(({ reason, detail, field }) => ({ reason, message: detail, field }));
  const texts = errors.map(({ field, detail }) => `${field}: ${detail}`);
  const all = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const kind = named.group === '' ? named.kind : `${named.kind}.${named.group}`;
  const group = named.group === '' ? {} : { group: named.group };
  const details = { ...(name === '' ? {} : { name }), ...group, kind: named.kind, causes };
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${all}`, details);
}

/** Query parameters that do not go together: the real server judges them as it judges an object. */
export function invalidListOptions(error: FieldError): StatusError {
  return invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions', plural: '' }, '', [error]);
}

/** A patch that cannot be carried out on this object. The real server keeps the reason to itself, too. */
export function unprocessablePatch(): StatusError {
  const message = 'the server rejected our request due to an error in our request';
  return new StatusError(422, 'Invalid', message, {});
}

export function forbiddenRequest(named: Named, name: string, why: string, cause?: Cause): StatusError {
  const causes = cause === undefined ? {} : { causes: [cause] };
  const message = `${pluralOf(named)} "${name}" is forbidden: ${why}`;
  return new StatusError(403, 'Forbidden', message, { ...about(named, name), ...causes });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** The revision asked for is no longer, or was never, in this server's history. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function revisionTooLarge(asked: string, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new StatusError(415, 'UnsupportedMediaType', message);
}

export function notAcceptable(): StatusError {
  return new StatusError(406, 'NotAcceptable', 'only the following media types are accepted: application/json');
}

export function requestTooLarge(limit: number): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);
}

export function tooManyRequests(why: string): StatusError {
  return new StatusError(429, 'TooManyRequests', why, { retryAfterSeconds: 1 });
}

export function internalError(why: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${why}`, {
    causes: [{ message: why }],
  });
}

function pluralOf(named: Named): string {
  return named.group === '' ? named.plural : `${named.plural}.${named.group}`;
}

function about(named: Named, name: string): Details {
  return { name, ...(named.group === '' ? {} : { group: named.group }), kind: named.plural };
}

function detailsBody(details: Details): JsonObject {
  const body: JsonObject = {};
  for (const [key, value] of Object.entries(details)) body[key] = value as Json;
  return body;
}
