import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatProblem } from '../../src/api/field.ts';
import { type IPAddressPool, parseIPAddressPool } from '../../src/api/ip-address-pool.ts';
import { addressBits, type Family, formatAddress } from '../../src/ip/address.ts';
import { isHoldable } from '../../src/ip/holdable.ts';
import { formatRange } from '../../src/ip/range.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/ip-address-pool');

const pool = (spec: unknown) => ({ metadata: { name: 'office', namespace: 'metallb-system' }, spec });

test('a pool is given out automatically and whole unless it says otherwise', () => {
  const raw: IPAddressPool = { metadata: { name: 'office' }, spec: { addresses: ['192.0.2.0/24'] } };
  const parsed = parseIPAddressPool(raw);
  assert.ok('value' in parsed);
  const { addresses, ...rest } = parsed.value;
  assert.deepEqual(addresses.map(formatRange), ['192.0.2.0/24']);
  assert.deepEqual(rest, {
    object: 'IPAddressPool office',
    name: 'office',
    labels: {},
    autoAssign: true,
    avoidBuggyIPs: false,
    serviceAllocation: undefined,
    excluded: [],
    excludeNodeAddresses: false,
    coolDown: 0,
    draining: false,
    sharingScope: 'cluster',
  });
});

test('an empty serviceAllocation is not the same as none', () => {
  const parsed = parseIPAddressPool(pool({ addresses: ['192.0.2.0/24'], serviceAllocation: {} }));
  assert.ok('value' in parsed);
  assert.deepEqual(parsed.value.serviceAllocation, {
    priority: 0,
    namespaces: [],
    namespaceSelectors: [],
    serviceSelectors: [],
  });
});

for (const [address, line] of [
  ['192.0.2.1', 'is a single address: write 192.0.2.1/32'],
  ['2001:db8::1', 'is a single address: write 2001:db8::1/128'],
  ['192.0.2.9-192.0.2.1', 'ends before it starts: swap the two addresses'],
  ['192.0.2.9-::1', 'starts in one address family and ends in the other: write one range for each'],
  ['127.0.0.1/32', 'has only addresses that no host can hold (loopback, multicast or the like): remove the entry'],
  ['223.0.0.0-224.0.0.255', 'has addresses that no host can hold (loopback, multicast or the like): write 223.0.0.0/8'],
  ['0.0.0.0/1', 'has addresses that no host can hold (loopback, multicast or the like): write 1.0.0.0-126.255.255.255'],
  [
    '126.0.0.0-128.0.0.0',
    'has addresses that no host can hold (loopback, multicast or the like): write 126.0.0.0/8 and 128.0.0.0/32',
  ],
  ['::/64', 'has addresses that no host can hold (loopback, multicast or the like): write ::2-::ffff:ffff:ffff:ffff'],
] as const) {
  test(`${address} is refused with what to write instead`, () => {
    const parsed = parseIPAddressPool(pool({ addresses: [address] }));
    assert.ok('problems' in parsed);
    assert.deepEqual(parsed.problems.map(formatProblem), [
      `IPAddressPool metallb-system/office: spec.addresses[0]: ${line} (found ${JSON.stringify(address)})`,
    ]);
  });
}

test('all problems of a pool are told at once', () => {
  const parsed = parseIPAddressPool(pool({ addresses: ['192.0.2.1', 7], autoAssign: 'yes' }));
  assert.ok('problems' in parsed);
  assert.deepEqual(
    parsed.problems.map((problem) => problem.field),
    ['spec.addresses[0]', 'spec.addresses[1]', 'spec.autoAssign'],
  );
});

test('every address of an accepted pool is one that a host can hold', () => {
  const anyEntry = fc.constantFrom<Family>(4, 6).chain((family) => {
    const bits = addressBits[family];
    const value = fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
    return fc.record({ family: fc.constant(family), value, length: fc.nat(bits) }, { noNullPrototype: true });
  });
  fc.assert(
    fc.property(anyEntry, ({ family, value, length }) => {
      const parsed = parseIPAddressPool(pool({ addresses: [`${formatAddress({ family, value })}/${length}`] }));
      if ('value' in parsed) assert.ok(isHoldable({ family, first: value, last: value }));
    }),
  );
});

test('anything at all is parsed or refused, and never throws', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (addresses, serviceAllocation, anything) => {
      assert.ok('problems' in parseIPAddressPool(anything));
      parseIPAddressPool(pool({ addresses, serviceAllocation }));
      parseIPAddressPool(
        pool({ addresses: [addresses], serviceAllocation: { serviceSelectors: [serviceAllocation] } }),
      );
    }),
  );
});
