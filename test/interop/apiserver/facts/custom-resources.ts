import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../../src/lab/api-server/json.ts';
import { type Body, berth, berthDefinition } from '../../../lab/api-server/test-api.ts';
import { eventually } from '../../../support/suite.ts';
import { causesOf, type Fact, fact } from './fact.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const wrong: readonly (readonly [name: string, spec: Json, causes: readonly string[]])[] = [
  ['without a specification', null, ['spec: Required value']],
  ['without a field', {}, ['spec.addresses: Required value']],
  [
    'with a value of the wrong type',
    { addresses: 'x' },
    ['spec.addresses: Invalid value: "string": spec.addresses in body must be of type array: "string"'],
  ],
  [
    'with a value of the wrong type in a list',
    { addresses: ['192.0.2.1', 7] },
    ['spec.addresses[1]: Invalid value: "integer": spec.addresses[1] in body must be of type string: "integer"'],
  ],
  [
    'with a fraction for an integer',
    { addresses: ['1'], depth: 1.5 },
    ['spec.depth: Invalid value: "number": spec.depth in body must be of type integer: "number"'],
  ],
  [
    'with too few items',
    { addresses: [] },
    ['spec.addresses: Invalid value: 0: spec.addresses in body should have at least 1 items'],
  ],
  [
    'with too many items',
    { addresses: ['1', '2', '3', '4', '5'] },
    ['spec.addresses: Too many: 5: must have at most 4 items'],
  ],
  [
    'with an unknown word',
    { addresses: ['1'], side: 'left' },
    ['spec.side: Unsupported value: "left": supported values: "port", "starboard"'],
  ],
  [
    'against a pattern',
    { addresses: ['x'] },
    ['spec.addresses[0]: Invalid value: "x": spec.addresses[0] in body should match \'^[0-9./]+$\''],
  ],
  [
    'below a minimum',
    { addresses: ['1'], depth: 0 },
    ['spec.depth: Invalid value: 0: spec.depth in body should be greater than or equal to 1'],
  ],
  [
    'with neither integer nor text',
    { addresses: ['1'], width: true },
    ['spec.width: Invalid value: "boolean": spec.width in body must be of type integer,string: "boolean"'],
  ],
  [
    'with too long a text',
    { addresses: ['1'], note: 'x'.repeat(11) },
    ['spec.note: Too long: may not be more than 10 bytes'],
  ],
  [
    'with too short a text',
    { addresses: ['1'], note: 'x' },
    ['spec.note: Invalid value: "x": spec.note in body should be at least 2 chars long'],
  ],
  [
    'with a date that is none',
    { addresses: ['1'], since: 'yesterday' },
    ['spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday"'],
  ],
  [
    'with a wrong value in a map',
    { addresses: ['1'], labels: { a: 1 } },
    ['spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer"'],
  ],
  [
    'with one key twice in a list map',
    { addresses: ['1'], cranes: [{ name: 'a' }, { name: 'a' }] },
    ['spec.cranes[1]: Duplicate value: {"name":"a"}'],
  ],
  ['with a value twice in a set', { addresses: ['1'], flags: ['a', 'a'] }, ['spec.flags[1]: Duplicate value: "a"']],
];

const stored: readonly (readonly [name: string, spec: JsonObject, want: JsonObject])[] = [
  ['defaults are filled in', {}, {}],
  ['a null is dropped for the default', { side: null }, {}],
  ['a null without a default is dropped', { depth: null }, {}],
  ['a null that is a value is kept', { note: null }, { note: null }],
  ['an integer is taken where both may be', { width: 5 }, { width: 5 }],
  ['a text is taken where both may be', { width: '5%' }, { width: '5%' }],
  [
    'unknown fields are pruned',
    { nonsense: 1, cranes: [{ name: 'a', colour: 'red' }] },
    { cranes: [{ name: 'a', kind: 'gantry' }] },
  ],
  ['unknown fields are kept where the schema says so', { anything: { goes: [1] } }, { anything: { goes: [1] } }],
  ['a free map is kept', { labels: { a: 'b' } }, { labels: { a: 'b' } }],
];

/** What a real server adds when it did not get as far as the CEL rules of a definition. */
const celWasSkipped = /^<nil>: Invalid value: null: some validation rules were not checked/;

