import assert from 'node:assert/strict';
import { type ApiProblem, Field } from '../../src/api/field.ts';
import { type LabelSelectorResource, readLabelSelector } from '../../src/api/label-selector.ts';
import type { Labels } from '../../src/api/resource.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/label-selector');

function read(raw: unknown) {
  const problems: ApiProblem[] = [];
  return { selector: readLabelSelector(Field.root('Thing one', raw, problems)), problems };
}

function expression(operator: string, values?: readonly string[], key = 'tier'): LabelSelectorResource {
  return { matchExpressions: [{ key, operator, ...(values && { values }) }] };
}

const none: Labels = {};
const web: Labels = { tier: 'web' };
const db: Labels = { tier: 'db', zone: 'a' };

for (const [raw, text, matching, others] of [
  [{}, '', [none, web, db], []],
  [{ matchLabels: { tier: 'web' } }, 'tier=web', [web], [none, db]],
  [{ matchLabels: { tier: '' } }, 'tier=', [{ tier: '' }], [none, web]],
  [expression('In', ['db', 'cache']), 'tier in (cache,db)', [db], [none, web]],
  [expression('NotIn', ['web']), 'tier notin (web)', [none, db], [web]],
  [expression('Exists'), 'tier', [web, db], [none]],
  [expression('DoesNotExist'), '!tier', [none], [web, db]],
  [expression('Exists', undefined, 'toString'), 'toString', [], [none, web]],
  [
    { matchLabels: { zone: 'a' }, ...expression('NotIn', ['web']) },
    'tier notin (web),zone=a',
    [db, { zone: 'a' }],
    [none, web, { tier: 'web', zone: 'a' }],
  ],
] as const) {
  test(`"${text}" matches what it should, and nothing else`, () => {
    const { selector, problems } = read(raw);
    assert.deepEqual(problems, []);
    assert.equal(String(selector), text);
    for (const labels of matching) assert.equal(selector.matches(labels), true, JSON.stringify(labels));
    for (const labels of others) assert.equal(selector.matches(labels), false, JSON.stringify(labels));
  });
}

for (const key of ['a', 'A-b_c.d', 'example.com/a', 'a.b-c.example/x', 'a'.repeat(63), `${'a'.repeat(253)}/b`]) {
  test(`${key.slice(0, 40)} (${key.length}) is a label key`, () => {
    assert.deepEqual(read(expression('Exists', undefined, key)).problems, []);
  });
}

for (const key of [
  '',
  '-a',
  'a-',
  'a/',
  '/a',
  'a/b/c',
  'A.com/a',
  'a b',
  'é',
  'a'.repeat(64),
  `${'a'.repeat(254)}/b`,
]) {
  test(`"${key.slice(0, 40)}" (${key.length}) is no label key`, () => {
    assert.equal(read(expression('Exists', undefined, key)).problems[0]?.field, 'matchExpressions[0].key');
  });
}

for (const value of ['-a', 'a-', 'a/b', 'a b', 'a'.repeat(64)]) {
  test(`"${value.slice(0, 40)}" is no label value`, () => {
    assert.equal(read({ matchLabels: { tier: value } }).problems[0]?.field, 'matchLabels.tier');
    assert.equal(read(expression('In', ['ok', value])).problems[0]?.field, 'matchExpressions[0].values[1]');
  });
}

test('an unknown operator is told together with the ones there are', () => {
  const [problem] = read(expression('Matches', ['x'])).problems;
  assert.equal(problem?.field, 'matchExpressions[0].operator');
  assert.equal(problem?.value, 'Matches');
  assert.match(problem?.message ?? '', /In, NotIn, Exists, DoesNotExist/);
});

test('the order of labels, expressions and values means nothing', () => {
  const one = read({
    matchLabels: { a: '1', b: '2' },
    matchExpressions: [
      { key: 'c', operator: 'In', values: ['x', 'y'] },
      { key: 'd', operator: 'Exists' },
    ],
  });
  const other = read({
    matchLabels: { b: '2', a: '1' },
    matchExpressions: [
      { key: 'd', operator: 'Exists' },
      { key: 'c', operator: 'In', values: ['y', 'x'] },
    ],
  });
  assert.deepEqual(one, other);
});
