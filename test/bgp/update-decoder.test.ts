import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { decodeMessage } from '../../src/bgp/codec.ts';
import type { Update } from '../../src/bgp/message.ts';
import { isMessageError } from '../../src/bgp/message-error.ts';
import type { UpdateContext } from '../../src/bgp/update-decoder.ts';
import { formatPrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';
import { attribute, bytesOf, hexOf, update } from './wire-bytes.ts';

const test = suite('bgp/update-decoder');
const decode = (hex: string, context: UpdateContext = { fourOctetAsn: true }) => decodeMessage(bytesOf(hex), context);

/** What is told of an UPDATE, as text. */
function told(result: ReturnType<typeof decode>) {
  assert.ok(!isMessageError(result) && result.type === 'update', inspect(result));
  const { announced, withdrawn, endOfRib, faults } = result;
  return { announced: announced.map(formatPrefix), withdrawn: withdrawn.map(formatPrefix), endOfRib, faults };
}
const nothing = { announced: [], withdrawn: [], endOfRib: undefined, faults: [] };

const origin = attribute(0x40, 1, '00');
const asPath = attribute(0x40, 2, '02 01 0000fbf4');
const nextHop = attribute(0x40, 3, 'c0000201');
const mandatory = `${origin}${asPath}${nextHop}`;
const route = '20 c6336401';
const announced = ['198.51.100.1/32'];
const six = '2001 0db8 0000 0000 0000 0000 0000 0001';
const linkLocal = 'fe80 0000 0000 0000 0000 0000 0000 0001';
const reach = (routes: string, next = `10 ${six}`, family = '0002 01') =>
  attribute(0x80, 14, `${family} ${next} 00 ${routes}`);
const unreach = (routes: string, family = '0002 01') => attribute(0x80, 15, `${family} ${routes}`);
const six128 = `80 ${six}`;

const understood: readonly [name: string, hex: string, expected: Partial<ReturnType<typeof told>>][] = [
  [
    'IPv4 routes',
    update({ attributes: mandatory, routes: `${route} 18 cb0071` }),
    { announced: [...announced, '203.0.113.0/24'] },
  ],
  ['the default route', update({ attributes: mandatory, routes: '00' }), { announced: ['0.0.0.0/0'] }],
  [
    'prefixes whose last bits mean nothing',
    update({ attributes: mandatory, routes: '14 c633ff' }),
    { announced: ['198.51.240.0/20'] },
  ],
  ['withdrawn IPv4 routes', update({ withdrawn: `${route} 08 0a` }), { withdrawn: [...announced, '10.0.0.0/8'] }],
  [
    'routes beside withdrawn ones',
    update({ withdrawn: '08 0a', attributes: mandatory, routes: route }),
    { announced, withdrawn: ['10.0.0.0/8'] },
  ],
  [
    'IPv6 routes',
    update({ attributes: `${reach(`${six128} 21 20010db880`)}${origin}${asPath}` }),
    { announced: ['2001:db8::1/128', '2001:db8:8000::/33'] },
  ],
  [
    'an IPv6 prefix whose last bits mean nothing',
    update({ attributes: `${reach('21 20010db8ff')}${origin}${asPath}` }),
    { announced: ['2001:db8:8000::/33'] },
  ],
  [
    'IPv6 routes by two next hops',
    update({ attributes: `${reach(six128, `20 ${six}${linkLocal}`)}${origin}${asPath}` }),
    { announced: ['2001:db8::1/128'] },
  ],
  [
    'IPv6 routes by a link-local next hop alone',
    update({ attributes: `${reach(six128, `10 ${linkLocal}`)}${origin}${asPath}` }),
    { announced: ['2001:db8::1/128'] },
  ],
  [
    'IPv6 routes by a link-local next hop behind none',
    update({ attributes: `${reach(six128, `20 ${'00'.repeat(16)}${linkLocal}`)}${origin}${asPath}` }),
    { announced: ['2001:db8::1/128'] },
  ],
  [
    'IPv6 routes behind the other attributes',
    update({ attributes: `${origin}${asPath}${reach(six128)}` }),
    { announced: ['2001:db8::1/128'] },
  ],
  [
    'IPv4 routes by an IPv6 next hop',
    update({ attributes: `${reach(route, `10 ${six}`, '0001 01')}${origin}${asPath}` }),
    { announced },
  ],
  [
    'IPv4 routes within MP_REACH_NLRI',
    update({ attributes: `${reach(route, '04 c0000201', '0001 01')}${origin}${asPath}` }),
    { announced },
  ],
  ['withdrawn IPv6 routes', update({ attributes: unreach(six128) }), { withdrawn: ['2001:db8::1/128'] }],
  [
    'withdrawn IPv4 routes within MP_UNREACH_NLRI',
    update({ attributes: unreach(route, '0001 01') }),
    { withdrawn: announced },
  ],
  [
    'everything in one message',
    update({ withdrawn: '08 0a', attributes: `${mandatory}${reach(six128)}${unreach('10 2001')}`, routes: route }),
    { announced: ['2001:db8::1/128', ...announced], withdrawn: ['10.0.0.0/8', '2001::/16'] },
  ],
  [
    'routes of families that we do not speak',
    update({
      attributes: `${reach('aabbcc', '0c aaaaaaaaaaaaaaaaaaaaaaaa', '0019 46')}${origin}${asPath}${unreach('aabb', '0001 80')}`,
    }),
    {},
  ],
  [
    'attributes that nobody knows',
    update({ attributes: `${mandatory}${attribute(0xc0, 99, '0102')}${attribute(0x80, 100)}`, routes: route }),
    { announced },
  ],
  [
    'an attribute of few bytes with a long length',
    update({ attributes: `${attribute(0x50, 1, '02')}${asPath}${nextHop}`, routes: route }),
    { announced },
  ],
  [
    'a partial attribute',
    update({ attributes: `${mandatory}${attribute(0xe0, 8, 'fffff029')}`, routes: route }),
    { announced },
  ],
  [
    'an empty AS_PATH',
    update({ attributes: `${origin}${attribute(0x40, 2)}${nextHop}`, routes: route }),
    { announced },
  ],
  [
    'every kind of segment',
    update({
      attributes: `${origin}${attribute(0x40, 2, [1, 2, 3, 4].map((type) => `0${type} 01 0000fbf4`).join(''))}${nextHop}`,
      routes: route,
    }),
    { announced },
  ],
  ['the end of the IPv4 routes', update({}), { endOfRib: 4 }],
  ['the end of the IPv6 routes', update({ attributes: unreach('') }), { endOfRib: 6 }],
  [
    'the end of the IPv4 routes within MP_UNREACH_NLRI',
    update({ attributes: unreach('', '0001 01') }),
    { endOfRib: 4 },
  ],
  ['the end of the routes of a family that we do not speak', update({ attributes: unreach('', '0001 80') }), {}],
  ['attributes without any route, which are no end of routes', update({ attributes: mandatory }), {}],
];
for (const [name, hex, expected] of understood) {
  test(`reads ${name}`, () => assert.deepEqual(told(decode(hex)), { ...nothing, ...expected }));
}

test('reads AS numbers of two bytes from peers that have no longer ones', () => {
  const attributes = `${origin}${attribute(0x40, 2, '02 02 5ba0 fbf4')}${nextHop}${attribute(0xc0, 17, '02 02 fa56ea00 0000fbf4')}`;
  const hex = update({ attributes, routes: route });
  assert.deepEqual(told(decode(hex, { fourOctetAsn: false })), { ...nothing, announced });
  assert.match(told(decode(hex)).faults[0] ?? '', /AS_PATH ends within a segment/);
});

const replacing = (type: number, digits: string) =>
  ([1, 2, 3] as const).map((each) => (each === type ? digits : [origin, asPath, nextHop][each - 1])).join('');
const and = (digits: string) => `${mandatory}${digits}`;

/** With a route behind them; RFC 7606 by its sections. */
const treatedAsWithdrawn: readonly [name: string, attributes: string, fault: RegExp][] = [
  // 3 (c): flags.
  ['an optional ORIGIN', replacing(1, attribute(0xc0, 1, '00')), /^ORIGIN has the flags 0xc0/],
  ['an AS_PATH that is not transitive', replacing(2, attribute(0x00, 2)), /^AS_PATH has the flags 0x00/],
  ['a NEXT_HOP that is optional', replacing(3, attribute(0x80, 3, 'c0000201')), /^NEXT_HOP has the flags 0x80/],
  ['a transitive MULTI_EXIT_DISC', and(attribute(0xc0, 4, '00000000')), /^MULTI_EXIT_DISC has the flags/],
  ['well-known COMMUNITIES', and(attribute(0x40, 8, 'fffff029')), /^COMMUNITIES has the flags 0x40/],
  ['a LARGE_COMMUNITY that is not transitive', and(attribute(0x80, 32, '00'.repeat(12))), /^LARGE_COMMUNITY has/],
  // 3 (d): missing.
  ['no ORIGIN', replacing(1, ''), /^ORIGIN is missing/],
  ['no AS_PATH', replacing(2, ''), /^AS_PATH is missing/],
  ['no NEXT_HOP', replacing(3, ''), /^NEXT_HOP is missing/],
  ['no attribute', '', /^ORIGIN is missing/],
  // 4: lengths.
  ['an attribute that runs over the others', and('c0 08 08 fffff029'), /^attribute 8 of 8 bytes runs over/],
  ['two bytes left', and('c008'), /^the attributes end within the head of one/],
  ['three bytes left of an extended one', and('d00800'), /^the attributes end within the head of one/],
  // 7: one by one.
  ['an ORIGIN of no bytes', replacing(1, attribute(0x40, 1)), /^ORIGIN has 0 bytes/],
  ['an ORIGIN of 2 bytes', replacing(1, attribute(0x40, 1, '0000')), /^ORIGIN has 2 bytes/],
  ['ORIGIN 3', replacing(1, attribute(0x40, 1, '03')), /^ORIGIN is 3/],
  ['a segment of type 0', replacing(2, attribute(0x40, 2, '00 01 0000fbf4')), /^AS_PATH has a segment of type 0/],
  ['a segment of type 5', replacing(2, attribute(0x40, 2, '05 01 0000fbf4')), /^AS_PATH has a segment of type 5/],
  ['a segment without any AS', replacing(2, attribute(0x40, 2, '0200')), /^AS_PATH has a segment without any AS/],
  ['a segment that runs over its AS_PATH', replacing(2, attribute(0x40, 2, '02 02 0000fbf4')), /^AS_PATH ends within/],
  ['one byte left of an AS_PATH', replacing(2, attribute(0x40, 2, '02 01 0000fbf4 02')), /^AS_PATH ends within/],
  ['AS 0 in an AS_PATH', replacing(2, attribute(0x40, 2, '02 02 0000fbf4 00000000')), /^AS_PATH has AS 0/],
  ['a NEXT_HOP of 3 bytes', replacing(3, attribute(0x40, 3, 'c00002')), /^NEXT_HOP has 3 bytes/],
  ['a NEXT_HOP of 16 bytes', replacing(3, attribute(0x40, 3, six)), /^NEXT_HOP has 16 bytes/],
  ['NEXT_HOP 0.0.0.0', replacing(3, attribute(0x40, 3, '00000000')), /^NEXT_HOP is 0.0.0.0/],
  ['NEXT_HOP 127.0.0.1', replacing(3, attribute(0x40, 3, '7f000001')), /^NEXT_HOP is 127.0.0.1/],
  ['NEXT_HOP 224.0.0.1', replacing(3, attribute(0x40, 3, 'e0000001')), /^NEXT_HOP is 224.0.0.1/],
  ['NEXT_HOP 255.255.255.255', replacing(3, attribute(0x40, 3, 'ffffffff')), /^NEXT_HOP is 255.255.255.255/],
  ['a MULTI_EXIT_DISC of 3 bytes', and(attribute(0x80, 4, '000000')), /^MULTI_EXIT_DISC has 3 bytes/],
  ['a LOCAL_PREF of 5 bytes', and(attribute(0x40, 5, '0000000000')), /^LOCAL_PREF has 5 bytes/],
  ['COMMUNITIES of no bytes', and(attribute(0xc0, 8)), /^COMMUNITIES has 0 bytes/],
  ['COMMUNITIES of 6 bytes', and(attribute(0xc0, 8, 'fffff029ffff')), /^COMMUNITIES has 6 bytes/],
  ['an ORIGINATOR_ID of 3 bytes', and(attribute(0x80, 9, 'c00002')), /^ORIGINATOR_ID has 3 bytes/],
  ['a CLUSTER_LIST of no bytes', and(attribute(0x80, 10)), /^CLUSTER_LIST has 0 bytes/],
  ['EXTENDED COMMUNITIES of 9 bytes', and(attribute(0xc0, 16, '00'.repeat(9))), /^EXTENDED COMMUNITIES has 9 bytes/],
  [
    'IPv6 EXTENDED COMMUNITIES of 8 bytes',
    and(attribute(0xc0, 25, '00'.repeat(8))),
    /^IPv6 EXTENDED COMMUNITIES has 8/,
  ],
  ['a LARGE_COMMUNITY of no bytes', and(attribute(0xc0, 32)), /^LARGE_COMMUNITY has 0 bytes/],
  ['a LARGE_COMMUNITY of 13 bytes', and(attribute(0xc0, 32, '00'.repeat(13))), /^LARGE_COMMUNITY has 13 bytes/],
  ['ONLY_TO_CUSTOMER of 3 bytes', and(attribute(0xc0, 35, '00fbf4')), /^ONLY_TO_CUSTOMER has 3 bytes/],
];
for (const [name, attributes, fault] of treatedAsWithdrawn) {
  test(`takes routes with ${name} for withdrawn`, () => {
    const { faults, ...result } = told(decode(update({ withdrawn: '08 0a', attributes, routes: route })));
    assert.deepEqual(result, { announced: [], withdrawn: ['10.0.0.0/8', ...announced], endOfRib: undefined });
    assert.match(faults[0] ?? '', fault);
    assert.match(faults[0] ?? '', /count as withdrawn$/);
  });
  // Their next hop is elsewhere.
  if (name === 'no NEXT_HOP') continue;
  test(`takes IPv6 routes with ${name} for withdrawn as well`, () => {
    const { faults, ...result } = told(decode(update({ attributes: `${reach(six128)}${attributes}` })));
    assert.deepEqual(result, { announced: [], withdrawn: ['2001:db8::1/128'], endOfRib: undefined });
    assert.match(faults[0] ?? '', fault);
  });
}

const badNextHops: readonly [name: string, next: string][] = [
  ['the unspecified address', `10 ${'00'.repeat(16)}`],
  ['the loopback address', `10 ${'00'.repeat(15)}01`],
  ['a multicast address', `10 ff02${'00'.repeat(13)}01`],
  ['two that are no hosts', `20 ${'00'.repeat(32)}`],
];
for (const [name, next] of badNextHops) {
  test(`takes IPv6 routes by ${name} for withdrawn`, () => {
    const { withdrawn, faults } = told(decode(update({ attributes: `${reach(six128, next)}${origin}${asPath}` })));
    assert.deepEqual(withdrawn, ['2001:db8::1/128']);
    assert.match(faults[0] ?? '', /MP_REACH_NLRI has a next hop that is no host/);
  });
}

const leftOut: readonly [name: string, attributes: string, fault: RegExp][] = [
  ['an ATOMIC_AGGREGATE of 1 byte', and(attribute(0x40, 6, '00')), /^ATOMIC_AGGREGATE has 1 bytes: left out/],
  ['an optional ATOMIC_AGGREGATE', and(attribute(0xc0, 6)), /^ATOMIC_AGGREGATE has the flags 0xc0: left out/],
  ['an AGGREGATOR of 6 bytes', and(attribute(0xc0, 7, 'fbf4c0000201')), /^AGGREGATOR has 6 bytes: left out/],
  ['an AGGREGATOR of AS 0', and(attribute(0xc0, 7, '00000000c0000201')), /^AGGREGATOR names AS 0: left out/],
  ['a second ORIGIN, whatever it is', and(attribute(0x40, 1, '07')), /^ORIGIN stands there more than once/],
  [
    'a second attribute that nobody knows',
    and(attribute(0xc0, 99).repeat(2)),
    /^attribute 99 stands there more than once/,
  ],
];
for (const [name, attributes, fault] of leftOut) {
  test(`leaves out ${name}`, () => {
    const { faults, ...result } = told(decode(update({ attributes, routes: route })));
    assert.deepEqual(result, { announced, withdrawn: [], endOfRib: undefined });
    assert.match(faults[0] ?? '', fault);
  });
}

const leftOutOfTwoOctets: readonly [name: string, attribute: string, fault: RegExp][] = [
  ['an AS4_PATH of no bytes', attribute(0xc0, 17), /^AS4_PATH has 0 bytes: left out/],
  ['an AS4_PATH cut off', attribute(0xc0, 17, '02 02 0000fbf4'), /^AS4_PATH ends within a segment: left out/],
  ['an AS4_AGGREGATOR of 6 bytes', attribute(0xc0, 18, 'fbf4c0000201'), /^AS4_AGGREGATOR has 6 bytes: left out/],
  ['an AGGREGATOR of 8 bytes', attribute(0xc0, 7, '0000fbf4c0000201'), /^AGGREGATOR has 8 bytes: left out/],
];
for (const [name, extra, fault] of leftOutOfTwoOctets) {
  test(`leaves out ${name} of a peer with AS numbers of two bytes`, () => {
    const attributes = `${origin}${attribute(0x40, 2, '02 01 fbf4')}${nextHop}${extra}`;
    const { faults, ...result } = told(decode(update({ attributes, routes: route }), { fourOctetAsn: false }));
    assert.deepEqual(result.announced, announced);
    assert.match(faults[0] ?? '', fault);
  });
}

test('ignores what a peer with AS numbers of four bytes says for those of two', () => {
  const attributes = and(`${attribute(0xc0, 17, '09')}${attribute(0xc0, 18, '09')}`);
  assert.deepEqual(told(decode(update({ attributes, routes: route }))), { ...nothing, announced });
});

test('ignores what only internal peers may say of an external one, and wants a LOCAL_PREF of an internal one', () => {
  const internal = and(`${attribute(0x40, 5, '00')}${attribute(0x80, 9)}${attribute(0x80, 10)}`);
  const hex = update({ attributes: internal, routes: route });
  assert.deepEqual(told(decode(hex, { fourOctetAsn: true, external: true })), { ...nothing, announced });
  const faults = told(decode(hex, { fourOctetAsn: true, external: false })).faults;
  assert.deepEqual(faults.length, 3);
  const without = told(
    decode(update({ attributes: mandatory, routes: route }), { fourOctetAsn: true, external: false }),
  );
  assert.match(without.faults[0] ?? '', /^LOCAL_PREF is missing/);
});

const badOrigin = attribute(0x40, 1, '03');
const refused: readonly [name: string, hex: string, subcode: number, data?: string][] = [
  ['withdrawn routes that run over the message', update({}).slice(0, -8).concat('0001 0000'), 1],
  ['withdrawn routes that leave no room for the attributes’ length', update({}).slice(0, -8).concat('0002 0000'), 1],
  ['attributes that run over the message', update({}).slice(0, -8).concat('0000 0001'), 1],
  ['two MP_REACH_NLRI', update({ attributes: `${reach(six128)}${reach(six128)}${origin}${asPath}` }), 1],
  ['two MP_UNREACH_NLRI', update({ attributes: unreach('').repeat(2) }), 1],
  [
    'a well-known attribute that nobody knows',
    update({ attributes: and(attribute(0x40, 99, '0102')), routes: route }),
    2,
    attribute(0x40, 99, '0102'),
  ],
  ['an IPv4 route of 33 bits', update({ attributes: mandatory, routes: '21 c633640180' }), 10],
  ['an IPv4 route that is cut off', update({ attributes: mandatory, routes: `${route} 20 c63364` }), 10],
  ['a withdrawn IPv4 route of 255 bits', update({ withdrawn: 'ff' }), 10],
  ['a withdrawn IPv4 route that is cut off', update({ withdrawn: '20 c63364' }), 10],
  ['a malformed attribute and a malformed route', update({ attributes: replacing(1, badOrigin), routes: '21' }), 10],
  ['an IPv6 route of 129 bits', update({ attributes: `${reach(`81 ${six} 80`)}${origin}${asPath}` }), 9],
  ['an IPv6 route that is cut off', update({ attributes: `${reach('80 2001')}${origin}${asPath}` }), 9],
  ['a withdrawn IPv6 route of 129 bits', update({ attributes: unreach(`81 ${six} 80`) }), 9, unreach(`81 ${six} 80`)],
  ['a withdrawn IPv6 route that is cut off', update({ attributes: unreach('80 2001') }), 9],
  [
    'an MP_REACH_NLRI of 4 bytes',
    update({ attributes: attribute(0x80, 14, '00020100') }),
    9,
    attribute(0x80, 14, '00020100'),
  ],
  ['an MP_REACH_NLRI of no bytes', update({ attributes: attribute(0x80, 14) }), 9],
  ['an MP_UNREACH_NLRI of 2 bytes', update({ attributes: attribute(0x80, 15, '0002') }), 9],
  ['a next hop that runs over MP_REACH_NLRI', update({ attributes: attribute(0x80, 14, `0002 01 11 ${six}`) }), 9],
  ['an IPv6 next hop of 4 bytes', update({ attributes: `${reach(six128, '04 c0000201')}${origin}${asPath}` }), 9],
  ['an IPv4 next hop of 12 bytes', update({ attributes: `${reach(route, `0c ${'01'.repeat(12)}`, '0001 01')}` }), 9],
  ['an MP_REACH_NLRI that is transitive', update({ attributes: attribute(0xc0, 14, `0002 01 10 ${six} 00`) }), 4],
  ['an MP_UNREACH_NLRI that is well-known', update({ attributes: attribute(0x40, 15, '0002 01') }), 4],
  // RFC 7606 section 5.2.
  ['a malformed attribute without any route', update({ attributes: replacing(1, badOrigin) }), 6, badOrigin],
  ['a malformed attribute beside withdrawn routes only', update({ withdrawn: route, attributes: badOrigin }), 6],
  ['a malformed attribute beside MP_UNREACH_NLRI only', update({ attributes: `${unreach(six128)}${badOrigin}` }), 6],
  ['attributes that end early, without any route', update({ attributes: '40 01 02 00' }), 1],
];
for (const [name, hex, subcode, data] of refused) {
  test(`ends the session over ${name}, with 3/${subcode}`, () => {
    const error = decode(hex);
    assert.ok(isMessageError(error), inspect(error));
    assert.deepEqual([error.code, error.subcode], [3, subcode]);
    assert.ok(error.text.length > 10);
    if (data !== undefined) assert.equal(hexOf(error.data), hexOf(bytesOf(data)));
  });
}

test('takes an end of routes with a malformed attribute for none', () => {
  const result = told(decode(update({ attributes: `${unreach('')}${attribute(0x40, 6, '00')}` })));
  assert.equal(result.endOfRib, undefined);
});

test('tells a few of thousands of faults', () => {
  const { faults } = told(decode(update({ attributes: and(attribute(0x40, 1).repeat(1000)), routes: route })));
  assert.equal(faults.length, 8);
  assert.equal(faults.at(-1), 'and others');
});

test('reads 65,535 bytes of routes, of withdrawn routes, of attributes', () => {
  const many = 13_000;
  const wide = update({ attributes: mandatory, routes: route.repeat(many) });
  assert.equal((decode(wide) as Update).announced.length, many);
  const malformed = update({ attributes: replacing(1, badOrigin), routes: route.repeat(many) });
  assert.equal((decode(malformed) as Update).withdrawn.length, many);
  assert.equal((decode(update({ withdrawn: '00'.repeat(65_000) })) as Update).withdrawn.length, 65_000);
  const attributes = and(attribute(0xc0, 99).repeat(20_000));
  assert.deepEqual(told(decode(update({ attributes, routes: route }))).announced, announced);
});

test('gives an answer for whatever stands behind a header', () => {
  const body = fc.uint8Array({ minLength: 4, maxLength: 300 });
  fc.assert(
    fc.property(body, fc.boolean(), (bytes, fourOctetAsn) => {
      const length = (bytes.length + 19).toString(16).padStart(4, '0');
      const result = decode(`${'ff'.repeat(16)}${length}02${hexOf(bytes)}`, { fourOctetAsn });
      if (isMessageError(result)) assert.equal(result.code, 3);
      else assert.equal(result.type, 'update');
    }),
    { numRuns: 2000 },
  );
});
