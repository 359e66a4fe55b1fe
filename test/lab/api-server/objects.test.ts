import assert from 'node:assert/strict';
import { suite } from '../../support/suite.ts';
import { berth, berths, configMap, configMaps, service, services, TestApi } from './test-api.ts';

const test = suite('lab/api-server/objects');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

test('a created object gets a uid, a time, a revision and its namespace', async () => {
  const { code, body } = await api.post(configMaps, configMap('a', { x: 'y' }));
  assert.equal(code, 201);
  assert.match(body.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(body.metadata.creationTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(body.metadata.namespace, 'default');
  assert.match(body.metadata.resourceVersion, /^\d+$/);
  assert.deepEqual((await api.get(`${configMaps}/a`)).body, body);
});

test('generateName makes names that differ', async () => {
  const make = () => api.post(configMaps, { metadata: { generateName: 'lease-' } });
  const names = [await make(), await make()].map(({ body }) => body.metadata.name);
  for (const name of names) assert.match(name, /^lease-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.notEqual(names[0], names[1]);
});

test('refusals are Status objects, worded like those of the real server', async () => {
  await api.post(configMaps, configMap('a'));
  const cases: [string, () => Promise<{ code: number; body: unknown }>, number, string, string][] = [
    ['missing', () => api.get(`${configMaps}/b`), 404, 'NotFound', 'configmaps "b" not found'],
    ['missing custom', () => api.get(`${berths}/b`), 404, 'NotFound', 'berths.harbour.example "b" not found'],
    ['twice', () => api.post(configMaps, configMap('a')), 409, 'AlreadyExists', 'configmaps "a" already exists'],
    [
      'stale',
      () => api.put(`${configMaps}/a`, configMap('a', {}, { resourceVersion: '1' })),
      409,
      'Conflict',
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [
      'no such namespace',
      () => api.post('/api/v1/namespaces/nowhere/configmaps', configMap('a')),
      404,
      'NotFound',
      'namespaces "nowhere" not found',
    ],
    [
      'other name',
      () => api.put(`${configMaps}/a`, configMap('b')),
      400,
      'BadRequest',
      'the name of the object (b) does not match the name on the URL (a)',
    ],
    [
      'other version',
      () => api.post(configMaps, { ...configMap('c'), apiVersion: 'v2' }),
      400,
      'BadRequest',
      'the API version in the data (v2) does not match the expected API version (v1)',
    ],
    [
      'other namespace',
      () => api.post(configMaps, configMap('c', {}, { namespace: 'kube-system' })),
      400,
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'method',
      () => api.request('PUT', configMaps, {}),
      405,
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
    ],
  ];
  for (const [name, act, code, reason, message] of cases) {
    const reply = await act();
    const { kind, apiVersion, status, ...rest } = reply.body as Record<string, unknown>;
    assert.deepEqual([kind, apiVersion, status], ['Status', 'v1', 'Failure'], name);
    assert.deepEqual([reply.code, rest.code, rest.reason, rest.message], [code, code, reason, message], name);
  }
});

test('an invalid name is a 422 whose cause names the field', async () => {
  const { code, body } = await api.post(configMaps, configMap('Not_A_Name'));
  assert.equal(code, 422);
  assert.equal(body.details.kind, 'ConfigMap');
  assert.equal(body.details.causes[0].field, 'metadata.name');
  assert.equal(body.details.causes[0].reason, 'FieldValueInvalid');
});

test('a write that changes nothing keeps the revision', async () => {
  const first = await api.post(configMaps, configMap('a', { x: 'y' }));
  const again = await api.put(`${configMaps}/a`, configMap('a', { x: 'y' }));
  const patched = await api.merge(`${configMaps}/a`, { data: { x: 'y' } });
  assert.equal(again.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
  assert.equal(patched.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
});

test('generation counts changes of the specification, not of metadata or status', async () => {
  const generations = [
    await api.post(berths, berth('a')),
    await api.merge(`${berths}/a`, { metadata: { labels: { x: 'y' } } }),
    await api.merge(`${berths}/a/status`, { status: { free: 3 } }),
    await api.merge(`${berths}/a`, { spec: { depth: 4 } }),
  ].map(({ body }) => body.metadata.generation);
  assert.deepEqual(generations, [1, 1, 1, 2]);
});

test('the status subresource writes the status alone, and nothing else writes it', async () => {
  const created = await api.post(berths, { ...berth('a'), status: { free: 1 } });
  assert.equal(created.body.status, undefined);
  const updated = await api.merge(`${berths}/a/status`, { spec: { depth: 9 }, status: { free: 2 } });
  assert.deepEqual([updated.body.spec.depth, updated.body.status], [undefined, { free: 2 }]);
  const main = await api.merge(`${berths}/a`, { spec: { depth: 9 }, status: { free: 5 } });
  assert.deepEqual([main.body.spec.depth, main.body.status], [9, { free: 2 }]);
});

test('a custom resource is not replaced without a revision', async () => {
  await api.post(berths, berth('a'));
  const { code, body } = await api.put(`${berths}/a`, berth('a'));
  assert.equal(code, 422);
  assert.match(body.message, /metadata.resourceVersion: Invalid value: 0: must be specified for an update$/);
});

test('dryRun=All answers as if, and changes nothing', async () => {
  const created = await api.post(`${configMaps}?dryRun=All`, configMap('a'));
  assert.equal(created.code, 201);
  assert.equal((await api.get(`${configMaps}/a`)).code, 404);
  await api.post(configMaps, configMap('a'));
  assert.equal((await api.merge(`${configMaps}/a?dryRun=All`, { data: { x: 'y' } })).body.data.x, 'y');
  assert.equal((await api.delete(`${configMaps}/a?dryRun=All`)).body.status, 'Success');
  assert.deepEqual((await api.get(`${configMaps}/a`)).body.data, {});
});

test('a delete holds to its preconditions', async () => {
  const { body } = await api.post(configMaps, configMap('a'));
  const wrongUid = await api.delete(`${configMaps}/a`, { preconditions: { uid: 'other' } });
  const wrongRevision = await api.delete(`${configMaps}/a`, { preconditions: { resourceVersion: '1' } });
  assert.deepEqual([wrongUid.code, wrongRevision.code], [409, 409]);
  const right = await api.delete(`${configMaps}/a`, { preconditions: { uid: body.metadata.uid } });
  assert.deepEqual(right.body.details, { name: 'a', kind: 'configmaps', uid: body.metadata.uid });
});

test('deletecollection deletes what the selector chooses', async () => {
  for (const [name, app] of [
    ['a', 'x'],
    ['b', 'y'],
    ['c', 'x'],
  ] as const) {
    await api.post(configMaps, configMap(name, {}, { labels: { app } }));
  }
  await api.delete(`${configMaps}?labelSelector=app%3Dx`);
  const { body } = await api.get(configMaps);
  assert.deepEqual(
    body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['b'],
  );
});

test('deletecollection takes owners and their dependents alike', async () => {
  const { body } = await api.post(configMaps, configMap('a'));
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: body.metadata.uid }];
  await api.post(configMaps, configMap('b', {}, { ownerReferences }));
  assert.equal((await api.delete(configMaps)).code, 200);
  assert.deepEqual((await api.get(configMaps)).body.items, []);
});

test('a finalizer keeps a deleted object until it is taken off', async () => {
  await api.post(services, service('a', {}, { finalizers: ['example.net/hold'] }));
  const deleted = await api.delete(`${services}/a`);
  assert.equal(deleted.body.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
  const added = await api.merge(`${services}/a`, {
    metadata: { finalizers: ['example.net/hold', 'example.net/more'] },
  });
  assert.equal(added.code, 422);
  assert.match(added.body.message, /no new finalizers can be added if the object is being deleted/);
  assert.equal((await api.merge(`${services}/a`, { metadata: { finalizers: [] } })).code, 200);
  assert.equal((await api.get(`${services}/a`)).code, 404);
});

test('dependents go with their last owner', async () => {
  const owners = [await api.post(configMaps, configMap('one')), await api.post(configMaps, configMap('two'))];
  const ownerReferences = owners.map(({ body }) => {
    const { name, uid } = body.metadata;
    return { apiVersion: 'v1', kind: 'ConfigMap', name, uid };
  });
  await api.post(services, service('child', {}, { ownerReferences }));
  await api.delete(`${configMaps}/one`);
  assert.deepEqual((await api.get(`${services}/child`)).body.metadata.ownerReferences, ownerReferences.slice(1));
  await api.delete(`${configMaps}/two`);
  assert.equal((await api.get(`${services}/child`)).code, 404);
});

test('an orphaning delete leaves the dependents without the owner', async () => {
  const { body } = await api.post(configMaps, configMap('owner'));
  const { name, uid } = body.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid }];
  await api.post(services, service('child', {}, { ownerReferences }));
  await api.delete(`${configMaps}/owner`, { propagationPolicy: 'Orphan' });
  assert.equal((await api.get(`${services}/child`)).body.metadata.ownerReferences, undefined);
});

test('a deleted namespace empties itself first, and waits for finalizers inside it', async () => {
  await api.post('/api/v1/namespaces', { metadata: { name: 'n' } });
  const inside = '/api/v1/namespaces/n/configmaps';
  await api.post(inside, configMap('free'));
  await api.post(inside, configMap('held', {}, { finalizers: ['example.net/hold'] }));
  const deleted = await api.delete('/api/v1/namespaces/n');
  assert.equal(deleted.body.status.phase, 'Terminating');
  assert.equal((await api.get(`${inside}/free`)).code, 404);
  const refused = await api.post(inside, configMap('late'));
  assert.equal(refused.code, 403);
  assert.equal(refused.body.details.causes[0].reason, 'NamespaceTerminating');
  await api.merge(`${inside}/held`, { metadata: { finalizers: null } });
  assert.equal((await api.get('/api/v1/namespaces/n')).code, 404);
});

test('a scale shows and sets the replicas of a Deployment', async () => {
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };
  await api.post(deployments, { metadata: { name: 'a' }, spec: { selector: { matchLabels: { app: 'a' } }, template } });
  const scale = await api.get(`${deployments}/a/scale`);
  assert.deepEqual([scale.body.kind, scale.body.spec.replicas, scale.body.status.selector], ['Scale', 1, 'app=a']);
  assert.equal((await api.merge(`${deployments}/a/scale`, { spec: { replicas: 3 } })).body.spec.replicas, 3);
  assert.equal((await api.put(`${deployments}/a/scale`, scale.body)).code, 409);
  assert.equal((await api.get(`${deployments}/a`)).body.spec.replicas, 3);
});

test('an eviction deletes the pod', async () => {
  const pods = '/api/v1/namespaces/default/pods';
  await api.post(pods, { metadata: { name: 'a' }, spec: { containers: [{ name: 'a', image: 'a' }] } });
  const evicted = await api.post(`${pods}/a/eviction`, {
    kind: 'Eviction',
    apiVersion: 'policy/v1',
    metadata: { name: 'a' },
  });
  assert.equal(evicted.code, 201);
  assert.equal((await api.get(`${pods}/a`)).code, 404);
});

test('Leases and Events take times with six decimals and no others', async () => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const lease = (renewTime: string) => ({ metadata: { name: 'a' }, spec: { renewTime } });
  assert.equal((await api.post(leases, lease('2026-01-01T00:00:00.123Z'))).code, 400);
  const { code, body } = await api.post(leases, lease('2026-01-01T00:00:00.123456Z'));
  assert.deepEqual([code, body.spec.renewTime], [201, '2026-01-01T00:00:00.123456Z']);
});

test('everybody may do everything', async () => {
  const reviews: [path: string, field: string][] = [
    ['authorization.k8s.io/v1/selfsubjectaccessreviews', 'allowed'],
    ['authorization.k8s.io/v1/subjectaccessreviews', 'allowed'],
    ['authentication.k8s.io/v1/tokenreviews', 'authenticated'],
  ];
  for (const [path, field] of reviews) {
    const { code, body } = await api.post(`/apis/${path}`, { spec: {} });
    assert.deepEqual([code, body.status[field]], [201, true], path);
  }
});
