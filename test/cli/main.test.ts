import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from '../support/suite.ts';

const test = suite('cli');
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

async function garpoon(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [cli, ...args])) };
  } catch (thrown) {
    return thrown as { code: number; stdout: string; stderr: string };
  }
}

test('--version prints the version of package.json', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.equal((await garpoon('--version')).stdout.trim(), version);
});

test('--help lists the commands', async () => {
  const { code, stdout } = await garpoon('--help');
  assert.equal(code, 0);
  for (const command of ['controller', 'speaker', 'status', 'lab'])
    assert.match(stdout, new RegExp(`^ +${command} `, 'm'));
});

for (const command of ['controller', 'speaker', 'lab']) {
  test(`${command} --help lists its flags, whatever else is missing`, async () => {
    const { code, stdout } = await garpoon(command, '--help');
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^usage: garpoon ${command} `));
    assert.match(stdout, /^ {2}--log-level=TEXT /m);
  });
}

test('a daemon that cannot begin says why in one line and ends with 1', async () => {
  const { code, stdout } = await garpoon('controller', '--kubeconfig=/nowhere/kubeconfig');
  assert.equal(code, 1);
  const { level, event, error } = JSON.parse(stdout);
  assert.deepEqual({ level, event }, { level: 'error', event: 'cannot go on' });
  assert.match(error, /\/nowhere\/kubeconfig/);
});

test('an unknown command is named and ends with 2', async () => {
  const { code, stderr } = await garpoon('constructor');
  assert.equal(code, 2);
  assert.match(stderr, /no command "constructor"/);
});

test('no command prints the usage and ends with 2', async () => {
  const { code, stderr } = await garpoon();
  assert.equal(code, 2);
  assert.match(stderr, /usage: garpoon COMMAND/);
});

for (const [command, args, problem] of [
  ['speaker', [], '--node-name is missing'],
  ['controller', ['--health-probe-port=x'], '--health-probe-port=x'],
  ['lab', ['fly'], 'fly'],
] as const) {
  test(`${command} with wrong arguments says what is wrong and ends with 2`, async () => {
    const { code, stderr } = await garpoon(command, ...args);
    assert.equal(code, 2);
    assert.ok(stderr.includes(problem), stderr);
  });
}
