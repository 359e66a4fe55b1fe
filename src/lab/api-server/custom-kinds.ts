import { versionSchema } from './builtin/definition-rules.ts';
import { type ApiObject, type JsonObject, objectAt, objectsAt, stringAt, stringsAt } from './json.ts';
import { type Kind, noRules } from './kind.ts';
import { schemaLists } from './patch/list-layout.ts';
import { byVersionPriority } from './registry.ts';
import { customPrinter } from './tables/custom-columns.ts';

/** The kinds, one for each served version, that a valid CustomResourceDefinition defines. */
export function customKinds(definition: ApiObject): Kind[] {
  const spec = objectAt(definition, 'spec');
  const versions = objectsAt(spec, 'versions');
  const storage = versions.find((version) => version.storage === true);
  return versions
    .filter((version) => version.served === true || version === storage)
    .map((version) => customKind(definition, spec, version, stringAt(storage, 'name')));
}

function customKind(definition: ApiObject, spec: JsonObject, version: JsonObject, storageVersion: string): Kind {
  const names = objectAt(spec, 'names');
  const schema = versionSchema(version);
  const subresources = objectAt(version, 'subresources');
  return {
    group: stringAt(spec, 'group'),
    version: stringAt(version, 'name'),
    kind: stringAt(names, 'kind'),
    listKind: stringAt(names, 'listKind'),
    plural: stringAt(names, 'plural'),
    singular: stringAt(names, 'singular'),
    shortNames: stringsAt(names, 'shortNames'),
    categories: stringsAt(names, 'categories'),
    namespaced: spec.scope === 'Namespaced',
    custom: true,
    resource: definition.metadata.name ?? '',
    storageVersion,
    isServed: version.served === true,
    deprecation: deprecationOf(spec, version),
    conversion: conversionOf(spec),
    subresources: subresources.status === undefined ? [] : ['status'],
    generation: true,
    statusOnCreate: false,
    schema,
    lists: schemaLists(schema),
    selectableFields: objectsAt(version, 'selectableFields').map((field) =>
      stringAt(field, 'jsonPath').replace(/^\./, ''),
    ),
    nameForm: 'subdomain',
    printer: customPrinter(objectsAt(version, 'additionalPrinterColumns')),
    rules: noRules,
    answer: undefined,
  };
}

function conversionOf(spec: JsonObject): JsonObject | undefined {
  const conversion = objectAt(spec, 'conversion');
  return conversion.strategy === 'Webhook' ? objectAt(conversion, 'webhook') : undefined;
}

function deprecationOf(spec: JsonObject, version: JsonObject): string | undefined {
  if (version.deprecated !== true) return undefined;
  const shown = (name: string) => `${stringAt(spec, 'group')}/${name} ${stringAt(spec, 'names', 'kind')}`;
  const others = objectsAt(spec, 'versions').filter((other) => other.served === true && other.deprecated !== true);
  const [best] = others.map((other) => stringAt(other, 'name')).sort(byVersionPriority);
  const plain = `${shown(stringAt(version, 'name'))} is deprecated${best === undefined ? '' : `; use ${shown(best)}`}`;
  return stringAt(version, 'deprecationWarning') || plain;
}
