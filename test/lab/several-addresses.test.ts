import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipAddressPools, l2Advertisements, serviceL2Statuses } from '../../src/kubernetes/config-kinds.ts';
import { services } from '../../src/kubernetes/resource.ts';
import { deployments } from '../../src/lab/cluster/workload-objects.ts';
import { powerOff, powerOn } from '../../src/lab/failures.ts';
import { systemNamespace } from '../../src/lab/garpoon-processes.ts';
import { Lab } from '../../src/lab/lab.ts';
import { run } from '../../src/lab/process/command.ts';
import { inNamespace } from '../../src/lab/process/namespace.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { netSuite } from '../support/net-suite.ts';
import { OwnerWatch } from '../support/owner-watch.ts';
import type { Sighting } from '../support/sightings.ts';
import { eventually } from '../support/suite.ts';

/**
 * Real speakers on five nodes, and twenty Services with three addresses, with the election that is in force by itself.
 * The tests build on each other.
 */
const test = netSuite('lab/several-addresses');

const count = 20;
const each = 3;
const namespace = 'default';
const labels = { app: 'web' };
const state = mkdtempSync(join(tmpdir(), 'garpoon-several-addresses-'));
/** For how long nothing must have changed hands before it is taken for settled; milliseconds. */
const calm = 700;

let lab: Lab;
/** By the index of the address. */
let serviceOf: readonly string[];
const serviceNames = Array.from({ length: count }, (_, i) => `web-${String(i).padStart(2, '0')}`);
const addresses = Array.from({ length: count * each }, (_, i) => `198.18.0.${100 + i}`);

test.before(async () => {
  const edge = { clock: systemClock, random: systemRandom, log: silentLogger };
  lab = await Lab.start({ ...edge, state, nodes: 5, gracePeriod: 40_000 });
  const { client } = lab;
  const named = { name: 'lan', namespace: systemNamespace };
  await client.create(ipAddressPools, {
    metadata: named,
    spec: { addresses: [`${addresses[0]}-${addresses.at(-1)}`] },
  });
  await client.create(l2Advertisements, { metadata: named, spec: {} });
  const containers = [{ name: 'web', image: 'any', ports: [{ containerPort: 80 }] }];
  await client.create(deployments, {
    metadata: { name: 'web', namespace },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  } as Parameters<typeof client.create>[1]);
  for (const name of serviceNames) {
    await client.create(services, {
      metadata: { name, namespace, annotations: { 'garpoon.io/external-ips-count': String(each) } },
      spec: { type: 'LoadBalancer', selector: labels, ports: [{ port: 80 }] },
    });
  }
  const owner = await eventually(
    'every address is assigned',
    async () => {
      const { items = [] } = await client.list(services, { namespace });
      const rows = (items ?? []).flatMap((one) =>
        (one.status?.loadBalancer?.ingress ?? []).map(({ ip }) => [ip, one] as const),
      );
      const found = new Map(rows.map(([ip, { metadata }]) => [ip, metadata.name]));
      return found.size === addresses.length ? found : undefined;
    },
    30_000,
  );
  serviceOf = addresses.map((address) => owner.get(address)!);
});
test.after(async () => {
  await lab?.close();
  if (!process.env.KEEP) rmSync(state, { recursive: true });
});

const nodeOf = (mac: string) => lab.network.topology.nodes.find((node) => node.mac === mac)?.name ?? mac;

function watch(): Promise<OwnerWatch> {
  const client = { command: (...argv: readonly string[]) => [...inNamespace(lab.network.namespace('client'), argv)] };
  return OwnerWatch.start(client, { interfaceName: 'eth0', addresses, rate: 5 });
}

type Owners = ReadonlyMap<number, string>;

/** By the index of the address, once nothing changes any more and `holds`. */
async function settled(seen: OwnerWatch, holds: (owners: Owners) => boolean): Promise<Owners> {
  const now = () => new Map([...seen.owners()].sort(([a], [b]) => a - b).map(([target, mac]) => [target, nodeOf(mac)]));
  let before = '';
  let since = performance.now();
  const isCalm = () => {
    const text = JSON.stringify([...now()]);
    if (text !== before || !holds(now())) since = performance.now();
    before = text;
    return performance.now() - since > calm;
  };
  await eventually('every address has one owner', isCalm, 30_000);
  return now();
}

