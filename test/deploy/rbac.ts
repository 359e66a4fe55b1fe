import assert from 'node:assert/strict';
import { manifest, manifests, type Subject } from './manifests.ts';

/** What a request asks to do, or a rule lets one do. `resource` has the subresource: `services/status`. */
export type Permission = {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Undefined: in all of them, or of an object that is in none. */
  readonly namespace: string | undefined;
  /** Undefined: any. A list of the object of one name (by a field selector) counts as a request for that object. */
  readonly name: string | undefined;
};

/** `update ipaddresspools/status metallb.io in metallb-system` */
export function describe({ verb, resource, group, namespace, name }: Permission): string {
  const which = name === undefined ? resource : `${resource} ${name}`;
  return `${verb} ${which} ${group || 'core'} ${namespace === undefined ? 'everywhere' : `in ${namespace}`}`;
}

export function covers(granted: Permission, asked: Permission): boolean {
  return (
    granted.verb === asked.verb &&
    granted.group === asked.group &&
    granted.resource === asked.resource &&
    (granted.namespace === undefined || granted.namespace === asked.namespace) &&
    (granted.name === undefined || granted.name === asked.name)
  );
}

/** As the API server reads a request: RequestInfoFactory of k8s.io/apiserver. */
export function permissionAsked(method: string, url: string): Permission {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const [root, ...steps] = pathname.slice(1).split('/');
  assert.ok(root === 'api' || root === 'apis', `${method} ${url} is no request for a resource`);
  const group = root === 'api' ? '' : steps.shift()!;
  steps.shift(); // The version.
  // A Namespace counts as being in itself; `namespaces` without more after the name is the resource.
  const namespace = steps[0] === 'namespaces' ? steps[1] : undefined;
  const isInside = namespace !== undefined && steps.length > 2 && !['status', 'finalize'].includes(steps[2]!);
  const [plural, name, ...subresource] = isInside ? steps.slice(2) : steps;
  const verb = verbOf(method, name !== undefined, ['true', '1'].includes(searchParams.get('watch') ?? ''));
  const selected = /^metadata\.name=([^,]+)$/.exec(searchParams.get('fieldSelector') ?? '')?.[1];
  return { verb, group, resource: [plural, ...subresource].join('/'), namespace, name: name ?? selected };
}

function verbOf(method: string, hasName: boolean, isWatch: boolean): string {
  switch (method) {
    case 'GET':
      return isWatch ? 'watch' : hasName ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return hasName ? 'delete' : 'deletecollection';
    default:
      throw new Error(`no verb for ${method}`);
  }
}

/** All that the roles in deploy/ let the ServiceAccount of this name do, one permission at a time. */
export function permissionsGranted(account: string): readonly Permission[] {
  return manifests
    .filter(({ kind }) => kind === 'ClusterRoleBinding' || kind === 'RoleBinding')
    .filter(({ subjects }) => subjects!.some((subject) => isAccount(subject, account)))
    .flatMap(({ kind, metadata, roleRef }) => {
      const namespace = kind === 'RoleBinding' ? metadata.namespace : undefined;
      const role = manifest(roleRef!.kind, roleRef!.name);
      if (role.kind === 'Role') assert.equal(role.metadata.namespace, namespace, `the binding ${metadata.name}`);
      return role.rules!.flatMap((rule) => permissionsOf(rule, namespace));
    });
}

function isAccount({ kind, namespace, name }: Subject, account: string): boolean {
  const { metadata } = manifest('ServiceAccount', account);
  return kind === 'ServiceAccount' && name === metadata.name && namespace === metadata.namespace;
}

type Rule = { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] };

/** Only what is written out one by one: a wildcard is more than anybody needs, and other fields are not understood. */
function permissionsOf(rule: object, namespace: string | undefined): readonly Permission[] {
  const { resourceNames: _, ...others } = rule as Rule;
  assert.deepEqual(Object.keys(others).sort(), ['apiGroups', 'resources', 'verbs'], JSON.stringify(rule));
  assert.ok(!JSON.stringify(rule).includes('*'), `a wildcard: ${JSON.stringify(rule)}`);
  const { apiGroups, resources, resourceNames = [undefined], verbs } = rule as Rule;
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) => resourceNames.map((name) => ({ verb, group, resource, namespace, name }))),
    ),
  );
}
