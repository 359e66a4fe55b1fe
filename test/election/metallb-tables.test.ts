import assert from 'node:assert/strict';
import { advertisementsFor, announcedInterfaces, preferenceWeight } from '../../src/election/advertisement.ts';
import { servingEndpoints } from '../../src/election/endpoints.ts';
import { type ElectionCluster, type ElectionService, elect, reasonOn } from '../../src/election/metallb.ts';
import { suite } from '../support/suite.ts';
import { advertisement, clusterOf, selector, serviceAt, sha256 } from './support.ts';

/**
 * The tables that MetalLB has of its election, filled with cases of ours: who announces, as every speaker finds by itself. Of
 * iris1 and iris2 the hash prefers iris2 for 10.20.30.1, and iris1 for .2 and .3.
 */
const test = suite('election/metallb-tables');

const iris = ['iris1', 'iris2'];
const networkLess = (name: string) => ({ name, networkUnavailable: true });
const labelled = (name: string, labels: Record<string, string>) => ({ name, labels });
const excluded = (name: string) => labelled(name, { 'node.kubernetes.io/exclude-from-external-load-balancers': '' });

/** `iris1`, or `iris1:serving` with what the endpoint is instead of ready; `:ready` has no node. */
function slice(...rows: readonly string[]) {
  const endpoints = rows.map((row) => {
    const [nodeName = '', state = 'ready'] = row.split(':');
    return { ...(nodeName === '' ? {} : { nodeName }), conditions: states[state]! };
  });
  return { endpoints };
}

const states: Readonly<Record<string, { ready?: boolean; serving?: boolean; terminating?: boolean }>> = {
  ready: { ready: true, serving: true },
  unready: { ready: false, serving: false },
  serving: { ready: false, serving: true, terminating: true },
  terminated: { ready: false, serving: false, terminating: true },
  unknown: {},
};

/** The owner, after every node was asked: one announces and the others know that they do not. Or why none does. */
function decided(service: ElectionService, cluster: ElectionCluster): string {
  const election = elect(service, cluster, sha256);
  for (const { name } of cluster.nodes) {
    const reason = reasonOn(name, election);
    assert.equal(reason === 'elected', name === election.owner);
  }
  return election.owner ?? election.reason;
}

for (const [endpoints, nodes] of [
  ['iris1 iris1', 'iris1'],
  ['iris1 iris2', 'iris1 iris2'],
  ['iris1 iris2:unready', 'iris1'],
  ['iris1:unready iris2:unready', ''],
  ['iris1:serving iris2:terminated', 'iris1'],
  ['iris1:unready iris1', 'iris1'],
  [':ready iris2', 'iris2'],
] as const) {
  test(`with traffic policy Local, the candidates of endpoints ${endpoints} are: ${nodes || 'none'}`, () => {
    const service = { trafficPolicy: 'Local', endpoints: servingEndpoints([slice(...endpoints.split(' '))]) } as const;
    const { candidates } = elect(serviceAt('10.20.30.1', service), clusterOf(iris), sha256);
    assert.equal(
      candidates
        .map(({ node }) => node)
        .sort()
        .join(' '),
      nodes,
    );
  });
}

test('without a member list every node is a candidate', () => {
  const endpoints = servingEndpoints([slice('iris1', 'iris2')]);
  const nodes = clusterOf(iris, { members: new Set(iris) });
  const { candidates } = elect(serviceAt('10.20.30.1', { trafficPolicy: 'Local', endpoints }), nodes, sha256);
  assert.equal(candidates.length, 2);
});

