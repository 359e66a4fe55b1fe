import assert from 'node:assert/strict';
import type { RouteAttributes } from '../../../src/bgp/route.ts';
import type { NodeFacts } from '../../../src/election/candidacy.ts';
import { formatPrefix } from '../../../src/ip/prefix.ts';
import type { Service } from '../../../src/kubernetes/core.ts';
import { RoutePolicy, type RoutePolicyOptions, routesTo } from '../../../src/speaker/bgp/routes.ts';
import { suite } from '../../support/suite.ts';
import { configOf, inWords, policyOf, serviceAt, slicesOf, type World } from './support.ts';

const test = suite('speaker/bgp/routes');

const local = { externalTrafficPolicy: 'Local' } as const;
const rack = (value: string) => ({ matchLabels: { rack: value } });
const here = slicesOf('node-a');
const routeOf = (text: string) => `tor: ${text}`;
const one = routeOf('192.0.2.1/32');

function decided(
  world: World = {},
  service: Service = serviceAt('192.0.2.1'),
  slices = here,
  options: Partial<RoutePolicyOptions> = {},
) {
  return policyOf(configOf(world), options).decide(service, slices);
}

const node = (facts: Partial<NodeFacts>): NodeFacts => ({
  name: 'node-a',
  labels: {},
  networkUnavailable: false,
  ...facts,
});

for (const [policy, endpoints, expected] of [
  ['Cluster', ['node-a'], one],
  ['Cluster', ['node-b'], one],
  ['Cluster', [':ready'], one],
  ['Cluster', [], 'noEndpoints'],
  ['Cluster', ['node-a:unready'], 'noEndpoints'],
  ['Cluster', ['node-a:unready node-b'], one],
  ['Cluster', ['node-a:unready', 'node-b:ready'], one],
  ['Cluster', ['node-a:terminating'], one],
  ['Cluster', ['node-a:terminated'], 'noEndpoints'],
  ['Local', ['node-a'], one],
  ['Local', ['node-a:ready'], one],
  ['Local', ['node-b'], 'noLocalEndpoints'],
  ['Local', [':ready'], 'noLocalEndpoints'],
  ['Local', [], 'noLocalEndpoints'],
  ['Local', ['node-a:unready'], 'noLocalEndpoints'],
  ['Local', ['node-a:unready node-b'], 'noLocalEndpoints'],
  ['Local', ['node-a:unready node-a'], one],
  ['Local', ['node-b', 'node-a'], one],
  ['Local', ['node-a:terminating'], one],
  ['Local', ['node-a:terminated'], 'noLocalEndpoints'],
] as const) {
  test(`with policy ${policy} and endpoints on [${endpoints}]: ${expected}`, () => {
    const service = serviceAt('192.0.2.1', { externalTrafficPolicy: policy });
    assert.equal(inWords(decided({}, service, slicesOf(...endpoints))), expected);
  });
}

const excluded = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };

for (const [fact, facts, expected] of [
  ['a node of whose network nothing is known', {}, one],
  ['a node whose network is unavailable', { networkUnavailable: true }, 'nodeNetworkUnavailable'],
  ['a node that is labelled to be excluded', { labels: excluded }, 'nodeLabeledExcludeBalancers'],
  ['a node that is not ready', { notReady: true }, one],
  ['a node that is out of service', { outOfService: true }, one],
  ['a node of weight 0', { weight: 0 }, one],
] as const) {
  test(`${fact} announces: ${expected}`, () => {
    assert.equal(inWords(decided({}, undefined, here, { node: node(facts) })), expected);
  });
}

test('a node that is labelled to be excluded announces when the label is to be ignored', () => {
  const options = { node: node({ labels: excluded }), ignoreExcludeLabel: true };
  assert.equal(inWords(decided({}, undefined, here, options)), one);
});

const v6Peer = { peerAddress: '2001:db8:ffff::1' };
const annotated = { annotations: { 'garpoon.io/address-pools': 'office,home' } };
const twoPools = { office: ['192.0.2.0/25'], home: ['203.0.113.0/24'] };