function loadsOf(owners: Owners): ReadonlyMap<string, number> {
  const loads = new Map<string, number>();
  for (const node of owners.values()) loads.set(node, (loads.get(node) ?? 0) + 1);
  return loads;
}

/** Even to a tenth among so many nodes, and no Service with two addresses on one. */
function assertSpread(owners: Owners, nodes: number): void {
  assert.equal(owners.size, count * each);
  const loads = [...loadsOf(owners).values()];
  assert.equal(loads.length, nodes);
  const bound = Math.ceil((1.1 * count * each) / nodes);
  assert.ok(Math.max(...loads) <= bound, `${loads} above ${bound}`);
  const places = new Set([...owners].map(([target, node]) => `${serviceOf[target]} ${node}`));
  assert.equal(places.size, count * each, 'a Service has two addresses on one node');
}

/** Address → who has answered for it. */
function answerers(sightings: readonly Sighting[]): ReadonlyMap<number, ReadonlySet<string>> {
  const all = new Map<number, Set<string>>();
  for (const { target, mac, kind } of sightings) {
    if (kind === 'answer') all.set(target, (all.get(target) ?? new Set()).add(nodeOf(mac)));
  }
  return all;
}

let atRest: Owners;
let lost: string;

test('twenty Services with three addresses are on five nodes, evenly, and none has two on one node', async () => {
  const seen = await watch();
  atRest = await settled(seen, (owners) => owners.size === addresses.length).finally(() => seen.stop());
  assertSpread(atRest, 5);
}, 60_000);

test('ServiceL2Status says who has which address', async () => {
  const told = async () => {
    const { items } = await lab.client.list(serviceL2Statuses, { namespace: systemNamespace });
    const rows = (items ?? []).flatMap(({ status }) =>
      (status?.addresses ?? []).map(({ address }) => `${status?.serviceName} ${address} ${status?.node}`),
    );
    return rows.sort();
  };
  const expected = [...atRest].map(([target, node]) => `${serviceOf[target]} ${addresses[target]} ${node}`).sort();
  await eventually('all of it is told', async () => (await told()).join('\n') === expected.join('\n'), 20_000);
}, 30_000);

test('kubectl shows all addresses of a Service', async () => {
  const { stdout } = await run(['kubectl', `--kubeconfig=${lab.kubeconfig}`, 'get', 'svc', '-o', 'wide']);
  for (const name of serviceNames) {
    const line = stdout.split('\n').find((one) => one.startsWith(`${name} `));
    const external = line?.split(/ +/)[3]?.split(',') ?? [];
    assert.deepEqual(external.sort(), addresses.filter((_, i) => serviceOf[i] === name).sort(), line);
  }
}, 30_000);

test('when a node dies only its addresses move, each once, and what remains is even', async () => {
  const seen = await watch();
  await settled(seen, (owners) => owners.size === addresses.length);
  lost = atRest.get(0)!;
  await powerOff(lab, lost);
  const owners = await settled(seen, (now) => ![...now.values()].includes(lost));
  const sightings = await seen.stop();
  assertSpread(owners, 4);
  for (const [target, nodes] of answerers(sightings)) {
    assert.deepEqual([...nodes], [...new Set([atRest.get(target), owners.get(target)])], addresses[target]);
    if (atRest.get(target) !== lost) assert.equal(nodes.size, 1);
  }
  atRest = owners;
}, 60_000);

test('when it is back it is given its part again, and nothing else moves', async () => {
  const seen = await watch();
  await settled(seen, (owners) => owners.size === addresses.length);
  await powerOn(lab, lost);
  const least = Math.floor((0.9 * count * each) / 5);
  const owners = await settled(seen, (now) => (loadsOf(now).get(lost) ?? 0) >= least);
  const sightings = await seen.stop();
  assertSpread(owners, 5);
  for (const [target, nodes] of answerers(sightings)) {
    assert.deepEqual([...nodes].sort(), [...new Set([atRest.get(target)!, owners.get(target)!])].sort());
    assert.ok(owners.get(target) === lost || owners.get(target) === atRest.get(target), addresses[target]);
  }
}, 60_000);
