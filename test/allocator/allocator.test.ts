import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import type { Wish } from '../../src/allocator/wish.ts';
import { parseServiceWish } from '../../src/api/service-wish.ts';
import { suite } from '../support/suite.ts';
import { address, poolsOf, preferDual, requireDual, shown, wishOf } from './support.ts';

const test = suite('allocator/allocator');

function allocatorOf(specs: Readonly<Record<string, object>>): Allocator {
  const allocator = new Allocator();
  allocator.setPools(poolsOf(specs), 0);
  return allocator;
}

const assign = (allocator: Allocator, service: string, wish: Wish = wishOf()) =>
  shown(allocator.assign(service, wish, 0).outcome);

const dual = { addresses: ['192.0.2.0/30', '2001:db8::/126'] };
const outOfOrder = { addresses: ['2001:db8::8/125', '192.0.2.8-192.0.2.9', '2001:db8::/125', '192.0.2.0/31'] };

for (const [name, specs, wish, expected] of [
  ['the lowest address of the first range', { a: outOfOrder }, wishOf(), 'a: 192.0.2.8'],
  [
    'the lowest address of the first range of each family',
    { a: outOfOrder },
    wishOf(preferDual),
    'a: 192.0.2.8 2001:db8::8',
  ],
  [
    'an address of the next range where the first has none',
    { a: { addresses: ['192.0.2.255/32', '192.0.1.0/30'], avoidBuggyIPs: true } },
    wishOf(),
    'a: 192.0.1.1',
  ],
  [
    'an address of the first pool by name',
    { b: dual, a: { addresses: ['198.51.100.0/24'] } },
    wishOf(),
    'a: 198.51.100.0',
  ],
  ['an IPv6 address', { a: dual }, wishOf({ families: [6] }), 'a: 2001:db8::'],
  [
    'the pool that has its family',
    { a: { addresses: ['192.0.2.8/30'] }, b: dual },
    wishOf({ families: [6] }),
    'b: 2001:db8::',
  ],
  ['two addresses, IPv4 first', { a: dual }, wishOf({ ...requireDual, families: [6, 4] }), 'a: 192.0.2.0 2001:db8::'],
  [
    'two addresses of one pool',
    { a: { addresses: ['192.0.2.8/30'] }, b: dual },
    wishOf(preferDual),
    'b: 192.0.2.0 2001:db8::',
  ],
  ['one address where two are preferred', { a: { addresses: ['192.0.2.8/30'] } }, wishOf(preferDual), 'a: 192.0.2.8'],
  [
    'the primary family where pools have one each',
    { a: { addresses: ['192.0.2.8/30'] }, b: { addresses: ['2001:db8::/126'] } },
    wishOf({ ...preferDual, families: [6, 4] }),
    'b: 2001:db8::',
  ],
  [
    'nothing where two families are required and pools have one each',
    { a: { addresses: ['192.0.2.8/30'] }, b: { addresses: ['2001:db8::/126'] } },
    wishOf(requireDual),
    'exhausted',
  ],
  [
    'one address where the cluster gave it one family',
    { a: dual },
    wishOf({ ...preferDual, families: [4] }),
    'a: 192.0.2.0',
  ],
  ['the address it asks for', { a: dual }, wishOf({ addresses: ['192.0.2.2'] }), 'a: 192.0.2.2'],
  [
    'addresses in the order it asks for',
    { a: dual },
    wishOf({ ...requireDual, addresses: ['2001:db8::3', '192.0.2.2'] }),
    'a: 2001:db8::3 192.0.2.2',
  ],
  ['no address outside of the pools', { a: dual }, wishOf({ addresses: ['192.0.2.200'] }), 'not-in-pool'],
  [
    'no addresses of two pools',
    { a: { addresses: ['192.0.2.8/30'] }, b: { addresses: ['2001:db8::/126'] } },
    wishOf({ ...requireDual, addresses: ['192.0.2.8', '2001:db8::'] }),
    'not-in-pool',
  ],
  [
    'no address of a pool that it does not ask for',
    { a: dual },
    wishOf({ addresses: ['192.0.2.2'], pool: 'b' }),
    'other-pool',
  ],
  ['no address of another family', { a: dual }, wishOf({ addresses: ['2001:db8::1'] }), 'family-mismatch'],
  [
    'an address of the pool it asks for',
    { a: dual, b: { addresses: ['198.51.100.0/24'] } },
    wishOf({ pool: 'b' }),
    'b: 198.51.100.0',
  ],
  ['nothing of a pool that does not exist', { a: dual }, wishOf({ pool: 'b' }), 'no-such-pool'],
  [
    'nothing from a pool without its family',
    { a: { addresses: ['192.0.2.8/30'] } },
    wishOf({ pool: 'a', families: [6] }),
    'exhausted',
  ],
  ['nothing without pools', {}, wishOf(), 'no-pool'],
  ['nothing from a pool that is not automatic', { a: { ...dual, autoAssign: false } }, wishOf(), 'no-pool'],
  [
    'a pool that is not automatic, by name',
    { a: { ...dual, autoAssign: false } },
    wishOf({ pool: 'a' }),
    'a: 192.0.2.0',
  ],
  [
    'an address of it, by address',
    { a: { ...dual, autoAssign: false } },
    wishOf({ addresses: ['192.0.2.1'] }),
    'a: 192.0.2.1',
  ],
  [
    'no avoided address',
    { a: { addresses: ['192.0.1.255-192.0.2.1'], avoidBuggyIPs: true } },
    wishOf(),
    'a: 192.0.2.1',
  ],
  [
    'no avoided address that it asks for',
    { a: { ...dual, avoidBuggyIPs: true } },
    wishOf({ addresses: ['192.0.2.0'] }),
    'address-avoided',
  ],
  [
    'nothing where every address is avoided',
    { a: { addresses: ['192.0.1.255-192.0.2.0'], avoidBuggyIPs: true } },
    wishOf(),
    'exhausted',
  ],
  [
    'an IPv6 address that ends in zeros',
    { a: { ...dual, avoidBuggyIPs: true } },
    wishOf({ families: [6] }),
    'a: 2001:db8::',
  ],
] as const) {
  test(`a Service is given ${name}`, () => assert.equal(assign(allocatorOf(specs), 'shop/web', wish), expected));
}

