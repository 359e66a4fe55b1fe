import type { KubernetesObject } from './core.ts';

/**
 * Converts one object to an API version (`metallb.io/v1beta2`). Of its metadata only labels and annotations may change.
 * A problem fails the whole review, and so the request of a client.
 */
export type Converter = (
  object: KubernetesObject,
  apiVersion: string,
) => { readonly object: KubernetesObject } | { readonly problem: string };

export type ConversionReview = {
  readonly uid: string;
  readonly desiredApiVersion: string;
  readonly objects: readonly KubernetesObject[];
};

const apiVersion = 'apiextensions.k8s.io/v1';
const kind = 'ConversionReview';

/** The review in a parsed body, or what is wrong with it. */
export function readConversionReview(body: unknown): ConversionReview | { readonly problem: string } {
  const review = body as { apiVersion?: unknown; kind?: unknown; request?: Record<string, unknown> | null } | null;
  if (review?.apiVersion !== apiVersion || review.kind !== kind) {
    return { problem: `the body is no ${kind} of ${apiVersion}` };
  }
  const { uid, desiredAPIVersion, objects } = review.request ?? {};
  if (typeof uid !== 'string' || uid === '') return { problem: 'request.uid is missing' };
  if (typeof desiredAPIVersion !== 'string' || desiredAPIVersion === '') {
    return { problem: 'request.desiredAPIVersion is missing' };
  }
  if (!Array.isArray(objects)) return { problem: 'request.objects is no list' };
  const misfit = objects.findIndex((object) => !isKubernetesObject(object));
  if (misfit !== -1) return { problem: `request.objects[${misfit}] is no object with metadata` };
  return { uid, desiredApiVersion: desiredAPIVersion, objects };
}

/** All of the objects converted, or the failure of the first that cannot be. */
export function conversionAnswer(review: ConversionReview, convert: Converter): object {
  const { uid, desiredApiVersion, objects } = review;
  const convertedObjects: KubernetesObject[] = [];
  for (const object of objects) {
    const outcome = object.apiVersion === desiredApiVersion ? { object } : convert(object, desiredApiVersion);
    if ('problem' in outcome) {
      const { namespace = '', name = '' } = object.metadata;
      const message = `${object.kind ?? 'object'} ${namespace}/${name}: ${outcome.problem}`;
      return { apiVersion, kind, response: { uid, convertedObjects: [], result: { status: 'Failure', message } } };
    }
    convertedObjects.push(outcome.object);
  }
  return { apiVersion, kind, response: { uid, convertedObjects, result: { status: 'Success' } } };
}

function isKubernetesObject(value: unknown): value is KubernetesObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false;
  return typeof value.metadata === 'object' && value.metadata !== null;
}
