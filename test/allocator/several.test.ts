import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { suite } from '../support/suite.ts';
import { address, poolsOf, preferDual, requireDual, shown, tell, wishOf } from './support.ts';

/** Services with more than one address of a family, and with addresses of several pools. */
const test = suite('allocator/several');

const specs = {
  a: { addresses: ['192.0.2.0/31', '2001:db8::/127'] },
  b: { addresses: ['198.51.100.0/30'] },
  c: { addresses: ['2001:db8:1::/64'], autoAssign: false },
};
const pools = poolsOf(specs);

const ab = ['a', 'b'];
for (const [name, steps] of [
  [
    'all come of the first pool that has as many',
    [
      ['x', { count: 2 }, 'a: 192.0.2.0 192.0.2.1'],
      ['y', { count: 3 }, 'b: 198.51.100.0 198.51.100.1 198.51.100.2'],
    ],
  ],
  [
    'where no pool has as many, as many as there are come of the first that has any',
    [
      ['x', { count: 5 }, 'a: 192.0.2.0 192.0.2.1'],
      ['y', { count: 5 }, 'b: 198.51.100.0 198.51.100.1 198.51.100.2 198.51.100.3'],
      ['z', { count: 2 }, 'exhausted'],
    ],
  ],
  [
    'one who asks for more keeps what it has, and one who asks for less gives up the last ones',
    [
      ['x', { pool: 'b' }, 'b: 198.51.100.0'],
      ['y', { pool: 'b' }, 'b: 198.51.100.1'],
      ['x', { pool: 'b', count: 3 }, 'b: 198.51.100.0 198.51.100.2 198.51.100.3'],
      ['x', { pool: 'b', count: 2 }, 'b: 198.51.100.0 198.51.100.2'],
      ['z', { pool: 'b' }, 'b: 198.51.100.3'],
      ['x', { pool: 'b', count: 4 }, 'b: 198.51.100.0 198.51.100.2'],
      ['y', 'gone', 'b: 198.51.100.1'],
      ['x', { pool: 'b', count: 4 }, 'b: 198.51.100.0 198.51.100.2 198.51.100.1'],
    ],
  ],
  [
    'of each family as many',
    [
      ['x', { ...requireDual, count: 2 }, 'a: 192.0.2.0 192.0.2.1 2001:db8:: 2001:db8::1'],
      ['x', { ...requireDual, count: 1 }, 'a: 192.0.2.0 2001:db8::'],
      ['y', { ...requireDual, count: 2 }, 'a: 192.0.2.1 2001:db8::1'],
      ['x', { ...preferDual, count: 3 }, 'a: 192.0.2.0 2001:db8::'],
    ],
  ],
  [
    'addresses of one Service are never the same, also when it shares',
    [
      ['x', { count: 2, sharingKey: 'k', ports: [{ protocol: 'TCP', port: 80 }] }, 'a: 192.0.2.0 192.0.2.1'],
      ['y', { count: 2, sharingKey: 'k', ports: [{ protocol: 'TCP', port: 443 }] }, 'a: 192.0.2.0 192.0.2.1'],
      ['y', { count: 3, sharingKey: 'k', ports: [{ protocol: 'TCP', port: 443 }] }, 'a: 192.0.2.0 192.0.2.1'],
    ],
  ],
  [
    'each family comes of the first of the named pools that has it',
    [
      ['x', { ...requireDual, pools: ['b', 'c'] }, 'b: 198.51.100.0 c: 2001:db8:1::'],
      ['y', { ...requireDual, pools: ['c', 'a'] }, 'a: 192.0.2.0 c: 2001:db8:1::1'],
      ['z', { ...requireDual, pools: ['b'] }, 'exhausted'],
      ['z', { ...preferDual, pools: ['b'] }, 'b: 198.51.100.1'],
      ['w', { pools: ['none', 'b'] }, 'b: 198.51.100.2'],
      ['v', { pools: ['none'] }, 'no-such-pool'],
    ],
  ],
  [
    'the named pools are used up one after the other',
    [
      ['x', { pools: ab, count: 3 }, 'a: 192.0.2.0 192.0.2.1 b: 198.51.100.0'],
      ['y', { pools: ab, count: 4 }, 'b: 198.51.100.1 198.51.100.2 198.51.100.3'],
      ['x', { pools: ab, count: 2 }, 'a: 192.0.2.0 192.0.2.1'],
      ['y', { pools: ab, count: 4 }, 'b: 198.51.100.1 198.51.100.2 198.51.100.3 198.51.100.0'],
    ],
  ],
  [
    'addresses asked for by name may be of several of the named pools',
    [
      [
        'x',
        { ...requireDual, pools: ['b', 'c'], addresses: ['198.51.100.3', '2001:db8:1::7'] },
        'b: 198.51.100.3 c: 2001:db8:1::7',
      ],
      ['y', { ...requireDual, pools: ['b'], addresses: ['198.51.100.2', '2001:db8:1::8'] }, 'other-pool'],
      ['y', { ...requireDual, addresses: ['198.51.100.2', '2001:db8:1::8'] }, 'not-in-pool'],
      ['z', { pools: ['b'], addresses: ['198.51.100.0', '198.51.100.2'] }, 'b: 198.51.100.0 198.51.100.2'],
      ['z', { pools: ['b'], addresses: ['198.51.100.2', '198.51.100.1'] }, 'b: 198.51.100.2 198.51.100.1'],
    ],
  ],
] as const) {
  test(name, () => void tell(pools, steps));
}

