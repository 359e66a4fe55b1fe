import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { formatProblem } from '../../src/api/field.ts';
import { type Compiled, compile } from '../../src/config/compile.ts';
import type { Json } from '../../src/lab/api-server/json.ts';
import type { Schema } from '../../src/lab/api-server/schema/schema.ts';
import { validate } from '../../src/lab/api-server/schema/validate.ts';
import { suite } from '../support/suite.ts';

/**
 * The contract between the CustomResourceDefinitions and the parsers, held against the same files: the schemas refuse
 * those marked `refused by: schema` and take all others; the parsers, which trust nobody, refuse all bad ones.
 */
const test = suite('config/resource-fixtures');

const root = new URL('../../', import.meta.url);

type Resource = { readonly kind: string };

for (const [file, objects] of fixtures('good')) {
  test(`${file} compiles`, () => {
    const compiled = compileAll(objects);
    assert.deepEqual('errors' in compiled ? compiled.errors.map(formatProblem) : [], []);
  });
  test(`${file} satisfies the schema`, () => assert.deepEqual(refusedBySchema(objects), []));
}

for (const [file, objects, text] of fixtures('bad')) {
  const [, refusedBy, field] = /^# refused by: (schema|semantics)\n# field: (\S+)\n/.exec(text) ?? [];
  test(`${file} is refused at ${field}`, () => {
    assert.ok(field, 'the fixture starts with "# refused by:" and "# field:"');
    const compiled = compileAll(objects);
    assert.ok('errors' in compiled);
    assert.deepEqual(
      compiled.errors.map((error) => error.field),
      [field],
    );
    const [error] = compiled.errors;
    assert.match(error?.object ?? '', /^(IPAddressPool|L2Advertisement) \S+\/\S+$/);
    assert.notEqual(error?.message, '');
  });
  test(`${file} ${refusedBy === 'schema' ? 'breaks' : 'satisfies'} the schema`, () => {
    assert.deepEqual(refusedBySchema(objects), refusedBy === 'schema' ? [field] : []);
  });
}

function fixtures(kind: 'good' | 'bad'): readonly (readonly [string, readonly Resource[], string])[] {
  const folder = new URL(`test/fixtures/resources/${kind}/`, root);
  const files = readdirSync(folder).sort();
  assert.notEqual(files.length, 0);
  return files.map((file) => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    return [file, parseAllDocuments(text).map((document) => document.toJS() as Resource), text] as const;
  });
}

function compileAll(objects: readonly Resource[]): Compiled {
  const ofKind = (kind: string) => objects.filter((object) => object.kind === kind);
  return compile({ pools: ofKind('IPAddressPool'), l2Advertisements: ofKind('L2Advertisement') });
}

function refusedBySchema(objects: readonly Resource[]): readonly string[] {
  return objects.flatMap((object) =>
    validate(object as unknown as Json, schemaOf(object.kind)).map((error) => error.field),
  );
}

function schemaOf(kind: string): Schema {
  const file = new URL(`deploy/crds/${kind.toLowerCase()}s.metallb.io.yaml`, root);
  const definition = parse(readFileSync(file, 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  };
  const [version] = definition.spec.versions;
  assert.ok(version);
  return version.schema.openAPIV3Schema;
}
