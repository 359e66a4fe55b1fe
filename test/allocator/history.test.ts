import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Allocator } from '../../src/allocator/allocator.ts';
import type { Wish } from '../../src/allocator/wish.ts';
import type { Pool, Reservation } from '../../src/config/config.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';
import { Model } from './model.ts';
import { address, poolsOf, preferDual, range, requireDual, reservationOf, shown, wishOf } from './support.ts';

const test = suite('allocator/history');

const poolSets: readonly (readonly Pool[])[] = [
  poolsOf({ a: { addresses: ['192.0.2.0/30', '2001:db8::/127'] } }),
  poolsOf({ a: { addresses: ['192.0.2.0/30', '2001:db8::/127'] } }, { a: { coolDown: 20 } }),
  poolsOf({
    a: { addresses: ['192.0.1.254-192.0.2.2'], avoidBuggyIPs: true },
    b: { addresses: ['2001:db8::/126'] },
  }),
  poolsOf(
    {
      a: { addresses: ['192.0.2.1/32', '2001:db8::1/128'] },
      b: { addresses: ['192.0.2.2/31'], serviceAllocation: { priority: 2, namespaces: ['shop'] } },
      c: {
        addresses: ['192.0.2.0/32', '2001:db8::/128'],
        serviceAllocation: { priority: 1, namespaces: ['billing', 'shop'] },
      },
    },
    { b: { coolDown: 5 }, c: { sharingScope: 'namespace' } },
  ),
  poolsOf({ a: { addresses: ['2001:db8::1/128', '192.0.2.2/31', '2001:db8::/128', '192.0.2.0-192.0.2.1'] } }),
  poolsOf(
    {
      a: { addresses: ['192.0.2.3/32', '192.0.2.1/32', '2001:db8::2/127', '192.0.2.2/32', '2001:db8::/127'] },
      b: { addresses: ['192.0.2.0/32'] },
    },
    {
      a: { excluded: [range('192.0.2.1/32'), range('2001:db8::3/128')], excludeNodeAddresses: true },
      b: { excludeNodeAddresses: true },
    },
  ),
  poolsOf({ b: { addresses: ['192.0.2.0/30'], autoAssign: false }, c: { addresses: ['2001:db8::/126'] } }),
  poolsOf(
    { a: { addresses: ['192.0.2.0/31', '2001:db8::/127'] }, b: { addresses: ['192.0.2.2/31', '2001:db8::2/127'] } },
    { a: { draining: true }, b: { sharingScope: 'namespace', coolDown: 10 } },
  ),
  poolsOf(
    { a: { addresses: ['192.0.2.0/29', '2001:db8::/125'] } },
    { a: { excludeNodeAddresses: true, excluded: [range('192.0.2.2-192.0.2.4')] } },
  ),
  [],
];

/** Some that are in pools, and one that never is. */
const anyWanted = fc.shuffledSubarray(
  ['192.0.2.0', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '198.18.9.9'],
  { minLength: 1, maxLength: 4 },
);

const anyWish: fc.Arbitrary<Wish> = fc
  .record(
    {
      namespace: fc.constantFrom('shop', 'billing'),
      stack: fc.constantFrom(
        { families: [4] },
        { families: [6] },
        preferDual,
        { ...preferDual, families: [6, 4] },
        requireDual,
      ),
      byName: fc.oneof(
        { weight: 3, arbitrary: fc.constant({}) },
        {
          weight: 2,
          arbitrary: fc
            .constantFrom(['192.0.2.0'], ['192.0.2.1'], ['2001:db8::1'], ['2001:db8::1', '192.0.2.1'])
            .map((addresses) => ({ addresses })),
        },
        { weight: 3, arbitrary: anyWanted.map((wanted) => ({ wanted })) },
      ),
      count: fc.constantFrom(1, 1, 1, 2, 3, 4),
      where: fc.oneof(
        { weight: 4, arbitrary: fc.constant({}) },
        { weight: 1, arbitrary: fc.constantFrom('a', 'b', 'c', 'none').map((pool) => ({ pool })) },
        { weight: 1, arbitrary: fc.constantFrom(['a', 'b'], ['c', 'none', 'b'], ['b']).map((pools) => ({ pools })) },
      ),
      sharingKey: fc.constantFrom(undefined, '', 'key', 'key', 'key', 'other'),
      backend: fc.constantFrom('', '', '', 'app=x'),
      ports: fc.subarray([
        { protocol: 'TCP', port: 80 },
        { protocol: 'UDP', port: 80 },
        { protocol: 'TCP', port: 443 },
      ]),
    },
    { noNullPrototype: true },
  )
  .map(({ stack, where, byName, ...wish }) => {
    const { families, familyPolicy } = stack as Pick<Wish, 'families' | 'familyPolicy'>;
    const { addresses = [], wanted = [] }: { addresses?: readonly string[]; wanted?: readonly string[] } = byName;
    const ofFamilies = wanted.filter((text) => families.includes(address(text).family));
    const most = Math.max(
      ...[4, 6].map((family) => ofFamilies.filter((text) => address(text).family === family).length),
    );
    const policy = familyPolicy === undefined ? {} : { familyPolicy };
    return wishOf({
      ...wish,
      ...where,
      ...policy,
      families,
      addresses,
      wanted: ofFamilies,
      count: Math.max(wish.count, most),
    });
  });

