import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../../src/lab/api-server/json.ts';
import { type Body, berth, configMap, service } from '../../../lab/api-server/test-api.ts';
import { type Fact, fact, ownersOf } from './fact.ts';

const http = { port: 80, name: 'http' };
const https = { port: 443, name: 'https' };
const dns = { port: 53, name: 'dns' };

/** A strategic merge patch of the ports of a Service that has `http` and `https`, and the names afterwards. */
const portPatches: readonly (readonly [name: string, ports: JsonObject, want: string])[] = [
  ['merges items by their port', { ports: [{ port: 443, name: 'tls' }] }, 'http tls'],
  ['puts what is new in front', { ports: [dns] }, 'dns http https'],
  ['deletes an item', { ports: [{ $patch: 'delete', port: 80 }] }, 'https'],
  ['deletes nothing quietly', { ports: [{ $patch: 'delete', port: 9 }] }, 'http https'],
  ['replaces the list', { ports: [{ $patch: 'replace' }, dns] }, 'dns'],
  [
    'orders the list as the client has it',
    { '$setElementOrder/ports': [{ port: 53 }, { port: 443 }, { port: 80 }], ports: [dns] },
    'dns https http',
  ],
  [
    'carries what kubectl apply sends for a changed port',
    { '$setElementOrder/ports': [{ port: 80 }, { port: 53 }], ports: [dns, { $patch: 'delete', port: 443 }] },
    'http dns',
  ],
];

const failingJsonPatches: readonly (readonly [name: string, patch: Json, code: number])[] = [
  ['is no list', { op: 'add' }, 400],
  ['has an unknown operation', [{ op: 'bend', path: '/data' }], 422],
  ['has a test that fails', [{ op: 'test', path: '/data/x', value: '2' }], 422],
  ['removes nothing', [{ op: 'remove', path: '/data/none' }], 422],
  ['adds below nothing', [{ op: 'add', path: '/none/x', value: '1' }], 422],
];

