import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import type { Pool } from '../../src/config/config.ts';
import { suite } from '../support/suite.ts';
import { address, poolsOf, preferDual, range, reservationOf, shown, tcp, wishOf } from './support.ts';

const test = suite('allocator/withheld');

const four = { a: { addresses: ['192.0.2.0/30'] } };

function allocatorOf(annotated: Partial<Pool>, specs: Record<string, object> = four): Allocator {
  const allocator = new Allocator();
  allocator.setPools(poolsOf(specs, { a: annotated }), 0);
  return allocator;
}

const assign = (allocator: Allocator, service: string, now = 0, wish = wishOf()) =>
  shown(allocator.assign(service, wish, now).outcome);

const available = (allocator: Allocator) => allocator.counters('a')?.availableIPv4;

test('excluded addresses are never given, asked for or not, and do not count', () => {
  const excluded = ['192.0.1.0-192.0.2.0', '192.0.2.2/32', '192.0.2.9/32'].map(range);
  const allocator = allocatorOf({ excluded });
  assert.equal(available(allocator), 2);
  assert.equal(assign(allocator, 'x', 0, wishOf({ addresses: ['192.0.2.2'] })), 'address-excluded');
  assert.deepEqual(
    ['x', 'y', 'z'].map((service) => assign(allocator, service)),
    ['a: 192.0.2.1', 'a: 192.0.2.3', 'exhausted'],
  );
});

test('an address that comes to be excluded is taken away', () => {
  const allocator = allocatorOf({});
  assign(allocator, 'x');
  const lost = allocator.setPools(poolsOf(four, { a: { excluded: [range('192.0.2.0/32')] } }), 0);
  assert.match(lost.get('x')?.detail ?? '', /pool a excludes 192\.0\.2\.0 \(garpoon\.io\/exclude-addresses\)/);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.1');
});

for (const [name, ranges, usable] of [
  ['nothing', ['192.0.3.0/24'], 4],
  ['the beginning', ['192.0.2.0/31'], 2],
  ['the end', ['192.0.2.3/32'], 3],
  ['the middle', ['192.0.2.1-192.0.2.2'], 2],
  ['all', ['192.0.2.0/24'], 0],
  ['two holes', ['192.0.2.0/32', '192.0.2.2/32'], 2],
] as const) {
  test(`a pool of which ${name} is excluded has ${usable} addresses`, () => {
    assert.equal(available(allocatorOf({ excluded: ranges.map(range) })), usable);
  });
}

test('a /64 without its first /65 begins with the second', () => {
  const excluded = [range('2001:db8::/65')];
  const allocator = allocatorOf({ excluded }, { a: { addresses: ['2001:db8::/64'] } });
  assert.equal(assign(allocator, 'x', 0, wishOf({ families: [6] })), 'a: 2001:db8:0:0:8000::');
});

test('the address of a node is given to nobody, and is when the node has gone', () => {
  const allocator = allocatorOf({ excludeNodeAddresses: true });
  allocator.setNodeAddresses(['192.0.2.0', '192.0.2.1', '198.51.100.1'].map(address), 0);
  assert.equal(available(allocator), 2);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.2');
  assert.equal(assign(allocator, 'y', 0, wishOf({ addresses: ['192.0.2.1'] })), 'node-address');
  allocator.setNodeAddresses([address('192.0.2.0')], 0);
  assert.deepEqual(allocator.takeCalled(0), ['y']);
  assert.equal(assign(allocator, 'y', 0, wishOf({ addresses: ['192.0.2.1'] })), 'a: 192.0.2.1');
});

test('a Service keeps its address when a node comes that has it, and nobody comes to share it', () => {
  const allocator = allocatorOf({ excludeNodeAddresses: true });
  const sharer = wishOf({ sharingKey: 'k', ports: tcp(80) });
  assign(allocator, 'x', 0, sharer);
  allocator.setNodeAddresses([address('192.0.2.0')], 0);
  assert.equal(assign(allocator, 'x', 0, sharer), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'y', 0, { ...sharer, ports: tcp(443) }), 'a: 192.0.2.1');
  assert.deepEqual(allocator.counters('a')?.assignedIPv4, 2);
});

test('nodes do not matter to a pool that does not ask for it', () => {
  const allocator = allocatorOf({});
  allocator.setNodeAddresses([address('192.0.2.0')], 0);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.0');
});

