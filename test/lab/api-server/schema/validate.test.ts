import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../../src/lab/api-server/json.ts';
import type { Schema } from '../../../../src/lab/api-server/schema/schema.ts';
import { validate } from '../../../../src/lab/api-server/schema/validate.ts';
import { suite } from '../../../support/suite.ts';
import { berth, berthDefinition, berths, TestApi } from '../test-api.ts';

const test = suite('lab/api-server/schema/validate');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

const wrong: [name: string, spec: Json, causes: readonly string[]][] = [
  ['no specification', null, ['spec: Required value']],
  ['a missing field', {}, ['spec.addresses: Required value']],
  [
    'a wrong type',
    { addresses: 'x' },
    ['spec.addresses: Invalid value: "string": spec.addresses in body must be of type array: "string"'],
  ],
  [
    'a wrong type in a list',
    { addresses: ['192.0.2.1', 7] },
    ['spec.addresses[1]: Invalid value: "integer": spec.addresses[1] in body must be of type string: "integer"'],
  ],
  [
    'a fraction for an integer',
    { addresses: ['1'], depth: 1.5 },
    ['spec.depth: Invalid value: "number": spec.depth in body must be of type integer: "number"'],
  ],
  [
    'too few items',
    { addresses: [] },
    ['spec.addresses: Invalid value: 0: spec.addresses in body should have at least 1 items'],
  ],
  [
    'too many items',
    { addresses: ['1', '2', '3', '4', '5'] },
    ['spec.addresses: Too many: 5: must have at most 4 items'],
  ],
  [
    'an unknown word',
    { addresses: ['1'], side: 'left' },
    ['spec.side: Unsupported value: "left": supported values: "port", "starboard"'],
  ],
  [
    'a pattern',
    { addresses: ['x'] },
    ['spec.addresses[0]: Invalid value: "x": spec.addresses[0] in body should match \'^[0-9./]+$\''],
  ],
  [
    'a minimum',
    { addresses: ['1'], depth: 0 },
    ['spec.depth: Invalid value: 0: spec.depth in body should be greater than or equal to 1'],
  ],
  [
    'a maximum',
    { addresses: ['1'], depth: 3_000_000_001 },
    [
      'spec.depth: Invalid value: 3000000001: spec.depth in body should be less than or equal to 3000000000',
      'spec.depth: Invalid value: 3000000001: spec.depth in body must be of type integer with format int32',
    ],
  ],
  [
    'an int32',
    { addresses: ['1'], depth: 2_147_483_648 },
    ['spec.depth: Invalid value: 2147483648: spec.depth in body must be of type integer with format int32'],
  ],
  [
    'neither integer nor text',
    { addresses: ['1'], width: true },
    ['spec.width: Invalid value: "boolean": spec.width in body must be of type integer,string: "boolean"'],
  ],
  ['too long', { addresses: ['1'], note: 'x'.repeat(11) }, ['spec.note: Too long: may not be more than 10 bytes']],
  [
    'too short',
    { addresses: ['1'], note: 'x' },
    ['spec.note: Invalid value: "x": spec.note in body should be at least 2 chars long'],
  ],
  [
    'a date',
    { addresses: ['1'], since: 'yesterday' },
    ['spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday"'],
  ],
  [
    'a value of a map',
    { addresses: ['1'], labels: { a: 1 } },
    ['spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer"'],
  ],
  [
    'a list map with one key twice',
    { addresses: ['1'], cranes: [{ name: 'a' }, { name: 'a' }] },
    ['spec.cranes[1]: Duplicate value: {"name":"a"}'],
  ],
  ['a set with a value twice', { addresses: ['1'], flags: ['a', 'a'] }, ['spec.flags[1]: Duplicate value: "a"']],
];

for (const [name, spec, causes] of wrong) {
  test(`refuses ${name}`, async () => {
    const { code, body } = await api.post(berths, { ...berth('x'), spec });
    assert.equal(code, 422);
    const got = body.details.causes.map(
      (cause: { field: string; message: string }) => `${cause.field}: ${cause.message}`,
    );
    assert.deepEqual(got, causes);
    const all = causes.length === 1 ? causes[0] : `[${causes.join(', ')}]`;
    assert.equal(body.message, `Berth.harbour.example "x" is invalid: ${all}`);
  });
}

const stored: [name: string, spec: JsonObject, want: JsonObject][] = [
  ['fills in defaults', {}, {}],
  ['drops a null and fills in the default', { side: null }, {}],
  ['drops a null without a default', { depth: null }, {}],
  ['keeps a null where it is a value', { note: null }, { note: null }],
  ['takes an integer', { width: 5 }, { width: 5 }],
  ['takes a text', { width: '5%' }, { width: '5%' }],
  [
    'prunes unknown fields',
    { nonsense: 1, cranes: [{ name: 'a', colour: 'red' }] },
    { cranes: [{ name: 'a', kind: 'gantry' }] },
  ],
  ['keeps unknown fields where it is told to', { anything: { goes: [1] } }, { anything: { goes: [1] } }],
  ['keeps a free map', { labels: { a: 'b' } }, { labels: { a: 'b' } }],
];

