import assert from 'node:assert/strict';
import fc from 'fast-check';
import { rank } from '../../src/election/metallb.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';
import { type Declared, Electorate, type Facts } from './electorate.ts';
import { sha256 } from './support.ts';

/** Services with several addresses of a family, while all others are elected by MetalLB's rule. */
const test = suite('speaker/spread-addresses');

const names = ['node-a', 'node-b', 'node-c', 'node-d', 'node-e'];
const five: Facts = { nodes: names.map((name) => ({ name })), strategy: 'metallb' };
const local = { externalTrafficPolicy: 'Local' } as const;
const shared = { 'metallb.io/allow-shared-ip': 'key' };
const rack = (value: string) => ({ matchLabels: { rack: value } });

const manyOf = (count: number, each: number): readonly Declared[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `many-${String(i).padStart(2, '0')}`,
    ips: Array.from({ length: each }, (_, k) => `192.0.2.${100 + i * each + k}`).join(' '),
  }));

/** Twenty Services with three addresses, and as many with one. */
function atRest(facts: Partial<Facts> = {}): Electorate {
  const electorate = new Electorate({ ...five, ...facts });
  electorate.declareMany(20);
  electorate.declare(...manyOf(20, 3));
  electorate.settle();
  return electorate;
}

const hostOf = (ip: string) => Number(ip.split('.')[3]);
const isSpread = (ip: string) => hostOf(ip) >= 100;

/** How many of the addresses of Services with several each node has. */
function spreadLoads(electorate: Electorate): readonly number[] {
  const owners = [...electorate.announced()].flatMap(([ip, owner]) => (isSpread(ip) ? [owner] : []));
  return electorate.facts.nodes.map(({ name }) => owners.filter((owner) => owner === name).length);
}

/** The Services that have two addresses of a family on one node. */
function crowded(electorate: Electorate): readonly string[] {
  const owners = electorate.announced();
  return [...electorate.declared()].flatMap(({ name, ips }) => {
    const at = ips.split(' ').map((ip) => `${owners.get(ip)} ${ip.includes(':')}`);
    return new Set(at).size === at.length ? [] : [name];
  });
}

function moved(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] {
  return [...before].flatMap(([ip, owner]) => (after.get(ip) === owner ? [] : [ip]));
}

function metallbs(ip: string, among: readonly string[] = names): string | undefined {
  return rank(
    among.map((node) => ({ node, weight: 0 })),
    ip,
    sha256,
  )[0]?.node;
}

test('twenty Services with three addresses are spread evenly over five nodes, none with two on one of them', () => {
  const electorate = atRest();
  assert.deepEqual(spreadLoads(electorate), [12, 12, 12, 12, 12]);
  assert.deepEqual(crowded(electorate), []);
});

test('Services with one address beside them are where MetalLB has them, whoever is alive', () => {
  const electorate = atRest();
  for (const members of [names, names.slice(1), names.slice(2), names]) {
    electorate.change({ members });
    electorate.settle();
    const owners = electorate.announced();
    for (let i = 0; i < 20; i++) assert.equal(owners.get(`192.0.2.${i}`), metallbs(`192.0.2.${i}`, members));
  }
});

test('when a node dies only what it had moves, no node has more than 1.1 times the average, and none two of a Service', () => {
  const electorate = atRest();
  const before = electorate.announced();
  electorate.change({ members: names.slice(1) });
  electorate.settle();
  const away = moved(before, electorate.announced());
  assert.ok(away.every((ip) => before.get(ip) === 'node-a'));
  assert.deepEqual(spreadLoads(electorate), [0, 15, 15, 15, 15]);
  assert.deepEqual(crowded(electorate), []);
});

test('a node that is returning is given nothing, until it no longer is: then its part', () => {
  const electorate = atRest();
  electorate.change({ members: names.slice(1) });
  electorate.settle();
  const before = new Map([...electorate.announced()].filter(([ip]) => isSpread(ip)));
  electorate.change({ members: names, returning: ['node-a'] });
  electorate.settle();
  assert.deepEqual(moved(before, electorate.announced()), []);
  electorate.change({ returning: [] });
  electorate.settle();
  const [first = 0, ...others] = spreadLoads(electorate);
  assert.ok(first >= 10 && Math.max(...others) <= 14, `${first} ${others}`);
  assert.equal(moved(before, electorate.announced()).length, first);
  assert.deepEqual(crowded(electorate), []);
});

for (const [fact, facts, expected] of [
  ['weighs three times as much', { nodes: names.map((name, i) => (i === 0 ? { name, weight: 3 } : { name })) }, 20],
  ['weighs nothing', { nodes: names.map((name, i) => (i === 0 ? { name, weight: 0 } : { name })) }, 0],
  ['is to be drained', { nodes: names.map((name, i) => (i === 0 ? { name, draining: true } : { name })) }, 0],
] as const) {
  test(`a node that ${fact} has ${expected} of sixty addresses, and no Service has two on one node`, () => {
    const electorate = atRest(facts);
    const [first = 0, ...others] = spreadLoads(electorate);
    // Three of a Service are on three nodes: nobody has more than one of each.
    assert.ok(expected === 0 ? first === 0 : first >= 18 && first <= 20, `${first}`);
    assert.ok(Math.max(...others) - Math.min(...others) <= 2, `${others}`);
    assert.deepEqual(crowded(electorate), []);
  });
}

