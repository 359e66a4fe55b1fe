import type {
  CustomResourceDefinition,
  EndpointSlice,
  EventObject,
  KubernetesObject,
  Lease,
  Namespace,
  Node,
  Pod,
  Secret,
  Service,
  ValidatingWebhookConfiguration,
} from './core.ts';

declare const shape: unique symbol;

/** Where a kind lives in the API. `T` is the shape of its objects; it exists for the type checker only. */
export type Resource<T extends KubernetesObject> = {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly [shape]?: T;
};

/** `namespace/name`, or `name` for an object of the cluster. */
export type ObjectKey = string;

export function resource<T extends KubernetesObject>(
  place: Pick<Resource<T>, 'group' | 'version' | 'plural' | 'kind' | 'namespaced'>,
): Resource<T> {
  return place;
}

const core = { group: '', version: 'v1' } as const;

export const services = resource<Service>({ ...core, plural: 'services', kind: 'Service', namespaced: true });
export const nodes = resource<Node>({ ...core, plural: 'nodes', kind: 'Node', namespaced: false });
export const namespaces = resource<Namespace>({ ...core, plural: 'namespaces', kind: 'Namespace', namespaced: false });
export const pods = resource<Pod>({ ...core, plural: 'pods', kind: 'Pod', namespaced: true });
/** Of which only the metadata is looked at. */
export const daemonSets = resource<KubernetesObject>({
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  namespaced: true,
});
export const secrets = resource<Secret>({ ...core, plural: 'secrets', kind: 'Secret', namespaced: true });
export const events = resource<EventObject>({ ...core, plural: 'events', kind: 'Event', namespaced: true });

export const endpointSlices = resource<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
});

export const leases = resource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
});

export const validatingWebhookConfigurations = resource<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
  namespaced: false,
});

export const customResourceDefinitions = resource<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
});

export function keyOf(object: Pick<KubernetesObject, 'metadata'>): ObjectKey {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function splitKey(key: ObjectKey): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf('/');
  return slash === -1 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `v1`, `discovery.k8s.io/v1`. */
export function apiVersionOf<T extends KubernetesObject>(of: Resource<T>): string {
  return of.group === '' ? of.version : `${of.group}/${of.version}`;
}

/** The path of all objects, or of those in one namespace. */
export function collectionPath<T extends KubernetesObject>(of: Resource<T>, namespace?: string): string {
  const root = of.group === '' ? `/api/${of.version}` : `/apis/${of.group}/${of.version}`;
  return namespace === undefined
    ? `${root}/${of.plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${of.plural}`;
}

/** The path of one object, or of a subresource (`status`) of it. */
export function objectPath<T extends KubernetesObject>(of: Resource<T>, key: ObjectKey, subresource?: string): string {
  const { namespace, name } = splitKey(key);
  if (of.namespaced !== (namespace !== undefined)) {
    throw new TypeError(`"${key}" is no key of ${of.plural}: expected ${of.namespaced ? 'namespace/name' : 'a name'}`);
  }
  const path = `${collectionPath(of, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
