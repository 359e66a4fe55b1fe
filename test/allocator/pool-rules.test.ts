import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { suite } from '../support/suite.ts';
import { address, poolsOf, preferDual, requireDual, type StoryStep, shown, tell, wishOf } from './support.ts';

const test = suite('allocator/pool-rules');

const v6 = { families: [6] as const };

for (const [name, pools, steps] of [
  [
    'addresses that end in .0 and .255 are passed over, range by range',
    { p: { addresses: ['192.0.2.254-192.0.3.1', '198.51.100.255/32', '198.51.100.1/32'], avoidBuggyIPs: true } },
    [
      ['a', {}, 'p: 192.0.2.254'],
      ['b', {}, 'p: 192.0.3.1'],
      ['c', {}, 'p: 198.51.100.1'],
      ['d', {}, 'exhausted'],
      ['d', { addresses: ['192.0.3.0'] }, 'address-avoided'],
      ['d', { addresses: ['192.0.2.255'] }, 'address-avoided'],
      ['a', 'gone', 'p: 192.0.2.254'],
      ['d', {}, 'p: 192.0.2.254'],
    ],
  ],
  [
    'pools that are not automatic are used by name only, whatever else is full',
    {
      auto: { addresses: ['192.0.2.0/31', '2001:db8::/127'] },
      manual: { addresses: ['198.51.100.0/31', '2001:db8:1::/127'], autoAssign: false },
    },
    [
      ['a', {}, 'auto: 192.0.2.0'],
      ['b', {}, 'auto: 192.0.2.1'],
      ['c', {}, 'exhausted'],
      ['c', { pool: 'manual' }, 'manual: 198.51.100.0'],
      ['d', { addresses: ['198.51.100.1'] }, 'manual: 198.51.100.1'],
      ['e', { pool: 'manual' }, 'exhausted'],
      ['e', {}, 'exhausted'],
      ['f', v6, 'auto: 2001:db8::'],
      ['g', v6, 'auto: 2001:db8::1'],
      ['h', v6, 'exhausted'],
      ['h', { ...v6, pool: 'manual' }, 'manual: 2001:db8:1::'],
      ['i', requireDual, 'exhausted'],
      ['i', { ...requireDual, pool: 'manual' }, 'exhausted'],
      ['c', 'gone', 'manual: 198.51.100.0'],
      ['i', preferDual, 'exhausted'],
      ['i', { ...requireDual, pool: 'manual' }, 'manual: 198.51.100.0 2001:db8:1::1'],
      ['d', {}, 'manual: 198.51.100.1'],
      ['d', 'gone', 'manual: 198.51.100.1'],
      ['d', {}, 'exhausted'],
      ['a', 'gone', 'auto: 192.0.2.0'],
      ['d', {}, 'auto: 192.0.2.0'],
      ['e', preferDual, 'exhausted'],
    ],
  ],
  [
    'each stage gives what it has before the next is asked',
    {
      last: { addresses: ['192.0.2.0/31', '2001:db8::/127'] },
      second: { addresses: ['198.51.100.0/32'], serviceAllocation: { priority: 7, namespaces: ['shop'] } },
      first: { addresses: ['203.0.113.0/32'], serviceAllocation: { priority: 3, namespaces: ['shop'] } },
    },
    [
      ['a', {}, 'first: 203.0.113.0'],
      ['b', {}, 'second: 198.51.100.0'],
      ['c', {}, 'last: 192.0.2.0'],
      ['d', { namespace: 'billing' }, 'last: 192.0.2.1'],
      ['a', 'gone', 'first: 203.0.113.0'],
      ['d', { namespace: 'billing' }, 'last: 192.0.2.1'],
      ['e', preferDual, 'first: 203.0.113.0'],
      ['f', { ...requireDual, namespace: 'billing' }, 'exhausted'],
      ['f', { ...preferDual, namespace: 'billing' }, 'last: 2001:db8::'],
    ],
  ],
  [
    'a family comes of the first pool that has it, both of the first that has both',
    {
      a: { addresses: ['192.0.2.0/32'] },
      b: { addresses: ['2001:db8::/128'] },
      c: { addresses: ['198.51.100.0/32', '2001:db8:1::/127'] },
    },
    [
      ['s', preferDual, 'c: 198.51.100.0 2001:db8:1::'],
      ['t', preferDual, 'a: 192.0.2.0'],
      ['u', preferDual, 'b: 2001:db8::'],
      ['v', preferDual, 'c: 2001:db8:1::1'],
      ['w', preferDual, 'exhausted'],
      ['v', { ...preferDual, families: [6, 4] }, 'c: 2001:db8:1::1'],
      ['s', 'gone', 'c: 198.51.100.0 2001:db8:1::'],
      ['v', { ...preferDual, families: [6, 4] }, 'c: 2001:db8:1::1 198.51.100.0'],
    ],
  ],
] as const satisfies readonly (readonly [string, Record<string, object>, readonly StoryStep[]])[]) {
  test(name, () => void tell(poolsOf(pools), steps));
}

