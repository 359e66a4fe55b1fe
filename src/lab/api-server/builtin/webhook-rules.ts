import { duplicate, type FieldError, invalid, notSupported, required } from '../field-error.ts';
import {
  type ApiObject,
  child,
  fill,
  isObject,
  type JsonObject,
  numberAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Rules } from '../kind.ts';
import { validateName } from '../metadata.ts';

/** Defaults and validation of ValidatingWebhookConfigurations and MutatingWebhookConfigurations. */
export const webhookConfigurationRules: Rules = {
  complete(configuration) {
    for (const webhook of objectsAt(configuration, 'webhooks')) {
      fill(webhook, 'failurePolicy', 'Fail');
      fill(webhook, 'matchPolicy', 'Equivalent');
      fill(webhook, 'timeoutSeconds', 10);
      fill(webhook, 'namespaceSelector', {});
      fill(webhook, 'objectSelector', {});
      if (configuration.kind === 'MutatingWebhookConfiguration') fill(webhook, 'reinvocationPolicy', 'Never');
      for (const rule of objectsAt(webhook, 'rules')) fill(rule, 'scope', '*');
      completeClientConfig(child(webhook, 'clientConfig'));
    }
  },
  validate(configuration: ApiObject): FieldError[] {
    const webhooks = objectsAt(configuration, 'webhooks');
    const names = webhooks.map((webhook) => stringAt(webhook, 'name'));
    return webhooks.flatMap((webhook, i) => [
      ...(names.indexOf(names[i] ?? '') < i ? [duplicate(`webhooks[${i}].name`, names[i] ?? '')] : []),
      ...validateWebhook(webhook, `webhooks[${i}]`),
    ]);
  },
};

export function completeClientConfig(clientConfig: JsonObject): void {
  if (isObject(clientConfig.service)) fill(clientConfig.service, 'port', 443);
}

export function validateClientConfig(clientConfig: JsonObject, path: string): FieldError[] {
  const { url, service } = clientConfig;
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  if (!isObject(service)) return validateUrl(String(url), `${path}.url`);
  return ['name', 'namespace']
    .filter((key) => stringAt(service, key) === '')
    .map((key) => required(`${path}.service.${key}`, `service ${key} is required`));
}

/** `why` is said where there is none. */
export function validateReviewVersions(versions: readonly string[], path: string, why = ''): FieldError[] {
  if (versions.length === 0) return [required(path, why)];
  const isKnown = versions.includes('v1') || versions.includes('v1beta1');
  return isKnown ? [] : [invalid(path, [...versions], 'must include at least one of v1, v1beta1')];
}

function validateUrl(url: string, path: string): FieldError[] {
  const form = 'desired format: https://host[/path]';
  if (!URL.canParse(url)) {
    const why = ["'https' is the only allowed URL scheme", 'host must be specified'];
    return why.map((text) => invalid(path, '', `${text}; ${form}`));
  }
  const { protocol, search } = new URL(url);
  if (protocol !== 'https:')
    return [invalid(path, protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`)];
  return search === '' ? [] : [invalid(path, search.slice(1), 'query parameters are not permitted in the URL')];
}

function validateWebhook(webhook: JsonObject, path: string): FieldError[] {
  const name = stringAt(webhook, 'name');
  const errors: FieldError[] = [];
  if (name === '') errors.push(required(`${path}.name`));
  else {
    errors.push(...validateName(`${path}.name`, name, 'subdomain'));
    if (name.split('.').length < 3) {
      errors.push(invalid(`${path}.name`, name, 'should be a domain with at least three segments separated by dots'));
    }
  }
  errors.push(...validateOneOf(webhook, path, 'failurePolicy', ['Fail', 'Ignore']));
  errors.push(...validateOneOf(webhook, path, 'matchPolicy', ['Equivalent', 'Exact']));
  if (webhook.sideEffects === undefined) {
    errors.push(required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun'));
  } else errors.push(...validateOneOf(webhook, path, 'sideEffects', ['None', 'NoneOnDryRun']));
  const versions = stringsAt(webhook, 'admissionReviewVersions');
  errors.push(
    ...validateReviewVersions(versions, `${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1'),
  );
  const seconds = numberAt(webhook, 'timeoutSeconds') ?? 10;
  if (seconds < 1 || seconds > 30) {
    errors.push(invalid(`${path}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds'));
  }
  for (const [i, rule] of objectsAt(webhook, 'rules').entries()) {
    const missing = ['operations', 'apiGroups', 'apiVersions', 'resources'].filter(
      (key) => stringsAt(rule, key).length === 0,
    );
    errors.push(...missing.map((key) => required(`${path}.rules[${i}].${key}`)));
  }
  return [...errors, ...validateClientConfig(child(webhook, 'clientConfig'), `${path}.clientConfig`)];
}

function validateOneOf(webhook: JsonObject, path: string, key: string, values: readonly string[]): FieldError[] {
  const value = stringAt(webhook, key);
  return values.includes(value) ? [] : [notSupported(`${path}.${key}`, value, values)];
}
