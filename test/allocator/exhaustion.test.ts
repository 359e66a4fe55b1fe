import { suite } from '../support/suite.ts';
import { poolsOf, preferDual, requireDual, type StoryStep, tcp, tell } from './support.ts';

/**
 * Pools to their last address and back, once by asking for the pool and once without: what comes out must be the same,
 * because each of these pools is the only one of its story.
 */
const test = suite('allocator/exhaustion');

const four = poolsOf({ p: { addresses: ['192.0.2.4/30'] } });
const six = poolsOf({ p: { addresses: ['2001:db8::4/126'] } });
const both = poolsOf({ p: { addresses: ['192.0.2.0/31', '2001:db8::/127'] } });
const uneven = poolsOf({ p: { addresses: ['192.0.2.0/31', '2001:db8::/128'] } });
const v6 = { families: [6] as const };
const share = (...ports: readonly number[]) => ({ sharingKey: 'k', ports: tcp(...ports) });

for (const [name, pools, steps] of [
  [
    'IPv4',
    four,
    [
      ['a', {}, 'p: 192.0.2.4'],
      ['b', {}, 'p: 192.0.2.5'],
      ['c', {}, 'p: 192.0.2.6'],
      ['d', {}, 'p: 192.0.2.7'],
      ['a', {}, 'p: 192.0.2.4'],
      ['e', {}, 'exhausted'],
      ['e', v6, 'exhausted'],
      ['e', requireDual, 'exhausted'],
      ['b', 'gone', 'p: 192.0.2.5'],
      ['e', {}, 'p: 192.0.2.5'],
      ['f', {}, 'exhausted'],
      ['a', 'gone', 'p: 192.0.2.4'],
      ['d', 'gone', 'p: 192.0.2.7'],
      ['g', preferDual, 'p: 192.0.2.4'],
      ['h', {}, 'p: 192.0.2.7'],
    ],
  ],
  [
    'IPv6',
    six,
    [
      ['a', v6, 'p: 2001:db8::4'],
      ['b', v6, 'p: 2001:db8::5'],
      ['c', v6, 'p: 2001:db8::6'],
      ['d', v6, 'p: 2001:db8::7'],
      ['d', v6, 'p: 2001:db8::7'],
      ['e', v6, 'exhausted'],
      ['e', {}, 'exhausted'],
      ['e', preferDual, 'exhausted'],
      ['c', 'gone', 'p: 2001:db8::6'],
      ['e', preferDual, 'p: 2001:db8::6'],
      ['e', v6, 'p: 2001:db8::6'],
      ['f', v6, 'exhausted'],
    ],
  ],
  [
    'both families',
    both,
    [
      ['a', requireDual, 'p: 192.0.2.0 2001:db8::'],
      ['b', { ...preferDual, families: [6, 4] }, 'p: 192.0.2.1 2001:db8::1'],
      ['c', requireDual, 'exhausted'],
      ['c', preferDual, 'exhausted'],
      ['c', {}, 'exhausted'],
      ['c', v6, 'exhausted'],
      ['a', 'gone', 'p: 192.0.2.0 2001:db8::'],
      ['c', v6, 'p: 2001:db8::'],
      ['d', requireDual, 'exhausted'],
      ['d', preferDual, 'p: 192.0.2.0'],
      ['c', 'gone', 'p: 2001:db8::'],
      ['d', preferDual, 'p: 192.0.2.0 2001:db8::'],
      ['d', {}, 'p: 192.0.2.0'],
      ['e', v6, 'p: 2001:db8::'],
      ['d', requireDual, 'exhausted'],
      ['f', {}, 'p: 192.0.2.0'],
    ],
  ],
  [
    'more of one family than of the other',
    uneven,
    [
      ['a', requireDual, 'p: 192.0.2.0 2001:db8::'],
      ['b', requireDual, 'exhausted'],
      ['b', preferDual, 'p: 192.0.2.1'],
      ['c', preferDual, 'exhausted'],
      ['b', 'gone', 'p: 192.0.2.1'],
      ['a', 'gone', 'p: 192.0.2.0 2001:db8::'],
      ['b', v6, 'p: 2001:db8::'],
      ['c', { ...preferDual, families: [6, 4] }, 'p: 192.0.2.0'],
    ],
  ],
  [
    'shared addresses',
    poolsOf({ p: { addresses: ['192.0.2.0/31'] } }),
    [
      ['a', share(80), 'p: 192.0.2.0'],
      ['b', share(80), 'p: 192.0.2.1'],
      ['c', share(443), 'p: 192.0.2.0'],
      ['d', share(443, 22), 'p: 192.0.2.1'],
      ['e', share(80, 8080), 'exhausted'],
      ['e', share(22, 8080), 'p: 192.0.2.0'],
      ['f', {}, 'exhausted'],
      ['f', { ...share(25), sharingKey: 'other' }, 'exhausted'],
      ['f', { ...share(25), backend: 'app=x' }, 'exhausted'],
      ['a', 'gone', 'p: 192.0.2.0'],
      ['f', share(80), 'p: 192.0.2.0'],
      ['c', 'gone', 'p: 192.0.2.0'],
      ['e', 'gone', 'p: 192.0.2.0'],
      ['f', 'gone', 'p: 192.0.2.0'],
      ['f', {}, 'p: 192.0.2.0'],
    ],
  ],
  [
    'shared addresses of both families',
    poolsOf({ p: { addresses: ['192.0.2.0/32', '2001:db8::/127'] } }),
    [
      ['a', { ...requireDual, ...share(80) }, 'p: 192.0.2.0 2001:db8::'],
      ['b', { ...requireDual, ...share(443) }, 'p: 192.0.2.0 2001:db8::'],
      ['c', { ...requireDual, ...share(80) }, 'exhausted'],
      ['c', { ...preferDual, ...share(80) }, 'p: 2001:db8::1'],
      ['d', requireDual, 'exhausted'],
      ['a', 'gone', 'p: 192.0.2.0 2001:db8::'],
      ['c', { ...preferDual, ...share(80) }, 'p: 2001:db8::1 192.0.2.0'],
      ['e', { ...v6, ...share(80) }, 'p: 2001:db8::'],
    ],
  ],
] as const satisfies readonly (readonly [string, ReturnType<typeof poolsOf>, readonly StoryStep[]])[]) {
  test(`a pool is used up by Services that ask for nothing, and given out again: ${name}`, () => {
    tell(pools, steps);
  });
  test(`a pool is used up by Services that ask for it, and given out again: ${name}`, () => {
    const asking = steps.map(([service, wish, has]): StoryStep => {
      return [service, wish === 'gone' ? wish : { ...(wish as object), pool: 'p' }, has];
    });
    tell(pools, asking);
  });
}