test('preferred nodes have all of it, evenly', () => {
  const nodes = names.map((name, i) => ({ name, labels: { rack: i < 3 ? '1' : '2' } }));
  const advertisements = [{ preferredNodeSelectors: [{ weight: 1, preference: rack('1') }] }];
  const electorate = atRest({ nodes, advertisements });
  assert.deepEqual(spreadLoads(electorate), [20, 20, 20, 0, 0]);
  assert.deepEqual(crowded(electorate), []);
});

for (const [endpoints, expected] of [
  [['node-b'], [0, 3, 0, 0, 0]],
  [
    ['node-b', 'node-z'],
    [0, 3, 0, 0, 0],
  ],
  [
    ['node-a', 'node-c', 'node-e'],
    [1, 0, 1, 0, 1],
  ],
  [[], [0, 0, 0, 0, 0]],
] as const) {
  test(`with traffic policy Local and endpoints on ${endpoints.join(', ') || 'no node'}, three addresses are there`, () => {
    const electorate = new Electorate(five);
    electorate.declare({ ...manyOf(1, 3)[0]!, spec: local, endpoints });
    electorate.settle();
    assert.deepEqual(spreadLoads(electorate), expected);
  });
}

test('of three addresses of both families on three nodes each node has one of each', () => {
  const electorate = new Electorate({ nodes: names.slice(0, 3).map((name) => ({ name })), strategy: 'metallb' });
  const both = manyOf(10, 3).map(({ name, ips }, i) => ({
    name,
    ips: [ips, ...[1, 2, 3].map((k) => `2001:db8::${(16 * i + k).toString(16)}`)].join(' '),
  }));
  electorate.declare(...both);
  electorate.settle();
  assert.deepEqual(electorate.loads(), [20, 20, 20]);
  assert.deepEqual(crowded(electorate), []);
});

test('one address of each family is not several: MetalLB’s rule has both on one node', () => {
  const electorate = atRest();
  electorate.declare({ name: 'dual', ips: '192.0.2.50 2001:db8::50' });
  electorate.settle();
  const owners = electorate.announced();
  assert.equal(owners.get('192.0.2.50'), metallbs('192.0.2.50'));
  assert.equal(owners.get('2001:db8::50'), metallbs('192.0.2.50'));
});

test('addresses of several pools are spread, too', () => {
  const electorate = new Electorate({ ...five, pools: [['192.0.2.0/25'], ['192.0.2.128/25']] });
  electorate.declare({ name: 'web', ips: '192.0.2.127 192.0.2.128 192.0.2.129' });
  electorate.settle();
  assert.equal(electorate.announced().size, 3);
  assert.deepEqual(crowded(electorate), []);
});

test('a Service that grows keeps its address where it is, and one that shrinks is where MetalLB has it', () => {
  const electorate = atRest();
  electorate.declare({ name: 'web-0', ips: '192.0.2.0 192.0.2.201 192.0.2.202' });
  electorate.settle();
  assert.equal(electorate.announced().get('192.0.2.0'), metallbs('192.0.2.0'));
  assert.deepEqual(crowded(electorate), []);
  electorate.declare({ name: 'web-0', ips: '192.0.2.201' });
  electorate.settle();
  assert.equal(electorate.announced().get('192.0.2.201'), metallbs('192.0.2.201'));
  assert.equal(electorate.announced().has('192.0.2.0'), false);
});

test('a Service that shares an address with one that has several is with it there, and without it as with MetalLB', () => {
  const electorate = new Electorate(five);
  electorate.declare({ name: 'a', ips: '192.0.2.100 2001:db8::1', annotations: shared });
  electorate.declare(...manyOf(20, 3).map((one) => ({ ...one, annotations: shared })));
  electorate.declare({ name: 'z', ips: '192.0.2.101', annotations: shared });
  electorate.settle();
  // Of its other address its first one decides, as with MetalLB.
  assert.equal(electorate.announced().get('2001:db8::1'), metallbs('192.0.2.100'));
  assert.deepEqual(
    crowded(electorate).filter((name) => name.startsWith('many')),
    [],
  );
  const owner = electorate.announced().get('192.0.2.101');
  const decision = electorate.voters.find(({ name }) => name === owner)!.decide('default/z');
  assert.ok('announce' in decision && formatAddress(decision.announce[0]!) === '192.0.2.101');
  electorate.remove('many-00');
  electorate.settle();
  assert.equal(electorate.announced().get('192.0.2.100'), metallbs('192.0.2.100'));
  assert.equal(electorate.announced().get('192.0.2.101'), metallbs('192.0.2.101'));
});

