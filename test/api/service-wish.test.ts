import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deprecatedAnnotations, shadowedAnnotations } from '../../src/api/service-annotations.ts';
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
    wanted: [],
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
  ['invalid-load-balancer-ips', annotation, dual, '192.0.2.10,192.0.2.11,'],
  ['invalid-load-balancer-ips', annotation, dual, '192.0.2.10,2001:db8::a,192.0.2.10'],
  ['family-mismatch', annotation, v4, '192.0.2.10,192.0.2.11,2001:db8::a'],
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

const ips = 'garpoon.io/external-ips';
const many = 'garpoon.io/external-ips-count';
const theirIPs = 'metallb.io/loadBalancerIPs';
const deckhouse = (rest: string) => `network.deckhouse.io/${rest}`;

for (const [what, spec, annotations, expected] of [
  ['a number', v4, { [many]: '3' }, '//3'],
  ['the most', v4, { [many]: ' 64 ' }, '//64'],
  ['one address of ours', v4, { [ips]: '192.0.2.7' }, '/192.0.2.7/1'],
  ['two of a family', v4, { [ips]: '192.0.2.7, 192.0.2.5' }, '/192.0.2.7 192.0.2.5/2'],
  ['fewer than the number', v4, { [ips]: '192.0.2.7', [many]: '3' }, '/192.0.2.7/3'],
  ['more than the number', v4, { [ips]: '192.0.2.7,192.0.2.8', [many]: '1' }, '/192.0.2.7 192.0.2.8/2'],
  ['as many as the longer family', dual, { [ips]: '192.0.2.7,::1,192.0.2.8' }, '/192.0.2.7 ::1 192.0.2.8/2'],
  ['one of two families', dual, { [ips]: '192.0.2.7' }, '/192.0.2.7/1'],
  ["MetalLB's, one of each family", dual, { [theirIPs]: '192.0.2.7,::1' }, '192.0.2.7 ::1//1'],
  ["MetalLB's with a number of one", v4, { [theirIPs]: '192.0.2.7', [many]: '1' }, '192.0.2.7//1'],
  ["MetalLB's with a number", v4, { [theirIPs]: '192.0.2.7', [many]: '2' }, '/192.0.2.7/2'],
  ["MetalLB's, two of a family", v4, { [theirIPs]: '192.0.2.7,192.0.2.8' }, '/192.0.2.7 192.0.2.8/2'],
  ['the field', { ...v4, loadBalancerIP: '192.0.2.7' }, {}, '192.0.2.7//1'],
  ['the field with a number', { ...v4, loadBalancerIP: '192.0.2.7' }, { [many]: '2' }, '/192.0.2.7/2'],
  ["Deckhouse's", v4, { [deckhouse('load-balancer-ips')]: '192.0.2.7' }, '/192.0.2.7/1'],
  ["Deckhouse's number", v4, { [deckhouse('l2-load-balancer-external-ips-count')]: '3' }, '//3'],
  ["Deckhouse's, no number", v4, { [deckhouse('l2-load-balancer-external-ips-count')]: 'three' }, '//1'],
  [
    'the field before what is Deckhouse’s',
    { ...v4, loadBalancerIP: '192.0.2.7' },
    { [deckhouse('load-balancer-ips')]: '192.0.2.8' },
    '192.0.2.7//1',
  ],
  [
    'ours before all others',
    v4,
    {
      [ips]: '192.0.2.7',
      [theirIPs]: '192.0.2.8',
      [deckhouse('load-balancer-ips')]: '192.0.2.9',
      [many]: '2',
      [deckhouse('l2-load-balancer-external-ips-count')]: '3',
    },
    '/192.0.2.7/2',
  ],
  [
    "MetalLB's before Deckhouse's",
    v4,
    { 'metallb.universe.tf/loadBalancerIPs': '192.0.2.8', [deckhouse('load-balancer-ips')]: '192.0.2.9' },
    '192.0.2.8//1',
  ],
  ['an empty one of ours before another', v4, { [ips]: '', [theirIPs]: '192.0.2.8' }, '//1'],
] as const) {
  test(`addresses, wanted ones and their number: ${what}`, () => {
    const { addresses, wanted, count } = wish(spec, annotations);
    const [named, asFarAsCanBe] = [addresses, wanted].map((list) => list.map(formatAddress).join(' '));
    assert.equal(`${named}/${asFarAsCanBe}/${count}`, expected);
  });
}

