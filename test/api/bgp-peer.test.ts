import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type BGPPeer, parseBGPPeer } from '../../src/api/bgp-peer.ts';
import { formatProblem } from '../../src/api/field.ts';
import { parseAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/bgp-peer');

const router = { myASN: 64_512, peerASN: 64_513, peerAddress: '198.51.100.1' };
const peer = (spec: object) => ({ metadata: { name: 'tor', namespace: 'metallb-system' }, spec });

function parsed(spec: object) {
  const result = parseBGPPeer(peer({ ...router, ...spec }));
  assert.ok('value' in result);
  return result.value;
}

test('a peer has what MetalLB gives one that says nothing more', () => {
  const raw: BGPPeer = { metadata: { name: 'tor' }, spec: router };
  const result = parseBGPPeer(raw);
  assert.ok('value' in result);
  assert.deepEqual(result.value, {
    object: 'BGPPeer tor',
    name: 'tor',
    myASN: 64_512,
    peerASN: 64_513,
    localASN: undefined,
    neighbor: { address: parseAddress('198.51.100.1') },
    sourceAddress: undefined,
    port: 179,
    timers: undefined,
    connectTime: undefined,
    routerID: undefined,
    nodeSelectors: [],
    password: undefined,
    bfdProfile: undefined,
    gracefulRestart: false,
    ebgpMultiHop: false,
    vrf: undefined,
    dualStack: false,
    disableMP: false,
    ttlSecurity: undefined,
    passive: false,
    sourceAddressFrom: undefined,
    allowedPrefixes: undefined,
  });
});

for (const [given, timers] of [
  [{}, undefined],
  [{ holdTime: '90s' }, { hold: 90_000, keepalive: 30_000 }],
  [{ keepaliveTime: '20s' }, { hold: 60_000, keepalive: 20_000 }],
  [
    { holdTime: '90s', keepaliveTime: '10s' },
    { hold: 90_000, keepalive: 10_000 },
  ],
  [{ holdTime: '90900ms' }, { hold: 90_000, keepalive: 30_300 }],
  [{ holdTime: '0s' }, { hold: 0, keepalive: 0 }],
  [
    { holdTime: '500ms', keepaliveTime: '0s' },
    { hold: 0, keepalive: 0 },
  ],
  [{ keepaliveTime: '0' }, { hold: 0, keepalive: 0 }],
] as const) {
  test(`the timers ${JSON.stringify(given)} are ${JSON.stringify(timers)}`, () =>
    assert.deepEqual(parsed(given).timers, timers));
}

for (const [name, spec, key, value] of [
  ['an internal peer of any number', { peerASN: 0, dynamicASN: 'internal' }, 'peerASN', 'internal'],
  ['an interface', { peerAddress: '', interface: 'eth1' }, 'neighbor', { interface: 'eth1' }],
  ['a password', { password: 'open sesame' }, 'password', 'open sesame'],
  ['a Secret', { passwordSecret: { name: 'bgp' } }, 'password', { secret: 'bgp', namespace: undefined }],
  ['no Secret by an empty name', { passwordSecret: { name: '', namespace: 'x' } }, 'password', undefined],
  ['an identifier of zeros as none', { routerID: '0.0.0.0' }, 'routerID', undefined],
  ['a connect time', { connectTime: '1m' }, 'connectTime', 60_000],
] as const) {
  test(`reads ${name}`, () => assert.deepEqual(parsed(spec)[key], value));
}

for (const [spec, line] of [
  [
    { peerASN: 64_513, dynamicASN: 'external' },
    'spec: has both peerASN and dynamicASN: remove one of the two (found {"peerASN":64513,"dynamicASN":"external"})',
  ],
  [
    { routerID: '2001:db8::1' },
    'spec.routerID: must be written like an IPv4 address, such as 192.0.2.1 (found "2001:db8::1")',
  ],
  [{ holdTime: '2s' }, 'spec.holdTime: must be 0s, or from 3s to 65535s (found "2s")'],
  [
    { holdTime: '90' },
    'spec.holdTime: is no duration: write a number with a unit (ms, s, m, h), such as 90s or 1h30m (found "90")',
  ],
  ...['sixteen-letters-', 'a/b', 'a b', 'eth*', '..'].flatMap((name) =>
    [{ peerAddress: undefined, interface: name }, { vrf: name }].map(
      (spec) =>
        [
          spec,
          `spec.${'vrf' in spec ? 'vrf' : 'interface'}: cannot be an interface's name: write 1 to 15 characters without blanks, '/' and ':', such as eth1 (found ${JSON.stringify(name)})`,
        ] as const,
    ),
  ),
  [{ peerAddress: undefined }, 'spec: needs peerAddress or interface: set one of the two (found {})'],
] as const) {
  test(`refuses ${JSON.stringify(spec)} with what to write instead`, () => {
    const result = parseBGPPeer(peer({ ...router, ...spec }));
    assert.ok('problems' in result);
    assert.deepEqual(result.problems.map(formatProblem), [`BGPPeer metallb-system/tor: ${line}`]);
  });
}

test('a password is never told', () => {
  const result = parseBGPPeer(peer({ ...router, password: 'hunter2', passwordSecret: { name: 'bgp' } }));
  assert.ok('problems' in result);
  assert.doesNotMatch(result.problems.map(formatProblem).join(), /hunter2/);
});

test('a field of the wrong type is the problem, not that its value is missing', () => {
  const result = parseBGPPeer(peer({ myASN: 64_512, peerASN: 'x', peerAddress: 7 }));
  assert.ok('problems' in result);
  assert.deepEqual(
    result.problems.map(({ field }) => field),
    ['spec.peerASN', 'spec.peerAddress'],
  );
});

test('any JSON at all is parsed or refused, and never throws', () => {
  const keys = ['myASN', 'peerASN', 'holdTime', 'keepaliveTime', 'passwordSecret', 'routerID', 'nodeSelectors'];
  fc.assert(
    fc.property(
      fc.anything(),
      fc.constantFrom(...keys),
      fc.constantFrom('v1beta1', 'v1beta2'),
      (value, key, version) => {
        const apiVersion = `metallb.io/${version}`;
        parseBGPPeer(value);
        parseBGPPeer({ apiVersion, metadata: value, spec: value });
        parseBGPPeer({ apiVersion, ...peer({ ...router, [key]: value }) });
      },
    ),
  );
});
