import { collectionAnswer, objectAnswer } from './collection.ts';
import type { Core } from './core.ts';
import { discoveryDocument } from './discovery.ts';
import { openApiV2, openApiV2Type, openApiV3 } from './openapi.ts';
import type { Scope } from './read.ts';
import type { Answer, ApiRequest } from './request.ts';
import { methodNotAllowed, StatusError } from './status.ts';

/** What a request leads to: an answer, or a watch to open. */
export type Outcome = Answer | { readonly watch: Scope };

const healthPaths = ['healthz', 'livez', 'readyz'];

/**
 * Decides a request. Where it waits for a webhook it looks again before it writes, so every request sees and leaves a
 * whole state. Throws the Status that refuses it.
 */
export async function route(core: Core, request: ApiRequest, warn: (text: string) => void): Promise<Outcome> {
  const { path, method } = request;
  const [root = ''] = path;
  if (healthPaths.includes(root)) return { code: 200, body: 'ok', contentType: 'text/plain; charset=utf-8' };
  const resource = resourcePath(path);
  if (resource !== undefined) {
    const kind = core.registry.find(resource.group, resource.version, resource.plural);
    const known = kind !== undefined && kind.namespaced === (resource.namespace !== undefined);
    const everywhere = kind?.namespaced === true && resource.namespace === undefined && resource.name === undefined;
    if (kind === undefined || !(known || everywhere)) throw nothingAt(core, path);
    if (kind.deprecation !== undefined) warn(kind.deprecation);
    const { namespace, name, subresource } = resource;
    const scope: Scope = { kind, namespace, query: request.query };
    if (name === undefined) return collectionAnswer(core, request, scope, warn);
    return objectAnswer(core, request, { kind, namespace, name }, subresource, warn);
  }
  if (method !== 'GET') throw methodNotAllowed();
  if (root === 'openapi' && path[1] === 'v2') return { code: 200, body: openApiV2, contentType: openApiV2Type };
  const document =
    root === 'openapi' && path[1] === 'v3'
      ? openApiV3(core.registry, path.slice(2))
      : discoveryDocument(core.registry, path);
  if (document === undefined) throw nothingAt(core, path);
  return { code: 200, body: document };
}

type ResourcePath = {
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: string;
};

/**
 *     /api/v1/[namespaces/NAMESPACE/]PLURAL[/NAME[/SUBRESOURCE]]
 *     /apis/GROUP/VERSION/[namespaces/NAMESPACE/]PLURAL[/NAME[/SUBRESOURCE]]
 *
 * Namespaces themselves are the exception: `namespaces/NAME/status` is a subresource.
 */
function resourcePath(path: readonly string[]): ResourcePath | undefined {
  const legacy = path[0] === 'api';
  if (!legacy && path[0] !== 'apis') return undefined;
  const [group = '', version = '', ...rest] = legacy ? ['', ...path.slice(1)] : path.slice(1);
  const inNamespace = rest[0] === 'namespaces' && rest.length > 2 && !(rest.length === 3 && rest[2] === 'status');
  const [plural, name, subresource = '', ...more] = inNamespace ? rest.slice(2) : rest;
  if (plural === undefined || more.length > 0) return undefined;
  return { group, version, namespace: inNamespace ? rest[1] : undefined, plural, name, subresource };
}

/** The real server answers by a Status inside its own groups and in plain text elsewhere; kubectl words its message by that. */
function nothingAt(core: Core, [root = '', group = '']: readonly string[]): StatusError {
  const own =
    root === 'api' || (root === 'apis' && core.registry.all().some((kind) => kind.group === group && !kind.custom));
  if (own) return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
  return new StatusError(404, '', '404 page not found');
}
