import { versionSchema } from './builtin/definition-rules.ts';
import { type ApiObject, type JsonObject, objectAt, objectsAt, stringAt, stringsAt } from './json.ts';
import { type Kind, noRules } from './kind.ts';
import { schemaLists } from './patch/list-layout.ts';
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
