import assert from 'node:assert/strict';
import { Config } from '../../src/config/config.ts';
import { conversionPath, converters, reviewersOf } from '../../src/controller/admission.ts';
import { webhookFlags } from '../../src/controller/webhook-flags.ts';
import { suite } from '../support/suite.ts';
import { containerOf, type Manifest, manifest } from './manifests.ts';

const test = suite('deploy/webhooks');

type Rule = {
  readonly apiGroups: string[];
  readonly apiVersions: string[];
  readonly resources: string[];
  readonly operations: string[];
};
type Webhook = {
  readonly name: string;
  readonly clientConfig: {
    readonly service: { readonly namespace: string; readonly name: string; readonly path: string };
  };
  readonly rules: readonly Rule[];
  readonly failurePolicy: string;
};

const known = { isSynced: true, resources: () => ({ pools: [], l2Advertisements: [] }), nodes: () => [] };
const reviewers = reviewersOf({ namespace: '', loadBalancerClass: '', known, config: () => Config.empty });
const { webhooks } = manifest('ValidatingWebhookConfiguration', 'metallb-webhook-configuration') as Manifest & {
  readonly webhooks: readonly Webhook[];
};

test('all that is reviewed is asked for, and nothing else', () => {
  const paths = new Set(webhooks.map(({ clientConfig }) => clientConfig.service.path));
  assert.deepEqual([...paths].sort(), Object.keys(reviewers).sort());
  assert.deepEqual(Object.keys(converters), [conversionPath]);
});

for (const { name, clientConfig, rules, failurePolicy } of webhooks) {
  test(`${name} asks for what its path reviews, by the Service that there is`, () => {
    const { path, ...service } = clientConfig.service;
    assert.equal(rules.length, 1);
    const { apiGroups, apiVersions, resources, operations } = rules[0]!;
    const group = apiGroups[0] === '' ? '' : `${apiGroups[0]!.replaceAll('.', '-')}-`;
    const [, singular] = /-([a-z0-9]+)$/.exec(path)!;
    assert.equal(path, `/validate-${group}${apiVersions[0]}-${singular}`);
    assert.ok([`${singular}s`, `${singular!.slice(0, -1)}ies`].includes(resources[0]!), resources[0]);
    assert.deepEqual(service, { namespace: 'metallb-system', name: webhookFlags['cert-service-name'].default });
    // What changes the configuration is judged, or not written; the rest has to go on while no controller answers.
    const mayPass = resources[0] === 'services' || operations.includes('DELETE');
    assert.equal(failurePolicy, mayPass ? 'Ignore' : 'Fail');
  });
}

test('the Service leads to the port of the controller, ready or not', () => {
  const service = manifest('Service', webhookFlags['cert-service-name'].default) as unknown as {
    readonly spec: {
      readonly selector: object;
      readonly publishNotReadyAddresses: boolean;
      readonly ports: readonly { readonly port: number; readonly targetPort: string }[];
    };
  };
  const controller = manifest('Deployment', 'garpoon-controller');
  assert.deepEqual(service.spec.selector, controller.spec!.selector.matchLabels);
  assert.equal(service.spec.publishNotReadyAddresses, true);
  assert.deepEqual(
    service.spec.ports.map(({ port, targetPort }) => [port, targetPort]),
    [[443, 'webhooks']],
  );
  const port = containerOf(controller).ports.find(({ name }) => name === 'webhooks');
  assert.equal(String(port?.containerPort), webhookFlags['webhook-port'].default);
});
