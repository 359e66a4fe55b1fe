import assert from 'node:assert/strict';
import { ApiClient } from '../../src/kubernetes/client.ts';
import type { Service } from '../../src/kubernetes/core.ts';
import { Reflector, type ReflectorOptions } from '../../src/kubernetes/reflector.ts';
import { services } from '../../src/kubernetes/resource.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Answer, list, reset, ScriptedApi, silent, status, text } from '../support/scripted-api.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/reflector');

const path = '/api/v1/services';
const lists = `GET ${path}`;
const watches = `WATCH ${path}`;

type World = {
  readonly api: ScriptedApi;
  readonly client: ApiClient;
  readonly store: Store<Service>;
  readonly reflector: Reflector<Service>;
  /** What the store reported: `key now/before` by version. */
  readonly changes: string[];
};

/** A reflector of all Services against a scripted server; failures wait for milliseconds only. */
async function withReflector(
  run: (world: World) => Promise<void>,
  options: Partial<ReflectorOptions<Service>> & { readonly timeout?: number } = {},
): Promise<void> {
  const api = await ScriptedApi.start();
  api.on(watches, api.watching());
  const client = new ApiClient({ server: api.url, clock: systemClock, timeout: options.timeout ?? 10_000 });
  const store = new Store<Service>({ log: silentLogger });
  const changes: string[] = [];
  const version = (of: Service | undefined) => of?.metadata.resourceVersion ?? '-';
  store.onChange((key, now, before) => changes.push(`${key} ${version(now)}/${version(before)}`));
  const reflector = new Reflector({
    client,
    resource: services,
    store,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLogger,
    limits: { backoff: { base: 1, max: 10 } },
    ...options,
  });
  try {
    await run({ api, client, store, reflector, changes });
  } finally {
    await reflector.stop();
    client.close();
    await api.stop();
  }
}

function service(name: string, resourceVersion: string, uid = name): Service {
  return { metadata: { name, namespace: 'shop', uid, resourceVersion } };
}

const has = (store: Store<Service>, ...versions: string[]) =>
  eventually(`the store holds ${versions.join()}`, () => {
    const held = store.list().map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);
    return held.sort().join() === versions.sort().join();
  });

/** The resourceVersion at which the last watch began. */
const lastWatched = (api: ScriptedApi) =>
  api.requests
    .filter(({ verb }) => verb === 'WATCH')
    .at(-1)
    ?.query.get('resourceVersion');

test('lists, then watches from there', () =>
  withReflector(async ({ api, store, reflector }) => {
    api.on(lists, list('10', [service('a', '5')]));
    reflector.start();
    reflector.start();
    await reflector.synced;
    assert.equal(store.hasSynced, true);
    const watch = await api.watch(1);
    watch.event('ADDED', service('b', '11'));
    watch.event('MODIFIED', service('a', '12'));
    await has(store, 'a@12', 'b@11');
    watch.event('DELETED', service('b', '13'));
    await has(store, 'a@12');

    assert.deepEqual([api.count(lists), api.count(watches)], [1, 1]);
    assert.equal(api.requests[0]?.query.get('limit'), '500');
    const { query } = watch.request;
    assert.deepEqual([query.get('resourceVersion'), query.get('allowWatchBookmarks')], ['10', 'true']);
    const seconds = Number(query.get('timeoutSeconds'));
    assert.ok(seconds >= 240 && seconds <= 480, `timeoutSeconds=${seconds}`);
    const { lastEventAge, ...counters } = reflector.counters();
    assert.deepEqual(counters, { lists: 1, watches: 1, failures: 0, events: 3 });
    assert.ok(lastEventAge !== undefined && lastEventAge < 10_000);
  }));

test('asks for the selection only', () =>
  withReflector(
    async ({ api, reflector }) => {
      api.on('GET /api/v1/namespaces/shop/services', list('1', []));
      api.on('WATCH /api/v1/namespaces/shop/services', api.watching());
      reflector.start();
      await api.watch(1);
      for (const { query } of api.requests) {
        assert.deepEqual([query.get('labelSelector'), query.get('fieldSelector')], ['a=b', 'metadata.name=web']);
      }
    },
    { namespace: 'shop', labelSelector: 'a=b', fieldSelector: 'metadata.name=web' },
  ));

