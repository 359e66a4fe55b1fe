import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NodeInterface } from '../../src/election/interface-fitness.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { parsePrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';
import { type Declared, Electorate, type Facts } from './electorate.ts';

const test = suite('speaker/balanced-owners');

const names = ['node-a', 'node-b', 'node-c', 'node-d', 'node-e'];
const five: Facts = { nodes: names.map((name) => ({ name })) };
const local = { externalTrafficPolicy: 'Local' } as const;
const shared = { 'metallb.io/allow-shared-ip': 'key' };
const rack = (value: string) => ({ matchLabels: { rack: value } });

/** Five speakers with twenty Services, four for each. */
function atRest(facts: Facts = five, services = 20): Electorate {
  const electorate = new Electorate(facts);
  electorate.declareMany(services);
  electorate.settle();
  return electorate;
}

function movesBetween(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
  return [...before].filter(([ip, owner]) => after.get(ip) !== owner).length;
}

test('five speakers agree on twenty Services, whatever they learnt first: four for each', () => {
  assert.deepEqual(atRest().loads(), [4, 4, 4, 4, 4]);
});

test('when a node dies what it had is spread over the others, and nothing else moves', () => {
  const electorate = atRest();
  const before = electorate.announced();
  electorate.change({ members: names.slice(1) });
  electorate.settle();
  assert.deepEqual(electorate.loads(), [0, 5, 5, 5, 5]);
  assert.equal(movesBetween(before, electorate.announced()), 4);
});

test('a node that returns is given what is new; when it is no longer returning, as much as the others have', () => {
  const electorate = atRest();
  electorate.change({ members: names.slice(1) });
  electorate.settle();
  electorate.change({ members: names, returning: ['node-a'] });
  electorate.settle();
  assert.deepEqual(electorate.loads(), [0, 5, 5, 5, 5]);
  electorate.declareMany(2, 20);
  electorate.settle();
  assert.deepEqual(electorate.loads(), [2, 5, 5, 5, 5]);
  electorate.change({ returning: [] });
  electorate.settle();
  assert.deepEqual([...electorate.loads()].sort(), [3, 4, 5, 5, 5]);
});

for (const [how, mark, left] of [
  ['is to be drained', { draining: true }, 0],
  ['is not ready', { notReady: true }, 0],
  ['weighs nothing', { weight: 0 }, 0],
  ['is excluded', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }, 0],
  ['has no network', { networkUnavailable: true }, 0],
  ['is out of service', { outOfService: true }, 0],
  ['weighs three times as much as the others', { weight: 3 }, 9],
] as const) {
  test(`a node that ${how} has ${left} of twenty addresses, and the others the rest`, () => {
    const electorate = atRest();
    electorate.change({ nodes: names.map((name, i) => (i === 0 ? { name, ...mark } : { name })) });
    electorate.settle();
    const [first = 0, ...others] = electorate.loads();
    assert.ok(left === 0 ? first === 0 : first >= 7 && first <= left, `${first}`);
    assert.equal(first + others.reduce((sum, load) => sum + load, 0), 20);
    assert.ok(Math.max(...others) - Math.min(...others) <= 1);
  });
}

test('where all are to be drained, all go on', () => {
  const electorate = atRest();
  const before = electorate.announced();
  electorate.change({ nodes: names.map((name) => ({ name, draining: true })) });
  electorate.settle();
  assert.deepEqual(electorate.announced(), before);
});

