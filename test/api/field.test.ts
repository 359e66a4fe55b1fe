import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type ApiProblem, Field, formatProblem } from '../../src/api/field.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/field');

function read<T>(value: unknown, reader: (root: Field) => T): { result: T; problems: readonly ApiProblem[] } {
  const problems: ApiProblem[] = [];
  return { result: reader(Field.root('Thing one', value, problems)), problems };
}

const spec = { on: true, count: 3, name: 'x', names: ['a', 'b'], labels: { a: 'b' }, nothing: null };

for (const [name, reader, expected] of [
  ['a flag', (root: Field) => root.at('on').flag(), true],
  ['a number', (root: Field) => root.at('count').integer(), 3],
  ['a text', (root: Field) => root.at('name').text(), 'x'],
  ['a list of texts', (root: Field) => root.at('names').texts(), ['a', 'b']],
  ['a map of texts', (root: Field) => root.at('labels').textMap(), { a: 'b' }],
  ['null as absent', (root: Field) => root.at('nothing').absent, true],
  ['an absent text as undefined', (root: Field) => root.at('other').text(), undefined],
  ['an absent list as empty', (root: Field) => root.at('other').texts(), []],
  ['an absent object as one without fields', (root: Field) => root.at('other').at('deep').text(), undefined],
  ['an inherited property as absent', (root: Field) => root.at('constructor').absent, true],
] as const) {
  test(`reads ${name}`, () => assert.deepEqual(read<unknown>(spec, reader), { result: expected, problems: [] }));
}

for (const [name, reader, field] of [
  ['a text for a flag', (root: Field) => root.at('name').flag(), 'name'],
  ['a text for a number', (root: Field) => root.at('name').integer(), 'name'],
  ['a number for a text', (root: Field) => root.at('count').text(), 'count'],
  ['a text for a list', (root: Field) => root.at('name').texts(), 'name'],
  ['a list for an object', (root: Field) => root.at('names').at('deep').text(), 'names'],
  ['a missing field that is required', (root: Field) => root.at('deep').at('er').required(), 'deep.er'],
] as const) {
  test(`notes ${name}`, () => {
    const { problems } = read<unknown>(spec, reader);
    assert.deepEqual(
      problems.map((problem) => problem.field),
      [field],
    );
  });
}

test('a place is refused once, and nothing below it', () => {
  const { problems } = read({ list: [{}] }, (root) => {
    root.at('list').refuse('first');
    root.at('list').refuse('second');
    root.at('list').items()[0]?.at('x').required();
    root.at('listing').refuse('another place');
  });
  assert.deepEqual(
    problems.map(({ field, message }) => [field, message]),
    [
      ['list', 'first'],
      ['listing', 'another place'],
    ],
  );
});

test('a problem is one line that names object, place, value and remedy', () => {
  const { problems } = read({ list: ['a', 'a'] }, (root) => root.at('list').distinctTexts());
  assert.deepEqual(problems.map(formatProblem), [
    'Thing one: list[1]: is listed twice: remove one of the two (found "a")',
  ]);
});

test('an object wrong in a million places is described by its first hundred', () => {
  const { problems } = read(new Array(100_000).fill(7), (root) => root.texts());
  assert.equal(problems.length, 100);
});

test('any value can be read as anything', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      read(value, (root) => {
        root.flag();
        root.integer();
        root.text();
        root.texts();
        root.distinctTexts();
        root.textMap();
        root.at('x').items();
      });
    }),
  );
});
