import type { KubernetesObject } from './core.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** What is about to be done to one object. */
export type AdmissionRequest = {
  readonly operation: Operation;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Empty for an object of the cluster, and for one whose name the server is yet to make up. */
  readonly namespace: string;
  readonly name: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  readonly isDryRun: boolean;
  readonly user: string;
  /** Absent for a deletion. Of the declared kind, and not yet checked further. */
  readonly object: KubernetesObject | undefined;
  /** As it is now; absent for a creation. */
  readonly oldObject: KubernetesObject | undefined;
};

export type Verdict = {
  readonly allowed: boolean;
  /** Why not: names object, field, value and remedy. */
  readonly message?: string;
  /** Shown to whoever made the request, whether it is allowed or not. */
  readonly warnings?: readonly string[];
};

export type Reviewer = (request: AdmissionRequest) => Verdict | Promise<Verdict>;

/** A request as it came, to be answered under its uid. */
export type AdmissionReview = { readonly uid: string; readonly request: AdmissionRequest };

const apiVersion = 'admission.k8s.io/v1';
const kind = 'AdmissionReview';
/** The API server cuts what is longer, and drops what is beyond 4 KiB in all. */
const maxWarningLength = 256;

/** The review in a parsed body, or what is wrong with it. */
export function readAdmissionReview(body: unknown): AdmissionReview | { readonly problem: string } {
  const review = record(body);
  if (review?.apiVersion !== apiVersion || review.kind !== kind) {
    return { problem: `the body is no ${kind} of ${apiVersion}` };
  }
  const request = record(review.request);
  if (request === undefined) return { problem: 'request is missing' };
  const { uid, operation } = request;
  if (typeof uid !== 'string' || uid === '') return { problem: 'request.uid is missing' };
  if (!isOperation(operation)) {
    return { problem: `request.operation is ${JSON.stringify(operation)}: expected ${operations.join(', ')}` };
  }
  const asked = record(request.kind);
  const { group = '', version, kind: kindName } = asked ?? {};
  if (typeof group !== 'string' || typeof version !== 'string' || typeof kindName !== 'string') {
    return { problem: 'request.kind is no group, version and kind' };
  }
  const object = objectIn(request.object);
  const oldObject = objectIn(request.oldObject);
  for (const [field, found] of [
    ['object', object],
    ['oldObject', oldObject],
  ] as const) {
    if (found === null) return { problem: `request.${field} is no object with metadata` };
  }
  if (operation !== 'DELETE' && operation !== 'CONNECT' && object === undefined) {
    return { problem: `request.object is missing in ${operation}` };
  }
  return {
    uid,
    request: {
      operation,
      kind: { group, version, kind: kindName },
      namespace: text(request.namespace),
      name: text(request.name),
      subresource: text(request.subResource),
      isDryRun: request.dryRun === true,
      user: text(record(request.userInfo)?.username),
      object: object ?? undefined,
      oldObject: oldObject ?? undefined,
    },
  };
}

export function admissionAnswer(uid: string, { allowed, message, warnings = [] }: Verdict): object {
  const status = allowed
    ? {}
    : { status: { code: 403, reason: 'Forbidden', message: message ?? 'no reason was given' } };
  const told = warnings.length === 0 ? {} : { warnings: warnings.map(presentable) };
  return { apiVersion, kind, response: { uid, allowed, ...status, ...told } };
}

const operations: readonly string[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] satisfies readonly Operation[];

function isOperation(value: unknown): value is Operation {
  return typeof value === 'string' && operations.includes(value);
}

/** Undefined when absent, null when it is something else than an object. */
function objectIn(value: unknown): KubernetesObject | null | undefined {
  if (value === undefined || value === null) return undefined;
  const object = record(value);
  return object !== undefined && record(object.metadata) !== undefined ? (object as unknown as KubernetesObject) : null;
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A warning travels in an HTTP header: one with a line break in it would not arrive. */
function presentable(warning: string): string {
  const line = warning.replace(/\p{Cc}+/gu, ' ').trim();
  return line.length <= maxWarningLength ? line : `${line.slice(0, maxWarningLength - 1)}…`;
}
