import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { ApiClient } from '../../src/kubernetes/client.ts';
import type { EventObject, KubernetesObject } from '../../src/kubernetes/core.ts';
import { EventRecorder, type EventRecorderOptions } from '../../src/kubernetes/events.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Answer, json, type Received, reset, ScriptedApi, silent, status } from '../support/scripted-api.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/events');

const collection = '/api/v1/namespaces/shop/events';

type World = {
  readonly api: ScriptedApi;
  readonly recorder: EventRecorder;
  /** What the server holds, by name. */
  readonly stored: Map<string, EventObject>;
};

/** A recorder and a server that keeps the events of the namespace `shop`. */
async function withRecorder(
  run: (world: World) => Promise<void>,
  options: Partial<EventRecorderOptions> = {},
): Promise<void> {
  const api = await ScriptedApi.start();
  const stored = new Map<string, EventObject>();
  const patch: Answer = (request, response) => {
    const name = request.path.split('/').at(-1) as string;
    const held = stored.get(name);
    if (held === undefined) return status(404, 'NotFound')(request, response);
    stored.set(name, { ...held, ...(request.body as object) });
    json(stored.get(name))(request, response);
  };
  api.on(`POST ${collection}`, (request: Received, response: ServerResponse) => {
    const event = request.body as EventObject;
    if (stored.has(event.metadata.name)) return status(409, 'AlreadyExists')(request, response);
    stored.set(event.metadata.name, event);
    api.on(`PATCH ${collection}/${event.metadata.name}`, patch);
    json(event, 201)(request, response);
  });
  const client = new ApiClient({ server: api.url, clock: systemClock });
  const recorder = new EventRecorder({
    client,
    component: 'garpoon-controller',
    host: 'n1',
    clock: systemClock,
    random: seededRandom(1),
    log: silentLogger,
    backoff: { base: 1, max: 5 },
    ...options,
  });
  try {
    await run({ api, recorder, stored });
  } finally {
    client.close();
    await recorder.stop();
    await api.stop();
  }
}

function service(name: string, uid = `uid-${name}`): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop', uid, resourceVersion: '7' } };
}

const assigned = { type: 'Normal', reason: 'IPAllocated', message: 'Assigned IP ["192.0.2.1"]' } as const;

test('an event names its object, its source and its time', () =>
  withRecorder(
    async ({ recorder, stored }) => {
      recorder.record(service('web'), assigned);
      const event = await eventually('it is stored', () => [...stored.values()][0]);
      assert.match(event.metadata.name, /^web\.[0-9a-f]+$/);
      assert.deepEqual(event, {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: event.metadata.name, namespace: 'shop' },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Service',
          namespace: 'shop',
          name: 'web',
          uid: 'uid-web',
          resourceVersion: '7',
        },
        ...assigned,
        source: { component: 'garpoon-controller', host: 'n1' },
        reportingComponent: 'garpoon-controller',
        reportingInstance: 'n1',
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        count: 1,
      });
    },
    { clock: new FakeClock() },
  ));

test('events about an object of the cluster are kept in the default namespace', () =>
  withRecorder(async ({ api, recorder }) => {
    api.on('POST /api/v1/namespaces/default/events', json({}, 201));
    recorder.record({ kind: 'Node', metadata: { name: 'n1' } }, assigned);
    await eventually('it is written', () => api.count('POST /api/v1/namespaces/default/events') === 1);
    const event = api.requests[0]?.body as EventObject | undefined;
    assert.deepEqual(event?.involvedObject, { kind: 'Node', name: 'n1' });
  }));

test('a repetition within ten minutes is counted, a later one is a new event', () => {
  const clock = new FakeClock();
  return withRecorder(
    async ({ recorder, stored }) => {
      const counts = () => [...stored.values()].map(({ count }) => count);
      recorder.record(service('web'), assigned);
      await eventually('it is stored', () => counts().join() === '1');
      await clock.advance(599_000);
      recorder.record(service('web'), assigned);
      await eventually('it is counted', () => counts().join() === '2');
      assert.equal([...stored.values()][0]?.lastTimestamp, '2026-01-01T00:09:59Z');
      assert.equal([...stored.values()][0]?.firstTimestamp, '2026-01-01T00:00:00Z');
      await clock.advance(601_000);
      recorder.record(service('web'), assigned);
      await eventually('it is new', () => counts().join() === '2,1');
    },
    { clock },
  );
});

const different: [string, (recorder: EventRecorder) => void][] = [
  ['message', (recorder) => recorder.record(service('web'), { ...assigned, message: 'other' })],
  ['reason', (recorder) => recorder.record(service('web'), { ...assigned, reason: 'Other' })],
  ['type', (recorder) => recorder.record(service('web'), { ...assigned, type: 'Warning' })],
  ['object', (recorder) => recorder.record(service('api'), assigned)],
  ['object of the same name', (recorder) => recorder.record(service('web', 'uid-2'), assigned)],
];

