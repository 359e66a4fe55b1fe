import assert from 'node:assert/strict';
import { compile, type Resources } from '../../src/config/compile.ts';
import { conversionPath, converters, reviewersOf, servicePath } from '../../src/controller/admission.ts';
import type { AdmissionRequest, Verdict } from '../../src/kubernetes/admission-review.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import { system } from '../support/cluster.ts';
import { suite } from '../support/suite.ts';

const test = suite('controller/admission');

type Spec = Readonly<Record<string, unknown>>;
type Object = KubernetesObject & { readonly kind: string; readonly spec: Spec; readonly status?: object };

const paths: Readonly<Record<string, string>> = {
  IPAddressPool: '/validate-metallb-io-v1beta1-ipaddresspool',
  L2Advertisement: '/validate-metallb-io-v1beta1-l2advertisement',
  BGPAdvertisement: '/validate-metallb-io-v1beta1-bgpadvertisement',
  BGPPeer: '/validate-metallb-io-v1beta2-bgppeer',
  BFDProfile: '/validate-metallb-io-v1beta1-bfdprofile',
  Community: '/validate-metallb-io-v1beta1-community',
  AddressReservation: '/validate-garpoon-io-v1alpha1-addressreservation',
  Layer2Policy: '/validate-garpoon-io-v1alpha1-layer2policy',
  Service: servicePath,
};

const keys: Readonly<Record<string, keyof Resources>> = {
  IPAddressPool: 'pools',
  L2Advertisement: 'l2Advertisements',
  BGPAdvertisement: 'bgpAdvertisements',
  BGPPeer: 'peers',
  BFDProfile: 'bfdProfiles',
  Community: 'communities',
  AddressReservation: 'reservations',
  Layer2Policy: 'layer2Policies',
};

function object(kind: string, name: string, spec: Spec, namespace = system): Object {
  return { kind, metadata: { namespace, name }, spec };
}

const pool = (name: string, ...addresses: string[]) => object('IPAddressPool', name, { addresses });
const l2 = (name: string, spec: Spec = {}) => object('L2Advertisement', name, spec);
const bgp = (name: string, spec: Spec = {}) => object('BGPAdvertisement', name, spec);
const peer = (name: string, spec: Spec = {}) =>
  object('BGPPeer', name, { myASN: 64512, peerASN: 64513, peerAddress: '192.0.2.254', ...spec });
const bfd = (name: string, spec: Spec = {}) => object('BFDProfile', name, spec);
const community = (name: string, alias: string) =>
  object('Community', name, { communities: [{ name: alias, value: '64512:1' }] });
const reservation = (name: string, spec: Spec) =>
  object('AddressReservation', name, { service: { namespace: 'default', name: 'web' }, ...spec });

type World = {
  readonly there?: readonly Object[];
  readonly nodes?: readonly Readonly<Record<string, string>>[];
  readonly isSynced?: boolean;
  readonly loadBalancerClass?: string;
};

/** What is said when `before` becomes `after`, in a cluster that has `there` and `before`. */
function review(before: Object | undefined, after: Object | undefined, world: World = {}, more: object = {}): Verdict {
  const { there = [], nodes = [], isSynced = true, loadBalancerClass = '' } = world;
  const all = before === undefined ? there : [...there, before];
  const lists = Object.entries(keys).map(([kind, key]) => [key, all.filter((one) => one.kind === kind)]);
  const resources = Object.fromEntries(lists) as Resources;
  const compiled = compile(resources);
  const config = 'config' in compiled ? compiled.config : undefined;
  const reviewers = reviewersOf({
    namespace: system,
    loadBalancerClass,
    known: { isSynced, resources: () => resources, nodes: () => nodes },
    config: () => (isSynced ? config : undefined),
  });
  const { kind, metadata } = (after ?? before) as Object;
  const request: AdmissionRequest = {
    operation: before === undefined ? 'CREATE' : after === undefined ? 'DELETE' : 'UPDATE',
    kind: { group: 'metallb.io', version: 'v1beta1', kind },
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    subresource: '',
    isDryRun: false,
    user: 'ann',
    object: after,
    oldObject: before,
    ...more,
  };
  return reviewers[paths[kind]!]!(request) as Verdict;
}