test('the addresses of nodes are still excluded after the pool has changed', () => {
  const allocator = allocatorOf({ excludeNodeAddresses: true });
  allocator.setNodeAddresses([address('192.0.2.0')], 0);
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/24'] } }, { a: { excludeNodeAddresses: true } }), 0);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.1');
});

const minute = 60_000;

test('a released address is given to nobody else until the cool-down is over, and to the same Service at once', () => {
  const allocator = allocatorOf({ coolDown: minute });
  assign(allocator, 'x');
  allocator.release('x', 1_000);
  assert.equal(allocator.nextRelease(), 61_000);
  assert.equal(available(allocator), 3);
  assert.equal(assign(allocator, 'y', 2_000), 'a: 192.0.2.1');
  const asking = wishOf({ addresses: ['192.0.2.0'] });
  assert.equal(assign(allocator, 'z', 2_000, asking), 'cooling-down');
  assert.equal(assign(allocator, 'x', 3_000), 'a: 192.0.2.0');
  assert.equal(allocator.nextRelease(), undefined);
  allocator.release('x', 4_000);
  assert.deepEqual(allocator.takeCalled(63_999), []);
  assert.deepEqual(allocator.takeCalled(64_000), ['z']);
  assert.equal(assign(allocator, 'z', 64_000, asking), 'a: 192.0.2.0');
});

test('a Service that moves leaves its address to cool down, and one that stays does not', () => {
  const allocator = allocatorOf({ coolDown: minute });
  assign(allocator, 'x');
  assign(allocator, 'x', 1_000, wishOf(preferDual));
  assert.equal(allocator.nextRelease(), undefined);
  assign(allocator, 'x', 1_000, wishOf({ addresses: ['192.0.2.3'] }));
  assert.equal(allocator.nextRelease(), 61_000);
  assert.equal(assign(allocator, 'y', 1_000), 'a: 192.0.2.1');
});

test('a shared address cools down when the last Service has left it', () => {
  const allocator = allocatorOf({ coolDown: minute });
  const sharer = (port: number) => wishOf({ sharingKey: 'k', ports: tcp(port) });
  assign(allocator, 'x', 0, sharer(80));
  assign(allocator, 'y', 0, sharer(443));
  allocator.release('x', 1_000);
  assert.equal(allocator.nextRelease(), undefined);
  assert.equal(assign(allocator, 'z', 1_000, sharer(80)), 'a: 192.0.2.0');
  allocator.release('z', 2_000);
  allocator.release('y', 3_000);
  assert.equal(allocator.nextRelease(), 63_000);
  assert.equal(assign(allocator, 'z', 3_000, sharer(80)), 'a: 192.0.2.1');
});

for (const [name, coolDown, next] of [
  ['longer', 2 * minute, 120_000],
  ['shorter', minute / 2, 30_000],
  ['over', 1, undefined],
  ['none', 0, undefined],
] as const) {
  test(`a cool-down under way is ${name} when the pool says so`, () => {
    const allocator = allocatorOf({ coolDown: minute });
    assign(allocator, 'x');
    allocator.release('x', 0);
    allocator.setPools(poolsOf(four, { a: { coolDown } }), 1_000);
    assert.equal(allocator.nextRelease(), next);
    assert.equal(assign(allocator, 'y', 1_000), next === undefined ? 'a: 192.0.2.0' : 'a: 192.0.2.1');
  });
}

test('a pool that is drained gives out nothing, counts nothing as left, and takes nothing away', () => {
  const allocator = allocatorOf({});
  assign(allocator, 'x');
  allocator.setPools(poolsOf(four, { a: { draining: true } }), 0);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'y'), 'pool-draining');
  assert.equal(assign(allocator, 'y', 0, wishOf({ addresses: ['192.0.2.1'] })), 'pool-draining');
  assert.equal(assign(allocator, 'y', 0, wishOf({ pool: 'a' })), 'pool-draining');
  const { assignedIPv4, availableIPv4, totalIPv4 } = allocator.counters('a')!;
  assert.deepEqual({ assignedIPv4, availableIPv4, totalIPv4 }, { assignedIPv4: 1, availableIPv4: 0, totalIPv4: 4 });
});

test('a Service of a drained pool moves to none, and is given one of another pool when it comes anew', () => {
  const allocator = allocatorOf({ draining: true }, { ...four, b: { addresses: ['198.51.100.0/24'] } });
  allocator.adopt('x', wishOf(), [address('192.0.2.3')], 0);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.3');
  allocator.release('x', 0);
  assert.equal(assign(allocator, 'x'), 'b: 198.51.100.0');
});

