import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundle } from '../scripts/bundle.mjs';
import { ApiClient } from '../src/kubernetes/client.ts';
import { ipAddressPools } from '../src/kubernetes/config-kinds.ts';
import type { Service } from '../src/kubernetes/core.ts';
import { Reflector } from '../src/kubernetes/reflector.ts';
import { namespaces, services } from '../src/kubernetes/resource.ts';
import { Store } from '../src/kubernetes/store.ts';
import { ApiServer } from '../src/lab/api-server/api-server.ts';
import { systemNamespace } from '../src/lab/garpoon-processes.ts';
import { customResourceDefinitions } from '../src/lab/lab.ts';
import { sleep, systemClock } from '../src/runtime/clock.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { systemRandom } from '../src/runtime/random.ts';
import { eventually } from '../test/support/eventually.ts';
import { long, progress, reporter } from './bench.ts';

/**
 * Many Services at once: created one after the other through the embedded API server, until the controller, a process
 * of its own, has given each an address. The baseline is what the API server takes when a plain loop creates as many and
 * then writes an address into the status of each. The requests of the controller, from the first Service on, are
 * counted where they arrive.
 */
const report = reporter('controller');
const count = long ? 10_000 : 1_000;
const limit = 600_000;
const settle = 2_000;
const benchAgent = 'bench';

const entry = await bundle();
const directory = mkdtempSync(join(tmpdir(), 'garpoon-bench-'));
let requests = 0;
const api = new ApiServer({
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  crds: customResourceDefinitions(),
  onRequest: ({ userAgent }) => {
    if (userAgent !== benchAgent) requests += 1;
  },
});
const place = await api.listen({ host: '127.0.0.1', port: 0 });
const server = `http://127.0.0.1:${'port' in place ? place.port : 0}`;
const client = new ApiClient({ server, clock: systemClock, userAgent: benchAgent });
const watched = new Store<Service>({ log: silentLogger });
const watcher = new Reflector({
  client,
  resource: services,
  store: watched,
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
});
let controller: ChildProcess | undefined;
try {
  await client.create(namespaces, { metadata: { name: systemNamespace } });
  await client.create(ipAddressPools, {
    metadata: { namespace: systemNamespace, name: 'bench' },
    spec: { addresses: ['198.18.0.0/16'] },
  });
  watcher.start();
  await watcher.synced;
  const plain = await plainUpdates();
  controller = await startController();
  const { elapsed, asked } = await serve(controller);
  report({
    case: `create-${count}`,
    value: elapsed,
    unit: 'ms',
    better: 'lower',
    baseline: plain,
    against: `${count} Services created and given an address by a plain loop`,
  });
  report({ case: 'requests-per-service', value: asked / count, unit: 'requests', better: 'lower' });
  report({
    case: `rss-${count}`,
    value: residentMebibytes(controller),
    unit: 'MiB',
    better: 'lower',
    baseline: await bareNode(),
    against: 'a bare Node process',
  });
} finally {
  if (controller !== undefined) await end(controller);
  await watcher.stop();
  client.close();
  await api.close();
  rmSync(directory, { recursive: true });
}

/** Before there is a controller: the Services come, get an address in a loop, and go. Milliseconds for both loops. */
async function plainUpdates(): Promise<number> {
  progress(`${count} updates in a plain loop`);
  const made: Service[] = [];
  const begun = performance.now();
  for (let i = 0; i < count; i++) made.push(await client.create(services, serviceOf(i)));
  for (const [i, service] of made.entries()) {
    const ingress = [{ ip: `198.18.${i >> 8}.${i & 255}` }];
    await client.update(services, { ...service, status: { loadBalancer: { ingress } } }, { subresource: 'status' });
  }
  const elapsed = performance.now() - begun;
  for (let i = 0; i < count; i++) await client.delete(services, `default/s${i}`);
  await eventually('the Services are gone', () => watched.size === 0 || onlyKubernetes(), limit);
  return elapsed;
}

async function serve(child: ChildProcess): Promise<{ elapsed: number; asked: number }> {
  progress(`${count} Services for the controller`);
  const served = new Set<string>();
  const all = Promise.withResolvers<void>();
  watched.onChange((key, now) => {
    if (now?.status?.loadBalancer?.ingress === undefined) return;
    served.add(key);
    if (served.size === count) all.resolve();
  });
  const lost = once(child, 'exit').then(() => Promise.reject(new Error('the controller has ended')));
  const before = requests;
  const begun = performance.now();
  for (let i = 0; i < count; i++) await client.create(services, serviceOf(i));
  await Promise.race([all.promise, lost]);
  const elapsed = performance.now() - begun;
  lost.catch(() => {});
  // Events and the counts of the pool come a little later.
  for (let last = -1; last !== requests; await sleep(systemClock, settle)) last = requests;
  return { elapsed, asked: requests - before };
}

function serviceOf(i: number): Service {
  return {
    metadata: { namespace: 'default', name: `s${i}` },
    // Node ports there are fewer of.
    spec: {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      selector: { app: `app-${i}` },
      ports: [{ port: 80 }],
    },
  };
}

function onlyKubernetes(): boolean {
  return watched.list().every(({ spec }) => spec?.type !== 'LoadBalancer');
}

async function startController(): Promise<ChildProcess> {
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText());
  const health = ['--health-probe-host=127.0.0.1', '--health-probe-port=0', '--port=0'];
  return start([entry, 'controller', `--kubeconfig=${kubeconfig}`, ...health]);
}

async function bareNode(): Promise<number> {
  const node = await start(['-e', "console.log('ready'); setInterval(() => {}, 1e6)"]);
  try {
    await sleep(systemClock, settle);
    return residentMebibytes(node);
  } finally {
    await end(node);
  }
}

/** Resolves when the process has said that it is ready. What it says then is read, and thrown away. */
async function start(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<void>((resolve) => lines.on('line', (line) => line.includes('ready') && resolve()));
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the process ended before it was ready')));
  await Promise.race([ready, ended]);
  ended.catch(() => {});
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function residentMebibytes({ pid }: ChildProcess): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1024;
}

function kubeconfigText(): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'bench', user: {} }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  });
}
