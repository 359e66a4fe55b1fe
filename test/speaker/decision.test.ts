import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile } from '../../src/config/compile.ts';
import type { Config } from '../../src/config/config.ts';
import type { EndpointSliceShape } from '../../src/election/endpoints.ts';
import { formatAddress } from '../../src/ip/address.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { type Decision, decide, type View } from '../../src/speaker/decision.ts';
import { suite } from '../support/suite.ts';
import { sha256 } from './support.ts';

const test = suite('speaker/decision');

const exclude = 'node.kubernetes.io/exclude-from-external-load-balancers';
const rack = (value: string) => ({ matchLabels: { rack: value } });

type Facts = {
  readonly pools?: readonly (readonly string[])[];
  readonly advertisements?: readonly object[];
  readonly nodes?: readonly {
    readonly name: string;
    readonly labels?: Record<string, string>;
    readonly networkUnavailable?: boolean;
  }[];
  readonly members?: readonly string[];
  readonly ignoreExcludeLabel?: boolean;
  readonly loadBalancerClass?: string;
};

/** The view of `node-a`; by itself in a cluster that advertises 192.0.2.0/24 everywhere, unless the case says otherwise. */
function viewOf(facts: Facts = {}, name = 'node-a'): View {
  const {
    pools = [['192.0.2.0/24', '2001:db8::/120']],
    advertisements = [{}],
    nodes = [{ name: 'node-a' }],
    members = nodes.map((node) => node.name),
    ignoreExcludeLabel = false,
    loadBalancerClass = '',
  } = facts;
  const all = nodes.map((node) => ({ labels: {}, networkUnavailable: false, ...node }));
  return {
    node: { name, labels: all.find((node) => node.name === name)?.labels ?? {} },
    config: configOf(pools, advertisements),
    cluster: { nodes: all, members: new Set(members), ignoreExcludeLabel },
    loadBalancerClass,
    strategy: 'metallb',
    hash: sha256,
  };
}

function configOf(pools: readonly (readonly string[])[], advertisements: readonly object[]): Config {
  const compiled = compile({
    pools: pools.map((addresses, i) => ({ metadata: { name: `pool-${i}` }, spec: { addresses } })),
    l2Advertisements: advertisements.map((spec, i) => ({ metadata: { name: `advertisement-${i}` }, spec })),
  });
  if ('errors' in compiled) throw new Error(JSON.stringify(compiled.errors));
  return compiled.config;
}

function serviceAt(
  addresses: string,
  spec: Service['spec'] = {},
  meta: Partial<Pick<Service['metadata'], 'labels' | 'annotations'>> = {},
): Service {
  const ingress = addresses === '' ? [] : addresses.split(' ').map((ip) => ({ ip }));
  return {
    metadata: { name: 'web', namespace: 'default', ...meta },
    spec: { type: 'LoadBalancer', ...spec },
    status: { loadBalancer: { ingress } },
  };
}

/** One slice; each endpoint is `node`, or `node:condition` with what is not as it should be. */
function endpointsOn(...rows: readonly string[]): readonly EndpointSliceShape[] {
  const endpoints = rows.map((row) => {
    const [node = '', state = ''] = row.split(':');
    const conditions = conditionsOf[state];
    return { ...(node === '' ? {} : { nodeName: node }), ...(conditions === undefined ? {} : { conditions }) };
  });
  return [{ endpoints }];
}

const conditionsOf: Record<string, { ready?: boolean; serving?: boolean; terminating?: boolean } | undefined> = {
  unready: { ready: false, serving: false },
  terminating: { ready: false, serving: true, terminating: true },
  terminated: { ready: false, serving: false, terminating: true },
};

/** `192.0.2.1@all`, or `notOwner`, or `notOwner node-b` when another announces. */
function inWords(decision: Decision): string {
  if ('withdraw' in decision) return [decision.withdraw, decision.owner].filter(Boolean).join(' ');
  return decision.announce.map((address) => `${formatAddress(address)}@${decision.interfaces}`).join(' ');
}

const ab = [{ name: 'node-a' }, { name: 'node-b' }];
const shared = { annotations: { 'metallb.io/allow-shared-ip': '' } };
const oldShared = { annotations: { 'metallb.universe.tf/allow-shared-ip': 'key' } };
const web = { labels: { tier: 'web' } };
const forWeb = { serviceSelectors: [{ matchLabels: { tier: 'web' } }] };
const local = { externalTrafficPolicy: 'Local' } as const;
const classed = { loadBalancerClass: 'example.com/lan' };

