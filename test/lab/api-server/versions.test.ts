import assert from 'node:assert/strict';
import type { Converter } from '../../../src/kubernetes/conversion-review.ts';
import type { JsonObject } from '../../../src/lab/api-server/json.ts';
import { eventually, suite } from '../../support/suite.ts';
import { TestWebhooks, webhookService } from '../../support/webhooks.ts';
import { berthDefinition, type Reply, TestApi } from './test-api.ts';

const test = suite('lab/api-server/versions');
const old = '/apis/harbour.example/v1alpha1/namespaces/default/berths';
const current = '/apis/harbour.example/v1beta1/namespaces/default/berths';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** v1alpha1 has one address in `address`; v1beta1, which is stored, has a list. */
const convert: Converter = (object, apiVersion) => {
  const { spec = {} } = object as { spec?: { address?: string; addresses?: string[] } };
  if (broken !== undefined) return { problem: broken };
  const [address] = spec.addresses ?? [];
  const converted = apiVersion.endsWith('v1alpha1') ? { address } : { addresses: [spec.address] };
  return { object: tamper({ ...object, apiVersion, spec: converted } as never) };
};

let broken: string | undefined;
let tamper: (object: never) => never;
let webhooks: TestWebhooks;
let api: TestApi;

test.before(async () => {
  webhooks = await TestWebhooks.start({ converters: { '/convert': convert } });
});
test.after(() => webhooks.stop());

test.before.each(async () => {
  broken = undefined;
  tamper = (object) => object;
  const key = `${webhookService.namespace}/${webhookService.name}`;
  const place = { host: '127.0.0.1', port: webhooks.port };
  api = await TestApi.start({ crds: [definition()], webhookServices: { [key]: place } });
});
test.after.each(() => api.close());

function definition(conversion: JsonObject = webhookConversion()): JsonObject {
  const copy = structuredClone(berthDefinition) as JsonObject & {
    spec: { versions: JsonObject[]; conversion: JsonObject };
  };
  const openAPIV3Schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { address: { type: 'string' } } } },
  };
  const alpha = { name: 'v1alpha1', served: true, storage: false, deprecated: true, schema: { openAPIV3Schema } };
  copy.spec.versions = [...copy.spec.versions.filter(({ storage }) => storage === true), alpha];
  copy.spec.conversion = conversion;
  return copy;
}

function webhookConversion(): JsonObject {
  const clientConfig = { service: { ...webhookService, path: '/convert' }, caBundle: webhooks.caBundle };
  return { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } };
}

function alpha(name: string, address: string): JsonObject {
  return { apiVersion: 'harbour.example/v1alpha1', kind: 'Berth', metadata: { name }, spec: { address } };
}

function specAndVersion({ body }: Reply): readonly unknown[] {
  return [body.apiVersion, body.spec];
}

const asAlpha = ['harbour.example/v1alpha1', { address: '192.0.2.0/24' }];
const asBeta = ['harbour.example/v1beta1', { addresses: ['192.0.2.0/24'], side: 'port', open: true }];

test('an object written in one version is read in every other', async () => {
  const created = await api.post(old, alpha('north', '192.0.2.0/24'));
  assert.equal(created.code, 201);
  assert.deepEqual(specAndVersion(created), asAlpha);
  assert.deepEqual(specAndVersion(await api.get(`${old}/north`)), asAlpha);
  const [, beta] = specAndVersion(await api.get(`${current}/north`));
  assert.deepEqual((beta as { addresses: unknown }).addresses, ['192.0.2.0/24']);
});

test('a patch in the old version is made to what that version shows', async () => {
  await api.post(current, {
    ...alpha('north', ''),
    apiVersion: 'harbour.example/v1beta1',
    spec: { addresses: ['192.0.2.0/24'] },
  });
  const patched = await api.merge(`${old}/north`, { spec: { address: '198.51.100.0/24' } });
  assert.deepEqual(specAndVersion(patched), ['harbour.example/v1alpha1', { address: '198.51.100.0/24' }]);
  assert.deepEqual((await api.get(`${current}/north`)).body.spec.addresses, ['198.51.100.0/24']);
});

test('a list and a watch show the version that was asked for, in order', async () => {
  for (const name of ['a', 'b', 'c']) await api.post(old, alpha(name, `192.0.2.${name.charCodeAt(0)}`));
  const { items } = (await api.get(old)).body;
  assert.deepEqual(
    items.map(({ apiVersion, spec }: { apiVersion: string; spec: object }) => [apiVersion, spec]),
    ['a', 'b', 'c'].map((name) => ['harbour.example/v1alpha1', { address: `192.0.2.${name.charCodeAt(0)}` }]),
  );
  const query = '&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  const watch = await api.watch(old, query);
  await eventually('the state is sent', () => watch.seen.length === 4);
  await api.post(old, alpha('d', '192.0.2.4'));
  await api.delete(`${current}/a`);
  await eventually('the changes are sent', () => watch.seen.length === 6);
  assert.deepEqual(watch.log, ['ADDED a', 'ADDED b', 'ADDED c', 'BOOKMARK', 'ADDED d', 'DELETED a']);
  assert.ok(watch.seen.every(({ object }) => object.apiVersion === 'harbour.example/v1alpha1'));
  await watch.stop();
});

