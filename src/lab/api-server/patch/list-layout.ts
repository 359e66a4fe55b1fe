import type { Schema } from '../schema/schema.ts';

/**
 * How one list is patched. Without a layout a list is atomic: a patch replaces it whole.
 * - `merge`: the key by which strategic merge tells items apart; for lists of plain values, `values`.
 * - `keys`: the keys of server-side apply's list maps, with what a missing one means; empty for a set.
 */
export type ListLayout = {
  readonly merge?: string;
  readonly keys?: ReadonlyMap<string, string | undefined>;
};

/** From a path of field names, such as `spec.containers.ports`, to the layout of the list there. */
export type ListLayouts = ReadonlyMap<string, ListLayout>;

/** The merge key of a list of plain values. */
export const values = '';

const by = (merge: string, ...keys: string[]): ListLayout => ({
  merge,
  keys: new Map((keys.length === 0 ? [merge] : keys).map((key) => [key, key === 'protocol' ? 'TCP' : undefined])),
});
const setOfValues: ListLayout = { merge: values, keys: new Map() };

const metadata: Readonly<Record<string, ListLayout>> = {
  'metadata.ownerReferences': by('uid'),
  'metadata.finalizers': setOfValues,
};

const conditions = { 'status.conditions': by('type') };

const podSpec: Readonly<Record<string, ListLayout>> = {
  containers: by('name'),
  'containers.ports': by('containerPort', 'containerPort', 'protocol'),
  'containers.env': by('name'),
  'containers.volumeMounts': by('mountPath'),
  initContainers: by('name'),
  'initContainers.env': by('name'),
  'initContainers.volumeMounts': by('mountPath'),
  volumes: by('name'),
  imagePullSecrets: by('name'),
  hostAliases: by('ip'),
  topologySpreadConstraints: by('topologyKey', 'topologyKey', 'whenUnsatisfiable'),
};

const under = (prefix: string) =>
  Object.fromEntries(Object.entries(podSpec).map(([path, layout]) => [`${prefix}.${path}`, layout]));

/** From the patch and list tags of the API's own types. */
const builtin: Readonly<Record<string, Readonly<Record<string, ListLayout>>>> = {
  Service: { 'spec.ports': by('port', 'port', 'protocol'), ...conditions },
  Pod: { ...under('spec'), ...conditions, 'status.podIPs': by('ip'), 'status.hostIPs': by('ip') },
  Node: { ...conditions, 'status.addresses': { merge: 'type' }, 'spec.podCIDRs': setOfValues },
  Namespace: conditions,
  Deployment: { ...under('spec.template.spec'), ...conditions },
  DaemonSet: { ...under('spec.template.spec'), ...conditions },
  ReplicaSet: { ...under('spec.template.spec'), ...conditions },
  ValidatingWebhookConfiguration: { webhooks: by('name') },
  MutatingWebhookConfiguration: { webhooks: by('name') },
};

export function builtinLists(kind: string): ListLayouts {
  return new Map(Object.entries({ ...metadata, ...builtin[kind] }));
}

/** The layouts that a custom resource's schema declares. Strategic merge does not exist for custom resources. */
export function schemaLists(schema: Schema): ListLayouts {
  const layouts = new Map<string, ListLayout>(Object.entries(metadata));
  collect(schema, '', layouts);
  return layouts;
}

function collect(schema: Schema, path: string, layouts: Map<string, ListLayout>): void {
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'set') layouts.set(path, { keys: new Map() });
  if (listType === 'map') {
    const { items, 'x-kubernetes-list-map-keys': keys = [] } = schema;
    const missing = (key: string) => items?.properties?.[key]?.default;
    layouts.set(path, { keys: new Map(keys.map((key) => [key, missing(key) as string | undefined])) });
  }
  if (schema.items !== undefined) collect(schema.items, path, layouts);
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    collect(property, path === '' ? key : `${path}.${key}`, layouts);
  }
}
