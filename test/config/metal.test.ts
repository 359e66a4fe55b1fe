import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { type CompileOptions, compile, type Resources } from '../../src/config/compile.ts';
import { Config, type Peer } from '../../src/config/config.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { formatRange } from '../../src/ip/range.ts';
import { suite } from '../support/suite.ts';

const test = suite('config/metal');

const named = (name: string, spec: object, annotations: object = {}) => ({ metadata: { name, annotations }, spec });
const inNamespace = (name: string, spec: object) => ({ metadata: { name, namespace: 'metallb-system' }, spec });
const router = { peerAddress: '198.51.100.1', peerASN: 64_513, myASN: 64_512 };

function compiled(resources: Partial<Resources>, options: CompileOptions = {}): Config {
  const result = compile({ pools: [], l2Advertisements: [], ...resources }, options);
  assert.deepEqual('errors' in result ? result.errors.map(formatProblem) : [], []);
  return 'config' in result ? result.config : Config.empty;
}

function errorsOf(resources: Partial<Resources>): readonly string[] {
  const result = compile({ pools: [], l2Advertisements: [], ...resources });
  return 'errors' in result ? result.errors.map(formatProblem) : [];
}

function warningsOf(resources: Partial<Resources>): readonly string[] {
  const result = compile({ pools: [], l2Advertisements: [], ...resources });
  return 'warnings' in result ? result.warnings.map(formatProblem) : [];
}

test('a class is a class, a pool of its name, and an advertisement of that pool alone', () => {
  const config = compiled({
    metalClasses: [
      named(
        'web',
        {
          isDefault: true,
          type: 'L2',
          l2: { interfaces: ['eth2', 'eth1', 'eth2'] },
          addressPool: ['192.0.2.0/28', '192.0.2.32-192.0.2.40'],
          nodeSelector: { zone: 'a', role: 'frontend' },
          tolerations: [{ operator: 'Exists' }],
        },
        { 'garpoon.io/drain': 'true' },
      ),
      named('mail', { addressPool: ['192.0.2.16/28'] }),
    ],
  });
  assert.deepEqual(config.classes, [
    { name: 'mail', isDefault: false },
    { name: 'web', isDefault: true },
  ]);
  const [mail, web] = config.pools;
  assert.deepEqual(web?.addresses.map(formatRange), ['192.0.2.0/28', '192.0.2.32-192.0.2.40']);
  assert.deepEqual([web?.name, web?.autoAssign, web?.ofClass, web?.draining], ['web', false, true, true]);
  assert.deepEqual(
    web?.l2Advertisements.map(({ name, interfaces, nodeSelectors }) => [name, interfaces, nodeSelectors.map(String)]),
    [['MetalLoadBalancerClass/web', ['eth1', 'eth2'], ['role=frontend,zone=a']]],
  );
  const [ofMail, ...more] = mail?.l2Advertisements ?? [];
  assert.deepEqual([ofMail?.interfaces, ofMail?.nodeSelectors, more], ['all', [], []]);
});

for (const [how, spec, count] of [
  ['of all pools', {}, 1],
  ['of pools by label', { ipAddressPoolSelectors: [{}] }, 1],
  ['that names it', { ipAddressPools: ['web'] }, 2],
] as const) {
  test(`an L2Advertisement ${how} makes ${count} for the pool of a class`, () => {
    const { pools } = compiled({
      pools: [inNamespace('lan', { addresses: ['198.51.100.0/24'] })],
      l2Advertisements: [inNamespace('lan', spec)],
      metalClasses: [named('web', { addressPool: ['192.0.2.0/28'] })],
    });
    const of = (name: string) => pools.find((pool) => pool.name === name)?.l2Advertisements.length;
    assert.equal(of('web'), count);
    assert.equal(of('lan'), count === 1 ? 1 : 0);
  });
}

test('the same classes in another order are the same configuration, and another default is not', () => {
  const web = named('web', { addressPool: ['192.0.2.0/28'] });
  const mail = named('mail', { addressPool: ['192.0.2.16/28'] });
  const one = compiled({ metalClasses: [web, mail] });
  assert.equal(one.equals(compiled({ metalClasses: [mail, web] })), true);
  const other = named('web', { addressPool: ['192.0.2.0/28'], isDefault: true });
  assert.equal(one.equals(compiled({ metalClasses: [mail, other] })), false);
});

test('whose Services are ours is told by the class that is served, and by those that there are', () => {
  const config = compiled({ metalClasses: [named('web', { addressPool: ['192.0.2.0/28'] })] });
  for (const [asked, served, ours] of [
    ['', '', true],
    ['web', '', true],
    ['mail', '', false],
    ['', 'mine', false],
    ['mine', 'mine', true],
    ['web', 'mine', true],
  ] as const) {
    assert.equal(config.serves(asked, served), ours, `${asked} where ${served} is served`);
  }
  assert.equal(Config.empty.serves('web', ''), false);
});