test('as long as Services have one address each, a change is passed on at once, and nothing is held for a ballot', () => {
  const electorate = new Electorate(five);
  electorate.settle();
  const [{ decisions, owners, clock }] = electorate.voters as [Electorate['voters'][0]];
  decisions.length = 0;
  electorate.declareMany(3);
  assert.equal(decisions.flat().length, 6); // a slice and a Service each
  assert.equal(clock.pending(), 0);
  assert.equal(owners.electionsOf('default/web-0').size, 0);
  electorate.declare(manyOf(1, 3)[0]!);
  assert.equal(clock.pending(), 1);
  assert.deepEqual([owners.isAwaited('default/many-00'), owners.isAwaited('default/web-0')], [true, false]);
  owners.flush();
  assert.equal(owners.isAwaited('default/many-00'), false);
  assert.deepEqual(decisions.at(-1), ['default/many-00']);
});

type Step =
  | { readonly kind: 'dies' | 'comes' | 'returns' | 'settles'; readonly node: string }
  | { readonly kind: 'declares'; readonly service: Declared }
  | { readonly kind: 'removes'; readonly name: string }
  | { readonly kind: 'elects'; readonly strategy: 'metallb' | 'balanced' };

/** Service i has addresses of its own only; with `isSharing`, one of its neighbour's, too. */
const anyService: fc.Arbitrary<Declared> = fc
  .record({ i: fc.nat(11), count: fc.integer({ min: 1, max: 4 }), isSharing: fc.boolean() })
  .map(({ i, count, isSharing }) => {
    const own = Array.from({ length: count }, (_, k) => `192.0.2.${100 + 5 * i + k}`);
    const ips = isSharing ? [...own, `192.0.2.${100 + 5 * (i + 1)}`] : own;
    return { name: `web-${String(i).padStart(2, '0')}`, ips: ips.join(' '), annotations: shared };
  });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('declares'), service: anyService }), weight: 6 },
  fc.record({ kind: fc.constant('removes'), name: fc.nat(11).map((i) => `web-${String(i).padStart(2, '0')}`) }),
  fc.record({ kind: fc.constantFrom('dies', 'comes', 'returns', 'settles'), node: fc.constantFrom(...names) }),
  fc.record({ kind: fc.constant('elects'), strategy: fc.constantFrom('metallb', 'balanced') }),
) as fc.Arbitrary<Step>;

function take(electorate: Electorate, step: Step): void {
  if (step.kind === 'declares') electorate.declare(step.service);
  else if (step.kind === 'removes') electorate.remove(step.name);
  else if (step.kind === 'elects') electorate.change({ strategy: step.strategy });
  else electorate.change(changeOf(electorate.facts, step));
}

function changeOf({ members = names, returning = [] }: Facts, { kind, node }: Extract<Step, { node: string }>) {
  const without = (list: readonly string[]) => list.filter((name) => name !== node);
  const changes = {
    dies: () => ({ members: without(members) }),
    comes: () => ({ members: [...without(members), node] }),
    returns: () => ({ members: [...without(members), node], returning: [...without(returning), node] }),
    settles: () => ({ returning: without(returning) }),
  };
  return changes[kind]();
}

test('through any history the speakers agree, each address is announced once, and what is not spread is as MetalLB has it', () => {
  let spread = 0;
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 5, maxLength: 40 }), (steps) => {
      const electorate = new Electorate(five);
      for (const step of steps) {
        take(electorate, step);
        electorate.settle();
        const owners = electorate.announced();
        const alive = electorate.living().map(({ name }) => name);
        const declared = [...electorate.declared()].map(({ ips }) => ips.split(' '));
        const several = new Set(declared.filter((ips) => ips.length > 1).flat());
        for (const ip of new Set(declared.flat())) {
          assert.equal(owners.has(ip), alive.length > 0, ip);
          if (electorate.facts.strategy === 'metallb' && !several.has(ip)) {
            assert.equal(owners.get(ip), metallbs(ip, alive));
          }
        }
        spread += several.size;
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
  assert.ok(spread > 0);
});

test('whatever dies, no living node has more than 1.1 times the average, nor two of a Service that fits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 2, max: 5 }),
      fc.array(fc.subarray(names, { minLength: 1 }), { maxLength: 6 }),
      (count, each, ringOverTime) => {
        const electorate = new Electorate(five);
        electorate.declare(...manyOf(count, each));
        for (const members of [names, ...ringOverTime]) {
          electorate.change({ members });
          electorate.settle();
          const bound = Math.ceil((1.1 * count * each) / members.length);
          assert.ok(Math.max(...spreadLoads(electorate)) <= bound, `${spreadLoads(electorate)} above ${bound}`);
          if (each <= members.length) assert.deepEqual(crowded(electorate), []);
        }
      },
    ),
    { numRuns: 40 },
  );
});
