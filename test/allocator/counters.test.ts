import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { formatAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';
import { address, poolsOf, preferDual, range, requireDual, reservationOf, tcp, wishOf } from './support.ts';

const test = suite('allocator/counters');

const saturated = 2 ** 53 - 1;

for (const [name, spec, v4, v6] of [
  ['a /24', { addresses: ['192.0.2.0/24'] }, 256, 0],
  ['a /24 without avoided addresses', { addresses: ['192.0.2.0/24'], avoidBuggyIPs: true }, 254, 0],
  ['a /23 and a /25', { addresses: ['198.51.100.0/23', '192.0.2.128/25'], avoidBuggyIPs: true }, 508 + 127, 0],
  ['a range around .255 and .0', { addresses: ['192.0.1.254-192.0.2.1'], avoidBuggyIPs: true }, 2, 0],
  ['a range inside of a /24', { addresses: ['192.0.2.1-192.0.2.254'], avoidBuggyIPs: true }, 254, 0],
  ['a quarter of IPv4', { addresses: ['128.0.0.0/2'], avoidBuggyIPs: true }, 2 ** 22 * 254, 0],
  ['two small ranges of IPv6', { addresses: ['2001:db8::/120', '2001:db8:1::/126'], avoidBuggyIPs: true }, 0, 260],
  ['a /76', { addresses: ['2001:db8::/76'] }, 0, 2 ** 52],
  ['a /64', { addresses: ['2001:db8::/64'] }, 0, saturated],
  ['several /64', { addresses: ['2001:db8::/64', '2001:db8:1::/64', '192.0.2.0/30'] }, 4, saturated],
] as const) {
  test(`${name} has ${v4} IPv4 and ${v6} IPv6 addresses`, () => {
    const allocator = new Allocator();
    allocator.setPools(poolsOf({ a: spec }), 0);
    const available = { availableIPv4: v4, availableIPv6: v6, totalIPv4: v4, totalIPv6: v6 };
    assert.deepEqual(allocator.counters('a'), { assignedIPv4: 0, assignedIPv6: 0, ...available });
  });
}

test('an address counts once, however many Services share it', () => {
  const allocator = new Allocator();
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/29', '2001:db8::/64'] } }), 0);
  allocator.assign('one', wishOf({ sharingKey: 'k', ports: tcp(80) }), 0);
  allocator.assign('two', wishOf({ sharingKey: 'k', ports: tcp(443) }), 0);
  allocator.assign('three', wishOf(), 0);
  allocator.assign('four', wishOf({ families: [6] }), 0);
  const total = { totalIPv4: 8, totalIPv6: saturated };
  const used = { assignedIPv4: 2, assignedIPv6: 1, availableIPv4: 6, availableIPv6: saturated, ...total };
  assert.deepEqual(allocator.counters('a'), used);
  allocator.release('one', 0);
  allocator.release('three', 0);
  assert.deepEqual(allocator.counters('a'), { ...used, assignedIPv4: 1, availableIPv4: 7 });
});

const p = { pool: 'p' };
const shared = (port: number) => ({ sharingKey: 'k', ports: tcp(port) });
for (const [name, steps] of [
  [
    'Services that share, and one of two families',
    [
      ['one', shared(80), 1, 0, 4, 4],
      ['two', shared(443), 1, 0, 4, 4],
      ['three', {}, 2, 0, 3, 4],
      ['four', preferDual, 3, 1, 2, 3],
      ['one', 'gone', 3, 1, 2, 3],
      ['two', 'gone', 2, 1, 3, 3],
      ['four', {}, 2, 0, 3, 4],
      ['four', requireDual, 2, 1, 3, 3],
      ['four', 'gone', 1, 0, 4, 4],
      ['three', 'gone', 0, 0, 5, 4],
    ],
  ],
  [
    'Services that are refused, assigned again, or that ask for more',
    [
      ['one', { addresses: ['192.0.2.9'] }, 0, 0, 5, 4],
      ['one', { addresses: ['192.0.2.2'] }, 1, 0, 4, 4],
      ['two', { addresses: ['192.0.2.2'] }, 1, 0, 4, 4],
      ['one', { addresses: ['192.0.2.3'] }, 1, 0, 4, 4],
      ['one', {}, 1, 0, 4, 4],
      ['one', { count: 3 }, 3, 0, 2, 4],
      ['two', { ...p, count: 3 }, 5, 0, 0, 4],
      ['one', { count: 1 }, 3, 0, 2, 4],
    ],
  ],
] as const) {
  test(`a pool of five and four counts after every step: ${name}`, () => {
    const allocator = new Allocator();
    allocator.setPools(poolsOf({ p: { addresses: ['192.0.2.0-192.0.2.4', '2001:db8::/126'] } }), 0);
    for (const [service, wish, ...expected] of steps) {
      if (wish === 'gone') allocator.release(service, 0);
      else allocator.assign(service, wishOf(wish), 0);
      const { assignedIPv4, assignedIPv6, availableIPv4, availableIPv6 } = allocator.counters('p')!;
      assert.deepEqual([assignedIPv4, assignedIPv6, availableIPv4, availableIPv6], expected, service);
    }
  });
}

test('what is reserved, cooling down or of a node is neither assigned nor available, unless it is in use', () => {
  const allocator = new Allocator();
  const annotated = { a: { coolDown: 1_000, excludeNodeAddresses: true, excluded: [range('192.0.2.0/32')] } };
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/29'] } }, annotated), 0);
  const counts = () => {
    const { assignedIPv4, availableIPv4, totalIPv4 } = allocator.counters('a')!;
    return [assignedIPv4, availableIPv4, totalIPv4];
  };
  assert.deepEqual(counts(), [0, 7, 7]);
  allocator.setNodeAddresses([address('192.0.2.1')], 0);
  allocator.setReservations([reservationOf({ service: 'x', addresses: ['192.0.2.2'] })], 0);
  assert.deepEqual(counts(), [0, 5, 7]);
  allocator.assign('x', wishOf(), 0);
  allocator.assign('y', wishOf(), 0);
  assert.deepEqual(counts(), [2, 4, 7]);
  allocator.release('x', 0);
  allocator.release('y', 0);
  assert.deepEqual(counts(), [0, 4, 7]);
  allocator.takeCalled(1_000);
  assert.deepEqual(counts(), [0, 5, 7]);
});

test('who has what is listed by address with the time since when, as far as it is asked for', () => {
  const allocator = new Allocator();
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.8/30', '2001:db8::/64', '192.0.2.0/30'] } }), 0);
  allocator.adopt('old', wishOf(), [address('192.0.2.3')], 50, () => 7);
  allocator.assign('both', wishOf({ ...preferDual, ...shared(80) }), 60);
  allocator.assign('joined', wishOf(shared(443)), 70);
  const listed = (limit: number) =>
    allocator.assignments('a', limit).map(({ address, services, since }) => {
      return `${formatAddress(address)} ${services.join('+')} ${since}`;
    });
  const all = ['192.0.2.3 old 7', '192.0.2.8 both+joined 60', '2001:db8:: both 60'];
  assert.deepEqual(listed(500), all);
  assert.deepEqual(listed(2), all.slice(0, 2));
  allocator.setPools(poolsOf({ b: { addresses: ['192.0.2.0/24', '2001:db8::/64'] } }), 80);
  assert.deepEqual(allocator.assignments('a', 500), []);
  assert.equal(allocator.assignments('b', 500).at(0)?.since, 7);
});

test('the pools that are to be counted anew are told once', () => {
  const allocator = new Allocator();
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/32'] }, b: { addresses: ['198.51.100.0/24'] } }), 0);
  assert.deepEqual([...allocator.takeChanged()].sort(), ['a', 'b']);
  for (const [service, changed] of [
    ['one', ['a']],
    ['one', []],
    ['two', ['b']],
  ] as const) {
    allocator.assign(service, wishOf(), 0);
    assert.deepEqual(allocator.takeChanged(), changed);
  }
  allocator.release('one', 0);
  assert.deepEqual(allocator.takeChanged(), ['a']);
});
