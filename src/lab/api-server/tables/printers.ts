import { age } from '../../../runtime/age.ts';
import {
  type ApiObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Column, Printer } from '../kind.ts';

const none = '<none>';

/** A column with the function that fills it. */
type Filled = { readonly column: Column; readonly cell: (object: ApiObject, now: number) => Json };

type Cell = Filled['cell'];

/** Shown always. */
const shown = (name: string, cell: Cell, type: Column['type'] = 'string'): Filled => ({
  column: { name, type, priority: 0 },
  cell,
});

/** Shown with `-o wide`. */
const wide = (name: string, cell: Cell, type: Column['type'] = 'string'): Filled => ({
  column: { name, type, priority: 1 },
  cell,
});

const name = shown('Name', (object) => object.metadata.name ?? '');
const ageColumn = shown('Age', (object, now) => age(object.metadata.creationTimestamp ?? '', now));

const printer = (...columns: readonly Filled[]): Printer => ({
  columns: columns.map(({ column }) => column),
  cells: (object, now) => columns.map(({ cell }) => cell(object, now)),
});

/** For kinds without columns of their own. */
export const plainPrinter = printer(name, ageColumn);

const workloadColumns = [
  wide('Containers', (object) => containersOf(object, 'name')),
  wide('Images', (object) => containersOf(object, 'image')),
  wide('Selector', (object) => pairs(objectAt(object, 'spec', 'selector', 'matchLabels'))),
];

const count =
  (...path: string[]): Cell =>
  (object) =>
    numberAt(object, ...path) ?? 0;

/** By kind, the columns of the real server's printers. */
export const builtinPrinters: Readonly<Record<string, Printer>> = {
  Namespace: printer(
    name,
    shown('Status', (object) => stringAt(object, 'status', 'phase')),
    ageColumn,
  ),
  Node: printer(
    name,
    shown('Status', nodeStatus),
    shown('Roles', nodeRoles),
    ageColumn,
    shown('Version', (node) => stringAt(node, 'status', 'nodeInfo', 'kubeletVersion')),
    wide('Internal-IP', (node) => nodeAddress(node, 'InternalIP')),
    wide('External-IP', (node) => nodeAddress(node, 'ExternalIP')),
    wide('OS-Image', (node) => stringAt(node, 'status', 'nodeInfo', 'osImage') || '<unknown>'),
    wide('Kernel-Version', (node) => stringAt(node, 'status', 'nodeInfo', 'kernelVersion') || '<unknown>'),
    wide('Container-Runtime', (node) => stringAt(node, 'status', 'nodeInfo', 'containerRuntimeVersion') || '<unknown>'),
  ),
  Pod: printer(
    name,
    shown('Ready', (pod) => `${readyContainers(pod)}/${objectsAt(pod, 'spec', 'containers').length}`),
    shown('Status', podStatus),
    shown('Restarts', (pod) => sum(objectsAt(pod, 'status', 'containerStatuses'), 'restartCount')),
    ageColumn,
    wide('IP', (pod) => stringAt(pod, 'status', 'podIP') || none),
    wide('Node', (pod) => stringAt(pod, 'spec', 'nodeName') || none),
    wide('Nominated Node', (pod) => stringAt(pod, 'status', 'nominatedNodeName') || none),
    wide('Readiness Gates', () => none),
  ),
  Service: printer(
    name,
    shown('Type', (service) => stringAt(service, 'spec', 'type')),
    shown('Cluster-IP', (service) => stringAt(service, 'spec', 'clusterIP') || none),
    shown('External-IP', externalAddresses),
    shown('Port(s)', servicePorts),
    ageColumn,
    wide('Selector', (service) => pairs(objectAt(service, 'spec', 'selector'))),
  ),
  Endpoints: printer(name, shown('Endpoints', endpointAddresses), ageColumn),
  EndpointSlice: printer(
    name,
    shown('AddressType', (slice) => stringAt(slice, 'addressType')),
    shown('Ports', (slice) =>
      shortList(
        objectsAt(slice, 'ports').map((port) => String(port.port ?? '*')),
        ',',
        '<unset>',
      ),
    ),
    shown('Endpoints', (slice) => {
      const addresses = objectsAt(slice, 'endpoints').flatMap((endpoint) => stringsAt(endpoint, 'addresses'));
      return shortList(addresses, ',', '<unset>');
    }),
    ageColumn,
  ),
  Deployment: printer(
    name,
    shown(
      'Ready',
      (object) => `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}`,
    ),
    shown('Up-to-date', count('status', 'updatedReplicas'), 'integer'),
    shown('Available', count('status', 'availableReplicas'), 'integer'),
    ageColumn,
    ...workloadColumns,
  ),
  ReplicaSet: printer(
    name,
    shown('Desired', count('spec', 'replicas'), 'integer'),
    shown('Current', count('status', 'replicas'), 'integer'),
    shown('Ready', count('status', 'readyReplicas'), 'integer'),
    ageColumn,
    ...workloadColumns,
  ),
  DaemonSet: printer(
    name,
    shown('Desired', count('status', 'desiredNumberScheduled'), 'integer'),
    shown('Current', count('status', 'currentNumberScheduled'), 'integer'),
    shown('Ready', count('status', 'numberReady'), 'integer'),
    shown('Up-to-date', count('status', 'updatedNumberScheduled'), 'integer'),
    shown('Available', count('status', 'numberAvailable'), 'integer'),
    shown('Node Selector', (object) => pairs(objectAt(object, 'spec', 'template', 'spec', 'nodeSelector'))),
    ageColumn,
    ...workloadColumns,
  ),
  Event: printer(
    shown('Last Seen', (event, now) => age(lastSeen(event), now)),
    shown('Type', (event) => stringAt(event, 'type')),
    shown('Reason', (event) => stringAt(event, 'reason')),
    shown('Object', (event) => {
      const kind = stringAt(event, 'involvedObject', 'kind').toLowerCase();
      return `${kind}/${stringAt(event, 'involvedObject', 'name')}`;
    }),
    wide('Subobject', (event) => stringAt(event, 'involvedObject', 'fieldPath')),
    wide('Source', eventSource),
    shown('Message', (event) => stringAt(event, 'message').trim()),
    wide('First Seen', (event, now) => age(stringAt(event, 'firstTimestamp') || lastSeen(event), now)),
    wide('Count', (event) => numberAt(event, 'count') ?? 1, 'integer'),
    wide('Name', (event) => event.metadata.name ?? ''),
  ),
  Lease: printer(
    name,
    shown('Holder', (lease) => stringAt(lease, 'spec', 'holderIdentity')),
    ageColumn,
  ),
  Secret: printer(
    name,
    shown('Type', (secret) => stringAt(secret, 'type')),
    shown('Data', (secret) => Object.keys(objectAt(secret, 'data')).length, 'integer'),
    ageColumn,
  ),
  ConfigMap: printer(
    name,
    shown('Data', (map) => Object.keys({ ...objectAt(map, 'data'), ...objectAt(map, 'binaryData') }).length, 'integer'),
    ageColumn,
  ),
  CustomResourceDefinition: printer(name, {
    column: { name: 'Created At', type: 'date', priority: 0 },
    cell: (crd) => crd.metadata.creationTimestamp ?? '',
  }),
};

