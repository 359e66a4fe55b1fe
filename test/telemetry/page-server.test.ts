import assert from 'node:assert/strict';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { healthPages, metricsPages, PageServer, type Pages } from '../../src/telemetry/page-server.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('telemetry/page-server');

type Got = { readonly status: number; readonly text: string; readonly type: string | null };

async function withServer(pages: Pages, run: (get: (path: string, method?: string) => Promise<Got>) => Promise<void>) {
  const server = new PageServer({ purpose: 'health checks', host: '127.0.0.1', port: 0, pages });
  const port = await server.listen();
  try {
    await run(async (path, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
    });
  } finally {
    await server.close();
  }
}

const plain = 'text/plain; charset=utf-8';

test('a healthy and ready process answers ok', () =>
  withServer(
    healthPages(() => []),
    async (get) => {
      assert.deepEqual(await get('/healthz'), { status: 200, text: 'ok\n', type: plain });
      assert.deepEqual(await get('/readyz?verbose'), { status: 200, text: 'ok\n', type: plain });
      assert.deepEqual(await get('/healthz', 'HEAD'), { status: 200, text: '', type: plain });
    },
  ));

test('readiness names what is missing', () =>
  withServer(
    healthPages(() => ['services not listed yet']),
    async (get) => {
      assert.deepEqual(await get('/readyz'), { status: 503, text: 'services not listed yet\n', type: plain });
    },
  ));

test('the metrics are a page', () => {
  const metrics = new Metrics(new RecordedLog());
  metrics.counter({ name: 'ships_total', help: 'Ships', labels: [] }).increase({});
  return withServer({ ...healthPages(() => []), ...metricsPages(metrics) }, async (get) => {
    assert.deepEqual(await get('/metrics'), {
      status: 200,
      text: '# HELP ships_total Ships\n# TYPE ships_total counter\nships_total 1\n',
      type: 'text/plain; version=0.0.4; charset=utf-8',
    });
    assert.equal((await get('/healthz')).status, 200);
  });
});

for (const [what, path, method, status, text] of [
  ['another path is not found', '/other', 'GET', 404, /here are \/healthz and \/readyz/],
  ['a name that every object has is not found', '/constructor', 'GET', 404, /not found/],
  ['another method is refused', '/healthz', 'POST', 405, /only GET/],
] as const) {
  test(what, () =>
    withServer(
      healthPages(() => []),
      async (get) => {
        const got = await get(path, method);
        assert.equal(got.status, status);
        assert.match(got.text, text);
      },
    ),
  );
}

test('a page that throws says why', () =>
  withServer({ '/page': () => Promise.reject(new Error('no paper')) }, async (get) => {
    assert.deepEqual(await get('/page'), { status: 500, text: '/page failed: no paper\n', type: plain });
  }));

test('a port that is taken is named', () =>
  withServer({}, async () => {
    const first = new PageServer({ purpose: 'metrics', host: '127.0.0.1', port: 0, pages: {} });
    const port = await first.listen();
    const second = new PageServer({ purpose: 'metrics', host: '127.0.0.1', port, pages: {} });
    await assert.rejects(second.listen(), new RegExp(`listen for metrics on 127.0.0.1, port ${port}`));
    await first.close();
  }));
