import type { Range } from '../../../ip/range.ts';
import {
  type ApiObject,
  child,
  equal,
  fill,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import { nodePortsOf, type ServiceAllocations } from './service-allocations.ts';

export const nodePorts = { first: 30_000, last: 32_767 } as const;

const affinityTimeoutSeconds = 10_800;

/** The cluster's own part of Services: what is in use, and where new addresses come from. */
export type ServiceNetwork = {
  readonly ranges: readonly Range[];
  readonly allocations: ServiceAllocations;
};

/**
 * Fills in what the real server fills in, in place: ports, policies, families, cluster addresses and node ports. On
 * an update it keeps what was allocated, and takes away what a change of type leaves without a meaning.
 */
export function completeService(service: ApiObject, before: ApiObject | undefined, network: ServiceNetwork): void {
  const spec = child(service, 'spec');
  completePorts(spec);
  fill(spec, 'type', 'ClusterIP');
  fill(spec, 'sessionAffinity', 'None');
  if (spec.sessionAffinity === 'ClientIP') {
    fill(child(child(spec, 'sessionAffinityConfig'), 'clientIP'), 'timeoutSeconds', affinityTimeoutSeconds);
  } else delete spec.sessionAffinityConfig;
  if (before !== undefined) {
    keepAllocations(spec, objectAt(before, 'spec'));
    dropForType(spec, objectAt(before, 'spec'));
  }
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  if (external) fill(spec, 'externalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true);
  if (spec.type !== 'ExternalName') {
    fill(spec, 'internalTrafficPolicy', 'Cluster');
    completeAddresses(spec, network);
  }
  if (external) completeNodePorts(service, spec, network);
  completeStatus(service, spec);
}

export function nodePortKey(port: JsonObject): string {
  return `${stringAt(port, 'protocol')}/${numberAt(port, 'nodePort')}`;
}

function completePorts(spec: JsonObject): void {
  for (const port of objectsAt(spec, 'ports')) {
    fill(port, 'protocol', 'TCP');
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') {
      port.targetPort = port.port ?? 0;
    }
    if (port.nodePort === 0) delete port.nodePort;
    if (port.name === '') delete port.name;
  }
}

/** Allocations that an update leaves out stay: a client need not repeat what the server has chosen. */
function keepAllocations(spec: JsonObject, old: JsonObject): void {
  if (spec.type === 'ExternalName') return;
  if (stringAt(spec, 'clusterIP') === '' && old.clusterIP !== undefined) spec.clusterIP = old.clusterIP;
  if (spec.clusterIPs === undefined && old.clusterIPs !== undefined && spec.clusterIP === old.clusterIP) {
    spec.clusterIPs = structuredClone(old.clusterIPs);
  }
  for (const key of ['ipFamilies', 'ipFamilyPolicy']) {
    if (spec[key] === undefined && old[key] !== undefined) spec[key] = structuredClone(old[key]);
  }
  const wasExternal = old.type === 'NodePort' || old.type === 'LoadBalancer';
  if (!wasExternal || spec.type === 'ClusterIP') return;
  const given = objectsAt(spec, 'ports').map(({ nodePort }) => nodePort);
  for (const port of objectsAt(spec, 'ports')) {
    // By name: under another name it is another port, whatever its number.
    const same = objectsAt(old, 'ports').find((one) => stringAt(one, 'name') === stringAt(port, 'name'));
    if (port.nodePort !== undefined || same?.nodePort === undefined || given.includes(same.nodePort)) continue;
    port.nodePort = same.nodePort;
  }
  if (old.healthCheckNodePort !== undefined && needsHealthPort(spec)) {
    fill(spec, 'healthCheckNodePort', old.healthCheckNodePort);
  }
}

/** What the writer carried over unchanged from another type is dropped; what it set anew is left to validation. */
function dropForType(spec: JsonObject, old: JsonObject): void {
  const drop = (key: string) => {
    if (equal(spec[key], old[key])) delete spec[key];
  };
  if (spec.type !== 'LoadBalancer' && old.type === 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts');
    drop('loadBalancerClass');
  }
  if (!needsHealthPort(spec) && needsHealthPort(old)) drop('healthCheckNodePort');
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') return;
  drop('externalTrafficPolicy');
  for (const port of objectsAt(spec, 'ports')) {
    const same = objectsAt(old, 'ports').find((one) => one.nodePort === port.nodePort);
    if (same !== undefined) delete port.nodePort;
  }
  if (spec.type === 'ExternalName') {
    for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) drop(key);
  }
}

