import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AdjRibOut } from '../../../src/bgp/adj-rib-out.ts';
import { internAttributes, mergeAttributes } from '../../../src/bgp/attributes.ts';
import type { RouteAttributes } from '../../../src/bgp/route.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../../src/ip/prefix.ts';
import { drained } from '../../../src/speaker/bgp/drain.ts';
import { type PeerChanges, RouteTable } from '../../../src/speaker/bgp/route-table.ts';
import { type RoutePolicy, routesTo, type Telling, type ToldRoute } from '../../../src/speaker/bgp/routes.ts';
import { suite } from '../../support/suite.ts';
import { configOf, policyOf, serviceAt, slicesOf } from './support.ts';

const test = suite('speaker/bgp/route-table');

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert.ok(typeof parsed !== 'string', text);
  return parsed;
}

const nothing = { localPref: undefined, med: undefined, communities: [], largeCommunities: [], prepend: 0 };

/** As a policy makes them, one object for each. */
const tellings: readonly Telling[] = [
  { tor: [], spine: [] },
  { tor: [1] },
  { tor: [2], spine: [2, 3] },
  { spine: [1] },
].map(
  (byPeer) =>
    new Map(Object.entries(byPeer).map(([peer, communities]) => [peer, internAttributes({ ...nothing, communities })])),
);

const told = (text: string, telling: number): ToldRoute => ({
  prefix: prefix(text),
  telling: tellings[telling] as Telling,
});

/** `tor +192.0.2.0/24 1,2`, sorted. */
function inWords(changes: ReadonlyMap<string, PeerChanges>): readonly string[] {
  const lines = [...changes].flatMap(([peer, { announce, withdraw }]) => [
    ...announce.map((one) => `${peer} +${formatPrefix(one.prefix)} ${one.attributes.communities}`.trim()),
    ...withdraw.map((one) => `${peer} -${formatPrefix(one)}`),
  ]);
  return lines.sort();
}

for (const [fact, steps, expected] of [
  [
    'the first Service announces a prefix',
    [['a', [told('192.0.2.1/32', 0)]]],
    ['spine +192.0.2.1/32', 'tor +192.0.2.1/32'],
  ],
  [
    'the same again is nothing',
    [
      ['a', [told('192.0.2.1/32', 1)]],
      ['a', [told('192.0.2.1/32', 1)]],
    ],
    [],
  ],
  [
    'a second Service with the same prefix is nothing',
    [
      ['a', [told('192.0.2.0/24', 1)]],
      ['b', [told('192.0.2.0/24', 1)]],
    ],
    [],
  ],
  [
    'nor is it when one of the two goes',
    [
      ['a', [told('192.0.2.0/24', 1)]],
      ['b', [told('192.0.2.0/24', 1)]],
      ['a', []],
    ],
    [],
  ],
  [
    'the last that goes withdraws it',
    [
      ['a', [told('192.0.2.0/24', 1)]],
      ['b', [told('192.0.2.0/24', 1)]],
      ['a', []],
      ['b', []],
    ],
    ['tor -192.0.2.0/24'],
  ],
  [
    'two Services with one prefix add their communities',
    [
      ['a', [told('192.0.2.0/24', 1)]],
      ['b', [told('192.0.2.0/24', 2)]],
    ],
    ['spine +192.0.2.0/24 2,3', 'tor +192.0.2.0/24 1,2'],
  ],
  [
    'and take them along',
    [
      ['a', [told('192.0.2.0/24', 1)]],
      ['b', [told('192.0.2.0/24', 2)]],
      ['b', []],
    ],
    ['spine -192.0.2.0/24', 'tor +192.0.2.0/24 1'],
  ],
  [
    'one address for another',
    [
      ['a', [told('192.0.2.1/32', 1), told('2001:db8::1/128', 1)]],
      ['a', [told('192.0.2.2/32', 1), told('2001:db8::1/128', 1)]],
    ],
    ['tor +192.0.2.2/32 1', 'tor -192.0.2.1/32'],
  ],
  [
    'one peer for another',
    [
      ['a', [told('192.0.2.1/32', 1)]],
      ['a', [told('192.0.2.1/32', 3)]],
    ],
    ['spine +192.0.2.1/32 1', 'tor -192.0.2.1/32'],
  ],
  ['withdrawing what was never there is nothing', [['a', []]], []],
] as const satisfies readonly (readonly [
  string,
  readonly (readonly [string, readonly ToldRoute[]])[],
  readonly string[],
])[]) {
  test(fact, () => {
    const table = new RouteTable();
    const changes = steps.map(([service, routes]) => table.set(service, routes));
    assert.deepEqual(inWords(changes.at(-1) ?? new Map()), expected);
  });
}

