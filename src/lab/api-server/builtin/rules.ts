import { type FieldError, invalid, notSupported, required } from '../field-error.ts';
import {
  type ApiObject,
  child,
  clone,
  fill,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
} from '../json.ts';
import { noRules, type Rules } from '../kind.ts';
import { webhookConfigurationRules } from './webhook-rules.ts';

const maxEndpoints = 1000;

/** Defaults and validation by kind; Services have a file of their own. */
export const builtinRules: Readonly<Record<string, Rules>> = {
  Namespace: { ...noRules, complete: completeNamespace },
  Pod: { complete: completePod, validate: (pod) => validatePodSpec(objectAt(pod, 'spec'), 'spec') },
  Deployment: workloadRules(completeDeployment),
  ReplicaSet: workloadRules((object) => fill(child(object, 'spec'), 'replicas', 1)),
  DaemonSet: workloadRules(completeDaemonSet),
  EndpointSlice: { complete: completeSlice, validate: validateSlice },
  Endpoints: { ...noRules, complete: completeEndpoints },
  Lease: { ...noRules, validate: validateLease },
  Event: { complete: completeEvent, validate: validateEvent },
  Secret: { complete: completeSecret, validate: (secret) => validateBase64(secret, 'data') },
  ConfigMap: { ...noRules, validate: (map) => validateBase64(map, 'binaryData') },
  ValidatingWebhookConfiguration: webhookConfigurationRules,
  MutatingWebhookConfiguration: webhookConfigurationRules,
};

function completeNamespace(namespace: ApiObject, before: ApiObject | undefined): void {
  // The label is the server's own: it lets selectors name namespaces.
  child(namespace.metadata, 'labels')['kubernetes.io/metadata.name'] = namespace.metadata.name ?? '';
  // Its finalizers are not for writers to change: the deletion of a namespace ends when it is empty.
  namespace.spec = before === undefined ? { finalizers: ['kubernetes'] } : clone(objectAt(before, 'spec'));
  if (before !== undefined) return;
  namespace.status = { phase: 'Active' };
}

function completePod(pod: ApiObject): void {
  completePodSpec(child(pod, 'spec'));
  fill(child(pod, 'status'), 'phase', 'Pending');
}

function completePodSpec(spec: JsonObject): void {
  fill(spec, 'restartPolicy', 'Always');
  fill(spec, 'dnsPolicy', 'ClusterFirst');
  fill(spec, 'schedulerName', 'default-scheduler');
  fill(spec, 'terminationGracePeriodSeconds', 30);
  fill(spec, 'securityContext', {});
  for (const container of objectsAt(spec, 'containers')) {
    fill(container, 'imagePullPolicy', 'IfNotPresent');
    fill(container, 'terminationMessagePath', '/dev/termination-log');
    fill(container, 'terminationMessagePolicy', 'File');
    fill(container, 'resources', {});
    for (const port of objectsAt(container, 'ports')) fill(port, 'protocol', 'TCP');
  }
}

function validatePodSpec(spec: JsonObject, path: string): FieldError[] {
  const containers = objectsAt(spec, 'containers');
  if (containers.length === 0) return [required(`${path}.containers`)];
  return containers.flatMap((container, i) => {
    const errors = stringAt(container, 'name') === '' ? [required(`${path}.containers[${i}].name`)] : [];
    return stringAt(container, 'image') === '' ? [...errors, required(`${path}.containers[${i}].image`)] : errors;
  });
}

function completeDeployment(object: ApiObject): void {
  const spec = child(object, 'spec');
  fill(spec, 'replicas', 1);
  fill(spec, 'revisionHistoryLimit', 10);
  fill(spec, 'progressDeadlineSeconds', 600);
  const strategy = child(spec, 'strategy');
  fill(strategy, 'type', 'RollingUpdate');
  if (strategy.type === 'RollingUpdate') {
    fill(child(strategy, 'rollingUpdate'), 'maxUnavailable', '25%');
    fill(child(strategy, 'rollingUpdate'), 'maxSurge', '25%');
  }
}

