import { type ApiObject, type JsonObject, objectsAt, stringAt } from '../json.ts';
import { changed, type FieldSet, type Fields, fromFieldsV1, toFieldsV1 } from './field-set.ts';

/** Who writes: the field manager, by which kind of operation, through which subresource. */
export type Writer = {
  readonly manager: string;
  readonly operation: 'Update' | 'Apply';
  readonly apiVersion: string;
  readonly subresource: '' | 'status' | 'scale';
  readonly time: string;
};

/** One entry of metadata.managedFields: what this writer has set and nobody else has changed since. */
export type Ownership = { readonly writer: Writer; readonly fields: FieldSet };

/** The ownership that a write starts from. Managers sent by the client replace the stored ones; `[{}]` forgets all. */
export function heldOwnerships(proposed: ApiObject, before: ApiObject): Ownership[] {
  return readOwnerships(Array.isArray(proposed.metadata.managedFields) ? proposed : before);
}

export function readOwnerships(object: ApiObject | undefined): Ownership[] {
  return objectsAt(object, 'metadata', 'managedFields').flatMap((entry) => {
    const operation = entry.operation;
    if (operation !== 'Update' && operation !== 'Apply') return [];
    const subresource = entry.subresource === 'status' || entry.subresource === 'scale' ? entry.subresource : '';
    const writer: Writer = {
      manager: stringAt(entry, 'manager'),
      operation,
      apiVersion: stringAt(entry, 'apiVersion'),
      subresource,
      time: stringAt(entry, 'time'),
    };
    return [{ writer, fields: fromFieldsV1(entry.fieldsV1) }];
  });
}

export function writeOwnerships(object: ApiObject, ownerships: readonly Ownership[]): void {
  const entries = ownerships.filter(({ fields }) => fields.size > 0).map(entryOf);
  if (entries.length === 0) delete object.metadata.managedFields;
  else object.metadata.managedFields = entries;
}

/**
 * Ownership after an ordinary write: the writer gains what it changed, everyone loses what changed or went away.
 * `before` is empty on a create.
 */
export function afterUpdate(held: readonly Ownership[], before: Fields, after: Fields, writer: Writer): Ownership[] {
  const touched = changed(before, after);
  const left = (one: Ownership, without: FieldSet) => only(one.fields, (path) => after.has(path) && !without.has(path));
  if (touched.size === 0) return held.map((one) => ({ ...one, fields: left(one, touched) }));
  const mine = held.find((one) => sameWriter(one.writer, writer));
  if (mine === undefined) {
    return [...held.map((one) => ({ ...one, fields: left(one, touched) })), { writer, fields: touched }];
  }
  return held.map((one) =>
    one === mine
      ? { writer, fields: new Set([...left(one, touched), ...touched]) }
      : { ...one, fields: left(one, touched) },
  );
}

export function sameWriter(a: Writer, b: Writer): boolean {
  return a.manager === b.manager && a.operation === b.operation && a.subresource === b.subresource;
}

export function only(fields: FieldSet, keep: (path: string) => boolean): FieldSet {
  return new Set([...fields].filter(keep));
}

function entryOf({ writer, fields }: Ownership): JsonObject {
  const { manager, operation, apiVersion, subresource, time } = writer;
  const entry: JsonObject = {
    manager,
    operation,
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(fields),
  };
  if (subresource !== '') entry.subresource = subresource;
  return entry;
}