test('a Service with traffic policy Local stays where an endpoint serves, on one that is to be drained if need be', () => {
  const electorate = new Electorate({ nodes: names.map((name) => ({ name, draining: name === 'node-b' })) });
  electorate.declare(
    { name: 'a', ips: '192.0.2.1', spec: local, endpoints: ['node-a'] },
    { name: 'b', ips: '192.0.2.2', spec: local, endpoints: ['node-b'] },
    { name: 'ab', ips: '192.0.2.3', spec: local, endpoints: ['node-a', 'node-b'] },
    { name: 'z', ips: '192.0.2.4', spec: local, endpoints: ['node-z'] },
  );
  electorate.settle();
  const owners = [...electorate.announced()].sort();
  assert.deepEqual(owners, [
    ['192.0.2.1', 'node-a'],
    ['192.0.2.2', 'node-b'],
    ['192.0.2.3', 'node-a'],
  ]);
  electorate.declare({ name: 'a', ips: '192.0.2.1', spec: local, endpoints: ['node-c'] });
  electorate.settle();
  assert.equal(electorate.announced().get('192.0.2.1'), 'node-c');
});

const on = (...endpoints: string[]) => ({ spec: local, endpoints, annotations: shared });
const anywhere = { annotations: shared };

/** One address that these share: where it may be, and which of them are announced there. */
for (const [fact, sharers, where, announced] of [
  ['those that can be anywhere are together', [anywhere, anywhere, anywhere], names, 'abc'],
  ['what can be anywhere follows what cannot', [anywhere, on('node-d')], ['node-d'], 'ab'],
  ['what both can', [on('node-a', 'node-d'), on('node-d', 'node-e')], ['node-d'], 'ab'],
  ['what nobody can take keeps nobody from it', [anywhere, on('node-z'), on('node-c')], ['node-c'], 'ac'],
  ['what has no endpoint keeps nobody from it', [on(), anywhere], names, 'b'],
  ['as many as possible, if not all can', [on('node-a'), on('node-c'), on('node-c', 'node-d')], ['node-c'], 'bc'],
  ['one of two that never meet', [on('node-a'), on('node-c')], ['node-a', 'node-c'], undefined],
] as const satisfies readonly (readonly [
  string,
  readonly Partial<Declared>[],
  readonly string[],
  string | undefined,
])[]) {
  test(`of a shared address: ${fact}`, () => {
    const electorate = atRest(five, 7);
    electorate.declare(...sharers.map((one, i) => ({ name: 'abc'[i]!, ips: '192.0.2.200', ...one })));
    electorate.settle();
    const owner = electorate.announced().get('192.0.2.200');
    assert.ok(owner !== undefined && where.some((name) => name === owner), owner);
    const voter = electorate.voters.find(({ name }) => name === owner)!;
    const there = sharers.flatMap((_, i) => ('announce' in voter.decide(`default/${'abc'[i]}`) ? 'abc'[i]! : []));
    if (announced !== undefined) assert.equal(there.join(''), announced);
    else assert.equal(there.length, 1);
  });
}

test('the addresses of a Service are on different nodes, and each says who has the others', () => {
  const electorate = atRest();
  electorate.declare({ name: 'many', ips: '192.0.2.101 192.0.2.102 2001:db8::1' });
  electorate.settle();
  const owners = new Map(
    [...electorate.announced()].filter(([ip]) => ['192.0.2.101', '192.0.2.102', '2001:db8::1'].includes(ip)),
  );
  assert.equal(new Set(owners.values()).size, 3);
  for (const voter of electorate.voters) {
    const decision = voter.decide('default/many');
    const own = [...owners].flatMap(([ip, owner]) => (owner === voter.name ? [ip] : []));
    if ('announce' in decision) assert.deepEqual(decision.announce.map(formatAddress), own);
    else assert.deepEqual([decision.withdraw, own.length], ['notOwner', 0]);
    assert.deepEqual(new Map([...decision.elections!].map(([ip, { owner }]) => [ip, owner!])), owners);
  }
});

test('a node that is preferred has everything', () => {
  const nodes = names.map((name) => ({ name, labels: { rack: name === 'node-c' ? '1' : '2' } }));
  const preferredNodeSelectors = [{ weight: 1, preference: rack('1') }];
  assert.deepEqual(atRest({ nodes, advertisements: [{ preferredNodeSelectors }] }).loads(), [0, 0, 20, 0, 0]);
});

