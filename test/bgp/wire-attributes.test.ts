import assert from 'node:assert/strict';
import { nextHopFor, wireAttributes } from '../../src/bgp/wire-attributes.ts';
import { type Family, formatAddress } from '../../src/ip/address.ts';
import { address, plainAttributes } from '../support/session-bed.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/wire-attributes');

const external = { internal: false };
const internal = { internal: true };
const nextHop = { nextHop: address('192.0.2.10') };
const rows = [
  ['an external peer sees our AS, and no preference', external, {}, {}, { asPath: [64500] }],
  ['prepending repeats our AS', external, { prepend: 3 }, {}, { asPath: [64500, 64500, 64500, 64500] }],
  ['an external peer is never told the preference', external, { localPref: 200 }, {}, { asPath: [64500] }],
  ['an internal peer sees no AS, and the preference 100', internal, {}, {}, { asPath: [], localPref: 100 }],
  ['prepending is for external peers', internal, { prepend: 3 }, {}, { asPath: [], localPref: 100 }],
  ['an internal peer is told a preference of 0', internal, { localPref: 0 }, {}, { asPath: [], localPref: 0 }],
  ['a MED goes to external peers', external, { med: 7 }, {}, { asPath: [64500], med: 7 }],
  ['a MED of 0 is told', external, { med: 0 }, { medDefault: 9 }, { asPath: [64500], med: 0 }],
  ['the default MED is for routes without one', external, {}, { medDefault: 0 }, { asPath: [64500], med: 0 }],
] as const;
for (const [name, session, attributes, settings, expected] of rows) {
  test(name, () => {
    const wire = wireAttributes(
      { ...plainAttributes, ...attributes },
      nextHop,
      { localAsn: 64500, ...settings },
      session,
    );
    assert.deepEqual(wire, { origin: 'igp', ...nextHop, communities: [], largeCommunities: [], ...expected });
  });
}

const v4 = '192.0.2.10';
const v6 = '2001:db8::10';
const linkLocal = 'fe80::10';
/** The family of the routes, our address on the connection, what is configured, RFC 8950 or not: the next hop. */
const hops: readonly (readonly [
  Family,
  string,
  Partial<Record<'4' | '6' | 'linkLocal', string>>,
  boolean,
  string | RegExp,
])[] = [
  [4, v4, {}, false, v4],
  [4, v4, { '6': v6 }, true, v4],
  [4, v6, {}, true, v6],
  [4, v6, { '4': v4 }, true, v6],
  [4, v6, { '4': v4 }, false, v4],
  [4, v6, {}, false, /does not take IPv6 next hops/],
  [4, linkLocal, {}, true, linkLocal],
  [6, v6, {}, false, v6],
  [6, v6, { linkLocal }, false, `${v6} ${linkLocal}`],
  [6, linkLocal, {}, false, linkLocal],
  [6, linkLocal, { '6': v6 }, false, `${v6} ${linkLocal}`],
  [6, v4, { '6': v6 }, false, v6],
  [6, v4, { '6': v6, linkLocal }, false, `${v6} ${linkLocal}`],
  [6, v4, {}, false, /no global IPv6 address/],
];
for (const [family, local, configured, extendedNextHop, expected] of hops) {
  const given = Object.entries(configured).map(([key, value]) => `${key} ${value}`);
  const name = `IPv${family} routes from ${local} with [${given.join(', ')}], ${extendedNextHop ? 'with' : 'without'} RFC 8950`;
  test(`${name}: ${expected}`, () => {
    const settings = {
      name: 'tor',
      nextHop: Object.fromEntries(Object.entries(configured).map(([key, value]) => [key, address(value)])),
    };
    const hop = nextHopFor(family, address(local), settings, { extendedNextHop });
    const text =
      typeof hop === 'string'
        ? hop
        : [hop.nextHop, ...(hop.linkLocalNextHop ? [hop.linkLocalNextHop] : [])].map(formatAddress).join(' ');
    if (typeof expected === 'string') assert.equal(text, expected);
    else assert.match(text, expected);
  });
}
