import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import { compile } from '../../src/config/compile.ts';
import { suite } from '../support/suite.ts';
import { address, reservationOf, shown, wishOf } from './support.ts';

const test = suite('allocator/class-pools');

/** One address in the pool of the class `web`, one in the pool `lan` that everybody may have. */
function allocatorWithClass(): Allocator {
  const compiled = compile({
    pools: [{ metadata: { name: 'lan' }, spec: { addresses: ['198.51.100.1/32'] } }],
    l2Advertisements: [],
    metalClasses: [{ metadata: { name: 'web' }, spec: { addressPool: ['192.0.2.1/32'] } }],
  });
  assert.ok('config' in compiled);
  const allocator = new Allocator();
  allocator.setPools(compiled.config.pools, 0);
  return allocator;
}

const alone =
  /^pool web is for Services of the MetalLoadBalancerClass web alone: name web in spec.loadBalancerClass, or/;

test('a Service that is bound to the class has its address from the pool of the class', () => {
  const allocator = allocatorWithClass();
  assert.equal(shown(allocator.assign('shop/web', wishOf({ pool: 'web' }), 0).outcome), 'web: 192.0.2.1');
  assert.equal(shown(allocator.assign('shop/next', wishOf({ pool: 'web' }), 0).outcome), 'exhausted');
});

test('a Service that asks for nothing has none of the class, be the other pools full', () => {
  const allocator = allocatorWithClass();
  assert.equal(shown(allocator.assign('shop/a', wishOf(), 0).outcome), 'lan: 198.51.100.1');
  assert.equal(shown(allocator.assign('shop/b', wishOf(), 0).outcome), 'exhausted');
});

for (const [how, wish] of [
  ['the address', wishOf({ addresses: ['192.0.2.1'] })],
  ['the pool among others', wishOf({ pools: ['web', 'none'] })],
  ['the address and the pool', wishOf({ addresses: ['192.0.2.1'], pools: ['web'] })],
] as const) {
  test(`a Service that is not bound to the class and asks for ${how} is told whose the pool is`, () => {
    const { outcome } = allocatorWithClass().assign('shop/web', wish, 0);
    assert.ok('refused' in outcome);
    assert.equal(outcome.refused, 'pool-not-for-service');
    assert.match(outcome.detail, alone);
  });
}

test('a pool that everybody may have serves beside the pool of a class that is asked for in vain', () => {
  const { outcome } = allocatorWithClass().assign('shop/web', wishOf({ pools: ['web', 'lan'] }), 0);
  assert.equal(shown(outcome), 'lan: 198.51.100.1');
});

test('a Service that is not bound to the class any more loses the address of the class', () => {
  const allocator = allocatorWithClass();
  allocator.assign('shop/web', wishOf({ pool: 'web' }), 0);
  const { outcome, lost } = allocator.assign('shop/web', wishOf(), 0);
  assert.equal(shown(outcome), 'lan: 198.51.100.1');
  assert.match(lost?.detail ?? '', alone);
});

test('an address of a class that a status names is kept by who is bound to it, and by nobody else', () => {
  const has = [address('192.0.2.1')];
  const adopted = (pool: string | undefined) =>
    shown(allocatorWithClass().adopt('shop/web', wishOf({ pool }), has, 0).outcome);
  assert.equal(adopted('web'), 'web: 192.0.2.1');
  assert.equal(adopted(undefined), 'pool-not-for-service');
});

test('a reservation in the pool of a class does not let anybody in who is not bound to it', () => {
  const allocator = allocatorWithClass();
  allocator.setReservations([reservationOf({ service: 'shop/web', addresses: ['192.0.2.1'] })], 0);
  assert.equal(shown(allocator.assign('shop/web', wishOf(), 0).outcome), 'lan: 198.51.100.1');
  assert.equal(shown(allocator.assign('shop/other', wishOf({ pool: 'web' }), 0).outcome), 'exhausted');
  allocator.release('shop/web', 0);
  assert.equal(shown(allocator.assign('shop/web', wishOf({ pool: 'web' }), 0).outcome), 'web: 192.0.2.1');
});
