import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Reflector } from '../../src/kubernetes/reflector.ts';
import { leases } from '../../src/kubernetes/resource.ts';
import { Store } from '../../src/kubernetes/store.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { eventually, suite } from '../support/suite.ts';
import { type ConfigMap, configMaps } from './config-maps.ts';

const test = suite('kubernetes/former-leader');
const program = fileURLToPath(new URL('candidate-program.ts', import.meta.url));
const lease = `${system}/election`;
const journal = `${system}/journal`;

let cluster: TestCluster;
let reflector: Reflector<ConfigMap>;
/** Who wrote, in the order in which the API server took the writes; a run of one writer is one entry. */
const writers: string[] = [];
const children: ChildProcess[] = [];

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.put(configMaps, { metadata: { namespace: system, name: 'journal' } });
  const store = new Store<ConfigMap>({ log: silentLogger });
  store.onChange((_key, now) => {
    const writer = now?.data?.writer;
    if (writer !== undefined && writers.at(-1) !== writer) writers.push(writer);
  });
  const edge = { clock: systemClock, random: impatient, log: silentLogger };
  reflector = new Reflector({ client: cluster.client, resource: configMaps, store, namespace: system, ...edge });
  reflector.start();
  await reflector.synced;
});

test.after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await reflector.stop();
  await cluster.stop();
});

function candidate(identity: string): ChildProcess {
  const args = [program, cluster.client.server, lease, journal, identity];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  children.push(child);
  return child;
}

function wrote(...expected: readonly string[]): Promise<unknown> {
  return eventually(`the writers are ${expected}`, () => {
    assert.deepEqual(writers, expected);
    return true;
  });
}

test('one that was stopped in the middle of its writes writes nothing more when it goes on', async () => {
  const a = candidate('a');
  await wrote('a');
  const b = candidate('b');
  a.kill('SIGSTOP');
  await wrote('a', 'b');
  a.kill('SIGCONT');
  const spec = async () => (await cluster.client.get(leases, lease))?.spec;
  const renewed = (await spec())?.renewTime;
  await eventually('b has renewed while a runs again', async () => (await spec())?.renewTime !== renewed);
  assert.deepEqual(writers, ['a', 'b']);
  const ended = once(b, 'exit');
  b.kill('SIGTERM');
  const begun = performance.now();
  await wrote('a', 'b', 'a');
  assert.ok(performance.now() - begun < 1_000, `${performance.now() - begun} ms after a clean stop`);
  await ended;
  assert.equal(b.exitCode, 0);
});

test('one that was killed is replaced when its Lease has run out', async () => {
  candidate('c');
  const a = children[0]!;
  await eventually(
    'the Lease is a’s',
    async () => (await cluster.client.get(leases, lease))?.spec?.holderIdentity === 'a',
  );
  a.kill('SIGKILL');
  await wrote('a', 'b', 'a', 'c');
});