for (const [fact, service, world, expected] of [
  ['a ClusterIP', serviceAt('192.0.2.1', { type: 'ClusterIP' }), {}, 'notLoadBalancer'],
  ['a class of somebody else', serviceAt('192.0.2.1', { loadBalancerClass: 'x/y' }), {}, 'notLoadBalancer'],
  ['no address', serviceAt(''), {}, 'noIPAllocated'],
  ['what is no address', serviceAt('192.0.2.300'), {}, 'invalidIP'],
  ['an address of no pool', serviceAt('203.0.113.1'), {}, 'ipNotAllowed'],
  ['several addresses', serviceAt('192.0.2.9 192.0.2.1'), {}, routeOf('192.0.2.9/32 192.0.2.1/32')],
  ['one address twice', serviceAt('192.0.2.1 192.0.2.1'), {}, one],
  ['both families, to a peer of one', serviceAt('192.0.2.1 2001:db8::1'), {}, one],
  [
    'both families, to peers of each and of both',
    serviceAt('192.0.2.1 2001:db8::1'),
    { peers: { both: { dualStackAddressFamily: true }, v4: {}, v6: v6Peer, link: { interface: 'eth1' } } },
    'both: 192.0.2.1/32 2001:db8::1/128; link: 192.0.2.1/32 2001:db8::1/128; v4: 192.0.2.1/32; v6: 2001:db8::1/128',
  ],
  ['an IPv6 address, to an IPv4 peer', serviceAt('2001:db8::1'), {}, 'nobody'],
  [
    'two pools',
    serviceAt('192.0.2.1 203.0.113.1', {}, annotated),
    { pools: twoPools },
    routeOf('192.0.2.1/32 203.0.113.1/32'),
  ],
  [
    'two pools, of which one is not advertised',
    serviceAt('192.0.2.1 203.0.113.1', {}, annotated),
    { pools: twoPools, advertisements: { a: { ipAddressPools: ['home'] } } },
    routeOf('203.0.113.1/32'),
  ],
  [
    'two pools, of which none is advertised',
    serviceAt('192.0.2.1 203.0.113.1', {}, annotated),
    { pools: twoPools, advertisements: {} },
    'notOwner',
  ],
  [
    'two lengths',
    serviceAt('192.0.2.130'),
    { advertisements: { a: { aggregationLength: 26 }, b: {} } },
    routeOf('192.0.2.128/26 192.0.2.130/32'),
  ],
  [
    'the aggregates of two addresses, which are one',
    serviceAt('192.0.2.130 192.0.2.131'),
    { advertisements: { a: { aggregationLength: 26 } } },
    routeOf('192.0.2.128/26'),
  ],
  [
    'an aggregate of IPv6',
    serviceAt('2001:db8::ff'),
    { advertisements: { a: { aggregationLengthV6: 120 } }, peers: { tor: v6Peer } },
    routeOf('2001:db8::/120'),
  ],
  [
    'a chosen peer',
    serviceAt('192.0.2.1'),
    { advertisements: { a: { peers: ['two'] } }, peers: { one: {}, two: {} } },
    'two: 192.0.2.1/32',
  ],
  [
    'another length to each peer',
    serviceAt('192.0.2.1'),
    {
      advertisements: { a: { peers: ['one'], aggregationLength: 24 }, b: { peers: ['two'] } },
      peers: { one: {}, two: {} },
    },
    'one: 192.0.2.0/24; two: 192.0.2.1/32',
  ],
  ['a peer that does not exist', serviceAt('192.0.2.1'), { advertisements: { a: { peers: ['x'] } } }, 'nobody'],
  ['no peers at all', serviceAt('192.0.2.1'), { peers: {} }, 'nobody'],
  [
    'a peer of other nodes',
    serviceAt('192.0.2.1'),
    { peers: { one: { nodeSelectors: [rack('r1')] }, two: {} } },
    'two: 192.0.2.1/32',
  ],
] as const satisfies readonly (readonly [string, Service, World, string])[]) {
  test(`of a Service with ${fact}: ${expected}`, () => assert.equal(inWords(decided(world, service)), expected));
}

for (const [labels, selectors, expected] of [
  [{}, [], one],
  [{ rack: 'r1' }, [rack('r1')], one],
  [{ rack: 'r2' }, [rack('r1')], 'notOwner'],
  [{}, [rack('r1')], 'notOwner'],
  [{ rack: 'r2' }, [rack('r1'), rack('r2')], one],
] as const) {
  test(`on a node ${JSON.stringify(labels)} an advertisement for ${JSON.stringify(selectors)}: ${expected}`, () => {
    const world = { advertisements: { a: { nodeSelectors: selectors } } };
    assert.equal(inWords(decided(world, undefined, here, { node: node({ labels }) })), expected);
  });
}

const app = (value: string) => ({ serviceSelectors: [{ matchLabels: { app: value } }] });

