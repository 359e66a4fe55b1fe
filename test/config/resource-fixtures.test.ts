import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { needExpressions } from '../../src/lab/api-server/schema/expression.ts';
import { suite } from '../support/suite.ts';
import { compileAll, fixtures, refusalsOfServer } from './fixtures.ts';

/**
 * The contract between the CustomResourceDefinitions and the parsers, held against the same files: the definitions
 * refuse those marked `refused by: schema` and take all others; the parsers, which trust nobody, refuse all bad ones.
 */
const test = suite('config/resource-fixtures');

test.before(() => needExpressions());

for (const { file, objects } of fixtures('good')) {
  test(`${file} compiles`, () => {
    const compiled = compileAll(objects);
    assert.deepEqual('errors' in compiled ? compiled.errors.map(formatProblem) : [], []);
  });
  test(`${file} is taken by the API server`, () => assert.deepEqual(refusalsOfServer(objects), []));
}

for (const { file, objects, refusedBy, field } of fixtures('bad')) {
  test(`${file} is refused at ${field}`, () => {
    assert.ok(refusedBy && field, 'the fixture starts with "# refused by:" and "# field:"');
    const compiled = compileAll(objects);
    assert.ok('errors' in compiled);
    assert.deepEqual([...new Set(compiled.errors.map((error) => error.field))], [field]);
    for (const { object, message } of compiled.errors) {
      assert.match(object, /^[A-Z][A-Za-z0-9]+ ([a-z0-9-]+\/)?[a-z0-9-]+$/);
      assert.notEqual(message, '');
    }
  });
  test(`${file} is ${refusedBy === 'schema' ? 'refused' : 'taken'} by the API server`, () => {
    const refused = refusalsOfServer(objects).map((refusal) => refusal.field);
    assert.deepEqual([...new Set(refused)], refusedBy === 'schema' ? [field] : []);
  });
}
