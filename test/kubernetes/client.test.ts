import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { ApiError, type ApiErrorCode, isAlreadyExists, isConflict } from '../../src/kubernetes/api-error.ts';
import { ApiClient, type ClientOptions } from '../../src/kubernetes/client.ts';
import { nodes, services } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { json, list, reset, ScriptedApi, silent, status, text } from '../support/scripted-api.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/client');

const web = '/api/v1/namespaces/shop/services/web';

async function withClient(
  run: (api: ScriptedApi, client: ApiClient) => Promise<void>,
  options: Partial<ClientOptions> = {},
): Promise<void> {
  const api = await ScriptedApi.start();
  const client = new ApiClient({ server: api.url, clock: systemClock, ...options });
  try {
    await run(api, client);
  } finally {
    client.close();
    await api.stop();
  }
}

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof ApiError, `expected an ApiError, got ${failure}`);
  return failure;
}

test('an object comes out as the server sent it, unknown fields and all', () =>
  withClient(async (api, client) => {
    const object = { metadata: { name: 'web', creationTimestamp: '2026-01-01T00:00:00Z' }, spec: { newField: [1] } };
    api.on(`GET ${web}`, json(object));
    assert.deepEqual(await client.get(services, 'shop/web'), object);
  }));

test('an absent object is a value: undefined to get, false to delete', () =>
  withClient(async (api, client) => {
    const absent = status(404, 'NotFound');
    api.on(`GET ${web}`, absent);
    api.on(`DELETE ${web}`, absent, json({ kind: 'Status', status: 'Success' }));
    assert.equal(await client.get(services, 'shop/web'), undefined);
    assert.equal(await client.delete(services, 'shop/web'), false);
    assert.equal(await client.delete(services, 'shop/web'), true);
  }));

test('the length of every written body is stated, that of a DELETE too', () =>
  withClient(async (api, client) => {
    const object = { metadata: { name: 'web', namespace: 'shop', labels: { name: 'Кит' } } };
    api.on(`DELETE ${web}`, json({}));
    api.on(`PUT ${web}/status`, json(object));
    api.on(`PATCH ${web}`, json(object));
    api.on('POST /api/v1/namespaces/shop/services', json(object, 201));
    await client.delete(services, 'shop/web', { preconditions: { uid: 'u1' }, propagationPolicy: 'Background' });
    await client.update(services, object, { subresource: 'status' });
    await client.patch(services, 'shop/web', { a: 1 }, { contentType: 'application/merge-patch+json' });
    await client.create(services, object);
    for (const { headers, body, verb } of api.requests) {
      assert.equal(headers['content-length'], String(Buffer.byteLength(JSON.stringify(body))), verb);
      assert.equal(headers['transfer-encoding'], undefined, verb);
    }
    assert.deepEqual(api.requests[0]?.body, {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions: { uid: 'u1' },
      propagationPolicy: 'Background',
    });
    assert.deepEqual(
      api.requests.map(({ verb, headers, query }) => [verb, headers['content-type'], query.get('fieldManager')]),
      [
        ['DELETE', 'application/json', null],
        ['PUT', 'application/json', 'garpoon'],
        ['PATCH', 'application/merge-patch+json', 'garpoon'],
        ['POST', 'application/json', 'garpoon'],
      ],
    );
  }));

test('all calls share kept connections', () =>
  withClient(async (api, client) => {
    api.on('GET /api/v1/nodes', list('1', []));
    for (let i = 0; i < 20; i++) await client.list(nodes);
    assert.equal(api.connections, 1);
  }));

test('the path of a server behind a gateway is kept', () =>
  withClient(async (api, client) => {
    const behind = new ApiClient({ server: `${api.url}/k8s/clusters/c-1/`, clock: systemClock });
    api.on('GET /k8s/clusters/c-1/api/v1/nodes', list('7', []));
    assert.equal((await behind.list(nodes)).metadata.resourceVersion, '7');
    behind.close();
    client.close();
  }));

test('selectors reach the server as written', () =>
  withClient(async (api, client) => {
    api.on('GET /api/v1/namespaces/shop/services', list('1', []));
    await client.list(services, { namespace: 'shop', labelSelector: 'app in (a,b),!c', fieldSelector: 'x=y&z' });
    const { query } = api.requests[0]!;
    assert.deepEqual(Object.fromEntries(query), { labelSelector: 'app in (a,b),!c', fieldSelector: 'x=y&z' });
  }));

