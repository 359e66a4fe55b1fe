import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { suite } from '../support/suite.ts';
import { poolsOf, tcp, wishOf } from './support.ts';

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
    allocator.setPools(poolsOf({ a: spec }));
    const counters = { assignedIPv4: 0, assignedIPv6: 0, availableIPv4: v4, availableIPv6: v6 };
    assert.deepEqual(allocator.counters(), new Map([['a', counters]]));
  });
}

test('an address counts once, however many Services share it', () => {
  const allocator = new Allocator();
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/29', '2001:db8::/64'] } }));
  allocator.assign('one', wishOf({ sharingKey: 'k', ports: tcp(80) }));
  allocator.assign('two', wishOf({ sharingKey: 'k', ports: tcp(443) }));
  allocator.assign('three', wishOf());
  allocator.assign('four', wishOf({ families: [6] }));
  const used = { assignedIPv4: 2, assignedIPv6: 1, availableIPv4: 6, availableIPv6: saturated };
  assert.deepEqual(allocator.counters().get('a'), used);
  allocator.release('one');
  allocator.release('three');
  assert.deepEqual(allocator.counters().get('a'), { ...used, assignedIPv4: 1, availableIPv4: 7 });
});
