import assert from 'node:assert/strict';
import { deprecatedAnnotations } from '../../src/api/service-annotations.ts';
import { parseServiceWish, type ServiceShape, type ServiceWish } from '../../src/api/service-wish.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/service-wish');

type Spec = NonNullable<ServiceShape['spec']>;
type Annotations = Readonly<Record<string, string>>;

const v4: Spec = { clusterIPs: ['10.96.0.7'] };
const dual: Spec = { clusterIPs: ['10.96.0.7', 'fd00::7'], ipFamilyPolicy: 'PreferDualStack' };

const service = (spec: Spec, annotations: Annotations = {}): ServiceShape => ({
  metadata: { namespace: 'shop', name: 'web', annotations },
  spec,
});

function wish(spec: Spec, annotations: Annotations = {}): ServiceWish {
  const result = parseServiceWish(service(spec, annotations));
  assert.ok(!('reason' in result));
  return result;
}

test('a Service that asks for nothing wishes for any address of its family', () => {
  assert.deepEqual(wish(v4), {
    families: [4],
    familyPolicy: 'SingleStack',
    addresses: [],
    count: 1,
    pool: undefined,
    pools: [],
    sharingKey: undefined,
    backend: '',
    ports: [],
  });
});

for (const [name, spec, families] of [
  ['IPv4 from clusterIP alone', { clusterIP: '10.96.0.7' }, [4]],
  ['IPv6', { clusterIPs: ['fd00::7'] }, [6]],
  ['two families, primary first', { clusterIPs: ['fd00::7', '10.96.0.7'] }, [6, 4]],
] as const) {
  test(`the cluster addresses give the families: ${name}`, () => assert.deepEqual(wish(spec).families, families));
}

for (const [name, spec, annotations, addresses] of [
  ['from the annotation', v4, { 'metallb.io/loadBalancerIPs': '192.0.2.10' }, ['192.0.2.10']],
  ['from the field', { ...v4, loadBalancerIP: '192.0.2.10' }, {}, ['192.0.2.10']],
  [
    'in the order requested',
    dual,
    { 'metallb.io/loadBalancerIPs': ' 2001:DB8::a , 192.0.2.10 ' },
    ['2001:db8::a', '192.0.2.10'],
  ],
  ['not from an empty annotation', v4, { 'metallb.io/loadBalancerIPs': '' }, []],
  ['from the deprecated annotation', v4, { 'metallb.universe.tf/loadBalancerIPs': '192.0.2.10' }, ['192.0.2.10']],
  [
    'not from the deprecated annotation when the new one is there, even empty',
    v4,
    { 'metallb.universe.tf/loadBalancerIPs': '192.0.2.10', 'metallb.io/loadBalancerIPs': '' },
    [],
  ],
] as const) {
  test(`addresses are requested: ${name}`, () => {
    assert.deepEqual(wish(spec, annotations).addresses.map(formatAddress), addresses);
  });
}

test('pool and sharing key come from annotations', () => {
  const { pool, sharingKey } = wish(v4, { 'metallb.io/address-pool': 'office', 'metallb.io/allow-shared-ip': 'dns' });
  assert.deepEqual({ pool, sharingKey }, { pool: 'office', sharingKey: 'dns' });
});

test('an empty pool name asks for no pool, an empty sharing key is still a key', () => {
  const { pool, sharingKey } = wish(v4, { 'metallb.io/address-pool': '', 'metallb.io/allow-shared-ip': '' });
  assert.deepEqual({ pool, sharingKey }, { pool: undefined, sharingKey: '' });
});

for (const [name, annotations, pools] of [
  ['one', { 'garpoon.io/address-pools': 'office' }, ['office']],
  ['several, in their order', { 'garpoon.io/address-pools': ' office-v6 , office' }, ['office-v6', 'office']],
  ['none, when empty', { 'garpoon.io/address-pools': '' }, []],
  ['one, beside an empty pool', { 'garpoon.io/address-pools': 'a', 'metallb.io/address-pool': '' }, ['a']],
  ["none under MetalLB's prefixes", { 'metallb.io/address-pools': 'a', 'metallb.universe.tf/address-pools': 'a' }, []],
] as const) {
  test(`pools that serve a Service together come from an annotation: ${name}`, () => {
    assert.deepEqual(wish(v4, annotations).pools, pools);
  });
}

