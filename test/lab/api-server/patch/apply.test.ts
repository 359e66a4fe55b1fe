import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fieldsOf, fromFieldsV1, toFieldsV1 } from '../../../../src/lab/api-server/patch/field-set.ts';
import { builtinLists } from '../../../../src/lab/api-server/patch/list-layout.ts';
import { suite } from '../../../support/suite.ts';
import { type Body, berth, berths, configMap, configMaps, service, services, TestApi } from '../test-api.ts';

const test = suite('lab/api-server/patch/apply');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

/** Who owns what: `manager/operation[/subresource]` → the fields. */
const owners = (object: Body): Record<string, unknown> =>
  Object.fromEntries(
    (object.metadata.managedFields ?? []).map((entry: Body) => {
      const subresource = entry.subresource === undefined ? '' : `/${entry.subresource}`;
      return [`${entry.manager}/${entry.operation}${subresource}`, entry.fieldsV1];
    }),
  );

const path = `${configMaps}/a`;

test('apply creates, and owns what it applied', async () => {
  const { code, body } = await api.apply(path, 'one', configMap('a', { x: '1' }));
  assert.equal(code, 201);
  assert.deepEqual(owners(body), { 'one/Apply': { 'f:data': { 'f:x': {} } } });
});

test('applying the same again changes nothing', async () => {
  const first = await api.apply(path, 'one', configMap('a', { x: '1' }));
  await api.clock.advance(5_000);
  const second = await api.apply(path, 'one', configMap('a', { x: '1' }));
  assert.equal(second.code, 200);
  assert.deepEqual(second.body, first.body);
});

test('a field no longer applied goes away', async () => {
  await api.apply(path, 'one', configMap('a', { x: '1', y: '2' }, { labels: { l: 'm' } }));
  const { body } = await api.apply(path, 'one', configMap('a', { y: '2' }));
  assert.deepEqual([body.data, body.metadata.labels], [{ y: '2' }, undefined]);
});

test('a field that another manager owns too stays when one gives it up', async () => {
  await api.apply(path, 'one', configMap('a', { x: '1', y: '2' }));
  await api.apply(path, 'two', configMap('a', { x: '1' }));
  const { body } = await api.apply(path, 'one', configMap('a', { y: '2' }));
  assert.deepEqual(body.data, { x: '1', y: '2' });
  assert.deepEqual(owners(body), {
    'one/Apply': { 'f:data': { 'f:y': {} } },
    'two/Apply': { 'f:data': { 'f:x': {} } },
  });
});

test('another value for an owned field is a conflict, which names the owner and the field', async () => {
  await api.apply(path, 'one', configMap('a', { x: '1' }));
  const { code, body } = await api.apply(path, 'two', configMap('a', { x: '2' }));
  assert.deepEqual([code, body.reason], [409, 'Conflict']);
  assert.equal(body.message, 'Apply failed with 1 conflict: conflict with "one": .data.x');
  assert.deepEqual(body.details.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.x' },
  ]);
});