for (const [policy, slices, owner] of [
  ['Cluster', ['iris1 iris2'], 'iris2'],
  ['Cluster', ['iris1', 'iris2'], 'iris2'],
  ['Cluster', ['iris1'], 'iris2'],
  ['Cluster', ['iris1:unready iris2:unready'], 'notOwner'],
  ['Cluster', ['iris1:unready', 'iris2'], 'iris2'],
  ['Cluster', [':ready'], 'iris2'],
  ['Cluster', ['iris1:serving'], 'iris2'],
  ['Cluster', ['iris1:terminated'], 'notOwner'],
  ['Cluster', [], 'notOwner'],
  ['Local', ['iris1 iris2'], 'iris2'],
  ['Local', ['iris1', 'iris2'], 'iris2'],
  ['Local', ['iris1'], 'iris1'],
  ['Local', ['iris2'], 'iris2'],
  ['Local', ['iris1 iris2:unready'], 'iris1'],
  ['Local', ['iris1:unready iris2:unready'], 'notOwner'],
  ['Local', ['iris1:unready', 'iris1:unready iris2'], 'iris2'],
  ['Local', [':ready'], 'notOwner'],
  ['Local', ['iris1 iris2:serving'], 'iris2'],
  ['Local', ['iris1 iris2:terminated'], 'iris1'],
  ['Local', ['iris1:unknown'], 'iris1'],
  ['Local', ['elsewhere'], 'notOwner'],
] as const) {
  test(`with traffic policy ${policy}, endpoints ${slices.join(' and ') || '-'} give ${owner}`, () => {
    const endpoints = servingEndpoints(slices.map((rows) => slice(...rows.split(' '))));
    const service = serviceAt('10.20.30.1', { trafficPolicy: policy, endpoints });
    assert.equal(decided(service, clusterOf(iris)), owner);
  });
}

for (const [what, nodes, change, owner] of [
  ['all nodes are well', iris, {}, 'iris2'],
  ['the better one has no network', ['iris1', networkLess('iris2')], {}, 'iris1'],
  ['the worse one has no network', [networkLess('iris1'), 'iris2'], {}, 'iris2'],
  ['no node has a network', iris.map(networkLess), {}, 'notOwner'],
  ['the better one is excluded', ['iris1', excluded('iris2')], {}, 'iris1'],
  [
    'the better one is excluded, and that is ignored',
    ['iris1', excluded('iris2')],
    { ignoreExcludeLabel: true },
    'iris2',
  ],
  ['all are excluded', iris.map(excluded), {}, 'notOwner'],
  ['one is excluded and the other has no network', [excluded('iris1'), networkLess('iris2')], {}, 'notOwner'],
  [
    'one has no network, and exclusion is ignored',
    [excluded('iris1'), networkLess('iris2')],
    { ignoreExcludeLabel: true },
    'iris1',
  ],
  ['the better one has no speaker', iris, { members: new Set(['iris1']) }, 'iris1'],
  ['no node has a speaker', iris, { members: new Set<string>() }, 'notOwner'],
  ['a speaker has no Node', ['iris1'], { members: new Set(iris) }, 'iris1'],
] as const) {
  test(`when ${what}: ${owner}`, () => {
    assert.equal(decided(serviceAt('10.20.30.1'), clusterOf(nodes, change)), owner);
  });
}

for (const [address, owner] of [
  ['10.20.30.1', 'iris2'],
  ['10.20.30.2', 'iris1'],
  ['10.20.30.3', 'iris1'],
] as const) {
  test(`with traffic policy Cluster, ${address} is announced by ${owner} alone`, () => {
    assert.equal(decided(serviceAt(address), clusterOf(iris)), owner);
  });
}

const on = (name: string, text: string, change = {}) =>
  advertisement({ name, nodeSelectors: [selector(text)], ...change });
const web = { tier: 'web' };
const forWeb = { serviceSelectors: [selector('tier=web')] };
const forMail = { serviceSelectors: [selector('tier=mail')] };
const racks = [labelled('iris1', { rack: '1' }), labelled('iris2', { rack: '2' })];

for (const [what, labels, advertisements, owner] of [
  ['the one advertisement selects it', web, [advertisement(forWeb)], 'iris2'],
  ['the one advertisement selects others', web, [advertisement(forMail)], 'noMatchingAdvertisement'],
  ['it has no labels', {}, [advertisement(forWeb)], 'noMatchingAdvertisement'],
  ['one of two advertisements selects it', web, [advertisement(forMail), advertisement(forWeb)], 'iris2'],
  ['an advertisement without a selector is about it', {}, [advertisement(forMail), advertisement()], 'iris2'],
] as const) {
  test(`a Service is announced when ${what}: ${owner}`, () => {
    assert.equal(decided(serviceAt('10.20.30.1', { labels, advertisements }), clusterOf(iris)), owner);
  });
}

