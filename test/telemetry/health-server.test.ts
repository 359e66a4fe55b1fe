import assert from 'node:assert/strict';
import { HealthServer } from '../../src/telemetry/health-server.ts';
import { suite } from '../support/suite.ts';

const test = suite('telemetry/health-server');

async function withServer(
  unready: string[],
  run: (get: (path: string) => Promise<{ status: number; text: string }>) => Promise<void>,
) {
  const server = new HealthServer({
    host: '127.0.0.1',
    port: 0,
    unready: () => unready,
  });
  const port = await server.listen();
  try {
    await run(async (path) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, text: await response.text() };
    });
  } finally {
    await server.close();
  }
}

test('a healthy and ready process answers ok', () =>
  withServer([], async (get) => {
    assert.deepEqual(await get('/healthz'), { status: 200, text: 'ok\n' });
    assert.deepEqual(await get('/readyz?verbose'), { status: 200, text: 'ok\n' });
  }));

test('readiness names what is missing', () =>
  withServer(['services not listed yet'], async (get) => {
    assert.deepEqual(await get('/readyz'), { status: 503, text: 'services not listed yet\n' });
  }));

test('another path is not found', () =>
  withServer([], async (get) => {
    assert.equal((await get('/metrics')).status, 404);
  }));

test('a port that is taken is named', () =>
  withServer([], async () => {
    const first = new HealthServer({ host: '127.0.0.1', port: 0, unready: () => [] });
    const port = await first.listen();
    const second = new HealthServer({ host: '127.0.0.1', port, unready: () => [] });
    await assert.rejects(second.listen(), new RegExp(`127.0.0.1, port ${port}`));
    await first.close();
  }));