const open = { addresses: ['192.0.2.0/24'] };
const restricted = (serviceAllocation: object) => ({ addresses: ['198.51.100.0/24'], serviceAllocation });
const selector = (key: string, value: string) => [{ matchLabels: { [key]: value } }];

for (const [name, specs, wish, expected] of [
  ['a namespace by name', { a: open, b: restricted({ namespaces: ['shop'] }) }, wishOf(), 'b: 198.51.100.0'],
  [
    'a namespace by label',
    { a: open, b: restricted({ namespaceSelectors: selector('team', 'web') }) },
    wishOf({ namespaceLabels: { team: 'web' } }),
    'b: 198.51.100.0',
  ],
  [
    'a Service by label',
    { a: open, b: restricted({ serviceSelectors: selector('tier', 'web') }) },
    wishOf({ labels: { tier: 'web' } }),
    'b: 198.51.100.0',
  ],
  ['everybody, by an empty serviceAllocation', { a: open, b: restricted({}) }, wishOf(), 'b: 198.51.100.0'],
  ['another namespace', { a: open, b: restricted({ namespaces: ['billing'] }) }, wishOf(), 'a: 192.0.2.0'],
  [
    'a label that no namespace has',
    { a: open, b: restricted({ namespaceSelectors: selector('team', 'db') }) },
    wishOf(),
    'a: 192.0.2.0',
  ],
  [
    'a namespace and a label that the Service lacks',
    { a: open, b: restricted({ namespaces: ['shop'], serviceSelectors: selector('tier', 'web') }) },
    wishOf(),
    'a: 192.0.2.0',
  ],
  [
    'another namespace, and is asked for by name',
    { a: open, b: restricted({ namespaces: ['billing'] }) },
    wishOf({ pool: 'b' }),
    'pool-not-for-service',
  ],
  [
    'another namespace, and is asked for an address',
    { b: restricted({ namespaces: ['billing'] }) },
    wishOf({ addresses: ['198.51.100.1'] }),
    'pool-not-for-service',
  ],
  [
    'a label that no namespace has, and is asked for by name',
    { b: restricted({ namespaceSelectors: selector('team', 'db') }) },
    wishOf({ pool: 'b' }),
    'pool-not-for-service',
  ],
  [
    'its namespace, but is not automatic',
    { a: open, b: { ...restricted({ namespaces: ['shop'] }), autoAssign: false } },
    wishOf(),
    'a: 192.0.2.0',
  ],
  [
    'its namespace, but has no address of its family',
    { a: { addresses: ['2001:db8::/64'] }, b: restricted({ namespaces: ['shop'] }) },
    wishOf({ families: [6] }),
    'a: 2001:db8::',
  ],
] as const) {
  test(`a pool is for ${name}`, () => assert.equal(assign(allocatorOf(specs), 'shop/web', wish), expected));
}