test('drops managedFields and what trim drops, and states the kind, whatever brought the object', () =>
  withReflector(
    async ({ api, store, reflector }) => {
      const bulky = (of: Service) => ({
        ...of,
        metadata: { ...of.metadata, managedFields: [{}] },
        spec: { type: 'x' },
      });
      api.on(lists, list('10', [bulky(service('a', '5'))]));
      reflector.start();
      (await api.watch(1)).event('ADDED', { kind: 'Service', apiVersion: 'v1', ...bulky(service('b', '11')) });
      await has(store, 'a@5', 'b@11');
      for (const object of store.list()) {
        const { name, resourceVersion } = object.metadata;
        assert.deepEqual(object, { ...service(name, resourceVersion!), apiVersion: 'v1', kind: 'Service' });
      }
    },
    {
      trim: ({ spec: _, ...rest }) => rest,
    },
  ));

test('reads a long list page by page, and shows it only when it is whole', () =>
  withReflector(async ({ api, store, reflector, changes }) => {
    let sizeAtLastPage: number | undefined;
    const last: Answer = (request, response) => {
      sizeAtLastPage = store.size;
      list('10', [service('c', '3')])(request, response);
    };
    api.on(lists, list('10', [service('a', '1')], 'page 2'), list('10', [service('b', '2')], 'page 3'), last);
    reflector.start();
    await reflector.synced;
    assert.equal(sizeAtLastPage, 0);
    assert.deepEqual(changes, ['shop/a 1/-', 'shop/b 2/-', 'shop/c 3/-']);
    assert.deepEqual(
      api.requests.filter(({ verb }) => verb === 'GET').map(({ query }) => query.get('continue')),
      [null, 'page 2', 'page 3'],
    );
  }));

test('begins a list anew when its continuation has expired', () =>
  withReflector(async ({ api, store, reflector }) => {
    const expired = status(410, 'Expired', 'the provided continue parameter is too old');
    api.on(lists, list('10', [service('gone', '1')], 'page 2'), expired, list('20', [service('a', '15')]));
    reflector.start();
    await reflector.synced;
    await has(store, 'a@15');
    await api.watch(1);
    assert.equal(lastWatched(api), '20');
  }));

test('a null list of items is an empty one', () =>
  withReflector(async ({ api, store, reflector }) => {
    api.on(lists, (_, response) => void response.end('{"metadata":{"resourceVersion":"1"},"items":null}'));
    reflector.start();
    await reflector.synced;
    assert.equal(store.size, 0);
  }));

// Every one of these breaks the first list; the second is sound.
const brokenLists: [string, Answer][] = [
  ['is refused', status(500, 'InternalError')],
  ['is forbidden', status(403, 'Forbidden')],
  ['is of a kind that is not installed yet', status(404, 'NotFound')],
  ['is reset', reset],
  ['is never answered', silent],
  ['is no JSON', text('<html>')],
  ['has no resourceVersion', text('{"metadata":{},"items":[]}')],
  ['is no list', text('null')],
  ['stops halfway', (_, response) => void response.writeHead(200, { 'content-length': 999 }).end('{"metadata":')],
];

for (const [name, answer] of brokenLists) {
  test(`recovers from a list that ${name}`, () =>
    withReflector(
      async ({ api, store, reflector }) => {
        api.on(lists, answer, answer, list('10', [service('a', '5')]));
        reflector.start();
        await reflector.synced;
        await has(store, 'a@5');
        assert.equal(reflector.counters().failures, 2);
      },
      { timeout: 100 },
    ));
}

