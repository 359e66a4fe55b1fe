import assert from 'node:assert/strict';
import { suite } from '../../support/suite.ts';
import { type Body, TestApi } from './test-api.ts';

const test = suite('lab/api-server/discovery');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

test('health is answered in plain text', async () => {
  for (const path of ['/healthz', '/livez', '/readyz', '/readyz/ping']) {
    const { code, body } = await api.get(path);
    assert.deepEqual([code, body], [200, 'ok'], path);
  }
});

test('groups and versions are listed, the preferred version first', async () => {
  assert.deepEqual((await api.get('/api')).body.versions, ['v1']);
  const { body } = await api.get('/apis');
  const groups = body.groups.map((group: Body) => `${group.name}:${group.versions.map((one: Body) => one.version)}`);
  assert.deepEqual(groups, [
    'admissionregistration.k8s.io:v1',
    'apiextensions.k8s.io:v1',
    'apps:v1',
    'authentication.k8s.io:v1',
    'authorization.k8s.io:v1',
    'coordination.k8s.io:v1',
    'discovery.k8s.io:v1',
    'harbour.example:v1beta1,v1alpha1',
    'rbac.authorization.k8s.io:v1',
  ]);
  assert.equal((await api.get('/apis/harbour.example')).body.preferredVersion.version, 'v1beta1');
});

test('resources are listed with their names and subresources', async () => {
  const find = (body: Body, name: string) => body.resources.find((resource: Body) => resource.name === name);
  const core = (await api.get('/api/v1')).body;
  const { shortNames, namespaced, kind, verbs } = find(core, 'services');
  assert.deepEqual([shortNames, namespaced, kind, verbs.includes('watch')], [['svc'], true, 'Service', true]);
  assert.equal(find(core, 'services/status').kind, 'Service');
  assert.equal(find(core, 'pods/eviction').group, 'policy');
  assert.equal(find((await api.get('/apis/apps/v1')).body, 'deployments/scale').kind, 'Scale');
  const custom = find((await api.get('/apis/harbour.example/v1beta1')).body, 'berths');
  assert.deepEqual([custom.singularName, custom.shortNames, custom.categories], ['berth', ['bt'], ['harbour']]);
});

test('what is not there is 404, in plain text outside the own groups', async () => {
  for (const path of ['/nothing', '/apis/none.example', '/apis/harbour.example/v9']) {
    const { code, body } = await api.get(path);
    assert.deepEqual([code, body], [404, '404 page not found\n'], path);
  }
});

test('the version says what kubectl compares', async () => {
  const { body } = await api.get('/version');
  assert.deepEqual([body.major, body.minor, body.gitVersion.startsWith('v1.33.')], ['1', '33', true]);
});

test('the OpenAPI document is the smallest that kubectl reads', async () => {
  const response = await fetch(`${api.url}/openapi/v2`);
  assert.equal(response.headers.get('content-type'), 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  assert.equal((await response.arrayBuffer()).byteLength, 17);
});

test('the OpenAPI v3 documents name the parameters of every patch', async () => {
  const { body } = await api.get('/openapi/v3');
  const path = 'apis/harbour.example/v1beta1';
  assert.equal(body.paths[path].serverRelativeURL, `/openapi/v3/${path}`);
  const document = (await api.get(`/openapi/v3/${path}`)).body;
  const { patch } = document.paths[`/${path}/namespaces/{namespace}/berths/{name}`];
  assert.deepEqual(
    patch.parameters.map((one: Body) => one.name),
    ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
  );
  assert.equal((await api.get('/openapi/v3/apis/none/v1')).code, 404);
});
