import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ipAddressPools } from '../../src/kubernetes/config-kinds.ts';
import { leases, services } from '../../src/kubernetes/resource.ts';
import { system, TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('controller/killed-leader');
const program = fileURLToPath(new URL('replica-program.ts', import.meta.url));
const count = 1_000;

let cluster: TestCluster;
const children = new Map<string, ChildProcess>();

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.pool('lan', ['198.18.4.0/22']);
  for (const identity of ['a', 'b', 'c']) {
    const argv = [program, cluster.client.server, system, identity];
    children.set(identity, spawn(process.execPath, argv, { stdio: 'inherit' }));
  }
});

test.after(async () => {
  for (const child of children.values()) child.kill('SIGKILL');
  await cluster.stop();
});

async function leader(): Promise<string | undefined> {
  return (await cluster.client.get(leases, `${system}/garpoon-controller`))?.spec?.holderIdentity;
}

async function createAll(): Promise<void> {
  for (let i = 0; i < count; i++) await cluster.service(`web-${i}`);
}

async function given(): Promise<readonly string[]> {
  const list = await cluster.client.list(services);
  return (list.items ?? []).flatMap(({ status }) => status?.loadBalancer?.ingress?.map(({ ip }) => ip ?? '') ?? []);
}

async function inUse(): Promise<number | undefined> {
  return (await cluster.client.get(ipAddressPools, `${system}/lan`))?.status?.assignedIPv4;
}

test('leaders killed in the middle of a thousand allocations hand nothing out twice and lose nothing', async () => {
  await eventually('somebody leads', leader, 20_000);
  const creating = createAll();
  for (const enough of [200, 600]) {
    await eventually(`${enough} have addresses`, async () => (await given()).length >= enough, 30_000);
    const killed = await leader();
    children.get(killed ?? '')?.kill('SIGKILL');
    assert.ok((await given()).length < count, 'all was done before the leader was killed');
    await eventually('another leads', async () => (await leader()) !== killed, 20_000);
  }
  await creating;
  await eventually('all have addresses', async () => (await given()).length === count, 60_000);
  assert.equal(new Set(await given()).size, count);
  await eventually('the pool counts them', async () => (await inUse()) === count);
  for (let i = 0; i < count; i++) await cluster.deleteService(`web-${i}`);
  await eventually('all addresses are free again', async () => (await inUse()) === 0, 30_000);
}, 180_000);