for (const [name, priorities, expected] of [
  ['the lower number comes first', { a: 20, b: 10 }, 'b'],
  ['no priority comes last', { a: undefined, b: 90 }, 'b'],
  ['zero comes last', { a: 0, b: 90 }, 'b'],
  ['a negative number counts as none', { a: -5, b: 90 }, 'b'],
  ['the name decides between equals', { b: 10, a: 10 }, 'a'],
] as const) {
  test(`priority of restricted pools: ${name}`, () => {
    const specs = Object.entries(priorities).map(([pool, priority], index) => {
      const serviceAllocation = priority === undefined ? {} : { priority };
      return [pool, { addresses: [`198.51.100.${index}/32`], serviceAllocation }] as const;
    });
    const { outcome } = allocatorOf(Object.fromEntries(specs)).assign('shop/web', wishOf(), 0);
    assert.equal('addresses' in outcome && outcome.addresses[0]?.pool, expected);
  });
}

test('a Service keeps its address however often it is assigned', () => {
  const allocator = allocatorOf({ a: dual });
  assert.equal(assign(allocator, 'shop/one'), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'shop/two'), 'a: 192.0.2.1');
  allocator.release('shop/one', 0);
  assert.equal(assign(allocator, 'shop/two'), 'a: 192.0.2.1');
  assert.equal(assign(allocator, 'shop/three'), 'a: 192.0.2.0');
});

test('a pool is given out to its last address, and a released one is given again', () => {
  const allocator = allocatorOf({ a: dual });
  const services = ['a', 'b', 'c', 'd', 'e'];
  assert.deepEqual(
    services.map((service) => assign(allocator, service)),
    ['a: 192.0.2.0', 'a: 192.0.2.1', 'a: 192.0.2.2', 'a: 192.0.2.3', 'exhausted'],
  );
  assert.equal(shown(allocator.release('c', 0)), 'a: 192.0.2.2');
  assert.equal(assign(allocator, 'e'), 'a: 192.0.2.2');
});

test('the ranges of a pool are used one after the other as they are written, whatever is released when', () => {
  const allocator = allocatorOf({ a: outOfOrder });
  const services = ['a', 'b', 'c', 'd', 'e'];
  assert.deepEqual(
    services.map((service) => assign(allocator, service)),
    ['a: 192.0.2.8', 'a: 192.0.2.9', 'a: 192.0.2.0', 'a: 192.0.2.1', 'exhausted'],
  );
  allocator.release('b', 0);
  allocator.release('c', 0);
  assert.equal(assign(allocator, 'e'), 'a: 192.0.2.9');
});

