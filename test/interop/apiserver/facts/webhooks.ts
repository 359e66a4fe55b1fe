import assert from 'node:assert/strict';
import type { Reviewer } from '../../../../src/kubernetes/admission-review.ts';
import type { Converter } from '../../../../src/kubernetes/conversion-review.ts';
import type { JsonObject } from '../../../../src/lab/api-server/json.ts';
import { type Body, configMap } from '../../../lab/api-server/test-api.ts';
import { eventually } from '../../../support/suite.ts';
import { TestWebhooks } from '../../../support/webhooks.ts';
import { causesOf, type Fact, fact, type Scene } from './fact.ts';

const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** The product's own webhook server, with certificates of its own making: a real API server takes both. */
async function withWebhooks(
  { reviewers = {}, converters = {} }: { reviewers?: Record<string, Reviewer>; converters?: Record<string, Converter> },
  run: (clientConfig: (path: string) => JsonObject) => Promise<void>,
): Promise<void> {
  const webhooks = await TestWebhooks.start({ reviewers, converters });
  const { caBundle } = webhooks;
  try {
    await run((path) => ({ url: `https://localhost:${webhooks.port}${path}`, caBundle }));
  } finally {
    await webhooks.stop();
  }
}

/** A configuration for the config maps of this scene; in force when a probe is refused, and gone afterwards. */
async function underReview(
  { api, namespace, configMaps }: Scene,
  reviewer: Reviewer,
  run: () => Promise<void>,
  changes: JsonObject = {},
): Promise<void> {
  const name = `review-${namespace}`;
  const probed: Reviewer = (request) =>
    request.name === 'probe' ? { allowed: false, message: 'probe' } : reviewer(request);
  await withWebhooks({ reviewers: { '/review': probed } }, async (clientConfig) => {
    const { code, body } = await api.post(configurations, {
      metadata: { name },
      webhooks: [{ ...webhook(namespace), clientConfig: clientConfig('/review'), ...changes }],
    });
    assert.equal(code, 201, body.message);
    try {
      await eventually(
        'the webhook is asked',
        async () => (await api.post(configMaps, configMap('probe'))).code >= 400,
      );
      await run();
    } finally {
      await api.delete(`${configurations}/${name}`);
    }
  });
}

function webhook(namespace: string): JsonObject {
  return {
    name: 'review.harbour.example',
    clientConfig: { url: 'https://localhost:1/' },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  };
}

const denied = 'admission webhook "review.harbour.example" denied the request: too deep';