// Every one of these ends the first watch after an event at version 11. The reflector goes on from `resumes`, by a list
// when `relists`.
const brokenWatches: {
  readonly name: string;
  readonly break: (watch: Awaited<ReturnType<ScriptedApi['watch']>>) => void;
  readonly relists: boolean;
}[] = [
  { name: 'reset', break: (watch) => watch.reset(), relists: false },
  { name: 'ended at once', break: (watch) => watch.end(), relists: false },
  {
    name: 'cut off within a line',
    break(watch) {
      watch.write('{"type":"ADDED","obj');
      watch.end();
    },
    relists: false,
  },
  {
    name: 'cut off by a reset within a line',
    break(watch) {
      watch.write('{"type');
      watch.reset();
    },
    relists: false,
  },
  { name: 'garbled', break: (watch) => watch.write('{"type":"ADDED","obj\n'), relists: true },
  { name: 'no watch', break: (watch) => watch.write('{"kind":"ServiceList"}\n'), relists: true },
  { name: 'expired', break: (watch) => watch.event('ERROR', { code: 410, reason: 'Expired' }), relists: true },
  { name: 'an internal error', break: (watch) => watch.event('ERROR', { code: 500 }), relists: false },
  { name: 'an error without a code', break: (watch) => watch.event('ERROR', {}), relists: false },
];

for (const { name, break: broken, relists } of brokenWatches) {
  test(`goes on ${relists ? 'by a new list' : 'from where it was'} when a watch is ${name}`, () =>
    withReflector(async ({ api, store, reflector, changes }) => {
      api.on(lists, list('10', [service('a', '5')]), list('20', [service('a', '11'), service('c', '20')]));
      reflector.start();
      const first = await api.watch(1);
      first.event('MODIFIED', service('a', '11'));
      await has(store, 'a@11');
      broken(first);
      const second = await api.watch(2);
      assert.equal(lastWatched(api), relists ? '20' : '11');
      assert.equal(api.count(lists), relists ? 2 : 1);
      await eventually('the old watch is closed', () => first.closed);
      second.event('ADDED', service('b', '21'));
      await has(store, 'a@11', 'b@21', ...(relists ? ['c@20'] : []));
      assert.equal(changes.filter((change) => change.startsWith('shop/a')).length, 2, 'a is not reported again');
    }));
}

const refusedWatches: [string, Answer, boolean][] = [
  ['410 Gone', status(410, 'Expired'), true],
  ['504, for a version that the server never had', status(504, 'Timeout', 'Too large resource version'), true],
  ['500', status(500, 'InternalError'), false],
  ['401', status(401, 'Unauthorized'), false],
  ['a reset', reset, false],
];

for (const [name, answer, relists] of refusedWatches) {
  test(`a watch refused by ${name} is ${relists ? 'preceded by a list' : 'simply tried again'}`, () =>
    withReflector(async ({ api, reflector }) => {
      api.on(lists, list('10', []), list('20', []));
      api.on(watches, answer, api.watching());
      reflector.start();
      await api.watch(1);
      assert.equal(lastWatched(api), relists ? '20' : '10');
      assert.equal(api.count(lists), relists ? 2 : 1);
    }));
}

test('a bookmark moves the place from where the next watch begins', () =>
  withReflector(async ({ api, reflector }) => {
    api.on(lists, list('10', []));
    reflector.start();
    const watch = await api.watch(1);
    watch.bookmark('500');
    await eventually('the bookmark is read', () => reflector.counters().events === 1);
    watch.reset();
    await api.watch(2);
    assert.equal(lastWatched(api), '500');
    assert.equal(api.count(lists), 1);
  }));

test('a server that is back after many failures, and refuses what is from before, is listed at once', () => {
  const waits: unknown[] = [];
  const note = (_event: string, fields?: LogFields) =>
    void (fields?.retryIn === undefined || waits.push(fields.retryIn));
  return withReflector(
    async ({ api, store, reflector }) => {
      api.on(lists, list('10', [service('a', '5')]), list('20', [service('a', '15')]));
      const broken = status(500, 'InternalError', 'starting');
      api.on(
        watches,
        broken,
        broken,
        broken,
        broken,
        status(410, 'Expired', 'too old resource version'),
        api.watching(),
      );
      reflector.start();
      await has(store, 'a@15');
      assert.equal(waits.length, 5);
      assert.ok(waits.slice(0, 4).some((wait) => wait !== 0));
      assert.equal(waits[4], 0);
    },
    {
      limits: { backoff: { base: 20, max: 50 } },
      log: { ...silentLogger, debug: note, warn: note, with: () => ({ ...silentLogger, debug: note, warn: note }) },
    },
  );
});

