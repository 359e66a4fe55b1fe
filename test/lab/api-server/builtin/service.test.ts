import assert from 'node:assert/strict';
import type { JsonObject } from '../../../../src/lab/api-server/json.ts';
import { suite } from '../../../support/suite.ts';
import { type Body, service, services, TestApi } from '../test-api.ts';

const test = suite('lab/api-server/builtin/service');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start({ serviceCidrs: ['198.19.128.0/28', '2001:db8::/120'] });
});
test.after.each(() => api.close());

const create = (name: string, spec: JsonObject = {}) => api.post(services, service(name, spec));
const created = async (name: string, spec: JsonObject = {}): Promise<Body> => {
  const { code, body } = await create(name, spec);
  assert.equal(code, 201, body.message);
  return body;
};

test('a Service gets everything that the real server fills in', async () => {
  const body = await created('a', {
    type: 'LoadBalancer',
    ports: [
      { port: 80, targetPort: 'http' },
      { port: 53, protocol: 'UDP', name: 'dns' },
    ].map((port, i) => ({ name: `p${i}`, ...port })),
  });
  assert.deepEqual(body.spec, {
    type: 'LoadBalancer',
    ports: [
      { name: 'p0', port: 80, targetPort: 'http', protocol: 'TCP', nodePort: 30000 },
      { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP', nodePort: 30000 },
    ],
    sessionAffinity: 'None',
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    allocateLoadBalancerNodePorts: true,
    ipFamilyPolicy: 'SingleStack',
    ipFamilies: ['IPv4'],
    clusterIP: '198.19.128.1',
    clusterIPs: ['198.19.128.1'],
  });
  assert.deepEqual(body.status, { loadBalancer: {} });
});

test('families and policy decide which cluster addresses there are', async () => {
  const cases: [spec: JsonObject, families: readonly string[], addresses: number][] = [
    [{}, ['IPv4'], 1],
    [{ ipFamilies: ['IPv6'] }, ['IPv6'], 1],
    [{ ipFamilyPolicy: 'PreferDualStack' }, ['IPv4', 'IPv6'], 2],
    [{ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, ['IPv6', 'IPv4'], 2],
    [{ ipFamilies: ['IPv6', 'IPv4'] }, ['IPv6', 'IPv4'], 2],
    [{ clusterIP: '2001:db8::7' }, ['IPv6'], 1],
    [{ clusterIP: 'None', selector: { a: 'b' } }, ['IPv4'], 1],
    [{ type: 'ExternalName', externalName: 'example.net', ports: null }, [], 0],
  ];
  for (const [i, [spec, families, addresses]] of cases.entries()) {
    const body = await created(`s${i}`, spec);
    assert.deepEqual(
      [body.spec.ipFamilies ?? [], (body.spec.clusterIPs ?? []).length],
      [families, addresses],
      JSON.stringify(spec),
    );
  }
});

test('addresses and node ports are given once, and again after a delete', async () => {
  const first = await created('a', { type: 'NodePort' });
  const second = await created('b', { type: 'NodePort' });
  const given = [first, second].map((one) => [one.spec.clusterIP, one.spec.ports[0].nodePort]);
  assert.deepEqual(given, [
    ['198.19.128.1', 30000],
    ['198.19.128.2', 30001],
  ]);
  await api.delete(`${services}/a`);
  const third = await created('c', { type: 'NodePort' });
  assert.deepEqual([third.spec.clusterIP, third.spec.ports[0].nodePort], ['198.19.128.1', 30000]);
});

test('a range that is used up refuses', async () => {
  for (let i = 0; i < 14; i++) await created(`s${i}`);
  const { code, body } = await create('one-too-many');
  assert.equal(code, 422);
  assert.match(body.message, /failed to allocate a serviceIP: range is full/);
});

const refused: [name: string, spec: JsonObject, causes: readonly string[]][] = [
  ['no ports', { ports: [] }, ['spec.ports: Required value']],
  [
    'a port out of range',
    { ports: [{ port: 0, targetPort: 1 }] },
    ['spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive'],
  ],
  [
    'an unknown protocol',
    { ports: [{ port: 1, protocol: 'ICMP' }] },
    ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [
    'ports without names',
    { ports: [{ port: 1 }, { port: 2 }] },
    ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
  ],
  [
    'a name twice',
    {
      ports: [
        { name: 'a', port: 1 },
        { name: 'a', port: 2 },
      ],
    },
    ['spec.ports[1].name: Duplicate value: "a"'],
  ],
  [
    'a port twice',
    {
      ports: [
        { name: 'a', port: 1 },
        { name: 'b', port: 1 },
      ],
    },
    [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,"NodePort":0}',
    ],
  ],
  [
    'an unknown type',
    { type: 'Magic' },
    [
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    'a policy for outside traffic on the inside',
    { externalTrafficPolicy: 'Local' },
    ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
  ],
  [
    'an unknown policy',
    { type: 'LoadBalancer', externalTrafficPolicy: 'Global' },
    ['spec.externalTrafficPolicy: Unsupported value: "Global": supported values: "Cluster", "Local"'],
  ],
  [
    'a class without a load balancer',
    { loadBalancerClass: 'example.net/x' },
    ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    'a node port out of range',
    { type: 'NodePort', ports: [{ port: 1, nodePort: 80 }] },
    [
      'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    ],
  ],
  [
    'a node port without need',
    { ports: [{ port: 1, nodePort: 30100 }] },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'a foreign cluster address',
    { clusterIP: '192.0.2.1' },
    [
      'spec.clusterIPs: Invalid value: ["192.0.2.1"]: failed to allocate IP 192.0.2.1: the provided network does not match the current range',
    ],
  ],
  [
    'a source range that is none',
    { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0'] },
    [
      'spec.LoadBalancerSourceRanges[0]: Invalid value: "192.0.2.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  ['a name for nobody', { type: 'ExternalName', ports: null }, ['spec.externalName: Required value']],
];

for (const [name, spec, causes] of refused) {
  test(`refuses ${name}`, async () => {
    const { code, body } = await create('x', spec);
    assert.equal(code, 422);
    assert.deepEqual(
      body.details.causes.map((cause: Body) => `${cause.field}: ${cause.message}`),
      causes,
    );
  });
}

test('a name that starts with a digit is none for a Service', async () => {
  const { code, body } = await create('1a');
  assert.equal(code, 422);
  assert.match(body.message, /^Service "1a" is invalid: metadata.name: Invalid value: "1a": a DNS-1035 label must/);
});

test('a taken node port and a taken address are refused', async () => {
  await created('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 30500 }], clusterIP: '198.19.128.9' });
  const port = await create('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 30500 }] });
  assert.match(
    port.body.message,
    /spec\.ports\[0\]\.nodePort: Invalid value: 30500: provided port is already allocated/,
  );
  const address = await create('b', { clusterIP: '198.19.128.9' });
  assert.match(address.body.message, /failed to allocate IP 198\.19\.128\.9: provided IP is already allocated/);
});

test('an update keeps what was allocated, though it says nothing of it', async () => {
  const before = await created('a', { type: 'LoadBalancer' });
  const { body } = await api.put(
    `${services}/a`,
    service('a', { type: 'LoadBalancer', ports: [{ port: 80, name: 'web' }] }),
  );
  assert.equal(body.spec.clusterIP, before.spec.clusterIP);
  assert.equal(body.spec.ports[0].nodePort, before.spec.ports[0].nodePort);
  assert.equal(body.spec.ports[0].name, 'web');
});

test('becoming a load balancer allocates, ceasing to be one gives everything back', async () => {
  await created('a');
  const up = await api.merge(`${services}/a`, { spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' } });
  assert.equal(up.code, 200, up.body.message);
  assert.deepEqual([up.body.spec.ports[0].nodePort, up.body.spec.healthCheckNodePort], [30000, 30001]);
  await api.merge(`${services}/a/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } } });
  const down = await api.merge(`${services}/a`, { spec: { type: 'ClusterIP' } });
  assert.equal(down.code, 200, down.body.message);
  const { ports, ...spec } = down.body.spec;
  assert.equal(ports[0].nodePort, undefined);
  assert.deepEqual(Object.keys(spec).sort(), [
    'clusterIP',
    'clusterIPs',
    'internalTrafficPolicy',
    'ipFamilies',
    'ipFamilyPolicy',
    'sessionAffinity',
    'type',
  ]);
  assert.deepEqual(down.body.status, { loadBalancer: {} });
});

test('node ports are left out on request', async () => {
  const body = await created('a', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
  assert.equal(body.spec.ports[0].nodePort, undefined);
});

test('the class and the cluster address cannot change', async () => {
  await created('a', { type: 'LoadBalancer', loadBalancerClass: 'example.net/x' });
  const other = await api.merge(`${services}/a`, { spec: { loadBalancerClass: 'example.net/y' } });
  assert.match(
    other.body.message,
    /spec\.loadBalancerClass: Invalid value: "example\.net\/y": may not change once set/,
  );
  const address = await api.merge(`${services}/a`, {
    spec: { clusterIP: '198.19.128.9', clusterIPs: ['198.19.128.9'] },
  });
  assert.match(
    address.body.message,
    /spec\.clusterIPs\[0\]: Invalid value: \["198\.19\.128\.9"\]: may not change once set/,
  );
});

test('a status names addresses, and gets their mode', async () => {
  await created('a', { type: 'LoadBalancer' });
  const status = (ingress: JsonObject) =>
    api.merge(`${services}/a/status`, { status: { loadBalancer: { ingress: [ingress] } } });
  const good = await status({ ip: '192.0.2.9' });
  assert.deepEqual(good.body.status.loadBalancer.ingress, [{ ip: '192.0.2.9', ipMode: 'VIP' }]);
  const bad = await status({ ip: '192.0.2' });
  assert.match(
    bad.body.message,
    /status\.loadBalancer\.ingress\[0\]\.ip: Invalid value: "192\.0\.2": must be a valid IP address/,
  );
});

test('a second family can come and go', async () => {
  await created('a');
  const both = await api.merge(`${services}/a`, { spec: { ipFamilyPolicy: 'PreferDualStack' } });
  assert.deepEqual(both.body.spec.ipFamilies, ['IPv4', 'IPv6'], both.body.message);
  assert.equal(both.body.spec.clusterIPs.length, 2);
  const one = await api.merge(`${services}/a`, { spec: { ipFamilyPolicy: 'SingleStack' } });
  assert.deepEqual([one.body.spec.ipFamilies, one.body.spec.clusterIPs.length], [['IPv4'], 1]);
});
