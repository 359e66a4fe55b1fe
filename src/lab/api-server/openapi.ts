import type { JsonObject } from './json.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import type { Registry } from './registry.ts';

export const openApiV2Type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/**
 * The smallest OpenAPI v2 document that kubectl reads: swagger "2.0" (field 1), an info with a title and a version
 * (field 2), no paths (field 8). kubectl then checks nothing itself and leaves it to the server.
 */
export const openApiV2 = Uint8Array.from([
  ...[0x0a, 0x03, 0x32, 0x2e, 0x30],
  ...[0x12, 0x08, 0x0a, 0x01, 0x67, 0x12, 0x03, 0x30, 0x2e, 0x30],
  ...[0x42, 0x00],
]);

/** `/openapi/v3` and below: which parameters each kind's patch takes. kubectl looks there for fieldValidation and dryRun. */
export function openApiV3(registry: Registry, path: readonly string[]): JsonObject | undefined {
  const all = registry.all().filter((kind) => kind.isServed && kind.answer === undefined);
  if (path.length === 0) {
    const paths: JsonObject = {};
    for (const kind of all) paths[rootOf(kind)] = { serverRelativeURL: `/openapi/v3/${rootOf(kind)}` };
    return { paths };
  }
  const kinds = all.filter((kind) => rootOf(kind) === path.join('/'));
  if (kinds.length === 0) return undefined;
  const paths: JsonObject = {};
  for (const kind of kinds) {
    const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
    paths[`/${rootOf(kind)}${scope}/${kind.plural}/{name}`] = { patch: patchOperation(kind) };
  }
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'v1' }, paths, components: { schemas: {} } };
}

function rootOf(kind: Kind): string {
  return kind.group === '' ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`;
}

function patchOperation(kind: Kind): JsonObject {
  const parameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
    name,
    in: 'query',
    schema: { type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
  }));
  const { group, version } = kind;
  const action = { 'x-kubernetes-action': 'patch' };
  return { parameters, ...action, 'x-kubernetes-group-version-kind': { group, version, kind: kind.kind } };
}