test('several conflicts are listed by owner', async () => {
  await api.apply(path, 'one', configMap('a', { x: '1', y: '1' }));
  const { body } = await api.apply(path, 'two', configMap('a', { x: '2', y: '2' }));
  assert.equal(body.message, 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y');
});

test('force takes the field over', async () => {
  await api.apply(path, 'one', configMap('a', { x: '1', y: '1' }));
  const { code, body } = await api.apply(path, 'two', configMap('a', { x: '2' }), '&force=true');
  assert.equal(code, 200);
  assert.deepEqual(body.data, { x: '2', y: '1' });
  assert.deepEqual(owners(body), {
    'one/Apply': { 'f:data': { 'f:y': {} } },
    'two/Apply': { 'f:data': { 'f:x': {} } },
  });
});

test('an ordinary write takes fields without asking, and apply then conflicts with it', async () => {
  await api.apply(path, 'one', configMap('a', { x: '1' }));
  const { body } = await api.merge(`${path}?fieldManager=editor`, { data: { x: '2' } });
  assert.deepEqual(owners(body), { 'editor/Update': { 'f:data': { 'f:x': {} } } });
  const conflict = await api.apply(path, 'one', configMap('a', { x: '1' }));
  assert.equal(conflict.body.message, 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.x');
});

test('the manager of a write without a name is the client, by its user agent', async () => {
  const { body } = await api.post(configMaps, configMap('a', { x: '1' }));
  assert.deepEqual(Object.keys(owners(body)), ['test/Update']);
});

test('items of a list map are owned one by one', async () => {
  const crane = (name: string, reach: number) => ({ name, reach });
  const apply = (manager: string, ...cranes: { name: string; reach: number }[]) =>
    api.apply(`${berths}/b`, manager, { ...berth('b'), spec: { addresses: ['192.0.2.0/24'], cranes } });
  await apply('one', crane('big', 40));
  await apply('two', crane('small', 10));
  const both = await apply('one', crane('big', 50));
  assert.deepEqual(both.body.spec.cranes, [
    { name: 'big', reach: 50, kind: 'gantry' },
    { name: 'small', reach: 10, kind: 'gantry' },
  ]);
  const conflict = await apply('one', crane('big', 50), crane('small', 11));
  assert.equal(conflict.body.details.causes[0].field, '.spec.cranes[name="small"].reach');
  const gone = await apply('one');
  assert.deepEqual(gone.body.spec.cranes, [{ name: 'small', reach: 10, kind: 'gantry' }]);
});

test('lists that are not declared as maps or sets are taken whole', async () => {
  await api.apply(`${berths}/b`, 'one', berth('b', { addresses: ['192.0.2.1', '192.0.2.2'], flags: ['x'] }));
  const { code } = await api.apply(`${berths}/b`, 'two', berth('b', { addresses: ['192.0.2.1'] }));
  assert.equal(code, 409);
  const spec = { addresses: ['192.0.2.1', '192.0.2.2'], flags: ['y'] };
  const { body } = await api.apply(`${berths}/b`, 'two', berth('b', spec));
  assert.deepEqual(body.spec.flags, ['x', 'y']);
});

test('ports of a Service are told apart by port and protocol', async () => {
  const ports = [
    { port: 53, protocol: 'UDP', name: 'dns' },
    { port: 53, name: 'dns-tcp' },
  ];
  const { code, body } = await api.apply(`${services}/s`, 'one', service('s', { ports }));
  assert.equal(code, 201);
  assert.deepEqual(Object.keys(body.metadata.managedFields[0].fieldsV1['f:spec']['f:ports']), [
    'k:{"port":53,"protocol":"TCP"}',
    'k:{"port":53,"protocol":"UDP"}',
  ]);
});

test('status is applied, and owned, by its own subresource', async () => {
  await api.apply(`${berths}/b`, 'one', { ...berth('b'), status: { free: 9 } });
  const conditions = [{ type: 'Ready', status: 'True' }];
  const status = {
    apiVersion: 'harbour.example/v1beta1',
    kind: 'Berth',
    metadata: { name: 'b' },
    status: { conditions },
  };
  const { body } = await api.apply(`${berths}/b/status`, 'two', status);
  assert.deepEqual([body.status, Object.keys(owners(body))], [{ conditions }, ['one/Apply', 'two/Apply/status']]);
});

test('managers can be forgotten, as kubectl does when it moves to server-side apply', async () => {
  await api.post(configMaps, configMap('a', { x: '1' }));
  const type = 'application/json-patch+json';
  const patch = [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }];
  const { body } = await api.request('PATCH', path, patch, { type });
  assert.equal(body.metadata.managedFields, undefined);
});

test('strategic merge is not for custom resources', async () => {
  await api.post(berths, berth('b'));
  const type = 'application/strategic-merge-patch+json';
  const { code, body } = await api.request('PATCH', `${berths}/b`, {}, { type });
  assert.deepEqual([code, body.reason], [415, 'UnsupportedMediaType']);
});

test('FieldsV1 says exactly what a field set says', () => {
  const lists = builtinLists('Service');
  const port = fc.record({ port: fc.integer({ min: 1, max: 5 }), name: fc.string() }, { noNullPrototype: true });
  const key = fc.stringMatching(/^[a-z]{1,3}$/);
  const spec = fc.record(
    {
      ports: fc.uniqueArray(port, { selector: (one) => one.port }),
      selector: fc.dictionary(key, fc.string(), { noNullPrototype: true }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(spec, (generated) => {
      const fields = new Set(fieldsOf({ spec: generated }, lists).keys());
      assert.deepEqual(fromFieldsV1(toFieldsV1(fields)), fields);
    }),
  );
});
