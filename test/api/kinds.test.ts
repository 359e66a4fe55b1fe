import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseAddressReservation } from '../../src/api/address-reservation.ts';
import { parseBFDProfile } from '../../src/api/bfd-profile.ts';
import { parseBGPAdvertisement } from '../../src/api/bgp-advertisement.ts';
import { parseCommunityResource } from '../../src/api/community.ts';
import type { Parsed } from '../../src/api/resource.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/kinds');

const named = (spec: unknown) => ({ metadata: { name: 'one', namespace: 'metallb-system' }, spec });

function read<T>(parsed: Parsed<T>): T {
  assert.ok('value' in parsed);
  return parsed.value;
}

test('a BGPAdvertisement that says nothing is about every pool, node, peer and Service, address by address', () => {
  const nothing = read(parseBGPAdvertisement(named(undefined)));
  assert.deepEqual(nothing, {
    object: 'BGPAdvertisement metallb-system/one',
    name: 'one',
    pools: 'all',
    aggregationLength: { 4: 32, 6: 128 },
    localPref: undefined,
    med: undefined,
    prepend: undefined,
    communities: [],
    aliases: [],
    nodeSelectors: [],
    peers: 'all',
    serviceSelectors: [],
  });
  assert.deepEqual(read(parseBGPAdvertisement(named({ localPref: 0, peers: [] }))), nothing);
});

test('the communities of a BGPAdvertisement are sorted, each once, and names kept with their places', () => {
  const communities = ['large:1:2:3', 'b', '64512:200', '064512:0200', '64512:100', 'a'];
  const parsed = read(parseBGPAdvertisement(named({ communities })));
  assert.deepEqual(parsed.communities, [
    [64_512, 100],
    [64_512, 200],
    [1, 2, 3],
  ]);
  assert.deepEqual(parsed.aliases, [
    { name: 'a', field: 'spec.communities[5]' },
    { name: 'b', field: 'spec.communities[1]' },
  ]);
});

test('a BFDProfile that says nothing has the intervals that routers have', () => {
  assert.deepEqual(read(parseBFDProfile(named({}))), {
    object: 'BFDProfile metallb-system/one',
    name: 'one',
    receiveInterval: 300,
    transmitInterval: 300,
    detectMultiplier: 3,
    echoInterval: 50,
    echoMode: false,
    passiveMode: false,
    minimumTtl: undefined,
  });
});

test('the aliases of a Community are sorted by name', () => {
  const communities = [
    { name: 'b', value: '1:2' },
    { name: 'a', value: 'large:1:2:3' },
  ];
  assert.deepEqual(read(parseCommunityResource(named({ communities }))).aliases, [
    { name: 'a', value: [1, 2, 3], field: 'spec.communities[1]' },
    { name: 'b', value: [1, 2], field: 'spec.communities[0]' },
  ]);
});

test('a reservation of nothing in particular keeps any address, for as long as it exists', () => {
  const { object, ...rest } = read(parseAddressReservation(named({ service: { namespace: 'shop', name: 'web' } })));
  assert.equal(object, 'AddressReservation metallb-system/one');
  assert.deepEqual(rest, {
    name: 'one',
    service: 'shop/web',
    addresses: [],
    pool: undefined,
    families: undefined,
    retainFor: 0,
  });
});

test('a reservation keeps its addresses in their order, and its families in ours', () => {
  const spec = {
    service: { namespace: 'shop', name: 'web' },
    addresses: ['2001:DB8::5', '192.0.2.5'],
    families: ['IPv6', 'IPv4'],
    retainFor: '72h',
  };
  const { addresses, families, retainFor } = read(parseAddressReservation(named(spec)));
  assert.deepEqual(addresses.map(formatAddress), ['2001:db8::5', '192.0.2.5']);
  assert.deepEqual([families, retainFor], [[4, 6], 259_200_000]);
});

const parsers = { parseAddressReservation, parseBFDProfile, parseBGPAdvertisement, parseCommunityResource };

for (const [name, parse] of Object.entries(parsers)) {
  test(`${name} parses or refuses anything, and never throws`, () => {
    const fields = ['service', 'addresses', 'families', 'retainFor', 'communities', 'peers', 'localPref', 'echoMode'];
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...fields), (anything, field) => {
        assert.ok('problems' in parse(anything));
        parse(named(anything));
        parse(named({ [field]: anything }));
        parse(named({ [field]: [anything, anything] }));
        parse(named({ [field]: { name: anything, value: anything } }));
      }),
    );
  });
}
