import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ApiObject } from '../../../src/lab/api-server/json.ts';
import { historyLength, Store } from '../../../src/lab/api-server/store.ts';
import { suite } from '../../support/suite.ts';

const test = suite('lab/api-server/store');

const object = (name: string, value = 0): ApiObject => ({ apiVersion: 'v1', kind: 'Thing', metadata: { name }, value });

test('counts one revision for every change and writes it into the object', () => {
  const store = new Store();
  const first = store.put('things', object('a'));
  const second = store.put('things', object('a', 1));
  const gone = store.remove('things', 'a');
  const revisions = [first, second, gone].map((one) => Number(one?.metadata.resourceVersion));
  assert.deepEqual(revisions, [2, 3, 4]);
  assert.equal(store.revision, 4);
  assert.deepEqual(
    store.since(1)?.map(({ type }) => type),
    ['ADDED', 'MODIFIED', 'DELETED'],
  );
});

test('lists in the order of the keys, one namespace or all', () => {
  const store = new Store();
  for (const [namespace, name] of [
    ['b', 'x'],
    ['a', 'y'],
    ['a', 'x'],
    ['a-b', 'x'],
  ] as const) {
    store.put('things', { apiVersion: 'v1', kind: 'Thing', metadata: { namespace, name } });
  }
  const keys = (namespace?: string) =>
    store.list('things', namespace).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  assert.deepEqual(keys(), ['a-b/x', 'a/x', 'a/y', 'b/x']);
  assert.deepEqual(keys('a'), ['a/x', 'a/y']);
});

test('forgets with compaction and after a full history, and says so', () => {
  const store = new Store();
  for (let i = 0; i < 2 * historyLength; i++) store.put('things', object('a', i));
  assert.notEqual(store.since(1), undefined);
  store.put('things', object('a', -1));
  assert.equal(store.since(1), undefined);
  assert.equal(store.since(store.revision - historyLength)?.length, historyLength);
  store.compact();
  assert.equal(store.since(store.revision - 1), undefined);
  assert.deepEqual(store.since(store.revision), []);
});

test('knows no future revision', () => {
  const store = new Store();
  assert.equal(store.since(store.revision + 1), undefined);
  assert.equal(store.listAt(store.revision + 1, 'things'), undefined);
});

test('listAt returns for every past revision what list returned then', () => {
  const step = fc.record(
    {
      resource: fc.constantFrom('things', 'others'),
      name: fc.constantFrom('a', 'b', 'c'),
      value: fc.nat(),
      remove: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const store = new Store();
      const states: { revision: number; things: ApiObject[] }[] = [];
      for (const { resource, name, value, remove } of steps) {
        if (remove) store.remove(resource, name);
        else store.put(resource, object(name, value));
        states.push({ revision: store.revision, things: store.list('things') });
      }
      for (const { revision, things } of states) assert.deepEqual(store.listAt(revision, 'things'), things);
    }),
  );
});