const start = { p: { addresses: ['192.0.2.0/30', '2001:db8::/126'] } };

for (const [name, pools, lost, expected] of [
  ['nothing changes', start, undefined, 'p: 192.0.2.1 2001:db8::1'],
  ['the pool grows', { p: { addresses: ['192.0.2.0/24', '2001:db8::/64'] } }, undefined, 'p: 192.0.2.1 2001:db8::1'],
  [
    'another pool comes',
    { ...start, a: { addresses: ['198.51.100.0/24', '2001:db8:1::/64'] } },
    undefined,
    'p: 192.0.2.1 2001:db8::1',
  ],
  [
    'the pool shrinks around them',
    { p: { addresses: ['192.0.2.1/32', '2001:db8::1/128'] } },
    undefined,
    'p: 192.0.2.1 2001:db8::1',
  ],
  [
    'the pool shrinks',
    { p: { addresses: ['192.0.2.2/31', '2001:db8::2/127'] } },
    'not-in-pool',
    'p: 192.0.2.2 2001:db8::2',
  ],
  [
    'one of the two is no longer of the pool',
    { p: { addresses: ['192.0.2.0/30', '2001:db8::2/127'] } },
    'not-in-pool',
    'p: 192.0.2.0 2001:db8::2',
  ],
  ['the pool has another name', { q: start.p }, undefined, 'q: 192.0.2.1 2001:db8::1'],
  [
    'the pool is split at its middle',
    { q: { addresses: ['192.0.2.0/31', '2001:db8::/127'] }, r: { addresses: ['192.0.2.2/31', '2001:db8::2/127'] } },
    undefined,
    'q: 192.0.2.1 2001:db8::1',
  ],
  [
    'the pool is split between the families',
    { q: { addresses: ['192.0.2.0/30'] }, r: { addresses: ['2001:db8::/126'] } },
    'not-in-pool',
    'q: 192.0.2.0',
  ],
  ['the pool moves', { p: { addresses: ['198.51.100.0/24'] } }, 'not-in-pool', 'p: 198.51.100.0'],
  [
    'the pool is for others',
    { p: { ...start.p, serviceAllocation: { namespaces: ['billing'] } } },
    'pool-not-for-service',
    'no-pool',
  ],
  ['no pool is left', {}, 'not-in-pool', 'no-pool'],
] as const) {
  test(`a Service that has 192.0.2.1 and 2001:db8::1 has "${expected}" when ${name}`, () => {
    const allocator = new Allocator();
    allocator.setPools(poolsOf(start), 0);
    allocator.adopt('s', wishOf(preferDual), ['192.0.2.1', '2001:db8::1'].map(address), 0);
    assert.equal(allocator.setPools(poolsOf(pools), 0).get('s')?.refused, lost);
    assert.equal(shown(allocator.assign('s', wishOf(preferDual), 0).outcome), expected);
  });
}