for (const [fact, service, slices, facts, expected] of [
  ['a Service with an endpoint', serviceAt('192.0.2.1'), endpointsOn('node-a'), {}, '192.0.2.1@all'],
  [
    'all addresses of a Service, in its order',
    serviceAt('2001:DB8::1 192.0.2.1'),
    endpointsOn('node-a'),
    {},
    '2001:db8::1@all 192.0.2.1@all',
  ],
  ['no Service', undefined, endpointsOn('node-a'), {}, 'serviceDeleted'],
  ['a ClusterIP', serviceAt('192.0.2.1', { type: 'ClusterIP' }), endpointsOn('node-a'), {}, 'notLoadBalancer'],
  ['a Service of a class', serviceAt('192.0.2.1', classed), endpointsOn('node-a'), {}, 'notLoadBalancer'],
  [
    'a Service of our class',
    serviceAt('192.0.2.1', classed),
    endpointsOn('node-a'),
    { loadBalancerClass: 'example.com/lan' },
    '192.0.2.1@all',
  ],
  [
    'a Service without the class we serve',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { loadBalancerClass: 'example.com/lan' },
    'notLoadBalancer',
  ],
  ['a Service without an address', serviceAt(''), endpointsOn('node-a'), {}, 'noIPAllocated'],
  [
    'a Service with a host name only',
    { ...serviceAt(''), status: { loadBalancer: { ingress: [{ hostname: 'lb.example.com' }] } } },
    endpointsOn('node-a'),
    {},
    'noIPAllocated',
  ],
  ['an address that is none', serviceAt('192.0.2.1 192.0.2.01'), endpointsOn('node-a'), {}, 'invalidIP'],
  ['an address of no pool', serviceAt('198.18.0.1'), endpointsOn('node-a'), {}, 'ipNotAllowed'],
  [
    'addresses of two pools',
    serviceAt('192.0.2.1 2001:db8::1'),
    endpointsOn('node-a'),
    { pools: [['192.0.2.0/24'], ['2001:db8::/120']] },
    'ipNotAllowed',
  ],
  [
    'a shared address that is advertised by the labels of Services',
    serviceAt('192.0.2.1', {}, { ...web, ...shared }),
    endpointsOn('node-a'),
    { advertisements: [forWeb] },
    'sharedIPWithServiceSelector',
  ],
  [
    'an address shared in the old spelling, and so advertised',
    serviceAt('192.0.2.1', {}, { ...web, ...oldShared }),
    endpointsOn('node-a'),
    { advertisements: [forWeb] },
    'sharedIPWithServiceSelector',
  ],
  [
    'a shared address that is advertised for all',
    serviceAt('192.0.2.1', {}, shared),
    endpointsOn('node-a'),
    {},
    '192.0.2.1@all',
  ],
  [
    'a pool that is not advertised',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { advertisements: [] },
    'noMatchingAdvertisement',
  ],
  [
    'a Service that no advertisement selects',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { advertisements: [forWeb] },
    'noMatchingAdvertisement',
  ],
  [
    'a node that no advertisement selects',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { advertisements: [{ nodeSelectors: [rack('1')] }] },
    'noMatchingAdvertisement',
  ],
  [
    'a node that no advertisement selects, while another has it',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    {
      nodes: [{ name: 'node-a' }, { name: 'node-b', labels: { rack: '1' } }],
      advertisements: [{ nodeSelectors: [rack('1')] }],
    },
    'noMatchingAdvertisement node-b',
  ],
  ['no EndpointSlice', serviceAt('192.0.2.1'), [], {}, 'notOwner'],
  ['no endpoint', serviceAt('192.0.2.1'), [{ endpoints: null }], {}, 'notOwner'],
  ['no endpoint that is ready', serviceAt('192.0.2.1'), endpointsOn('node-a:unready'), {}, 'notOwner'],
  ['an endpoint that ends but serves', serviceAt('192.0.2.1'), endpointsOn('node-a:terminating'), {}, '192.0.2.1@all'],
  [
    'an endpoint that ends and serves no more',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a:terminated'),
    {},
    'notOwner',
  ],
  ['an endpoint elsewhere', serviceAt('192.0.2.1'), endpointsOn('node-z'), {}, '192.0.2.1@all'],
  ['an endpoint on an unknown node', serviceAt('192.0.2.1'), endpointsOn(''), {}, '192.0.2.1@all'],
  ['policy Local and an endpoint here', serviceAt('192.0.2.1', local), endpointsOn('node-a'), {}, '192.0.2.1@all'],
  [
    'policy Local and an endpoint here that ends but serves',
    serviceAt('192.0.2.1', local),
    endpointsOn('node-a:terminating'),
    {},
    '192.0.2.1@all',
  ],
  ['policy Local and an endpoint elsewhere', serviceAt('192.0.2.1', local), endpointsOn('node-z'), {}, 'notOwner'],
  [
    'policy Local, with an endpoint of the second slice here',
    serviceAt('192.0.2.1', local),
    [...endpointsOn('node-z'), ...endpointsOn('node-a')],
    {},
    '192.0.2.1@all',
  ],
  [
    'policy Local and an endpoint on the other node',
    serviceAt('192.0.2.1', local),
    endpointsOn('node-b'),
    { nodes: ab },
    'notOwner node-b',
  ],
  ['policy Local and an endpoint on an unknown node', serviceAt('192.0.2.1', local), endpointsOn(''), {}, 'notOwner'],
  ['another node that comes first', serviceAt('192.0.2.2'), endpointsOn('node-a'), { nodes: ab }, 'notOwner node-b'],
  [
    'another node that would come first, were it alive',
    serviceAt('192.0.2.2'),
    endpointsOn('node-a'),
    { nodes: ab, members: ['node-a'] },
    '192.0.2.2@all',
  ],
  [
    'a member that is no Node',
    serviceAt('192.0.2.2'),
    endpointsOn('node-a'),
    { members: ['node-a', 'node-b'] },
    '192.0.2.2@all',
  ],
  ['our node that is no member', serviceAt('192.0.2.1'), endpointsOn('node-a'), { members: [] }, 'notOwner'],
  ['our node that is no Node', serviceAt('192.0.2.1'), endpointsOn('node-a'), { nodes: [] }, 'noMatchingAdvertisement'],
  [
    'our node without a network',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { nodes: [{ name: 'node-a', networkUnavailable: true }] },
    'notOwner',
  ],
  [
    'our node that is to be excluded',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { nodes: [{ name: 'node-a', labels: { [exclude]: '' } }] },
    'notOwner',
  ],
  [
    'our node that is to be excluded, which is to be ignored',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { nodes: [{ name: 'node-a', labels: { [exclude]: '' } }], ignoreExcludeLabel: true },
    '192.0.2.1@all',
  ],
  [
    'a node that is preferred, though the other comes first',
    serviceAt('192.0.2.2'),
    endpointsOn('node-a'),
    {
      nodes: [{ name: 'node-a', labels: { rack: '1' } }, { name: 'node-b' }],
      advertisements: [{ preferredNodeSelectors: [{ weight: 1, preference: rack('1') }] }],
    },
    '192.0.2.2@all',
  ],
  [
    'the interfaces of all advertisements that cover the node and the Service',
    serviceAt('192.0.2.1', {}, web),
    endpointsOn('node-a'),
    {
      nodes: [{ name: 'node-a', labels: { rack: '1' } }],
      advertisements: [
        { interfaces: ['eth2', 'eth1'] },
        { interfaces: ['eth0'], nodeSelectors: [rack('1')] },
        { interfaces: ['eth7'], nodeSelectors: [rack('2')] },
        { interfaces: ['eth1', 'eth3'], ...forWeb },
        { interfaces: ['eth8'], serviceSelectors: [{ matchLabels: { tier: 'mail' } }] },
      ],
    },
    '192.0.2.1@eth0,eth1,eth2,eth3',
  ],
  [
    'addresses of two pools that it asks for',
    serviceAt('192.0.2.1 2001:db8::1', {}, { annotations: { 'garpoon.io/address-pools': 'pool-0,pool-1' } }),
    endpointsOn('node-a'),
    { pools: [['192.0.2.0/24'], ['2001:db8::/120']], advertisements: [{ interfaces: ['eth0'] }] },
    '192.0.2.1@eth0 2001:db8::1@eth0',
  ],
  [
    'all interfaces, when one advertisement names none',
    serviceAt('192.0.2.1'),
    endpointsOn('node-a'),
    { advertisements: [{ interfaces: ['eth0'] }, {}] },
    '192.0.2.1@all',
  ],
] as const satisfies readonly Case[]) {
  test(`given ${fact}: ${expected}`, () => {
    assert.equal(inWords(decide(service, slices, viewOf(facts))), expected);
  });
}