test('an object deleted and created again while nobody watched is reported as both', () =>
  withReflector(async ({ api, store, reflector, changes }) => {
    api.on(lists, list('10', [service('a', '5', 'first')]), list('20', [service('a', '15', 'second')]));
    reflector.start();
    (await api.watch(1)).event('ERROR', { code: 410 });
    await has(store, 'a@15');
    assert.deepEqual(changes, ['shop/a 5/-', 'shop/a -/5', 'shop/a 15/-']);
  }));

test('an object deleted while nobody watched is reported as deleted', () =>
  withReflector(async ({ api, store, reflector, changes }) => {
    api.on(lists, list('10', [service('a', '5'), service('b', '6')]), list('20', [service('a', '5')]));
    reflector.start();
    (await api.watch(1)).event('ERROR', { code: 410 });
    await has(store, 'a@5');
    assert.deepEqual(changes, ['shop/a 5/-', 'shop/b 6/-', 'shop/b -/6']);
  }));

test('ten thousand events arrive, all of them, past a listener that throws', () =>
  withReflector(async ({ api, store, reflector, changes }) => {
    store.onChange(() => {
      throw new Error('broken listener');
    });
    api.on(lists, list('10', []));
    reflector.start();
    const watch = await api.watch(1);
    for (let i = 0; i < 10_000; i++) watch.event('ADDED', service(`s${i}`, String(i + 11)));
    await eventually('all have arrived', () => store.size === 10_000);
    assert.equal(changes.length, 10_000);
    assert.equal(reflector.counters().watches, 1);
    watch.reset();
    await api.watch(2);
    assert.equal(lastWatched(api), '10010');
  }));

test('a server that ends every watch at once is not hammered', () =>
  withReflector(
    async ({ api, reflector }) => {
      api.on(lists, list('10', []));
      api.on(watches, (_, response) => void response.writeHead(200).end());
      reflector.start();
      await eventually('several watches failed', () => reflector.counters().failures >= 4);
      const { failures, watches: accepted } = reflector.counters();
      assert.ok(accepted - failures <= 1, 'each of them counts as failed');
    },
    { limits: { backoff: { base: 1, max: 2 } } },
  ));

test('waits for as long as a busy server asks', () =>
  withReflector(async ({ api, reflector }) => {
    api.on(lists, status(429, 'TooManyRequests', '', { 'retry-after': '1' }), list('10', []));
    const begun = systemClock.now();
    reflector.start();
    await reflector.synced;
    assert.ok(systemClock.now() - begun >= 990);
  }));

test('a killed server that comes back is found again', () =>
  withReflector(async ({ api, store, reflector }) => {
    api.on(lists, list('10', [service('a', '5')]));
    reflector.start();
    const first = await api.watch(1);
    api.on(watches, reset, reset, reset, api.watching());
    api.resetConnections();
    const second = await api.watch(2);
    assert.equal(first.closed, true);
    second.event('MODIFIED', service('a', '11'));
    await has(store, 'a@11');
    assert.equal(reflector.counters().failures, 4);
  }));

