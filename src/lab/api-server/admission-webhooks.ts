import type { Core } from './core.ts';
import {
  type ApiObject,
  clone,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from './json.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { matchesSelector } from './label-selector.ts';
import { newUid } from './metadata.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { prune } from './schema/prune.ts';
import { badRequest, internalError, StatusError } from './status.ts';
import { converted } from './versions.ts';

/** A write that is about to happen, for webhooks to look at. */
export type Attempt = {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: Kind;
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string;
  /** Undefined for a deletion. */
  readonly object: ApiObject | undefined;
  /** Undefined for a creation. */
  readonly before: ApiObject | undefined;
  readonly dryRun: boolean;
  readonly warn: (text: string) => void;
};

const validatingResource = 'validatingwebhookconfigurations.admissionregistration.k8s.io';
const mutatingResource = 'mutatingwebhookconfigurations.admissionregistration.k8s.io';

/** The object as the mutating webhooks leave it, one after the other in the order of their configurations' names. */
export async function mutated(core: Core, attempt: Attempt): Promise<ApiObject | undefined> {
  let { object } = attempt;
  for (const webhook of webhooksOf(core, mutatingResource)) {
    const match = matchOf(core, webhook, { ...attempt, object });
    if (match === undefined) continue;
    const response = await ask(core, webhook, match, { ...attempt, object });
    const patch = stringAt(response, 'patch');
    if (patch === '' || object === undefined) continue;
    try {
      object = applyJsonPatch(object, JSON.parse(Buffer.from(patch, 'base64').toString()) as Json) as ApiObject;
    } catch (error) {
      throw internalError(error instanceof Error ? error.message : String(error));
    }
    prune(object, attempt.kind.schema);
  }
  return object;
}

/** Asks every validating webhook that the write concerns, all at once. Throws the Status of the first that refuses. */
export async function validated(core: Core, attempt: Attempt): Promise<void> {
  const asked = webhooksOf(core, validatingResource).flatMap((webhook) => {
    const match = matchOf(core, webhook, attempt);
    return match === undefined ? [] : [ask(core, webhook, match, attempt)];
  });
  const outcomes = await Promise.allSettled(asked);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** The kind at the version by which a rule names it. */
type Match = Kind;

/** By the names of the configurations, then in the order in which one lists them. */
function webhooksOf(core: Core, resource: string): JsonObject[] {
  return core.store.list(resource).flatMap((configuration) => objectsAt(configuration, 'webhooks'));
}

function matchOf(core: Core, webhook: JsonObject, attempt: Attempt): Match | undefined {
  // Or nobody could repair a configuration that refuses everything.
  if (attempt.kind.group === 'admissionregistration.k8s.io') return undefined;
  if (!selects(core, webhook, attempt)) return undefined;
  const { kind } = attempt;
  const versions = core.registry.all().filter(({ resource }) => resource === kind.resource);
  // The version that was asked for is tried first; with matchPolicy Exact it is the only one.
  const candidates = webhook.matchPolicy === 'Exact' ? [kind] : [kind, ...versions.filter((one) => one !== kind)];
  const rules = objectsAt(webhook, 'rules');
  return candidates.find((candidate) => rules.some((rule) => isNamedBy(rule, candidate, attempt)));
}

function isNamedBy(rule: JsonObject, kind: Kind, { operation, subresource }: Attempt): boolean {
  const has = (key: string, value: string) => stringsAt(rule, key).some((one) => one === '*' || one === value);
  const scope = stringAt(rule, 'scope');
  return (
    has('operations', operation) &&
    has('apiGroups', kind.group) &&
    has('apiVersions', kind.version) &&
    (scope === '' || scope === '*' || (scope === 'Namespaced') === kind.namespaced) &&
    stringsAt(rule, 'resources').some((one) => isResourceNamedBy(one, kind.plural, subresource))
  );
}

// `pods`, `pods/status`, `pods/*`, `*` for everything without its subresources, `*/status`, `*/*`.
function isResourceNamedBy(pattern: string, plural: string, subresource: string): boolean {
  const [resource = '', below] = pattern.split('/');
  if (resource !== '*' && resource !== plural) return false;
  if (below === undefined) return subresource === '';
  return below === '*' || below === subresource;
}

function selects(core: Core, webhook: JsonObject, { kind, namespace, object, before }: Attempt): boolean {
  const byObject = objectAt(webhook, 'objectSelector');
  if (![object, before].some((one) => one !== undefined && matchesSelector(byObject, one))) return false;
  // A selector of namespaces says nothing of what lives in none, except of the namespaces themselves.
  const home = kind.resource === 'namespaces' ? (object ?? before) : core.store.get('namespaces', namespace ?? '');
  return home === undefined || matchesSelector(objectAt(webhook, 'namespaceSelector'), home);
}

/** The webhook's response, which allows the write. Throws the Status that refuses it. */
async function ask(core: Core, webhook: JsonObject, match: Match, attempt: Attempt): Promise<JsonObject> {
  const name = stringAt(webhook, 'name');
  const effects = stringAt(webhook, 'sideEffects');
  if (attempt.dryRun && effects !== 'None' && effects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  let response: JsonObject;
  try {
    response = await call(core, webhook, match, attempt);
  } catch (error) {
    if (webhook.failurePolicy === 'Ignore') return {};
    const why = error instanceof Error ? error.message : String(error);
    throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${why}`);
  }
  for (const warning of stringsAt(response, 'warnings')) attempt.warn(warning);
  if (response.allowed === true) return response;
  throw denial(name, objectAt(response, 'status'));
}

async function call(core: Core, webhook: JsonObject, match: Match, attempt: Attempt): Promise<JsonObject> {
  const uid = newUid(core.random);
  const request = await requestOf(core, uid, match, attempt);
  const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request };
  const seconds = numberAt(webhook, 'timeoutSeconds') ?? 10;
  let answer: JsonObject;
  try {
    answer = await core.webhooks.call(objectAt(webhook, 'clientConfig'), review, seconds);
  } catch (error) {
    throw new Error(`failed to call webhook: ${(error as Error).message}`, { cause: error });
  }
  const { kind, apiVersion } = review;
  if (stringAt(answer, 'kind') !== kind || stringAt(answer, 'apiVersion') !== apiVersion) {
    const got = `${stringAt(answer, 'apiVersion')}, Kind=${stringAt(answer, 'kind')}`;
    throw new Error(
      `received invalid webhook response: expected webhook response of ${apiVersion}, Kind=${kind}, got ${got}`,
    );
  }
  const response = objectAt(answer, 'response');
  if (Object.keys(response).length === 0)
    throw new Error('received invalid webhook response: webhook response was absent');
  if (response.uid !== uid) {
    const got = JSON.stringify(stringAt(response, 'uid'));
    throw new Error(`received invalid webhook response: expected response.uid="${uid}", got ${got}`);
  }
  return response;
}

async function requestOf(core: Core, uid: string, match: Match, attempt: Attempt): Promise<JsonObject> {
  const { kind, operation, subresource, namespace, name, object, before, dryRun } = attempt;
  const gvk = ({ group, version, kind: kindName }: Kind) => ({ group, version, kind: kindName });
  const gvr = ({ group, version, plural }: Kind) => ({ group, version, resource: plural });
  const shown = async (one: ApiObject | undefined) =>
    one === undefined || one.apiVersion === apiVersionOf(match) ? (one ?? null) : await converted(core, match, one);
  const subresources = subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource };
  const optionsKind = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' }[operation];
  return {
    uid,
    kind: gvk(match),
    resource: gvr(match),
    requestKind: gvk(kind),
    requestResource: gvr(kind),
    ...subresources,
    ...(name === '' ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    operation,
    userInfo: { username: 'lab', groups: ['system:authenticated'] },
    object: clone(await shown(object)),
    oldObject: clone(await shown(before)),
    dryRun,
    options: { kind: optionsKind, apiVersion: 'meta.k8s.io/v1' },
  };
}

function denial(name: string, status: JsonObject): StatusError {
  const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
  const reason = stringAt(status, 'reason');
  const why = stringAt(status, 'message') || reason;
  const code = Math.max(numberAt(status, 'code') ?? 0, 400);
  return new StatusError(code, reason, why === '' ? `${denied} without explanation` : `${denied}: ${why}`);
}