for (const [name, record] of different) {
  test(`another ${name} is another event`, () =>
    withRecorder(async ({ recorder, stored }) => {
      recorder.record(service('web'), assigned);
      record(recorder);
      await recorder.stop();
      assert.equal(stored.size, 2);
    }));
}

test('an event that the server has forgotten is written anew, with its count', () =>
  withRecorder(async ({ recorder, stored }) => {
    recorder.record(service('web'), assigned);
    await eventually('it is stored', () => stored.size === 1);
    stored.clear();
    recorder.record(service('web'), assigned);
    await recorder.stop();
    assert.deepEqual(
      [...stored.values()].map(({ count }) => count),
      [2],
    );
  }));

test('a flood about one object is cut to a burst, then one in five minutes', () => {
  const clock = new FakeClock();
  return withRecorder(
    async ({ api, recorder, stored }) => {
      const count = () => [...stored.values()].reduce((sum, event) => sum + event.count, 0);
      for (let i = 0; i < 10_000; i++) recorder.record(service('web'), assigned);
      await eventually('the burst is stored', () => count() === 25);
      assert.ok(api.requests.length <= 2, 'what comes at once is written at once');
      assert.equal(recorder.counters().dropped, 9_975);
      recorder.record(service('api'), assigned);
      await eventually('another object has its own allowance', () => count() === 26);
      await clock.advance(300_000);
      recorder.record(service('web'), { ...assigned, message: 'later' });
      recorder.record(service('web'), { ...assigned, message: 'later again' });
      await eventually('one more is allowed', () => count() === 27);
      assert.equal(recorder.counters().dropped, 9_976);
    },
    { clock },
  );
});

const passing: [string, Answer][] = [
  ['a lost connection', reset],
  ['an internal error', status(500, 'InternalError')],
  ['a busy server', status(429, 'TooManyRequests')],
];

for (const [name, answer] of passing) {
  test(`an event survives ${name}`, () =>
    withRecorder(async ({ api, recorder }) => {
      api.on(`POST ${collection}`, answer, answer, json({}, 201));
      recorder.record(service('web'), assigned);
      await recorder.stop();
      assert.deepEqual(recorder.counters(), { sent: 1, dropped: 0 });
    }));
}

test('an event that the server refuses is dropped, and the next one is tried', () =>
  withRecorder(async ({ api, recorder }) => {
    api.on(`POST ${collection}`, status(403, 'Forbidden', 'namespace is being terminated'), json({}, 201));
    recorder.record(service('web'), assigned);
    recorder.record(service('api'), assigned);
    await recorder.stop();
    assert.deepEqual(recorder.counters(), { sent: 1, dropped: 1 });
  }));

test('the events of a thousand objects are written a few at a time, and at the end no slower than it goes', () =>
  withRecorder(
    async ({ recorder }) => {
      for (let i = 0; i < 1_000; i++) recorder.record(service(`s${i}`), assigned);
      await eventually('the first ones are written', () => recorder.counters().sent === 10);
      await recorder.stop();
      assert.deepEqual(recorder.counters(), { sent: 1_000, dropped: 0 });
    },
    { pace: { rate: 0.01, burst: 10 }, flushLimit: 20_000 },
  ));

test('while the server is away events pile up to a bound only', () =>
  withRecorder(
    async ({ api, recorder }) => {
      api.on(`POST ${collection}`, silent);
      for (let i = 0; i < 8_000; i++) recorder.record(service(`s${i}`), assigned);
      await eventually('the first is on its way', () => api.requests.length === 1);
      const { dropped } = recorder.counters();
      assert.ok(dropped >= 3_999, `${dropped} of 8,000 dropped`);
    },
    { flushLimit: 1 },
  ));

test('stop gives up what the server does not take in time', () =>
  withRecorder(
    async ({ api, recorder }) => {
      api.on(`POST ${collection}`, silent);
      recorder.record(service('web'), assigned);
      recorder.record(service('api'), assigned);
      await recorder.stop();
      await recorder.stop();
      recorder.record(service('late'), assigned);
      assert.deepEqual(recorder.counters(), { sent: 0, dropped: 2 });
    },
    { flushLimit: 20 },
  ));

test('names and messages that are too long are cut', () =>
  withRecorder(async ({ recorder, stored }) => {
    recorder.record(service('x'.repeat(253)), { ...assigned, message: 'y'.repeat(5_000) });
    const event = await eventually('it is stored', () => [...stored.values()][0]);
    assert.equal(event.metadata.name.length, 253);
    assert.equal(event.message.length, 1_024);
  }));
