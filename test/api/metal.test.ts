import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseMetalClass } from '../../src/api/metal-class.ts';
import { parseMetalConfiguration } from '../../src/api/metal-configuration.ts';
import { parseMetalPeer } from '../../src/api/metal-peer.ts';
import { parseMetalPool } from '../../src/api/metal-pool.ts';
import type { Parsed } from '../../src/api/resource.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/metal');

const named = (spec: unknown) => ({ metadata: { name: 'one' }, spec });

function read<T>(parsed: Parsed<T>): T {
  assert.ok('value' in parsed);
  return parsed.value;
}

const parsers = [
  ['MetalLoadBalancerClass', parseMetalClass],
  ['MetalLoadBalancerPool', parseMetalPool],
  ['MetalLoadBalancerBGPPeer', parseMetalPeer],
  ['MetalLoadBalancerConfiguration', parseMetalConfiguration],
] as const;

test('a class that says no more than its addresses is no default, and announces everywhere', () => {
  const { addresses, ...rest } = read(parseMetalClass(named({ addressPool: ['192.0.2.0/28'] })));
  assert.equal(addresses.length, 1);
  assert.deepEqual(rest, {
    object: 'MetalLoadBalancerClass one',
    name: 'one',
    labels: {},
    isDefault: false,
    interfaces: 'all',
    nodeSelectors: [],
    excluded: [],
    excludeNodeAddresses: false,
    coolDown: 0,
    draining: false,
    sharingScope: 'cluster',
  });
});

test('a peer that says no more than who it is has the port of BGP, and no password, timers, BFD or own addresses', () => {
  const spec = { peerAddress: '2001:db8::1', peerASN: 1, myASN: 4_294_967_295 };
  const { address, sourceAddresses, ...rest } = read(parseMetalPeer(named(spec)));
  assert.equal(formatAddress(address), '2001:db8::1');
  assert.equal(sourceAddresses.size, 0);
  assert.deepEqual(rest, {
    object: 'MetalLoadBalancerBGPPeer one',
    name: 'one',
    myASN: 4_294_967_295,
    peerASN: 1,
    port: 179,
    timers: undefined,
    routerID: undefined,
    password: undefined,
    bfd: undefined,
  });
});

for (const [texts, values] of [
  [
    ['no-export', 'no-advertise', 'local-as'],
    ['65535:65281', '65535:65282', '65535:65283'],
  ],
  [['none'], []],
  [
    ['2:1', '1:2', '01:02', 'large:1:2:3'],
    ['1:2', '2:1', '1:2:3'],
  ],
] as const) {
  test(`the communities ${texts.join(', ')} are ${values.join(', ') || 'none at all'}`, () => {
    const advertisements = [{ poolNames: ['b', 'a', 'b'], bgp: { communities: texts } }];
    const [found] = read(parseMetalConfiguration(named({ mode: 'BGP', advertisements }))).advertisements;
    assert.deepEqual(found?.pools, ['a', 'b']);
    assert.deepEqual(
      found.communities.map((value) => value.join(':')),
      values,
    );
  });
}

const anyText = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('192.0.2.0/28', '10.0.0.1', 'a', '3s', '1:1'));
const anyLeaf = fc.oneof(fc.anything(), anyText, fc.array(anyText), fc.integer());
const anySpec = fc.dictionary(
  fc.constantFrom(
    ...['addressPool', 'addresses', 'isDefault', 'type', 'l2', 'nodeSelector', 'tolerations', 'autoAssign', 'mode'],
    ...['bgp', 'advertisements', 'peerAddress', 'peerPort', 'peerASN', 'myASN', 'routerID', 'holdTime', 'bfd'],
    ...['passwordSecretRef', 'sourceAddresses'],
  ),
  fc.oneof(anyLeaf, fc.array(fc.dictionary(anyText, anyLeaf)), fc.dictionary(anyText, anyLeaf)),
);

for (const [kind, parse] of parsers) {
  test(`whatever it is given, the parser of a ${kind} has a value, or says where none can be had`, () => {
    const check = (raw: unknown) => {
      const parsed = parse(raw);
      if ('value' in parsed) return;
      assert.ok(parsed.problems.length > 0);
      for (const { object, message } of parsed.problems) {
        assert.ok(object.startsWith(`${kind} `));
        assert.notEqual(message, '');
      }
    };
    fc.assert(fc.property(anySpec.map(named), check), { numRuns: 1_000 });
    fc.assert(fc.property(fc.anything(), check), { numRuns: 300 });
  });
}

test('lists that are too long are not looked at', () => {
  const many = <T>(count: number, one: T) => Array.from({ length: count }, () => one);
  const fieldsOf = (parsed: Parsed<unknown>) => ('problems' in parsed ? parsed.problems.map(({ field }) => field) : []);
  const addressPool = ['192.0.2.0/28'];
  assert.deepEqual(fieldsOf(parseMetalClass(named({ addressPool, tolerations: many(257, 7) }))), ['spec.tolerations']);
  const router = { peerAddress: '10.0.0.1', peerASN: 1, myASN: 2 };
  assert.deepEqual(fieldsOf(parseMetalPeer(named({ ...router, sourceAddresses: many(4_097, 7) }))), [
    'spec.sourceAddresses',
  ]);
  assert.deepEqual(fieldsOf(parseMetalConfiguration(named({ mode: 'BGP', advertisements: many(257, 7) }))), [
    'spec.advertisements',
  ]);
});
