import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { keyOf } from '../../src/kubernetes/resource.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/store');

function object(name: string, resourceVersion: string, uid = name, app?: string): KubernetesObject {
  return { metadata: { name, uid, resourceVersion, ...(app !== undefined && { labels: { app } }) } };
}

const byApp = { app: ({ metadata }: KubernetesObject) => (metadata.labels?.app ? [metadata.labels.app] : []) };

/** A store and the changes it reported, as `now/before` versions. */
function observed() {
  const store = new Store<KubernetesObject, 'app'>({ log: silentLogger, indexes: byApp });
  const changes: string[] = [];
  const version = (of: KubernetesObject | undefined) => of?.metadata.resourceVersion ?? '-';
  store.onChange((key, now, before) => changes.push(`${key} ${version(now)}/${version(before)}`));
  return { store, changes };
}

test('reports what an object is now and was before', () => {
  const { store, changes } = observed();
  store.set(object('a', '1'));
  store.set(object('a', '2'));
  store.delete('a');
  assert.deepEqual(changes, ['a 1/-', 'a 2/1', 'a -/2']);
  assert.equal(store.size, 0);
});

test('a replace reports only what differs', () => {
  const { store, changes } = observed();
  store.replace([object('a', '1'), object('b', '1'), object('c', '1')]);
  changes.length = 0;
  store.replace([object('a', '1'), object('b', '2'), object('d', '1')]);
  assert.deepEqual(changes.sort(), ['b 2/1', 'c -/1', 'd 1/-']);
});

test('has synced from the first replace on, even by nothing', () => {
  const { store } = observed();
  store.set(object('a', '1'));
  assert.equal(store.hasSynced, false);
  store.replace([]);
  assert.equal(store.hasSynced, true);
});

test('what an earlier run has left is reported, and the list after it reports only what differs', () => {
  const { store, changes } = observed();
  store.restore([object('a', '1'), object('b', '1'), object('c', '1')]);
  assert.equal(store.hasSynced, true);
  assert.deepEqual(changes, ['a 1/-', 'b 1/-', 'c 1/-']);
  changes.length = 0;
  store.replace([object('a', '1'), object('b', '2')]);
  assert.deepEqual(changes.sort(), ['b 2/1', 'c -/1']);
});

test('an object of an earlier run that kept less of it is taken for another, at the first list only', () => {
  const { store, changes } = observed();
  store.restore([object('a', '1')]);
  changes.length = 0;
  store.replace([object('a', '1', 'a', 'web')]);
  store.replace([object('a', '1')]);
  assert.deepEqual(changes, ['a 1/1']);
  assert.equal(store.by('app', 'web').length, 1);
});

for (const how of ['replace', 'set'] as const) {
  test(`an object that was deleted and created again is reported as both, by ${how}`, () => {
    const { store, changes } = observed();
    store.set(object('a', '1', 'first'));
    if (how === 'set') store.set(object('a', '5', 'second'));
    else store.replace([object('a', '5', 'second')]);
    assert.deepEqual(changes, ['a 1/-', 'a -/1', 'a 5/-']);
  });
}

test('deleting what is not there is no change', () => {
  const { store, changes } = observed();
  store.delete('a');
  assert.deepEqual(changes, []);
});

test('a listener that throws disturbs neither the store nor the other listeners', () => {
  const store = new Store<KubernetesObject>({ log: silentLogger });
  const seen: string[] = [];
  store.onChange(() => {
    throw new Error('broken listener');
  });
  store.onChange((key) => seen.push(key));
  store.replace([object('a', '1'), object('b', '1')]);
  assert.deepEqual(seen, ['a', 'b']);
});

test('during a replace listeners see the whole of the new state', () => {
  const store = new Store<KubernetesObject>({ log: silentLogger });
  const sizes: number[] = [];
  store.onChange(() => sizes.push(store.size));
  store.replace([object('a', '1'), object('b', '1'), object('c', '1')]);
  assert.deepEqual(sizes, [3, 3, 3]);
});

test('a subscription ends when asked to', () => {
  const store = new Store<KubernetesObject>({ log: silentLogger });
  const seen: string[] = [];
  const end = store.onChange((key) => seen.push(key));
  store.set(object('a', '1'));
  end();
  end();
  store.set(object('b', '1'));
  assert.deepEqual(seen, ['a']);
});

test('after any changes an index finds exactly the objects that carry the value', () => {
  const app = fc.option(fc.constantFrom('x', 'y', 'z'), { nil: undefined });
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), name, app }, { noNullPrototype: true }),
    fc.record({ do: fc.constant('delete' as const), name }, { noNullPrototype: true }),
    fc.record({ do: fc.constant('replace' as const), all: fc.array(fc.tuple(name, app)) }, { noNullPrototype: true }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { store } = observed();
      let version = 0;
      const next = (of: string, label?: string) => object(of, String(++version), of, label);
      for (const change of steps) {
        if (change.do === 'set') store.set(next(change.name, change.app));
        else if (change.do === 'delete') store.delete(change.name);
        else store.replace(change.all.map(([of, label]) => next(of, label)));
        for (const value of ['x', 'y', 'z']) {
          const expected = store.list().filter(({ metadata }) => metadata.labels?.app === value);
          assert.deepEqual(store.by('app', value).map(keyOf).sort(), expected.map(keyOf).sort());
        }
      }
    }),
  );
});
