import { parseAddress } from '../../../ip/address.ts';
import { parsePrefix } from '../../../ip/prefix.ts';
import { rangeHas } from '../../../ip/range.ts';
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { type ApiObject, equal, type JsonObject, numberAt, objectAt, objectsAt, stringAt, stringsAt } from '../json.ts';
import type { Rules } from '../kind.ts';
import { validateName } from '../metadata.ts';
import { nodePortsOf, type Taken } from './service-allocations.ts';
import { completeService, nodePortKey, nodePorts, type ServiceNetwork } from './service-defaults.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];
const maxPort = 65_535;
const notAnAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

/** Defaults and validation of Services. */
export function serviceRules(network: ServiceNetwork): Rules {
  return {
    complete: (service, before) => completeService(service, before, network),
    validate: (service, before) => [
      ...validateType(service),
      ...validatePorts(service),
      ...validateNodePorts(service, before, network),
      ...validateAddresses(service, before, network),
      ...validateExternal(objectAt(service, 'spec')),
      ...validateStatus(service),
      ...(before === undefined ? [] : validateUpdate(service, before)),
    ],
  };
}

function validateType(service: ApiObject): FieldError[] {
  const spec = objectAt(service, 'spec');
  const errors: FieldError[] = [];
  const type = stringAt(spec, 'type');
  if (!types.includes(type)) errors.push(notSupported('spec.type', type, types));
  if (type === 'ExternalName' && stringAt(spec, 'externalName') === '') errors.push(required('spec.externalName'));
  const affinity = stringAt(spec, 'sessionAffinity');
  if (!['ClientIP', 'None'].includes(affinity)) {
    errors.push(notSupported('spec.sessionAffinity', affinity, ['ClientIP', 'None']));
  }
  return errors;
}

function validatePorts(service: ApiObject): FieldError[] {
  const spec = objectAt(service, 'spec');
  const ports = objectsAt(spec, 'ports');
  if (ports.length === 0) {
    return stringAt(spec, 'clusterIP') === 'None' || spec.type === 'ExternalName' ? [] : [required('spec.ports')];
  }
  const names = ports.map((port) => stringAt(port, 'name'));
  const identities = ports.map((port) => `${port.protocol}/${port.port}`);
  return ports.flatMap((port, i) => {
    const path = `spec.ports[${i}]`;
    const errors = validatePort(port, path);
    const name = names[i] ?? '';
    if (name === '' && ports.length > 1) errors.push(required(`${path}.name`));
    if (name !== '') errors.push(...validateName(`${path}.name`, name, 'label'));
    if (name !== '' && names.indexOf(name) < i) errors.push(duplicate(`${path}.name`, name));
    if (identities.indexOf(identities[i] ?? '') < i) {
      errors.push(duplicate(path, asTheRealServerShows(port)));
    }
    return errors;
  });
}