for (const [what, resources, told] of [
  [
    'an IPAddressPool called like a class',
    {
      pools: [inNamespace('web', { addresses: ['192.0.2.0/28'] })],
      metalClasses: [named('web', { addressPool: ['192.0.2.16/28'] })],
    },
    'MetalLoadBalancerClass web: metadata.name: is also the name of IPAddressPool metallb-system/web: rename one of the two (found "web")',
  ],
  [
    'a MetalLoadBalancerPool called like a class',
    {
      metalPools: [named('web', { addresses: ['192.0.2.0/28'] })],
      metalClasses: [named('web', { addressPool: ['192.0.2.16/28'] })],
    },
    'MetalLoadBalancerPool web: metadata.name: is also the name of MetalLoadBalancerClass web: rename one of the two (found "web")',
  ],
  [
    'a peer called like a BGPPeer',
    {
      peers: [inNamespace('tor', router)],
      metalPeers: [named('tor', { ...router, peerAddress: '198.51.100.2' })],
    },
    'MetalLoadBalancerBGPPeer tor: metadata.name: is also the name of BGPPeer metallb-system/tor: rename one of the two (found "tor")',
  ],
  [
    'addresses of a class that a pool has',
    {
      pools: [inNamespace('lan', { addresses: ['192.0.2.0/28'] })],
      metalClasses: [named('web', { addressPool: ['192.0.2.8/32'] })],
    },
    'MetalLoadBalancerClass web: spec.addressPool[0]: overlaps with 192.0.2.0/28 of IPAddressPool metallb-system/lan: an address can be in one range only (found "192.0.2.8/32")',
  ],
  [
    'two default classes',
    {
      metalClasses: [
        named('web', { isDefault: true, addressPool: ['192.0.2.0/28'] }),
        named('mail', { isDefault: true, addressPool: ['192.0.2.16/28'] }),
      ],
    },
    'MetalLoadBalancerClass web: spec.isDefault: is set in MetalLoadBalancerClass mail, too, and there can be one default: remove it from one of the two (found true)',
  ],
] as const) {
  test(`there cannot be ${what}, and both are named`, () => {
    assert.deepEqual(errorsOf(resources), [told]);
  });
}

const frontends = { role: 'frontend' };
const sources = [
  { nodeName: 'node-b', address: '10.0.0.2' },
  { nodeName: 'node-a', address: '10.0.0.1' },
];
const bgp: Partial<Resources> = {
  metalPools: [named('wan', { addresses: ['203.0.113.0/24'] })],
  metalPeers: [
    named('tor', {
      ...router,
      peerPort: 1790,
      holdTime: '3s',
      routerID: '10.0.0.9',
      passwordSecretRef: { name: 'tor', namespace: 'routers' },
      sourceAddresses: sources,
      bfd: { receiveInterval: 100, minimumTTL: 250 },
    }),
    named('other', { peerAddress: '198.51.100.9', peerASN: 1, myASN: 1 }),
  ],
  metalConfigurations: [
    named('edge', {
      mode: 'BGP',
      nodeSelector: frontends,
      bgp: { peerNames: ['tor'] },
      advertisements: [
        {
          poolNames: ['wan'],
          bgp: { communities: ['64512:100', 'no-export', 'none'], localPref: 111, aggregationLength: 25 },
        },
        { poolNames: ['wan'], bgp: { aggregationLength: 64, localPref: 111 } },
      ],
    }),
  ],
};

const shownPeer = ({ name, sourceAddress, nodeSelectors }: Peer) =>
  `${name} from ${sourceAddress ? formatAddress(sourceAddress) : 'any'} on ${nodeSelectors.map(String).join(' or ')}`;

test('a router is a peer for each node with an address of its own to speak from, and one for the others', () => {
  const { peers, bfdProfiles } = compiled(bgp);
  assert.deepEqual(peers.map(shownPeer), [
    'tor from any on kubernetes.io/hostname notin (node-a,node-b),role=frontend',
    'tor/node-a from 10.0.0.1 on kubernetes.io/hostname=node-a,role=frontend',
    'tor/node-b from 10.0.0.2 on kubernetes.io/hostname=node-b,role=frontend',
  ]);
  for (const peer of peers) {
    const { neighbor, port, timers, password, routerID, peerASN, myASN, ebgpMultiHop, bfdProfile } = peer;
    assert.equal('address' in neighbor && formatAddress(neighbor.address), '198.51.100.1');
    assert.deepEqual([port, timers, peerASN, myASN], [1790, { hold: 3000, keepalive: 1000 }, 64_513, 64_512]);
    assert.equal(routerID && formatAddress(routerID), '10.0.0.9');
    assert.deepEqual(password, { secret: 'tor', namespace: 'routers' });
    assert.equal(ebgpMultiHop, true);
    assert.equal(bfdProfile, bfdProfiles[0]);
  }
  assert.equal(bfdProfiles.length, 1);
  const [profile] = bfdProfiles;
  assert.deepEqual(
    [profile?.name, profile?.receiveInterval, profile?.transmitInterval, profile?.minimumTtl],
    ['MetalLoadBalancerBGPPeer/tor', 100, 300, 250],
  );
});