export const patchFacts: readonly Fact[] = [
  ...portPatches.map(([name, spec, want]) =>
    fact(`a strategic merge patch ${name}`, async ({ api, services }) => {
      await api.post(services, service('web', { ports: [http, https] }));
      const { code, body } = await api.strategic(`${services}/web`, { spec });
      assert.equal(code, 200, body.message);
      assert.equal(body.spec.ports.map((port: Body) => port.name).join(' '), want);
    }),
  ),

  fact('a strategic merge patch of a custom resource is a 415', async ({ api, berths }) => {
    await api.post(berths, berth('b'));
    const { code, body } = await api.strategic(`${berths}/b`, {});
    assert.deepEqual([code, body.reason], [415, 'UnsupportedMediaType']);
  }),

  fact('the conditions of a Node are merged by their type', async ({ api, namespace }) => {
    const node = `/api/v1/nodes/${namespace}`;
    const condition = (type: string, status: string) => ({ type, status });
    await api.post('/api/v1/nodes', { metadata: { name: namespace } });
    const both = [condition('Ready', 'True'), condition('NetworkUnavailable', 'False')];
    await api.strategic(`${node}/status`, { status: { conditions: both } });
    const { body } = await api.strategic(`${node}/status`, { status: { conditions: [condition('Ready', 'Unknown')] } });
    const texts = body.status.conditions.map(({ type, status }: Body) => `${type}=${status}`);
    assert.deepEqual(texts, ['Ready=Unknown', 'NetworkUnavailable=False']);
    await api.delete(node);
  }),

  fact('a JSON patch changes what it names', async ({ api, configMaps }) => {
    await api.post(configMaps, configMap('a', { x: '1', y: '2' }));
    const { code, body } = await api.jsonPatch(`${configMaps}/a`, [
      { op: 'test', path: '/data/x', value: '1' },
      { op: 'add', path: '/metadata/annotations', value: { 'example.net/k': 'v' } },
      { op: 'move', from: '/data/x', path: '/data/z' },
      { op: 'remove', path: '/data/y' },
      { op: 'replace', path: '/metadata/annotations/example.net~1k', value: 'w' },
    ]);
    assert.equal(code, 200, body.message);
    assert.deepEqual([body.data, body.metadata.annotations], [{ z: '1' }, { 'example.net/k': 'w' }]);
  }),

  fact('a JSON patch that replaces a missing member adds it', async ({ api, configMaps }) => {
    await api.post(configMaps, configMap('a', { x: '1' }));
    const { code, body } = await api.jsonPatch(`${configMaps}/a`, [{ op: 'replace', path: '/data/y', value: '2' }]);
    assert.deepEqual([code, body.data], [200, { x: '1', y: '2' }]);
  }),

  ...failingJsonPatches.map(([name, patch, code]) =>
    fact(`a JSON patch that ${name} is a ${code}`, async ({ api, configMaps }) => {
      await api.post(configMaps, configMap('a', { x: '1' }));
      const reply = await api.jsonPatch(`${configMaps}/a`, patch);
      assert.equal(reply.code, code, reply.body.message);
      assert.deepEqual((await api.get(`${configMaps}/a`)).body.data, { x: '1' });
    }),
  ),

  fact('a merge patch deletes with null, and takes lists whole', async ({ api, berths }) => {
    await api.post(berths, berth('a', { depth: 3, flags: ['x', 'y'] }, { labels: { a: 'b' } }));
    const { body } = await api.merge(`${berths}/a`, {
      metadata: { labels: null },
      spec: { depth: null, flags: ['z'] },
    });
    assert.deepEqual([body.metadata.labels, body.spec.depth, body.spec.flags], [undefined, undefined, ['z']]);
  }),

  fact('a patch of an unknown type is a 415', async ({ api, configMaps }) => {
    await api.post(configMaps, configMap('a'));
    const { code, body } = await api.request('PATCH', `${configMaps}/a`, {}, { type: 'application/json' });
    assert.deepEqual([code, body.reason], [415, 'UnsupportedMediaType']);
  }),
];

const fields = (...names: readonly string[]) => ({
  'f:data': Object.fromEntries(names.map((name) => [`f:${name}`, {}])),
});

