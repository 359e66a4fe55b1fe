import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type Daemon, daemonFlags, healthFlags, metricsFlags, runDaemon } from '../../src/telemetry/daemon.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('telemetry/daemon');
const flags = { ...daemonFlags, ...healthFlags('127.0.0.1', '17472'), ...metricsFlags('9120') };

/** Two ports that were free a moment ago. */
async function freePorts(): Promise<readonly number[]> {
  const servers = [createServer(), createServer()];
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) await once(server.close(), 'close');
  return ports;
}

async function status(port: number, path: string): Promise<number | undefined> {
  return fetch(`http://127.0.0.1:${port}${path}`).then(
    async (response) => {
      await response.text();
      return response.status;
    },
    () => undefined,
  );
}

for (const [what, portsOf, expected] of [
  ['at two ports', ([health, metrics]: readonly number[]) => [health, metrics], { health: 404, metrics: 200 }],
  ['at one port', ([both]: readonly number[]) => [both, both], { health: 200, metrics: 200 }],
  ['without metrics', ([health]: readonly number[]) => [health, 0], { health: 404, metrics: undefined }],
] as const) {
  test(`health and metrics are served ${what} until the process is asked to stop`, async () => {
    const [health = 0, metrics = 0] = portsOf(await freePorts());
    let stopped = false;
    const daemon: Daemon = {
      start: () => Promise.resolve(),
      unready: () => [],
      stop: async () => {
        stopped = true;
      },
    };
    const argv = [
      ...['--metrics-host=127.0.0.1', '--log-level=none'],
      ...[`--health-probe-port=${health}`, `--port=${metrics}`],
    ];
    const ended = runDaemon('test', flags, argv, {}, (_values, _log, registry) => {
      registry.counter({ name: 'ships_total', help: 'Ships', labels: [] }).increase({});
      return daemon;
    });
    await eventually('it is healthy', async () => (await status(health, '/healthz')) === 200);
    assert.equal(await status(health, '/metrics'), expected.health);
    if (metrics !== 0) {
      assert.equal(await status(metrics, '/metrics'), expected.metrics);
      const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
      assert.match(text, /^ships_total 1$/m);
      assert.match(text, /^process_resident_memory_bytes \d+$/m);
    }
    process.emit('SIGTERM');
    assert.equal(await ended, 0);
    assert.ok(stopped);
    assert.equal(await status(health, '/healthz'), undefined);
    process.removeAllListeners('SIGTERM').removeAllListeners('SIGINT');
  });
}
