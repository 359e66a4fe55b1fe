import assert from 'node:assert/strict';
import { berth, configMap, service } from '../../../lab/api-server/test-api.ts';
import type { RawReply } from '../../../support/raw-api.ts';
import { type Fact, fact, namesIn, type Scene } from './fact.ts';

type Refused = {
  readonly name: string;
  readonly act: (scene: Scene) => Promise<RawReply>;
  readonly code: number;
  readonly reason: string;
  readonly message: string;
};

const refusals: readonly Refused[] = [
  {
    name: 'an absent object',
    act: ({ api, configMaps }) => api.get(`${configMaps}/b`),
    code: 404,
    reason: 'NotFound',
    message: 'configmaps "b" not found',
  },
  {
    name: 'an absent custom resource',
    act: ({ api, berths }) => api.get(`${berths}/b`),
    code: 404,
    reason: 'NotFound',
    message: 'berths.harbour.example "b" not found',
  },
  {
    name: 'the same object twice',
    act: ({ api, configMaps }) => api.post(configMaps, configMap('a')),
    code: 409,
    reason: 'AlreadyExists',
    message: 'configmaps "a" already exists',
  },
  {
    name: 'a PUT of a stale object',
    act: ({ api, configMaps }) => api.put(`${configMaps}/a`, configMap('a', {}, { resourceVersion: '1' })),
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
  },
  {
    name: 'an object in a namespace that is absent',
    act: ({ api }) => api.post('/api/v1/namespaces/nowhere/configmaps', configMap('a')),
    code: 404,
    reason: 'NotFound',
    message: 'namespaces "nowhere" not found',
  },
  {
    name: 'a PUT under another name',
    act: ({ api, configMaps }) => api.put(`${configMaps}/a`, configMap('b')),
    code: 400,
    reason: 'BadRequest',
    message: 'the name of the object (b) does not match the name on the URL (a)',
  },
  {
    name: 'a custom resource of another version',
    act: ({ api, berths }) => api.post(berths, { ...berth('c'), apiVersion: 'harbour.example/v1alpha1' }),
    code: 400,
    reason: 'BadRequest',
    message:
      'the API version in the data (harbour.example/v1alpha1) does not match the expected API version (harbour.example/v1beta1)',
  },
  {
    name: 'an object of another namespace',
    act: ({ api, configMaps }) => api.post(configMaps, configMap('c', {}, { namespace: 'kube-system' })),
    code: 400,
    reason: 'BadRequest',
    message: 'the namespace of the provided object does not match the namespace sent on the request',
  },
  {
    name: 'a method that a collection does not have',
    act: ({ api, configMaps }) => api.put(configMaps, {}),
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  },
];