type Case = readonly [string, Service | undefined, readonly EndpointSliceShape[], Facts, string];

const names = ['node-a', 'node-b', 'node-c', 'node-d', 'node-e'];
const anyLabels = fc.constantFrom({}, { rack: '1' }, { rack: '2' }, { [exclude]: '' });
const anyFacts: fc.Arbitrary<Facts> = fc.record(
  {
    nodes: fc
      .subarray(names)
      .chain((chosen) =>
        fc.tuple(
          ...chosen.map((name) =>
            fc.record(
              { name: fc.constant(name), labels: anyLabels, networkUnavailable: fc.constantFrom(false, false, true) },
              { noNullPrototype: true },
            ),
          ),
        ),
      ),
    members: fc.subarray(names),
    advertisements: fc.array(
      fc.constantFrom(
        {},
        { interfaces: ['eth0'] },
        { nodeSelectors: [rack('1')] },
        { nodeSelectors: [rack('2')], interfaces: ['eth1'] },
        { preferredNodeSelectors: [{ weight: 5, preference: rack('2') }] },
        forWeb,
      ),
      { maxLength: 4 },
    ),
    ignoreExcludeLabel: fc.boolean(),
  },
  { noNullPrototype: true },
);

const anyService = fc
  .tuple(
    fc.integer({ min: -1, max: 255 }),
    fc.constantFrom({}, local),
    fc.constantFrom({}, web, { ...web, ...shared }),
    fc.boolean(),
  )
  .map(([host, spec, meta, isDual]) =>
    serviceAt(host < 0 ? '' : `192.0.2.${host}${isDual ? ' 2001:db8::1' : ''}`, spec, meta),
  );