for (const [fact, advertisements, labels, expected] of [
  ['one for all Services', { a: {} }, { app: 'x' }, one],
  ['one for this Service', { a: app('web') }, { app: 'web' }, one],
  ['one for another', { a: app('db') }, { app: 'web' }, 'noMatchingAdvertisement'],
  ['one that selects labels, and it has none', { a: app('db') }, undefined, 'noMatchingAdvertisement'],
  ['any of several selectors', { a: { serviceSelectors: [...app('x').serviceSelectors, {}] } }, {}, one],
  ['one for this and one for another', { a: app('web'), b: app('db') }, { app: 'web' }, one],
  [
    'one for this Service on other nodes, and one for another here',
    { a: { ...app('web'), nodeSelectors: [rack('r1')] }, b: app('db') },
    { app: 'web' },
    'noMatchingAdvertisement',
  ],
] as const satisfies readonly (readonly [string, World['advertisements'] & object, object | undefined, string])[]) {
  test(`a Service ${JSON.stringify(labels)} with ${fact}: ${expected}`, () => {
    const service = serviceAt('192.0.2.1', {}, labels === undefined ? {} : { labels });
    assert.equal(inWords(decided({ advertisements }, service)), expected);
  });
}

/** Chosen by Services, for which admission cannot see that two choose the same. */
const forWeb = (spec: object) => ({ ...app('web'), ...spec });
const annotations = (name: string, value: string) => ({ annotations: { [`garpoon.io/${name}`]: value } });

for (const [fact, a, b, isConflict] of [
  ['the same preference', { localPref: 100 }, { localPref: 100 }, false],
  ['no preference', {}, {}, false],
  ['two preferences', { localPref: 100 }, { localPref: 200 }, true],
  ['a preference and none', { localPref: 100 }, {}, true],
  ['0, which is none', { localPref: 0 }, {}, false],
  ['two preferences to other peers', { localPref: 1, peers: ['tor'] }, { localPref: 2, peers: ['x'] }, false],
  ['two to one peer of several', { localPref: 1, peers: ['a', 'tor'] }, { localPref: 2, peers: ['tor'] }, true],
  ['two to one and all', { localPref: 1, peers: ['tor'] }, { localPref: 2 }, true],
  ['two to a peer that is not there', { localPref: 1, peers: ['x'] }, { localPref: 2, peers: ['x'] }, true],
  ['two on other nodes', { localPref: 1 }, { localPref: 2, nodeSelectors: [rack('r1')] }, false],
  ['two on this and all nodes', { localPref: 1 }, { localPref: 2, nodeSelectors: [{}] }, true],
  ['two metrics', annotations('med', '1'), annotations('med', '2'), true],
  ['a metric and none', annotations('med', '1'), {}, false],
  ['two lengths of path', annotations('as-path-prepend', '1'), annotations('as-path-prepend', '2'), true],
  ['a longer path and none', annotations('as-path-prepend', '1'), {}, false],
] as const) {
  test(`two advertisements of ${fact} ${isConflict ? 'conflict' : 'agree'}`, () => {
    const service = serviceAt('192.0.2.1', {}, { labels: { app: 'web' } });
    for (const advertisements of [
      { a: forWeb(a), b: forWeb(b) },
      { a: forWeb(b), b: forWeb(a) },
    ]) {
      const { withdraw } = decided({ advertisements }, service) as { withdraw?: string };
      assert.equal(withdraw, isConflict ? 'conflictingAdvertisements' : undefined);
    }
  });
}

for (const [fact, ip, isConflict] of [
  ['of the length that both have', '2001:db8::1', true],
  ['of the length in which they differ', '192.0.2.1', false],
] as const) {
  test(`preferences differ for an address ${fact}: ${isConflict ? 'a conflict' : 'none'}`, () => {
    const advertisements = { a: forWeb({ localPref: 1 }), b: { localPref: 2, aggregationLength: 24 } };
    const service = serviceAt(ip, {}, { labels: { app: 'web' } });
    const { withdraw } = decided({ advertisements }, service) as { withdraw?: string };
    assert.equal(withdraw, isConflict ? 'conflictingAdvertisements' : undefined);
  });
}

const fault = { ...node({ networkUnavailable: true, labels: { ...excluded, rack: 'r1' } }) };
const order = [
  ['notOwner', { ...forWeb({ localPref: 1 }), nodeSelectors: [rack('r2')] }],
  ['noMatchingAdvertisement', app('db')],
  ['conflictingAdvertisements', { localPref: 2 }],
  ['nodeNetworkUnavailable', {}],
] as const;
for (const [reason, b] of order) {
  test(`of several reasons, ${reason} comes before those after it`, () => {
    const isPair = reason === 'conflictingAdvertisements';
    const advertisements = isPair ? { a: forWeb({ localPref: 1 }), b } : { b };
    const service = serviceAt('192.0.2.1', local, { labels: { app: 'web' } });
    assert.equal(inWords(decided({ advertisements }, service, [], { node: fault })), reason);
  });
}

