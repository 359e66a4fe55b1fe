import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatProblem } from '../../src/api/field.ts';
import { compile, type Resources } from '../../src/config/compile.ts';
import { Config } from '../../src/config/config.ts';
import { type Address, parseAddress } from '../../src/ip/address.ts';
import { formatRange, parseRange, type Range } from '../../src/ip/range.ts';
import { seededRandom, shuffled } from '../../src/runtime/random.ts';
import { suite } from '../support/suite.ts';

const test = suite('config/compile');

type Labels = Readonly<Record<string, string>>;

const pool = (name: string, addresses: readonly string[], rest: object = {}, labels: Labels = {}) => ({
  metadata: { name, namespace: 'metallb-system', labels },
  spec: { addresses, ...rest },
});

const advertisement = (name: string, spec: object) => ({ metadata: { name, namespace: 'metallb-system' }, spec });

function compiled(resources: Partial<Resources>): Config {
  const result = compile({ pools: [], l2Advertisements: [], ...resources });
  assert.ok('config' in result);
  return result.config;
}

function errorsOf(resources: Partial<Resources>): readonly string[] {
  const result = compile({ pools: [], l2Advertisements: [], ...resources });
  return 'errors' in result ? result.errors.map(formatProblem) : [];
}

test('no resources are the empty configuration', () => {
  assert.equal(compiled({}).equals(Config.empty), true);
  assert.deepEqual(compiled({}).pools, []);
});

test('pools come by name, their ranges as they are written', () => {
  const { pools } = compiled({
    pools: [pool('b', ['192.0.2.0/24']), pool('a', ['2001:db8::/64', '198.51.100.0/24', '192.0.3.0/24'])],
  });
  assert.deepEqual(
    pools.map(({ name, addresses }) => [name, addresses.map(formatRange)]),
    [
      ['a', ['2001:db8::/64', '198.51.100.0/24', '192.0.3.0/24']],
      ['b', ['192.0.2.0/24']],
    ],
  );
});

for (const [name, spec, chosen] of [
  ['without any choice', {}, ['east', 'west']],
  ['by name', { ipAddressPools: ['west'] }, ['west']],
  ['by a name that does not exist', { ipAddressPools: ['north'] }, []],
  ['by label', { ipAddressPoolSelectors: [{ matchLabels: { zone: 'east' } }] }, ['east']],
  ['by a label that no pool has', { ipAddressPoolSelectors: [{ matchLabels: { zone: 'north' } }] }, []],
  [
    'by both, once',
    { ipAddressPools: ['east', 'west'], ipAddressPoolSelectors: [{ matchLabels: { zone: 'east' } }] },
    ['east', 'west'],
  ],
] as const) {
  test(`an advertisement chooses pools ${name}`, () => {
    const { pools } = compiled({
      pools: [
        pool('east', ['192.0.2.0/25'], {}, { zone: 'east' }),
        pool('west', ['192.0.2.128/25'], {}, { zone: 'west' }),
      ],
      l2Advertisements: [advertisement('lan', spec)],
    });
    assert.deepEqual(
      pools.filter((one) => one.l2Advertisements.length === 1).map((one) => one.name),
      chosen,
    );
  });
}

test('addresses are of a pool when all of them are', () => {
  const config = compiled({ pools: [pool('a', ['192.0.2.0/25', '2001:db8::/64']), pool('b', ['192.0.2.128/25'])] });
  const poolsOf = (...texts: string[]) =>
    config.poolsOf(texts.map((text) => parseAddress(text) as Address))?.map(({ name }) => name);
  assert.deepEqual(poolsOf('192.0.2.1', '2001:db8::1'), ['a']);
  assert.deepEqual(poolsOf('192.0.2.200'), ['b']);
  assert.deepEqual(poolsOf('192.0.2.200', '192.0.2.1', '192.0.2.201'), ['b', 'a']);
  assert.deepEqual(poolsOf('192.0.2.1', '198.51.100.1'), undefined);
  assert.deepEqual(poolsOf(), []);
});

test('a pool is found by its name', () => {
  const config = compiled({ pools: [pool('a', ['192.0.2.0/25']), pool('b', ['192.0.2.128/25'])] });
  assert.equal(config.pool('b'), config.pools[1]);
  assert.equal(config.pool('c'), undefined);
});

test('pools that are advertised alike share one list', () => {
  const groups = ['192.0.2.0/26', '192.0.2.64/26', '192.0.2.128/26'];
  const { pools } = compiled({
    pools: groups.map((range, i) => pool(`pool-${i}`, [range])),
    l2Advertisements: [advertisement('all', {}), advertisement('some', { ipAddressPools: ['pool-0', 'pool-2'] })],
  });
  const [first, second, third] = pools.map(({ l2Advertisements }) => l2Advertisements);
  assert.equal(first, third);
  assert.deepEqual([first?.length, second?.length], [2, 1]);
});