const lan = pool('lan', '192.0.2.0/28');
const broken = pool('broken', 'nonsense');

for (const [what, before, after, there, message] of [
  [
    'a pool that says nonsense',
    undefined,
    broken,
    [],
    /^IPAddressPool metallb-system\/broken: spec.addresses\[0\]: is neit/,
  ],
  ['a pool that overlaps another', undefined, pool('wide', '192.0.2.0/24'), [lan], /lan.*(overlap|also)|wide.*lan/],
  ['a pool that grows into another', pool('b', '192.0.2.16/28'), pool('b', '192.0.2.8/29'), [lan], /lan/],
  ['another fault of a pool in the place of the first', broken, pool('broken', '192.0.2.1'), [], /is a single address/],
  [
    'a peer with two identities',
    undefined,
    peer('b'),
    [peer('a')],
    /BGPPeer metallb-system\/b: spec.peerAddress: is the peer/,
  ],
  ['an alias that is there twice', undefined, community('b', 'far'), [community('a', 'far')], /is also defined by/],
  [
    'a profile that a peer names',
    bfd('fast'),
    undefined,
    [peer('a', { bfdProfile: 'fast' })],
    /^BFDProfile metallb-system\/fast: metadata.name: is the spec.bfdProfile of BGPPeer metallb-system\/a: remove it/,
  ],
  [
    'a policy for addresses on the LAN of another name',
    undefined,
    object('Layer2Policy', 'mine', { election: 'balanced' }),
    [],
    /^Layer2Policy metallb-system\/mine: metadata.name: is not default, .*: write it all .* \(found "mine"\)$/,
  ],
  [
    'a policy that says nonsense',
    object('Layer2Policy', 'default', {}),
    object('Layer2Policy', 'default', { election: 'random' }),
    [],
    /spec.election: must be one of metallb, balanced \(found "random"\)/,
  ],
  ['a bad reservation', undefined, reservation('r', { addresses: ['x'] }), [], /spec.addresses\[0\]: is no address/],
  [
    'a pool too narrow for its advertisement',
    pool('p', '192.0.2.0/24'),
    pool('p', '192.0.2.0/28'),
    [bgp('b', { aggregationLength: 24 })],
    /BGPAdvertisement metallb-system\/b: spec.aggregationLength: is wider/,
  ],
] as const) {
  test(`refused: ${what}`, () => {
    const verdict = review(before, after, { there });
    assert.equal(verdict.allowed, false);
    assert.match(verdict.message ?? '', message);
  });
}

