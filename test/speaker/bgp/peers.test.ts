import assert from 'node:assert/strict';
import { formatAddress } from '../../../src/ip/address.ts';
import {
  keepsSession,
  type Peering,
  type PeeringOptions,
  type PeerWish,
  peeringsOf,
  routerIdOf,
} from '../../../src/speaker/bgp/peers.ts';
import { suite } from '../../support/suite.ts';
import { address, configOf, nodeA, peeringOptions, type World } from './support.ts';

const test = suite('speaker/bgp/peers');

type Spec = NonNullable<World['peers']>[string];

const peerings = (peers: World['peers'], options: Partial<PeeringOptions> = {}, more: World = {}) =>
  peeringsOf(configOf({ ...more, ...(peers === undefined ? {} : { peers }) }).peers, { ...peeringOptions, ...options });

function peering(spec: Spec, options: Partial<PeeringOptions> = {}, more: World = {}): Peering {
  const { peerings: found, faults } = peerings({ tor: spec }, options, more);
  assert.deepEqual(faults, []);
  assert.ok(found[0]);
  return found[0];
}

const wish = (spec: Spec, options: Partial<PeeringOptions> = {}): PeerWish => peering(spec, options).wish;

test('a peer that says nothing more is an external one on the link, as for MetalLB', () => {
  assert.deepEqual(peering({}), {
    wish: {
      name: 'tor',
      localAsn: 64_512,
      peerAsn: 64_513,
      routerId: 0xc6336465,
      address: address('198.51.100.1'),
      port: 179,
      ttl: 1,
      passive: false,
      holdTime: 90,
      families: [4],
      extendedNextHop: false,
      gracefulRestart: undefined,
    },
    allowedPrefixes: undefined,
    bfd: undefined,
  });
});

const v6 = { peerAddress: '2001:db8:ffff::1' };
const linkLocal = { peerAddress: 'fe80::9' };
const internal = { peerASN: 64_512 };
const unnumbered = { interface: 'eth0' };
const dual = { dualStackAddressFamily: true };
const annotated = (name: string, value: string) => ({ annotations: { [`garpoon.io/${name}`]: value } });
const frr = { defaults: 'frr' } as const;