export const objectFacts: readonly Fact[] = [
  ...refusals.map(({ name, act, code, reason, message }) =>
    fact(`${name} is refused with ${code} ${reason}`, async (scene) => {
      await scene.api.post(scene.configMaps, configMap('a'));
      const { code: status, body } = await act(scene);
      assert.deepEqual([body.kind, body.apiVersion, body.status], ['Status', 'v1', 'Failure']);
      assert.deepEqual([status, body.code, body.reason, body.message], [code, code, reason, message]);
    }),
  ),

  fact('a created object gets a uid, a time, a revision and its namespace', async ({ api, configMaps, namespace }) => {
    const { code, body } = await api.post(configMaps, configMap('a', { x: 'y' }));
    assert.equal(code, 201);
    assert.match(body.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.match(body.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(body.metadata.resourceVersion, /^\d+$/);
    assert.equal(body.metadata.namespace, namespace);
    assert.deepEqual((await api.get(`${configMaps}/a`)).body, body);
  }),

  fact('a new object with a revision is refused, in the words of the storage', async ({ api, configMaps }) => {
    const { code, body } = await api.post(configMaps, configMap('c', {}, { resourceVersion: '7' }));
    const message = 'resourceVersion should not be set on objects to be created';
    assert.deepEqual([code, body.kind, body.message], [500, 'Status', message]);
  }),

  fact('an object of another version or kind is refused', async ({ api, configMaps }) => {
    for (const wrong of [{ apiVersion: 'v2' }, { kind: 'Secret' }]) {
      const { code, body } = await api.post(configMaps, { ...configMap('c'), ...wrong });
      assert.deepEqual([code, body.reason], [400, 'BadRequest'], JSON.stringify(wrong));
    }
  }),

  fact('generateName makes names that differ', async ({ api, configMaps }) => {
    const make = () => api.post(configMaps, { metadata: { generateName: 'lease-' } });
    const names = [await make(), await make()].map(({ body }) => body.metadata.name);
    for (const name of names) assert.match(name, /^lease-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.notEqual(names[0], names[1]);
  }),

  fact('an invalid name is a 422 whose cause names the field', async ({ api, configMaps }) => {
    const { code, body } = await api.post(configMaps, configMap('Not_A_Name'));
    assert.deepEqual([code, body.reason, body.details.kind], [422, 'Invalid', 'ConfigMap']);
    const [{ field, reason }] = body.details.causes;
    assert.deepEqual([field, reason], ['metadata.name', 'FieldValueInvalid']);
  }),

  fact('a write that changes nothing keeps the revision', async ({ api, configMaps, berths }) => {
    const first = await api.post(configMaps, configMap('a', { x: 'y' }));
    const again = await api.put(`${configMaps}/a`, first.body);
    const patched = await api.merge(`${configMaps}/a`, { data: { x: 'y' } });
    const { resourceVersion } = first.body.metadata;
    assert.deepEqual(
      [again, patched].map(({ body }) => body.metadata.resourceVersion),
      [resourceVersion, resourceVersion],
    );
    const custom = await api.post(berths, berth('a'));
    const same = await api.put(`${berths}/a`, custom.body);
    assert.equal(same.body.metadata.resourceVersion, custom.body.metadata.resourceVersion);
  }),

  fact('generation counts changes of the specification, not of metadata or status', async ({ api, berths }) => {
    const generations = [
      await api.post(berths, berth('a')),
      await api.merge(`${berths}/a`, { metadata: { labels: { x: 'y' } } }),
      await api.merge(`${berths}/a/status`, { status: { free: 3 } }),
      await api.merge(`${berths}/a`, { spec: { depth: 4 } }),
    ].map(({ body }) => body.metadata.generation);
    assert.deepEqual(generations, [1, 1, 1, 2]);
  }),

  fact('dryRun=All answers as if, and changes nothing', async ({ api, configMaps }) => {
    const created = await api.post(`${configMaps}?dryRun=All`, configMap('a'));
    assert.equal(created.code, 201);
    assert.equal((await api.get(`${configMaps}/a`)).code, 404);
    await api.post(configMaps, configMap('a'));
    assert.equal((await api.merge(`${configMaps}/a?dryRun=All`, { data: { x: 'y' } })).body.data.x, 'y');
    assert.equal((await api.delete(`${configMaps}/a?dryRun=All`)).body.status, 'Success');
    assert.equal((await api.get(`${configMaps}/a`)).body.data?.x, undefined);
  }),

  fact('a delete holds to its preconditions, and answers with what it deleted', async ({ api, configMaps }) => {
    const { body } = await api.post(configMaps, configMap('a'));
    const wrongUid = await api.delete(`${configMaps}/a`, { preconditions: { uid: 'other' } });
    const wrongRevision = await api.delete(`${configMaps}/a`, { preconditions: { resourceVersion: '1' } });
    assert.deepEqual([wrongUid.code, wrongRevision.code], [409, 409]);
    assert.deepEqual([wrongUid.body.reason, wrongRevision.body.reason], ['Conflict', 'Conflict']);
    const right = await api.delete(`${configMaps}/a`, { preconditions: { uid: body.metadata.uid } });
    assert.deepEqual(right.body.details, { name: 'a', kind: 'configmaps', uid: body.metadata.uid });
    assert.equal((await api.delete(`${configMaps}/a`)).code, 404);
  }),

  fact('deletecollection deletes what the selector chooses', async ({ api, configMaps }) => {
    for (const [name, app] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ] as const) {
      await api.post(configMaps, configMap(name, {}, { labels: { app } }));
    }
    assert.equal((await api.delete(`${configMaps}?labelSelector=app%3Dx`)).code, 200);
    assert.deepEqual(namesIn((await api.get(configMaps)).body), ['b']);
  }),

  fact('a finalizer keeps a deleted object until it is taken off', async ({ api, services }) => {
    await api.post(services, service('a', {}, { finalizers: ['example.net/hold'] }));
    const deleted = await api.delete(`${services}/a`);
    assert.match(deleted.body.metadata.deletionTimestamp, /Z$/);
    const added = await api.merge(`${services}/a`, {
      metadata: { finalizers: ['example.net/hold', 'example.net/more'] },
    });
    assert.equal(added.code, 422);
    assert.match(added.body.message, /no new finalizers can be added if the object is being deleted/);
    assert.equal((await api.merge(`${services}/a`, { metadata: { finalizers: [] } })).code, 200);
    assert.equal((await api.get(`${services}/a`)).code, 404);
  }),

  fact('bodies may be YAML, and must be something readable', async ({ api, configMaps }) => {
    const cases: readonly (readonly [type: string, body: string, code: number])[] = [
      ['application/yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: "y"\n', 201],
      ['application/json; charset=utf-8', '{"metadata":{"name":"b"}}', 201],
      ['application/json', '{"metadata":', 400],
      ['application/json', '[]', 400],
      ['application/yaml', 'a: [', 400],
      ['text/csv', 'a,b', 415],
    ];
    for (const [type, body, code] of cases) {
      const reply = await api.send('POST', configMaps, body, { 'content-type': type });
      assert.equal(reply.code, code, `${type} ${body} ${JSON.stringify(reply.body)}`);
    }
  }),

  fact('a value of the wrong type in a built-in kind is a 400', async ({ api, services }) => {
    const { code, body } = await api.post(services, service('a', { ports: 'none' }));
    assert.deepEqual([code, body.reason], [400, 'BadRequest']);
    assert.match(body.message, /^Service in version "v1" cannot be handled as a Service: /);
  }),

  fact('unknown fields are dropped, with a warning, or refused on request', async ({ api, configMaps, berths }) => {
    const warned = await api.post(configMaps, { ...configMap('a'), nonsense: 1 });
    assert.deepEqual([warned.code, warned.headers.warning], [201, '299 - "unknown field \\"nonsense\\""']);
    assert.equal(warned.body.nonsense, undefined);
    const ignored = await api.post(`${configMaps}?fieldValidation=Ignore`, { ...configMap('b'), nonsense: 1 });
    assert.deepEqual([ignored.code, ignored.headers.warning], [201, undefined]);
    const strict = await api.post(`${configMaps}?fieldValidation=Strict`, { ...configMap('c'), nonsense: 1 });
    assert.equal(strict.code, 400);
    assert.match(strict.body.message, /strict decoding error: unknown field "nonsense"$/);
    const custom = await api.post(berths, berth('a', { nonsense: 1 }));
    assert.deepEqual([custom.code, custom.headers.warning], [201, '299 - "unknown field \\"spec.nonsense\\""']);
    assert.equal(custom.body.spec.nonsense, undefined);
    const refused = await api.post(`${berths}?fieldValidation=Strict`, berth('b', { nonsense: 1 }));
    assert.equal(refused.code, 400);
    assert.match(refused.body.message, /strict decoding error: unknown field "spec\.nonsense"$/);
  }),

  fact('a namespace that is being deleted takes nothing new', async ({ api, namespace, configMaps }) => {
    await api.post(configMaps, configMap('held', {}, { finalizers: ['example.net/hold'] }));
    const { body } = await api.delete(`/api/v1/namespaces/${namespace}`);
    assert.equal(body.status.phase, 'Terminating');
    const refused = await api.post(configMaps, configMap('late'));
    assert.deepEqual([refused.code, refused.body.details.causes[0].reason], [403, 'NamespaceTerminating']);
  }),
];