export const applyFacts: readonly Fact[] = [
  fact('apply creates, and owns what it applied', async ({ api, configMaps }) => {
    const { code, body } = await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1' }));
    assert.equal(code, 201);
    assert.deepEqual(ownersOf(body), { 'one/Apply': fields('x') });
  }),

  fact('applying the same again changes nothing', async ({ api, configMaps }) => {
    const first = await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1' }));
    const second = await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1' }));
    assert.equal(second.code, 200);
    assert.deepEqual(second.body, first.body);
  }),

  fact('a field no longer applied goes away, unless another manager owns it too', async ({ api, configMaps }) => {
    const path = `${configMaps}/a`;
    await api.apply(path, 'one', configMap('a', { x: '1', y: '2', z: '3' }, { labels: { l: 'm' } }));
    await api.apply(path, 'two', configMap('a', { x: '1' }));
    const { body } = await api.apply(path, 'one', configMap('a', { y: '2' }));
    assert.deepEqual([body.data, body.metadata.labels], [{ x: '1', y: '2' }, undefined]);
    assert.deepEqual(ownersOf(body), { 'one/Apply': fields('y'), 'two/Apply': fields('x') });
  }),

  fact('another value for an owned field is a conflict, which names the owner and the field', async (scene) => {
    const { api, configMaps } = scene;
    await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1' }));
    const { code, body } = await api.apply(`${configMaps}/a`, 'two', configMap('a', { x: '2' }));
    assert.deepEqual([code, body.reason], [409, 'Conflict']);
    assert.equal(body.message, 'Apply failed with 1 conflict: conflict with "one": .data.x');
    assert.deepEqual(body.details.causes, [
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.x' },
    ]);
  }),

  fact('several conflicts are listed by owner', async ({ api, configMaps }) => {
    await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1', y: '1' }));
    const { body } = await api.apply(`${configMaps}/a`, 'two', configMap('a', { x: '2', y: '2' }));
    assert.equal(body.message, 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y');
  }),

  fact('force takes the field over', async ({ api, configMaps }) => {
    await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1', y: '1' }));
    const { code, body } = await api.apply(`${configMaps}/a`, 'two', configMap('a', { x: '2' }), '&force=true');
    assert.deepEqual([code, body.data], [200, { x: '2', y: '1' }]);
    assert.deepEqual(ownersOf(body), { 'one/Apply': fields('y'), 'two/Apply': fields('x') });
  }),

  fact('an ordinary write takes fields without asking, and apply then conflicts with it', async (scene) => {
    const { api, configMaps } = scene;
    await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1' }));
    const { body } = await api.merge(`${configMaps}/a?fieldManager=editor`, { data: { x: '2' } });
    assert.deepEqual(ownersOf(body), { 'editor/Update': fields('x') });
    const back = await api.apply(`${configMaps}/a`, 'one', configMap('a', { x: '1' }));
    assert.equal(back.code, 409);
    assert.equal(back.body.message, 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.x');
  }),

  fact('the manager of a write without a name is the client, by its user agent', async ({ api, configMaps }) => {
    const { body } = await api.post(configMaps, configMap('a', { x: '1' }));
    assert.deepEqual(Object.keys(ownersOf(body)), ['test/Update']);
  }),

  fact('items of a list map are owned one by one', async ({ api, berths }) => {
    const crane = (name: string, reach: number) => ({ name, reach });
    const apply = (manager: string, ...cranes: readonly JsonObject[]) =>
      api.apply(`${berths}/b`, manager, berth('b', { cranes: [...cranes] }));
    await apply('one', crane('big', 40));
    await apply('two', crane('small', 10));
    const both = await apply('one', crane('big', 50));
    assert.deepEqual(both.body.spec.cranes, [
      { name: 'big', reach: 50, kind: 'gantry' },
      { name: 'small', reach: 10, kind: 'gantry' },
    ]);
    const conflict = await apply('one', crane('big', 50), crane('small', 11));
    assert.equal(conflict.body.details.causes[0].field, '.spec.cranes[name="small"].reach');
    assert.deepEqual((await apply('one')).body.spec.cranes, [{ name: 'small', reach: 10, kind: 'gantry' }]);
  }),

  fact('lists that are not declared as maps or sets are taken whole', async ({ api, berths }) => {
    await api.apply(`${berths}/b`, 'one', berth('b', { addresses: ['192.0.2.1', '192.0.2.2'], flags: ['x'] }));
    assert.equal((await api.apply(`${berths}/b`, 'two', berth('b', { addresses: ['192.0.2.1'] }))).code, 409);
    const spec = { addresses: ['192.0.2.1', '192.0.2.2'], flags: ['y'] };
    assert.deepEqual((await api.apply(`${berths}/b`, 'two', berth('b', spec))).body.spec.flags, ['x', 'y']);
  }),

  fact('status is applied, and owned, by its own subresource', async ({ api, berths }) => {
    await api.apply(`${berths}/b`, 'one', { ...berth('b'), status: { free: 9 } });
    const { spec: _spec, ...rest } = berth('b');
    const conditions = [{ type: 'Ready', status: 'True' }];
    const { body } = await api.apply(`${berths}/b/status`, 'two', { ...rest, status: { conditions } });
    assert.deepEqual([body.status, Object.keys(ownersOf(body))], [{ conditions }, ['one/Apply', 'two/Apply/status']]);
  }),

  fact('managers can be forgotten, as kubectl does when it moves to server-side apply', async ({ api, configMaps }) => {
    await api.post(configMaps, configMap('a', { x: '1' }));
    const patch = [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }];
    const { body } = await api.jsonPatch(`${configMaps}/a`, patch);
    assert.equal(body.metadata.managedFields, undefined);
  }),
];
