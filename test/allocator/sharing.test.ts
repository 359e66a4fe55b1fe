import assert from 'node:assert/strict';
import { Allocator } from '../../src/allocator/allocator.ts';
import type { Wish } from '../../src/allocator/wish.ts';
import { suite } from '../support/suite.ts';
import { address, poolsOf, preferDual, shown, tcp, wishOf } from './support.ts';

const test = suite('allocator/sharing');

function newAllocator(): Allocator {
  const allocator = new Allocator();
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.0/30', '2001:db8::/126'] } }), 0);
  return allocator;
}

const assign = (allocator: Allocator, service: string, wish: Wish) => shown(allocator.assign(service, wish, 0).outcome);

const http = wishOf({ sharingKey: 'web', ports: tcp(80) });

for (const [name, second, refused, elsewhere] of [
  ['the same key and other ports', wishOf({ sharingKey: 'web', ports: tcp(443) }), undefined, 'a: 192.0.2.0'],
  [
    'the same port of another protocol',
    wishOf({ sharingKey: 'web', ports: [{ protocol: 'UDP', port: 80 }] }),
    undefined,
    'a: 192.0.2.0',
  ],
  ['the same port', wishOf({ sharingKey: 'web', ports: tcp(443, 80) }), 'port-conflict', 'a: 192.0.2.1'],
  ['another key', wishOf({ sharingKey: 'mail', ports: tcp(443) }), 'in-use', 'a: 192.0.2.1'],
  ['no key', wishOf({ ports: tcp(443) }), 'in-use', 'a: 192.0.2.1'],
  ['an empty key', wishOf({ sharingKey: '', ports: tcp(443) }), 'in-use', 'a: 192.0.2.1'],
  [
    'other pods behind it',
    wishOf({ sharingKey: 'web', backend: 'app=shop', ports: tcp(443) }),
    'in-use',
    'a: 192.0.2.1',
  ],
] as const) {
  test(`a second Service with ${name} ${refused === undefined ? 'shares' : 'does not share'} the address`, () => {
    const allocator = newAllocator();
    assign(allocator, 'shop/first', http);
    const asking = { ...second, addresses: [address('192.0.2.0')] };
    assert.equal(assign(allocator, 'shop/second', asking), refused ?? 'a: 192.0.2.0');
    allocator.release('shop/second', 0);
    assert.equal(assign(allocator, 'shop/second', second), elsewhere);
  });
}

test('two empty keys do not share', () => {
  const allocator = newAllocator();
  const wish = wishOf({ sharingKey: '', ports: tcp(80) });
  assign(allocator, 'shop/first', wish);
  assert.equal(assign(allocator, 'shop/second', { ...wish, ports: tcp(443) }), 'a: 192.0.2.1');
});

test('a key and a backend are never mistaken for another key and backend', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/first', wishOf({ sharingKey: 'a', backend: 'b,c', ports: tcp(80) }));
  assert.equal(
    assign(allocator, 'shop/second', wishOf({ sharingKey: 'a,b', backend: 'c', ports: tcp(443) })),
    'a: 192.0.2.1',
  );
});

test('a Service joins the lowest address that it may share, before or after a free one', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/alone', wishOf());
  assign(allocator, 'shop/first', http);
  allocator.release('shop/alone', 0);
  const https = { ...http, ports: tcp(443) };
  assert.equal(assign(allocator, 'shop/free', https), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'shop/second', { ...http, ports: tcp(22) }), 'a: 192.0.2.0');
  assert.equal(assign(allocator, 'shop/third', https), 'a: 192.0.2.1');
});

test('a shared address of the first range goes before a free one of the next, and a free one before a shared one', () => {
  const allocator = new Allocator();
  allocator.setPools(poolsOf({ a: { addresses: ['192.0.2.9/32', '192.0.2.0/30'] } }), 0);
  assign(allocator, 'shop/first', http);
  assign(allocator, 'shop/second', http);
  assert.equal(assign(allocator, 'shop/third', { ...http, ports: tcp(443) }), 'a: 192.0.2.9');
  allocator.release('shop/first', 0);
  allocator.release('shop/third', 0);
  assert.equal(assign(allocator, 'shop/fourth', { ...http, ports: tcp(443) }), 'a: 192.0.2.9');
  assert.deepEqual(allocator.holders(address('192.0.2.0')), ['shop/second']);
});

test('an address is free again when its last Service has left', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/first', http);
  assign(allocator, 'shop/second', { ...http, ports: tcp(443) });
  allocator.release('shop/first', 0);
  assert.deepEqual(allocator.holders(address('192.0.2.0')), ['shop/second']);
  assert.equal(assign(allocator, 'shop/third', wishOf()), 'a: 192.0.2.1');
  allocator.release('shop/second', 0);
  assert.deepEqual(allocator.holders(address('192.0.2.0')), []);
  assert.equal(assign(allocator, 'shop/fourth', wishOf()), 'a: 192.0.2.0');
});

test('the port of a Service that left can be used again', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/first', http);
  assign(allocator, 'shop/second', { ...http, ports: tcp(443) });
  allocator.release('shop/first', 0);
  assert.equal(assign(allocator, 'shop/third', http), 'a: 192.0.2.0');
});

test('the only Service on an address may change its key, and the new key counts', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/first', http);
  const decision = allocator.assign('shop/first', { ...http, sharingKey: 'mail' }, 0);
  assert.deepEqual([shown(decision.outcome), decision.lost], ['a: 192.0.2.0', undefined]);
  assert.equal(assign(allocator, 'shop/second', { ...http, ports: tcp(443) }), 'a: 192.0.2.1');
  assert.equal(assign(allocator, 'shop/third', wishOf({ sharingKey: 'mail', ports: tcp(25) })), 'a: 192.0.2.0');
});

for (const [name, change, lost] of [
  ['changes its key', { sharingKey: 'mail' }, 'in-use'],
  ['drops its key', { sharingKey: undefined }, 'in-use'],
  ['comes to have other pods behind it', { backend: 'app=shop' }, 'in-use'],
  ['takes the port of another', { ports: tcp(443) }, 'port-conflict'],
] as const) {
  test(`one of two Services on an address that ${name} moves to another address`, () => {
    const allocator = newAllocator();
    assign(allocator, 'shop/first', http);
    assign(allocator, 'shop/second', { ...http, ports: tcp(443) });
    const decision = allocator.assign('shop/first', { ...http, ...change }, 0);
    assert.equal(decision.lost?.refused, lost);
    assert.equal(shown(decision.outcome), 'a: 192.0.2.1');
    assert.deepEqual(allocator.holders(address('192.0.2.0')), ['shop/second']);
  });
}

test('each address of a dual-stack Service is shared by itself', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/four', http);
  assign(allocator, 'shop/taken', wishOf({ families: [6] }));
  const both = { ...http, ...preferDual, ports: tcp(443) };
  assert.equal(assign(allocator, 'shop/both', both), 'a: 192.0.2.0 2001:db8::1');
});

test('sharing outlives a change of pools', () => {
  const allocator = newAllocator();
  assign(allocator, 'shop/first', http);
  assign(allocator, 'shop/second', { ...http, ports: tcp(443) });
  assert.deepEqual(allocator.setPools(poolsOf({ b: { addresses: ['192.0.2.0/24'] } }), 0), new Map());
  assert.deepEqual(allocator.holders(address('192.0.2.0')), ['shop/first', 'shop/second']);
});
