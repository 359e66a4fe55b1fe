import assert from 'node:assert/strict';
import { type Body, service } from '../../../lab/api-server/test-api.ts';
import { type Fact, fact } from './fact.ts';

const times: readonly (readonly [text: string, code: number])[] = [
  ['2026-01-01T00:00:00.123456Z', 201],
  ['2026-01-01T00:00:00.123Z', 400],
  ['2026-01-01T00:00:00Z', 400],
  ['yesterday', 400],
];

export const kindFacts: readonly Fact[] = [
  ...times.map(([renewTime, code]) =>
    fact(`a Lease renewed at "${renewTime}" is a ${code}`, async ({ api, leases }) => {
      const { code: status, body } = await api.post(leases, { metadata: { name: 'a' }, spec: { renewTime } });
      assert.equal(status, code, body.message);
      if (code === 201) assert.equal(body.spec.renewTime, renewTime);
    }),
  ),

  fact('a Lease is held by whoever wrote it last with its revision', async ({ api, leases }) => {
    const made = await api.post(leases, {
      metadata: { name: 'a' },
      spec: { holderIdentity: 'one', leaseDurationSeconds: 15 },
    });
    const take = (holderIdentity: string) =>
      api.put(`${leases}/a`, { ...made.body, spec: { ...made.body.spec, holderIdentity } });
    assert.deepEqual([(await take('two')).code, (await take('three')).code], [200, 409]);
    assert.equal((await api.get(`${leases}/a`)).body.spec.holderIdentity, 'two');
  }),

  fact('an Event is counted up by a patch', async ({ api, events, namespace }) => {
    const involvedObject = { apiVersion: 'v1', kind: 'Service', namespace, name: 'web', uid: 'u' };
    const event = { metadata: { name: 'web.1' }, involvedObject, reason: 'Assigned', type: 'Normal', count: 1 };
    const { code, body } = await api.post(events, { ...event, firstTimestamp: '2026-01-01T00:00:00Z' });
    assert.equal(code, 201, body.message);
    const patched = await api.merge(`${events}/web.1`, { count: 2, lastTimestamp: '2026-01-01T00:00:05Z' });
    assert.deepEqual([patched.code, patched.body.count], [200, 2]);
  }),

  fact('an Event must be about an object of its own namespace', async ({ api, events }) => {
    const involvedObject = { kind: 'Service', namespace: 'elsewhere', name: 'web' };
    const { code, body } = await api.post(events, { metadata: { name: 'a' }, involvedObject, type: 'Normal' });
    assert.equal(code, 422);
    assert.match(
      body.message,
      /involvedObject\.namespace: Invalid value: "elsewhere": does not match event\.namespace/,
    );
  }),

  fact('the address type of an EndpointSlice cannot change', async ({ api, services }) => {
    const slices = services.replace('/api/v1', '/apis/discovery.k8s.io/v1').replace(/services$/, 'endpointslices');
    const slice = { metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }] };
    assert.equal((await api.post(slices, slice)).code, 201);
    const { code, body } = await api.merge(`${slices}/a`, { addressType: 'IPv6', endpoints: [] });
    assert.equal(code, 422);
    assert.match(body.message, /addressType: Invalid value: "IPv6": field is immutable/);
  }),

  fact('a scale shows and sets the replicas of a Deployment', async ({ api, deployments }) => {
    const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };
    const made = await api.post(deployments, {
      metadata: { name: 'a' },
      spec: { selector: { matchLabels: { app: 'a' } }, template },
    });
    assert.equal(made.code, 201, made.body.message);
    const scale = await api.get(`${deployments}/a/scale`);
    assert.deepEqual([scale.body.kind, scale.body.spec.replicas, scale.body.status.selector], ['Scale', 1, 'app=a']);
    assert.equal((await api.merge(`${deployments}/a/scale`, { spec: { replicas: 3 } })).body.spec.replicas, 3);
    assert.equal((await api.put(`${deployments}/a/scale`, scale.body)).code, 409);
    assert.equal((await api.get(`${deployments}/a`)).body.spec.replicas, 3);
  }),

  fact('a namespace is labelled with its name', async ({ api, namespace }) => {
    const { body } = await api.get(`/api/v1/namespaces/${namespace}`);
    assert.deepEqual(body.metadata.labels, { 'kubernetes.io/metadata.name': namespace });
    assert.deepEqual([body.status.phase, body.spec.finalizers], ['Active', ['kubernetes']]);
  }),

  fact('resources are listed with their names and subresources', async ({ api }) => {
    const find = (body: Body, name: string) => body.resources.find((resource: Body) => resource.name === name);
    const core = (await api.get('/api/v1')).body;
    const { shortNames, namespaced, kind, verbs } = find(core, 'services');
    assert.deepEqual([shortNames, namespaced, kind, verbs.includes('watch')], [['svc'], true, 'Service', true]);
    assert.equal(find(core, 'services/status').kind, 'Service');
    assert.equal(find((await api.get('/apis/apps/v1')).body, 'deployments/scale').kind, 'Scale');
    const custom = find((await api.get('/apis/harbour.example/v1beta1')).body, 'berths');
    assert.deepEqual([custom.singularName, custom.shortNames, custom.categories], ['berth', ['bt'], ['harbour']]);
    const group = (await api.get('/apis/harbour.example')).body;
    assert.deepEqual([group.kind, group.preferredVersion.version], ['APIGroup', 'v1beta1']);
  }),

  fact('what is not there is 404: a Status inside the own groups, plain text elsewhere', async (scene) => {
    const { api, namespace } = scene;
    const root = `/api/v1/namespaces/${namespace}`;
    for (const path of ['/api/v2', '/apis/apps/v9', '/api/v1/unicorns', `${root}/nodes`, `${root}/services/a/b/c`]) {
      const { code, body } = await api.get(path);
      const message = 'the server could not find the requested resource';
      assert.deepEqual([code, body.reason, body.message, body.details], [404, 'NotFound', message, {}], path);
    }
    for (const path of [
      '/nothing',
      '/apis/none.example',
      '/apis/harbour.example/v9',
      '/apis/harbour.example/v1beta1/x',
    ]) {
      const { code, body } = await api.get(path);
      assert.deepEqual([code, body], [404, '404 page not found\n'], path);
    }
  }),

  fact('health is answered in plain text', async ({ api }) => {
    for (const path of ['/healthz', '/livez', '/readyz', '/readyz/ping']) {
      const { code, body } = await api.get(path);
      assert.deepEqual([code, body], [200, 'ok'], path);
    }
  }),

  fact('a keep-alive connection survives a DELETE with a body', async ({ api, services }) => {
    await api.post(services, service('a'));
    const refused = await api.delete(`${services}/a`, { preconditions: { uid: 'other' } });
    assert.equal(refused.code, 409);
    assert.equal((await api.get(`${services}/a`)).code, 200);
  }),
];
