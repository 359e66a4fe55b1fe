import assert from 'node:assert/strict';
import {
  apiVersionOf,
  collectionPath,
  endpointSlices,
  keyOf,
  nodes,
  objectPath,
  services,
  splitKey,
} from '../../src/kubernetes/resource.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/resource');

const paths: [string, string, string][] = [
  ['all objects of the core group', collectionPath(services), '/api/v1/services'],
  ['the objects of a namespace', collectionPath(services, 'shop'), '/api/v1/namespaces/shop/services'],
  ['another group', collectionPath(endpointSlices), '/apis/discovery.k8s.io/v1/endpointslices'],
  ['an object', objectPath(services, 'shop/web'), '/api/v1/namespaces/shop/services/web'],
  ['an object of the cluster', objectPath(nodes, 'n1'), '/api/v1/nodes/n1'],
  ['a subresource', objectPath(services, 'shop/web', 'status'), '/api/v1/namespaces/shop/services/web/status'],
  ['a name that is no plain text', objectPath(nodes, 'a?b'), '/api/v1/nodes/a%3Fb'],
];

for (const [name, path, expected] of paths) test(`the path of ${name}`, () => assert.equal(path, expected));

test('a key of the wrong scope is refused before it becomes another path', () => {
  assert.throws(() => objectPath(services, 'web'), /"web" is no key of services/);
  assert.throws(() => objectPath(nodes, 'shop/n1'), /"shop\/n1" is no key of nodes/);
});

test('a key and its parts are two forms of one thing', () => {
  for (const metadata of [{ namespace: 'shop', name: 'web' }, { name: 'n1' }]) {
    assert.deepEqual(splitKey(keyOf({ metadata })), metadata);
  }
});

test('the version of the core group stands alone', () => {
  assert.equal(apiVersionOf(services), 'v1');
  assert.equal(apiVersionOf(endpointSlices), 'discovery.k8s.io/v1');
});
