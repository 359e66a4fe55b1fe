import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../../src/lab/api-server/json.ts';
import { type Logger, silentLogger } from '../../../../src/runtime/logger.ts';
import { suite } from '../../../support/suite.ts';
import { TestApi } from '../test-api.ts';

/** Rules as the real server has them: the wording, and when they are evaluated. */
const test = suite('lab/api-server/schema/rules');

const text: JsonObject = { type: 'string' };
const int: JsonObject = { type: 'integer' };

function definition(spec: JsonObject, root: JsonObject = {}): JsonObject {
  const schema = { type: 'object', ...root, properties: { spec } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'locks.harbour.example' },
    spec: {
      group: 'harbour.example',
      scope: 'Namespaced',
      names: { plural: 'locks', kind: 'Lock' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

const locks = '/apis/harbour.example/v1/namespaces/default/locks';
const lock = (spec: Json) => ({ apiVersion: 'harbour.example/v1', kind: 'Lock', metadata: { name: 'one' }, spec });

async function withDefinition<T>(
  crd: JsonObject,
  run: (api: TestApi) => Promise<T>,
  log: Logger = silentLogger,
): Promise<T> {
  const api = await TestApi.start({ crds: [crd], log });
  try {
    return await run(api);
  } finally {
    await api.close();
  }
}

const causesOf = (body: { details?: { causes?: { field: string; message: string }[] } }) =>
  (body.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);

/** The causes of the refusal of a Lock by a specification with one rule. */
function refusal(spec: JsonObject, value: Json): Promise<readonly string[]> {
  return withDefinition(definition(spec), async (api) => causesOf((await api.post(locks, lock(value))).body));
}

const rules = (...list: readonly JsonObject[]): JsonObject => ({ 'x-kubernetes-validations': [...list] });
const object = (properties: JsonObject, ...list: readonly JsonObject[]): JsonObject => ({
  type: 'object',
  properties,
  ...rules(...list),
});

for (const [name, spec, value, causes] of [
  [
    'a rule without a message shows itself',
    object({ a: int }, { rule: 'self.a > 1' }),
    { a: 1 },
    ['spec: Invalid value: "object": failed rule: self.a > 1'],
  ],
  [
    'a message is trimmed',
    object({ a: int }, { rule: 'self.a > 1', message: ' must be more than 1\n' }),
    { a: 1 },
    ['spec: Invalid value: "object": must be more than 1'],
  ],
  [
    'an expression makes the message',
    object({ a: int }, { rule: 'self.a > 1', message: 'no', messageExpression: '"not " + string(self.a)' }),
    { a: 1 },
    ['spec: Invalid value: "object": not 1'],
  ],
  [
    'an expression that makes no text leaves the message',
    object({ a: int }, { rule: 'self.a > 1', message: 'no', messageExpression: 'self.b' }),
    { a: 1 },
    ['spec: Invalid value: "object": no'],
  ],
  [
    'a rule can blame a field and give a reason',
    object({ a: int }, { rule: 'has(self.a)', message: 'say it', fieldPath: '.a', reason: 'FieldValueRequired' }),
    {},
    ['spec.a: Required value: say it'],
  ],
  [
    'each broken rule is told',
    object({ a: int }, { rule: 'self.a > 1' }, { rule: 'self.a > 0' }, { rule: 'self.a > 2' }),
    { a: 1 },
    [
      'spec: Invalid value: "object": failed rule: self.a > 1',
      'spec: Invalid value: "object": failed rule: self.a > 2',
    ],
  ],
  [
    'a rule that fails says why',
    object({ a: int, b: int }, { rule: 'self.a > self.b', message: 'too small' }),
    { a: 1 },
    ['spec: Invalid value: "object": no such key: b evaluating rule: too small'],
  ],
  [
    'rules of entries and fields are held against each',
    object({
      list: { type: 'array', items: { ...text, ...rules({ rule: 'self.size() > 1' }) } },
      map: { type: 'object', additionalProperties: { ...int, ...rules({ rule: 'self != 2' }) } },
    }),
    { list: ['ab', 'a'], map: { x: 1, y: 2 } },
    [
      'spec.list[1]: Invalid value: "string": failed rule: self.size() > 1',
      'spec.map.y: Invalid value: "integer": failed rule: self != 2',
    ],
  ],
  ['what is not there is held against no rule', object({ a: { ...int, ...rules({ rule: 'false' }) } }), {}, []],
  [
    'an error of the schema stops all rules',
    { ...object({ a: int }, { rule: 'false' }), required: ['b'] },
    {},
    [
      'spec.b: Required value',
      '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    ],
  ],
  [
    'a value out of bounds stops none',
    object({ a: { ...int, maximum: 1 } }, { rule: 'false' }),
    { a: 2 },
    [
      'spec.a: Invalid value: 2: spec.a in body should be less than or equal to 1',
      'spec: Invalid value: "object": failed rule: false',
    ],
  ],
  [
    'names that are no identifiers are escaped',
    object({ 'a-b': int, namespace: int }, { rule: 'self.a__dash__b == self.__namespace__' }),
    { 'a-b': 1, namespace: 2 },
    ['spec: Invalid value: "object": failed rule: self.a__dash__b == self.__namespace__'],
  ],
  [
    'numbers, dates and int-or-text are what their schema says',
    object(
      { n: { type: 'number' }, at: { ...text, format: 'date-time' }, w: { 'x-kubernetes-int-or-string': true } },
      { rule: 'self.n == 1.5 && self.at.getFullYear() == 2026 && type(self.w) == int' },
    ),
    { n: 1.5, at: '2026-01-02T03:04:05Z', w: 3 },
    [],
  ],
] as const) {
  test(name, async () => assert.deepEqual(await refusal(spec as JsonObject, value as Json), causes));
}

for (const [expression, holds] of [
  ["isIP('192.0.2.1') && isIP('2001:db8::1')", true],
  ["isIP('192.0.2.01') || isIP('::ffff:192.0.2.1') || isIP('fe80::1%eth0') || isIP('192.0.2.0/24')", false],
  ["ip('2001:DB8:0::1') == ip('2001:db8::1')", true],
  ["string(ip('2001:DB8:0::1')) == '2001:db8::1'", true],
  ["ip('192.0.2.1').family() == 4 && ip('::1').family() == 6", true],
  ["isCIDR('192.0.2.7/24') && isCIDR('::/0')", true],
  ["isCIDR('192.0.2.0/33') || isCIDR('192.0.2.0/024') || isCIDR('192.0.2.0')", false],
  ["cidr('192.0.2.7/24').containsIP('192.0.2.255') && !cidr('192.0.2.7/24').containsIP(ip('192.0.3.0'))", true],
  ["cidr('192.0.2.7/24').containsIP('::1')", false],
  ["cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))", true],
  ["cidr('192.0.2.7/24').ip() == ip('192.0.2.7') && cidr('192.0.2.7/24').masked() == cidr('192.0.2.0/24')", true],
  ["cidr('192.0.2.0/24').prefixLength() == 24", true],
  ["[1, 2, 2].isSorted() && !['b', 'a'].isSorted()", true],
  ['[1, 2].sum() == 3 && [3, 1].min() == 1 && [3, 1].max() == 3', true],
  ["['a', 'b', 'a'].indexOf('a') == 0 && ['a', 'b', 'a'].lastIndexOf('a') == 2", true],
  ["'abc 123'.find('[0-9]+') == '123' && '1 a 2'.findAll('[0-9]') == ['1', '2']", true],
  [
    "'a:b'.split(':') == ['a', 'b'] && ' a '.trim() == 'a' && 'abc'.substring(1) == 'bc' && 'A'.lowerAscii() == 'a'",
    true,
  ],
  ["duration('1m30s') == duration('90s') && duration('90s').getSeconds() == 90", true],
] as const) {
  test(`${expression} is ${holds}`, async () => {
    assert.deepEqual(await refusal(object({ a: int }, { rule: `(${expression}) == ${holds}` }), {}), []);
  });
}

test('a rule at the root sees the name', async () => {
  const rule = rules({ rule: "self.metadata.name == 'other'", message: 'is called otherwise' });
  await withDefinition(definition({ type: 'object' }, rule), async (api) => {
    const causes = causesOf((await api.post(locks, lock({}))).body);
    assert.deepEqual(causes, ['<nil>: Invalid value: "object": is called otherwise']);
  });
});

const changing = object({
  fixed: { ...int, ...rules({ rule: 'self == oldSelf', message: 'is fixed' }) },
  other: { ...int, ...rules({ rule: 'self < 10' }) },
  doors: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: {
      ...object({ name: text, size: int }, { rule: 'self.size >= oldSelf.size', message: 'shrinks' }),
      required: ['name'],
    },
  },
});

for (const [name, before, after, causes] of [
  ['what is new', {}, { fixed: 1 }, []],
  ['what is gone', { fixed: 1 }, {}, []],
  ['what stays', { fixed: 1 }, { fixed: 1, other: 2 }, []],
  ['what changes', { fixed: 1 }, { fixed: 2 }, ['spec.fixed: Invalid value: "integer": is fixed']],
  [
    'entries with a name, wherever they stand',
    {
      doors: [
        { name: 'a', size: 1 },
        { name: 'b', size: 2 },
      ],
    },
    {
      doors: [
        { name: 'b', size: 1 },
        { name: 'c', size: 0 },
        { name: 'a', size: 1 },
      ],
    },
    ['spec.doors[0]: Invalid value: "object": shrinks'],
  ],
] as const) {
  test(`a rule about the state before holds for ${name}`, () =>
    withDefinition(definition(changing), async (api) => {
      assert.equal((await api.post(locks, lock(before as Json))).code, 201);
      const update = await api.request(
        'PATCH',
        `${locks}/one`,
        [{ op: 'replace', path: '/spec', value: after as Json }],
        {
          type: 'application/json-patch+json',
        },
      );
      assert.deepEqual(causesOf(update.body), causes);
    }));
}

test('an update is not refused for what was there before it', async () => {
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/locks.harbour.example';
  await withDefinition(definition(object({ other: int, fixed: int })), async (api) => {
    await api.post(locks, lock({ other: 11, fixed: 1 }));
    const { body } = await api.get(definitions);
    body.spec.versions[0].schema.openAPIV3Schema.properties.spec = changing;
    assert.equal((await api.put(definitions, body)).code, 200);
    assert.equal((await api.merge(`${locks}/one`, { metadata: { labels: { a: 'b' } } })).code, 200);
    const { body: refused } = await api.merge(`${locks}/one`, { spec: { other: 12 } });
    assert.deepEqual(causesOf(refused), ['spec.other: Invalid value: "integer": failed rule: self < 10']);
  });
});

for (const [name, rule, why] of [
  ['no expression', 'self.', /compilation failed: .*expecting end of input/],
  ['a function that this server does not have', "quantity('1') == self", /undeclared reference to 'quantity'/],
] as const) {
  test(`a definition with ${name} is refused when it comes`, async () => {
    const api = await TestApi.start({ crds: [] });
    try {
      const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      const { code, body } = await api.post(definitions, definition(object({ a: int }, { rule })));
      assert.equal(code, 422);
      assert.match(body.message, why);
    } finally {
      await api.close();
    }
  });
}

test('what this server does otherwise is logged', async () => {
  const lines: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (event, fields) => lines.push([event, fields?.text]) };
  const crd = definition(object({ a: int }, { rule: 'self == oldSelf', optionalOldSelf: true }));
  await withDefinition(crd, async () => {}, log);
  const told = 'locks.harbour.example: rules with optionalOldSelf are evaluated by this server as if it were false';
  assert.deepEqual(lines, [['definition not fully supported', told]]);
});