for (const [value, beside, complaint] of [
  ['office,', {}, 'must be names of pools separated by commas, such as office,office-v6'],
  [',', {}, 'must be names of pools separated by commas, such as office,office-v6'],
  ['office,lab,office', {}, 'names a pool twice: remove one of the two'],
  [
    'lab',
    { 'metallb.io/address-pool': 'office' },
    'and metallb.io/address-pool both request pools: remove one of the two',
  ],
  [
    'lab',
    { 'metallb.universe.tf/address-pool': 'office' },
    'and metallb.io/address-pool both request pools: remove one of the two',
  ],
] as const) {
  test(`invalid-address-pools: "${value}" beside ${JSON.stringify(beside)}`, () => {
    const result = parseServiceWish(service(v4, { 'garpoon.io/address-pools': value, ...beside }));
    assert.ok('reason' in result);
    const { object, field, reason, message } = result;
    assert.deepEqual([object, reason, message], ['Service shop/web', 'invalid-address-pools', complaint]);
    assert.equal(field, 'metadata.annotations[garpoon.io/address-pools]');
  });
}

test('the backend is the selector with traffic policy Local, and nothing with Cluster', () => {
  const selector = { tier: 'web', app: 'shop' };
  assert.equal(wish({ ...v4, selector, externalTrafficPolicy: 'Local' }).backend, 'app=shop,tier=web');
  assert.equal(wish({ ...v4, selector, externalTrafficPolicy: 'Cluster' }).backend, '');
});

test('a port without a protocol is TCP', () => {
  const ports = [{ port: 80 }, { port: 53, protocol: 'UDP' }];
  assert.deepEqual(wish({ ...v4, ports }).ports, [
    { port: 80, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
  ]);
});

const annotation = 'metadata.annotations[metallb.io/loadBalancerIPs]';
for (const [reason, field, spec, requested] of [
  ['no-cluster-ips', 'spec.clusterIPs', {}, undefined],
  ['no-cluster-ips', 'spec.clusterIPs', { clusterIP: '', clusterIPs: [] }, undefined],
  ['invalid-cluster-ips', 'spec.clusterIPs', { clusterIP: 'None' }, undefined],
  ['invalid-cluster-ips', 'spec.clusterIPs', { clusterIPs: ['10.96.0.7', '10.96.0.8'] }, undefined],
  ['not-enough-cluster-ips', 'spec.clusterIPs', { ...v4, ipFamilyPolicy: 'RequireDualStack' }, undefined],
  ['requested-twice', annotation, { ...v4, loadBalancerIP: '192.0.2.10' }, '192.0.2.10'],
  ['invalid-load-balancer-ips', annotation, v4, 'web.example.com'],
  ['invalid-load-balancer-ips', annotation, v4, '192.0.2.10,'],
  ['invalid-load-balancer-ips', annotation, dual, '192.0.2.10,192.0.2.11'],
  ['invalid-load-balancer-ips', annotation, dual, '192.0.2.10,2001:db8::a,2001:db8::b'],
  ['invalid-load-balancer-ips', 'spec.loadBalancerIP', { ...v4, loadBalancerIP: '192.0.2.10,' }, undefined],
  ['family-mismatch', annotation, v4, '2001:db8::a'],
  ['family-mismatch', annotation, dual, '192.0.2.10'],
  ['family-mismatch', annotation, v4, '192.0.2.10,2001:db8::a'],
] as const) {
  test(`${reason}: ${JSON.stringify(spec)} with ${requested ?? 'no annotation'}`, () => {
    const annotations = requested === undefined ? {} : { 'metallb.io/loadBalancerIPs': requested };
    const result = parseServiceWish(service(spec, annotations));
    assert.ok('reason' in result);
    assert.deepEqual([result.reason, result.field, result.object], [reason, field, 'Service shop/web']);
  });
}

test('deprecated annotations are found, whatever comes after their prefix', () => {
  const annotations = { 'metallb.universe.tf/x': '', 'metallb.universe.tf/address-pool': '', 'metallb.io/x': '' };
  assert.deepEqual(deprecatedAnnotations(annotations), ['metallb.universe.tf/x', 'metallb.universe.tf/address-pool']);
});
