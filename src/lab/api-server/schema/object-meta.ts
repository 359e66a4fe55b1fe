import type { Schema } from './schema.ts';
import { anything, bool, int, list, mapOf, object, text, time } from './shorthand.ts';

/** ObjectMeta, the same in every kind. */
export const objectMeta: Schema = object({
  name: text,
  generateName: text,
  namespace: text,
  selfLink: text,
  uid: text,
  resourceVersion: text,
  generation: int,
  creationTimestamp: time,
  deletionTimestamp: time,
  deletionGracePeriodSeconds: { ...int, nullable: true },
  labels: mapOf(text),
  annotations: mapOf(text),
  ownerReferences: list(
    object({ apiVersion: text, kind: text, name: text, uid: text, controller: bool, blockOwnerDeletion: bool }),
  ),
  finalizers: list(text),
  managedFields: list(
    object({
      manager: text,
      operation: text,
      apiVersion: text,
      time,
      fieldsType: text,
      fieldsV1: anything,
      subresource: text,
    }),
  ),
});