test('what was restored stands until the first list, and says from when it is', () =>
  withReflector(async ({ api, store, reflector, changes }) => {
    api.on(lists, silent);
    reflector.start();
    await eventually('it lists', () => api.count(lists) === 1);
    const kept = (name: string, version: string) => ({ apiVersion: 'v1', kind: 'Service', ...service(name, version) });
    reflector.restore([kept('a', '5'), kept('b', '6')], 1_000);
    await reflector.filled;
    assert.equal(reflector.staleSince, 1_000);
    api.on(lists, reset, list('10', [service('a', '5'), service('b', '9')]));
    api.resetConnections();
    await reflector.synced;
    await eventually('it watches', () => reflector.counters().watches === 1);
    assert.deepEqual(changes, ['shop/a 5/-', 'shop/b 6/-', 'shop/b 9/6']);
    assert.equal(reflector.staleSince, undefined);
    reflector.restore([], 2_000);
    await has(store, 'a@5', 'b@9');
  }));

test('says since when it does not know, as long as it does not', () =>
  withReflector(async ({ api, reflector }) => {
    api.on(lists, list('10', [service('a', '5')]));
    assert.equal(reflector.staleSince, undefined);
    const begun = systemClock.wallTime();
    reflector.start();
    await api.watch(1);
    assert.equal(reflector.staleSince, undefined);
    api.on(watches, reset);
    api.resetConnections();
    const since = await eventually('it is stale', () => reflector.staleSince);
    assert.ok(since >= begun - 1 && since <= systemClock.wallTime(), `${since - begun} ms after the start`);
    await eventually('it tries again', () => reflector.counters().failures > 3);
    assert.equal(reflector.staleSince, since);
    api.on(watches, api.watching());
    await eventually('it follows', () => reflector.staleSince === undefined);
  }));

for (const [what, answer, isDenied] of [
  ['a refused permission', status(403, 'Forbidden'), true],
  ['a kind that is not served', status(404, 'NotFound'), true],
  ['a refused token', status(401, 'Unauthorized'), true],
  ['a fault', status(500, 'InternalError'), false],
  ['a gateway without a server behind it', status(503, 'ServiceUnavailable'), false],
  ['a wish for fewer requests', status(429, 'TooManyRequests'), false],
  ['an old version', status(410, 'Expired'), false],
  ['a reset', reset, false],
] as const satisfies readonly (readonly [string, Answer, boolean])[]) {
  test(`${what} ends the first attempt, and says ${isDenied ? 'that the server is there' : 'nothing of the server'}`, () =>
    withReflector(async ({ api, reflector }) => {
      api.on(lists, answer);
      reflector.start();
      await reflector.attempted;
      assert.equal(reflector.isDenied, isDenied);
      assert.equal(reflector.isFilled, false);
    }));
}

// The answers, and how many requests have arrived at the moment.
const momentsToStop: [string, { readonly [route: string]: readonly Answer[] }, number][] = [
  ['a list is running', { [lists]: [silent] }, 1],
  ['the second page is awaited', { [lists]: [list('1', [service('a', '1')], 'page 2'), silent] }, 2],
  ['a watch is being opened', { [lists]: [list('1', [])], [watches]: [silent] }, 2],
  ['a watch is open', { [lists]: [list('1', [])] }, 2],
  ['a failure is waited for', { [lists]: [status(500, 'InternalError')] }, 1],
];

for (const [name, answers, requests] of momentsToStop) {
  test(`stops while ${name}, and leaves nothing behind`, () =>
    withReflector(
      async ({ api, client, reflector, changes }) => {
        for (const [route, scripted] of Object.entries(answers)) api.on(route, ...scripted);
        reflector.start();
        await eventually('the server is asked', () => api.requests.length === requests);
        await Promise.all([reflector.stop(), reflector.stop()]);
        const before = [api.requests.length, changes.length];
        client.close();
        await eventually('every connection is closed', () => api.connections === 0);
        assert.deepEqual([api.requests.length, changes.length], before);
      },
      { limits: { backoff: { base: 60_000, max: 60_000 } } },
    ));
}

test('stopped before it has begun, it never begins', () =>
  withReflector(async ({ api, reflector }) => {
    await reflector.stop();
    reflector.start();
    await assert.rejects(reflector.synced, /list services: stopped before the first list/);
    await assert.rejects(reflector.filled, /list services: stopped before the first list/);
    reflector.restore([service('a', '5')], 0);
    assert.equal(reflector.isFilled, false);
    assert.equal(api.requests.length, 0);
  }));