for (const [what, spec, multiHop] of [
  ['of another system', {}, true],
  ['of another system, watched on a link', { bfd: {} }, false],
  ['of another system, watched over hops', { bfd: { minimumTTL: 10 } }, true],
  ['of our own system', { peerASN: 64_512 }, false],
] as const) {
  test(`a peer ${what} is ${multiHop ? '' : 'not '}taken to be more than one hop away`, () => {
    const { peers } = compiled({
      metalPeers: [named('tor', { ...router, ...spec })],
      metalConfigurations: [named('edge', { mode: 'BGP', bgp: { peerNames: ['tor'] } })],
    });
    assert.deepEqual(
      peers.map(({ ebgpMultiHop }) => ebgpMultiHop),
      [multiHop],
    );
  });
}

test('a router that several configurations name is spoken to by the nodes of each', () => {
  const configuration = (name: string, nodeSelector: object) =>
    named(name, { mode: 'BGP', nodeSelector, bgp: { peerNames: ['tor'] } });
  const peersOf = (...metalConfigurations: object[]) =>
    compiled({ metalPeers: [named('tor', router)], metalConfigurations }).peers.map(shownPeer);
  const [a, b] = [configuration('a', { zone: 'a' }), configuration('b', { zone: 'b' })];
  assert.deepEqual(peersOf(b, a), ['tor from any on zone=a or zone=b']);
  assert.deepEqual(peersOf(a, b, configuration('c', {})), ['tor from any on ']);
});

test('the advertisements of a configuration are for its nodes and peers, whatever these speak from', () => {
  const [wan] = compiled(bgp).pools;
  assert.deepEqual([wan?.name, wan?.autoAssign, wan?.ofClass], ['wan', true, undefined]);
  const peers = ['tor', 'tor/node-a', 'tor/node-b'];
  assert.deepEqual(
    wan?.bgpAdvertisements.map(({ nodeSelectors, ...rest }) => ({ ...rest, on: nodeSelectors.map(String) })),
    [
      {
        name: 'MetalLoadBalancerConfiguration/edge/0',
        aggregationLength: { 4: 25, 6: 128 },
        localPref: 111,
        med: undefined,
        prepend: undefined,
        communities: [
          [64_512, 100],
          [65_535, 65_281],
        ],
        peers,
        serviceSelectors: [],
        on: ['role=frontend'],
      },
      {
        name: 'MetalLoadBalancerConfiguration/edge/1',
        aggregationLength: { 4: 32, 6: 64 },
        localPref: 111,
        med: undefined,
        prepend: undefined,
        communities: [],
        peers,
        serviceSelectors: [],
        on: ['role=frontend'],
      },
    ],
  );
  const byName = compiled({ ...bgp, bgpAdvertisements: [inNamespace('more', { peers: ['tor'], localPref: 111 })] });
  assert.deepEqual(byName.pools[0]?.bgpAdvertisements.find(({ name }) => name === 'more')?.peers, peers);
});

for (const [labels, peers] of [
  [{ 'kubernetes.io/hostname': 'node-a', ...frontends }, ['tor/node-a']],
  [{ 'kubernetes.io/hostname': 'node-c', ...frontends }, ['tor']],
  [{ 'kubernetes.io/hostname': 'node-a' }, []],
] as const) {
  test(`a node labelled ${JSON.stringify(labels)} has the peers ${peers.join() || 'none'}`, () => {
    const { peers: found, pools } = compiled(bgp, { nodes: [labels] });
    assert.deepEqual(
      found.map(({ name }) => name),
      peers,
    );
    assert.equal(pools[0]?.bgpAdvertisements.length, peers.length === 0 ? 0 : 2);
  });
}

test('what is wrong for other nodes is left out here', () => {
  const broken: Partial<Resources> = {
    metalPeers: [named('tor', { ...router, peerASN: 0 })],
    metalConfigurations: [named('edge', { mode: 'BGP', nodeSelector: frontends, bgp: { peerNames: ['tor'] } })],
  };
  assert.deepEqual(compiled(broken, { nodes: [{}] }).peers, []);
  assert.deepEqual(compiled(broken, { nodes: [] }).peers, []);
  assert.equal(errorsOf(broken).length, 1);
});

test('what nobody speaks to, and what names nothing, is worth a warning', () => {
  const metalConfigurations = [
    named('edge', { mode: 'BGP', bgp: { peerNames: ['gone'] }, advertisements: [{ poolNames: ['gone'] }] }),
  ];
  assert.deepEqual(warningsOf({ metalPeers: [named('tor', router)], metalConfigurations }), [
    'MetalLoadBalancerBGPPeer tor: metadata.name: is in the spec.bgp.peerNames of no MetalLoadBalancerConfiguration: no node speaks to it (found "tor")',
    'MetalLoadBalancerConfiguration edge: spec.advertisements[0].poolNames: names no IPAddressPool: nothing is announced by that name until there is one (found "gone")',
    'MetalLoadBalancerConfiguration edge: spec.bgp.peerNames: names no BGPPeer: nobody is told until there is one (found "gone")',
  ]);
});