for (const [reason, annotations, message] of [
  ['invalid-external-ips', { [ips]: 'web.example.com' }, /must be one address, or several separated by commas/],
  ['invalid-external-ips', { [ips]: '192.0.2.7,' }, /must be one address, or several separated by commas/],
  ['invalid-external-ips', { [ips]: '192.0.2.7,192.0.2.7' }, /names an address twice/],
  ['invalid-external-ips', { [ips]: '192.0.2.1,'.repeat(64) }, /names more than 64 addresses/],
  ['family-mismatch', { [ips]: '192.0.2.7,2001:db8::1' }, /of the families of the Service, which has IPv4/],
  ['invalid-load-balancer-ips', { [deckhouse('load-balancer-ips')]: 'x' }, /must be one address/],
  ['invalid-external-ips-count', { [many]: '0' }, /a whole number from 1 to 64/],
  ['invalid-external-ips-count', { [many]: '65' }, /a whole number from 1 to 64/],
  ['invalid-external-ips-count', { [many]: '2.5' }, /a whole number from 1 to 64/],
  ['invalid-external-ips-count', { [many]: '1e1' }, /a whole number from 1 to 64/],
  [
    'invalid-external-ips-count',
    { [deckhouse('l2-load-balancer-external-ips-count')]: '65' },
    /a whole number from 1 to 64/,
  ],
] as const) {
  test(`${reason}: ${JSON.stringify(annotations).slice(0, 80)}`, () => {
    const result = parseServiceWish(service(v4, annotations));
    assert.ok('reason' in result);
    assert.equal(result.reason, reason);
    assert.equal(result.field, `metadata.annotations[${Object.keys(annotations)[0]}]`);
    assert.match(result.message, message);
  });
}

test('addresses of ours and in spec.loadBalancerIP are requested twice', () => {
  const result = parseServiceWish(service({ ...v4, loadBalancerIP: '192.0.2.1' }, { [ips]: '192.0.2.2' }));
  assert.ok('reason' in result && result.reason === 'requested-twice');
});

for (const [annotations, key] of [
  [{ 'metallb.io/allow-shared-ip': 'a', [deckhouse('load-balancer-shared-ip-key')]: 'b' }, 'a'],
  [{ 'metallb.universe.tf/allow-shared-ip': 'a', [deckhouse('load-balancer-shared-ip-key')]: 'b' }, 'a'],
  [{ [deckhouse('load-balancer-shared-ip-key')]: 'b', [deckhouse('load-balancer-allow-shared-ip')]: 'c' }, 'b'],
  [{ [deckhouse('load-balancer-allow-shared-ip')]: 'c' }, 'c'],
] as const) {
  test(`the sharing key of ${JSON.stringify(annotations)} is ${key}`, () => {
    assert.equal(wish(v4, annotations).sharingKey, key);
  });
}

test('an annotation that does not count because of another is told, unless it says the same', () => {
  const annotations = {
    [ips]: '192.0.2.7',
    [theirIPs]: '192.0.2.8',
    [many]: '3',
    [deckhouse('l2-load-balancer-external-ips-count')]: '3',
    [deckhouse('load-balancer-allow-shared-ip')]: 'c',
  };
  assert.deepEqual(shadowedAnnotations(annotations), [{ key: theirIPs, by: ips }]);
});

const anyPart = fc.oneof(
  fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', ' ', '', '1', '64', '65', 'x'),
  fc.string({ maxLength: 20 }),
);
const anyText = fc.array(anyPart, { maxLength: 70 }).map((parts) => parts.join(','));
const anyKey = fc.constantFrom(
  ips,
  many,
  theirIPs,
  'metallb.universe.tf/loadBalancerIPs',
  ...['load-balancer-ips', 'l2-load-balancer-external-ips-count', 'load-balancer-shared-ip-key'].map(deckhouse),
);

test('whatever the annotations say, a wish is within bounds, or a problem names its field', () => {
  const anyAnnotations = fc.dictionary(anyKey, anyText, { noNullPrototype: true });
  fc.assert(
    fc.property(anyAnnotations, fc.constantFrom(v4, dual), (annotations, spec) => {
      const result = parseServiceWish(service(spec, annotations));
      if ('reason' in result) {
        assert.match(result.field, /^metadata\.annotations\[/);
        return;
      }
      const { addresses, wanted, count, families } = result;
      assert.ok(count >= 1 && count <= 64);
      assert.ok(addresses.length === 0 || (wanted.length === 0 && count === 1 && addresses.length === families.length));
      for (const family of [4, 6] as const) {
        const ofFamily = wanted.filter((address) => address.family === family);
        assert.ok(ofFamily.length <= (families.includes(family) ? count : 0));
        assert.equal(new Set(ofFamily.map(formatAddress)).size, ofFamily.length);
      }
    }),
    { numRuns: 3000 },
  );
});