for (const [what, before, after, there, warnings] of [
  ['a good pool', undefined, lan, [], []],
  ['a good pool beside a broken one', undefined, lan, [broken], []],
  ['the repair of a broken pool', broken, lan, [], []],
  [
    'a broken pool that is changed elsewhere',
    broken,
    { ...broken, metadata: { ...broken.metadata, labels: {} } },
    [],
    [],
  ],
  [
    'one fault of three peers that are one',
    peer('a'),
    peer('a', { peerAddress: '192.0.2.253' }),
    [peer('b'), peer('c')],
    [],
  ],
  [
    'a peer whose profile is to come',
    undefined,
    peer('a', { bfdProfile: 'fast' }),
    [],
    [/names no BFDProfile: create/],
  ],
  [
    'an advertisement whose alias is to come',
    undefined,
    bgp('b', { communities: ['far'] }),
    [lan],
    [/neither a commu/],
  ],
  [
    'an advertisement of a pool to come',
    undefined,
    l2('l', { ipAddressPools: ['lan'] }),
    [],
    [/names no IPAddressPool/],
  ],
  [
    'a pool that an advertisement names goes',
    lan,
    undefined,
    [l2('l', { ipAddressPools: ['lan'] })],
    [/^L2Advertisement metallb-system\/l: spec.ipAddressPools: names no IPAddressPool/],
  ],
  ['what is odd already is not told again', undefined, lan, [l2('l', { ipAddressPools: ['x'] })], []],
  [
    'an alias in use goes',
    community('c', 'far'),
    undefined,
    [lan, bgp('b', { communities: ['far'] })],
    [/neither a comm/],
  ],
  ['a profile that nobody names goes', bfd('fast'), undefined, [peer('a', { bfdProfile: 'slow' }), bfd('slow')], []],
  ['a peer says what has no effect', undefined, peer('a', { disableMP: true }), [], [/spec.disableMP: has no effect/]],
] as const) {
  test(`allowed: ${what}`, () => {
    const verdict = review(before, after, { there });
    assert.deepEqual([verdict.allowed, verdict.message], [true, undefined]);
    const said = verdict.warnings ?? [];
    assert.equal(said.length, warnings.length, said.join('\n'));
    for (const [i, warning] of warnings.entries()) assert.match(said[i]!, warning);
  });
}

test('peers are held against each other on the nodes that there are', () => {
  const on = (name: string, rack: string) => peer(name, { nodeSelectors: [{ matchLabels: { rack } }] });
  const world = { there: [on('a', '1')], nodes: [{ rack: '1' }, { rack: '2' }] };
  assert.equal(review(undefined, on('b', '2'), world).allowed, true);
  assert.match(review(undefined, on('b', '1'), world).message ?? '', /on a node that both select/);
});

test('a peer that selects no node is judged on its own', () => {
  const nowhere = { nodeSelectors: [{ matchLabels: { rack: '9' } }], myASN: 0 };
  assert.match(review(undefined, peer('a', nowhere), { nodes: [{ rack: '1' }] }).message ?? '', /spec.myASN/);
});

for (const [what, before, after, isSynced, allowed, said] of [
  [
    'created in another namespace',
    undefined,
    object('IPAddressPool', 'lan', {}, 'default'),
    true,
    false,
    /^IPAddressPool default\/lan: metadata.namespace: is not metallb-system.*: create it there/,
  ],
  [
    'changed in another namespace',
    object('IPAddressPool', 'a', {}, 'default'),
    object('IPAddressPool', 'a', {}, 'default'),
    true,
    true,
    /metadata.namespace: is not metallb-system/,
  ],
  ['deleted in another namespace', object('IPAddressPool', 'a', {}, 'default'), undefined, true, true, undefined],
  ['created before the others are read', undefined, lan, false, false, /has not read the other resources: try again/],
  ['deleted before the others are read', lan, undefined, false, true, undefined],
] as const) {
  test(`a pool ${what} is ${allowed ? 'allowed' : 'refused'}${said === undefined ? '' : ' in words'}`, () => {
    const verdict = review(before, after, { isSynced });
    assert.equal(verdict.allowed, allowed);
    const text = verdict.message ?? verdict.warnings?.join('\n');
    if (said === undefined) assert.equal(text, undefined);
    else assert.match(text ?? '', said);
  });
}

test('a subresource is nobody’s configuration', () => {
  assert.deepEqual(review(lan, broken, {}, { subresource: 'status' }), { allowed: true });
});

/** The pool with addresses in use: the first of `192.0.2.0/28`, each by a Service of its own. */
function inUse(count: number, omitted = 0): Object {
  const assignments = Array.from({ length: count }, (_, i) => ({
    address: `192.0.2.${i}`,
    services: [`default/s${i}`],
  }));
  return { ...lan, status: { assignments, ...(omitted === 0 ? {} : { assignmentsOmitted: omitted }) } };
}

const shared = { ...lan, status: { assignments: [{ address: '192.0.2.1', services: ['a/a', 'b/b', 'c/c'] }] } };
const excluding = {
  ...lan,
  metadata: { ...lan.metadata, annotations: { 'garpoon.io/exclude-addresses': '192.0.2.0-192.0.2.8' } },
};