const anyChange = fc.record({
  service: fc.constantFrom('a', 'b', 'c', 'd'),
  routes: fc.uniqueArray(
    fc.record({
      text: fc.constantFrom('192.0.2.0/24', '192.0.2.1/32', '192.0.2.2/32', '2001:db8::/64', '2001:db8::1/128'),
      telling: fc.nat(tellings.length - 1),
    }),
    { selector: ({ text }) => text, maxLength: 4 },
  ),
});

test('after any history, what peers were told of changes is what all Services say together', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30, size: 'max' }), (history) => {
      const table = new RouteTable();
      const services = new Map<string, readonly ToldRoute[]>();
      const peers = new Map(['tor', 'spine'].map((peer) => [peer, new Map<string, RouteAttributes>()]));
      for (const { service, routes } of history) {
        const given = routes.map(({ text, telling }) => told(text, telling));
        services.set(service, given);
        for (const [peer, { announce, withdraw }] of table.set(service, given)) {
          const has = peers.get(peer);
          assert.ok(has && announce.length + withdraw.length > 0);
          for (const one of withdraw) assert.ok(has.delete(formatPrefix(one)), 'withdraws what was announced');
          for (const one of announce) {
            assert.notEqual(has.get(formatPrefix(one.prefix)), one.attributes, 'says nothing twice');
            has.set(formatPrefix(one.prefix), one.attributes);
          }
        }
        for (const [peer, has] of peers) {
          const expected = combined(peer, [...services.values()].flat());
          assert.deepEqual(sorted(has), sorted(expected));
          const whole = [...table.routesTo(peer)].map((one) => [formatPrefix(one.prefix), one.attributes] as const);
          assert.deepEqual(sorted(whole), sorted(expected));
        }
        assert.equal(table.size, new Set([...services.values()].flat().map((one) => formatPrefix(one.prefix))).size);
        assert.equal(table.has(service), routes.length > 0);
      }
    }),
    { numRuns: 100 },
  );
});

function sorted<T>(entries: Iterable<readonly [string, T]>): readonly (readonly [string, T])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** From nothing. */
function combined(peer: string, routes: readonly ToldRoute[]): ReadonlyMap<string, RouteAttributes> {
  const byPrefix = Map.groupBy(routesTo(peer, routes), (one) => formatPrefix(one.prefix));
  return new Map(
    [...byPrefix].map(([text, several]) => {
      const [first, ...others] = several.map((one) => one.attributes);
      assert.ok(first);
      return [text, mergeAttributes([first, ...others])];
    }),
  );
}

const slices = slicesOf('node-a');

/** Makes the table fit what the policy says of `size` Services. */
function decideAll(table: RouteTable, policy: RoutePolicy, size: number) {
  return Array.from({ length: size }, (_, i) => {
    const decision = policy.decide(serviceAt(`192.0.2.${i}`), slices);
    return table.set(`default/web-${i}`, 'routes' in decision ? decision.routes : []);
  });
}

test('the same configuration, read again, changes nothing', () => {
  const world = { peers: { tor: {}, spine: {} }, advertisements: { a: { communities: ['1:1'] }, b: {} } };
  const table = new RouteTable();
  decideAll(table, policyOf(configOf(world)), 50);
  const again = decideAll(table, policyOf(configOf(world)), 50);
  assert.deepEqual(again.flatMap(inWords), []);
});

test('one Service among many is one route to each of its peers, and nothing of the others', () => {
  const table = new RouteTable();
  const policy = policyOf(
    configOf({ peers: { tor: {}, spine: {} }, advertisements: { a: { aggregationLength: 24 }, b: {} } }),
  );
  decideAll(table, policy, 200);
  const decision = policy.decide(serviceAt('192.0.2.250'), slices);
  assert.ok('routes' in decision);
  assert.deepEqual(inWords(table.set('default/new', decision.routes)), [
    'spine +192.0.2.250/32',
    'tor +192.0.2.250/32',
  ]);
  assert.deepEqual(inWords(table.set('default/new', [])), ['spine -192.0.2.250/32', 'tor -192.0.2.250/32']);
});

test('a drained node tells each route once more, with GRACEFUL_SHUTDOWN and no preference, and then withdraws it', () => {
  const table = new RouteTable();
  decideAll(table, policyOf(configOf()), 3);
  const rib = new AdjRibOut();
  rib.set(table.routesTo('tor'));
  rib.take();
  rib.set(drained(table.routesTo('tor')));
  const { announce, withdraw } = rib.take();
  assert.deepEqual(
    announce.map(({ attributes, prefixes }) => [attributes, prefixes.length]),
    [[{ ...nothing, localPref: 0, communities: [0xffff_0000] }, 3]],
  );
  assert.deepEqual(withdraw, []);
  rib.set([]);
  assert.equal(rib.take().withdraw.length, 3);
});
