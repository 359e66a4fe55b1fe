import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from '../src/kubernetes/core.ts';
import { SavedStateFile } from '../src/kubernetes/saved-state-file.ts';
import type { State } from '../src/kubernetes/saved-state-format.ts';
import { interleaved, long, progress, type Quantities, reporter } from './bench.ts';

/**
 * What it costs a speaker to keep 10,000 Services and their EndpointSlices on disk, beside JSON.stringify and writeFile
 * of the same: for how long the event loop stands still at most, how much of the processor a write takes, and how long
 * reading takes. Milliseconds.
 */
const report = reporter('saved-state');
const rounds = long ? 25 : 9;
const size = 10_000;
const owner = { node: 'node-a', cluster: 'https://192.0.2.1:6443', namespace: 'metallb-system' };
const terms = { owner, now: 0, maxAge: 0 };

const numbers = [...Array(size).keys()];
const meta = (i: number, labels: Record<string, string>) => ({
  name: `service-${i}`,
  namespace: `team-${i % 100}`,
  uid: `0a1b2c3d-0000-4000-8000-${String(i).padStart(12, '0')}`,
  resourceVersion: String(1_000_000 + i),
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels,
});
const serviceObjects = numbers.map((i) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(i, { 'app.kubernetes.io/name': `app-${i}`, 'app.kubernetes.io/part-of': 'shop' }),
  spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' },
  status: { loadBalancer: { ingress: [{ ip: `198.18.${i >> 8}.${i & 255}`, ipMode: 'VIP' }] } },
}));
const sliceObjects = numbers.map((i) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: meta(i, { 'kubernetes.io/service-name': `service-${i}` }),
  addressType: 'IPv4',
  endpoints: [0, 1, 2].map((n) => ({
    addresses: [],
    nodeName: `node-${(i + n) % 100}`,
    conditions: { ready: true, serving: true, terminating: false },
  })),
}));
const state: State = {
  asOf: 0,
  kinds: new Map<string, readonly KubernetesObject[]>([
    ['v1/services', serviceObjects],
    ['discovery.k8s.io/v1/endpointslices', sliceObjects],
  ]),
};

const directory = await mkdtemp(join(tmpdir(), 'garpoon-saved-state-'));
try {
  const file = new SavedStateFile(directory);
  const plain = join(directory, 'plain.json');
  const objects = [...state.kinds];
  await file.write(owner, state);
  writeFileSync(plain, JSON.stringify(objects));
  progress(`${readFileSync(file.path).length} bytes, ${rounds} rounds`);
  const variants = {
    write: () => watched(() => file.write(owner, state)),
    plainWrite: () => watched(() => writeFile(plain, JSON.stringify(objects))),
    load: () => watched(() => file.read(terms)),
    plainLoad: () => watched(async () => JSON.parse(readFileSync(plain, 'utf8'))),
  };
  for (const run of Object.values(variants)) await run();
  const results = await interleaved(rounds, variants);
  const compare = (name: string, ours: 'write' | 'load', quantity: string, against: string) =>
    report({
      case: name,
      value: results[ours][quantity]!,
      unit: 'ms',
      better: 'lower',
      baseline: results[ours === 'write' ? 'plainWrite' : 'plainLoad'][quantity]!,
      against,
    });
  const plainly = 'JSON.stringify and writeFile';
  compare('write-10000/longest-turn', 'write', 'turn', plainly);
  compare('write-10000/cpu', 'write', 'cpu', plainly);
  compare('write-10000/time', 'write', 'time', plainly);
  compare('load-10000/time', 'load', 'time', 'readFile and JSON.parse');
} finally {
  rmSync(directory, { recursive: true });
}

/** `cpu` is of all threads of this process. Twice, because watching the turns takes a whole processor. */
async function watched(run: () => Promise<unknown>): Promise<Quantities> {
  const used = process.cpuUsage();
  const begun = performance.now();
  await run();
  const time = performance.now() - begun;
  const { user, system } = process.cpuUsage(used);
  return { turn: await longestTurn(run), cpu: (user + system) / 1_000, time };
}

/** In which the event loop did nothing else. In processor time of its thread: other processes are not to count. */
async function longestTurn(run: () => Promise<unknown>): Promise<number> {
  const cpu = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  let longest = 0;
  let last = cpu();
  let turn: NodeJS.Immediate;
  const look = () => {
    const now = cpu();
    longest = Math.max(longest, now - last);
    last = now;
    turn = setImmediate(look);
  };
  turn = setImmediate(look);
  await run();
  clearImmediate(turn);
  return Math.max(longest, cpu() - last);
}
