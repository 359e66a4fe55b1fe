import assert from 'node:assert/strict';
import fc from 'fast-check';
import { elect, reasonOn } from '../../src/election/metallb.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';
import { advertisement, clusterOf, selector, serviceAt, sha256 } from './support.ts';

const test = suite('election/metallb');

const abc = ['node-a', 'node-b', 'node-c'];
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

// Vectors of MetalLB's own tests: a Garpoon and a MetalLB speaker in one cluster must agree.
for (const [address, nodes, order] of [
  ['10.0.0.1', abc, ['node-b', 'node-a', 'node-c']],
  ['10.0.0.2', abc, ['node-b', 'node-c', 'node-a']],
  ['10.20.30.1', ['node-a', 'node-b'], ['node-b', 'node-a']],
  ['10.20.30.1', ['edge-a', 'edge-b'], ['edge-b', 'edge-a']],
  ['10.20.30.1', ['iris1', 'iris2'], ['iris2', 'iris1']],
  ['10.20.30.2', ['iris1', 'iris2'], ['iris1', 'iris2']],
  ['10.20.30.3', ['iris1', 'iris2'], ['iris1', 'iris2']],
] as const) {
  test(`${address} goes to ${order.join(', then ')}`, () => {
    const election = elect(serviceAt(address), clusterOf(nodes), sha256);
    assert.deepEqual(
      election.candidates.map((candidate) => candidate.node),
      order,
    );
    assert.equal(election.owner, order[0]);
    assert.equal(election.reason, 'elected');
  });
}

test('what is hashed is the node, a # and the canonical address', () => {
  const hashed: string[] = [];
  const record = (text: string) => {
    hashed.push(text);
    return sha256(text);
  };
  elect(serviceAt('10.0.0.1'), clusterOf(['node-b']), record);
  elect(serviceAt('2001:DB8:0::1'), clusterOf(['node-b']), record);
  assert.deepEqual(hashed, ['node-b#10.0.0.1', 'node-b#2001:db8::1']);
  assert.equal(
    Buffer.from(sha256('node-b#10.0.0.1')).toString('hex'),
    '2acae88581fd8b477d8abf5bd882a2094b0c9631507ebc7770a5682a13cd71f1',
  );
});

const cluster = clusterOf(abc);
const rack = (name: string, number: string) => ({ name, labels: { rack: number } });
const local = (...nodes: string[]) =>
  ({ trafficPolicy: 'Local', endpoints: { any: true, nodes: new Set(nodes) } }) as const;
const onRack1 = advertisement({ nodeSelectors: [selector('rack=1')] });

for (const [name, service, nodes, candidates, excluded] of [
  [
    'a node without a living speaker',
    {},
    clusterOf(abc, { members: new Set(['node-c']) }),
    ['node-c'],
    { 'node-a': 'noSpeaker', 'node-b': 'noSpeaker' },
  ],
  [
    'a node without a network',
    {},
    clusterOf([{ name: 'node-a', networkUnavailable: true }, 'node-b']),
    ['node-b'],
    { 'node-a': 'nodeNetworkUnavailable' },
  ],
  [
    'a node labelled to be excluded, whatever the value',
    {},
    clusterOf([{ name: 'node-b', labels: { [excludeLabel]: '' } }, 'node-a']),
    ['node-a'],
    { 'node-b': 'nodeLabeledExcludeBalancers' },
  ],
  [
    'nothing by a label that is to be ignored',
    {},
    clusterOf([{ name: 'node-b', labels: { [excludeLabel]: '' } }, 'node-a'], { ignoreExcludeLabel: true }),
    ['node-b', 'node-a'],
    {},
  ],
  [
    'a node that no advertisement selects',
    { advertisements: [onRack1] },
    clusterOf([rack('node-a', '1'), rack('node-b', '2')]),
    ['node-a'],
    { 'node-b': 'noMatchingAdvertisement' },
  ],
  [
    'a node without an endpoint, with traffic policy Local',
    local('node-c', 'node-d'),
    cluster,
    ['node-c'],
    { 'node-a': 'noLocalEndpoints', 'node-b': 'noLocalEndpoints' },
  ],
  [
    'nothing by endpoints elsewhere, with traffic policy Cluster',
    { endpoints: { any: true, nodes: new Set(['node-z']) } },
    cluster,
    ['node-b', 'node-a', 'node-c'],
    {},
  ],
] as const) {
  test(`the election leaves out ${name}`, () => {
    const election = elect(serviceAt('10.0.0.1', service), nodes, sha256);
    assert.deepEqual(
      election.candidates.map((candidate) => candidate.node),
      candidates,
    );
    assert.deepEqual(Object.fromEntries(election.excluded.map(({ node, why }) => [node, why])), excluded);
  });
}

const forWeb = advertisement({ name: 'web', serviceSelectors: [selector('tier=web')] });

