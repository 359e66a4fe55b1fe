import assert from 'node:assert/strict';
import type { Capability, Open } from '../../src/bgp/message.ts';
import { isMessageError } from '../../src/bgp/message-error.ts';
import { capabilityNames, type Negotiated, negotiate, ourOpen } from '../../src/bgp/negotiation.ts';
import type { PeerSettings } from '../../src/bgp/peer-settings.ts';
import { routerCapabilities, routerOpen } from '../support/scripted-router.ts';
import { plainSettings } from '../support/session-bed.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/negotiation');

const everything: Partial<PeerSettings> = {
  extendedNextHop: true,
  gracefulRestart: { restartTime: 5_000, restarted: true },
};
const extended: Capability = { kind: 'extended-next-hop', tuples: [{ family: 4, nextHop: 6 }] };
const graceful = (notification: boolean, ...families: (4 | 6)[]): Capability => ({
  kind: 'graceful-restart',
  restarted: false,
  notification,
  restartTime: 120,
  families: families.map((family) => ({ family, forwardingPreserved: false })),
});
const asn: Capability = { kind: 'four-octet-asn', asn: 64501 };
const mp = (family: 4 | 6): Capability => ({ kind: 'multiprotocol', family });

for (const [offer, expected] of [
  [
    'all',
    'IPv4 unicast, IPv6 unicast, 4-byte AS, IPv4 over IPv6 next hops, route refresh, enhanced route refresh, graceful restart 4095 s, graceful notification',
  ],
  ['essential', 'IPv4 unicast, IPv6 unicast, 4-byte AS, IPv4 over IPv6 next hops'],
  ['none', ''],
] as const) {
  test(`an OPEN with ${offer} capabilities has: ${expected || 'none'}`, () => {
    assert.equal(capabilityNames(ourOpen({ ...plainSettings, ...everything }, offer)).join(', '), expected);
  });
}

/** What the router says, and what comes of it. */
const rows: readonly (readonly [string, Partial<PeerSettings>, Partial<Open>, Partial<Negotiated>])[] = [
  ['the shorter hold time counts', { holdTime: 30 }, { holdTime: 90 }, { timing: { holdTime: 30, keepaliveTime: 10 } }],
  ['the router may have the shorter one', {}, { holdTime: 3 }, { timing: { holdTime: 3, keepaliveTime: 1 } }],
  ['one 0 is 0 for both', {}, { holdTime: 0 }, { timing: { holdTime: 0, keepaliveTime: 0 } }],
  ['our keepalive time counts', { keepaliveTime: 5 }, {}, { timing: { holdTime: 90, keepaliveTime: 5 } }],
  ['a keepalive time is a third at most', { keepaliveTime: 60 }, {}, { timing: { holdTime: 90, keepaliveTime: 30 } }],
  ['families are those of both', {}, { capabilities: [mp(6), asn] }, { families: [6], fourOctetAsn: true }],
  ['no capability is IPv4', {}, { capabilities: [] }, { families: [4], fourOctetAsn: false, routeRefresh: false }],
  ['another AS is external', {}, {}, { internal: false }],
  ['our AS is internal', { localAsn: 64501 }, {}, { internal: true }],
  ['an internal peer is found out', { peerAsn: 'internal', localAsn: 64501 }, {}, { internal: true }],
  ['an external peer is found out', { peerAsn: 'external' }, {}, { internal: false }],
  ['an external peer may have our router ID', {}, { routerId: plainSettings.routerId }, { internal: false }],
  ['refreshes are those of both', {}, {}, { routeRefresh: true, enhancedRouteRefresh: true }],
  ['a next hop of IPv6 needs both', everything, {}, { extendedNextHop: false }],
  [
    'both take next hops of IPv6',
    everything,
    { capabilities: [...routerCapabilities, extended] },
    { extendedNextHop: true },
  ],
  ['only the router takes them', {}, { capabilities: [...routerCapabilities, extended] }, { extendedNextHop: false }],
  [
    'a helper of graceful restart, which lists no families, keeps ours',
    everything,
    { capabilities: [mp(4), graceful(true)] },
    { gracefulRestart: true, gracefulNotification: true },
  ],
  [
    'graceful restart without notification',
    everything,
    { capabilities: [mp(4), graceful(false, 4)] },
    { gracefulRestart: true, gracefulNotification: false },
  ],
  [
    'graceful restart with notification',
    everything,
    { capabilities: [mp(4), graceful(true, 4)] },
    { gracefulRestart: true, gracefulNotification: true },
  ],
  [
    'graceful restart that we do not want',
    {},
    { capabilities: [mp(4), graceful(true, 4)] },
    { gracefulRestart: false, gracefulNotification: false },
  ],
];
for (const [name, changes, open, expected] of rows) {
  test(name, () => {
    const settings = { ...plainSettings, ...changes };
    const result = negotiate(settings, ourOpen(settings, 'all'), { ...routerOpen, ...open });
    if (isMessageError(result)) throw new Error(result.text);
    const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, result[key as keyof Negotiated]]));
    assert.deepEqual(seen, expected);
  });
}

test('no common family is refused with the capabilities that are missed', () => {
  const settings = { ...plainSettings, families: [4] as const };
  const result = negotiate(settings, ourOpen(settings, 'all'), { ...routerOpen, capabilities: [mp(6), asn] });
  assert.ok(isMessageError(result));
  assert.deepEqual([result.code, result.subcode, [...result.data]], [2, 7, [1, 4, 0, 1, 0, 1]]);
});
