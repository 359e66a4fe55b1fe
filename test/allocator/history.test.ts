import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Allocator } from '../../src/allocator/allocator.ts';
import type { Wish } from '../../src/allocator/wish.ts';
import type { Pool } from '../../src/config/config.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';
import { Model } from './model.ts';
import { poolsOf, preferDual, requireDual, shown, wishOf } from './support.ts';

const test = suite('allocator/history');

const poolSets: readonly (readonly Pool[])[] = [
  { a: { addresses: ['192.0.2.0/30', '2001:db8::/127'] } },
  { a: { addresses: ['192.0.1.254-192.0.2.2'], avoidBuggyIPs: true }, b: { addresses: ['2001:db8::/126'] } },
  {
    a: { addresses: ['192.0.2.1/32', '2001:db8::1/128'] },
    b: { addresses: ['192.0.2.2/31'], serviceAllocation: { priority: 2, namespaces: ['shop'] } },
    c: {
      addresses: ['192.0.2.0/32', '2001:db8::/128'],
      serviceAllocation: { priority: 1, namespaces: ['billing', 'shop'] },
    },
  },
  { a: { addresses: ['2001:db8::1/128', '192.0.2.2/31', '2001:db8::/128', '192.0.2.0-192.0.2.1'] } },
  {
    a: { addresses: ['192.0.2.3/32', '192.0.2.1/32', '2001:db8::2/127', '192.0.2.2/32', '2001:db8::/127'] },
    b: { addresses: ['192.0.2.0/32'] },
  },
  { b: { addresses: ['192.0.2.0/30'], autoAssign: false }, c: { addresses: ['2001:db8::/126'] } },
  {},
].map(poolsOf);

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
      addresses: fc.option(
        fc.constantFrom(['192.0.2.0'], ['192.0.2.1'], ['2001:db8::1'], ['2001:db8::1', '192.0.2.1']),
        {
          freq: 4,
          nil: [],
        },
      ),
      pool: fc.option(fc.constantFrom('a', 'b', 'c', 'none'), { freq: 4, nil: undefined }),
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
  .map(({ stack, ...wish }) => wishOf({ ...wish, ...(stack as Partial<Pick<Wish, 'families' | 'familyPolicy'>>) }));

/** Services that meet on one address and come into conflict only over ports. */
const anySharer: fc.Arbitrary<Wish> = fc
  .constantFrom(80, 443, 22)
  .map((port) => wishOf({ sharingKey: 'key', ports: [{ protocol: 'TCP', port }] }));

const service = fc.constantFrom('s1', 's2', 's3', 's4', 's5', 's6');

const anyStep = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant('assign' as const), service, wish: fc.oneof(anyWish, anySharer) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), service }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pools' as const), pools: fc.constantFrom(...poolSets) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

test('after any history every Service has what a plain model gives it, and nobody shares against their will', () => {
  fc.assert(
    fc.property(fc.constantFrom(...poolSets), fc.array(anyStep, { maxLength: 40, size: 'max' }), (pools, steps) => {
      let allocator = new Allocator();
      const model = new Model();
      allocator.setPools(pools);
      model.setPools(pools);
      for (const step of steps) {
        switch (step.do) {
          case 'assign': {
            const expected = model.assign(step.service, step.wish);
            const { outcome, lost } = allocator.assign(step.service, step.wish);
            assert.deepEqual({ outcome: shown(outcome), lost: lost?.refused }, expected);
            break;
          }
          case 'release':
            model.release(step.service);
            allocator.release(step.service);
            break;
          case 'pools':
            assert.deepEqual(
              [...allocator.setPools(step.pools)].map(([lost, why]) => [lost, why.refused]),
              model.setPools(step.pools),
            );
            break;
          case 'restart':
            allocator = restarted(model);
            break;
          default:
            step satisfies never;
        }
        assertConsistent(allocator, model);
      }
    }),
    { numRuns: 2000 },
  );
});

/** A new allocator that has only what stands in the status of the Services. */
function restarted(model: Model): Allocator {
  const allocator = new Allocator();
  allocator.setPools(model.pools);
  for (const [service, { wish, addresses, pool }] of model.held) {
    assert.deepEqual(allocator.adopt(service, wish, addresses), { pool, addresses });
  }
  return allocator;
}

function assertConsistent(allocator: Allocator, model: Model): void {
  const users = new Map<string, string[]>();
  for (const [service, { wish, addresses, pool }] of model.held) {
    assert.deepEqual(allocator.assignment(service), { pool, addresses });
    for (const address of addresses) {
      const text = formatAddress(address);
      users.set(text, [...(users.get(text) ?? []), service]);
      assert.ok(allocator.holders(address).includes(service));
      assert.equal(allocator.holders(address).length, model.holders(address).length);
      assert.equal(model.conflict(address, service, wish), undefined);
    }
  }
  for (const pool of model.pools) {
    const { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6 } = allocator.counters().get(pool.name)!;
    const usable = model.usable(pool);
    const used = usable.filter((address) => users.has(formatAddress(address)));
    const count = (list: typeof usable, family: number) => list.filter((address) => address.family === family).length;
    assert.deepEqual([assignedIPv4, assignedIPv6], [count(used, 4), count(used, 6)]);
    assert.deepEqual(
      [assignedIPv4 + availableIPv4, assignedIPv6 + availableIPv6],
      [count(usable, 4), count(usable, 6)],
    );
  }
}