/** Its own structure, with what makes ports the same and zeros for the rest. */
function asTheRealServerShows({ protocol = '', port = 0 }: JsonObject): JsonObject {
  return { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
}

function validatePort(port: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const isPort = (value: number) => value >= 1 && value <= maxPort;
  const range = `must be between 1 and ${maxPort}, inclusive`;
  const number = numberAt(port, 'port') ?? 0;
  if (!isPort(number)) errors.push(invalid(`${path}.port`, number, range));
  const protocol = stringAt(port, 'protocol');
  if (!protocols.includes(protocol)) errors.push(notSupported(`${path}.protocol`, protocol, protocols));
  const target = port.targetPort;
  if (typeof target === 'number' && !isPort(target)) errors.push(invalid(`${path}.targetPort`, target, range));
  if (typeof target === 'string' && !/^(?!-)(?=.*[a-z])[a-z0-9-]{1,15}(?<!-)$/.test(target)) {
    errors.push(
      invalid(`${path}.targetPort`, target, 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'),
    );
  }
  return errors;
}

function validateNodePorts(service: ApiObject, before: ApiObject | undefined, network: ServiceNetwork): FieldError[] {
  const spec = objectAt(service, 'spec');
  const held = before === undefined ? [] : nodePortsOf(before);
  const isNew = nodePortsOf(service).some((port) => !held.includes(port));
  const taken: Taken = isNew ? network.allocations.takenByOthers(service) : new Set<string>();
  return objectsAt(spec, 'ports').flatMap((port, i) => {
    const nodePort = numberAt(port, 'nodePort');
    if (nodePort === undefined) return [];
    const path = `spec.ports[${i}].nodePort`;
    if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') {
      return [forbidden(path, "may not be used when `type` is 'ClusterIP'")];
    }
    if (nodePort < nodePorts.first || nodePort > nodePorts.last) {
      const range = `${nodePorts.first}-${nodePorts.last}`;
      return [invalid(path, nodePort, `provided port is not in the valid range. The range of valid ports is ${range}`)];
    }
    return taken.has(nodePortKey(port)) ? [invalid(path, nodePort, 'provided port is already allocated')] : [];
  });
}

function validateAddresses(service: ApiObject, before: ApiObject | undefined, network: ServiceNetwork): FieldError[] {
  const spec = objectAt(service, 'spec');
  if (spec.type === 'ExternalName') return [];
  const errors: FieldError[] = [];
  const policy = stringAt(spec, 'ipFamilyPolicy');
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  if (!policies.includes(policy)) errors.push(notSupported('spec.ipFamilyPolicy', policy, policies));
  if (policy === 'RequireDualStack' && network.ranges.length < 2) {
    const why = 'this cluster is not configured for dual-stack services';
    errors.push(invalid('spec.ipFamilyPolicy', policy, why));
  }
  for (const [i, family] of stringsAt(spec, 'ipFamilies').entries()) {
    const configured = network.ranges.some((range) => `IPv${range.family}` === family);
    const why = `not configured on this cluster`;
    if (!configured) errors.push(invalid(`spec.ipFamilies[${i}]`, family, why));
  }
  const addresses = stringsAt(spec, 'clusterIPs');
  const held = stringsAt(before, 'spec', 'clusterIPs');
  const isNew = addresses.some((text) => text !== 'None' && !held.includes(text));
  const taken: Taken = isNew ? network.allocations.takenByOthers(service) : new Set<string>();
  if (addresses.length === 0) {
    errors.push(invalid('spec.clusterIPs', [], 'failed to allocate a serviceIP: range is full'));
  }
  for (const text of addresses) {
    if (text === 'None') continue;
    const address = parseAddress(text);
    const refuse = (why: string) =>
      errors.push(invalid('spec.clusterIPs', addresses, `failed to allocate IP ${text}: ${why}`));
    if (address === undefined) errors.push(invalid('spec.clusterIPs[0]', text, notAnAddress));
    else if (!network.ranges.some((range) => rangeHas(range, address))) {
      refuse('the provided network does not match the current range');
    } else if (taken.has(text)) refuse('provided IP is already allocated');
  }
  return errors;
}

/** What concerns traffic from outside the cluster. */
function validateExternal(spec: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const policy = stringAt(spec, 'externalTrafficPolicy');
  if (policy !== '' && !external && stringsAt(spec, 'externalIPs').length === 0) {
    errors.push(invalid('spec.externalTrafficPolicy', policy, 'may only be set for externally-accessible services'));
  } else if (policy !== '' && policy !== 'Cluster' && policy !== 'Local') {
    errors.push(notSupported('spec.externalTrafficPolicy', policy, ['Cluster', 'Local']));
  }
  const internal = stringAt(spec, 'internalTrafficPolicy');
  if (internal !== '' && internal !== 'Cluster' && internal !== 'Local') {
    errors.push(notSupported('spec.internalTrafficPolicy', internal, ['Cluster', 'Local']));
  }
  for (const key of ['loadBalancerClass', 'allocateLoadBalancerNodePorts']) {
    const used = spec[key] !== undefined && spec[key] !== null;
    if (used && spec.type !== 'LoadBalancer') {
      errors.push(forbidden(`spec.${key}`, "may only be used when `type` is 'LoadBalancer'"));
    }
  }
  const health = numberAt(spec, 'healthCheckNodePort') ?? 0;
  if (health !== 0 && (spec.type !== 'LoadBalancer' || policy !== 'Local')) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalid('spec.healthCheckNodePort', health, why));
  }
  for (const [i, text] of stringsAt(spec, 'loadBalancerSourceRanges').entries()) {
    if (typeof parsePrefix(text.trim()) === 'string') {
      errors.push(
        invalid(
          `spec.LoadBalancerSourceRanges[${i}]`, // so spelt by the real server
          text,
          'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        ),
      );
    }
  }
  return errors;
}

function validateStatus(service: ApiObject): FieldError[] {
  const path = 'status.loadBalancer.ingress';
  return objectsAt(service, 'status', 'loadBalancer', 'ingress').flatMap((ingress, i) => {
    const errors: FieldError[] = [];
    const ip = stringAt(ingress, 'ip');
    const mode = stringAt(ingress, 'ipMode');
    if (ip !== '' && parseAddress(ip) === undefined) errors.push(invalid(`${path}[${i}].ip`, ip, notAnAddress));
    if (mode !== '' && ip === '') {
      errors.push(forbidden(`${path}[${i}].ipMode`, 'may not be specified when `ip` is not set'));
    }
    if (mode !== '' && mode !== 'VIP' && mode !== 'Proxy') {
      errors.push(notSupported(`${path}[${i}].ipMode`, mode, ['Proxy', 'VIP']));
    }
    return errors;
  });
}

function validateUpdate(service: ApiObject, before: ApiObject): FieldError[] {
  const [spec, old] = [objectAt(service, 'spec'), objectAt(before, 'spec')];
  const errors: FieldError[] = [];
  const once = 'may not change once set';
  const [was, is] = [stringsAt(old, 'clusterIPs'), stringsAt(spec, 'clusterIPs')];
  const addressed = spec.type !== 'ExternalName' && old.type !== 'ExternalName';
  if (addressed && was[0] !== undefined && is[0] !== was[0]) errors.push(invalid('spec.clusterIPs[0]', is, once));
  if (addressed && was.length > 1 && is.length > 1 && was[1] !== is[1]) {
    errors.push(invalid('spec.clusterIPs[1]', is, once));
  }
  const families = stringsAt(old, 'ipFamilies');
  if (addressed && families[0] !== undefined && stringsAt(spec, 'ipFamilies')[0] !== families[0]) {
    errors.push(invalid('spec.ipFamilies[0]', stringsAt(spec, 'ipFamilies')[0] ?? '', once));
  }
  const both = spec.type === 'LoadBalancer' && old.type === 'LoadBalancer';
  if (both && !equal(spec.loadBalancerClass ?? null, old.loadBalancerClass ?? null)) {
    errors.push(invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? '', once));
  }
  return errors;
}