/** Services that meet on one address and come into conflict only over ports. */
const anySharer: fc.Arbitrary<Wish> = fc
  .constantFrom(80, 443, 22)
  .map((port) => wishOf({ sharingKey: 'key', ports: [{ protocol: 'TCP', port }] }));

const service = fc.constantFrom('s1', 's2', 's3', 's4', 's5', 's6');

const anyNodes = fc.subarray(['192.0.2.0', '192.0.2.1', '2001:db8::']).map((texts) => texts.map(address));

const anyReservations: fc.Arbitrary<readonly Reservation[]> = fc
  .uniqueArray(
    fc.record(
      {
        name: fc.constantFrom('r1', 'r2'),
        service,
        addresses: fc.subarray(['192.0.2.0', '192.0.2.3', '2001:db8::1'], { minLength: 1 }),
        retainFor: fc.constantFrom(0, 15),
      },
      { noNullPrototype: true },
    ),
    { maxLength: 2, selector: ({ name }) => name },
  )
  .map((list) => list.map(reservationOf));

const anyStep = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant('assign' as const), service, wish: fc.oneof(anyWish, anySharer) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('count' as const), service, count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), service }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pools' as const), pools: fc.constantFrom(...poolSets) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), passes: fc.constantFrom(1, 6, 30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('nodes' as const), nodes: anyNodes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reservations' as const), list: anyReservations }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

test('after any history every Service has what a plain model gives it, and nobody who waits could be helped', () => {
  fc.assert(
    fc.property(fc.constantFrom(...poolSets), fc.array(anyStep, { maxLength: 40, size: 'max' }), (pools, steps) => {
      const history = new History(pools);
      for (const step of steps) history.take(step);
    }),
    { numRuns: 1500 },
  );
}, 120_000);

/** An allocator and the model, side by side, with the Services and what they ask for. */
class History {
  readonly #model = new Model();
  readonly #wishes = new Map<string, Wish>();
  #allocator = new Allocator();

  constructor(pools: readonly Pool[]) {
    this.#allocator.setPools(pools, 0);
    this.#model.setPools(pools);
  }

  take(step: Step): void {
    const model = this.#model;
    switch (step.do) {
      case 'assign':
        this.#assign(step.service, step.wish);
        break;
      case 'count':
        this.#recount(step.service, step.count);
        break;
      case 'release':
        this.#wishes.delete(step.service);
        model.release(step.service);
        this.#allocator.release(step.service, model.now);
        break;
      case 'pools': {
        const lost = this.#allocator.setPools(step.pools, model.now);
        const reasons = [...lost].map(([service, why]) => [service, why.refused]);
        assert.deepEqual(reasons, model.setPools(step.pools));
        this.#assertConsistent();
        this.#assignAll();
        break;
      }
      case 'time':
        model.passTime(step.passes);
        break;
      case 'nodes':
        model.nodes = step.nodes;
        this.#allocator.setNodeAddresses(step.nodes, model.now);
        break;
      case 'reservations':
        model.reservations = step.list;
        this.#allocator.setReservations(step.list, model.now);
        break;
      case 'restart':
        this.#restart();
        this.#assignAll();
        break;
      default:
        step satisfies never;
    }
    for (let called = this.#called(); called.length > 0; called = this.#called()) {
      for (const service of called) this.#assign(service, this.#wishes.get(service)!);
    }
    this.#assertConsistent();
    this.#assertNobodyWaitsInVain();
  }