function completeAddresses(spec: JsonObject, network: ServiceNetwork): void {
  const given = stringAt(spec, 'clusterIP');
  const addresses = stringsAt(spec, 'clusterIPs');
  if (given !== '' && addresses.length === 0) addresses.push(given);
  fill(
    spec,
    'ipFamilyPolicy',
    stringsAt(spec, 'ipFamilies').length > 1 || addresses.length > 1 ? 'RequireDualStack' : 'SingleStack',
  );
  const families = completeFamilies(spec, addresses, network);
  const missing = addresses[0] === 'None' ? [] : families.slice(addresses.length);
  for (const family of missing) {
    const range = network.ranges.find((one) => `IPv${one.family}` === family);
    const address = range === undefined ? undefined : network.allocations.freeAddress(range);
    if (address !== undefined) addresses.push(address);
  }
  if (addresses[0] !== undefined) {
    spec.clusterIP = addresses[0];
    spec.clusterIPs = addresses;
  }
}

function completeFamilies(spec: JsonObject, addresses: string[], network: ServiceNetwork): string[] {
  const cluster = network.ranges.map((range) => `IPv${range.family}`);
  const given = stringsAt(spec, 'ipFamilies');
  const known =
    given.length > 0
      ? given
      : addresses.filter((text) => text !== 'None').map((text) => (text.includes(':') ? 'IPv6' : 'IPv4'));
  const wanted = spec.ipFamilyPolicy === 'SingleStack' ? 1 : cluster.length;
  const families = [...new Set([...known, ...cluster])].slice(0, Math.max(wanted, given.length));
  // Going back to one family gives up the address of the second.
  if (spec.ipFamilyPolicy === 'SingleStack' && families.length > 1) {
    families.splice(1);
    addresses.splice(1);
  }
  spec.ipFamilies = families;
  return families;
}

function completeNodePorts(service: ApiObject, spec: JsonObject, network: ServiceNetwork): void {
  const taken = network.allocations.takenByOthers(service);
  const own = new Set(nodePortsOf(service));
  const allocate = (protocol: string): number => {
    let port: number = nodePorts.first;
    const isTaken = (key: string) => own.has(key) || taken.has(key);
    while (isTaken(`${protocol}/${port}`) && port < nodePorts.last) port += 1;
    own.add(`${protocol}/${port}`);
    return port;
  };
  if (spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false) {
    for (const port of objectsAt(spec, 'ports')) {
      if (port.nodePort === undefined) port.nodePort = allocate(stringAt(port, 'protocol'));
    }
  }
  if (needsHealthPort(spec) && (spec.healthCheckNodePort === undefined || spec.healthCheckNodePort === 0)) {
    spec.healthCheckNodePort = allocate('TCP');
  }
}

function completeStatus(service: ApiObject, spec: JsonObject): void {
  const status = child(service, 'status');
  const loadBalancer = child(status, 'loadBalancer');
  if (spec.type !== 'LoadBalancer') delete loadBalancer.ingress;
  for (const ingress of objectsAt(loadBalancer, 'ingress')) {
    if (stringAt(ingress, 'ip') !== '') fill(ingress, 'ipMode', 'VIP');
  }
}

function needsHealthPort(spec: JsonObject): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}