export const customResourceFacts: readonly Fact[] = [
  ...wrong.map(([name, spec, causes]) =>
    fact(`a custom resource ${name} is refused`, async ({ api, berths }) => {
      const { code, body } = await api.post(berths, { ...berth('x'), spec });
      assert.equal(code, 422);
      const told = causesOf(body).filter((cause) => !celWasSkipped.test(cause));
      assert.deepEqual(told, causes);
      assert.ok(body.message.startsWith('Berth.harbour.example "x" is invalid: '), body.message);
    }),
  ),

  ...stored.map(([name, spec, want]) =>
    fact(`${name} in what is stored of a custom resource`, async ({ api, berths }) => {
      const { code, body } = await api.post(berths, berth('x', spec));
      assert.equal(code, 201, body.message);
      assert.deepEqual(body.spec, { addresses: ['192.0.2.0/24'], side: 'port', open: true, ...want });
    }),
  ),

  fact('Strict refuses unknown fields, and names them all', async ({ api, berths }) => {
    const { code, body } = await api.post(`${berths}?fieldValidation=Strict`, {
      ...berth('x', { a: 1, cranes: [{ name: 'n', b: 2 }] }),
      c: 3,
    });
    assert.equal(code, 400);
    const named = [...body.message.matchAll(/unknown field "([^"]+)"/g)].map(([, field]) => field);
    assert.deepEqual(named.sort(), ['c', 'spec.a', 'spec.cranes[0].b']);
  }),

  fact('a status is held to its schema too', async ({ api, berths }) => {
    await api.post(berths, berth('x'));
    const { code, body } = await api.merge(`${berths}/x/status`, { status: { free: -1 } });
    assert.equal(code, 422);
    assert.match(
      body.message,
      /status\.free: Invalid value: -1: (status\.)?free in body should be greater than or equal to 0/,
    );
  }),

  fact('the status subresource writes the status alone, and nothing else writes it', async ({ api, berths }) => {
    const created = await api.post(berths, { ...berth('a'), status: { free: 1 } });
    assert.equal(created.body.status, undefined);
    const updated = await api.merge(`${berths}/a/status`, {
      metadata: { labels: { x: 'y' } },
      spec: { depth: 9 },
      status: { free: 2 },
    });
    const { metadata, spec, status } = updated.body;
    assert.deepEqual([metadata.labels, spec.depth, status], [undefined, undefined, { free: 2 }]);
    const main = await api.merge(`${berths}/a`, { spec: { depth: 9 }, status: { free: 5 } });
    assert.deepEqual([main.body.spec.depth, main.body.status], [9, { free: 2 }]);
  }),

  fact('a custom resource is not replaced without a revision', async ({ api, berths }) => {
    await api.post(berths, berth('a'));
    const { code, body } = await api.put(`${berths}/a`, berth('a'));
    assert.equal(code, 422);
    assert.match(body.message, /metadata.resourceVersion: Invalid value: 0: must be specified for an update$/);
  }),

  fact(
    'a definition is served once it is established, and gone when it is deleted',
    async ({ api, berths, namespace }) => {
      const plural = `p${namespace.replaceAll('-', '')}`;
      const text = JSON.stringify(berthDefinition)
        .replaceAll('berths', plural)
        .replaceAll('Berth', 'Crane')
        .replaceAll('"bt"', '"cr"');
      const definition = JSON.parse(text) as JsonObject;
      const { code } = await api.post(definitions, definition);
      assert.equal(code, 201);
      const path = `${definitions}/${plural}.harbour.example`;
      const conditions = async (): Promise<readonly string[]> =>
        ((await api.get(path)).body.status.conditions ?? []).map(({ type, status }: Body) => `${type}=${status}`);
      await eventually('it is established', async () => (await conditions()).includes('Established=True'));
      assert.deepEqual([...(await conditions())].sort(), ['Established=True', 'NamesAccepted=True']);
      const cranes = berths.replace('berths', plural);
      await eventually('it is served', async () => (await api.get(cranes)).code === 200);
      assert.equal((await api.post(cranes, { ...berth('a'), kind: 'Crane' })).code, 201);
      await api.delete(path);
      await eventually('it is gone', async () => (await api.get(cranes)).code === 404);
    },
  ),

  fact('a definition whose name does not fit is refused', async ({ api }) => {
    const { code, body } = await api.post(definitions, { ...berthDefinition, metadata: { name: 'other' } });
    assert.equal(code, 422);
    assert.match(
      body.message,
      /metadata\.name: Invalid value: "other": must be spec\.names\.plural\+"\."\+spec\.group/,
    );
  }),
];