for (const [what, before, after, expected] of [
  ['goes', inUse(1), undefined, ['192.0.2.0 is taken from default/s0']],
  [
    'shrinks',
    inUse(3),
    pool('lan', '192.0.2.2/31'),
    ['192.0.2.0 is taken from default/s0', '192.0.2.1 is taken from default/s1'],
  ],
  ['excludes one', inUse(1), excluding, ['192.0.2.0 is taken from default/s0']],
  ['grows', inUse(3), pool('lan', '192.0.2.0/24'), []],
  ['goes with a shared address', shared, undefined, ['192.0.2.1 is taken from a/a and 2 more']],
  [
    'goes with more than a handful',
    inUse(8),
    undefined,
    [
      ...[0, 1, 2, 3, 4].map((i) => `192.0.2.${i} is taken from default/s${i}`),
      '3 more addresses are taken from their Services',
    ],
  ],
  [
    'goes with more than its status names',
    inUse(1, 7),
    undefined,
    ['192.0.2.0 is taken from default/s0', '7 more addresses of the pool are in use, and perhaps taken as well'],
  ],
  ['grows, with more than its status names', inUse(1, 7), pool('lan', '192.0.2.0/24'), []],
] as const) {
  test(`who loses an address is said when a pool ${what}`, () => {
    assert.deepEqual(review(before, after), { allowed: true, warnings: expected });
  });
}

function service(annotations: Readonly<Record<string, string>>, spec: Spec = {}): Object {
  const whole = { type: 'LoadBalancer', clusterIPs: ['198.18.0.1'], ports: [{ port: 80 }], ...spec };
  return { kind: 'Service', metadata: { namespace: 'default', name: 'web', annotations }, spec: whole };
}

const asks = (value: string) => ({ 'metallb.io/loadBalancerIPs': value });

