import assert from 'node:assert/strict';
import type { JsonObject } from '../../../../src/lab/api-server/json.ts';
import { type Body, service } from '../../../lab/api-server/test-api.ts';
import { causesOf, type Fact, fact, type Scene } from './fact.ts';

const families: readonly (readonly [name: string, spec: JsonObject, families: string, addresses: number])[] = [
  ['says nothing', {}, 'IPv4', 1],
  ['asks for IPv6', { ipFamilies: ['IPv6'] }, 'IPv6', 1],
  ['prefers both families', { ipFamilyPolicy: 'PreferDualStack' }, 'IPv4 IPv6', 2],
  ['requires both, IPv6 first', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, 'IPv6 IPv4', 2],
  ['has no cluster address', { clusterIP: 'None', selector: { a: 'b' } }, 'IPv4', 1],
  ['is a name elsewhere', { type: 'ExternalName', externalName: 'example.net', ports: null }, '', 0],
];

const refused: readonly (readonly [name: string, spec: JsonObject, causes: readonly string[]])[] = [
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

export const serviceFacts: readonly Fact[] = [
  fact('a Service gets everything that was left open', async (scene) => {
    const ports = [
      { name: 'web', port: 80, targetPort: 'http' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const { spec, status } = await created(scene, 'a', { type: 'LoadBalancer', ports });
    const { clusterIP, clusterIPs, ports: made, ...rest } = spec;
    assert.match(clusterIP, /^198\.19\.\d+\.\d+$/);
    assert.deepEqual(clusterIPs, [clusterIP]);
    for (const { nodePort } of made) assert.ok(nodePort >= 30000 && nodePort <= 32767, `${nodePort}`);
    assert.deepEqual(
      made.map(({ nodePort: _nodePort, ...port }: Body) => port),
      [
        { name: 'web', port: 80, targetPort: 'http', protocol: 'TCP' },
        { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' },
      ],
    );
    assert.deepEqual(rest, {
      type: 'LoadBalancer',
      sessionAffinity: 'None',
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
      ipFamilyPolicy: 'SingleStack',
      ipFamilies: ['IPv4'],
    });
    assert.deepEqual(status, { loadBalancer: {} });
  }),

  ...families.map(([name, spec, want, addresses]) =>
    fact(`a Service that ${name} gets ${addresses} cluster addresses and the families "${want}"`, async (scene) => {
      const { ipFamilies = [], clusterIPs = [] } = (await created(scene, 'a', spec)).spec;
      assert.deepEqual([ipFamilies.join(' '), clusterIPs.length], [want, addresses]);
    }),
  ),

  ...refused.map(([name, spec, causes]) =>
    fact(`a Service with ${name} is refused`, async ({ api, services }) => {
      const { code, body } = await api.post(services, service('x', spec));
      assert.equal(code, 422);
      assert.deepEqual(causesOf(body), causes);
    }),
  ),

  fact('a name that starts with a digit is none for a Service', async ({ api, services }) => {
    const { code, body } = await api.post(services, service('1a'));
    assert.equal(code, 422);
    assert.match(body.message, /^Service "1a" is invalid: metadata.name: Invalid value: "1a": a DNS-1035 label must/);
  }),

  fact('a taken node port and a taken address are refused', async (scene) => {
    const { api, services } = scene;
    const { spec } = await created(scene, 'a', { type: 'NodePort' });
    const [{ nodePort }] = spec.ports;
    const port = await api.post(services, service('b', { type: 'NodePort', ports: [{ port: 80, nodePort }] }));
    assert.match(port.body.message, /nodePort: Invalid value: \d+: provided port is already allocated/);
    const address = await api.post(services, service('b', { clusterIP: spec.clusterIP }));
    assert.match(address.body.message, /failed to allocate IP \S+: provided IP is already allocated/);
  }),

  fact('an update keeps what was allocated, a node port by the name of its port', async (scene) => {
    const { api, services } = scene;
    const before = await created(scene, 'a', { type: 'LoadBalancer', ports: [{ port: 80, name: 'web' }] });
    const put = (port: JsonObject) => api.put(`${services}/a`, service('a', { type: 'LoadBalancer', ports: [port] }));
    const [{ nodePort }] = before.spec.ports;
    const same = await put({ port: 8080, name: 'web' });
    assert.deepEqual([same.body.spec.clusterIP, same.body.spec.ports[0].nodePort], [before.spec.clusterIP, nodePort]);
    const other = await put({ port: 8080, name: 'other' });
    assert.equal(other.code, 200);
    assert.ok(other.body.spec.ports[0].nodePort >= 30000);
  }),

  fact('becoming a load balancer allocates, ceasing to be one gives everything back', async (scene) => {
    const { api, services } = scene;
    await created(scene, 'a', {});
    const up = await api.merge(`${services}/a`, { spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' } });
    assert.equal(up.code, 200, up.body.message);
    assert.ok(up.body.spec.ports[0].nodePort >= 30000 && up.body.spec.healthCheckNodePort >= 30000);
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
  }),

  fact('node ports are left out on request', async (scene) => {
    const { spec } = await created(scene, 'a', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
    assert.equal(spec.ports[0].nodePort, undefined);
  }),

  fact('the class and the cluster address cannot change', async (scene) => {
    const { api, services } = scene;
    await created(scene, 'a', { type: 'LoadBalancer', loadBalancerClass: 'example.net/x' });
    const other = await api.merge(`${services}/a`, { spec: { loadBalancerClass: 'example.net/y' } });
    assert.match(
      other.body.message,
      /spec\.loadBalancerClass: Invalid value: "example\.net\/y": may not change once set/,
    );
    const spec = { clusterIP: '198.19.128.9', clusterIPs: ['198.19.128.9'] };
    const address = await api.merge(`${services}/a`, { spec });
    assert.match(
      address.body.message,
      /spec\.clusterIPs\[0\]: Invalid value: \["198\.19\.128\.9"\]: may not change once set/,
    );
  }),

  fact('a status names addresses, gets their mode, and is held to its form', async (scene) => {
    const { api, services } = scene;
    await created(scene, 'a', { type: 'LoadBalancer' });
    const write = (ingress: JsonObject) =>
      api.merge(`${services}/a/status`, { status: { loadBalancer: { ingress: [ingress] } } });
    const good = await write({ ip: '192.0.2.9' });
    assert.deepEqual(good.body.status.loadBalancer.ingress, [{ ip: '192.0.2.9', ipMode: 'VIP' }]);
    const bad = await write({ ip: '192.0.2' });
    assert.match(
      bad.body.message,
      /status\.loadBalancer\.ingress\[0\]\.ip: Invalid value: "192\.0\.2": must be a valid IP address/,
    );
  }),

  fact('the status subresource of a Service takes annotations along, the specification not', async (scene) => {
    const { api, services } = scene;
    const before = await created(scene, 'a', { type: 'LoadBalancer' });
    const { code, body } = await api.put(`${services}/a/status`, {
      ...before,
      metadata: { ...before.metadata, annotations: { 'example.net/pool': 'lan' } },
      spec: { ...before.spec, externalTrafficPolicy: 'Local' },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
    });
    assert.equal(code, 200, body.message);
    assert.deepEqual(
      [body.metadata.annotations, body.spec.externalTrafficPolicy, body.status.loadBalancer.ingress.length],
      [{ 'example.net/pool': 'lan' }, 'Cluster', 1],
    );
  }),

  fact('a second family can come and go', async (scene) => {
    const { api, services } = scene;
    await created(scene, 'a', {});
    const both = await api.merge(`${services}/a`, { spec: { ipFamilyPolicy: 'PreferDualStack' } });
    assert.deepEqual(both.body.spec.ipFamilies, ['IPv4', 'IPv6'], both.body.message);
    assert.equal(both.body.spec.clusterIPs.length, 2);
    const one = await api.merge(`${services}/a`, { spec: { ipFamilyPolicy: 'SingleStack' } });
    assert.deepEqual([one.body.spec.ipFamilies, one.body.spec.clusterIPs.length], [['IPv4'], 1]);
  }),
];

async function created({ api, services }: Scene, name: string, spec: JsonObject): Promise<Body> {
  const { code, body } = await api.post(services, service(name, spec));
  assert.equal(code, 201, body.message);
  return body;
}
