import assert from 'node:assert/strict';
import type { ApiObject, Json, JsonObject } from '../../../../src/lab/api-server/json.ts';
import { compileJsonPath } from '../../../../src/lab/api-server/tables/json-path.ts';
import { builtinPrinters } from '../../../../src/lab/api-server/tables/printers.ts';
import { humanDuration } from '../../../../src/runtime/age.ts';
import { suite } from '../../../support/suite.ts';
import { type Body, berth, berths, service, services, TestApi } from '../test-api.ts';

const test = suite('lab/api-server/tables');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

test('a list is a table with the columns of the kind', async () => {
  await api.post(services, service('a', { type: 'LoadBalancer', selector: { app: 'a' } }));
  await api.clock.advance(75_000);
  const { body } = await api.get(services, { accept });
  assert.deepEqual([body.kind, body.apiVersion], ['Table', 'meta.k8s.io/v1']);
  const columns = body.columnDefinitions.map((column: Body) => `${column.name}${column.priority === 0 ? '' : '+'}`);
  assert.deepEqual(columns, ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector+']);
  assert.deepEqual(body.rows[0].cells, [
    'a',
    'LoadBalancer',
    '198.19.128.1',
    '<pending>',
    '80:30000/TCP',
    '75s',
    'app=a',
  ]);
  assert.equal(body.rows[0].object.kind, 'PartialObjectMetadata');
  assert.match(body.metadata.resourceVersion, /^\d+$/);
});

test('the rows carry as much of the object as is asked for', async () => {
  await api.post(services, service('a'));
  const cases: [string, unknown][] = [
    ['None', undefined],
    ['Metadata', 'PartialObjectMetadata'],
    ['Object', 'Service'],
  ];
  for (const [includeObject, kind] of cases) {
    const { body } = await api.get(`${services}?includeObject=${includeObject}`, { accept });
    assert.equal(body.rows[0].object?.kind, kind, includeObject);
  }
});

test('one object is a table of one row, and the older table version is spoken too', async () => {
  await api.post(services, service('a'));
  const { body } = await api.get(`${services}/a`, { accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io' });
  assert.deepEqual([body.kind, body.apiVersion, body.rows.length], ['Table', 'meta.k8s.io/v1beta1', 1]);
});

test('a custom resource has the columns of its definition', async () => {
  await api.post(berths, berth('a', { depth: 7 }));
  await api.merge(`${berths}/a/status`, { status: { free: 3, conditions: [{ type: 'Ready', status: 'True' }] } });
  const { body } = await api.get(berths, { accept });
  const columns = body.columnDefinitions.map((column: Body) => column.name);
  assert.deepEqual(columns, ['Name', 'Side', 'Addresses', 'Free', 'Ready', 'Depth', 'Age']);
  assert.deepEqual(body.rows[0].cells, ['a', 'port', '["192.0.2.0/24"]', 3, 'True', 7, '0s']);
});

const now = Date.UTC(2026, 0, 1, 1);
const metadata = { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' };

/** The cells of an object of this kind, made an hour ago. */
const rows: [kind: string, object: JsonObject, cells: Json[]][] = [
  ['Namespace', { status: { phase: 'Active' } }, ['x', 'Active', '60m']],
  [
    'Node',
    {
      metadata: { ...metadata, labels: { 'node-role.kubernetes.io/b': '', 'node-role.kubernetes.io/a': '' } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'False' }],
        addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
        nodeInfo: { kubeletVersion: 'v1' },
      },
    },
    [
      'x',
      'NotReady,SchedulingDisabled',
      'a,b',
      '60m',
      'v1',
      '192.0.2.1',
      '<none>',
      '<unknown>',
      '<unknown>',
      '<unknown>',
    ],
  ],
  ['Node', {}, ['x', 'Unknown', '<none>', '60m', '', '<none>', '<none>', '<unknown>', '<unknown>', '<unknown>']],
  [
    'Pod',
    {
      spec: { nodeName: 'n1', containers: [{}, {}] },
      status: {
        phase: 'Running',
        podIP: '192.0.2.9',
        containerStatuses: [{ ready: true, restartCount: 2 }, { restartCount: 1 }],
      },
    },
    ['x', '1/2', 'Running', '3', '60m', '192.0.2.9', 'n1', '<none>', '<none>'],
  ],
  [
    'Pod',
    {
      spec: { containers: [{}] },
      status: { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } } }] },
    },
    ['x', '0/1', 'ImagePullBackOff', '0', '60m', '<none>', '<none>', '<none>', '<none>'],
  ],
  [
    'Service',
    {
      spec: {
        type: 'LoadBalancer',
        clusterIP: 'c',
        ports: [
          { port: 80, nodePort: 30000, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
      },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }] } },
    },
    ['x', 'LoadBalancer', 'c', '192.0.2.1,2001:db8::1', '80:30000/TCP,53/UDP', '60m', '<none>'],
  ],
  [
    'Service',
    { spec: { type: 'ExternalName', externalName: 'e' } },
    ['x', 'ExternalName', '<none>', 'e', '<none>', '60m', '<none>'],
  ],
  [
    'Endpoints',
    { subsets: [{ addresses: ['1', '2', '3', '4'].map((ip) => ({ ip })), ports: [{ port: 80 }] }] },
    ['x', '1:80,2:80,3:80 + 1 more...', '60m'],
  ],
  ['Endpoints', {}, ['x', '<none>', '60m']],
  [
    'EndpointSlice',
    {
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: [{ addresses: ['192.0.2.1'] }, { addresses: ['192.0.2.2'] }],
    },
    ['x', 'IPv4', '80', '192.0.2.1,192.0.2.2', '60m'],
  ],
  [
    'Deployment',
    {
      spec: {
        replicas: 3,
        selector: { matchLabels: { a: 'b' } },
        template: { spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
    },
    ['x', '2/3', 3, 2, '60m', 'c', 'i', 'a=b'],
  ],
  [
    'DaemonSet',
    {
      status: {
        desiredNumberScheduled: 3,
        currentNumberScheduled: 3,
        numberReady: 2,
        updatedNumberScheduled: 3,
        numberAvailable: 2,
      },
    },
    ['x', 3, 3, 2, 3, 2, '<none>', '60m', '', '', '<none>'],
  ],
  [
    'Event',
    {
      involvedObject: { kind: 'Service', name: 'web' },
      reason: 'Assigned',
      type: 'Normal',
      message: 'assigned an address\n',
      lastTimestamp: '2026-01-01T00:59:30Z',
      firstTimestamp: '2026-01-01T00:50:00Z',
      count: 4,
      source: { component: 'garpoon', host: 'n1' },
    },
    ['30s', 'Normal', 'Assigned', 'service/web', '', 'garpoon, n1', 'assigned an address', '10m', 4, 'x'],
  ],
  ['Lease', { spec: { holderIdentity: 'me' } }, ['x', 'me', '60m']],
  ['Secret', { type: 'Opaque', data: { a: '', b: '' } }, ['x', 'Opaque', 2, '60m']],
  ['ConfigMap', { data: { a: '' }, binaryData: { b: '' } }, ['x', 2, '60m']],
  ['CustomResourceDefinition', {}, ['x', '2026-01-01T00:00:00Z']],
];

for (const [i, [kind, object, cells]] of rows.entries()) {
  test(`${kind} is printed as the real server prints it (${i})`, () => {
    const printer = builtinPrinters[kind];
    assert.deepEqual(printer?.cells({ apiVersion: 'v1', kind, metadata, ...object } as ApiObject, now), cells);
    assert.equal(printer?.columns.length, cells.length);
  });
}

test('durations are rounded as kubectl rounds them', () => {
  const [minute, hour, day] = [60, 3600, 86_400];
  const cases: [seconds: number, text: string][] = [
    [-5, '<invalid>'],
    [-1, '0s'],
    [119, '119s'],
    [2 * minute, '2m'],
    [2 * minute + 5, '2m5s'],
    [10 * minute + 5, '10m'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [7 * hour + 59 * minute, '7h59m'],
    [47 * hour, '47h'],
    [2 * day + 3 * hour, '2d3h'],
    [9 * day + hour, '9d'],
    [3 * 365 * day + day, '3y1d'],
    [9 * 365 * day, '9y'],
  ];
  for (const [seconds, text] of cases) assert.equal(humanDuration(seconds), text);
});

test('JSONPath finds what columns need', () => {
  const value = {
    a: {
      b: [
        { t: 'x', v: 1 },
        { t: 'y', v: 2 },
      ],
    },
    'dotted.name/x': 'd',
    flag: true,
  };
  const cases: [path: string, want: Json[] | undefined][] = [
    ['.a.b[0].v', [1]],
    ['.a.b[-1].v', [2]],
    ['.a.b[*].v', [1, 2]],
    ['.a.b[?(@.t=="y")].v', [2]],
    [".a.b[?(@.t!='y')].v", [1]],
    ['.a.b[?(@.v==2)].t', ['y']],
    ['.dotted\\.name/x', ['d']],
    ["['dotted.name/x']", ['d']],
    ['.flag', [true]],
    ['.none.at.all', []],
    ['.a.b[9].v', []],
    ['a.b', undefined],
    ['.a[?(@.t=~"x")]', undefined],
  ];
  for (const [path, want] of cases) assert.deepEqual(compileJsonPath(path)?.(value), want, path);
});
