import assert from 'node:assert/strict';
import { findApiServer } from '../../../scripts/apiserver.mjs';
import type { JsonObject } from '../../../src/lab/api-server/json.ts';
import { type Manifest, manifests } from '../../deploy/manifests.ts';
import type { Body } from '../../lab/api-server/test-api.ts';
import { type FixtureObject, resourceFixtures } from '../../support/resource-fixtures.ts';
import { suite } from '../../support/suite.ts';
import { RealCluster, system } from './real-cluster.ts';

/**
 * What a real API server says of the fixtures by the CustomResourceDefinitions alone, its CEL rules included: it refuses
 * those marked `refused by: schema`, at the field that our parser blames, and takes all others.
 */
const test = suite('interop/apiserver/resource-fixtures');
const real = findApiServer();
const fixtures = resourceFixtures();

let cluster: RealCluster;
if (real.directory === undefined) test.skip('a real API server judges the fixtures as our parser does', real.problem);
else {
  const programs = real.directory;
  test.before(async () => {
    cluster = await RealCluster.create(programs, { objects: definitionsAlone() });
    const namespaces = fixtures.flatMap(({ objects }) => objects.map(({ metadata }) => metadata.namespace ?? system));
    for (const name of new Set(namespaces)) await cluster.admin.post('/api/v1/namespaces', { metadata: { name } });
  });
  test.after(() => cluster?.close());
  for (const { file, objects, refusedBy, field } of fixtures) {
    test(`${file} is ${refusedBy === 'schema' ? `refused at ${field}` : 'taken'}`, async () => {
      const blamed = [];
      for (const object of objects) blamed.push(...(await blamedFields(object)));
      assert.deepEqual([...new Set(blamed)], refusedBy === 'schema' ? [field] : []);
    });
  }
}

/** The definitions and the namespace; without conversion, which asks a webhook that nobody runs here. */
function definitionsAlone(): readonly Manifest[] {
  return manifests
    .filter(({ kind }) => kind === 'CustomResourceDefinition' || kind === 'Namespace')
    .map((object) => {
      const { conversion: _, ...spec } = (object.spec ?? {}) as Manifest['spec'] & { readonly conversion?: object };
      return object.kind === 'Namespace' ? object : ({ ...object, spec } as unknown as Manifest);
    });
}

/** The fields that the server complains of. A status is judged only when it is written by itself. */
async function blamedFields(object: FixtureObject): Promise<readonly string[]> {
  const { admin } = cluster;
  const { apiVersion, kind, metadata } = object;
  const collection = await cluster.collectionOf(apiVersion, kind, metadata.namespace ?? system);
  const body = object as unknown as JsonObject;
  const judged = await admin.post(`${collection}?dryRun=All`, body);
  if (judged.code !== 201) return fieldsOf(judged.body);
  if (object.status === undefined) return [];
  const created = await admin.post(collection, body);
  const path = `${collection}/${metadata.name}`;
  const written = await admin.put(`${path}/status`, { ...created.body, status: object.status });
  await admin.delete(path);
  return written.code === 200 ? [] : fieldsOf(written.body);
}

/**
 * `<nil>` is how the server says that it did not get as far as the CEL rules. A rule that cannot be evaluated on a value
 * refuses it as well; what else is wrong with that value says more.
 */
function fieldsOf({ code, message, details }: Body): readonly string[] {
  assert.equal(code, 422, message);
  const causes = details.causes.filter(({ field }: Body) => field !== '<nil>');
  const evaluated = causes.filter((cause: Body) => !cause.message.includes(' evaluating rule: '));
  return (evaluated.length > 0 ? evaluated : causes).map(({ field }: Body) => field);
}