const failures: [string, Parameters<ScriptedApi['on']>[1], Partial<ApiError>, RegExp][] = [
  [
    'a refusal carries its status and reason',
    status(403, 'Forbidden', 'services is forbidden'),
    { code: 'refused', status: 403, reason: 'Forbidden', retryAfter: undefined },
    /^get services shop\/web: 403 Forbidden services is forbidden$/,
  ],
  [
    'a server that asks to wait says how long',
    status(429, 'TooManyRequests', '', { 'retry-after': '3' }),
    { code: 'refused', status: 429, retryAfter: 3_000 },
    /429 TooManyRequests/,
  ],
  [
    'nobody makes us wait for more than a minute',
    status(503, 'ServiceUnavailable', '', { 'retry-after': '86400' }),
    { retryAfter: 60_000 },
    /503/,
  ],
  [
    'a Retry-After that is no number is no wish',
    status(503, 'ServiceUnavailable', '', { 'retry-after': 'Fri, 01 Jan 2027 00:00:00 GMT' }),
    { retryAfter: undefined },
    /503/,
  ],
  [
    'the page of a proxy is quoted in part',
    text(`<html>${'bad gateway '.repeat(1000)}</html>`, 502),
    { code: 'refused', status: 502, reason: '' },
    /^get services shop\/web: 502 <html>bad gateway .{0,200}$/,
  ],
  ['an answer that is no JSON is garbled', text('hello'), { code: 'garbled', status: 0 }, /5 bytes is no JSON/],
  ['a reset connection is unreachable', reset, { code: 'unreachable', status: 0 }, /^get services shop\/web: /],
];

for (const [name, answer, expected, message] of failures) {
  test(name, () =>
    withClient(async (api, client) => {
      api.on(`GET ${web}`, answer);
      const failure = await failureOf(client.get(services, 'shop/web'));
      for (const [field, value] of Object.entries(expected)) {
        assert.equal(failure[field as keyof ApiError], value, field);
      }
      assert.match(failure.message, message);
    }),
  );
}

test('the two meanings of 409 are told apart', () =>
  withClient(async (api, client) => {
    const object = { metadata: { name: 'web', namespace: 'shop' } };
    api.on('POST /api/v1/namespaces/shop/services', status(409, 'AlreadyExists'));
    api.on(`PUT ${web}`, status(409, 'Conflict'));
    const exists = await failureOf(client.create(services, object));
    const conflict = await failureOf(client.update(services, object));
    assert.deepEqual([isAlreadyExists(exists), isConflict(exists)], [true, false]);
    assert.deepEqual([isAlreadyExists(conflict), isConflict(conflict)], [false, true]);
  }));

test('a server that is not there is unreachable', async () => {
  const api = await ScriptedApi.start();
  const client = new ApiClient({ server: api.url, clock: systemClock });
  await api.stop();
  assert.equal((await failureOf(client.list(nodes))).code, 'unreachable');
  client.close();
});

test('an answer announced as larger than any should be is not read', () =>
  withClient(async (api, client) => {
    api.on(`GET ${web}`, (_, response) => {
      response.writeHead(200, { 'content-length': 1024 ** 3 });
      response.write('{');
    });
    assert.equal((await failureOf(client.get(services, 'shop/web'))).code, 'too-large');
    await eventually('the connection is given up', () => api.connections === 0);
  }));

const timeLimited: [string, Parameters<ScriptedApi['on']>[1]][] = [
  ['no answer', silent],
  ['an answer that stops halfway', (_, response) => void response.writeHead(200).write('{"metadata":')],
];

for (const [name, answer] of timeLimited) {
  test(`${name} is waited for no longer than the limit`, () =>
    withClient(
      async (api, client) => {
        api.on('GET /api/v1/nodes', answer);
        const failure = await failureOf(client.list(nodes));
        assert.equal(failure.code, 'timeout');
        assert.match(failure.message, /list nodes: no complete answer within 50 ms/);
        await eventually('the connection is given up', () => api.connections === 0);
      },
      { timeout: 50 },
    ));
}

test('a watch may last longer than an answer may take', async () => {
  const clock = new FakeClock();
  await withClient(
    async (api, client) => {
      api.on('WATCH /api/v1/nodes', api.watching());
      const { signal } = new AbortController();
      const bytes = await client.watch(nodes, { resourceVersion: '1', timeoutSeconds: 300, signal });
      await clock.advance(300_000);
      (await api.watch(1)).write('late');
      const { value } = await bytes[Symbol.asyncIterator]().next();
      assert.equal(Buffer.from(value as Uint8Array).toString(), 'late');
    },
    { clock },
  );
});

