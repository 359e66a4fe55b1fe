import type { Core } from './core.ts';
import { type ApiObject, isObject, type Json, objectAt, stringAt } from './json.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { newUid } from './metadata.ts';
import { applyDefaults } from './schema/prune.ts';
import { StatusError } from './status.ts';

/** For how long a conversion may take; the real server has no setting for it either. */
const conversionSeconds = 30;

/** A stored object as this version of the kind shows it. Throws a 500 Status when its webhook cannot convert it. */
export async function served(core: Core, kind: Kind, object: ApiObject): Promise<ApiObject> {
  const [shown] = await servedAll(core, kind, [object]);
  return shown as ApiObject;
}

/** As `served`, all in one review. */
export async function servedAll(core: Core, kind: Kind, objects: readonly ApiObject[]): Promise<ApiObject[]> {
  const others = objects.filter((object) => needsWebhook(kind, object));
  const shown = others.length === 0 ? [] : await convert(core, kind, others, apiVersionOf(kind));
  for (const object of shown) applyDefaults(object, kind.schema);
  const byOriginal = new Map(others.map((object, i) => [object, shown[i] as ApiObject]));
  return objects.map((object) => byOriginal.get(object) ?? labelled(object, apiVersionOf(kind)));
}

/** An object as another version of its kind, with nothing put in: webhooks see it so. */
export async function converted(core: Core, kind: Kind, object: ApiObject): Promise<ApiObject> {
  if (!needsWebhook(kind, object)) return labelled(object, apiVersionOf(kind));
  const [other] = await convert(core, kind, [object], apiVersionOf(kind));
  return other as ApiObject;
}

/** An object as it is stored, whatever version it came in. */
export async function stored(core: Core, kind: Kind, object: ApiObject): Promise<ApiObject> {
  const apiVersion = kind.group === '' ? kind.storageVersion : `${kind.group}/${kind.storageVersion}`;
  if (kind.conversion === undefined || object.apiVersion === apiVersion) return labelled(object, apiVersion);
  const [other] = (await convert(core, kind, [object], apiVersion)) as [ApiObject];
  applyDefaults(other, core.registry.ofResource(kind.resource)?.schema ?? {});
  return other;
}

/** Whether showing the object takes a conversion webhook. Otherwise versions differ in name alone. */
export function needsWebhook(kind: Kind, object: ApiObject): boolean {
  return kind.conversion !== undefined && object.apiVersion !== apiVersionOf(kind);
}

/** Where versions differ in name alone. */
export function labelled(object: ApiObject, apiVersion: string): ApiObject {
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

async function convert(
  core: Core,
  kind: Kind,
  objects: readonly ApiObject[],
  apiVersion: string,
): Promise<ApiObject[]> {
  const uid = newUid(core.random);
  const review = {
    kind: 'ConversionReview',
    apiVersion: 'apiextensions.k8s.io/v1',
    request: { uid, desiredAPIVersion: apiVersion, objects: [...objects] },
  };
  const from = `${objects[0]?.apiVersion}, Kind=${kind.kind}`;
  const failed = (why: string) => broken(`conversion webhook for ${from} failed: ${why}`);
  let answer: Json;
  try {
    answer = await core.webhooks.call(objectAt(kind.conversion, 'clientConfig'), review, conversionSeconds);
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error));
  }
  const response = objectAt(answer, 'response');
  if (stringAt(answer, 'kind') !== review.kind || stringAt(answer, 'apiVersion') !== review.apiVersion) {
    throw failed(`expected webhook response of ${review.apiVersion}, Kind=${review.kind}, got ${shownKind(answer)}`);
  }
  if (response.uid !== uid) throw failed(`expected response.uid="${uid}", got "${stringAt(response, 'uid')}"`);
  const status = stringAt(response, 'result', 'status');
  if (status !== 'Success') {
    throw failed(stringAt(response, 'result', 'message') || `response.result.status was '${status}', not 'Success'`);
  }
  const converted = response.convertedObjects;
  if (!Array.isArray(converted) || converted.length !== objects.length) {
    const count = Array.isArray(converted) ? converted.length : 0;
    throw broken(`conversion webhook for ${from} returned ${count} objects, expected ${objects.length}`);
  }
  return objects.map((original, i) => {
    const invalid = (why: string) =>
      broken(`conversion webhook for ${from} returned invalid converted object at index ${i}: ${why}`);
    return checked(original, converted[i] as Json, apiVersion, invalid);
  });
}

/** The converted object with the original's metadata: only labels and annotations are the webhook's to change. */
function checked(original: ApiObject, converted: Json, apiVersion: string, invalid: (why: string) => Error): ApiObject {
  if (!isObject(converted)) throw invalid('it is no object');
  if (converted.apiVersion !== apiVersion) throw invalid(`invalid apiVersion, expected ${apiVersion}`);
  if (converted.kind !== original.kind) throw invalid(`invalid kind, expected ${original.kind}`);
  const { labels, annotations, ...metadata } = objectAt(converted, 'metadata');
  const { labels: _labels, annotations: _annotations, ...before } = original.metadata;
  for (const key of ['name', 'namespace', 'uid'] as const) {
    if (metadata[key] !== before[key]) {
      throw invalid(`metadata.${key}: Invalid value: ${JSON.stringify(metadata[key])}: field is immutable`);
    }
  }
  const kept = { ...before, ...(isObject(labels) && { labels }), ...(isObject(annotations) && { annotations }) };
  return { ...converted, apiVersion, kind: original.kind, metadata: kept };
}

/** The real server's answer has neither reason nor details. */
function broken(why: string): StatusError {
  return new StatusError(500, '', why);
}

function shownKind(answer: Json): string {
  return `${stringAt(answer, 'apiVersion')}, Kind=${stringAt(answer, 'kind')}`;
}