test('addresses of pools that are advertised from different nodes are on those', () => {
  const nodes = names.map((name, i) => ({ name, labels: { rack: i < 2 ? '1' : '2' } }));
  const advertisements = [
    { ipAddressPools: ['pool-0'], nodeSelectors: [rack('1')], interfaces: ['eth0'] },
    { ipAddressPools: ['pool-1'], nodeSelectors: [rack('2')], interfaces: ['eth1'] },
  ];
  const electorate = new Electorate({ nodes, advertisements, pools: [['192.0.2.0/24'], ['2001:db8::/120']] });
  const annotations = { 'garpoon.io/address-pools': 'pool-0,pool-1' };
  electorate.declare({ name: 'dual', ips: '192.0.2.1 2001:db8::1', annotations });
  electorate.settle();
  const decisions = electorate.voters.map((voter) => voter.decide('default/dual'));
  const said = decisions.map((decision) =>
    'announce' in decision ? `${decision.announce.map(formatAddress)}@${decision.interfaces} ${decision.pool}` : '',
  );
  assert.deepEqual(said.filter(Boolean).sort(), ['192.0.2.1@eth0 pool-0', '2001:db8::1@eth1 pool-1']);
  assert.ok(said.slice(0, 2).includes('192.0.2.1@eth0 pool-0'));
});

const subnet = (text: string): NodeInterface => {
  const prefix = parsePrefix(text);
  if (typeof prefix === 'string') throw new Error(prefix);
  return { name: 'eth0', up: true, prefixes: [prefix] };
};

test('only nodes with an address in its subnet have an address, where that is asked for, and said', () => {
  const interfaces = new Map([
    ['node-a', [subnet('192.0.2.0/25')]],
    ['node-b', [subnet('192.0.2.0/25')]],
    ['node-c', [subnet('192.0.2.128/25')]],
    ['node-d', [{ ...subnet('192.0.2.0/24'), up: false }]],
  ]);
  const electorate = new Electorate({ ...five, interfaces, requireSubnetAddress: true });
  electorate.declare({ name: 'low', ips: '192.0.2.1' }, { name: 'high', ips: '192.0.2.201' });
  electorate.settle();
  const elections = (name: string) => electorate.voters[0]!.owners.electionsOf(`default/${name}`);
  const candidates = (name: string) => [...elections(name).values()][0]!.candidates.map(({ node }) => node);
  // Of node-e nothing is known, as of a speaker that cannot tell.
  assert.deepEqual(candidates('low'), ['node-a', 'node-b', 'node-e']);
  assert.deepEqual(candidates('high'), ['node-c', 'node-e']);
  const why = [...elections('high').values()][0]!.excluded.map(({ node, why }) => `${node} ${why}`);
  assert.deepEqual(why, ['node-a noSubnetAddress', 'node-b noSubnetAddress', 'node-d interfaceDown']);
  electorate.change({ requireSubnetAddress: false });
  electorate.settle();
  assert.deepEqual(candidates('low'), ['node-a', 'node-b', 'node-c', 'node-e']);
});

for (const [fact, service, facts, expected] of [
  ['of an address without a pool', { ips: '198.18.0.1' }, {}, 'ipNotAllowed'],
  ['of what is no LoadBalancer', { ips: '192.0.2.1', spec: { type: 'ClusterIP' } }, {}, 'notLoadBalancer'],
  ['of what has no endpoint', { ips: '192.0.2.1', endpoints: [] }, {}, 'notOwner'],
  ['of a pool that is not advertised', { ips: '192.0.2.1' }, { advertisements: [] }, 'noMatchingAdvertisement'],
  [
    'where no advertisement is about any node',
    { ips: '192.0.2.1' },
    { advertisements: [{ nodeSelectors: [rack('1')] }] },
    'noMatchingAdvertisement',
  ],
  [
    'that shares its address and is advertised by its labels',
    { ips: '192.0.2.1', labels: { tier: 'web' }, annotations: shared },
    { advertisements: [{ serviceSelectors: [{ matchLabels: { tier: 'web' } }] }] },
    'sharedIPWithServiceSelector',
  ],
  [
    'where nobody lives who may',
    { ips: '192.0.2.1', spec: local, endpoints: ['node-b'] },
    { members: ['node-a'] },
    'notOwner',
  ],
] as const satisfies readonly (readonly [string, Omit<Declared, 'name'>, Partial<Facts>, string])[]) {
  test(`nobody announces a Service ${fact}: ${expected}`, () => {
    const electorate = new Electorate({ ...five, ...facts });
    electorate.declare({ name: 'web', ...service });
    electorate.settle();
    for (const voter of electorate.living()) {
      const decision = voter.decide('default/web');
      assert.deepEqual('withdraw' in decision && [decision.withdraw, decision.owner], [expected, undefined]);
    }
  });
}