test('nothing changes after stop, not even by bytes that have arrived', () =>
  withReflector(async ({ api, store, reflector, changes }) => {
    api.on(lists, list('10', []));
    let stopped: Promise<void> | undefined;
    store.onChange(() => {
      stopped ??= reflector.stop();
    });
    reflector.start();
    const watch = await api.watch(1);
    const lines = ['a', 'b', 'c'].map((name) => JSON.stringify({ type: 'ADDED', object: service(name, '11') }));
    watch.write(`${lines.join('\n')}\n`);
    await eventually('the first has arrived', () => stopped !== undefined);
    await stopped;
    assert.deepEqual(changes, ['shop/a 11/-']);
  }));

/** The server is real and time is not: the test moves time only when the server has seen what it waits for. */
function withVirtualTime(run: (world: World & { readonly clock: FakeClock }) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  return withReflector((world) => run({ ...world, clock }), { clock, limits: {} });
}

test('a connection that fell silent is given up ten seconds after the watch should have ended', () =>
  withVirtualTime(async ({ api, reflector, clock }) => {
    api.on(lists, list('10', []));
    reflector.start();
    const watch = await api.watch(1);
    const limit = Number(watch.request.query.get('timeoutSeconds')) * 1000 + 10_000;
    await eventually('the watch is open', () => reflector.counters().watches === 1);
    await clock.advance(200_000);
    watch.bookmark('11');
    await eventually('the bookmark is read', () => reflector.counters().events === 1);
    await clock.advance(limit - 1);
    assert.equal(watch.closed, false, 'what was heard counts');
    await clock.advance(1);
    await eventually('the watch is given up', () => watch.closed);
    await eventually('it failed', () => reflector.counters().failures === 1);
    await clock.advance(1_000);
    await api.watch(2);
    assert.equal(lastWatched(api), '11');
    assert.equal(reflector.counters().lastEventAge, limit + 1_000);
  }));

test('waits longer after each failure, half a second to half a minute, and begins anew after a good minute', () =>
  withVirtualTime(async ({ api, reflector, clock }) => {
    api.on(lists, status(500, 'InternalError'));
    reflector.start();
    for (let failures = 1; failures <= 12; failures++) {
      await eventually('it failed', () => reflector.counters().failures === failures && clock.pending() > 0);
      await clock.advance(499);
      assert.equal(api.count(lists), failures, 'never within half a second');
      await clock.advance(Math.min(30_000, 500 * 2 ** failures) - 499);
      await eventually('it tries again', () => api.count(lists) === failures + 1);
    }
    api.on(lists, list('10', []));
    await eventually('the last one failed', () => reflector.counters().failures === 13 && clock.pending() > 0);
    await clock.advance(30_000);
    const watch = await api.watch(1);
    await eventually('the watch is open', () => reflector.counters().watches === 1);
    await clock.advance(60_000);
    watch.reset();
    await eventually('it failed', () => reflector.counters().failures === 14 && clock.pending() > 0);
    await clock.advance(1_000);
    await api.watch(2);
  }));

test('says once that it fails, and once that it works again; one lost connection is not worth a line', async () => {
  const said: string[] = [];
  const say = (event: string) => void said.push(event);
  const log: Logger = { debug() {}, info: say, warn: say, error: say, with: () => log };
  await withReflector(
    async ({ api, reflector }) => {
      api.on(lists, list('10', []));
      reflector.start();
      const first = await api.watch(1);
      first.reset();
      await api.watch(2);
      assert.deepEqual(said, []);
    },
    { log },
  );
  await withReflector(
    async ({ api, reflector }) => {
      const broken = status(403, 'Forbidden');
      api.on(lists, broken, broken, broken, broken, list('10', []));
      reflector.start();
      await api.watch(1);
      await eventually('the watch is open', () => reflector.counters().watches === 1);
    },
    { log },
  );
  assert.deepEqual(said, ['watch failing', 'watch recovered']);
});
