import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundle } from '../scripts/bundle.mjs';
import { ApiClient } from '../src/kubernetes/client.ts';
import { ipAddressPools } from '../src/kubernetes/config-kinds.ts';
import type { Service } from '../src/kubernetes/core.ts';
import { namespaces, services } from '../src/kubernetes/resource.ts';
import { ApiServer } from '../src/lab/api-server/api-server.ts';
import { systemNamespace } from '../src/lab/garpoon-processes.ts';
import { customResourceDefinitions } from '../src/lab/lab.ts';
import { listenIn } from '../src/lab/process/listen-in.ts';
import { sleep, systemClock } from '../src/runtime/clock.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { systemRandom } from '../src/runtime/random.ts';
import { Netns } from '../test/support/netns.ts';
import { interleaved, long, progress, type Quantities, reporter } from './bench.ts';

/**
 * Memory and start-up of the bundled product, beside a Node process that does nothing. Start-up is from the start of
 * the process to its line "ready": the API server has been read and every Service has been looked at. Memory is what
 * is resident (VmRSS) one second later.
 */
const report = reporter('footprint');
const rounds = long ? 9 : 3;
const settle = 1_000;
const counts = long ? [0, 1_000, 5_000] : [0, 1_000];

const entry = await bundle();
const netns = Netns.create('footprint');
const directory = mkdtempSync(join(tmpdir(), 'garpoon-footprint-'));
try {
  for (const count of counts) await measure(count);
} finally {
  netns.destroy();
  rmSync(directory, { recursive: true });
}

async function measure(count: number): Promise<void> {
  const api = new ApiServer({
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    crds: customResourceDefinitions(),
  });
  const listener = await listenIn(netns.name, { host: '127.0.0.1', port: 6443 });
  await api.listen(listener);
  const outside = await api.listen({ host: '127.0.0.1', port: 0 });
  if ('port' in outside) await createServices(outside.port, count);
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText());
  const flags = [`--kubeconfig=${kubeconfig}`, '--health-probe-host=127.0.0.1', '--health-probe-port=0'];
  progress(`${count} Services, ${rounds} rounds`);
  const medians = await interleaved(rounds, {
    node: () => run(['-e', "console.log('ready'); setInterval(() => {}, 1e6)"]),
    // The Lease of one that was killed before would be waited for.
    controller: () => run([entry, 'controller', '--leader-elect=false', '--webhook-mode=disabled', ...flags]),
    speaker: () => run([entry, 'speaker', ...flags, '--node-name=n1', '--ml-bindaddr=127.0.0.1']),
  });
  for (const name of ['controller', 'speaker'] as const) {
    report({
      case: `${name}/${count}-services/rss`,
      value: medians[name].rss!,
      unit: 'MiB',
      better: 'lower',
      baseline: medians.node.rss!,
      against: 'a bare Node process',
    });
    report({
      case: `${name}/${count}-services/start-up`,
      value: medians[name].startUp!,
      unit: 'ms',
      better: 'lower',
      baseline: medians.node.startUp!,
      against: 'a bare Node process',
    });
  }
  await api.close();
}

/** A cluster as a restart finds it: every Service has its address already. */
async function createServices(port: number, count: number): Promise<void> {
  const client = new ApiClient({ server: `http://127.0.0.1:${port}`, clock: systemClock });
  await client.create(namespaces, { metadata: { name: systemNamespace } });
  await client.create(ipAddressPools, {
    metadata: { namespace: systemNamespace, name: 'bench' },
    spec: { addresses: ['198.18.0.0/16'] },
  });
  for (let i = 0; i < count; i++) {
    const service: Service = {
      metadata: { namespace: 'default', name: `s${i}`, annotations: { 'metallb.io/ip-allocated-from-pool': 'bench' } },
      spec: { type: 'LoadBalancer', selector: { app: `app-${i}` }, ports: [{ port: 80 }] },
    };
    const created = await client.create(services, service);
    const ingress = [{ ip: `198.18.${i >> 8}.${i & 255}` }];
    await client.update(services, { ...created, status: { loadBalancer: { ingress } } }, { subresource: 'status' });
  }
  client.close();
}

async function run(args: readonly string[]): Promise<Quantities> {
  const begun = performance.now();
  const [program = '', ...rest] = netns.command(process.execPath, ...args);
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await ready(child);
    const startUp = performance.now() - begun;
    await sleep(systemClock, settle);
    return { startUp, rss: residentMebibytes(child.pid ?? 0) };
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

async function ready(child: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: child.stdout! })) if (line.includes('ready')) return;
  throw new Error('the process ended before it was ready');
}

function residentMebibytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1024;
}

function kubeconfigText(): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: { server: 'http://127.0.0.1:6443', 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'bench', user: {} }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  });
}
