import assert from 'node:assert/strict';
import { eventually, suite } from '../../support/suite.ts';
import {
  type Body,
  berth,
  berths,
  configMap,
  configMaps,
  type Events,
  service,
  services,
  TestApi,
} from './test-api.ts';

const test = suite('lab/api-server/watch');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

const sees = (events: Events, want: readonly string[]) =>
  eventually(`the events ${want.join(', ')}`, () => events.log.join() === want.join());

const revisionOf = async (): Promise<string> => (await api.get(configMaps)).body.metadata.resourceVersion;

test('without a revision a watch begins with what is there', async () => {
  await api.post(configMaps, configMap('a'));
  const events = await api.watch(configMaps);
  await api.post(configMaps, configMap('b'));
  await sees(events, ['ADDED a', 'ADDED b']);
});

test('from a revision a watch sends what came after it', async () => {
  await api.post(configMaps, configMap('a'));
  const revision = await revisionOf();
  await api.merge(`${configMaps}/a`, { data: { x: 'y' } });
  await api.post(services, service('other'));
  const events = await api.watch(configMaps, `&resourceVersion=${revision}`);
  await api.delete(`${configMaps}/a`);
  await sees(events, ['MODIFIED a', 'DELETED a']);
  const revisions = events.seen.map(({ object }) => Number(object.metadata.resourceVersion));
  assert.ok((revisions[0] as number) < (revisions[1] as number), 'a deletion carries its own revision');
});

test('a watch of one object, by field selector, sees that object only', async () => {
  const events = await api.watch(configMaps, '&fieldSelector=metadata.name%3Db');
  for (const name of ['a', 'b']) await api.post(configMaps, configMap(name));
  await sees(events, ['ADDED b']);
});

test('entering a selector is ADDED, leaving it is DELETED with the last matching state', async () => {
  const events = await api.watch(configMaps, '&labelSelector=app%3Dx');
  await api.post(configMaps, configMap('a'));
  await api.merge(`${configMaps}/a`, { metadata: { labels: { app: 'x' } } });
  await api.merge(`${configMaps}/a`, { data: { k: 'v' } });
  const { body } = await api.merge(`${configMaps}/a`, { metadata: { labels: { app: 'y' } } });
  await sees(events, ['ADDED a', 'MODIFIED a', 'DELETED a']);
  const left = events.seen[2].object;
  assert.equal(left.metadata.labels.app, 'x');
  assert.equal(left.metadata.resourceVersion, body.metadata.resourceVersion);
});

test('a forgotten revision is HTTP 200 and then an ERROR event of code 410', async () => {
  const revision = await revisionOf();
  await api.post(configMaps, configMap('a'));
  api.server.faults.compact();
  const events = await api.watch(configMaps, `&resourceVersion=${revision}`);
  await events.ended;
  assert.equal(events.code, 200);
  assert.deepEqual(events.log, ['ERROR 410']);
  const { kind, reason, status } = events.seen[0].object;
  assert.deepEqual([kind, reason, status], ['Status', 'Expired', 'Failure']);
});

test('a revision of another life of the server is 410 as well', async () => {
  const events = await api.watch(configMaps, '&resourceVersion=999999');
  await events.ended;
  assert.deepEqual(events.log, ['ERROR 410']);
});

test('bookmarks come to those who ask for them, and at the end', async () => {
  const revision = await revisionOf();
  const asked = await api.watch(configMaps, `&resourceVersion=${revision}&allowWatchBookmarks=true&timeoutSeconds=90`);
  const silent = await api.watch(configMaps, `&resourceVersion=${revision}&timeoutSeconds=90`);
  await api.post(services, service('other'));
  await api.clock.advance(60_000);
  await sees(asked, ['BOOKMARK']);
  assert.equal(asked.seen[0].object.metadata.resourceVersion, await revisionOf());
  await api.clock.advance(30_000);
  await Promise.all([asked.ended, silent.ended]);
  assert.deepEqual([asked.log, silent.log], [['BOOKMARK', 'BOOKMARK'], []]);
});

test('a WatchList ends its initial events with a marked bookmark', async () => {
  for (const name of ['a', 'b']) await api.post(configMaps, configMap(name));
  const query = '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const events = await api.watch(configMaps, query);
  await api.post(configMaps, configMap('c'));
  await sees(events, ['ADDED a', 'ADDED b', 'BOOKMARK', 'ADDED c']);
  assert.equal(events.seen[2].object.metadata.annotations['k8s.io/initial-events-end'], 'true');
});

test('a watch that cannot be is refused before the stream begins', async () => {
  const cases: [query: string, code: number][] = [
    ['sendInitialEvents=true', 422],
    ['resourceVersionMatch=NotOlderThan', 422],
    ['resourceVersion=x', 400],
    ['fieldSelector=a%3Db', 400],
  ];
  for (const [query, code] of cases) assert.equal((await api.watch(configMaps, `&${query}`)).code, code, query);
});

test('events come as one-row tables to those who want tables, the columns once', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const events = await api.watch(berths, '', { accept });
  await api.post(berths, berth('a'));
  await api.merge(`${berths}/a/status`, { status: { free: 7 } });
  await eventually('two events', () => events.seen.length === 2);
  const tables = events.seen.map(({ object }): Body => object);
  assert.deepEqual(
    tables.map((table) => table.columnDefinitions.length),
    [7, 0],
  );
  assert.deepEqual(
    tables.map((table) => table.rows[0].cells[3]),
    [null, 7],
  );
});

test('a watch across namespaces sees them all, a watch of one sees one', async () => {
  await api.post('/api/v1/namespaces', { metadata: { name: 'n' } });
  const all = await api.watch('/api/v1/configmaps');
  const one = await api.watch('/api/v1/namespaces/n/configmaps');
  await api.post(configMaps, configMap('a'));
  await api.post('/api/v1/namespaces/n/configmaps', configMap('b'));
  await sees(all, ['ADDED a', 'ADDED b']);
  await sees(one, ['ADDED b']);
});