test('faults of all resources are told together, sorted', () => {
  assert.deepEqual(
    errorsOf({
      pools: [pool('b', ['192.0.2.0/24']), pool('a', ['192.0.2.9', '192.0.2.128/25'])],
      l2Advertisements: [
        advertisement('lan', { interfaces: 'eth0' }),
        advertisement('lan', {}),
        advertisement('lan', {}),
      ],
    }),
    [
      'IPAddressPool metallb-system/a: spec.addresses[0]: is a single address: write 192.0.2.9/32 (found "192.0.2.9")',
      'L2Advertisement metallb-system/lan: metadata.name: is also the name of L2Advertisement metallb-system/lan: rename one of the two (found "lan")',
      'L2Advertisement metallb-system/lan: spec.interfaces: must be a list (found "eth0")',
    ],
  );
});

test('an overlap is told on the later object and names the earlier one', () => {
  assert.deepEqual(errorsOf({ pools: [pool('b', ['198.51.100.0/24', '192.0.2.0/24']), pool('a', ['192.0.2.7/32'])] }), [
    'IPAddressPool metallb-system/b: spec.addresses[1]: overlaps with 192.0.2.7/32 of IPAddressPool metallb-system/a: an address can be in one range only (found "192.0.2.0/24")',
  ]);
});

const anyText = fc
  .tuple(fc.nat(30), fc.nat(30), fc.boolean())
  .map(([a, b, isV6]) =>
    [Math.min(a, b), Math.max(a, b)].map((n) => (isV6 ? `2001:db8::${n}` : `192.0.2.${n}`)).join('-'),
  );

test('ranges are refused exactly when two of them share an address', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyText, { minLength: 1, maxLength: 3 }), { maxLength: 4 }), (groups) => {
      const ranges = groups.flat().map((text) => parseRange(text) as Range);
      const share = (a: Range, b: Range) => a.family === b.family && a.first <= b.last && b.first <= a.last;
      const anyShared = ranges.some((a, i) => ranges.slice(i + 1).some((b) => share(a, b)));
      const errors = errorsOf({ pools: groups.map((texts, index) => pool(`pool-${index}`, texts)) });
      assert.equal(errors.length > 0, anyShared, errors.join('\n'));
    }),
  );
});

const anySelector = fc.record(
  {
    matchLabels: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y')),
    matchExpressions: fc.uniqueArray(
      fc.record(
        {
          key: fc.constantFrom('a', 'b', 'c'),
          operator: fc.constantFrom('In', 'NotIn'),
          values: fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { minLength: 1 }),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 2, selector: ({ key, operator }) => key + operator },
    ),
  },
  { noNullPrototype: true },
);

const anyAdvertisement = fc.record(
  {
    ipAddressPools: fc.uniqueArray(fc.constantFrom('pool-0', 'pool-1', 'pool-2')),
    interfaces: fc.uniqueArray(fc.constantFrom('eth0', 'eth1', 'eth2')),
    nodeSelectors: fc.array(anySelector, { maxLength: 1 }),
    preferredNodeSelectors: fc.array(
      fc.record({ weight: fc.integer({ min: 1, max: 100 }), preference: anySelector }, { noNullPrototype: true }),
      { maxLength: 3 },
    ),
  },
  { noNullPrototype: true },
);

const disjointGroups = fc
  .uniqueArray(fc.nat(15), { minLength: 3, maxLength: 9 })
  .map((blocks) => blocks.map((block) => `192.0.2.${16 * block}/28`))
  .map((texts) => [0, 1, 2].map((group) => texts.filter((_, index) => index % 3 === group)));