const anyEndpoints = fc
  .array(fc.tuple(fc.constantFrom('', ...names), fc.constantFrom('', ...Object.keys(conditionsOf))), { maxLength: 6 })
  .map((rows) => endpointsOn(...rows.map(([node, state]) => `${node}:${state}`)));

test('of all speakers with one view exactly one announces and all know which; or none, all for one reason', () => {
  let announced = 0;
  fc.assert(
    fc.property(anyService, anyEndpoints, anyFacts, (service, slices, facts) => {
      const decisions = names.map((name) => ({ name, decision: decide(service, slices, viewOf(facts, name)) }));
      const owners = decisions.filter(({ decision }) => 'announce' in decision).map(({ name }) => name);
      const withdrawn = decisions.flatMap(({ decision }) => ('withdraw' in decision ? [decision] : []));
      assert.ok(owners.length <= 1, `announced by ${owners}`);
      assert.deepEqual([...new Set(withdrawn.map(({ owner }) => owner))], withdrawn.length > 0 ? [owners[0]] : []);
      if (owners.length === 0) assert.equal(new Set(withdrawn.map(({ withdraw }) => withdraw)).size, 1);
      announced += owners.length;
    }),
    { numRuns: 2_000, seed: 1 },
  );
  assert.ok(announced > 200, `only ${announced} of 2000 were announced at all`);
});

test('who is to announce is alive, has a network, and is not excluded', () => {
  fc.assert(
    fc.property(anyService, anyEndpoints, anyFacts, fc.constantFrom(...names), (service, slices, facts, name) => {
      const decision = decide(service, slices, viewOf(facts, name));
      if ('withdraw' in decision) return;
      const node = facts.nodes?.find((one) => one.name === name);
      assert.ok(facts.members?.includes(name));
      assert.ok(node !== undefined && !node.networkUnavailable);
      assert.ok(facts.ignoreExcludeLabel || !Object.hasOwn(node.labels ?? {}, exclude));
      assert.notDeepEqual(decision.interfaces, []);
    }),
    { numRuns: 1_000 },
  );
});
