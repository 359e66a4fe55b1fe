import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BroadcastQueue } from '../../src/memberlist-lite/broadcast-queue.ts';
import { suite } from '../support/suite.ts';

const test = suite('memberlist-lite/broadcast-queue');

/** A message that says which one it is, of a given length. */
const message = (id: number, length: number) => new Uint8Array(length).fill(id);
const taken = (queue: BroadcastQueue, room = 10_000, members = 3, parts?: number) =>
  queue.take(room, members, parts).map((bytes) => bytes[0]);

test('gives those sent least often first, then the longest, then the newest', () => {
  const queue = new BroadcastQueue(4);
  queue.add('a', message(1, 10));
  assert.deepEqual(taken(queue), [1]);
  queue.add('b', message(2, 10));
  queue.add('c', message(3, 20));
  queue.add('d', message(4, 10));
  assert.deepEqual(taken(queue), [3, 4, 2, 1]);
});

test('fills the room that is left with what fits', () => {
  const queue = new BroadcastQueue(4);
  queue.add('a', message(1, 50));
  queue.add('b', message(2, 30));
  queue.add('c', message(3, 20));
  queue.add('d', message(4, 5));
  assert.deepEqual(taken(queue, 52 + 22), [1, 3]);
  assert.deepEqual(taken(queue, 6), []);
  assert.deepEqual(taken(queue, 7), [4]);
});

test('holds one message for each of as many members as there may be, and lets go of those sent most for newer ones', () => {
  const queue = new BroadcastQueue(4);
  for (let i = 0; i < 10_000; i++) queue.add(`node-${i}`, message(1, 10));
  const [sent] = queue.take(12, 10_000);
  assert.ok(sent);
  for (let i = 0; i < 100; i++) queue.add(`new-${i}`, message(2, 10));
  assert.equal(queue.size, 10_000);
  assert.deepEqual(taken(queue, 10_000, 10_000, 3), [2, 2, 2]);
});

test('gives no more parts than asked for', () => {
  const queue = new BroadcastQueue(4);
  for (let id = 0; id < 300; id++) queue.add(`node-${id}`, message(id, 1));
  assert.equal(taken(queue).length, 255);
  assert.equal(taken(queue, 10_000, 3, 7).length, 7);
});

test('a newer message about a member takes the place of the older', () => {
  const queue = new BroadcastQueue(4);
  queue.add('a', message(1, 10));
  queue.add('a', message(2, 10));
  assert.equal(queue.size, 1);
  assert.deepEqual(taken(queue), [2]);
});

for (const [members, times] of [
  [1, 4],
  [9, 4],
  [10, 8],
  [99, 8],
  [100, 12],
] as const) {
  test(`sends each message ${times} times among ${members} members, then forgets it`, () => {
    const queue = new BroadcastQueue(4);
    queue.add('a', message(1, 10));
    for (let i = 0; i < times; i++) assert.deepEqual(taken(queue, 1000, members), [1], `time ${i + 1}`);
    assert.deepEqual(taken(queue, 1000, members), []);
    assert.equal(queue.size, 0);
  });
}

test('holds one message for each member and never gives more bytes than there is room', () => {
  const step = fc.oneof(
    fc.record({ about: fc.nat({ max: 9 }), length: fc.integer({ min: 1, max: 60 }) }, { noNullPrototype: true }),
    fc.record({ room: fc.nat({ max: 300 }) }, { noNullPrototype: true }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const queue = new BroadcastQueue(2);
      const newest = new Map<number, number>();
      for (const [id, next] of steps.entries()) {
        if ('about' in next) {
          queue.add(`node-${next.about}`, message(id % 256, next.length));
          newest.set(next.about, id % 256);
        } else {
          const messages = queue.take(next.room, 9);
          assert.ok(messages.reduce((sum, bytes) => sum + bytes.length + 2, 0) <= next.room);
          for (const bytes of messages) assert.ok([...newest.values()].includes(bytes[0] ?? -1));
        }
        assert.ok(queue.size <= newest.size);
      }
    }),
  );
});