test('what is missing is told, and comes when there is room', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  allocator.assign('y', wishOf({ pool: 'b' }), 0);
  allocator.assign('z', wishOf({ pool: 'b' }), 0);
  const wish = wishOf({ pool: 'b', count: 3 });
  const { missing } = allocator.assign('x', wish, 0);
  assert.equal(missing?.detail, '2 of 3 assigned, pool b is full: 4 of 4 in use');
  assert.deepEqual(allocator.takeCalled(0), []);
  allocator.release('y', 0);
  assert.deepEqual(allocator.takeCalled(0), ['x']);
  assert.equal(allocator.assign('x', wish, 0).missing, undefined);
});

test('one of several addresses that the pool no longer has is replaced, and the others stay', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  const wish = wishOf({ pool: 'b', count: 3 });
  allocator.assign('x', wish, 0);
  const lost = allocator.setPools(poolsOf({ ...specs, b: { addresses: ['198.51.100.0/31', '198.51.100.9/32'] } }), 0);
  assert.equal(lost.get('x')?.refused, 'not-in-pool');
  assert.equal(shown(allocator.assign('x', wish, 0).outcome), 'b: 198.51.100.0 198.51.100.1 198.51.100.9');
});

test('of two pools that serve a Service one may go, and its other address stays', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  const wish = wishOf({ ...preferDual, pools: ['b', 'c', 'a'] });
  assert.equal(shown(allocator.assign('x', wish, 0).outcome), 'b: 198.51.100.0 c: 2001:db8:1::');
  allocator.setPools(poolsOf({ a: specs.a, b: specs.b }), 0);
  assert.equal(shown(allocator.assign('x', wish, 0).outcome), 'b: 198.51.100.0 a: 2001:db8::');
});

test('a Service that no longer names several pools must have its addresses of one', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  allocator.assign('x', wishOf({ ...requireDual, pools: ['b', 'c'] }), 0);
  const decision = allocator.assign('x', wishOf(requireDual), 0);
  assert.match(decision.lost?.detail ?? '', /unless garpoon\.io\/address-pools names both/);
  assert.equal(shown(decision.outcome), 'a: 192.0.2.0 2001:db8::');
});

test('an adopted Service keeps as many addresses as it asks for', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  const addresses = ['198.51.100.2', '198.51.100.1', '198.51.100.0'].map(address);
  assert.equal(shown(allocator.adopt('x', wishOf({ count: 2 }), addresses, 0).outcome), 'b: 198.51.100.2 198.51.100.1');
});

test('of those who share and have no ports, each is called for an address that another of them was given', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  const wish = wishOf({ pool: 'a', count: 2, sharingKey: 'k' });
  allocator.assign('u', wishOf({ pool: 'a' }), 0);
  for (const service of ['x', 'y']) assert.equal(shown(allocator.assign(service, wish, 0).outcome), 'a: 192.0.2.1');
  allocator.release('u', 0);
  for (const service of ['x', 'y']) {
    assert.deepEqual(allocator.takeCalled(0), [service]);
    assert.equal(shown(allocator.assign(service, wish, 0).outcome), 'a: 192.0.2.1 192.0.2.0');
  }
});
