import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeMessage } from '../../src/bgp/codec.ts';
import type { Update } from '../../src/bgp/message.ts';
import {
  encodeEndOfRib,
  encodeUpdates,
  type UpdateChanges,
  type WireAttributes,
} from '../../src/bgp/update-encoder.ts';
import { formatPrefix, type Prefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';
import { address, attribute, bytesOf, hexOf, prefix, update } from './wire-bytes.ts';

const test = suite('bgp/update-encoder');

const four = { fourOctetAsn: true };
const two = { fourOctetAsn: false };
const attributes: WireAttributes = {
  origin: 'igp',
  asPath: [64_500],
  nextHop: address('192.0.2.1'),
  communities: [],
  largeCommunities: [],
};
const viaSix: WireAttributes = { ...attributes, nextHop: address('2001:db8::1') };
const encode = (changes: Partial<UpdateChanges>, context = four) => [
  ...encodeUpdates({ announce: [], withdraw: [], ...changes }, context),
];
const announcing = (of: WireAttributes, ...prefixes: string[]): Partial<UpdateChanges> => {
  const parsed = prefixes.map(prefix);
  return { announce: [{ attributes: of, family: parsed[0]!.family, prefixes: parsed }] };
};

const origin = attribute(0x40, 1, '00');
const asPath = attribute(0x40, 2, '02 01 0000fbf4');
const nextHop = attribute(0x40, 3, 'c0000201');
const route = '20 c6336401';
const six = '2001 0db8 0000 0000 0000 0000 0000 0001';
const linkLocal = 'fe80 0000 0000 0000 0000 0000 0000 0001';
const large = [
  [64_500, 1, 2],
  [4_200_000_000, 3, 4],
] as const;

/** By the formats of the RFCs, by hand. */
const written: readonly [
  name: string,
  changes: Partial<UpdateChanges>,
  context: { fourOctetAsn: boolean },
  messages: readonly string[],
][] = [
  ['nothing', {}, four, []],
  [
    'an IPv4 route',
    announcing(attributes, '198.51.100.1/32'),
    four,
    [`${'ff'.repeat(16)} 0030 02 0000 0014 40010100 4002060201 0000fbf4 400304c0000201 20c6336401`],
  ],
  [
    'prefixes of every width',
    announcing(
      attributes,
      '0.0.0.0/0',
      '128.0.0.0/1',
      '10.0.0.0/8',
      '10.128.0.0/9',
      '198.51.0.0/17',
      '198.51.100.128/25',
    ),
    four,
    [update({ attributes: `${origin}${asPath}${nextHop}`, routes: '00 01 80 08 0a 09 0a80 11 c63300 19 c6336480' })],
  ],
  [
    'a route to an internal peer',
    announcing({ ...attributes, asPath: [], localPref: 100 }, '198.51.100.1/32'),
    four,
    [
      update({
        attributes: `${origin}${attribute(0x40, 2)}${nextHop}${attribute(0x40, 5, '00000064')}`,
        routes: route,
      }),
    ],
  ],
  [
    'all attributes, ascending',
    announcing(
      {
        ...attributes,
        asPath: [64_500, 64_500],
        med: 0,
        localPref: 4_294_967_295,
        communities: [0xffff0000, 0xffffff01],
        largeCommunities: large,
      },
      '198.51.100.1/32',
    ),
    four,
    [
      update({
        attributes: `${origin}${attribute(0x40, 2, '02 02 0000fbf4 0000fbf4')}${nextHop}${attribute(0x80, 4, '00000000')}${attribute(0x40, 5, 'ffffffff')}${attribute(0xc0, 8, 'ffff0000 ffffff01')}${attribute(0xc0, 32, '0000fbf4 00000001 00000002 fa56ea00 00000003 00000004')}`,
        routes: route,
      }),
    ],
  ],
  [
    'a path for a peer with AS numbers of two bytes',
    announcing(attributes, '198.51.100.1/32'),
    two,
    [update({ attributes: `${origin}${attribute(0x40, 2, '02 01 fbf4')}${nextHop}`, routes: route })],
  ],
  [
    'a path that two bytes do not hold',
    announcing({ ...attributes, asPath: [4_200_000_000, 64_500], largeCommunities: [[1, 2, 3]] }, '198.51.100.1/32'),
    two,
    [
      update({
        attributes: `${origin}${attribute(0x40, 2, '02 02 5ba0 fbf4')}${nextHop}${attribute(0xc0, 17, '02 02 fa56ea00 0000fbf4')}${attribute(0xc0, 32, '00000001 00000002 00000003')}`,
        routes: route,
      }),
    ],
  ],
  [
    'an IPv6 route, MP_REACH_NLRI first',
    announcing({ ...viaSix, med: 7 }, '2001:db8::1/128'),
    four,
    [
      update({
        attributes: `${attribute(0x80, 14, `0002 01 10 ${six} 00 80 ${six}`)}${origin}${asPath}${attribute(0x80, 4, '00000007')}`,
      }),
    ],
  ],
  [
    'an IPv6 route by two next hops',
    announcing({ ...viaSix, linkLocalNextHop: address('fe80::1') }, '2001:db8:8000::/33'),
    four,
    [
      update({
        attributes: `${attribute(0x80, 14, `0002 01 20 ${six} ${linkLocal} 00 21 20010db880`)}${origin}${asPath}`,
      }),
    ],
  ],
  [
    'an IPv4 route by an IPv6 next hop',
    announcing(viaSix, '198.51.100.1/32'),
    four,
    [update({ attributes: `${attribute(0x80, 14, `0001 01 10 ${six} 00 ${route}`)}${origin}${asPath}` })],
  ],
  [
    'MP_REACH_NLRI with a long length from 256 bytes on',
    announcing(viaSix, ...Array.from({ length: 47 }, (_, i) => `198.51.100.${i}/32`)),
    four,
    [
      update({
        attributes: `${attribute(0x90, 14, `0001 01 10 ${six} 00 ${Array.from({ length: 47 }, (_, i) => `20 c63364${i.toString(16).padStart(2, '0')}`).join('')}`)}${origin}${asPath}`,
      }),
    ],
  ],
  [
    'withdrawals of both families, each in a message',
    { withdraw: ['198.51.100.1/32', '2001:db8::1/128', '10.0.0.0/8'].map(prefix) },
    four,
    [update({ withdrawn: `${route} 08 0a` }), update({ attributes: attribute(0x80, 15, `0002 01 80 ${six}`) })],
  ],
  [
    'withdrawals before routes',
    { withdraw: [prefix('10.0.0.0/8')], ...announcing(attributes, '198.51.100.1/32') },
    four,
    [update({ withdrawn: '08 0a' }), update({ attributes: `${origin}${asPath}${nextHop}`, routes: route })],
  ],
];
for (const [name, changes, context, messages] of written) {
  test(`writes ${name}`, () =>
    assert.deepEqual(
      encode(changes, context).map(hexOf),
      messages.map((hex) => hexOf(bytesOf(hex))),
    ));
}

test('writes the end of the routes of each family', () => {
  assert.equal(hexOf(encodeEndOfRib(4)), update({}));
  assert.equal(hexOf(encodeEndOfRib(6)), update({ attributes: attribute(0x80, 15, '0002 01') }));
});

test('splits a path of more than 255 in segments', () => {
  const [bytes] = encode(announcing({ ...attributes, asPath: new Array(300).fill(64_500) }, '198.51.100.1/32'));
  const path = hexOf(bytes!).slice(2 * 27);
  assert.ok(path.startsWith('5002 04b4 02ff 0000fbf4'.replaceAll(' ', '')));
  assert.equal(path.indexOf('022d0000fbf4'), 2 * (4 + 2 + 4 * 255));
  assert.deepEqual((decodeMessage(bytes!, four) as Update).announced.map(formatPrefix), ['198.51.100.1/32']);
});

const hosts = (count: number): Prefix[] =>
  Array.from({ length: count }, (_, i) => ({ family: 4, value: 0x0a000000n + BigInt(i), length: 32 }));
const hosts6 = (count: number): Prefix[] =>
  Array.from({ length: count }, (_, i) => ({ family: 6, value: (0x20010db8n << 96n) + BigInt(i), length: 128 }));

const packings: readonly [name: string, changes: Partial<UpdateChanges>, messages: number][] = [
  ['10,000 like addresses', { announce: [{ attributes, family: 4, prefixes: hosts(10_000) }] }, 13],
  ['10,000 like IPv6 addresses', { announce: [{ attributes: viaSix, family: 6, prefixes: hosts6(10_000) }] }, 43],
  ['10,000 withdrawn addresses', { withdraw: hosts(10_000) }, 13],
  ['10,000 withdrawn IPv6 addresses', { withdraw: hosts6(10_000) }, 42],
  ['814 withdrawn addresses', { withdraw: hosts(814) }, 1],
  ['815 withdrawn addresses', { withdraw: hosts(815) }, 2],
];
for (const [name, changes, count] of packings) {
  test(`packs ${name} into ${count} message${count === 1 ? '' : 's'}`, () => {
    const messages = encode(changes);
    assert.equal(messages.length, count);
    assert.ok(messages.every(({ length }) => length <= 4096));
    assert.deepEqual(routesOf(messages), routesIn(changes));
  });
}

test('throws when the attributes leave no room for a prefix', () => {
  const communities = Array.from({ length: 1020 }, (_, i) => i);
  assert.throws(() => encode(announcing({ ...attributes, communities }, '198.51.100.1/32')), /leave no room/);
});

test('throws on an IPv6 route by an IPv4 next hop', () => {
  assert.throws(() => encode(announcing(attributes, '2001:db8::1/128')), /IPv6 routes have IPv6 next hops/);
});

function routesOf(messages: readonly Uint8Array[], context = four) {
  const updates = messages.map((bytes) => decodeMessage(bytes, context) as Update);
  for (const each of updates) assert.deepEqual([each.type, each.faults, each.endOfRib], ['update', [], undefined]);
  const sorted = (of: (each: Update) => readonly Prefix[]) => updates.flatMap(of).map(formatPrefix).sort();
  return { announced: sorted((each) => each.announced), withdrawn: sorted((each) => each.withdrawn) };
}

function routesIn({ announce = [], withdraw = [] }: Partial<UpdateChanges>) {
  const announced = announce.flatMap(({ prefixes }) => prefixes.map(formatPrefix)).sort();
  return { announced, withdrawn: withdraw.map(formatPrefix).sort() };
}

const uint32 = fc.integer({ min: 1, max: 0xffffffff });
const prefixOf = (family: 4 | 6): fc.Arbitrary<Prefix> =>
  fc
    .record({
      length: fc.integer({ min: 0, max: family === 4 ? 32 : 128 }),
      bits: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
    })
    .map(({ length, bits }) => {
      const host = BigInt((family === 4 ? 32 : 128) - length);
      return { family, value: length === 0 ? 0n : BigInt.asUintN(length, bits) << host, length };
    });
const wire: fc.Arbitrary<WireAttributes> = fc.record({
  origin: fc.constant('igp' as const),
  asPath: fc.array(uint32, { maxLength: 300 }),
  nextHop: fc.constant(attributes.nextHop),
  linkLocalNextHop: fc.constantFrom(undefined, address('fe80::1')),
  med: fc.option(uint32, { nil: undefined }),
  localPref: fc.option(uint32, { nil: undefined }),
  communities: fc.array(uint32, { maxLength: 70 }),
  largeCommunities: fc.array(fc.tuple(uint32, uint32, uint32), { maxLength: 30 }),
});
const announcement = fc.oneof(
  fc.record({
    attributes: wire,
    family: fc.constant(4 as const),
    prefixes: fc.array(prefixOf(4), { maxLength: 1500 }),
  }),
  ...([4, 6] as const).map((family) =>
    fc.record({
      attributes: wire.map((each) => ({ ...each, nextHop: viaSix.nextHop })),
      family: fc.constant(family),
      prefixes: fc.array(prefixOf(family), { maxLength: 600 }),
    }),
  ),
);
const changes = fc.record({
  announce: fc.array(announcement, { maxLength: 4 }),
  withdraw: fc.array(fc.oneof(prefixOf(4), prefixOf(6)), { maxLength: 1500 }),
});

test('writes what reads as the same routes, with nothing malformed, in messages as RFC 7606 section 5.1 wants them', () => {
  fc.assert(
    fc.property(changes, fc.boolean(), (value, fourOctetAsn) => {
      const messages = encode(value, { fourOctetAsn });
      assert.deepEqual(routesOf(messages, { fourOctetAsn }), routesIn(value));
      for (const bytes of messages) wellFormed(bytes);
    }),
    { numRuns: 60 },
  );
});

/** By a reading of its own: at most 4096 bytes, routes in one place, the attributes in order, lengths as short as can be. */
function wellFormed(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert.ok(bytes.length <= 4096 && view.getUint16(16) === bytes.length);
  const withdrawn = view.getUint16(19);
  const attributesAt = 23 + withdrawn;
  const end = attributesAt + view.getUint16(attributesAt - 2);
  const types: number[] = [];
  for (let at = attributesAt; at < end; ) {
    const extended = (bytes[at]! & 0x10) !== 0;
    const length = extended ? view.getUint16(at + 2) : bytes[at + 2]!;
    assert.equal(extended, length > 255);
    types.push(bytes[at + 1]!);
    at += (extended ? 4 : 3) + length;
  }
  const places = [withdrawn > 0, end < bytes.length, types.includes(14), types.includes(15)];
  assert.equal(places.filter(Boolean).length, 1);
  const others = types.filter((type) => type !== 14 && type !== 15);
  assert.deepEqual(types.slice(types.length - others.length), others, 'routes come first');
  assert.deepEqual(
    others,
    [...new Set(others)].sort((a, b) => a - b),
  );
}