test('releasing what holds nothing does nothing', () => {
  const allocator = allocatorOf({ a: dual });
  assert.equal(allocator.release('shop/web', 0), undefined);
  assign(allocator, 'shop/web');
  allocator.release('shop/web', 0);
  assert.equal(allocator.release('shop/web', 0), undefined);
  assert.equal(allocator.assignment('shop/web'), undefined);
});

test('a Service that cannot keep its address learns why, and loses it even if there is no other', () => {
  const allocator = allocatorOf({ a: { addresses: ['192.0.2.7/32'] } });
  assign(allocator, 'shop/web');
  const decision = allocator.assign('shop/web', wishOf({ addresses: ['192.0.2.8'] }), 0);
  assert.equal(decision.lost?.refused, 'not-requested');
  assert.equal(shown(decision.outcome), 'not-in-pool');
  assert.equal(allocator.assignment('shop/web'), undefined);
  assert.equal(assign(allocator, 'shop/other'), 'a: 192.0.2.7');
});

for (const [name, from, to, lost, expected] of [
  ['asks for another pool', wishOf(), wishOf({ pool: 'b' }), 'other-pool', 'b: 198.51.100.0'],
  ['asks for another address', wishOf(), wishOf({ addresses: ['192.0.2.3'] }), 'not-requested', 'a: 192.0.2.3'],
  [
    'asks for the same addresses in another order',
    wishOf({ ...requireDual, addresses: ['192.0.2.1', '2001:db8::1'] }),
    wishOf({ ...requireDual, addresses: ['2001:db8::1', '192.0.2.1'] }),
    undefined,
    'a: 192.0.2.1 2001:db8::1',
  ],
  ['has another family now', wishOf(), wishOf({ families: [6] }), 'family-mismatch', 'a: 2001:db8::'],
  ['comes to prefer two families', wishOf(), wishOf(preferDual), undefined, 'a: 192.0.2.0 2001:db8::'],
  ['comes to require two families', wishOf(), wishOf(requireDual), 'family-mismatch', 'a: 192.0.2.0 2001:db8::'],
  ['is content with one family', wishOf(requireDual), wishOf(), 'family-mismatch', 'a: 192.0.2.0'],
  ['no longer asks for its address', wishOf({ addresses: ['192.0.2.3'] }), wishOf(), undefined, 'a: 192.0.2.3'],
] as const) {
  test(`a Service that ${name} is treated accordingly`, () => {
    const allocator = allocatorOf({ a: dual, b: { addresses: ['198.51.100.0/24'] } });
    assign(allocator, 'shop/web', from);
    const decision = allocator.assign('shop/web', to, 0);
    assert.equal(decision.lost?.refused, lost);
    assert.equal(shown(decision.outcome), expected);
  });
}

test('after a restart adopted addresses are kept, and nobody is given them before', () => {
  const allocator = allocatorOf({ a: dual });
  assert.equal(shown(allocator.adopt('shop/old', wishOf(), [address('192.0.2.0')], 0).outcome), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'shop/new'), 'a: 192.0.2.1');
  assert.equal(assign(allocator, 'shop/old'), 'a: 192.0.2.0');
});

for (const [name, wish, addresses, reason] of [
  ['of no pool', wishOf(), ['192.0.2.200'], 'not-in-pool'],
  ['of another Service', wishOf(), ['192.0.2.0'], 'in-use'],
  ['of another family', wishOf(), ['2001:db8::1'], 'family-mismatch'],
  ['of one family where two are required', wishOf(requireDual), ['192.0.2.1'], 'family-mismatch'],
  ['twice the same', wishOf(requireDual), ['192.0.2.1', '192.0.2.1'], 'family-mismatch'],
  ['none', wishOf(), [], 'family-mismatch'],
] as const) {
  test(`addresses are not adopted when they are ${name}`, () => {
    const allocator = allocatorOf({ a: dual });
    assign(allocator, 'shop/first');
    assert.equal(shown(allocator.adopt('shop/web', wish, addresses.map(address), 0).outcome), reason);
    assert.equal(allocator.assignment('shop/web'), undefined);
  });
}

