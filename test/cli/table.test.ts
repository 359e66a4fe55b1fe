import assert from 'node:assert/strict';
import fc from 'fast-check';
import { table } from '../../src/cli/table.ts';
import { suite } from '../support/suite.ts';

const test = suite('cli/table');

const columns = [
  { heading: 'NAME', cell: ([name]: readonly (string | number | undefined)[]) => name },
  { heading: 'COUNT', cell: ([, count]: readonly (string | number | undefined)[]) => count },
  { heading: 'NOTE', cell: ([, , note]: readonly (string | number | undefined)[]) => note },
];

test('columns are as wide as what stands in them, and what is unknown is a dash', () => {
  assert.equal(
    table(columns, [
      ['a-long-name', 0, 'all well'],
      ['b', undefined, ''],
    ]),
    ['NAME          COUNT   NOTE', 'a-long-name   0       all well', 'b             -       -'].join('\n'),
  );
});

test('a table without rows is its headings', () => assert.equal(table(columns, []), 'NAME   COUNT   NOTE'));

test('no cell ends its line or moves the cursor', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.nat(), fc.string({ unit: 'binary' }))), (rows) => {
      const lines = table(columns, rows).split('\n');
      assert.equal(lines.length, rows.length + 1);
      for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}]/u);
    }),
  );
});
