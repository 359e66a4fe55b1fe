import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { namespacePrefix, removeRunNamespaces } from '../../../src/lab/network/network.ts';
import { listNamespaces } from '../../../src/lab/process/namespace.ts';
import { identifyProcess } from '../../../src/lab/process/process-identity.ts';
import { removeLeftovers } from '../../../src/lab/process/run-directory.ts';
import { netSuite } from '../../support/net-suite.ts';
import { eventually } from '../../support/suite.ts';

const lab = fileURLToPath(new URL('../short-lived-lab.ts', import.meta.url));

const test = netSuite('lab/leftovers');
const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
test.after(() => rmSync(state, { recursive: true }));

const startLab = async () => {
  const child = spawn(process.execPath, [lab, state], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const started = JSON.parse(line) as { id: string; pid: number; child: number };
  return { ...started, kill: () => child.kill('SIGKILL'), ended: once(child, 'exit') };
};

test('the processes of a killed lab die with it', async () => {
  const killed = await startLab();
  assert.ok(identifyProcess(killed.pid));
  killed.kill();
  await killed.ended;
  await eventually('the process is gone', () => identifyProcess(killed.pid) === undefined);
  await removeLeftovers(state, removeRunNamespaces);
});

test('the next start removes what a killed lab left, and not what a living one owns', async () => {
  const killed = await startLab();
  const living = await startLab();
  killed.kill();
  await killed.ended;
  assert.deepEqual(await removeLeftovers(state, removeRunNamespaces), [killed.id]);
  assert.deepEqual(listNamespaces(namespacePrefix(killed.id)), []);
  await eventually('grandchildren are gone too', () => identifyProcess(killed.child) === undefined);
  assert.notDeepEqual(listNamespaces(namespacePrefix(living.id)), []);
  assert.ok(identifyProcess(living.pid));
  assert.ok(identifyProcess(living.child));
  living.kill();
  await living.ended;
  assert.deepEqual(await removeLeftovers(state, removeRunNamespaces), [living.id]);
  assert.deepEqual(readdirSync(state), []);
});

test('a run whose pid was given to another process counts as dead', async () => {
  mkdirSync(join(state, `0000.${process.pid}.1`));
  assert.deepEqual(await removeLeftovers(state, removeRunNamespaces), ['0000']);
});

test('what is no run is left alone', async () => {
  const foreign = join(state, 'notes');
  mkdirSync(foreign);
  assert.deepEqual(await removeLeftovers(state, removeRunNamespaces), []);
  assert.ok(existsSync(foreign));
});