test('an excluded node is told before endpoints are looked at', () => {
  const options = { node: node({ labels: excluded }) };
  assert.equal(inWords(decided({}, serviceAt('192.0.2.1', local), [], options)), 'nodeLabeledExcludeBalancers');
});

const nothing = { localPref: undefined, med: undefined, communities: [], largeCommunities: [], prepend: 0 };

for (const [fact, advertisements, expected] of [
  ['nothing', { a: {} }, {}],
  ['a local preference', { a: { localPref: 300 } }, { localPref: 300 }],
  [
    'all communities, each once, ascending',
    { a: { communities: ['64512:2', 'large:1:2:3'] }, b: { communities: ['64512:1', '64512:2', 'large:1:1:3'] } },
    {
      communities: [64_512 * 65_536 + 1, 64_512 * 65_536 + 2],
      largeCommunities: [
        [1, 1, 3],
        [1, 2, 3],
      ],
    },
  ],
  ['a metric of 0', { a: annotations('med', '0') }, { med: 0 }],
  ['the metric that one of two gives', { a: annotations('med', '7'), b: {} }, { med: 7 }],
  ['the longer path that one of two asks for', { a: {}, b: annotations('as-path-prepend', '3') }, { prepend: 3 }],
  ['nothing of an advertisement to other peers', { a: {}, b: { peers: ['x'], communities: ['1:1'] } }, {}],
] as const satisfies readonly (readonly [string, World['advertisements'] & object, Partial<RouteAttributes>])[]) {
  test(`a route is told with ${fact}`, () => {
    const decision = decided({ advertisements });
    assert.ok('routes' in decision);
    const [route, ...others] = routesTo('tor', decision.routes);
    assert.deepEqual(route?.attributes, { ...nothing, ...expected });
    assert.deepEqual(others, []);
  });
}

test('routes that are told alike share one telling, and its attributes are one object for all peers', () => {
  const policy = policyOf(configOf({ peers: { one: {}, two: {} } }));
  const [first, second] = ['192.0.2.1', '192.0.2.2'].map((ip) => policy.decide(serviceAt(ip), here));
  assert.ok(first && 'routes' in first && second && 'routes' in second);
  const telling = first.routes[0]?.telling;
  assert.equal(telling, second.routes[0]?.telling);
  assert.equal(telling?.get('one'), telling?.get('two'));
});

const allow = (prefixes: string) => ({ annotations: { 'garpoon.io/allowed-prefixes': prefixes } });

for (const [fact, prefixes, advertisement, expected, refused] of [
  ['within it', '192.0.2.0/25', {}, 'other: 192.0.2.1/32; tor: 192.0.2.1/32', []],
  ['that is all of it', '192.0.2.1/32', {}, 'other: 192.0.2.1/32; tor: 192.0.2.1/32', []],
  ['beside it', '192.0.2.2/32, 192.0.2.128/25', {}, 'other: 192.0.2.1/32', ['tor 192.0.2.1/32']],
  ['wider than it', '192.0.2.0/25', { aggregationLength: 24 }, 'other: 192.0.2.0/24', ['tor 192.0.2.0/24']],
  ['of the other family', '::/0', {}, 'other: 192.0.2.1/32', ['tor 192.0.2.1/32']],
  ['beside it for which other peers are chosen', '::/0', { peers: ['other'] }, 'other: 192.0.2.1/32', []],
] as const) {
  test(`a peer with an allow-list is told of a route ${fact}: ${refused.length === 0 ? 'yes, as far as it is chosen' : 'no'}`, () => {
    const decision = decided({ advertisements: { a: advertisement }, peers: { tor: allow(prefixes), other: {} } });
    assert.equal(inWords(decision), expected);
    assert.ok('refused' in decision);
    assert.deepEqual(
      decision.refused.map(({ peer, prefix }) => `${peer} ${formatPrefix(prefix)}`),
      refused,
    );
  });
}

test('of two addresses that are advertised alike, an allow-list may keep back either', () => {
  for (const prefixes of ['192.0.2.1/32', '192.0.2.2/32']) {
    const decision = decided({ peers: { tor: allow(prefixes) } }, serviceAt('192.0.2.1 192.0.2.2'));
    assert.equal(inWords(decision), routeOf(prefixes));
    assert.ok('refused' in decision && decision.refused.length === 1);
  }
});

test('a Service that is not there is deleted', () => {
  const policy = new RoutePolicy({
    node: node({}),
    config: configOf(),
    peerings: [],
    loadBalancerClass: '',
    ignoreExcludeLabel: false,
  });
  assert.deepEqual(policy.decide(undefined, []), { withdraw: 'serviceDeleted' });
});
