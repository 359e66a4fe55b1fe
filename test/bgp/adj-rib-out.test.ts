import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AdjRibOut } from '../../src/bgp/adj-rib-out.ts';
import { internAttributes } from '../../src/bgp/attributes.ts';
import type { Route, RouteAttributes } from '../../src/bgp/route.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../src/ip/prefix.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/adj-rib-out');

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert.ok(typeof parsed !== 'string', text);
  return parsed;
}

const attributes = (localPref: number): RouteAttributes => ({
  localPref,
  med: undefined,
  communities: [],
  largeCommunities: [],
  prepend: 0,
});
const route = (text: string, localPref = 100): Route => ({ prefix: prefix(text), attributes: attributes(localPref) });

/** `+192.0.2.1/32 100` or `-192.0.2.1/32`, sorted. */
function taken(rib: AdjRibOut): readonly string[] {
  const { announce, withdraw } = rib.take();
  const announced = announce.flatMap((group) =>
    group.prefixes.map((one) => `+${formatPrefix(one)} ${group.attributes.localPref}`),
  );
  return [...announced, ...withdraw.map((one) => `-${formatPrefix(one)}`)].sort();
}

test('what is wished is taken once, by family and attributes', () => {
  const rib = new AdjRibOut();
  rib.set([route('192.0.2.1/32'), route('192.0.2.2/32', 200), route('192.0.2.3/32'), route('2001:db8::1/128')]);
  assert.deepEqual(rib.pending, { 4: 3, 6: 1 });
  const groups = rib.take().announce.map((one) => [one.family, one.attributes, one.prefixes.map(formatPrefix)]);
  assert.deepEqual(groups, [
    [4, attributes(100), ['192.0.2.1/32', '192.0.2.3/32']],
    [4, attributes(200), ['192.0.2.2/32']],
    [6, attributes(100), ['2001:db8::1/128']],
  ]);
  assert.equal(groups[0]?.[1], internAttributes(attributes(100)));
  assert.deepEqual(rib.announced, { 4: 3, 6: 1 });
  assert.deepEqual(rib.pending, { 4: 0, 6: 0 });
  assert.deepEqual(taken(rib), []);
});

const told = ['192.0.2.1/32', '192.0.2.2/32', '2001:db8::1/128'] as const;

/** The peer was told of `told`. */
for (const [fact, happens, expected] of [
  ['the same again is nothing', (rib) => rib.set(told.map((text) => route(text))), []],
  ['other attributes replace a route', (rib) => rib.change([route(told[0], 7)], []), ['+192.0.2.1/32 7']],
  ['one that is wished no more is withdrawn', (rib) => rib.change([], [prefix(told[0])]), ['-192.0.2.1/32']],
  [
    'a whole wish withdraws all that is not in it',
    (rib) => rib.set([route(told[1])]),
    ['-192.0.2.1/32', '-2001:db8::1/128'],
  ],
  [
    'one that comes and goes before it is taken is nothing',
    (rib) => {
      rib.change([route('192.0.2.9/32')], []);
      rib.change([], [prefix('192.0.2.9/32')]);
    },
    [],
  ],
  [
    'one that goes and comes before it is taken is nothing',
    (rib) => {
      rib.set([]);
      rib.set(told.map((text) => route(text)));
    },
    [],
  ],
  ['withdrawing what nobody was told of is nothing', (rib) => rib.change([], [prefix('192.0.2.0/24')]), []],
  ['a refresh of one family is that family', (rib) => rib.resend(6), ['+2001:db8::1/128 100']],
  [
    'one withdrawn during a refresh is withdrawn',
    (rib) => {
      rib.resend(4);
      rib.change([], [prefix(told[0])]);
    },
    ['+192.0.2.2/32 100', '-192.0.2.1/32'],
  ],
  [
    'a lost session forgets the withdrawals with the rest',
    (rib) => {
      rib.set([route(told[1])]);
      rib.reset();
    },
    ['+192.0.2.2/32 100'],
  ],
  [
    'the other of two routes to one prefix counts',
    (rib) => rib.set([...told.map((text) => route(text)), route(told[0], 9)]),
    ['+192.0.2.1/32 9'],
  ],
  [
    'what is not allowed any more is withdrawn',
    (rib) => rib.allow([prefix('192.0.2.2/31'), prefix('2001:db8::/32')]),
    ['-192.0.2.1/32'],
  ],
] as readonly (readonly [string, (rib: AdjRibOut) => unknown, readonly string[]])[]) {
  test(fact, () => {
    const rib = new AdjRibOut();
    rib.set(told.map((text) => route(text)));
    rib.take();
    happens(rib);
    const { 4: v4, 6: v6 } = rib.pending;
    assert.equal(v4 + v6, expected.length);
    assert.deepEqual(taken(rib), expected);
    assert.deepEqual(taken(rib), []);
  });
}

