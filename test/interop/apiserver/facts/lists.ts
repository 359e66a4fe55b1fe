import assert from 'node:assert/strict';
import { berth, configMap, service } from '../../../lab/api-server/test-api.ts';
import { type Fact, fact, namesIn, type Scene } from './fact.ts';

const labelled = { a: { app: 'web', tier: 'front' }, b: { app: 'web' }, c: { app: 'db' }, d: { mine: '' } };

const labelSelectors: readonly (readonly [selector: string, want: string])[] = [
  ['app=web', 'a b'],
  ['app==web', 'a b'],
  ['app!=web', 'c d'],
  ['app', 'a b c'],
  ['!app', 'd'],
  ['app in (web, db)', 'a b c'],
  ['app notin (web)', 'c d'],
  ['app in (web,db),!tier', 'b c'],
  ['app=', ''],
];

const fieldSelectors: readonly (readonly [
  collection: 'services' | 'berths' | 'events',
  selector: (namespace: string) => string,
  want: string,
])[] = [
  ['services', () => 'metadata.name=lb', 'lb'],
  ['services', () => 'metadata.name!=lb', 'plain'],
  ['services', (namespace) => `metadata.namespace=${namespace},spec.type=LoadBalancer`, 'lb'],
  ['services', () => 'metadata.namespace=other', ''],
  ['berths', () => 'spec.side=starboard', 's'],
  ['events', () => 'involvedObject.name=b,involvedObject.kind=Service,reason=Assigned', 'e-b'],
];

