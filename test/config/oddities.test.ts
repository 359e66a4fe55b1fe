import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { compile, type Resources } from '../../src/config/compile.ts';
import { suite } from '../support/suite.ts';

const test = suite('config/oddities');

const named = (name: string, spec: object = {}) => ({ metadata: { name, namespace: 'metallb-system' }, spec });
const peer = (name: string, address: string, spec: object = {}) =>
  named(name, { myASN: 64_512, peerASN: 64_513, peerAddress: address, ...spec });
const keep = (spec: object) => named('one', { service: { namespace: 'shop', name: 'web' }, ...spec });

const pools = [named('home', { addresses: ['198.51.100.0/24'] }), named('office', { addresses: ['192.0.2.0/24'] })];

for (const [name, resources, lines] of [
  [
    'a pool that does not exist',
    { l2Advertisements: [named('lan', { ipAddressPools: ['office', 'attic'] })] },
    [
      'L2Advertisement metallb-system/lan: spec.ipAddressPools: names no IPAddressPool: nothing is announced by that name until there is one (found "attic")',
    ],
  ],
  [
    'a peer that does not exist',
    { bgpAdvertisements: [named('routers', { peers: ['tor'] })] },
    [
      'BGPAdvertisement metallb-system/routers: spec.peers: names no BGPPeer: nobody is told until there is one (found "tor")',
    ],
  ],
  [
    'two autonomous systems of one node',
    { peers: [peer('a', '198.51.100.1'), peer('b', '198.51.100.2', { myASN: 64_999 })] },
    [
      'BGPPeer metallb-system/b: spec.myASN: differs from that of BGPPeer metallb-system/a on a node that both select: make sure that this is meant (found 64999)',
    ],
  ],
  [
    'two identifiers of one node',
    { peers: [peer('a', '198.51.100.1', { routerID: '1.1.1.1' }), peer('b', '198.51.100.2', { routerID: '2.2.2.2' })] },
    [
      'BGPPeer metallb-system/b: spec.routerID: differs from that of BGPPeer metallb-system/a on a node that both select: make sure that this is meant (found "2.2.2.2")',
    ],
  ],
  [
    'identifiers of two VRFs',
    { peers: [peer('a', '198.51.100.1'), peer('b', '198.51.100.2', { myASN: 1, vrf: 'red' })] },
    [],
  ],
  [
    'a field without effect',
    { peers: [peer('a', '198.51.100.1', { disableMP: true })] },
    ['BGPPeer metallb-system/a: spec.disableMP: has no effect any more: remove it (found true)'],
  ],
  [
    'a reservation of a pool that does not exist',
    { reservations: [keep({ pool: 'attic' })] },
    [
      'AddressReservation metallb-system/one: spec.pool: names no IPAddressPool: nothing is kept until there is one (found "attic")',
    ],
  ],
  [
    'a reservation of addresses that it cannot keep',
    { reservations: [keep({ pool: 'office', addresses: ['192.0.2.5', '198.51.100.5', '2001:db8::5'] })] },
    [
      'AddressReservation metallb-system/one: spec.addresses[1]: is in the pool home, not in office: nobody can have it (found "198.51.100.5")',
      'AddressReservation metallb-system/one: spec.addresses[2]: is in no IPAddressPool: nobody can have it (found "2001:db8::5")',
    ],
  ],
  ['nothing odd', { reservations: [keep({ pool: 'office', addresses: ['192.0.2.5'] })] }, []],
] as const satisfies readonly (readonly [string, Partial<Resources>, readonly string[]])[]) {
  test(`${name}: allowed, and warned about ${lines.length} times`, () => {
    const compiled = compile({ pools, l2Advertisements: [], ...resources });
    assert.ok('config' in compiled);
    assert.deepEqual(compiled.warnings.map(formatProblem), lines);
  });
}

test('a peer for other nodes is not missing', () => {
  const peers = [peer('tor', '198.51.100.1', { nodeSelectors: [{ matchLabels: { rack: 'r1' } }] })];
  const bgpAdvertisements = [named('routers', { peers: ['tor'] })];
  const compiled = compile({ pools, l2Advertisements: [], peers, bgpAdvertisements }, { nodes: [{ rack: 'r2' }] });
  assert.ok('config' in compiled);
  assert.deepEqual([compiled.config.peers, compiled.warnings], [[], []]);
});
