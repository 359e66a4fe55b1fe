import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '../../../src/lab/api-server/api-server.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { seededRandom } from '../../../src/runtime/random.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually, suite } from '../../support/suite.ts';
import { configMap, configMaps, TestApi } from './test-api.ts';

const test = suite('lab/api-server/http');

let api: TestApi;
test.before.each(async () => {
  api = await TestApi.start();
});
test.after.each(() => api.close());

test('bodies may be YAML, and must be something readable', async () => {
  const send = async (type: string, body: string) => {
    const response = await fetch(api.url + configMaps, { method: 'POST', headers: { 'content-type': type }, body });
    return response.status;
  };
  const cases: [type: string, body: string, code: number][] = [
    ['application/yaml', 'metadata:\n  name: a\ndata:\n  x: "y"\n', 201],
    ['application/json; charset=utf-8', '{"metadata":{"name":"b"}}', 201],
    ['application/json', '{"metadata":', 400],
    ['application/json', '[]', 400],
    ['application/json', '{"metadata":{"name":"c"},"__proto__":{"polluted":true}}', 400],
    ['application/json', '{"metadata":{"name":"d"},"data":{"\\u005f_proto__":"x"}}', 400],
    ['application/yaml', 'a: [', 400],
    ['text/csv', 'a,b', 415],
  ];
  for (const [type, body, code] of cases) assert.equal(await send(type, body), code, `${type} ${body}`);
});

test('what is too large is refused by name', async () => {
  const large = configMap('a', { x: 'y'.repeat(3 * 1024 * 1024) });
  const body = await api.post(configMaps, large);
  assert.deepEqual([body.code, body.body.reason], [413, 'RequestEntityTooLarge']);
  const path = await api.get(`${configMaps}/${'a'.repeat(9_000)}`);
  assert.deepEqual([path.code, path.body.reason], [414, 'RequestURITooLong']);
});

test('a broken escape in the path is a 400', async () => {
  assert.equal((await api.get(`${configMaps}/%ff`)).code, 400);
});

test('only JSON is offered', async () => {
  const cases: [accept: string, code: number][] = [
    ['application/json', 200],
    ['*/*', 200],
    ['application/vnd.kubernetes.protobuf,application/json', 200],
    ['application/vnd.kubernetes.protobuf', 406],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', 200],
  ];
  for (const [accept, code] of cases) assert.equal((await api.get(configMaps, { accept })).code, code, accept);
});

test('warnings go in a header of their own', async () => {
  const { headers } = await api.post(configMaps, { ...configMap('a'), nonsense: 1 });
  assert.equal(headers.get('warning'), '299 - "unknown field \\"nonsense\\""');
  const ignored = await api.post(`${configMaps}?fieldValidation=Ignore`, { ...configMap('b'), nonsense: 1 });
  assert.equal(ignored.headers.get('warning'), null);
});

test('the same objects are served on a port, on a socket and on a listener handed over', async () => {
  const path = join(tmpdir(), `garpoon-api-${process.pid}.sock`);
  assert.deepEqual(await api.server.listen({ path }), { path });
  const handed = createNetServer();
  await new Promise<void>((resolve) => handed.listen(0, '127.0.0.1', resolve));
  const where = await api.server.listen(handed);
  assert.ok('port' in where && where.port > 0 && where.port !== api.port);

  await api.post(configMaps, configMap('a'));
  const overSocket = await new Promise<number | undefined>((resolve, reject) => {
    httpRequest({ socketPath: path, path: `${configMaps}/a` }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  const overHanded = await fetch(`http://127.0.0.1:${where.port}${configMaps}/a`);
  assert.deepEqual([overSocket, overHanded.status], [200, 200]);
  await api.close();
  assert.equal(handed.listening, false);
});

test('a target that is taken is an error', async () => {
  await assert.rejects(api.server.listen({ port: api.port, host: '127.0.0.1' }), { code: 'EADDRINUSE' });
});

test('close cuts connections and watches, can be repeated, and keeps the objects for the next listen', async () => {
  await api.post(configMaps, configMap('a'));
  const watch = await api.watch(configMaps);
  await eventually('the event', () => watch.log.length === 1);
  await api.close();
  await api.close();
  await watch.ended;
  await assert.rejects(api.get(configMaps));
  await api.server.listen({ port: api.port, host: '127.0.0.1' });
  assert.equal((await api.get(`${configMaps}/a`)).code, 200);
});

test('a keep-alive connection serves many requests', async () => {
  const sockets = new Set<unknown>();
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 5; i++) {
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest(
        { port: api.port, host: '127.0.0.1', path: '/healthz', agent: keepAlive },
        (response) => {
          sockets.add(response.socket);
          response.resume().on('end', resolve);
        },
      );
      request.on('error', reject).end();
    });
  }
  keepAlive.destroy();
  assert.equal(sockets.size, 1);
});

test('a bad service range and a bad definition are refused at construction', () => {
  const options = { clock: new FakeClock(), random: seededRandom(1), log: silentLogger, crds: [] };
  assert.throws(() => new ApiServer({ ...options, serviceCidrs: ['10.0.0.0'] }), RangeError);
  const definition = { metadata: { name: 'wrong' }, spec: { group: 'g', names: { kind: 'K', plural: 'ks' } } };
  assert.throws(() => new ApiServer({ ...options, crds: [definition] }), { code: 'Invalid' });
});