for (const [what, sharesAddress, advertisements, owner] of [
  ['nothing is shared, and Services are selected', false, [advertisement(forWeb)], 'iris2'],
  ['it is shared, and no Services are selected', true, [advertisement()], 'iris2'],
  ['it is shared, and Services are selected', true, [advertisement(forWeb)], 'sharedIPWithServiceSelector'],
  [
    'it is shared, and one of two advertisements selects Services',
    true,
    [advertisement(), advertisement(forWeb)],
    'sharedIPWithServiceSelector',
  ],
  ['it is shared, and other Services are selected', true, [advertisement(), advertisement(forMail)], 'iris2'],
] as const) {
  test(`an address when ${what}: ${owner}`, () => {
    const service = serviceAt('10.20.30.1', { labels: web, sharesAddress, advertisements });
    assert.equal(decided(service, clusterOf(iris)), owner);
  });
}

const named = [
  advertisement({ name: 'all' }),
  advertisement({ name: 'web', ...forWeb }),
  advertisement({ name: 'mail', ...forMail }),
];

for (const [labels, names] of [
  [web, 'all web'],
  [{ tier: 'mail' }, 'all mail'],
  [{ tier: 'db' }, 'all'],
  [{}, 'all'],
  [{ tier: 'web', other: 'x' }, 'all web'],
] as const) {
  test(`the advertisements of a Service labelled ${JSON.stringify(labels)} are ${names}`, () => {
    assert.equal(
      advertisementsFor(labels, named)
        .map(({ name }) => name)
        .join(' '),
      names,
    );
  });
}

for (const [labels, owner] of [
  [web, 'iris1'],
  [{ tier: 'mail' }, 'iris2'],
] as const) {
  test(`nodes of advertisements that are about other Services are no candidates: ${owner}`, () => {
    const advertisements = [on('one', 'rack=1', forWeb), on('two', 'rack=2', forMail)];
    assert.equal(decided(serviceAt('10.20.30.1', { labels, advertisements }), clusterOf(racks)), owner);
  });
}

test('every node takes all advertisements into account, those that are not about it included', () => {
  const advertisements = [on('one', 'rack=1'), on('two', 'rack=2')];
  assert.equal(decided(serviceAt('10.20.30.1', { advertisements }), clusterOf(racks)), 'iris2');
  assert.equal(decided(serviceAt('10.20.30.2', { advertisements }), clusterOf(racks)), 'iris1');
});

test('an advertisement for some nodes beside one for all makes no second owner', () => {
  const advertisements = [on('one', 'rack=1'), advertisement()];
  assert.equal(decided(serviceAt('10.20.30.1', { advertisements }), clusterOf(racks)), 'iris2');
  const mixed = [on('one', 'rack=1', forWeb), on('two', 'rack=2')];
  assert.equal(decided(serviceAt('10.20.30.1', { labels: web, advertisements: mixed }), clusterOf(racks)), 'iris2');
});

test('a Service and node that no advertisement joins is not announced', () => {
  const advertisements = [on('one', 'rack=3'), advertisement(forMail)];
  const service = serviceAt('10.20.30.1', { labels: web, advertisements });
  assert.equal(decided(service, clusterOf(racks)), 'noMatchingAdvertisement');
});

const eth = (name: string, ...interfaces: string[]) => on(name, 'rack=1', { interfaces });

for (const [what, advertisements, interfaces] of [
  ['one advertisement', [eth('a', 'eth0')], ['eth0']],
  ['two that name others', [eth('a', 'eth1'), eth('b', 'eth0')], ['eth0', 'eth1']],
  ['two that name the same', [eth('a', 'eth0'), eth('b', 'eth0')], ['eth0']],
  ['one that names none', [eth('a', 'eth0'), on('b', 'rack=1')], 'all'],
  ['one for another node', [eth('a', 'eth0'), on('b', 'rack=2')], ['eth0']],
] as const) {
  test(`a node announces by ${what} on ${interfaces}`, () => {
    assert.deepEqual(announcedInterfaces(advertisements, { rack: '1' }), interfaces);
  });
}