test('adopted addresses keep the order of the status', () => {
  const allocator = allocatorOf({ a: dual });
  allocator.adopt('shop/web', wishOf(requireDual), ['2001:db8::1', '192.0.2.1'].map(address), 0);
  assert.equal(assign(allocator, 'shop/web', wishOf(requireDual)), 'a: 2001:db8::1 192.0.2.1');
});

for (const [name, specs, reason, expected] of [
  ['grows', { a: { addresses: ['192.0.2.0/24'] } }, undefined, 'a: 192.0.2.1'],
  ['is renamed', { z: { addresses: ['192.0.2.0/24'] } }, undefined, 'z: 192.0.2.1'],
  [
    'comes to use another range first',
    { a: { addresses: ['192.0.2.2/31', '192.0.2.0/31'] } },
    undefined,
    'a: 192.0.2.1',
  ],
  ['is split', { a: { addresses: ['192.0.2.0/32'] }, b: { addresses: ['192.0.2.1/32'] } }, undefined, 'b: 192.0.2.1'],
  ['is no longer automatic', { a: { ...dual, autoAssign: false } }, undefined, 'a: 192.0.2.1'],
  ['shrinks', { a: { addresses: ['192.0.2.0/32'] } }, 'not-in-pool', 'a: 192.0.2.0'],
  [
    'is reserved for others',
    { a: { ...dual, serviceAllocation: { namespaces: ['billing'] } } },
    'pool-not-for-service',
    'no-pool',
  ],
  ['is deleted', {}, 'not-in-pool', 'no-pool'],
] as const) {
  test(`when the pool ${name}, its Service has ${expected}`, () => {
    const allocator = allocatorOf({ a: dual });
    allocator.adopt('shop/web', wishOf(), [address('192.0.2.1')], 0);
    const lost = allocator.setPools(poolsOf(specs), 0);
    assert.equal(lost.get('shop/web')?.refused, reason);
    assert.equal(assign(allocator, 'shop/web'), expected);
  });
}

test('avoided addresses are taken away when avoidBuggyIPs is turned on', () => {
  const allocator = allocatorOf({ a: dual });
  assign(allocator, 'shop/web');
  const lost = allocator.setPools(poolsOf({ a: { ...dual, avoidBuggyIPs: true } }), 0);
  assert.equal(lost.get('shop/web')?.refused, 'address-avoided');
  assert.equal(assign(allocator, 'shop/web'), 'a: 192.0.2.1');
});

test('a pool that loses a family loses both addresses of a Service', () => {
  const allocator = allocatorOf({ a: dual });
  assign(allocator, 'shop/web', wishOf(preferDual));
  const lost = allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/30'] } }), 0);
  assert.equal(lost.get('shop/web')?.refused, 'not-in-pool');
  assert.equal(assign(allocator, 'shop/web', wishOf(preferDual)), 'a: 192.0.2.0');
});

test('a pool that gains a family completes a Service that prefers two', () => {
  const allocator = allocatorOf({ a: { addresses: ['192.0.2.0/30'] } });
  allocator.adopt('shop/web', wishOf(preferDual), [address('192.0.2.3')], 0);
  allocator.setPools(poolsOf({ a: dual }), 0);
  assert.equal(assign(allocator, 'shop/web', wishOf(preferDual)), 'a: 192.0.2.3 2001:db8::');
});

test('what a Service says is understood as it is parsed', () => {
  const parsed = parseServiceWish({
    metadata: { namespace: 'shop', name: 'web', annotations: { 'metallb.io/address-pool': 'b' } },
    spec: { clusterIPs: ['10.96.0.7'] },
  });
  assert.ok(!('reason' in parsed));
  const wish: Wish = { ...parsed, namespace: 'shop', namespaceLabels: {}, labels: {} };
  assert.equal(
    assign(allocatorOf({ a: dual, b: { addresses: ['198.51.100.0/24'] } }), 'shop/web', wish),
    'b: 198.51.100.0',
  );
});