test('in a pool where sharing is confined to namespaces, a key is not known in another', () => {
  const allocator = allocatorOf({ sharingScope: 'namespace' });
  const sharer = (namespace: string, port: number) => wishOf({ namespace, sharingKey: 'k', ports: tcp(port) });
  assert.equal(assign(allocator, 'shop/x', 0, sharer('shop', 80)), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'billing/y', 0, sharer('billing', 443)), 'a: 192.0.2.1');
  assert.equal(assign(allocator, 'shop/z', 0, sharer('shop', 443)), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'billing/w', 0, sharer('billing', 80)), 'a: 192.0.2.1');
});

test('when sharing comes to be confined to namespaces, who was first on the address keeps it', () => {
  const allocator = allocatorOf({});
  const sharer = (namespace: string, port: number) => wishOf({ namespace, sharingKey: 'k', ports: tcp(port) });
  assign(allocator, 'shop/x', 0, sharer('shop', 80));
  assign(allocator, 'billing/y', 0, sharer('billing', 443));
  const lost = allocator.setPools(poolsOf(four, { a: { sharingScope: 'namespace' } }), 0);
  assert.deepEqual([...lost.keys()], ['billing/y']);
  assert.equal(assign(allocator, 'billing/y', 0, sharer('billing', 443)), 'a: 192.0.2.1');
});

const reserved = (service: string, ...addresses: readonly string[]) => reservationOf({ service, addresses });

test('a reserved address is given to its Service alone, also when that asks for nothing', () => {
  const allocator = allocatorOf({});
  allocator.setReservations([reserved('x', '192.0.2.2')], 0);
  assert.equal(available(allocator), 3);
  assert.deepEqual(
    ['u', 'v'].map((service) => assign(allocator, service)),
    ['a: 192.0.2.0', 'a: 192.0.2.1'],
  );
  assert.equal(assign(allocator, 'w', 0, wishOf({ addresses: ['192.0.2.2'] })), 'address-reserved');
  assert.equal(assign(allocator, 'w'), 'a: 192.0.2.3');
  assert.equal(assign(allocator, 'y'), 'exhausted');
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.2');
  allocator.release('x', 0);
  assert.deepEqual(allocator.takeCalled(0), []);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.2');
});

test('a reserved address goes before every pool, and is given though the pool is not automatic', () => {
  const specs = { ...four, manual: { addresses: ['198.51.100.0/24'], autoAssign: false } };
  const allocator = allocatorOf({}, specs);
  allocator.setReservations([reserved('x', '198.51.100.7')], 0);
  assert.equal(assign(allocator, 'x'), 'manual: 198.51.100.7');
});

test('a restriction of the pool holds for reserved addresses, too', () => {
  const allocator = allocatorOf(
    {},
    {
      ...four,
      other: { addresses: ['198.51.100.0/24'], serviceAllocation: { namespaces: ['billing'] } },
    },
  );
  allocator.setReservations([reserved('x', '198.51.100.7')], 0);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.0');
});

test('who has an address that comes to be reserved for another keeps it, and that one is called when it goes', () => {
  const allocator = allocatorOf({});
  assign(allocator, 'u');
  allocator.setReservations([reserved('x', '192.0.2.0')], 0);
  assert.equal(assign(allocator, 'u'), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'x', 0, wishOf({ addresses: ['192.0.2.0'] })), 'in-use');
  assert.equal(allocator.reservation('held')?.obstacle, '192.0.2.0 is in use by u');
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['x']);
});

test('nobody shares a reserved address but those for whom it is reserved', () => {
  const allocator = allocatorOf({});
  const sharer = (port: number) => wishOf({ sharingKey: 'k', ports: tcp(port) });
  const list = [reserved('x', '192.0.2.0'), { ...reserved('y', '192.0.2.0'), name: 'second' }];
  allocator.setReservations(list, 0);
  assert.equal(assign(allocator, 'x', 0, sharer(80)), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'z', 0, sharer(443)), 'a: 192.0.2.1');
  assert.equal(assign(allocator, 'y', 0, sharer(443)), 'a: 192.0.2.0');
});

