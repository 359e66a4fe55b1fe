import type { ApiObject, Json, JsonObject } from '../json.ts';
import type { Column, Kind } from '../kind.ts';

export type TableOptions = {
  /** `v1` or `v1beta1`: kubectl 1.20 still asks for both. */
  readonly version: string;
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** A watch names the columns in its first table only. */
  readonly headers: boolean;
  readonly now: number;
};

/** Objects as `kubectl get` wants them: the server knows the columns. */
export function toTable(
  kind: Kind,
  objects: readonly ApiObject[],
  metadata: JsonObject,
  options: TableOptions,
): JsonObject {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata,
    columnDefinitions: options.headers ? kind.printer.columns.map(definition) : [],
    rows: objects.map((object) => {
      const cells = kind.printer.cells(object, options.now);
      const row: JsonObject = { cells };
      if (options.includeObject === 'Object') row.object = object;
      if (options.includeObject === 'Metadata') row.object = toPartialMetadata(object, options.version);
      return row;
    }),
  };
}

export function toPartialMetadata(object: ApiObject, version: string): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

export function toPartialMetadataList(
  objects: readonly ApiObject[],
  metadata: JsonObject,
  version: string,
): JsonObject {
  const items: Json[] = objects.map((object) => toPartialMetadata(object, version));
  return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version}`, metadata, items };
}

function definition({ name, type, format = '', description = '', priority }: Column): JsonObject {
  return { name, type, format: name === 'Name' ? 'name' : format, description, priority };
}