for (const [fact, spec, expected, options] of [
  ['an internal peer may be any number of hops away', internal, { peerAsn: 64_512, ttl: 255 }],
  ['so may an external one over several hops', { ebgpMultiHop: true }, { ttl: 255 }],
  ['one whose AS is ours, whichever it is', { dynamicASN: 'internal' }, { peerAsn: 'internal', ttl: 255 }],
  ['one whose AS is not ours, whichever it is', { dynamicASN: 'external' }, { peerAsn: 'external', ttl: 1 }],
  ['the AS it is shown replaces ours', { localASN: 65_000 }, { localAsn: 65_000, ttl: 1 }],
  ['and makes it internal where it is its own', { localASN: 64_513 }, { localAsn: 64_513, ttl: 255 }],
  ['or external where ours is', { ...internal, localASN: 65_000 }, { peerAsn: 64_512, localAsn: 65_000, ttl: 1 }],
  [
    'TTL security of one hop takes only what left as 255',
    annotated('ttl-security', '1'),
    { ttl: 255, minimumTtl: 255 },
  ],
  ['and of three hops what left so', annotated('ttl-security', '3'), { ttl: 255, minimumTtl: 253 }],
  ['a passive peer dials', annotated('passive', 'true'), { passive: true }],
  ['a port', { peerPort: 1_179 }, { port: 1_179 }],
  ['a VRF', { vrf: 'red' }, { device: 'red' }],
  ['a source address', { sourceAddress: '192.0.2.7' }, { sourceAddress: address('192.0.2.7') }],
  ['an identifier', { routerID: '1.2.3.4' }, { routerId: 0x01020304 }],
  ['a connect time', { connectTime: '5s' }, { connectTime: 5_000 }],
  ['both timers', { holdTime: '30s', keepaliveTime: '5s' }, { holdTime: 30, keepaliveTime: 5 }],
  ['a hold time', { holdTime: '30s' }, { holdTime: 30, keepaliveTime: 10 }],
  ['no hold time', { holdTime: '0s' }, { holdTime: 0 }],
  ['keepalives that would never be sent', { holdTime: '30s', keepaliveTime: '0s' }, { holdTime: 30 }],
  ['the timers of FRR', {}, { holdTime: 180, keepaliveTime: 60, medDefault: 0 }, frr],
  ['its own timers beside those of FRR', { holdTime: '9s' }, { holdTime: 9, keepaliveTime: 3, medDefault: 0 }, frr],
  ['IPv6', v6, { address: address('2001:db8:ffff::1'), families: [6] }],
  [
    'both families over IPv4, with the next hop of the node',
    dual,
    { families: [4, 6], nextHop: { 6: address('2001:db8:ffff::101') } },
  ],
  [
    'both families over IPv6',
    { ...v6, ...dual },
    {
      address: address('2001:db8:ffff::1'),
      families: [4, 6],
      extendedNextHop: true,
      nextHop: { 4: address('198.51.100.101') },
    },
  ],
  [
    'an interface, of both families over link-local addresses',
    unnumbered,
    { address: undefined, interface: 'eth0', families: [4, 6], extendedNextHop: true },
  ],
  ['a graceful restart', { enableGracefulRestart: true }, { gracefulRestart: { restartTime: 30, restarted: false } }],
  [
    'a graceful restart that is happening',
    { enableGracefulRestart: true },
    { gracefulRestart: { restartTime: 30, restarted: true } },
    { restarted: true },
  ],
  ['a password', { password: 'open sesame' }, { password: 'open sesame' }],
  [
    'a password of a Secret beside ours',
    { passwordSecret: { name: 'bgp' } },
    { password: 'in metallb-system/bgp' },
    { passwordOf: (secret: string) => ({ password: `in ${secret}` }) },
  ],
  [
    'a password of a Secret elsewhere',
    { passwordSecret: { name: 'bgp', namespace: 'net' } },
    { password: 'in net/bgp' },
    { passwordOf: (secret: string) => ({ password: `in ${secret}` }) },
  ],
  ['the longest password', { password: 'x'.repeat(80) }, { password: 'x'.repeat(80) }],
  [
    'the address of an interface',
    annotated('source-address-from', 'eth0'),
    { sourceAddress: address('198.51.100.101') },
  ],
  [
    'the address of an interface for IPv6, not the one of the link',
    { ...v6, ...annotated('source-address-from', 'eth0') },
    { address: address('2001:db8:ffff::1'), families: [6], sourceAddress: address('2001:db8:ffff::101') },
  ],
  [
    'and the one of the link for a peer on it',
    { ...linkLocal, ...annotated('source-address-from', 'eth0') },
    { address: address('fe80::9'), families: [6], sourceAddress: address('fe80::1') },
  ],
  [
    'the address within a prefix',
    annotated('source-address-from', '192.0.2.0/24, 198.51.100.0/24, 2001:db8::/32'),
    { sourceAddress: address('198.51.100.101') },
  ],
] as readonly (readonly [string, Spec, Partial<PeerWish>, Partial<PeeringOptions>?])[]) {
  test(`it has ${fact}`, () => {
    const { address: addressByDefault, ...byDefault } = wish({});
    const where = 'interface' in expected ? {} : { address: addressByDefault };
    const { address: _, ...others } = expected;
    const whole = { ...byDefault, ...where, ...others, ...(expected.address && { address: expected.address }) };
    assert.deepEqual(wish(spec, options), whole);
  });
}

for (const [spec, reason, text] of [
  [{ passwordSecret: { name: 'bgp' } }, 'passwordMissing', 'there is no Secret metallb-system/bgp'],
  [
    { password: 'ü'.repeat(41) },
    'passwordTooLong',
    'the password has 82 bytes, and TCP MD5 takes 80: shorten it here and on the router',
  ],
  [
    { sourceAddress: '2001:db8::1' },
    'sourceAddressFamily',
    'sourceAddress 2001:db8::1 cannot reach 198.51.100.1: name an IPv4 address, or remove it',
  ],
  [
    annotated('source-address-from', 'eth7'),
    'sourceAddressMissing',
    'node-a has no IPv4 address on eth7 (garpoon.io/source-address-from): give it one, or name another interface or prefix',
  ],
  [
    annotated('source-address-from', '192.0.2.0/24'),
    'sourceAddressMissing',
    'node-a has no IPv4 address within 192.0.2.0/24 (garpoon.io/source-address-from): give it one, or name another interface or prefix',
  ],
] as const satisfies readonly (readonly [Spec, string, string])[]) {
  test(`there is no session, and it is said why: ${reason}, ${JSON.stringify(spec)}`, () => {
    const found = peerings({ good: {}, tor: spec });
    const whose = { peer: 'tor', peerAddress: '198.51.100.2', localAsn: 64_512 };
    assert.deepEqual(found.faults, [{ ...whose, reason, text: text.replace('100.1:', '100.2:') }]);
    assert.deepEqual(
      found.peerings.map((one) => one.wish.name),
      ['good'],
    );
  });
}

