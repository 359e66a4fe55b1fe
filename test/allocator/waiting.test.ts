import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import type { Wish } from '../../src/allocator/wish.ts';
import { suite } from '../support/suite.ts';
import { poolsOf, preferDual, requireDual, shown, tcp, wishOf } from './support.ts';

const test = suite('allocator/waiting');

function full(specs: Record<string, object>, holders: readonly (readonly [string, Wish])[]): Allocator {
  const allocator = new Allocator();
  allocator.setPools(poolsOf(specs), 0);
  for (const [service, wish] of holders) assert.ok(!('refused' in allocator.assign(service, wish, 0).outcome));
  return allocator;
}

const one = { a: { addresses: ['192.0.2.0/32'] } };
const pair = { a: { addresses: ['192.0.2.0/32', '2001:db8::/128'] } };
const sharing = (port: number) => wishOf({ sharingKey: 'k', ports: tcp(port) });

for (const [name, specs, holder, waits, act, called] of [
  ['a Service that asks for anything, by any address', one, wishOf(), wishOf(), 'gone', true],
  ['a Service that asks for the address, by that', one, wishOf(), wishOf({ addresses: ['192.0.2.0'] }), 'gone', true],
  ['a Service that asks for the pool, by an address of it', one, wishOf(), wishOf({ pool: 'a' }), 'gone', true],
  ['a Service of one family, by that', pair, wishOf(preferDual), wishOf(), wishOf({ families: [6] }), true],
  ['a Service of one family, not by the other', pair, wishOf(preferDual), wishOf(), wishOf(), false],
  ['a Service that requires two, not by one', pair, wishOf(requireDual), wishOf(requireDual), wishOf(), false],
  ['a Service that requires two, by both', pair, wishOf(requireDual), wishOf(requireDual), 'gone', true],
  ['a Service that prefers two, by one', pair, wishOf(requireDual), wishOf(preferDual), wishOf(), true],
  ['a Service that shares, by a port', one, sharing(80), sharing(80), sharing(443), true],
  [
    'a Service that shares, not by another port',
    one,
    wishOf({ sharingKey: 'k', ports: tcp(80, 443) }),
    sharing(80),
    sharing(80),
    false,
  ],
  ['a Service that shares, by a key that comes to be its own', one, wishOf(), sharing(80), sharing(443), true],
  ['a Service that does not share, not by a port', one, sharing(80), wishOf(), sharing(443), false],
  [
    'a Service that asks for another address, not by this',
    one,
    wishOf(),
    wishOf({ addresses: ['192.0.2.9'] }),
    'gone',
    false,
  ],
  [
    'a Service that asks for a pool that does not exist, by nothing',
    one,
    wishOf(),
    wishOf({ pool: 'b' }),
    'gone',
    false,
  ],
] as const) {
  test(`is ${called ? '' : 'not '}called: ${name}`, () => {
    const allocator = full(specs, [['holder', holder]]);
    assert.ok('refused' in allocator.assign('waits', waits, 0).outcome);
    assert.deepEqual(allocator.takeCalled(0), []);
    if (act === 'gone') allocator.release('holder', 0);
    else allocator.assign('holder', act, 0);
    assert.deepEqual(allocator.takeCalled(0), called ? ['waits'] : []);
    assert.equal('addresses' in allocator.assign('waits', waits, 0).outcome, called);
  });
}

test('Services are called one after the other, the longest waiting first, as long as there is room', () => {
  const specs = { a: { addresses: ['192.0.2.0/31'] } };
  const allocator = full(specs, [
    ['u', wishOf()],
    ['v', wishOf()],
  ]);
  for (const service of ['zebra', 'ape', 'cow']) allocator.assign(service, wishOf(), 0);
  allocator.release('u', 0);
  allocator.release('v', 0);
  assert.deepEqual(allocator.takeCalled(0), ['zebra']);
  assert.deepEqual(allocator.takeCalled(0), []);
  allocator.assign('zebra', wishOf(), 0);
  assert.deepEqual(allocator.takeCalled(0), ['ape']);
  allocator.assign('ape', wishOf(), 0);
  assert.deepEqual(allocator.takeCalled(0), []);
});

