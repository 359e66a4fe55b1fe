import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { suite } from '../support/suite.ts';
import {
  address,
  poolsOf,
  preferDual,
  requireDual,
  reservationOf,
  type StoryStep,
  shown,
  tcp,
  tell,
  wishOf,
} from './support.ts';

/** Services that want addresses by name, as far as they can be had, and others beside them. */
const test = suite('allocator/wanted');

const pools = poolsOf({
  a: { addresses: ['192.0.2.0/29', '2001:db8::/126'] },
  b: { addresses: ['198.51.100.0/30'] },
  c: { addresses: ['203.0.113.0/30'], autoAssign: false },
});

const wants = (count: number, ...wanted: readonly string[]) => ({ count, wanted });

for (const [name, steps] of [
  [
    'those that are wanted come first, in their order, and others beside them from their pool',
    [
      ['x', wants(3, '198.51.100.2', '198.51.100.1'), 'b: 198.51.100.2 198.51.100.1 198.51.100.0'],
      ['y', wants(2, '203.0.113.3'), 'c: 203.0.113.3 203.0.113.0'],
      ['z', wants(2, '192.0.2.0', '192.0.2.1'), 'a: 192.0.2.0 192.0.2.1'],
    ],
  ],
  [
    'what is not to be had is left out, nothing comes in its place, and it is added at the end',
    [
      ['other', wants(1, '192.0.2.7'), 'a: 192.0.2.7'],
      ['x', wants(3, '192.0.2.7', '192.0.2.5'), 'a: 192.0.2.5 192.0.2.0'],
      ['other', 'gone', 'a: 192.0.2.7'],
      ['x', wants(3, '192.0.2.7', '192.0.2.5'), 'a: 192.0.2.5 192.0.2.0 192.0.2.7'],
    ],
  ],
  [
    'who has nothing of what it wants is refused, unless others are to be chosen',
    [
      ['other', wants(1, '192.0.2.7'), 'a: 192.0.2.7'],
      ['x', wants(1, '192.0.2.7'), 'in-use'],
      ['x', wants(2, '192.0.2.7'), 'a: 192.0.2.0'],
      ['y', wants(1, '198.18.9.9'), 'not-in-pool'],
      ['y', wants(2, '198.18.9.9'), 'a: 192.0.2.1'],
    ],
  ],
  [
    'shrinking gives back the last ones, never a wanted one',
    [
      ['x', wants(2), 'a: 192.0.2.0 192.0.2.1'],
      ['x', wants(4, '192.0.2.6'), 'a: 192.0.2.0 192.0.2.1 192.0.2.6 192.0.2.2'],
      ['x', wants(2, '192.0.2.6'), 'a: 192.0.2.0 192.0.2.6'],
      ['x', wants(1, '192.0.2.6'), 'a: 192.0.2.6'],
      ['x', wants(2), 'a: 192.0.2.6 192.0.2.0'],
    ],
  ],
  [
    'an address becomes wanted, or no longer is, and stays where it is',
    [
      ['x', wants(3), 'a: 192.0.2.0 192.0.2.1 192.0.2.2'],
      ['x', wants(3, '192.0.2.2', '192.0.2.0'), 'a: 192.0.2.0 192.0.2.1 192.0.2.2'],
      ['x', wants(2, '192.0.2.2', '192.0.2.0'), 'a: 192.0.2.0 192.0.2.2'],
      ['x', wants(2), 'a: 192.0.2.0 192.0.2.2'],
    ],
  ],
  [
    'what was chosen makes room for what is wanted, also in another pool',
    [
      ['x', wants(1), 'a: 192.0.2.0'],
      ['x', wants(1, '198.51.100.3'), 'b: 198.51.100.3'],
      ['x', wants(2, '198.51.100.3', '192.0.2.0'), 'b: 198.51.100.3'],
      ['x', { ...wants(2, '198.51.100.3', '192.0.2.0'), pools: ['a', 'b'] }, 'b: 198.51.100.3 a: 192.0.2.0'],
    ],
  ],
  [
    'of pools that it does not name together, the first serves that can',
    [
      ['other', wants(1, '192.0.2.7'), 'a: 192.0.2.7'],
      ['x', wants(2, '192.0.2.7', '198.51.100.3'), 'b: 198.51.100.3'],
      ['y', { ...wants(2, '198.51.100.2'), pool: 'a' }, 'a: 192.0.2.0'],
    ],
  ],
  [
    'each family has its own number',
    [
      ['x', { ...requireDual, ...wants(2, '2001:db8::3') }, 'a: 2001:db8::3 192.0.2.0 192.0.2.1 2001:db8::'],
      ['y', { ...requireDual, ...wants(1, '2001:db8::3') }, 'in-use'],
      ['y', { ...preferDual, ...wants(1, '2001:db8::3') }, 'a: 192.0.2.2'],
      ['y', { ...requireDual, ...wants(2, '2001:db8::3') }, 'a: 192.0.2.2 192.0.2.3 2001:db8::1'],
    ],
  ],
  [
    'wanted addresses are shared by those who have the key',
    [
      ['x', { ...wants(2, '192.0.2.5'), sharingKey: 'k', ports: tcp(80) }, 'a: 192.0.2.5 192.0.2.0'],
      ['y', { ...wants(2, '192.0.2.5'), sharingKey: 'k', ports: tcp(443) }, 'a: 192.0.2.5 192.0.2.0'],
      ['z', { ...wants(2, '192.0.2.5'), sharingKey: 'k', ports: tcp(80) }, 'a: 192.0.2.1'],
      ['w', wants(2, '192.0.2.5'), 'a: 192.0.2.2'],
    ],
  ],
] as const satisfies readonly (readonly [string, readonly StoryStep[]])[]) {
  test(name, () => void tell(pools, steps));
}

