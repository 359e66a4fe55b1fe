import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { type CompileOptions, compile, type Resources } from '../../src/config/compile.ts';
import type { Config } from '../../src/config/config.ts';
import { suite } from '../support/suite.ts';

const test = suite('config/bgp');

const meta = (name: string, labels = {}) => ({ name, namespace: 'metallb-system', labels });
const pool = (name: string, addresses: readonly string[], labels = {}) => ({
  metadata: meta(name, labels),
  spec: { addresses },
});
const named = (name: string, spec: object = {}) => ({ metadata: meta(name), spec });
const peer = (name: string, address: string, spec: object = {}) =>
  named(name, { myASN: 64_512, peerASN: 64_513, peerAddress: address, ...spec });
const onRack = (rack: string) => ({ nodeSelectors: [{ matchLabels: { rack } }] });

const office = pool('office', ['192.0.2.0/24']);

function compiled(resources: Partial<Resources>, options?: CompileOptions): Config {
  const result = compile({ pools: [], l2Advertisements: [], ...resources }, options);
  assert.deepEqual('errors' in result ? result.errors.map(formatProblem) : [], []);
  assert.ok('config' in result);
  return result.config;
}

function refused(resources: Partial<Resources>, options?: CompileOptions): readonly string[] {
  const result = compile({ pools: [], l2Advertisements: [], ...resources }, options);
  return 'errors' in result ? result.errors.map(formatProblem) : [];
}

test('a pool has the BGPAdvertisements that choose it, with the communities that their names stand for', () => {
  const { pools } = compiled({
    pools: [pool('home', ['198.51.100.0/24']), office],
    bgpAdvertisements: [
      named('b', { ipAddressPools: ['office'], communities: ['backup', '64512:300', '64512:100'] }),
      named('a', { localPref: 200, peers: ['tor-2', 'tor-1'], ipAddressPools: ['home'] }),
    ],
    communities: [named('ours', { communities: [{ name: 'backup', value: '64512:300' }] })],
  });
  const [home, offices] = pools.map(({ bgpAdvertisements }) => bgpAdvertisements);
  const common = {
    aggregationLength: { 4: 32, 6: 128 },
    nodeSelectors: [],
    serviceSelectors: [],
    med: undefined,
    prepend: undefined,
  };
  assert.deepEqual(home, [{ name: 'a', ...common, localPref: 200, communities: [], peers: ['tor-1', 'tor-2'] }]);
  const communities = [
    [64_512, 100],
    [64_512, 300],
  ];
  assert.deepEqual(offices, [{ name: 'b', ...common, localPref: undefined, communities, peers: 'all' }]);
});

test('an advertisement that names a pool and selects it, too, has it once', () => {
  const { pools } = compiled({
    pools: [pool('office', ['192.0.2.0/24'], { zone: 'east' })],
    bgpAdvertisements: [
      named('a', { ipAddressPools: ['office'], ipAddressPoolSelectors: [{ matchLabels: { zone: 'east' } }, {}] }),
    ],
  });
  assert.equal(pools[0]?.bgpAdvertisements.length, 1);
});

test('peers come by name, with the profile that they name', () => {
  const { peers, bfdProfiles } = compiled({
    peers: [peer('b', '198.51.100.2', { bfdProfile: 'fast' }), peer('a', '198.51.100.1')],
    bfdProfiles: [named('slow'), named('fast', { detectMultiplier: 5 })],
  });
  assert.deepEqual(
    peers.map(({ name, bfdProfile }) => [name, bfdProfile?.detectMultiplier]),
    [
      ['a', undefined],
      ['b', 5],
    ],
  );
  assert.deepEqual(
    bfdProfiles.map(({ name }) => name),
    ['fast', 'slow'],
  );
});

for (const [name, resources, line] of [
  [
    'a peer whose profile does not exist',
    { peers: [peer('tor', '198.51.100.1', { bfdProfile: 'fast' })] },
    'BGPPeer metallb-system/tor: spec.bfdProfile: names no BFDProfile: create one of this name, or remove the field (found "fast")',
  ],
  [
    'an advertisement whose community does not exist',
    { bgpAdvertisements: [named('a', { communities: ['backup'] })] },
    'BGPAdvertisement metallb-system/a: spec.communities[0]: is neither a community nor the name of one in a Community: write 64512:100, or define the name (found "backup")',
  ],
] as const) {
  test(`${name} is refused, and said to wait for it`, () => {
    const result = compile({ pools: [], l2Advertisements: [], ...resources });
    assert.ok('errors' in result);
    assert.deepEqual(result.errors.map(formatProblem), [line]);
    assert.ok(result.errors.every(({ awaits }) => awaits !== undefined));
  });
}

test('what cannot be read is told, and not that it is missing', () => {
  assert.deepEqual(
    refused({
      peers: [peer('tor', '198.51.100.1', { bfdProfile: 'fast' })],
      bfdProfiles: [named('fast', { detectMultiplier: 1 })],
      bgpAdvertisements: [named('a', { communities: ['backup'] })],
      communities: [named('ours', { communities: [{ name: 'backup', value: '1' }] })],
    }),
    [
      'BFDProfile metallb-system/fast: spec.detectMultiplier: must be from 2 to 255 (found 1)',
      'Community metallb-system/ours: spec.communities[0].value: is no community: write 64512:100, or large:64512:1:2 (found "1")',
    ],
  );
});