test('a reservation that ends frees its address, unless it retains it beyond the end of the Service', () => {
  for (const [retainFor, then] of [
    [0, 'a: 192.0.2.0'],
    [minute, 'a: 192.0.2.1'],
  ] as const) {
    const allocator = allocatorOf({});
    allocator.setReservations([{ ...reserved('x', '192.0.2.0'), retainFor }], 0);
    assign(allocator, 'x');
    allocator.release('x', 1_000);
    allocator.setReservations([], 2_000);
    assert.equal(assign(allocator, 'y', 3_000), then);
    assert.equal(assign(allocator, 'z', 61_000), retainFor === 0 ? 'a: 192.0.2.1' : 'a: 192.0.2.0');
  }
});

for (const [name, specs, reservation, found] of [
  ['of the first pool that is for everybody', four, {}, ['192.0.2.0']],
  [
    'of each family that the pool has',
    { a: { addresses: ['192.0.2.0/30', '2001:db8::/64'] } },
    {},
    ['192.0.2.0', '2001:db8::'],
  ],
  [
    'of the families that it names',
    { a: { addresses: ['192.0.2.0/30', '2001:db8::/64'] } },
    { families: [6] },
    ['2001:db8::'],
  ],
  [
    'of the pool that it names',
    { ...four, b: { addresses: ['198.51.100.0/24'], autoAssign: false } },
    { pool: 'b' },
    ['198.51.100.0'],
  ],
] as const) {
  test(`a reservation that names no address is given one ${name}, and its Service has that when it comes`, () => {
    const allocator = allocatorOf({}, specs);
    allocator.setReservations([reservationOf({ service: 'x', ...reservation })], 0);
    const addresses = allocator.reservation('held')?.addresses.map((one) => one.address);
    assert.deepEqual(addresses, found.map(address));
    const wish = wishOf(found.length === 2 ? preferDual : { families: [addresses?.[0]?.family ?? 4] });
    const { outcome } = allocator.assign('x', wish, 5);
    assert.deepEqual('addresses' in outcome && outcome.addresses.map((one) => one.address), found.map(address));
    const { holder, since, obstacle } = allocator.reservation('held')!;
    assert.deepEqual({ holder, since, obstacle }, { holder: 'x', since: 5, obstacle: undefined });
  });
}

test('a reservation that names no address is for what its Service has already', () => {
  const allocator = allocatorOf({});
  assign(allocator, 'u');
  assign(allocator, 'x');
  allocator.setReservations([reservationOf({ service: 'x' })], 0);
  allocator.release('x', 0);
  allocator.release('u', 0);
  assert.equal(assign(allocator, 'y'), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'z'), 'a: 192.0.2.2');
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.1');
});

test('a reservation for which there is no address waits for one, and goes before the Services that wait', () => {
  const allocator = allocatorOf({}, { a: { addresses: ['192.0.2.0/32'] } });
  assign(allocator, 'u');
  assert.equal(assign(allocator, 'v'), 'exhausted');
  allocator.setReservations([reservationOf({ service: 'x' })], 0);
  assert.equal(allocator.reservation('held')?.obstacle, 'pool a is full: 1 of 1 in use');
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), []);
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.0');
});

test('an address that was found for a reservation is known after a restart', () => {
  const allocator = allocatorOf({});
  allocator.setReservations([reservationOf({ service: 'x' })], 0, new Map([['held', [address('192.0.2.3')]]]));
  assert.equal(assign(allocator, 'x'), 'a: 192.0.2.3');
});

test('a reservation follows its pool, and finds another address when the pool no longer has the one it found', () => {
  const allocator = allocatorOf({});
  allocator.setReservations([reservationOf({ service: 'x' }), { ...reserved('y', '192.0.2.3'), name: 'fixed' }], 0);
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.1-192.0.2.3'] } }), 0);
  assert.deepEqual(allocator.reservation('held')?.addresses, [{ address: address('192.0.2.1'), pool: 'a' }]);
  allocator.setPools(poolsOf({ z: { addresses: ['192.0.2.1/32'] } }), 0);
  assert.equal(allocator.reservation('fixed')?.obstacle, '192.0.2.3 is in no pool');
  assert.deepEqual(allocator.reservation('held')?.addresses, [{ address: address('192.0.2.1'), pool: 'z' }]);
  assert.equal(assign(allocator, 'u'), 'exhausted');
  assert.equal(assign(allocator, 'x'), 'z: 192.0.2.1');
});