function nodeStatus(node: ApiObject): string {
  const ready = objectsAt(node, 'status', 'conditions').find((condition) => condition.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (objectAt(node, 'spec').unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function nodeRoles(node: ApiObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const labels = Object.keys(objectAt(node, 'metadata', 'labels')).filter((label) => label.startsWith(prefix));
  const roles = labels.map((label) => label.slice(prefix.length)).filter((role) => role !== '');
  return roles.sort().join(',') || none;
}

function nodeAddress(node: ApiObject, type: string): string {
  const found = objectsAt(node, 'status', 'addresses').find((address) => address.type === type);
  return stringAt(found, 'address') || none;
}

function readyContainers(pod: ApiObject): number {
  return objectsAt(pod, 'status', 'containerStatuses').filter((status) => status.ready === true).length;
}

function podStatus(pod: ApiObject): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  const waiting = objectsAt(pod, 'status', 'containerStatuses').map((status) =>
    stringAt(status, 'state', 'waiting', 'reason'),
  );
  const reason = waiting.find((text) => text !== '') ?? '';
  return reason || stringAt(pod, 'status', 'reason') || stringAt(pod, 'status', 'phase');
}

function externalAddresses(service: ApiObject): string {
  const type = stringAt(service, 'spec', 'type');
  const external = stringsAt(service, 'spec', 'externalIPs');
  if (type === 'ExternalName') return stringAt(service, 'spec', 'externalName');
  if (type !== 'LoadBalancer') return external.join(',') || none;
  const ingress = objectsAt(service, 'status', 'loadBalancer', 'ingress');
  const addresses = ingress
    .map((one) => stringAt(one, 'ip') || stringAt(one, 'hostname'))
    .filter((text) => text !== '');
  return [...new Set(addresses), ...external].join(',') || '<pending>';
}

function servicePorts(service: ApiObject): string {
  const ports = objectsAt(service, 'spec', 'ports').map(({ port, nodePort, protocol }) => {
    const both = typeof nodePort === 'number' && nodePort > 0 ? `${port}:${nodePort}` : `${port}`;
    return `${both}/${protocol}`;
  });
  return ports.join(',') || none;
}

function endpointAddresses(endpoints: ApiObject): string {
  const texts = objectsAt(endpoints, 'subsets').flatMap((subset) => {
    const ports = objectsAt(subset, 'ports').map((port) => `:${port.port}`);
    const addresses = objectsAt(subset, 'addresses').map((address) => bracketed(stringAt(address, 'ip')));
    return (ports.length === 0 ? [''] : ports).flatMap((port) => addresses.map((address) => address + port));
  });
  return shortList(texts, ',', none);
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Three at most, then how many more. */
function shortList(texts: readonly string[], separator: string, empty: string): string {
  if (texts.length === 0) return empty;
  const more = texts.length > 3 ? ` + ${texts.length - 3} more...` : '';
  return texts.slice(0, 3).join(separator) + more;
}

function lastSeen(event: ApiObject): string {
  const series = stringAt(event, 'series', 'lastObservedTime');
  return (
    series ||
    stringAt(event, 'lastTimestamp') ||
    stringAt(event, 'eventTime') ||
    (event.metadata.creationTimestamp ?? '')
  );
}

function eventSource(event: ApiObject): string {
  const component = stringAt(event, 'source', 'component') || stringAt(event, 'reportingComponent');
  const host = stringAt(event, 'source', 'host');
  return host === '' ? component : `${component}, ${host}`;
}

function containersOf(object: ApiObject, field: string): string {
  const containers = objectsAt(object, 'spec', 'template', 'spec', 'containers');
  return containers.map((container) => stringAt(container, field)).join(',');
}

function sum(objects: readonly JsonObject[], field: string): string {
  return String(objects.reduce((total, object) => total + (numberAt(object, field) ?? 0), 0));
}

function pairs(map: JsonObject): string {
  const texts = Object.entries(map).map(([key, value]) => `${key}=${value}`);
  return texts.sort().join(',') || none;
}