for (const [name, service, nodes, reason] of [
  ['no endpoint serves', { endpoints: { any: false, nodes: new Set<string>() } }, cluster, 'notOwner'],
  ['no endpoint serves on a living node, with traffic policy Local', local('node-z'), cluster, 'notOwner'],
  ['no speaker lives', {}, clusterOf(abc, { members: new Set() }), 'notOwner'],
  ['there are no nodes', {}, clusterOf([]), 'noMatchingAdvertisement'],
  ['the pool is not advertised', { advertisements: [] }, cluster, 'noMatchingAdvertisement'],
  ['no advertisement is about the Service', { advertisements: [forWeb] }, cluster, 'noMatchingAdvertisement'],
  ['no advertisement is about a node', { advertisements: [onRack1] }, cluster, 'noMatchingAdvertisement'],
  [
    'the address is shared and advertised by label',
    { advertisements: [forWeb], labels: { tier: 'web' }, sharesAddress: true },
    cluster,
    'sharedIPWithServiceSelector',
  ],
] as const) {
  test(`nobody announces when ${name}`, () => {
    const election = elect(serviceAt('10.0.0.1', service), nodes, sha256);
    assert.equal(election.owner, undefined);
    assert.deepEqual(election.candidates, []);
    assert.equal(election.reason, reason);
    assert.equal(reasonOn('node-a', election), reason);
  });
}

test('an address may be shared where advertisements by label are about others', () => {
  const service = serviceAt('10.0.0.1', { advertisements: [forWeb, advertisement()], sharesAddress: true });
  assert.equal(elect(service, cluster, sha256).owner, 'node-b');
});

test('a preferred node goes before a better hash, and weights add up', () => {
  const prefer = (weight: number, text: string) => ({ weight, preference: selector(text) });
  const advertisements = [
    advertisement({ preferredNodeSelectors: [prefer(10, 'rack=1'), prefer(15, 'rack=2')] }),
    advertisement({ preferredNodeSelectors: [prefer(10, 'rack=1')] }),
  ];
  const nodes = clusterOf([rack('node-a', '2'), 'node-b', rack('node-c', '1')]);
  assert.deepEqual(elect(serviceAt('10.0.0.1', { advertisements }), nodes, sha256).candidates, [
    { node: 'node-c', weight: 20 },
    { node: 'node-a', weight: 15 },
    { node: 'node-b', weight: 0 },
  ]);
});

test('every node is told why it does or does not announce', () => {
  const advertisements = [advertisement({ nodeSelectors: [selector('rack=1')] })];
  const nodes = clusterOf([
    rack('node-a', '1'),
    rack('node-b', '1'),
    rack('node-c', '2'),
    { ...rack('node-d', '1'), networkUnavailable: true },
  ]);
  const election = elect(serviceAt('10.0.0.1', { advertisements }), nodes, sha256);
  assert.deepEqual(
    ['node-a', 'node-b', 'node-c', 'node-d'].map((node) => reasonOn(node, election)),
    ['notOwner', 'elected', 'noMatchingAdvertisement', 'notOwner'],
  );
});

const anyNode = fc.record(
  {
    name: fc.integer({ min: 0, max: 30 }).map((n) => `node-${n}`),
    labels: fc.constantFrom({}, { rack: '1' }, { rack: '2' }, { [excludeLabel]: '' }),
    networkUnavailable: fc.constantFrom(false, false, true),
  },
  { noNullPrototype: true },
);

const anyCluster = fc
  .tuple(fc.uniqueArray(anyNode, { selector: (node) => node.name, maxLength: 12 }), fc.infiniteStream(fc.boolean()))
  .map(([nodes, alive]) => {
    const members = nodes.filter(() => alive.next().value).map((node) => node.name);
    return clusterOf(nodes, { members: new Set(members) });
  });

const anyService = fc
  .tuple(fc.nat(255), fc.boolean(), fc.subarray(['node-1', 'node-2', 'node-3', 'node-4', 'node-5']), fc.boolean())
  .map(([host, isLocal, endpoints, prefers]) =>
    serviceAt(`192.0.2.${host}`, {
      ...(isLocal ? local(...endpoints) : {}),
      advertisements: prefers
        ? [
            advertisement({ preferredNodeSelectors: [{ weight: 3, preference: selector('rack=1') }] }),
            advertisement({ preferredNodeSelectors: [{ weight: 2, preference: selector('rack=2') }] }),
          ]
        : [advertisement()],
    }),
  );

test('every node comes to the same election, in whatever order it learnt the facts', () => {
  fc.assert(
    fc.property(anyService, anyCluster, fc.integer(), (service, facts, seed) => {
      const random = seededRandom(seed);
      const elsewhere = elect(
        { ...service, advertisements: shuffled(service.advertisements, random) },
        { ...facts, nodes: shuffled([...facts.nodes], random), members: new Set(shuffled([...facts.members], random)) },
        sha256,
      );
      assert.deepEqual(elsewhere, elect(service, facts, sha256));
    }),
  );
});

test('a node that leaves moves only what it owned, and its successor is the next candidate', () => {
  fc.assert(
    fc.property(anyService, anyCluster, fc.nat(), (service, facts, choice) => {
      const before = elect(service, facts, sha256);
      const members = [...facts.members];
      const leaver = members[choice % Math.max(1, members.length)];
      const after = elect(service, { ...facts, members: new Set(members.filter((name) => name !== leaver)) }, sha256);
      assert.equal(after.owner, before.owner === leaver ? before.candidates[1]?.node : before.owner);
    }),
  );
});

test('every node is either a candidate or excluded', () => {
  fc.assert(
    fc.property(anyService, anyCluster, (service, facts) => {
      const { candidates, excluded, owner } = elect(service, facts, sha256);
      const told = [...candidates, ...excluded].map(({ node }) => node).sort();
      assert.deepEqual(told, [...facts.nodes].map(({ name }) => name).sort());
      assert.equal(owner, candidates[0]?.node);
    }),
  );
});
