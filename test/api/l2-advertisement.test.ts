import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type L2Advertisement, parseL2Advertisement } from '../../src/api/l2-advertisement.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/l2-advertisement');

const named = (spec: unknown) => ({ metadata: { name: 'lan', namespace: 'metallb-system' }, spec });

function parsed(raw: unknown) {
  const result = parseL2Advertisement(raw);
  assert.ok('value' in result, JSON.stringify(result));
  return result.value;
}

test('an advertisement that says nothing is about every pool, node, interface and Service', () => {
  const raw: L2Advertisement = { metadata: { name: 'lan' } };
  assert.deepEqual(parsed(raw), {
    object: 'L2Advertisement lan',
    name: 'lan',
    pools: 'all',
    nodeSelectors: [],
    preferredNodeSelectors: [],
    interfaces: 'all',
    serviceSelectors: [],
  });
  assert.deepEqual(parsed(named({})), parsed(named(undefined)));
});

test('selectors alone choose pools too', () => {
  const { pools } = parsed(named({ ipAddressPoolSelectors: [{ matchLabels: { zone: 'east' } }] }));
  assert.ok(pools !== 'all');
  assert.deepEqual(pools.names, []);
  assert.deepEqual(pools.selectors.map(String), ['zone=east']);
});

test('the order of lists means nothing, and an interface named twice counts once', () => {
  const preferences = [
    { weight: 1, preference: {} },
    { weight: 9, preference: { matchLabels: { rack: 'b' } } },
    { weight: 9, preference: { matchLabels: { rack: 'a' } } },
  ];
  const one = { ipAddressPools: ['a', 'b'], interfaces: ['eth1', 'eth0', 'eth1'], preferredNodeSelectors: preferences };
  const other = {
    ipAddressPools: ['b', 'a'],
    interfaces: ['eth0', 'eth1'],
    preferredNodeSelectors: preferences.toReversed(),
  };
  assert.deepEqual(parsed(named(one)), parsed(named(other)));
  assert.deepEqual(parsed(named(one)).interfaces, ['eth0', 'eth1']);
});

test('a preference stated twice counts twice', () => {
  const preference = { weight: 5, preference: { matchLabels: { rack: 'a' } } };
  assert.equal(parsed(named({ preferredNodeSelectors: [preference, preference] })).preferredNodeSelectors.length, 2);
});

test('anything at all is parsed or refused, and never throws', () => {
  fc.assert(
    fc.property(fc.anything(), (anything) => {
      assert.ok('problems' in parseL2Advertisement(anything));
      parseL2Advertisement(named(anything));
      parseL2Advertisement(named({ nodeSelectors: [anything], preferredNodeSelectors: [anything] }));
      parseL2Advertisement(named({ interfaces: anything, ipAddressPools: anything }));
    }),
  );
});
