import { age } from '../../../runtime/age.ts';
import { type Json, type JsonObject, numberAt, stringAt } from '../json.ts';
import type { Column, Printer } from '../kind.ts';
import { compileJsonPath } from './json-path.ts';
import { plainPrinter } from './printers.ts';

const types: readonly string[] = ['string', 'integer', 'number', 'boolean', 'date'];

/** The printer of a custom resource: its name and the definition's additionalPrinterColumns; by default its age. */
export function customPrinter(definitions: readonly JsonObject[]): Printer {
  if (definitions.length === 0) return plainPrinter;
  const columns = definitions.map(columnOf);
  const paths = definitions.map((definition) => compileJsonPath(stringAt(definition, 'jsonPath')));
  return {
    columns: [{ name: 'Name', type: 'string', priority: 0 }, ...columns],
    cells: (object, now) => [
      object.metadata.name ?? '',
      ...columns.map(({ type }, i) => cellOf(paths[i]?.(object)[0], type, now)),
    ],
  };
}

function columnOf(definition: JsonObject): Column {
  const type = stringAt(definition, 'type');
  return {
    name: stringAt(definition, 'name'),
    type: (types.includes(type) ? type : 'string') as Column['type'],
    format: stringAt(definition, 'format'),
    description: stringAt(definition, 'description'),
    priority: numberAt(definition, 'priority') ?? 0,
  };
}

/** A value of another type than the column's leaves the cell empty; a string column shows lists and maps as JSON. */
function cellOf(value: Json | undefined, type: Column['type'], now: number): Json {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : JSON.stringify(value);
    case 'date':
      return typeof value === 'string' ? age(value, now) : null;
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    default:
      return type satisfies never;
  }
}

/** What cannot be read in these columns: a path this server does not know. */
export function unreadableColumns(definitions: readonly JsonObject[]): string[] {
  return definitions.map((one) => stringAt(one, 'jsonPath')).filter((path) => compileJsonPath(path) === undefined);
}
