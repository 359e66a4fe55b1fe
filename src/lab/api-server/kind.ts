import type { FieldError } from './field-error.ts';
import type { ApiObject, Json, JsonObject } from './json.ts';
import type { ListLayouts } from './patch/list-layout.ts';
import type { Schema } from './schema/schema.ts';

/**
 * One kind at one served version: all that the verbs need to know about it. Versions of one kind share `resource`,
 * the name under which its objects are stored, in `storageVersion`.
 */
export type Kind = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly custom: boolean;
  readonly resource: string;
  readonly storageVersion: string;
  /** A version may be for the storage alone. */
  readonly isServed: boolean;
  /** Whoever uses this version is told. */
  readonly deprecation: string | undefined;
  /** `spec.conversion.webhook` of its definition; undefined when versions differ in name alone. */
  readonly conversion: JsonObject | undefined;
  readonly subresources: readonly ('status' | 'scale' | 'eviction')[];
  /** Counts changes of the specification in metadata.generation. */
  readonly generation: boolean;
  /** The status is the creator's to set: kubelets register Nodes with one. */
  readonly statusOnCreate: boolean;
  readonly schema: Schema;
  /** How strategic merge and server-side apply treat its lists. */
  readonly lists: ListLayouts;
  /** What a field selector can name beside metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  readonly nameForm: NameForm;
  readonly printer: Printer;
  readonly rules: Rules;
  /** Answers a create without storing anything: reviews. */
  readonly answer: ((object: ApiObject) => ApiObject) | undefined;
};

export type NameForm = 'subdomain' | 'label' | 'label-1035' | 'path-segment';

export type Rules = {
  /** Fills in what the writer left out. `before` is the stored object on an update. */
  complete(object: ApiObject, before: ApiObject | undefined): void;
  validate(object: ApiObject, before: ApiObject | undefined): FieldError[];
};

export type Column = {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: number;
};

export type Printer = {
  readonly columns: readonly Column[];
  /** One cell a column. `now` is in milliseconds since 1970: ages are reckoned on the server. */
  cells(object: ApiObject, now: number): Json[];
};

export const noRules: Rules = { complete: () => undefined, validate: () => [] };

export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