test('two preferences for one route are told on the later advertisement, once', () => {
  assert.deepEqual(
    refused({
      pools: [office, pool('home', ['198.51.100.0/24'])],
      bgpAdvertisements: [named('b', { localPref: 200 }), named('a', { localPref: 100 })],
    }),
    [
      'BGPAdvertisement metallb-system/b: spec.localPref: differs from the 100 of BGPAdvertisement metallb-system/a, which announces IPAddressPool metallb-system/home to the same peers from the same nodes, too: make them equal, or choose other pools, peers or nodes (found 200)',
    ],
  );
});

for (const [key, field] of [
  ['med', 'metadata.annotations[garpoon.io/med]'],
  ['as-path-prepend', 'metadata.annotations[garpoon.io/as-path-prepend]'],
] as const) {
  const says = (name: string, value: string | undefined) => ({
    metadata: { ...meta(name), annotations: value === undefined ? {} : { [`garpoon.io/${key}`]: value } },
  });

  test(`two of ${key} for one route are told as two preferences are`, () => {
    assert.deepEqual(refused({ pools: [office], bgpAdvertisements: [says('a', '1'), says('b', '2')] }), [
      `BGPAdvertisement metallb-system/b: ${field}: differs from the 1 of BGPAdvertisement metallb-system/a, which announces IPAddressPool metallb-system/office to the same peers from the same nodes, too: make them equal, or choose other pools, peers or nodes (found 2)`,
    ]);
  });

  test(`an advertisement may leave ${key} to another`, () => {
    const [pool] = compiled({ pools: [office], bgpAdvertisements: [says('a', '1'), says('b', undefined)] }).pools;
    assert.equal(pool?.bgpAdvertisements.length, 2);
  });
}

test('two sessions with one router are two peers when their nodes find other source addresses', () => {
  const from = (name: string, source: string) => ({
    ...peer(name, '198.51.100.1'),
    metadata: { ...meta(name), annotations: { 'garpoon.io/source-address-from': source } },
  });
  assert.deepEqual(refused({ peers: [from('a', 'eth0'), from('b', 'eth1')] }), []);
  assert.equal(refused({ peers: [from('a', '192.0.2.0/24'), from('b', '192.0.2.0/24')] }).length, 1);
});

test('a prefix wider than a range of the pool is told with the length that fits', () => {
  assert.deepEqual(
    refused({
      pools: [pool('office', ['192.0.2.0/26', '198.51.100.10-198.51.100.20'])],
      bgpAdvertisements: [named('a', { aggregationLength: 28 })],
    }),
    [
      'BGPAdvertisement metallb-system/a: spec.aggregationLength: is wider than 198.51.100.10-198.51.100.20 of IPAddressPool metallb-system/office: set it to at least 30, or choose other pools (found 28)',
    ],
  );
});

const twoPeers = { peers: [peer('a', '198.51.100.1', onRack('r1')), peer('b', '198.51.100.1', onRack('r2'))] };
const twoPreferences = {
  pools: [office],
  bgpAdvertisements: [named('a', { localPref: 1, ...onRack('r1') }), named('b', { localPref: 2, ...onRack('r2') })],
};

for (const [name, nodes, verdict] of [
  ['nobody knows which nodes there are', undefined, 'refused'],
  ['there are none', [], 'in force'],
  ['each is for other nodes', [{ rack: 'r1' }, { rack: 'r2' }, {}], 'in force'],
  ['the node is for one of them', [{ rack: 'r2' }], 'in force'],
] as const) {
  test(`two peers, or advertisements, that contradict each other are ${verdict} when ${name}`, () => {
    for (const resources of [twoPeers, twoPreferences]) {
      assert.equal(refused(resources, { nodes }).length === 0, verdict === 'in force');
    }
  });
}

test('two that contradict each other on one node are refused for it, and in force for the others', () => {
  const both = { nodeSelectors: [{ matchExpressions: [{ key: 'rack', operator: 'Exists' }] }] };
  const peers = [peer('a', '198.51.100.1', onRack('r1')), peer('b', '198.51.100.1', both)];
  assert.equal(refused({ peers }, { nodes: [{ rack: 'r1' }] }).length, 1);
  assert.equal(refused({ peers }, { nodes: [{ rack: 'r2' }, { rack: 'r1' }] }).length, 1);
  assert.deepEqual(
    compiled({ peers }, { nodes: [{ rack: 'r2' }] }).peers.map(({ name }) => name),
    ['b'],
  );
});

test('a node judges nothing that is for other nodes, however faulty, and all that it cannot tell', () => {
  const peers = [named('broken', { myASN: 'x', ...onRack('r1') })];
  const bgpAdvertisements = [named('broken', { localPref: 'x', ...onRack('r1') })];
  assert.deepEqual(refused({ peers, bgpAdvertisements }, { nodes: [{ rack: 'r2' }] }), []);
  assert.notDeepEqual(refused({ peers, bgpAdvertisements }, { nodes: [{ rack: 'r1' }] }), []);
  const unreadable = [named('broken', { nodeSelectors: 'all' })];
  assert.notDeepEqual(refused({ peers: unreadable }, { nodes: [{}] }), []);
  const broken = { peers: unreadable, bfdProfiles: [{}], communities: [7], bgpAdvertisements: [null] };
  assert.deepEqual(refused(broken, { nodes: [] }), []);
});

test('faults of pools and L2Advertisements are judged everywhere', () => {
  const l2Advertisements = [named('lan', { interfaces: 'eth0', ...onRack('r1') })];
  assert.equal(refused({ pools: [pool('a', [])], l2Advertisements }, { nodes: [] }).length, 2);
});
