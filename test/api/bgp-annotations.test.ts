import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseBGPAdvertisement } from '../../src/api/bgp-advertisement.ts';
import { parseBGPPeer } from '../../src/api/bgp-peer.ts';
import { formatProblem } from '../../src/api/field.ts';
import { formatPrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/bgp-annotations');

const router = { myASN: 64_512, peerASN: 64_513, peerAddress: '198.51.100.1' };
const metadata = (name: string, key: string, value: unknown) => ({
  name,
  namespace: 'metallb-system',
  annotations: { [`garpoon.io/${key}`]: value, 'example.org/x': 'y' },
});
const peer = (key: string, value: unknown, spec: object = {}) =>
  parseBGPPeer({ metadata: metadata('tor', key, value), spec: { ...router, ...spec } });
const advertisement = (key: string, value: unknown) => parseBGPAdvertisement({ metadata: metadata('a', key, value) });

for (const [key, value, field, expected] of [
  ['ttl-security', '1', 'ttlSecurity', 1],
  ['ttl-security', '254', 'ttlSecurity', 254],
  ['passive', 'true', 'passive', true],
  ['passive', 'false', 'passive', false],
  ['source-address-from', 'bond0.100', 'sourceAddressFrom', { interface: 'bond0.100' }],
] as const) {
  test(`a BGPPeer's ${key}: ${value} is read`, () => {
    const parsed = peer(key, value);
    assert.ok('value' in parsed);
    assert.deepEqual(parsed.value[field], expected);
  });
}

for (const [key, value, field, expected] of [
  ['med', '0', 'med', 0],
  ['med', '4294967295', 'med', 4_294_967_295],
  ['as-path-prepend', '10', 'prepend', 10],
  ['as-path-prepend', '0', 'prepend', undefined],
] as const) {
  test(`a BGPAdvertisement's ${key}: ${value} is read`, () => {
    const parsed = advertisement(key, value);
    assert.ok('value' in parsed);
    assert.equal(parsed.value[field], expected);
  });
}

test('prefixes are sorted, each once, in both places that have them', () => {
  const text = ' 2001:db8::/32,192.0.2.0/24, 192.0.2.0/25,10.0.0.0/8,192.0.2.0/24 , 2001:DB8::/32, 0.0.0.0/0';
  const expected = ['0.0.0.0/0', '10.0.0.0/8', '192.0.2.0/24', '192.0.2.0/25', '2001:db8::/32'];
  const allowed = peer('allowed-prefixes', text);
  assert.ok('value' in allowed);
  assert.deepEqual(allowed.value.allowedPrefixes?.map(formatPrefix), expected);
  const from = peer('source-address-from', text);
  assert.ok('value' in from && from.value.sourceAddressFrom && 'prefixes' in from.value.sourceAddressFrom);
  assert.deepEqual(from.value.sourceAddressFrom.prefixes.map(formatPrefix), expected);
});

const noPrefix = 'is no prefix: write them like 192.0.2.0/24, 2001:db8::/32';

for (const [key, value, message, spec] of [
  ['ttl-security', '0', 'must be a whole number from 1 to 254 (found "0")'],
  ['ttl-security', '255', 'must be a whole number from 1 to 254 (found "255")'],
  ['ttl-security', '1.5', 'must be a whole number from 1 to 254 (found "1.5")'],
  ['passive', 'yes', 'must be one of true, false (found "yes")'],
  ['passive', true, 'must be a text (found true)'],
  [
    'source-address-from',
    'two words',
    'is neither an interface nor a CIDR: write eth1, or 192.0.2.0/24 (found "two words")',
  ],
  [
    'source-address-from',
    '2001:db8::1',
    'is neither an interface nor a CIDR: write eth1, or 192.0.2.0/24 (found "2001:db8::1")',
  ],
  ['source-address-from', 'a/b', `${noPrefix} (found "a/b")`],
  [
    'source-address-from',
    'eth1',
    'is there beside spec.sourceAddress: remove one of the two (found "eth1")',
    { sourceAddress: '192.0.2.1' },
  ],
  [
    'source-address-from',
    'eth1',
    'has no effect with spec.interface, where the source is the link-local address: remove it (found "eth1")',
    { peerAddress: '', interface: 'eth1' },
  ],
  ['allowed-prefixes', '192.0.2.0/24, 192.0.2.1', `${noPrefix} (found "192.0.2.1")`],
  ['allowed-prefixes', '192.0.2.0/24,', `${noPrefix} (found "")`],
  ['allowed-prefixes', '192.0.2.0/33', `${noPrefix} (found "192.0.2.0/33")`],
  ['allowed-prefixes', '192.0.2.7/24', 'has bits set beyond its length: write 192.0.2.0/24 (found "192.0.2.7/24")'],
  ['allowed-prefixes', ' ', 'is empty: write prefixes such as 192.0.2.0/24, 2001:db8::/32, or remove it (found " ")'],
  ['allowed-prefixes', '::/0,'.repeat(1_000), 'must have at most 1000 prefixes (found 1001)'],
] as readonly (readonly [string, unknown, string, object?])[]) {
  test(`a BGPPeer's ${key}: ${JSON.stringify(value).slice(0, 40)} is refused like a bad field`, () => {
    const parsed = peer(key, value, spec);
    assert.ok('problems' in parsed);
    const line = `BGPPeer metallb-system/tor: metadata.annotations[garpoon.io/${key}]: ${message}`;
    assert.deepEqual(parsed.problems.map(formatProblem), [line]);
  });
}

for (const [key, value, message] of [
  ['med', '4294967296', 'must be a whole number from 0 to 4294967295 (found "4294967296")'],
  ['med', '-1', 'must be a whole number from 0 to 4294967295 (found "-1")'],
  ['as-path-prepend', '11', 'must be a whole number from 0 to 10 (found "11")'],
  ['as-path-prepend', '', 'must be a whole number from 0 to 10 (found "")'],
] as const) {
  test(`a BGPAdvertisement's ${key}: ${JSON.stringify(value)} is refused like a bad field`, () => {
    const parsed = advertisement(key, value);
    assert.ok('problems' in parsed);
    const line = `BGPAdvertisement metallb-system/a: metadata.annotations[garpoon.io/${key}]: ${message}`;
    assert.deepEqual(parsed.problems.map(formatProblem), [line]);
  });
}

test('any annotation at all is read or refused, and never throws', () => {
  const keys = ['ttl-security', 'passive', 'source-address-from', 'allowed-prefixes', 'med', 'as-path-prepend'];
  const anyText = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f.:/, ]{0,40}$/), fc.anything());
  fc.assert(
    fc.property(fc.constantFrom(...keys), anyText, (key, value) => {
      for (const parsed of [peer(key, value), advertisement(key, value)]) {
        if ('problems' in parsed) assert.match(parsed.problems.map(formatProblem).join(), /annotations/);
      }
    }),
  );
});