test('a Service that is called too late keeps its turn', () => {
  const allocator = full(one, [['u', wishOf()]]);
  for (const service of ['zebra', 'ape']) allocator.assign(service, wishOf(), 0);
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['zebra']);
  allocator.assign('newcomer', wishOf(), 0);
  assert.equal(shown(allocator.assign('zebra', wishOf(), 0).outcome), 'exhausted');
  allocator.release('newcomer', 0);
  assert.deepEqual(allocator.takeCalled(0), ['zebra']);
});

test('when a Service that was called goes away, the next one is called', () => {
  const allocator = full(one, [['u', wishOf()]]);
  for (const service of ['zebra', 'ape']) allocator.assign(service, wishOf(), 0);
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['zebra']);
  allocator.release('zebra', 0);
  assert.deepEqual(allocator.takeCalled(0), ['ape']);
});

test('a Service that has one family is called for the other when its own pool has it', () => {
  const allocator = full(pair, [['u', wishOf({ families: [6] })]]);
  const { missing } = allocator.assign('waits', wishOf(preferDual), 0);
  assert.equal(missing?.detail, '1 of 1 IPv4 and 0 of 1 IPv6 assigned, pool a is full: 1 of 1 IPv6 addresses in use');
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['waits']);
  assert.equal(shown(allocator.assign('waits', wishOf(preferDual), 0).outcome), 'a: 192.0.2.0 2001:db8::');
});

for (const [name, specs, wish, detail] of [
  ['a full pool', one, wishOf(), 'pool a is full: 1 of 1 in use'],
  ['a pool of another family', one, wishOf({ families: [6] }), 'pool a has no IPv6 addresses'],
  ['a pool full of one family', pair, wishOf(requireDual), 'pool a is full: 1 of 1 IPv4 addresses in use'],
  [
    'two pools',
    { ...one, b: { addresses: ['2001:db8::/64'] } },
    wishOf(),
    'pool a is full: 1 of 1 in use; pool b has no IPv4 addresses',
  ],
  ['a pool that does not exist', one, wishOf({ pool: 'b' }), 'pool b is requested but does not exist'],
  [
    'pools that do not exist',
    one,
    wishOf({ pools: ['b', 'c'] }),
    'one of the pools b, c is requested, but none of them exists',
  ],
  [
    'an address that another has',
    one,
    wishOf({ addresses: ['192.0.2.0'] }),
    '192.0.2.0 is in use by holder, which has no sharing key',
  ],
] as const) {
  test(`a refusal says why: ${name}`, () => {
    const { outcome } = full(specs, [['holder', wishOf()]]).assign('waits', wish, 0);
    assert.equal('refused' in outcome && outcome.detail, detail);
  });
}

test('a refusal names three pools and three Services at most', () => {
  const names = Array.from({ length: 9 }, (_, i) => String.fromCharCode(97 + i));
  const specs = Object.fromEntries(names.map((name, i) => [name, { addresses: [`2001:db8:${i}::/64`] }]));
  const { outcome } = full(specs, []).assign('x', wishOf(), 0);
  assert.match('refused' in outcome ? outcome.detail : '', /^pool a .*; pool b .*; pool c .*; and so on for 6 more$/);
  const sharers = names.map((name, i) => [name, sharing(i + 1)] as const);
  const taken = full(one, sharers).assign('x', wishOf({ addresses: ['192.0.2.0'] }), 0).outcome;
  assert.match('refused' in taken ? taken.detail : '', /in use by a, b, c and 6 more, /);
});

test('a release costs the same with ten thousand Services that wait: only the first is looked at', () => {
  const allocator = full(one, [['u', wishOf()]]);
  let looks = 0;
  for (let i = 0; i < 10_000; i++) {
    const wish = wishOf();
    // A look at a Service that waits asks for its families.
    const counted = {
      ...wish,
      get families() {
        looks += 1;
        return wish.families;
      },
    };
    allocator.assign(`waits-${i}`, counted, 0);
  }
  looks = 0;
  allocator.release('u', 0);
  assert.deepEqual(allocator.takeCalled(0), ['waits-0']);
  assert.ok(looks < 100, `${looks} looks`);
});