test('calls leave nothing on the signal that may end them', () =>
  withClient(async (api, client) => {
    api.on('GET /api/v1/nodes', list('1', []), reset);
    const { signal } = new AbortController();
    await client.list(nodes, { signal });
    await failureOf(client.list(nodes, { signal }));
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  }));

const enders: [string, (controller: AbortController, client: ApiClient) => void][] = [
  ['the caller aborts', (controller) => controller.abort()],
  ['the client is closed', (_, client) => client.close()],
];

for (const [name, end] of enders) {
  test(`a call ends when ${name}`, () =>
    withClient(async (api, client) => {
      api.on('GET /api/v1/nodes', silent);
      const controller = new AbortController();
      const failing = failureOf(client.list(nodes, { signal: controller.signal }));
      await eventually('the call has arrived', () => api.count('GET /api/v1/nodes') === 1);
      end(controller, client);
      assert.equal((await failing).code, 'aborted');
    }));

  test(`a watch ends when ${name}`, () =>
    withClient(async (api, client) => {
      api.on('WATCH /api/v1/nodes', api.watching());
      const controller = new AbortController();
      const { signal } = controller;
      const bytes = await client.watch(nodes, { resourceVersion: '1', timeoutSeconds: 300, signal });
      const failing = failureOf(bytes[Symbol.asyncIterator]().next());
      end(controller, client);
      assert.equal((await failing).code, 'aborted');
      await eventually('the server sees it', async () => (await api.watch(1)).closed);
    }));
}

test('closing twice, and calling after it, is no accident', () =>
  withClient(async (_, client) => {
    client.close();
    client.close();
    assert.equal((await failureOf(client.list(nodes))).code, 'aborted');
  }));

const stale: [string, (client: ApiClient) => Promise<unknown>, ApiErrorCode | 'retried'][] = [
  ['a read is sent again', (client) => client.list(services, { namespace: 'shop' }), 'retried'],
  [
    'a create is not, because it may have been carried out',
    (client) => client.create(services, { metadata: { namespace: 'shop', generateName: 'x-' } }),
    'unreachable',
  ],
];

for (const [name, call, expected] of stale) {
  test(`when a kept connection breaks, ${name}`, () =>
    withClient(async (api, client) => {
      const path = '/api/v1/namespaces/shop/services';
      api.on('GET /version', json({}));
      api.on(`GET ${path}`, reset, list('1', []));
      api.on(`POST ${path}`, reset, json({}, 201));
      await client.request({ method: 'GET', path: '/version' });
      if (expected === 'retried') await call(client);
      else assert.equal((await failureOf(call(client))).code, expected);
    }));
}

test('a refused token is read again, once, by however many calls', () => {
  const reads: boolean[] = [];
  const credentials = async (reload: boolean) => {
    reads.push(reload);
    return { headers: { authorization: reload ? 'Bearer fresh' : 'Bearer old' } };
  };
  return withClient(
    async (api, client) => {
      api.on('GET /api/v1/nodes', (request, response) =>
        (request.headers.authorization === 'Bearer fresh' ? list('1', []) : status(401, 'Unauthorized'))(
          request,
          response,
        ),
      );
      await Promise.all(Array.from({ length: 15 }, () => client.list(nodes)));
      assert.deepEqual(reads, [false, true]);
      assert.equal(api.requests.at(-1)?.headers.authorization, 'Bearer fresh');
    },
    { credentials },
  );
});

test('a token that stays refused is an error, not a loop', () =>
  withClient(
    async (api, client) => {
      api.on('GET /api/v1/nodes', status(401, 'Unauthorized'));
      assert.equal((await failureOf(client.list(nodes))).status, 401);
      assert.equal(api.count('GET /api/v1/nodes'), 2);
    },
    { credentials: async () => ({}) },
  ));

test('credentials that cannot be read fail the call, and the next one reads them again', () => {
  let reads = 0;
  return withClient(
    async (api, client) => {
      api.on('GET /api/v1/nodes', list('1', []));
      const failure = await failureOf(client.list(nodes));
      assert.equal(failure.code, 'credentials');
      assert.match(failure.message, /list nodes: reading the credentials failed: no such file/);
      await client.list(nodes);
    },
    {
      credentials: async () => {
        reads += 1;
        if (reads === 1) throw new Error('no such file');
        return {};
      },
    },
  );
});
