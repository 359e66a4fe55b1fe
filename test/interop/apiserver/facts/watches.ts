import assert from 'node:assert/strict';
import { berth, configMap, type Events, service } from '../../../lab/api-server/test-api.ts';
import { eventually } from '../../../support/suite.ts';
import { type Fact, fact, type Scene } from './fact.ts';

const sees = (events: Events, want: readonly string[]) =>
  eventually(`the events ${want.join(', ')}; there were ${events.log}`, () => events.log.join() === want.join());

const revisionOf = async ({ api, berths }: Scene): Promise<string> =>
  (await api.get(berths)).body.metadata.resourceVersion;

export const watchFacts: readonly Fact[] = [
  fact('without a revision a watch begins with what is there', async ({ api, berths }) => {
    await api.post(berths, berth('a'));
    const events = await api.watch(berths);
    await api.post(berths, berth('b'));
    await sees(events, ['ADDED a', 'ADDED b']);
    await events.stop();
  }),

  fact('from a revision a watch sends what came after it', async (scene) => {
    const { api, berths, services } = scene;
    await api.post(berths, berth('a'));
    const revision = await revisionOf(scene);
    await api.merge(`${berths}/a`, { spec: { depth: 2 } });
    await api.post(services, service('other'));
    const events = await api.watch(berths, `&resourceVersion=${revision}`);
    await api.delete(`${berths}/a`);
    await sees(events, ['MODIFIED a', 'DELETED a']);
    const revisions = events.seen.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.ok(revisions[0]! < revisions[1]!, 'a deletion carries its own revision');
    await events.stop();
  }),

  fact('a watch of one object is one of the collection, by field selector', async ({ api, berths }) => {
    const events = await api.watch(berths, '&fieldSelector=metadata.name%3Db');
    for (const name of ['a', 'b']) await api.post(berths, berth(name));
    await sees(events, ['ADDED b']);
    await events.stop();
    const asked = await api.get(`${berths}/b?watch=true`);
    assert.deepEqual([asked.code, asked.body.kind], [200, 'Berth'], 'the object itself, and no watch');
  }),

  fact('entering a selector is ADDED, leaving it is DELETED with the last matching state', async (scene) => {
    const { api, configMaps } = scene;
    const events = await api.watch(configMaps, '&labelSelector=app%3Dx');
    await api.post(configMaps, configMap('a'));
    await api.merge(`${configMaps}/a`, { metadata: { labels: { app: 'x' } } });
    await api.merge(`${configMaps}/a`, { data: { k: 'v' } });
    const { body } = await api.merge(`${configMaps}/a`, { metadata: { labels: { app: 'y' } } });
    await sees(events, ['ADDED a', 'MODIFIED a', 'DELETED a']);
    const left = events.seen[2].object;
    assert.equal(left.metadata.labels.app, 'x');
    assert.equal(left.metadata.resourceVersion, body.metadata.resourceVersion);
    await events.stop();
  }),

  fact('a forgotten revision is HTTP 200 and then an ERROR event of code 410', async ({ api, berths, forget }) => {
    await api.post(berths, berth('a'));
    forget();
    const events = await api.watch(berths, '&resourceVersion=1');
    await events.ended;
    assert.equal(events.code, 200);
    assert.deepEqual(events.log, ['ERROR 410']);
    const { kind, reason, status, message } = events.seen[0].object;
    assert.deepEqual([kind, reason, status], ['Status', 'Expired', 'Failure']);
    assert.match(message, /^too old resource version: 1 \(\d+\)$/);
  }),

  fact('a bookmark of what was seen comes at the end of a watch, to those who ask for it', async (scene) => {
    const { api, berths } = scene;
    await api.post(berths, berth('a'));
    const from = `&resourceVersion=${await revisionOf(scene)}&timeoutSeconds=4`;
    const asked = await api.watch(berths, `${from}&allowWatchBookmarks=true`);
    const silent = await api.watch(berths, from);
    const { body } = await api.merge(`${berths}/a`, { spec: { depth: 2 } });
    await Promise.all([asked.ended, silent.ended]);
    // A server may say it twice.
    assert.deepEqual([[...new Set(asked.log)], silent.log], [['MODIFIED a', 'BOOKMARK'], ['MODIFIED a']]);
    const { kind, metadata } = asked.seen.at(-1).object;
    assert.equal(kind, 'Berth');
    assert.ok(Number(metadata.resourceVersion) >= Number(body.metadata.resourceVersion));
  }),

  fact('a WatchList ends its initial events with a marked bookmark', async ({ api, berths }) => {
    for (const name of ['a', 'b']) await api.post(berths, berth(name));
    const query = '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const events = await api.watch(berths, query);
    await eventually('the bookmark', () => events.log.includes('BOOKMARK'));
    await api.post(berths, berth('c'));
    await sees(events, ['ADDED a', 'ADDED b', 'BOOKMARK', 'ADDED c']);
    assert.equal(events.seen[2].object.metadata.annotations['k8s.io/initial-events-end'], 'true');
    await events.stop();
  }),

  fact('a watch that cannot be is refused before the stream begins', async ({ api, berths }) => {
    const cases: readonly (readonly [query: string, code: number])[] = [
      ['sendInitialEvents=true', 422],
      ['resourceVersionMatch=NotOlderThan', 422],
      ['fieldSelector=a%3Db', 400],
    ];
    for (const [query, code] of cases) {
      const events = await api.watch(berths, `&${query}`);
      await events.stop();
      assert.equal(events.code, code, query);
    }
  }),

  fact('a watch across namespaces sees them all, a watch of one sees one', async ({ api, berths, namespace }) => {
    const other = `${namespace}-other`;
    await api.post('/api/v1/namespaces', { metadata: { name: other } });
    const labels = { of: namespace };
    const all = await api.watch('/apis/harbour.example/v1beta1/berths', `&labelSelector=of%3D${namespace}`);
    const one = await api.watch(berths.replace(namespace, other));
    await api.post(berths, berth('a', {}, { labels }));
    await api.post(berths.replace(namespace, other), berth('b', {}, { labels }));
    await sees(all, ['ADDED a', 'ADDED b']);
    await sees(one, ['ADDED b']);
    await Promise.all([all.stop(), one.stop()]);
  }),
];