const rack = (value: string) => ({ nodeSelectors: [{ matchLabels: { rack: value } }] });

for (const [labels, expected] of [
  [{}, ['all']],
  [{ rack: 'r1' }, ['all', 'either', 'one']],
  [{ rack: 'r2' }, ['all', 'either']],
  [{ rack: 'r3' }, ['all']],
] as const) {
  test(`a node ${JSON.stringify(labels)} has the peers ${expected}`, () => {
    const either = { nodeSelectors: [...rack('r1').nodeSelectors, ...rack('r2').nodeSelectors] };
    const found = peerings({ one: rack('r1'), either, all: {} }, { node: { ...nodeA, labels } });
    assert.deepEqual(
      found.peerings.map((one) => one.wish.name),
      expected,
    );
  });
}

for (const [fact, addresses, expected] of [
  ['its first IPv4 address', ['2001:db8::1', '192.0.2.9', '192.0.2.1'], '192.0.2.9'],
  ['the checksum of its name where it has none', ['2001:db8::1'], '120.153.77.171'],
] as const) {
  test(`the identifier of a node is ${fact}`, () => {
    const id = routerIdOf({ name: 'node-a', addresses: addresses.map(address) });
    assert.equal(formatAddress({ family: 4, value: BigInt(id) }), expected);
  });
}

test('the identifier of a node is not 0, whatever its name', () => {
  assert.equal(routerIdOf({ name: '', addresses: [] }), 1);
});

const bfdProfiles = { fast: { receiveInterval: 50 } };
const withBfd = (spec: Spec) => peering({ ...spec, bfdProfile: 'fast' }, {}, { bfdProfiles }).bfd;

for (const [fact, spec, multihop] of [
  ['an external peer', {}, false],
  ['an external peer over several hops', { ebgpMultiHop: true }, true],
  ['an internal peer of the same subnet', internal, false],
  ['an internal peer of another subnet', { ...internal, peerAddress: '203.0.113.1' }, true],
  ['an internal peer on the link', { ...internal, ...linkLocal }, false],
  ['an internal peer behind an interface', { ...internal, ...unnumbered }, false],
  ['a peer three hops away at most', annotated('ttl-security', '3'), true],
] as const satisfies readonly (readonly [string, Spec, boolean])[]) {
  test(`BFD with ${fact} is over ${multihop ? 'several hops' : 'one hop'}`, () => {
    const bfd = withBfd(spec);
    assert.equal(bfd?.profile.name, 'fast');
    assert.equal(bfd?.multihop, multihop);
  });
}

for (const [fact, change, keeps] of [
  ['nothing', {}, true],
  ['the nodes it is for', { nodeSelectors: [{}] }, true],
  ['what it may be told', annotated('allowed-prefixes', '192.0.2.0/24'), true],
  ['its timers', { holdTime: '30s' }, false],
  ['its AS', { peerASN: 64_999 }, false],
  ['its password', { password: 'x' }, false],
  ['its families', dual, false],
  ['whether it restarts gracefully', { enableGracefulRestart: true }, false],
] as const satisfies readonly (readonly [string, Spec, boolean])[]) {
  test(`a session ${keeps ? 'goes on' : 'begins anew'} when a peer changes ${fact}`, () => {
    assert.equal(keepsSession(wish({}), wish(change)), keeps);
  });
}

test('a session goes on when the restart before it is over, and when routes get another metric', () => {
  const graceful = { enableGracefulRestart: true };
  assert.equal(keepsSession(wish(graceful, { restarted: true }), wish(graceful)), true);
  const { medDefault, ...before } = wish({}, frr);
  assert.equal(medDefault, 0);
  assert.equal(keepsSession(wish({}, frr), before), true);
});

test('the allow-list of a peer goes with it', () => {
  assert.deepEqual(peering(annotated('allowed-prefixes', '192.0.2.0/24')).allowedPrefixes, [
    { ...address('192.0.2.0'), length: 24 },
  ]);
});
