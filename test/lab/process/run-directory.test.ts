import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifyProcess, isAlive } from '../../../src/lab/process/process-identity.ts';
import { defaultStateDirectory, prepareStateDirectory, RunDirectory } from '../../../src/lab/process/run-directory.ts';
import { seededRandom } from '../../../src/runtime/random.ts';
import { suite } from '../../support/suite.ts';

const test = suite('lab/run-directory');
const state = mkdtempSync(join(tmpdir(), 'garpoon-lab-test-'));
test.after(() => rmSync(state, { recursive: true }));

for (const [name, uid, env, want] of [
  ['root uses /run', 0, { XDG_RUNTIME_DIR: '/run/user/0' }, '/run/garpoon-lab'],
  ['a user uses the runtime directory', 1000, { XDG_RUNTIME_DIR: '/run/user/1000' }, '/run/user/1000/garpoon-lab'],
  ['without one, a folder of its own', 1000, {}, join(tmpdir(), 'garpoon-lab-1000')],
  ['what the outer process says comes first', 0, { GARPOON_LAB_STATE: '/somewhere' }, '/somewhere'],
] as const) {
  test(name, () => assert.equal(defaultStateDirectory(uid, env), want));
}

test('two runs never have the same id, whatever the dice say', () => {
  const first = RunDirectory.create(state, seededRandom(1));
  const random = seededRandom(1);
  const second = RunDirectory.create(state, random);
  assert.notEqual(first.id, second.id);
  assert.match(first.id, /^[0-9a-f]{4}$/);
  first.remove();
  first.remove();
  assert.ok(!existsSync(first.path));
  assert.ok(existsSync(second.path));
  second.remove();
});

test('the state directory is private to its user', () => {
  const path = join(state, 'own', 'deep');
  prepareStateDirectory(path);
  prepareStateDirectory(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('a state directory that leads elsewhere is refused', () => {
  mkdirSync(join(state, 'target'));
  symlinkSync(join(state, 'target'), join(state, 'link'));
  assert.throws(() => prepareStateDirectory(join(state, 'link')), /not a directory of this user/);
});

test('a pid with another start time is another process', () => {
  const self = identifyProcess(process.pid);
  assert.ok(self);
  assert.ok(isAlive(self));
  assert.equal(isAlive({ ...self, startTime: '1' }), false);
  assert.equal(identifyProcess(2 ** 30), undefined);
});