function completeDaemonSet(object: ApiObject): void {
  const spec = child(object, 'spec');
  fill(spec, 'revisionHistoryLimit', 10);
  const strategy = child(spec, 'updateStrategy');
  fill(strategy, 'type', 'RollingUpdate');
  if (strategy.type === 'RollingUpdate') {
    fill(child(strategy, 'rollingUpdate'), 'maxUnavailable', 1);
    fill(child(strategy, 'rollingUpdate'), 'maxSurge', 0);
  }
}

function workloadRules(complete: (object: ApiObject) => void): Rules {
  return {
    complete(object) {
      complete(object);
      const template = child(child(object, 'spec'), 'template');
      completePodSpec(child(template, 'spec'));
    },
    validate(object) {
      const spec = objectAt(object, 'spec');
      const errors = validatePodSpec(objectAt(spec, 'template', 'spec'), 'spec.template.spec');
      const replicas = numberAt(spec, 'replicas') ?? 0;
      if (replicas < 0) errors.push(invalid('spec.replicas', replicas, 'must be greater than or equal to 0'));
      if (!isObject(spec.selector)) return [...errors, required('spec.selector')];
      const labels = objectAt(spec, 'template', 'metadata', 'labels');
      const wanted = Object.entries(objectAt(spec, 'selector', 'matchLabels'));
      if (wanted.every(([key, value]) => labels[key] === value)) return errors;
      return [
        ...errors,
        invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
      ];
    },
  };
}

function completeSlice(slice: ApiObject): void {
  fill(slice, 'endpoints', []);
  fill(slice, 'ports', []);
  for (const port of objectsAt(slice, 'ports')) {
    fill(port, 'name', '');
    fill(port, 'protocol', 'TCP');
  }
}

function validateSlice(slice: ApiObject, before: ApiObject | undefined): FieldError[] {
  const types = ['FQDN', 'IPv4', 'IPv6'];
  const type = stringAt(slice, 'addressType');
  const errors: FieldError[] = [];
  if (type === '') errors.push(required('addressType'));
  else if (!types.includes(type)) errors.push(notSupported('addressType', type, types));
  if (before !== undefined && type !== before.addressType) {
    errors.push(invalid('addressType', type, 'field is immutable'));
  }
  const endpoints = objectsAt(slice, 'endpoints');
  if (endpoints.length > maxEndpoints) {
    errors.push(invalid('endpoints', endpoints.length, `must have at most ${maxEndpoints} items`));
  }
  for (const [i, endpoint] of endpoints.entries()) {
    const addresses = endpoint.addresses;
    if (!Array.isArray(addresses) || addresses.length === 0) errors.push(required(`endpoints[${i}].addresses`));
  }
  return errors;
}

function completeEndpoints(endpoints: ApiObject): void {
  for (const subset of objectsAt(endpoints, 'subsets')) {
    for (const port of objectsAt(subset, 'ports')) fill(port, 'protocol', 'TCP');
  }
}

function validateLease(lease: ApiObject): FieldError[] {
  const spec = objectAt(lease, 'spec');
  const errors: FieldError[] = [];
  const duration = numberAt(spec, 'leaseDurationSeconds');
  if (duration !== undefined && duration <= 0) {
    errors.push(invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
  }
  const transitions = numberAt(spec, 'leaseTransitions');
  if (transitions !== undefined && transitions < 0) {
    errors.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
  }
  return errors;
}

function completeEvent(event: ApiObject): void {
  fill(event, 'reportingComponent', '');
  fill(event, 'reportingInstance', '');
  fill(event, 'source', {});
  fill(event, 'eventTime', null);
}

function validateEvent(event: ApiObject): FieldError[] {
  const namespace = stringAt(event, 'involvedObject', 'namespace') || 'default';
  if (namespace === event.metadata.namespace) return [];
  return [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

function completeSecret(secret: ApiObject): void {
  fill(secret, 'type', 'Opaque');
  const texts = Object.entries(objectAt(secret, 'stringData'));
  for (const [key, text] of texts) child(secret, 'data')[key] = Buffer.from(String(text)).toString('base64');
  delete secret.stringData;
}

function validateBase64(object: ApiObject, key: string): FieldError[] {
  return Object.entries(objectAt(object, key))
    .filter(([, text]) => !/^[A-Za-z0-9+/]*={0,2}$/.test(String(text)))
    .map(([name, text]) => invalid(`${key}[${name}]`, String(text), 'is not base64'));
}