for (const [name, spec, want] of stored) {
  test(`${name} in what it stores`, async () => {
    const { code, body } = await api.post(berths, berth('x', spec));
    assert.equal(code, 201, body.message);
    assert.deepEqual(body.spec, { addresses: ['192.0.2.0/24'], side: 'port', open: true, ...want });
  });
}

test('Strict refuses unknown fields, and names them all', async () => {
  const { code, body } = await api.post(`${berths}?fieldValidation=Strict`, {
    ...berth('x', { a: 1, cranes: [{ name: 'n', b: 2 }] }),
    c: 3,
  });
  assert.equal(code, 400);
  const fields = 'unknown field "spec.a", unknown field "spec.cranes[0].b", unknown field "c"';
  assert.equal(
    body.message,
    `Berth in version "v1beta1" cannot be handled as a Berth: strict decoding error: ${fields}`,
  );
});

test('a built-in kind refuses wrong types as its decoder would, and drops unknown fields', async () => {
  const services = '/api/v1/namespaces/default/services';
  const refused = await api.post(services, { metadata: { name: 'a' }, spec: { ports: 'none' } });
  assert.equal(refused.code, 400);
  assert.match(
    refused.body.message,
    /^Service in version "v1" cannot be handled as a Service: json: cannot unmarshal: spec\.ports/,
  );
  const pruned = await api.post(services, { metadata: { name: 'a' }, spec: { ports: [{ port: 80, colour: 'red' }] } });
  assert.equal(pruned.body.spec.ports[0].colour, undefined);
  const labels = await api.post(services, {
    metadata: { name: 'b', labels: { a: 1 } },
    spec: { ports: [{ port: 80 }] },
  });
  assert.equal(labels.code, 400);
});

test('a status is held to its schema too', async () => {
  await api.post(berths, berth('x'));
  const { code, body } = await api.merge(`${berths}/x/status`, { status: { free: -1 } });
  assert.equal(code, 422);
  assert.match(
    body.message,
    /status\.free: Invalid value: -1: status\.free in body should be greater than or equal to 0$/,
  );
});

test('combinations of schemas', () => {
  const combined: [schema: Schema, value: Json, errors: number][] = [
    [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, true, 1],
    [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, 'x', 0],
    [{ oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 1, b: 1 }, 1],
    [{ oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 1 }, 0],
    [{ allOf: [{ minimum: 1 }, { maximum: 3 }] }, 4, 1],
    [{ not: { enum: ['x'] } }, 'x', 1],
    [{ multipleOf: 4 }, 6, 1],
    [{ minimum: 1, exclusiveMinimum: true }, 1, 1],
    [{ maximum: 1, exclusiveMaximum: true }, 1, 1],
    [{ maxProperties: 1 }, { a: 1, b: 1 }, 1],
    [{ uniqueItems: true }, [{ a: 1 }, { a: 1 }], 1],
  ];
  for (const [schema, value, errors] of combined) {
    assert.equal(validate(value, schema, 'x').length, errors, JSON.stringify([schema, value]));
  }
});

test('a definition created through the API is served at once, and gone with its objects when it is deleted', async () => {
  const text = JSON.stringify(berthDefinition).replaceAll('berth', 'crane').replaceAll('Berth', 'Crane');
  const definition = JSON.parse(text.replaceAll('"bt"', '"cr"')) as JsonObject;
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const { code, body } = await api.post(definitions, definition);
  assert.equal(code, 201);
  assert.deepEqual(
    body.status.conditions.map((one: { type: string; status: string }) => `${one.type}=${one.status}`),
    ['NamesAccepted=True', 'Established=True'],
  );
  const cranes = berths.replace('berths', 'cranes');
  assert.equal((await api.post(cranes, { ...berth('a'), kind: 'Crane' })).code, 201);
  const watch = await api.watch(cranes);
  await api.delete(`${definitions}/cranes.harbour.example`);
  assert.equal((await api.get(cranes)).code, 404);
  await api.post(definitions, definition);
  assert.deepEqual((await api.get(cranes)).body.items, []);
  await watch.stop();
});

test('a definition that is wrong is refused', async () => {
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const { code, body } = await api.post(definitions, { ...berthDefinition, metadata: { name: 'other' } });
  assert.equal(code, 422);
  assert.match(body.message, /metadata\.name: Invalid value: "other": must be spec\.names\.plural\+"\."\+spec\.group/);
});