test('a node that no advertisement is about says so, and who announces instead', () => {
  const nodes = names.map((name) => ({ name, labels: { rack: name === 'node-a' ? '1' : '2' } }));
  const electorate = atRest({ nodes, advertisements: [{ nodeSelectors: [rack('1')] }] }, 1);
  const { elections: _, ...decision } = electorate.voters[1]!.decide('default/web-0');
  assert.deepEqual(decision, { withdraw: 'noMatchingAdvertisement', owner: 'node-a' });
});

test('however much changes at once, it is decided together, and again not before 20 ms have passed', async () => {
  const electorate = new Electorate(five);
  const { clock, decisions } = electorate.voters[0]!;
  electorate.declareMany(20);
  electorate.change({ returning: ['node-a'] });
  assert.equal(decisions.length, 0);
  await clock.advance(0);
  assert.deepEqual([...decisions[0]!].sort(), Array.from({ length: 20 }, (_, i) => `default/web-${i}`).sort());
  electorate.declareMany(2, 20);
  await clock.advance(19);
  assert.equal(decisions.length, 1);
  electorate.declareMany(2, 30);
  await clock.advance(1);
  assert.equal(decisions.length, 2);
  await clock.advance(1_000);
  assert.equal(decisions.length, 2);
  assert.equal(clock.pending(), 0);
});

test('only the Services whose addresses have another owner are looked at again, and those that have changed', () => {
  const electorate = atRest();
  const { decisions } = electorate.voters[1]!;
  const lost = [...electorate.announced()].flatMap(([ip, owner]) => (owner === 'node-a' ? [ip] : []));
  decisions.length = 0;
  electorate.change({ members: names.slice(1) });
  electorate.declare({ name: 'web-7', ips: '192.0.2.7', labels: { version: '2' } });
  electorate.voters[1]!.owners.flush();
  const keys = lost.map((ip) => `default/web-${ip.split('.')[3]}`);
  const [decided = []] = decisions;
  assert.deepEqual(new Set(decided), new Set([...keys, 'default/web-7']));
  assert.deepEqual(new Set(decided.slice(0, keys.length)), new Set(keys));
  decisions.length = 0;
  electorate.voters[1]!.owners.decideSoon();
  electorate.voters[1]!.owners.flush();
  assert.deepEqual(decisions, [[]]);
});

test('when our own labels or the configuration change, all Services are looked at again', () => {
  const electorate = atRest();
  const { decisions, owners } = electorate.voters[0]!;
  for (const change of [
    { nodes: five.nodes.map((node, i) => (i === 0 ? { ...node, labels: { rack: '1' } } : node)) },
    { advertisements: [{ interfaces: ['eth0'] }] },
  ]) {
    decisions.length = 0;
    electorate.change(change);
    owners.flush();
    assert.equal(decisions[0]?.length, 20);
  }
  decisions.length = 0;
  electorate.change({
    nodes: electorate.facts.nodes.map((node, i) => (i === 1 ? { ...node, labels: { rack: '1' } } : node)),
  });
  owners.flush();
  assert.deepEqual(decisions, [[]]);
});

