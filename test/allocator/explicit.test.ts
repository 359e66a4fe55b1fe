import { suite } from '../support/suite.ts';
import { poolsOf, preferDual, requireDual, type StoryStep, tcp, tell } from './support.ts';

const test = suite('allocator/explicit');

const pools = poolsOf({
  office: { addresses: ['192.0.2.0/24'] },
  careful: { addresses: ['198.51.100.0/30'], avoidBuggyIPs: true },
  lab: { addresses: ['203.0.113.0-203.0.113.1', '203.0.113.254-203.0.113.255'], autoAssign: false },
  six: { addresses: ['2001:db8::/64', '2001:db8:1::ffff/128'] },
  both: { addresses: ['198.18.0.0/28', '2001:db8:2::/124'] },
  shop: { addresses: ['198.18.1.0/24', '2001:db8:3::/124'], serviceAllocation: { namespaces: ['shop'] } },
  web: {
    addresses: ['198.18.2.0/24'],
    serviceAllocation: { serviceSelectors: [{ matchLabels: { tier: 'web' } }] },
  },
  labelled: {
    addresses: ['198.18.3.0/24'],
    serviceAllocation: { namespaceSelectors: [{ matchLabels: { team: 'web' } }] },
  },
  strict: {
    addresses: ['198.18.4.0/24'],
    serviceAllocation: { namespaces: ['shop'], serviceSelectors: [{ matchLabels: { tier: 'web' } }] },
  },
});

const at = (...addresses: readonly string[]) => ({ addresses });
const six = (...addresses: readonly string[]) => ({ families: [6] as const, addresses });
const two = (...addresses: readonly string[]) => ({ ...requireDual, addresses });
const shared = (key: string, ports: readonly number[], address: string, backend = '') => ({
  addresses: [address],
  sharingKey: key,
  backend,
  ports: tcp(...ports),
});

