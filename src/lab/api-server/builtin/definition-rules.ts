import { type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';
import {
  type ApiObject,
  child,
  clone,
  equal,
  fill,
  isObject,
  type JsonObject,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Rules } from '../kind.ts';
import { hasExpressions, needExpressions } from '../schema/expression.ts';
import { hasRules, unreadableRules } from '../schema/rules.ts';
import { type Schema, subschemas } from '../schema/schema.ts';
import { compiled } from '../schema/validate.ts';
import { unreadableColumns } from '../tables/custom-columns.ts';
import { completeClientConfig, validateClientConfig, validateReviewVersions } from './webhook-rules.ts';

/** The resource under which CustomResourceDefinitions are stored. */
export const definitionsResource = 'customresourcedefinitions.apiextensions.k8s.io';

/**
 * Defaults and validation of CustomResourceDefinitions. What the real server does and this one does not (rules with an
 * optional oldSelf) is said through `warn` when a definition comes in that uses it.
 */
export function definitionRules(warn: (text: string) => void): Rules {
  return {
    complete(definition, before) {
      completeNames(definition);
      completeStatus(definition);
      if (equal(before?.spec, definition.spec)) return;
      for (const text of unsupported(definition)) warn(text);
    },
    validate,
  };
}

export function versionSchema(version: JsonObject): Schema {
  return objectAt(version, 'schema', 'openAPIV3Schema') as Schema;
}

function completeNames(definition: ApiObject): void {
  const spec = child(definition, 'spec');
  const names = child(spec, 'names');
  const kind = stringAt(names, 'kind');
  fill(names, 'singular', kind.toLowerCase());
  fill(names, 'listKind', `${kind}List`);
  const conversion = child(spec, 'conversion');
  fill(conversion, 'strategy', 'None');
  completeClientConfig(objectAt(conversion, 'webhook', 'clientConfig'));
}

function completeStatus(definition: ApiObject): void {
  const status = child(definition, 'status');
  const storage = objectsAt(definition, 'spec', 'versions').find((version) => version.storage === true);
  const storedVersions = new Set([...stringsAt(status, 'storedVersions'), stringAt(storage, 'name')]);
  status.acceptedNames = clone(objectAt(definition, 'spec', 'names'));
  status.storedVersions = [...storedVersions];
  const lastTransitionTime = definition.metadata.creationTimestamp ?? null;
  const condition = (type: string, reason: string, message: string) => ({
    type,
    status: 'True',
    lastTransitionTime,
    reason,
    message,
  });
  status.conditions = [
    condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
    condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
  ];
}

function validate(definition: ApiObject): FieldError[] {
  const spec = objectAt(definition, 'spec');
  const [group, plural] = [stringAt(spec, 'group'), stringAt(spec, 'names', 'plural')];
  const errors: FieldError[] = [];
  if (group === '') errors.push(required('spec.group'));
  if (plural === '') errors.push(required('spec.names.plural'));
  if (stringAt(spec, 'names', 'kind') === '') errors.push(required('spec.names.kind'));
  if (definition.metadata.name !== `${plural}.${group}`) {
    errors.push(invalid('metadata.name', definition.metadata.name ?? '', 'must be spec.names.plural+"."+spec.group'));
  }
  const scope = stringAt(spec, 'scope');
  if (scope !== 'Namespaced' && scope !== 'Cluster') errors.push(required('spec.scope'));
  const versions = objectsAt(spec, 'versions');
  const storages = versions.filter((version) => version.storage === true);
  if (storages.length !== 1) {
    errors.push(invalid('spec.versions', versions.length, 'must have exactly one version marked as storage version'));
  }
  errors.push(...validateConversion(objectAt(spec, 'conversion')));
  return [...errors, ...versions.flatMap((version, i) => validateVersion(version, `spec.versions[${i}]`))];
}

/** The paths are those of the server's own, older form of the stanza, as the real server has them. */
function validateConversion(conversion: JsonObject): FieldError[] {
  const { strategy } = conversion;
  const { clientConfig, conversionReviewVersions } = objectAt(conversion, 'webhook');
  const [configPath, versionsPath] = [
    'spec.conversion.webhookClientConfig',
    'spec.conversion.conversionReviewVersions',
  ];
  if (strategy === 'None') {
    const why = 'should not be set when strategy is not set to Webhook';
    const set = [
      [configPath, clientConfig],
      [versionsPath, conversionReviewVersions],
    ] as const;
    return set.flatMap(([path, value]) => (value === undefined ? [] : [forbidden(path, why)]));
  }
  if (strategy !== 'Webhook') {
    return [notSupported('spec.conversion.strategy', strategy ?? '', ['None', 'Webhook'])];
  }
  const config = isObject(clientConfig)
    ? validateClientConfig(clientConfig, configPath)
    : [required(configPath, 'required when strategy is set to Webhook')];
  return [
    ...config,
    ...validateReviewVersions(stringsAt(conversion, 'webhook', 'conversionReviewVersions'), versionsPath),
  ];
}

function validateVersion(version: JsonObject, path: string): FieldError[] {
  const schema = versionSchema(version);
  if (schema.type !== 'object') {
    return [required(`${path}.schema.openAPIV3Schema`, 'schemas are required')];
  }
  if (hasRules(schema)) void needExpressions(); // Fails only when the installation is broken.
  return everySchema(schema).flatMap((one) => [
    ...unreadablePatterns(one).map((pattern) =>
      invalid(`${path}.schema.openAPIV3Schema`, pattern, 'this server cannot read the pattern'),
    ),
    // Definitions from the start come before CEL is loaded; what they hold is told to whoever writes their objects.
    ...(hasExpressions() ? unreadableRules(one) : []).map(({ rule, why }) =>
      invalid(`${path}.schema.openAPIV3Schema`, rule, why),
    ),
  ]);
}

function unreadablePatterns({ pattern }: Schema): string[] {
  if (pattern === undefined) return [];
  try {
    compiled(pattern);
    return [];
  } catch {
    return [pattern];
  }
}

function unsupported(definition: ApiObject): string[] {
  const name = definition.metadata.name ?? '';
  const versions = objectsAt(definition, 'spec', 'versions');
  const texts: string[] = [];
  const rules = versions
    .flatMap((version) => everySchema(versionSchema(version)))
    .flatMap((schema) => schema['x-kubernetes-validations'] ?? []);
  if (rules.some(({ optionalOldSelf }) => optionalOldSelf === true)) {
    texts.push(`${name}: rules with optionalOldSelf are evaluated by this server as if it were false`);
  }
  for (const path of versions.flatMap((version) => unreadableColumns(objectsAt(version, 'additionalPrinterColumns')))) {
    texts.push(`${name}: this server cannot read the column path ${path}`);
  }
  return texts;
}

function everySchema(schema: Schema): Schema[] {
  return [schema, ...subschemas(schema).flatMap(everySchema)];
}