const inUse = 'is in use by default/other, which has no sharing key';
for (const [what, wish, detail] of [
  ['one', wants(3, '192.0.2.7'), `2 of 3 assigned, 192.0.2.7 ${inUse}`],
  ['one in no pool', wants(2, '198.18.9.9'), '1 of 2 assigned, 198.18.9.9 is not in one of the pools'],
  [
    'one, and the pool is full',
    wants(9, '192.0.2.7'),
    `7 of 9 assigned, 192.0.2.7 ${inUse}; pool a is full: 8 of 8 IPv4 addresses in use`,
  ],
  [
    'one, of two families',
    { ...requireDual, ...wants(2, '192.0.2.7') },
    `1 of 2 IPv4 and 2 of 2 IPv6 assigned, 192.0.2.7 ${inUse}`,
  ],
  [
    'more than a few',
    wants(6, '192.0.2.7', '198.18.9.1', '198.18.9.2', '198.18.9.3', '198.18.9.4'),
    `1 of 6 assigned, 192.0.2.7 ${inUse}; 198.18.9.1 is not in one of the pools; ` +
      '198.18.9.2 is not in one of the pools; and so on for 2 more',
  ],
] as const) {
  test(`what is wanted and not to be had is named: ${what}`, () => {
    const allocator = new Allocator();
    allocator.setPools(pools, 0);
    allocator.assign('default/other', wishOf(wants(1, '192.0.2.7')), 0);
    assert.equal(allocator.assign('x', wishOf(wish), 0).missing?.detail, detail);
  });
}

test('who waits for a wanted address is called when that comes free, and not for another', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  allocator.assign('u', wishOf(wants(1, '192.0.2.7')), 0);
  allocator.assign('v', wishOf(wants(1, '192.0.2.6')), 0);
  allocator.assign('x', wishOf(wants(2, '192.0.2.7')), 0);
  allocator.release('v', 0);
  assert.deepEqual(allocator.takeCalled(0), []);
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['x']);
  const decision = allocator.assign('x', wishOf(wants(2, '192.0.2.7')), 0);
  assert.deepEqual([shown(decision.outcome), decision.missing], ['a: 192.0.2.0 192.0.2.7', undefined]);
});

test('of those who wait for one wanted address, the longest waiting is called', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  allocator.assign('u', wishOf(wants(1, '192.0.2.7')), 0);
  for (const service of ['x', 'y']) allocator.assign(service, wishOf(wants(2, '192.0.2.7')), 0);
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['x']);
});

test('a wanted address that is reserved for another waits until it is not', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  allocator.setReservations([reservationOf({ service: 'other', addresses: ['192.0.2.7'] })], 0);
  const wish = wishOf(wants(2, '192.0.2.7'));
  assert.match(
    allocator.assign('x', wish, 0).missing?.detail ?? '',
    /^1 of 2 assigned, 192\.0\.2\.7 is reserved for other/,
  );
  allocator.setReservations([], 0);
  assert.deepEqual(allocator.takeCalled(0), ['x']);
  assert.equal(shown(allocator.assign('x', wish, 0).outcome), 'a: 192.0.2.0 192.0.2.7');
});

test('after a restart a Service has what it had, in the order of its status', () => {
  const allocator = new Allocator();
  allocator.setPools(pools, 0);
  const wish = wishOf(wants(3, '192.0.2.6'));
  const addresses = ['192.0.2.4', '192.0.2.6', '192.0.2.1', '192.0.2.2'].map(address);
  assert.equal(shown(allocator.adopt('x', wish, addresses, 0).outcome), 'a: 192.0.2.4 192.0.2.6 192.0.2.1');
  assert.equal(shown(allocator.assign('x', wish, 0).outcome), 'a: 192.0.2.4 192.0.2.6 192.0.2.1');
});
