import assert from 'node:assert/strict';
import type { CustomResourceDefinition, ValidatingWebhookConfiguration } from '../../src/kubernetes/core.ts';
import {
  customResourceDefinitions,
  secrets,
  services,
  validatingWebhookConfigurations,
} from '../../src/kubernetes/resource.ts';
import { WebhookRegistration } from '../../src/kubernetes/webhook-registration.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { TestCertificate, TestWebhooks } from '../support/webhooks.ts';

const test = suite('kubernetes/webhook-registration');

const configuration = 'metallb-webhook-configuration';
const definition = 'docks.harbour.example';

class World {
  readonly cluster: TestCluster;
  readonly certificate = new TestCertificate();
  readonly log = new RecordedLog();
  readonly registration: WebhookRegistration;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.registration = new WebhookRegistration({
      client: cluster.newClient(),
      configurations: [configuration],
      definitions: [definition],
      certificates: this.certificate,
      clock: systemClock,
      random: impatient,
      log: this.log,
    });
  }

  get bundle(): string {
    return Buffer.from(this.certificate.current().caBundle).toString('base64');
  }

  async putConfiguration(port = 1): Promise<void> {
    const webhook = (name: string, path: string) => ({
      name: `${name}.metallb.io`,
      clientConfig: { url: `https://localhost:${port}${path}` },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: [name] }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    });
    const webhooks = [webhook('services', '/service'), webhook('pods', '/pod')];
    await this.cluster.put(validatingWebhookConfigurations, { metadata: { name: configuration }, webhooks });
  }

  async putDefinition(conversion: object): Promise<void> {
    const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } };
    const names = { kind: 'Dock', plural: 'docks' };
    const spec = { group: 'harbour.example', scope: 'Namespaced', names, versions: [version], conversion };
    await this.cluster.put(customResourceDefinitions, {
      metadata: { name: definition },
      spec,
    } as CustomResourceDefinition);
  }

  async bundles(): Promise<readonly (string | undefined)[]> {
    const { client } = this.cluster;
    const validating = await client.get(validatingWebhookConfigurations, configuration);
    const crd = await client.get(customResourceDefinitions, definition);
    const converting = crd?.spec.conversion?.webhook?.clientConfig;
    return [...(validating?.webhooks ?? []).map(({ clientConfig }) => clientConfig.caBundle), converting?.caBundle];
  }

  async registered(): Promise<void> {
    await eventually('every place has the bundle', async () => {
      const bundles = await this.bundles();
      return bundles.length === 3 && bundles.every((bundle) => bundle === this.bundle);
    });
  }
}

const byWebhook = {
  strategy: 'Webhook',
  webhook: { clientConfig: { url: 'https://localhost:1/convert' }, conversionReviewVersions: ['v1'] },
};

function inWorld(run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start();
    const world = new World(cluster);
    try {
      await run(world);
    } finally {
      await world.registration.stop();
      await cluster.stop();
    }
  };
}

test(
  'the bundle is put everywhere, and nothing else is changed',
  inWorld(async (world) => {
    await world.putConfiguration();
    await world.putDefinition(byWebhook);
    const before = await world.cluster.client.get(validatingWebhookConfigurations, configuration);
    world.registration.start();
    await world.registered();
    const after = await world.cluster.client.get(validatingWebhookConfigurations, configuration);
    const without = (of: ValidatingWebhookConfiguration | undefined) =>
      of?.webhooks?.map(({ clientConfig: { caBundle: _, ...clientConfig }, ...rest }) => ({ ...rest, clientConfig }));
    assert.deepEqual(without(after), without(before));
    assert.deepEqual(await world.cluster.client.get(secrets, `${system}/none`), undefined);
  }),
);

test(
  'what is installed later gets it, too',
  inWorld(async (world) => {
    world.registration.start();
    await eventually('there is nothing to do', () => world.registration.carries('any'));
    await world.putConfiguration();
    await world.putDefinition(byWebhook);
    await world.registered();
  }),
);

test(
  'another bundle follows at once',
  inWorld(async (world) => {
    await world.putConfiguration();
    await world.putDefinition(byWebhook);
    world.registration.start();
    await world.registered();
    const old = world.certificate.current().caBundle;
    await eventually('that is known', () => world.registration.carries(old));
    world.certificate.replace();
    assert.ok(!world.registration.carries(world.certificate.current().caBundle));
    await world.registered();
    await eventually('that is known', () => world.registration.carries(world.certificate.current().caBundle));
    assert.ok(!world.registration.carries(old));
  }),
);

test(
  'what somebody else changes is put right',
  inWorld(async (world) => {
    await world.putConfiguration();
    await world.putDefinition(byWebhook);
    world.registration.start();
    await world.registered();
    await world.putConfiguration();
    await world.registered();
    await world.cluster.client.delete(customResourceDefinitions, definition);
    await world.putDefinition(byWebhook);
    await world.registered();
  }),
);

test(
  'somebody who keeps changing it is not fought for ever, but told of',
  inWorld(async (world) => {
    await world.putConfiguration();
    await world.putDefinition(byWebhook);
    world.registration.start();
    await world.registered();
    const told = () => world.log.of('webhook registration keeps being changed').length;
    for (let i = 0; i < 20 && told() === 0; i++) {
      await world.putConfiguration();
      await eventually(
        'it is put right, or told of',
        async () => told() > 0 || (await world.bundles())[0] === world.bundle,
      );
    }
    assert.equal(told(), 1);
    assert.equal(world.log.of('webhook registered').filter(({ repaired }) => repaired === true).length, 5);
  }),
);

test(
  'a definition without a conversion webhook is left alone',
  inWorld(async (world) => {
    await world.putConfiguration();
    await world.putDefinition({ strategy: 'None' });
    world.registration.start();
    await eventually('the configuration has it', async () => (await world.bundles())[0] === world.bundle);
    await eventually('and that is all', () => world.registration.carries(world.certificate.current().caBundle));
    assert.equal((await world.bundles())[2], undefined);
  }),
);

test(
  'from nothing to a refusal in words: certificate, registration, webhook',
  inWorld(async (world) => {
    const message = 'web: metadata.annotations[metallb.io/address-pool] is "nowhere": name a pool that exists';
    const { certificate } = world;
    const reviewers = { '/service': () => ({ allowed: false, message, warnings: ['look at the pools'] }) };
    const webhooks = await TestWebhooks.start({ reviewers }, certificate);
    try {
      await world.putConfiguration(webhooks.port);
      await assert.rejects(world.cluster.service('web'), /failed calling webhook "services.metallb.io": .*certificate/);
      world.registration.start();
      await eventually('the configuration has the bundle', async () => (await world.bundles())[0] === world.bundle);
      const denied = `403 Forbidden admission webhook "services.metallb.io" denied the request: ${message}`;
      await assert.rejects(world.cluster.service('web'), { message: `create services default/web: ${denied}` });
      // A new certificate is served before the API server knows its authority only when everything is made anew.
      certificate.replace();
      await eventually('the new one is known', async () => (await world.bundles())[0] === world.bundle);
      await assert.rejects(world.cluster.service('web'), { message: `create services default/web: ${denied}` });
      assert.deepEqual((await world.cluster.client.list(services)).items, []);
    } finally {
      await webhooks.stop();
    }
  }),
);