for (const [what, of, expected] of [
  ['asks for nothing', service({}), []],
  ['asks for an address that is none', service(asks('192.0.2')), [/loadBalancerIPs\]: must be one address/]],
  ['asks twice', service(asks('192.0.2.1'), { loadBalancerIP: '192.0.2.1' }), [/both request addresses/]],
  ['asks for a family that it has not', service(asks('2001:db8::1')), [/must be one address of each family/]],
  ['asks for an address of a pool', service(asks('192.0.2.1')), []],
  ['asks for an address of no pool', service(asks('192.0.2.99')), [/loadBalancerIPs\]: is in no IPAddressPool/]],
  ['asks for such a one in its spec', service({}, { loadBalancerIP: '192.0.2.99' }), [/spec.loadBalancerIP: is in no/]],
  ['asks for a pool that there is', service({ 'metallb.io/address-pool': 'lan' }), []],
  [
    'asks for a pool that is not there',
    service({ 'metallb.io/address-pool': 'x' }),
    [/address-pool\]: names no IPAddr/],
  ],
  ['asks for several, one of them not there', service({ 'garpoon.io/address-pools': 'lan,x' }), [/\(found "x"\)/]],
  ['asks for pools badly', service({ 'garpoon.io/address-pools': 'lan,' }), [/must be names of pools separated/]],
  [
    'asks for an address of another pool',
    service({ ...asks('192.0.2.1'), 'metallb.io/address-pool': 'other' }),
    [/is in the pool lan, but other is requested/],
  ],
  [
    'uses the old prefix',
    service({ 'metallb.universe.tf/address-pool': 'lan' }),
    [/metallb.universe.tf\/address-pool\] is deprecated: write metallb.io\/address-pool/],
  ],
  ['asks for three', service({ 'garpoon.io/external-ips-count': '3' }), []],
  ['asks for too many', service({ 'garpoon.io/external-ips-count': '65' }), [/a whole number from 1 to 64/]],
  ['wants addresses', service({ 'garpoon.io/external-ips': '192.0.2.1,192.0.2.2' }), []],
  [
    'wants an address of no pool',
    service({ 'garpoon.io/external-ips': '192.0.2.1,192.0.2.99' }),
    [/external-ips\]: is in no IPAddressPool.*192\.0\.2\.99/],
  ],
  [
    'wants more than it counts',
    service({ 'garpoon.io/external-ips': '192.0.2.1,192.0.2.2', 'garpoon.io/external-ips-count': '1' }),
    [/external-ips-count\]: is less than the 2 addresses of a family/],
  ],
  [
    'wants addresses in two ways',
    service({ ...asks('192.0.2.1'), 'garpoon.io/external-ips': '192.0.2.2' }),
    [/loadBalancerIPs\]: is ignored, because garpoon.io\/external-ips goes before it: remove one/],
  ],
  [
    'has a number in Deckhouse’s words that is none',
    service({ 'network.deckhouse.io/l2-load-balancer-external-ips-count': 'three' }),
    [/external-ips-count\]: is no number from 1 to 64, and read as 1 \(found "three"\)/],
  ],
  ['has no cluster address yet', service({}, { clusterIPs: [] }), []],
  ['requires a family that it has not', service({}, { ipFamilyPolicy: 'RequireDualStack' }), [/requires two families/]],
  ['is no LoadBalancer', service(asks('x'), { type: 'ClusterIP' }), []],
  ['is of another class', service(asks('x'), { loadBalancerClass: 'example.com/other' }), []],
] as const) {
  test(`a Service that ${what} is allowed, with ${expected.length === 0 ? 'nothing said' : 'a warning'}`, () => {
    const verdict = review(undefined, of, { there: [lan, pool('other', '198.51.100.0/24')] });
    assert.equal(verdict.allowed, true);
    const said = verdict.warnings ?? [];
    assert.equal(said.length, expected.length, said.join('\n'));
    for (const [i, warning] of expected.entries()) assert.match(said[i]!, warning);
  });
}

test('a Service that is written for another reason is not warned about again', () => {
  const before = service(asks('x'));
  assert.deepEqual(review(before, { ...before, status: {} }), { allowed: true });
  assert.equal(review(before, service(asks('y'))).warnings?.length, 1);
  assert.deepEqual(review(before, undefined), { allowed: true });
});

test('nothing is said about pools before they are known', () => {
  const of = service({ 'metallb.io/address-pool': 'lan' });
  assert.deepEqual(review(undefined, of, { isSynced: false }), { allowed: true, warnings: [] });
});

test('a Service of our class is ours, and one without is not', () => {
  const world = { loadBalancerClass: 'example.com/ours' };
  assert.equal(
    review(undefined, service(asks('x'), { loadBalancerClass: 'example.com/ours' }), world).warnings?.length,
    1,
  );
  assert.deepEqual(review(undefined, service(asks('x')), world), { allowed: true });
});

test('BGPPeers are converted there and back', () => {
  const convert = converters[conversionPath]!;
  const current = { ...peer('a', { vrf: 'red' }), apiVersion: 'metallb.io/v1beta2' };
  const old = convert(current, 'metallb.io/v1beta1');
  assert.ok('object' in old && old.object.apiVersion === 'metallb.io/v1beta1');
  assert.deepEqual(convert(old.object, 'metallb.io/v1beta2'), { object: current });
});

for (const [from, to] of [
  ['metallb.io/v1beta2', 'metallb.io/v1'],
  ['metallb.io/v1beta3', 'metallb.io/v1beta2'],
] as const) {
  test(`there are no words but a refusal for a conversion from ${from} to ${to}`, () => {
    const outcome = converters[conversionPath]!({ ...peer('a'), apiVersion: from }, to);
    assert.deepEqual(outcome, {
      problem: `there is no conversion from ${from} to ${to}: give a BGPPeer of metallb.io`,
    });
  });
}
