import assert from 'node:assert/strict';
import { suite } from '../../support/suite.ts';
import { type Body, berth, berths, configMap, configMaps, service, services, TestApi } from './test-api.ts';

const test = suite('lab/api-server/list');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

const names = (body: Body): string[] => body.items.map((item: Body) => item.metadata.name);

test('a list names its kind and its revision', async () => {
  await api.post(configMaps, configMap('a'));
  const { body } = await api.get(configMaps);
  assert.deepEqual([body.kind, body.apiVersion], ['ConfigMapList', 'v1']);
  assert.equal(body.metadata.resourceVersion, body.items[0].metadata.resourceVersion);
});

test('pages show the collection as the first page saw it', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await api.post(configMaps, configMap(name));
  const first = await api.get(`${configMaps}?limit=2`);
  assert.deepEqual([names(first.body), first.body.metadata.remainingItemCount], [['a', 'b'], 3]);
  await api.delete(`${configMaps}/d`);
  await api.post(configMaps, configMap('c2'));
  const second = await api.get(`${configMaps}?limit=2&continue=${first.body.metadata.continue}`);
  const third = await api.get(`${configMaps}?limit=2&continue=${second.body.metadata.continue}`);
  assert.deepEqual([...names(second.body), ...names(third.body)], ['c', 'd', 'e']);
  assert.equal(third.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
  assert.equal(third.body.metadata.continue, undefined);
});

test('a page whose revision is forgotten is 410 Expired', async () => {
  for (const name of ['a', 'b']) await api.post(configMaps, configMap(name));
  const { body } = await api.get(`${configMaps}?limit=1`);
  await api.post(configMaps, configMap('c'));
  api.server.faults.compact();
  const { code, body: refusal } = await api.get(`${configMaps}?limit=1&continue=${body.metadata.continue}`);
  assert.deepEqual([code, refusal.reason], [410, 'Expired']);
});

test('resourceVersion says how fresh a list must be', async () => {
  const { body } = await api.post(configMaps, configMap('a'));
  const revision = Number(body.metadata.resourceVersion);
  await api.post(configMaps, configMap('b'));
  const cases: [query: string, code: number, want: readonly string[] | string][] = [
    ['resourceVersion=0', 200, ['a', 'b']],
    [`resourceVersion=${revision}`, 200, ['a', 'b']],
    [`resourceVersion=${revision}&resourceVersionMatch=NotOlderThan`, 200, ['a', 'b']],
    [`resourceVersion=${revision}&resourceVersionMatch=Exact`, 200, ['a']],
    [`resourceVersion=${revision + 100}`, 504, 'Timeout'],
    ['resourceVersion=new', 400, 'BadRequest'],
    ['resourceVersionMatch=Exact', 422, 'Invalid'],
  ];
  for (const [query, code, want] of cases) {
    const reply = await api.get(`${configMaps}?${query}`);
    assert.deepEqual([reply.code, code === 200 ? names(reply.body) : reply.body.reason], [code, want], query);
  }
});

test('label selectors choose', async () => {
  const labels = { a: { app: 'web', tier: 'front' }, b: { app: 'web' }, c: { app: 'db' }, d: {} };
  for (const [name, set] of Object.entries(labels)) await api.post(configMaps, configMap(name, {}, { labels: set }));
  const cases: [selector: string, want: readonly string[]][] = [
    ['app=web', ['a', 'b']],
    ['app==web', ['a', 'b']],
    ['app!=web', ['c', 'd']],
    ['app', ['a', 'b', 'c']],
    ['!app', ['d']],
    ['app in (web, db)', ['a', 'b', 'c']],
    ['app notin (web)', ['c', 'd']],
    ['app in (web,db),!tier', ['b', 'c']],
    ['app=', []],
    ['', ['a', 'b', 'c', 'd']],
  ];
  for (const [selector, want] of cases) {
    const { body } = await api.get(`${configMaps}?labelSelector=${encodeURIComponent(selector)}`);
    assert.deepEqual(names(body), want, selector);
  }
  for (const selector of ['app in web', '=x', 'a b', 'app=web space']) {
    const { code } = await api.get(`${configMaps}?labelSelector=${encodeURIComponent(selector)}`);
    assert.equal(code, 400, selector);
  }
});

test('field selectors choose by what the kind allows', async () => {
  await api.post(services, service('lb', { type: 'LoadBalancer' }));
  await api.post(services, service('plain'));
  await api.post(berths, berth('p'));
  await api.post(berths, berth('s', { side: 'starboard' }));
  const cases: [path: string, selector: string, want: readonly string[]][] = [
    [services, 'metadata.name=lb', ['lb']],
    [services, 'metadata.name!=lb', ['plain']],
    [services, 'metadata.namespace=default,spec.type=LoadBalancer', ['lb']],
    ['/api/v1/services', 'metadata.namespace=other', []],
    [berths, 'spec.side=starboard', ['s']],
  ];
  for (const [path, selector, want] of cases) {
    const { body } = await api.get(`${path}?fieldSelector=${encodeURIComponent(selector)}`);
    assert.deepEqual(names(body), want, selector);
  }
  const { code, body } = await api.get(`${services}?fieldSelector=spec.selector%3Dx`);
  assert.deepEqual([code, body.message], [400, 'field label not supported: spec.selector']);
});

test('Events are found by the object they are about', async () => {
  const events = '/api/v1/namespaces/default/events';
  for (const name of ['a', 'b']) {
    const involvedObject = { kind: 'Service', namespace: 'default', name, uid: name };
    await api.post(events, { metadata: { name: `e-${name}` }, involvedObject, reason: 'Assigned', type: 'Normal' });
  }
  const selector = encodeURIComponent('involvedObject.name=b,involvedObject.kind=Service,reason=Assigned');
  assert.deepEqual(names((await api.get(`${events}?fieldSelector=${selector}`)).body), ['e-b']);
});

test('one object is served in every version of its kind', async () => {
  await api.post(berths, berth('a'));
  const other = berths.replace('v1beta1', 'v1alpha1');
  const { body } = await api.get(`${other}/a`);
  assert.deepEqual([body.apiVersion, body.spec.addresses], ['harbour.example/v1alpha1', ['192.0.2.0/24']]);
  assert.equal((await api.get(other)).body.items[0].apiVersion, 'harbour.example/v1alpha1');
  await api.merge(`${other}/a`, { spec: { depth: 2 } });
  assert.deepEqual((await api.get(`${berths}/a`)).body.apiVersion, 'harbour.example/v1beta1');
});

test('clients that want metadata alone get it', async () => {
  await api.post(configMaps, configMap('a', { x: 'y' }));
  const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
  const { body } = await api.get(configMaps, { accept });
  assert.equal(body.kind, 'PartialObjectMetadataList');
  assert.deepEqual(Object.keys(body.items[0]).sort(), ['apiVersion', 'kind', 'metadata']);
});
