import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Network } from '../../../src/lab/network/network.ts';
import { labTopology } from '../../../src/lab/network/topology.ts';
import { identifyProcess } from '../../../src/lab/process/process-identity.ts';
import { ProcessTable } from '../../../src/lab/process/process-table.ts';
import { programArgv } from '../../../src/lab/process/program.ts';
import { RunDirectory } from '../../../src/lab/process/run-directory.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { netSuite } from '../../support/net-suite.ts';
import { eventually } from '../../support/suite.ts';

const test = netSuite('lab/process-table');
const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
const directory = RunDirectory.create(state, systemRandom);
const network = new Network(directory.id, labTopology(1));
const node = network.namespace('n1');
let processes: ProcessTable;

test.before(async () => {
  await network.up();
  processes = await ProcessTable.create(directory);
});
test.after(async () => {
  await processes?.close();
  await network.down();
  rmSync(state, { recursive: true });
});

const stateOf = (pid: number) => /State:\s+(\w)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

test('a process runs in its namespace, with its environment, and writes to its log', async () => {
  const started = processes.spawnIn(node, ['sh', '-c', 'echo $WORD; ip -br addr show eth0; echo end >&2'], {
    name: 'talk',
    env: { WORD: 'hello' },
  });
  assert.deepEqual(await started.exited, { status: 0, signal: undefined });
  const log = readFileSync(started.log, 'utf8');
  assert.match(log, /^hello\n.*198\.18\.0\.11.*\nend\n$/s);
  assert.equal(started.running, false);
});

test('the pid is that of the program', async () => {
  const started = processes.spawnIn(node, ['sleep', '600'], { name: 'sleep' });
  await eventually('the program has been executed', () =>
    readFileSync(`/proc/${started.pid}/cmdline`, 'utf8').startsWith('sleep'),
  );
  started.kill('SIGTERM');
  assert.deepEqual(await started.exited, { status: undefined, signal: 'SIGTERM' });
  started.kill();
});

test('a paused process stands still until it is resumed', async () => {
  const started = processes.spawnIn(node, ['sleep', '600'], { name: 'paused' });
  started.pause();
  await eventually('it is stopped', () => stateOf(started.pid) === 'T');
  started.resume();
  await eventually('it runs', () => stateOf(started.pid) === 'S');
  started.pause();
  started.kill();
  assert.equal((await started.exited).signal, 'SIGKILL');
});

test('a program that is not there ends with a status and a reason in its log', async () => {
  const started = processes.spawnIn(node, ['/no/such/program'], { name: 'missing' });
  assert.notEqual((await started.exited).status, 0);
  assert.match(readFileSync(started.log, 'utf8'), /no\/such\/program/);
});

test('a Node program of ours can send messages', async () => {
  const received: unknown[] = [];
  const argv = [...programArgv('pod-server'), 'web-1', '8080'];
  processes.spawnIn(node, argv, { name: 'web-1', onMessage: (message) => received.push(message) });
  await eventually('it says that it listens', () => received.includes('listening'));
  for (const [address, saw] of [
    ['127.0.0.1', '127.0.0.1'],
    ['[2001:db8:0:1::11]', '2001:db8:0:1::11'],
  ] as const) {
    const answer = await network.exec('n1', ['curl', '-s', '--max-time', '2', `http://${address}:8080/`]);
    assert.equal(answer.stdout, `web-1 saw ${saw}\n`);
  }
});

test('close ends every process with its children, and nothing starts afterwards', async () => {
  const parent = processes.spawnIn(node, ['sh', '-c', 'sleep 600 & echo $!; wait'], { name: 'parent' });
  const child = await eventually('the child has a pid', () => Number(readFileSync(parent.log, 'utf8')));
  await processes.close();
  await processes.close();
  assert.deepEqual(processes.list(), []);
  await eventually('the child is gone', () => identifyProcess(child) === undefined);
  assert.throws(() => processes.spawnIn(node, ['true'], { name: 'late' }), /shutting down/);
});