const prefer = (weight: number, text: string) => ({ weight, preference: selector(text) });
const preferring = (...preferredNodeSelectors: ReturnType<typeof prefer>[]) =>
  advertisement({ preferredNodeSelectors });
const abc = ['a', 'b', 'c'].map((name, i) => labelled(`node-${name}`, { rack: `${i + 1}` }));

// By hash alone: node-b, node-a, node-c for 10.0.0.1, and node-b, node-c, node-a for 10.0.0.2.
for (const [what, address, advertisements, order] of [
  ['nothing is preferred', '10.0.0.1', [advertisement()], 'b a c'],
  ['nothing is preferred of another address', '10.0.0.2', [advertisement()], 'b c a'],
  ['the last by hash is preferred', '10.0.0.1', [preferring(prefer(1, 'rack=3'))], 'c b a'],
  ['the first by hash is preferred', '10.0.0.1', [preferring(prefer(100, 'rack=2'))], 'b a c'],
  ['two are preferred differently', '10.0.0.1', [preferring(prefer(10, 'rack=1'), prefer(20, 'rack=3'))], 'c a b'],
  ['two are preferred alike', '10.0.0.2', [preferring(prefer(10, 'rack=1'), prefer(10, 'rack=3'))], 'c a b'],
  ['all are preferred alike', '10.0.0.1', [1, 2, 3].map((n) => preferring(prefer(5, `rack=${n}`))), 'b a c'],
  ['nobody is what is preferred', '10.0.0.1', [preferring(prefer(100, 'rack=9'))], 'b a c'],
  [
    'weights of two advertisements add up',
    '10.0.0.1',
    [preferring(prefer(30, 'rack=1')), preferring(prefer(20, 'rack=3')), preferring(prefer(20, 'rack=3'))],
    'c a b',
  ],
] as const) {
  test(`the candidates for ${address} when ${what}: ${order}`, () => {
    const { candidates } = elect(serviceAt(address, { advertisements }), clusterOf(abc), sha256);
    assert.equal(candidates.map(({ node }) => node.slice(-1)).join(' '), order);
  });
}

for (const [what, advertisements, score] of [
  ['no preference', [advertisement()], 0],
  ['several preferences, of which some match', [preferring(prefer(5, 'rack=1'), prefer(7, 'rack=2'))], 5],
  ['two advertisements', [preferring(prefer(5, 'rack=1')), preferring(prefer(7, 'rack=1'))], 12],
  ['an advertisement for other nodes', [on('x', 'rack=2', { preferredNodeSelectors: [prefer(5, 'rack=1')] })], 0],
] as const) {
  test(`the score of a node by ${what} is ${score}`, () => {
    assert.equal(preferenceWeight(advertisements, { rack: '1' }), score);
  });
}

for (const [what, cluster, owner] of [
  ['is alive', clusterOf(abc), 'node-c'],
  ['is lost', clusterOf(abc, { members: new Set(['node-a', 'node-b']) }), 'node-b'],
  ['has no network', clusterOf([abc[0]!, abc[1]!, { ...abc[2]!, networkUnavailable: true }]), 'node-b'],
  ['is excluded', clusterOf([abc[0]!, abc[1]!, excluded('node-c')]), 'node-b'],
] as const) {
  test(`a preferred node that ${what}: ${owner} announces`, () => {
    const advertisements = [preferring(prefer(10, 'rack=3'))];
    assert.equal(decided(serviceAt('10.0.0.1', { advertisements }), cluster), owner);
  });
}

test('a preferred node without an endpoint is passed over with traffic policy Local', () => {
  const endpoints = { any: true, nodes: new Set(['node-a']) };
  const service = { trafficPolicy: 'Local', endpoints, advertisements: [preferring(prefer(10, 'rack=3'))] } as const;
  assert.equal(decided(serviceAt('10.0.0.1', service), clusterOf(abc)), 'node-a');
});