  #called(): readonly string[] {
    return this.#allocator.takeCalled(this.#model.now);
  }

  #assignAll(): void {
    for (const [service, wish] of this.#wishes) this.#assign(service, wish);
  }

  #assign(service: string, wish: Wish): void {
    this.#wishes.set(service, wish);
    const expected = this.#model.assign(service, wish);
    const { outcome, lost, missing } = this.#allocator.assign(service, wish, this.#model.now);
    assert.deepEqual({ outcome: shown(outcome), lost: lost?.refused, missing: missing !== undefined }, expected);
  }

  /** The Service asks for another number of addresses, and for the same otherwise: it keeps the others. */
  #recount(service: string, count: number): void {
    const wish = this.#wishes.get(service);
    if (!wish || wish.addresses.length > 0) return;
    const isWanted = (text: string) => wish.wanted.map(formatAddress).includes(text);
    const textsOf = () => this.#model.held.get(service)?.places.map(({ address }) => formatAddress(address)) ?? [];
    const before = textsOf();
    const ofFamily = (family: number) => wish.wanted.filter((address) => address.family === family).length;
    const now = Math.max(count, ofFamily(4), ofFamily(6));
    this.#assign(service, { ...wish, count: now });
    const after = textsOf();
    if (now >= wish.count) assert.deepEqual(after.slice(0, before.length), before);
    if (now >= wish.count || wish.families.length > 1) return;
    let chosen = now - wish.wanted.length;
    const kept = before.filter((text) => isWanted(text) || chosen-- > 0);
    if (kept.length > 0) assert.deepEqual(after, kept);
  }

  /** A new allocator that has only what stands in the status of the Services. */
  #restart(): void {
    const model = this.#model;
    this.#allocator = new Allocator();
    model.kept.clear();
    this.#allocator.setPools(model.pools, model.now);
    this.#allocator.setNodeAddresses(model.nodes, model.now);
    for (const [service, { wish, places }] of model.held) {
      const addresses = places.map((place) => place.address);
      assert.deepEqual(this.#allocator.adopt(service, wish, addresses, model.now).outcome, { addresses: places });
    }
    this.#allocator.setReservations(model.reservations, model.now);
  }

  #assertConsistent(): void {
    const allocator = this.#allocator;
    const model = this.#model;
    const users = new Set<string>();
    for (const [service, { wish, places }] of model.held) {
      assert.deepEqual(allocator.assignment(service), { addresses: places });
      for (const { address, pool } of places) {
        users.add(formatAddress(address));
        assert.ok(allocator.holders(address).includes(service));
        assert.equal(allocator.holders(address).length, model.holders(address).length);
        assert.equal(model.conflict(model.pools.find(({ name }) => name === pool)!, address, service, wish), undefined);
      }
    }
    for (const pool of model.pools) {
      const counters = allocator.counters(pool.name);
      const count = (list: { family: number }[], family: number) => list.filter((one) => one.family === family).length;
      const usable = model.usable(pool);
      const used = usable.filter((address) => users.has(formatAddress(address)));
      assert.deepEqual(counters, {
        assignedIPv4: count(used, 4),
        assignedIPv6: count(used, 6),
        availableIPv4: count(model.available(pool), 4),
        availableIPv6: count(model.available(pool), 6),
        totalIPv4: count(usable, 4),
        totalIPv6: count(usable, 6),
      });
      const listed = allocator.assignments(pool.name, 500).map(({ address }) => formatAddress(address));
      assert.deepEqual(listed.toSorted(), used.map(formatAddress).toSorted());
    }
  }

  #assertNobodyWaitsInVain(): void {
    for (const [service, wish] of this.#wishes) {
      const before = this.#model.held.get(service)?.places.length ?? 0;
      const copy = this.#model.copy();
      copy.assign(service, wish);
      const after = copy.held.get(service)?.places.length ?? 0;
      assert.equal(after, before, `${service} would have ${after} addresses and has ${before}`);
    }
  }
}
