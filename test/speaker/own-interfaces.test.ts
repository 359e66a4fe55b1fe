import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { formatPrefix } from '../../src/ip/prefix.ts';
import type { InterfaceState } from '../../src/layer2/responder.ts';
import { ownInterfaces } from '../../src/speaker/own-interfaces.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/own-interfaces');

const mac = '02:00:00:00:00:0a';
const state = (name: string, change: Partial<InterfaceState> = {}): InterfaceState => ({
  index: 1,
  name,
  mac,
  up: true,
  carrier: true,
  eligible: true,
  ...change,
});
const down = { eligible: false, reason: 'down' } as const;

/** `eth0 up 192.0.2.0/24`. */
const inWords = (...args: Parameters<typeof ownInterfaces>) =>
  ownInterfaces(...args).map(({ name, up, onlyByName, prefixes }) =>
    [name, up ? 'up' : 'down', ...(onlyByName ? ['named'] : []), ...prefixes.map(formatPrefix)].join(' '),
  );

for (const [what, states, addresses, expected] of [
  [
    'with addresses, by name',
    [state('eth1'), state('eth0')],
    { eth0: [{ cidr: '192.0.2.7/24' }, { cidr: '2001:db8::7/64' }], eth1: [{ cidr: '198.51.100.7/25' }] },
    ['eth0 up 192.0.2.0/24 2001:db8::/64', 'eth1 up 198.51.100.0/25'],
  ],
  ['without an address', [state('eth0')], {}, ['eth0 up']],
  [
    'without a carrier',
    [state('eth0', { ...down, carrier: false })],
    { eth0: [{ cidr: '192.0.2.7/24' }] },
    ['eth0 down 192.0.2.0/24'],
  ],
  [
    'it never announces on',
    [
      state('lo', { eligible: false, reason: 'loopback' }),
      state('eth0', { eligible: false, reason: 'enslaved' }),
      state('docker0', { eligible: false, reason: 'excluded' }),
      state('bond0'),
    ],
    { lo: [{ cidr: '127.0.0.1/8' }], docker0: [{ cidr: '172.17.0.1/16' }], bond0: [{ cidr: '192.0.2.7/24' }] },
    ['bond0 up 192.0.2.0/24'],
  ],
  ['of a VRF', [state('eth0', { onlyByName: 'vrf-member' })], {}, ['eth0 up named']],
  [
    'with a labelled address',
    [state('eth0')],
    { eth0: [{ cidr: '192.0.2.7/24' }], 'eth0:1': [{ cidr: '192.0.2.8/24' }, { cidr: '203.0.113.8/24' }] },
    ['eth0 up 192.0.2.0/24 203.0.113.0/24'],
  ],
  ['with a link-local address', [state('eth0')], { eth0: [{ cidr: 'fe80::1/64' }] }, ['eth0 up']],
  ['with what is no address', [state('eth0')], { eth0: [{ cidr: null }, { cidr: 'x' }] }, ['eth0 up']],
  ['that has gone since', [], { eth0: [{ cidr: '192.0.2.7/24' }] }, []],
] as const) {
  test(`an interface ${what}: ${expected.join(', ') || 'none'}`, () => {
    assert.deepEqual(inWords(states, addresses), expected);
    for (const one of ownInterfaces(states, addresses)) assert.equal(one.mac, mac);
  });
}

test('what node:os says of this machine is understood', () => {
  const own = networkInterfaces();
  const states = Object.keys(own).map((name) => state(name));
  const loopback = ownInterfaces(states, own).find(({ name }) => name === 'lo');
  assert.ok(loopback?.prefixes.map(formatPrefix).includes('127.0.0.0/8'));
});
