import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import { maxLineBytes, type WatchEvent, watchEvents } from '../../src/kubernetes/watch-stream.ts';
import { suite } from '../support/suite.ts';

const test = suite('kubernetes/watch-stream');

async function* bytesOf(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part as string);
}

async function read(...parts: (string | Uint8Array)[]): Promise<WatchEvent<never>[]> {
  const events: WatchEvent<never>[] = [];
  for await (const batch of watchEvents<never>('watch services', bytesOf(...parts))) events.push(...batch);
  return events;
}

const added = (name: string) => ({ type: 'ADDED', object: { metadata: { name } } });

test('events come out as they went in, wherever the bytes are cut', async () => {
  const names = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(names, fc.array(fc.nat(400), { maxLength: 10 }), async (wanted, cuts) => {
      const events = wanted.map(added);
      const all = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
      const edges = [0, ...cuts.map((cut) => cut % (all.length + 1)), all.length].sort((a, b) => a - b);
      const parts = edges.slice(1).map((edge, i) => all.subarray(edges[i], edge));
      assert.deepEqual(await read(...parts), events);
    }),
  );
});

test('a last line without its end is dropped', async () => {
  const line = JSON.stringify(added('a'));
  assert.deepEqual(await read(`${line}\n${line.slice(0, 10)}`), [added('a')]);
});

test('blank lines are skipped', async () => {
  assert.deepEqual(await read(`\n\r\n${JSON.stringify(added('a'))}\n\n`), [added('a')]);
});

const unreadable: [string, string][] = [
  ['no JSON', '{"type":"ADDED","obj'],
  ['no object', '"ADDED"'],
  ['null', 'null'],
  ['an unknown type', '{"type":"RENAMED","object":{"metadata":{}}}'],
  ['no type', '{"object":{"metadata":{}}}'],
  ['an event about nothing', '{"type":"ADDED","object":null}'],
  ['an event about an object without metadata', '{"type":"ADDED","object":{}}'],
];

for (const [name, line] of unreadable) {
  test(`a line with ${name} is garbled`, async () => {
    await assert.rejects(read(`${line}\n`), (error) => error instanceof ApiError && error.code === 'garbled');
  });
}

test('a line without end is cut off at the limit', async () => {
  async function* endless() {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    for (;;) yield chunk;
  }
  let batches = 0;
  const reading = async () => {
    for await (const _ of watchEvents('watch services', endless())) batches += 1;
  };
  await assert.rejects(reading(), (error) => error instanceof ApiError && error.code === 'too-large');
  assert.equal(batches, 0);
  assert.ok(maxLineBytes >= 3 * 1024 * 1024, 'an object of the size the API server stores is read');
});