test('what the conversion does not know is dropped by the schema of the version', async () => {
  await api.post(old, { ...alpha('north', '192.0.2.0/24'), spec: { address: '192.0.2.0/24', depth: 5 } });
  assert.deepEqual(specAndVersion(await api.get(`${old}/north`)), asAlpha);
});

test('a conversion that fails fails the request, and the other version is served on', async () => {
  await api.post(current, {
    ...alpha('north', ''),
    apiVersion: 'harbour.example/v1beta1',
    spec: { addresses: ['192.0.2.0/24'] },
  });
  broken = 'no such berth in the old harbour';
  for (const reply of [
    await api.get(`${old}/north`),
    await api.get(old),
    await api.post(old, alpha('south', '192.0.2.1')),
  ]) {
    assert.equal(reply.code, 500);
    assert.match(
      reply.body.message,
      /conversion webhook for harbour.example\/v1.*, Kind=Berth failed: Berth default\/.*no such berth/,
    );
  }
  assert.deepEqual(specAndVersion(await api.get(`${current}/north`)), asBeta);
  assert.equal((await api.get(`${current}/south`)).code, 404);
  const watch = await api.watch(old);
  await watch.ended;
  assert.deepEqual(watch.log, ['ERROR 500']);
});

for (const [what, change, message] of [
  ['the name', { name: 'other' }, /metadata.name: Invalid value: "other": field is immutable/],
  ['the uid', { uid: 'other' }, /metadata.uid: Invalid value/],
] as const) {
  test(`a conversion that changes ${what} is refused`, async () => {
    tamper = (object: { metadata: object }) => ({ ...object, metadata: { ...object.metadata, ...change } }) as never;
    const { code, body } = await api.post(old, alpha('north', '192.0.2.1'));
    assert.equal(code, 500);
    assert.match(body.message, message);
  });
}

test('labels and annotations may be converted, and no other metadata', async () => {
  tamper = (object: { metadata: object }) =>
    ({
      ...object,
      metadata: { ...object.metadata, labels: { a: 'b' }, annotations: { c: 'd' }, generation: 99 },
    }) as never;
  const { body } = await api.post(old, alpha('north', '192.0.2.1'));
  assert.deepEqual(
    [body.metadata.labels, body.metadata.annotations, body.metadata.generation],
    [{ a: 'b' }, { c: 'd' }, 1],
  );
});

test('a deprecated version warns whoever uses it', async () => {
  assert.equal(
    (await api.get(old)).headers.get('warning'),
    '299 - "harbour.example/v1alpha1 Berth is deprecated; use harbour.example/v1beta1 Berth"',
  );
  assert.equal((await api.get(current)).headers.get('warning'), null);
});

test('without a webhook versions differ in name alone', async () => {
  const plain = await TestApi.start({ crds: [definition({ strategy: 'None' })] });
  await plain.post(old, alpha('north', '192.0.2.0/24'));
  assert.equal((await plain.get(`${current}/north`)).body.apiVersion, 'harbour.example/v1beta1');
  await plain.close();
});

test('a version that is not served is not there, and one that is stored alone is', async () => {
  const changed = definition() as unknown as { spec: { versions: { served: boolean }[] } };
  changed.spec.versions[0]!.served = false;
  const plain = await TestApi.start({ crds: [changed] });
  assert.equal((await plain.get(current)).code, 404);
  assert.equal((await plain.get(old)).code, 200);
  const { body } = await plain.get('/apis/harbour.example');
  assert.deepEqual(
    body.versions.map(({ version }: { version: string }) => version),
    ['v1alpha1'],
  );
  await plain.close();
});

for (const [what, conversion, message] of [
  [
    'no webhook',
    { strategy: 'Webhook' },
    /webhookClientConfig: Required value: required when.*conversionReviewVersions: Required value/,
  ],
  [
    'a webhook that is not asked',
    { strategy: 'None', webhook: { clientConfig: { url: 'https://a' } } },
    /spec.conversion.webhookClientConfig: Forbidden: should not be set/,
  ],
  ['an unknown strategy', { strategy: 'Hope' }, /spec.conversion.strategy: Unsupported value: "Hope"/],
  [
    'an unknown review',
    { strategy: 'Webhook', webhook: { clientConfig: { url: 'https://a' }, conversionReviewVersions: ['v9'] } },
    /conversionReviewVersions: Invalid value/,
  ],
] as const) {
  test(`a definition with ${what} is refused`, async () => {
    const { code, body } = await api.put(`${definitions}/berths.harbour.example`, {
      ...(definition(conversion as object as JsonObject) as JsonObject),
    });
    assert.equal(code, 422);
    assert.match(body.message, message);
  });
}