test('a Service that is gone is looked at once more, and is forgotten', () => {
  const electorate = atRest();
  const [voter] = electorate.voters;
  voter!.decisions.length = 0;
  electorate.remove('web-3');
  electorate.settle();
  assert.ok(voter!.decisions.flat().includes('default/web-3'));
  assert.equal(voter!.owners.electionsOf('default/web-3').size, 0);
  assert.equal([...electorate.announced().keys()].includes('192.0.2.3'), false);
});

test('whoever is cleared decides everything anew as soon as it is asked', () => {
  const electorate = atRest();
  const before = electorate.announced();
  for (const { owners } of electorate.voters) {
    owners.clear();
    assert.equal(owners.electionsOf('default/web-0').size, 0);
    owners.decideSoon();
  }
  assert.deepEqual(electorate.announced(), before);
});

type Step =
  | { readonly kind: 'dies' | 'comes' | 'drains' | 'works' | 'returns' | 'settles'; readonly node: string }
  | { readonly kind: 'declares'; readonly service: Declared }
  | { readonly kind: 'removes'; readonly name: string };

const anyName = fc.constantFrom(...names);
const anyService: fc.Arbitrary<Declared> = fc
  .record({
    service: fc.nat(11),
    first: fc.nat(14),
    isDual: fc.boolean(),
    isLocal: fc.boolean(),
    endpoints: fc.subarray(names),
  })
  .map(({ service, first, isDual, isLocal, endpoints }) => ({
    name: `web-${service}`,
    ips: `192.0.2.${first}${isDual ? ` 2001:db8::${first + 1}` : ''}`,
    endpoints,
    annotations: shared,
    ...(isLocal ? { spec: local } : {}),
  }));
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('declares'), service: anyService }), weight: 5 },
  fc.record({ kind: fc.constant('removes'), name: fc.nat(11).map((i) => `web-${i}`) }),
  {
    arbitrary: fc.record({
      kind: fc.constantFrom('dies', 'comes', 'drains', 'works', 'returns', 'settles'),
      node: anyName,
    }),
    weight: 4,
  },
);

function take(electorate: Electorate, step: Step): void {
  if (step.kind === 'declares') electorate.declare(step.service);
  else if (step.kind === 'removes') electorate.remove(step.name);
  else electorate.change(changeOf(electorate, step));
}

function changeOf(electorate: Electorate, step: Extract<Step, { readonly node: string }>): Partial<Facts> {
  const { members = names, returning = [], nodes } = electorate.facts;
  const without = (list: readonly string[]) => list.filter((name) => name !== step.node);
  const drain = (draining: boolean) =>
    nodes.map((node) => (node.name === step.node ? { name: node.name, draining } : node));
  const changes = {
    dies: () => ({ members: without(members) }),
    comes: () => ({ members: [...without(members), step.node] }),
    drains: () => ({ nodes: drain(true) }),
    works: () => ({ nodes: drain(false) }),
    returns: () => ({ members: [...without(members), step.node], returning: [...without(returning), step.node] }),
    settles: () => ({ returning: without(returning) }),
  };
  return changes[step.kind]();
}

test('through any history the speakers agree, and every address that somebody may announce is announced once', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 5, maxLength: 40 }), (steps) => {
      const electorate = new Electorate(five);
      for (const step of steps) {
        take(electorate, step);
        electorate.settle();
        const owners = electorate.announced();
        const alive = new Set(electorate.living().map(({ name }) => name));
        for (const service of electorate.declared()) {
          const { ips, endpoints = [], spec } = service;
          const able = spec === local ? endpoints.filter((name) => alive.has(name)) : [...alive];
          if (endpoints.length === 0 || able.length === 0) continue;
          for (const ip of ips.split(' ')) assert.ok(alive.has(owners.get(ip) ?? ''), `${ip} of ${service.name}`);
        }
        // A speaker that begins now, and knows only what the others say, decides the same.
        for (const { owners: anew } of electorate.living()) {
          anew.clear();
          anew.decideSoon();
        }
        assert.deepEqual(electorate.announced(), owners);
      }
    }),
    { numRuns: 60 },
  );
});