test('no way leads past the allowed prefixes', () => {
  const rib = new AdjRibOut();
  rib.allow([prefix('192.0.2.0/25'), prefix('2001:db8::/32')]);
  const outside = ['192.0.2.128/32', '192.0.2.0/24', '0.0.0.0/0', '2001:db9::1/128', '::/0'];
  const inside = ['192.0.2.0/25', '192.0.2.127/32', '2001:db8::1/128'];
  const texts = (prefixes: readonly Prefix[]) => prefixes.map(formatPrefix);
  assert.deepEqual(texts(rib.set([...outside, ...inside].map((text) => route(text)))), outside);
  assert.deepEqual(taken(rib), [...inside.map((text) => `+${text} 100`)].sort());
  const again = outside.map((text) => route(text));
  assert.deepEqual(texts(rib.change(again, [])), outside);
  rib.resend();
  rib.reset();
  assert.deepEqual(taken(rib), [...inside.map((text) => `+${text} 100`)].sort());
  rib.allow([]);
  assert.deepEqual(texts(rib.set([route('192.0.2.1/32')])), ['192.0.2.1/32']);
  assert.deepEqual(taken(rib), [...inside.map((text) => `-${text}`)].sort());
});

const anyRoute = fc
  .tuple(fc.constantFrom(4, 6), fc.nat(30), fc.constantFrom(28, 32), fc.constantFrom(100, 200, 300))
  .map(([family, value, length, localPref]) =>
    family === 4
      ? route(`192.0.2.${value}/${length}`, localPref)
      : route(`2001:db8::${value.toString(16)}/${length + 96}`, localPref),
  );
const anyStep = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('set' as const),
      routes: fc.array(anyRoute, { maxLength: 40, size: 'max' }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant('change' as const),
      routes: fc.array(anyRoute, { maxLength: 5 }),
      gone: fc.array(anyRoute, { maxLength: 5 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ step: fc.constant('take' as const) }) },
  fc.record({ step: fc.constant('resend' as const), family: fc.constantFrom(4 as const, 6 as const, undefined) }),
  fc.record({ step: fc.constant('reset' as const) }),
);

test('whoever applies what is taken ends with what is wished, and is told nothing that it knows', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40, size: 'max' }), (steps) => {
      const rib = new AdjRibOut();
      const wished = new Map<string, number | undefined>();
      /** What the peer has, and, of those that it may be told again, which. */
      const peer = new Map<string, number | undefined>();
      const asked = new Set<string>();
      const wish = (routes: readonly Route[]) => {
        for (const one of routes) wished.set(formatPrefix(one.prefix), one.attributes.localPref);
      };
      const differing = () => {
        const all = new Set([...wished.keys(), ...peer.keys()]);
        return [...all].filter((text) => wished.get(text) !== peer.get(text) || asked.has(text)).sort();
      };
      const receive = () => {
        const { announce, withdraw } = rib.take();
        const changed = [
          ...announce.flatMap(({ prefixes, attributes: { localPref } }) =>
            prefixes.map((one) => ({ text: formatPrefix(one), localPref })),
          ),
          ...withdraw.map((one) => ({ text: formatPrefix(one), localPref: undefined })),
        ];
        assert.deepEqual(changed.map(({ text }) => text).sort(), differing());
        for (const { text, localPref } of changed) {
          if (localPref === undefined) peer.delete(text);
          else peer.set(text, localPref);
        }
        asked.clear();
        assert.deepEqual([...peer].sort(), [...wished].sort());
      };
      for (const one of steps) {
        if (one.step === 'set') {
          wished.clear();
          wish(one.routes);
          rib.set(one.routes);
        } else if (one.step === 'change') {
          for (const { prefix: gone } of one.gone) wished.delete(formatPrefix(gone));
          wish(one.routes);
          rib.change(
            one.routes,
            one.gone.map((gone) => gone.prefix),
          );
        } else if (one.step === 'take') receive();
        else if (one.step === 'resend') {
          rib.resend(one.family);
          const isAsked = (text: string) => one.family === undefined || text.includes(':') === (one.family === 6);
          for (const text of peer.keys()) if (isAsked(text)) asked.add(text);
        } else {
          rib.reset();
          peer.clear();
          asked.clear();
        }
        const { pending, announced } = rib;
        assert.equal(pending[4] + pending[6], differing().length);
        assert.equal(announced[4] + announced[6], peer.size);
      }
      receive();
    }),
    { numRuns: 200 },
  );
});