export const listFacts: readonly Fact[] = [
  fact('a list names its kind and its revision', async ({ api, berths }) => {
    await api.post(berths, berth('a'));
    const { body } = await api.get(berths);
    assert.deepEqual([body.kind, body.apiVersion], ['BerthList', 'harbour.example/v1beta1']);
    assert.ok(BigInt(body.metadata.resourceVersion) >= BigInt(body.items[0].metadata.resourceVersion));
  }),

  fact('pages show the collection as the first page saw it', async ({ api, berths }) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await api.post(berths, berth(name));
    const page = (body: { metadata: { continue: string } }) =>
      api.get(`${berths}?limit=2&continue=${encodeURIComponent(body.metadata.continue)}`);
    const first = await api.get(`${berths}?limit=2`);
    assert.deepEqual([namesIn(first.body), first.body.metadata.remainingItemCount], [['a', 'b'], 3]);
    await api.delete(`${berths}/d`);
    await api.post(berths, berth('c2'));
    const second = await page(first.body);
    const third = await page(second.body);
    assert.deepEqual([...namesIn(second.body), ...namesIn(third.body)], ['c', 'd', 'e']);
    assert.equal(third.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
    assert.equal(third.body.metadata.continue ?? '', '');
  }),

  fact('resourceVersion says how fresh a list must be', async ({ api, berths }) => {
    const { body } = await api.post(berths, berth('a'));
    const revision = Number(body.metadata.resourceVersion);
    await api.post(berths, berth('b'));
    const cases: readonly (readonly [query: string, code: number, want: string])[] = [
      [`resourceVersion=${revision}&resourceVersionMatch=NotOlderThan`, 200, 'a b'],
      [`resourceVersion=${revision}&resourceVersionMatch=Exact`, 200, 'a'],
      [`resourceVersion=${revision + 100_000}`, 504, 'Timeout'],
      ['resourceVersion=new', 400, 'BadRequest'],
      ['resourceVersionMatch=Exact', 422, 'Invalid'],
    ];
    for (const [query, code, want] of cases) {
      const reply = await api.get(`${berths}?${query}`);
      assert.deepEqual([reply.code, code === 200 ? namesIn(reply.body).join(' ') : reply.body.reason], [code, want]);
    }
  }),

  fact('label selectors choose, and bad ones are refused', async ({ api, configMaps }) => {
    for (const [name, labels] of Object.entries(labelled)) await api.post(configMaps, configMap(name, {}, { labels }));
    const list = (selector: string) => api.get(`${configMaps}?labelSelector=${encodeURIComponent(selector)}`);
    for (const [selector, want] of labelSelectors) {
      assert.equal(namesIn((await list(selector)).body).join(' '), want, selector);
    }
    for (const selector of ['app in web', '=x', 'a b', 'app=web space']) {
      assert.equal((await list(selector)).code, 400, selector);
    }
  }),

  fact('field selectors choose by what the kind allows', async (scene) => {
    const { api, namespace, services } = scene;
    await populate(scene);
    for (const [collection, selector, want] of fieldSelectors) {
      const query = `fieldSelector=${encodeURIComponent(selector(namespace))}`;
      assert.equal(namesIn((await api.get(`${scene[collection]}?${query}`)).body).join(' '), want, query);
    }
    const { code, body } = await api.get(`${services}?fieldSelector=spec.selector%3Dx`);
    assert.equal(code, 400);
    assert.match(body.message, /field label not supported: spec\.selector$/);
  }),

  fact('one object is served in every version of its kind', async ({ api, berths }) => {
    await api.post(berths, berth('a'));
    const other = berths.replace('v1beta1', 'v1alpha1');
    const { body } = await api.get(`${other}/a`);
    assert.deepEqual([body.apiVersion, body.spec.addresses], ['harbour.example/v1alpha1', ['192.0.2.0/24']]);
    assert.equal((await api.get(other)).body.items[0].apiVersion, 'harbour.example/v1alpha1');
    assert.equal((await api.merge(`${other}/a`, { spec: { depth: 2 } })).code, 200);
    assert.deepEqual((await api.get(`${berths}/a`)).body.spec.depth, 2);
  }),

  fact('clients that want metadata alone get it', async ({ api, berths }) => {
    await api.post(berths, berth('a'));
    const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
    const { body } = await api.get(berths, { accept });
    assert.equal(body.kind, 'PartialObjectMetadataList');
    assert.deepEqual(Object.keys(body.items[0]).sort(), ['apiVersion', 'kind', 'metadata']);
  }),

  fact('clients that want a table get the columns of the kind', async ({ api, berths, services }) => {
    await api.post(berths, berth('a'));
    await api.post(services, service('web', { type: 'LoadBalancer' }));
    await api.merge(`${services}/web/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } } });
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const custom = (await api.get(berths, { accept })).body;
    const columns = custom.columnDefinitions.map(({ name, priority }: { name: string; priority: number }) =>
      priority === 0 ? name : `(${name})`,
    );
    assert.deepEqual(columns, ['Name', 'Side', 'Addresses', 'Free', 'Ready', '(Depth)', 'Age']);
    assert.deepEqual(custom.rows[0].cells.slice(0, 6), ['a', 'port', '["192.0.2.0/24"]', null, null, null]);
    const [row] = (await api.get(services, { accept })).body.rows;
    assert.deepEqual([row.cells[0], row.cells[1], row.cells[3]], ['web', 'LoadBalancer', '192.0.2.9']);
    assert.match(row.cells[4], /^80:3\d{4}\/TCP$/);
    assert.equal(row.object.kind, 'PartialObjectMetadata');
  }),

  fact('JSON is offered, and what is not offered is a 406', async ({ api, berths }) => {
    const cases: readonly (readonly [accept: string, code: number])[] = [
      ['application/json', 200],
      ['*/*', 200],
      ['application/vnd.example,application/json', 200],
      ['application/vnd.example', 406],
      ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', 200],
    ];
    for (const [accept, code] of cases) assert.equal((await api.get(berths, { accept })).code, code, accept);
  }),
];

async function populate({ api, services, berths, events, namespace }: Scene): Promise<void> {
  await api.post(services, service('lb', { type: 'LoadBalancer' }));
  await api.post(services, service('plain'));
  await api.post(berths, berth('p'));
  await api.post(berths, berth('s', { side: 'starboard' }));
  for (const name of ['a', 'b']) {
    const involvedObject = { kind: 'Service', namespace, name, uid: name };
    await api.post(events, { metadata: { name: `e-${name}` }, involvedObject, reason: 'Assigned', type: 'Normal' });
  }
}