const wrong: readonly (readonly [name: string, changes: JsonObject, causes: readonly string[]])[] = [
  [
    'with a short name',
    { name: 'a.b' },
    ['name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'],
  ],
  [
    'without side effects',
    { sideEffects: undefined },
    ['sideEffects: Required value: must specify one of None, NoneOnDryRun'],
  ],
  [
    'without a version of reviews',
    { admissionReviewVersions: [] },
    ['admissionReviewVersions: Required value: must specify one of v1, v1beta1'],
  ],
  [
    'with a long timeout',
    { timeoutSeconds: 31 },
    ['timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
  ],
  [
    'that is nowhere',
    { clientConfig: {} },
    ['clientConfig: Required value: exactly one of url or service is required'],
  ],
  [
    'over plain HTTP',
    { clientConfig: { url: 'http://a' } },
    [
      'clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
    ],
  ],
];

export const webhookFacts: readonly Fact[] = [
  ...wrong.map(([name, changes, causes]) =>
    fact(`a webhook ${name} is refused`, async ({ api, namespace }) => {
      const webhooks = [{ ...webhook(namespace), ...changes }];
      const { code, body } = await api.post(configurations, { metadata: { name: `wrong-${namespace}` }, webhooks });
      assert.equal(code, 422);
      assert.deepEqual(
        causesOf(body),
        causes.map((cause) => `webhooks[0].${cause}`),
      );
    }),
  ),

  fact('a webhook’s refusal is the client’s, with code, reason and text, and changes nothing', async (scene) => {
    const { api, configMaps } = scene;
    await api.post(configMaps, configMap('a', { x: '1' }));
    await underReview(
      scene,
      () => ({ allowed: false, message: 'too deep' }),
      async () => {
        for (const { code, body } of [
          await api.post(configMaps, configMap('b')),
          await api.post(configMaps, configMap('a')),
          await api.post(`${configMaps}?dryRun=All`, configMap('b')),
          await api.merge(`${configMaps}/a`, { data: { x: '2' } }),
          await api.merge(`${configMaps}/a`, { data: { x: '1' } }),
          await api.apply(`${configMaps}/c`, 'm', configMap('c')),
          await api.delete(`${configMaps}/a`),
        ]) {
          assert.deepEqual([code, body.reason, body.message, body.details], [403, 'Forbidden', denied, undefined]);
        }
        assert.equal((await api.post(configMaps, configMap('B_'))).code, 422, 'an object is checked first');
        assert.equal((await api.delete(`${configMaps}/zz`)).code, 404);
      },
    );
    assert.deepEqual((await api.get(`${configMaps}/a`)).body.data, { x: '1' });
  }),

  fact('a webhook is shown the object as it will be and as it is', async (scene) => {
    const { api, configMaps } = scene;
    await api.post(configMaps, configMap('a', { x: '1' }));
    const seen: Body[] = [];
    const record: Reviewer = ({ operation, object, oldObject }) => {
      const shown = (one: Body) => one && { data: one.data, has: Object.keys(one.metadata).sort().join() };
      seen.push([operation, shown(object), shown(oldObject)]);
      return { allowed: false };
    };
    const known = 'creationTimestamp,managedFields,name,namespace,resourceVersion,uid';
    await underReview(scene, record, async () => {
      await api.post(configMaps, configMap('b', { x: '3' }));
      await api.merge(`${configMaps}/a`, { data: { x: '2' } });
      await api.delete(`${configMaps}/a`);
    });
    assert.deepEqual(seen, [
      ['CREATE', { data: { x: '3' }, has: known.replace('resourceVersion,', '') }, undefined],
      ['UPDATE', { data: { x: '2' }, has: known }, { data: { x: '1' }, has: known }],
      ['DELETE', undefined, { data: { x: '1' }, has: known }],
    ]);
  }),

  fact('warnings are headers, in UTF-8', async (scene) => {
    await underReview(
      scene,
      () => ({ allowed: true, warnings: ['mind "the" gap', 'Tür…'] }),
      async () => {
        const { headers } = await scene.api.post(scene.configMaps, configMap('a'));
        const text = Buffer.from(String(headers.warning), 'latin1').toString();
        assert.equal(text, '299 - "mind \\"the\\" gap", 299 - "Tür…"');
      },
    );
  }),

  fact('a webhook that fails fails the write', async (scene) => {
    const fails: Reviewer = () => {
      throw new Error('out of order');
    };
    await underReview(scene, fails, async () => {
      const { code, body } = await scene.api.post(scene.configMaps, configMap('a'));
      assert.equal(code, 500);
      const why =
        'an error on the server ("the review failed: out of order") has prevented the request from succeeding';
      const failed = `failed calling webhook "review.harbour.example": failed to call webhook: ${why}`;
      assert.equal(body.message, `Internal error occurred: ${failed}`);
      assert.deepEqual(body.details, { causes: [{ message: failed }] });
    });
  }),

  fact('a custom resource is converted by its webhook, both ways', async ({ api, namespace }) => {
    const convert: Converter = (object, apiVersion) => {
      const { spec = {} } = object as { spec?: { length?: number; metres?: string } };
      const old = apiVersion.endsWith('/v1');
      return {
        object: {
          ...object,
          apiVersion,
          spec: old ? { length: Number(spec.metres) } : { metres: `${spec.length}` },
        } as never,
      };
    };
    const group = `${namespace}.example`;
    const path = (version: string) => `/apis/${group}/${version}/namespaces/${namespace}/piers`;
    await withWebhooks({ converters: { '/convert': convert } }, async (clientConfig) => {
      const made = await api.post(definitions, pierDefinition(group, clientConfig('/convert')));
      assert.equal(made.code, 201, made.body.message);
      await eventually('both versions are served', async () => {
        const codes = [(await api.get(path('v1'))).code, (await api.get(path('v2'))).code];
        return codes.every((code) => code === 200);
      });
      const pier = { apiVersion: `${group}/v1`, kind: 'Pier', metadata: { name: 'a' }, spec: { length: 12 } };
      const created = await api.post(path('v1'), pier);
      assert.deepEqual([created.code, created.body.spec], [201, { length: 12 }]);
      assert.equal(created.headers.warning, `299 - "${group}/v1 Pier is deprecated; use ${group}/v2 Pier"`);
      const newer = (await api.get(`${path('v2')}/a`)).body;
      assert.deepEqual([newer.apiVersion, newer.spec], [`${group}/v2`, { metres: '12', lit: true }]);
      assert.deepEqual((await api.merge(`${path('v1')}/a`, { spec: { length: 13 } })).body.spec, { length: 13 });
      const [item] = (await api.get(path('v1'))).body.items;
      assert.deepEqual([item.apiVersion, item.spec, item.metadata.generation], [`${group}/v1`, { length: 13 }, 2]);
    });
    const { code, body } = await api.get(`${path('v1')}/a`);
    assert.equal(code, 500);
    assert.match(
      body.message,
      new RegExp(`^conversion webhook for ${group}/v2, Kind=Pier failed: Post "https://localhost:`),
    );
    assert.equal((await api.get(`${path('v2')}/a`)).code, 200);
    await api.delete(`${definitions}/piers.${group}`);
  }),
];

function pierDefinition(group: string, clientConfig: JsonObject): JsonObject {
  const schema = (properties: JsonObject) => ({
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } },
  });
  return {
    metadata: { name: `piers.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind: 'Pier', plural: 'piers' },
      conversion: { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } },
      versions: [
        { name: 'v1', served: true, storage: false, deprecated: true, schema: schema({ length: { type: 'integer' } }) },
        {
          name: 'v2',
          served: true,
          storage: true,
          schema: schema({ metres: { type: 'string' }, lit: { type: 'boolean', default: true } }),
        },
      ],
    },
  };
}