const anyBGPAdvertisement = fc.record(
  {
    ipAddressPools: fc.uniqueArray(fc.constantFrom('pool-0', 'pool-1', 'pool-2')),
    communities: fc.uniqueArray(fc.constantFrom('1:1', '1:2', 'large:1:1:1', 'backup')),
    peers: fc.uniqueArray(fc.constantFrom('peer-0', 'peer-1')),
    localPref: fc.constantFrom(0, 100, 200),
    aggregationLength: fc.constantFrom(28, 32),
    nodeSelectors: fc.array(anySelector, { maxLength: 1 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const anyPeer = fc.record(
  {
    myASN: fc.constantFrom(64_512, 64_513),
    peerASN: fc.constant(64_514),
    peerAddress: fc.constantFrom('198.51.100.1', '198.51.100.2'),
    bfdProfile: fc.constantFrom('fast', 'slow'),
    nodeSelectors: fc.array(anySelector, { maxLength: 1 }),
  },
  { requiredKeys: ['myASN', 'peerASN', 'peerAddress'], noNullPrototype: true },
);

const anyReservation = fc.record(
  {
    service: fc.constantFrom(
      { namespace: 'a', name: 'x' },
      { namespace: 'b', name: 'x' },
      { namespace: 'c', name: 'x' },
    ),
    families: fc.constantFrom(['IPv4'], ['IPv4', 'IPv6']),
  },
  { noNullPrototype: true },
);

const numbered = (prefix: string) => (specs: readonly object[]) =>
  specs.map((spec, index) => advertisement(`${prefix}-${index}`, spec));

const anyResources = fc
  .tuple(
    fc.oneof(disjointGroups, fc.array(fc.array(anyText, { minLength: 1, maxLength: 3 }), { maxLength: 3 })),
    fc.record({
      l2Advertisements: fc.array(anyAdvertisement, { maxLength: 3 }).map(numbered('lan')),
      bgpAdvertisements: fc.array(anyBGPAdvertisement, { maxLength: 2 }).map(numbered('routers')),
      peers: fc.array(anyPeer, { maxLength: 2 }).map(numbered('peer')),
      bfdProfiles: fc.constant([advertisement('fast', {}), advertisement('slow', { detectMultiplier: 9 })]),
      communities: fc.constant([advertisement('ours', { communities: [{ name: 'backup', value: '1:2' }] })]),
      reservations: fc.array(anyReservation, { maxLength: 2 }).map(numbered('kept')),
    }),
  )
  .map(([groups, others]) => ({ pools: groups.map((texts, index) => pool(`pool-${index}`, texts)), ...others }));

test('the order of resources never matters, nor that of the lists in them but for the ranges of a pool', () => {
  fc.assert(
    fc.property(anyResources, fc.integer(), (resources, seed) => {
      const before = compile(resources);
      const after = compile(shuffledButRanges(resources, seededRandom(seed)));
      if ('errors' in before) assert.deepEqual(after, before);
      else assert.ok('config' in after && before.config.equals(after.config));
      if ('config' in before && 'config' in after) assert.deepEqual(before.config.pools, after.config.pools);
    }),
  );
});

const ranges = ['192.0.2.0/24', '198.51.100.0/24'];

for (const [name, change] of [
  ['a range', { pools: [pool('a', ['192.0.2.0/25', '198.51.100.0/24'])] }],
  ['the order of the ranges', { pools: [pool('a', ranges.toReversed())] }],
  ['a flag', { pools: [pool('a', ranges, { autoAssign: false })] }],
  ['a restriction', { pools: [pool('a', ranges, { serviceAllocation: {} })] }],
  ['an advertisement', { l2Advertisements: [advertisement('lan', { interfaces: ['eth0'] })] }],
  [
    'an annotation',
    { pools: [{ ...pool('a', ranges), metadata: { name: 'a', annotations: { 'garpoon.io/drain': 'true' } } }] },
  ],
  ['a BGPAdvertisement', { bgpAdvertisements: [advertisement('routers', {})] }],
  ['a peer', { peers: [advertisement('tor', { myASN: 1, peerASN: 2, peerAddress: '192.0.2.1' })] }],
  ['a BFDProfile', { bfdProfiles: [advertisement('fast', {})] }],
  ['a policy', { layer2Policies: [advertisement('default', { requireSubnetAddress: true })] }],
  ['a reservation', { reservations: [advertisement('one', { service: { namespace: 'a', name: 'b' } })] }],
] as const) {
  test(`a configuration that differs in ${name} is another one`, () => {
    const base = { pools: [pool('a', ranges)], l2Advertisements: [advertisement('lan', {})] };
    assert.equal(compiled(base).equals(compiled(structuredClone(base))), true);
    assert.equal(compiled(base).equals(compiled({ ...base, ...change })), false);
  });
}

test('anything at all is compiled or refused, and never throws', () => {
  const anyList = fc.array(fc.anything());
  fc.assert(
    fc.property(anyList, fc.option(fc.constant([{}])), (all, nodes) => {
      const bgp = { bgpAdvertisements: all, peers: all, bfdProfiles: all, communities: all };
      compile(
        { pools: all, l2Advertisements: all, reservations: all, layer2Policies: all, ...bgp },
        { nodes: nodes ?? undefined },
      );
    }),
  );
});

function shuffledButRanges<T>(value: T, random: ReturnType<typeof seededRandom>): T {
  if (Array.isArray(value))
    return shuffled(
      value.map((item) => shuffledButRanges(item, random)),
      random,
    ) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [key, key === 'addresses' ? item : shuffledButRanges(item, random)] as const,
  );
  return Object.fromEntries(shuffled(entries, random)) as T;
}