for (const [name, steps] of [
  [
    'an address has one Service, until that goes or asks for another',
    [
      ['a', at('192.0.2.5'), 'office: 192.0.2.5'],
      ['b', at('192.0.2.5'), 'in-use'],
      ['a', at('192.0.2.5'), 'office: 192.0.2.5'],
      ['b', at('192.0.2.6'), 'office: 192.0.2.6'],
      ['a', at('192.0.2.7'), 'office: 192.0.2.7'],
      ['b', at('192.0.2.5'), 'office: 192.0.2.5'],
      ['c', at('192.0.2.6'), 'office: 192.0.2.6'],
      ['a', at('198.51.100.1'), 'careful: 198.51.100.1'],
      ['a', at('198.51.100.2'), 'careful: 198.51.100.2'],
      ['b', 'gone', 'office: 192.0.2.5'],
      ['d', at('192.0.2.5'), 'office: 192.0.2.5'],
      ['b', 'gone', undefined],
    ],
  ],
  [
    'an address must be of a pool, and one that the pool gives',
    [
      ['a', at('192.0.3.0'), 'not-in-pool'],
      ['a', at('0.0.0.0'), 'not-in-pool'],
      ['a', at('255.255.255.255'), 'not-in-pool'],
      ['a', six('::'), 'not-in-pool'],
      ['a', six('2001:db8:1::'), 'not-in-pool'],
      ['a', six('2001:db8:1::ffff'), 'six: 2001:db8:1::ffff'],
      ['a', six('2001:db8::ffff:ffff:ffff:ffff'), 'six: 2001:db8::ffff:ffff:ffff:ffff'],
      ['b', six('2001:db8::ffff:ffff:ffff:ffff'), 'in-use'],
      ['b', six('2001:db8::ffff:ffff:ffff:fffe'), 'six: 2001:db8::ffff:ffff:ffff:fffe'],
      ['c', at('198.51.100.0'), 'address-avoided'],
      ['c', at('192.0.2.0'), 'office: 192.0.2.0'],
      ['c', at('192.0.2.255'), 'office: 192.0.2.255'],
      ['d', at('203.0.113.0'), 'lab: 203.0.113.0'],
      ['d', at('203.0.113.254'), 'lab: 203.0.113.254'],
      ['d', at('203.0.113.2'), 'not-in-pool'],
    ],
  ],
  [
    'two addresses come of one pool or not at all',
    [
      ['a', two('198.18.0.1', '2001:db8:2::1'), 'both: 198.18.0.1 2001:db8:2::1'],
      ['b', two('198.18.0.1', '2001:db8:2::2'), 'in-use'],
      ['b', two('198.18.0.2', '2001:db8:2::1'), 'in-use'],
      ['b', two('2001:db8:2::2', '198.18.0.2'), 'both: 2001:db8:2::2 198.18.0.2'],
      ['c', two('192.0.2.1', '2001:db8::1'), 'not-in-pool'],
      ['c', two('198.18.0.3', '2001:db8::1'), 'not-in-pool'],
      ['c', two('198.18.0.3', '198.18.0.4'), 'family-mismatch'],
      ['c', two('198.18.0.3'), 'family-mismatch'],
      ['c', { ...preferDual, addresses: ['198.18.0.3'] }, 'both: 198.18.0.3'],
      ['d', at('198.18.0.4', '2001:db8:2::4'), 'family-mismatch'],
      ['d', six('198.18.0.4'), 'family-mismatch'],
    ],
  ],
  [
    'a restricted pool gives its addresses to those it is for, however they are asked for',
    [
      ['a', at('198.18.1.1'), 'shop: 198.18.1.1'],
      ['b', { ...at('198.18.1.2'), namespace: 'billing' }, 'pool-not-for-service'],
      ['b', at('198.18.2.2'), 'pool-not-for-service'],
      ['b', { ...at('198.18.2.2'), labels: { tier: 'db' } }, 'pool-not-for-service'],
      ['b', { ...at('198.18.2.2'), labels: { tier: 'web', team: 'x' } }, 'web: 198.18.2.2'],
      ['c', at('198.18.3.3'), 'pool-not-for-service'],
      ['c', { ...at('198.18.3.3'), namespaceLabels: { team: 'web' } }, 'labelled: 198.18.3.3'],
      ['d', { ...at('198.18.4.4'), labels: { tier: 'web' } }, 'strict: 198.18.4.4'],
      ['d', { ...at('198.18.4.4'), labels: { tier: 'web' }, namespace: 'billing' }, 'pool-not-for-service'],
      ['d', at('198.18.4.4'), 'pool-not-for-service'],
      ['e', { ...two('198.18.1.5', '2001:db8:3::5') }, 'shop: 198.18.1.5 2001:db8:3::5'],
      ['e', { ...two('198.18.1.5', '2001:db8:3::5'), namespace: 'billing' }, 'pool-not-for-service'],
    ],
  ],
  [
    'an address is shared by those who have the key, and not the same port',
    [
      ['a', shared('k', [80], '192.0.2.1'), 'office: 192.0.2.1'],
      ['b', shared('k', [443], '192.0.2.1'), 'office: 192.0.2.1'],
      ['c', shared('k', [22, 443], '192.0.2.1'), 'port-conflict'],
      ['c', shared('other', [22], '192.0.2.1'), 'in-use'],
      ['c', shared('', [22], '192.0.2.1'), 'in-use'],
      ['c', at('192.0.2.1'), 'in-use'],
      ['c', shared('k', [22], '192.0.2.1', 'app=x'), 'in-use'],
      ['c', shared('k', [22], '192.0.2.1'), 'office: 192.0.2.1'],
      ['a', shared('k', [22], '192.0.2.1'), 'port-conflict'],
      ['a', shared('k', [80], '192.0.2.1'), 'office: 192.0.2.1'],
      ['a', shared('k2', [80], '192.0.2.1'), 'in-use'],
      ['b', 'gone', 'office: 192.0.2.1'],
      ['c', 'gone', 'office: 192.0.2.1'],
      ['a', shared('k', [443], '192.0.2.1', 'app=x'), 'office: 192.0.2.1'],
      ['b', shared('k', [80], '192.0.2.1'), 'in-use'],
      ['b', shared('k', [80], '192.0.2.1', 'app=x'), 'office: 192.0.2.1'],
    ],
  ],
  [
    'who is alone on an address may change all that it shares under',
    [
      ['a', at('192.0.2.1'), 'office: 192.0.2.1'],
      ['b', shared('k', [443], '192.0.2.1'), 'in-use'],
      ['a', shared('k', [80], '192.0.2.1'), 'office: 192.0.2.1'],
      ['b', shared('k', [443], '192.0.2.1'), 'office: 192.0.2.1'],
      ['b', 'gone', 'office: 192.0.2.1'],
      ['a', shared('k2', [80, 443], '192.0.2.1'), 'office: 192.0.2.1'],
      ['b', shared('k', [22], '192.0.2.1'), 'in-use'],
      ['b', shared('k2', [22], '192.0.2.1'), 'office: 192.0.2.1'],
      ['a', at('192.0.2.1'), 'in-use'],
      ['b', at('192.0.2.1'), 'office: 192.0.2.1'],
    ],
  ],
  [
    'a pool asked for beside an address must be the one that has it',
    [
      ['a', { ...at('192.0.2.1'), pool: 'office' }, 'office: 192.0.2.1'],
      ['a', { ...at('192.0.2.1'), pool: 'lab' }, 'other-pool'],
      ['a', { ...at('192.0.2.1'), pool: 'none' }, 'other-pool'],
      ['a', { ...at('203.0.113.1'), pool: 'lab' }, 'lab: 203.0.113.1'],
    ],
  ],
] as const satisfies readonly (readonly [string, readonly StoryStep[]])[]) {
  test(name, () => void tell(pools, steps));
}
