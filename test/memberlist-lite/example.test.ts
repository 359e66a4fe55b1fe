import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventually, suite } from '../support/suite.ts';

const test = suite('memberlist-lite/example');

const program = fileURLToPath(new URL('../../src/memberlist-lite/example.ts', import.meta.url));
const started: ChildProcess[] = [];
test.after(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** Runs the example; what it has printed so far is in `lines`. */
function run(args: readonly string[], secret = '') {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, GOSSIP_SECRET: secret },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  const output = { child, text: '', says: (line: string) => output.text.split('\n').includes(line) };
  child.stdout.on('data', (chunk) => {
    output.text += chunk;
  });
  return output;
}

for (const [how, secret, network] of [
  ['in plain text', '', '127.71.21'],
  ['encrypted', 'A'.repeat(22), '127.71.22'],
] as const) {
  test(`two members meet, talk and part, ${how}`, async () => {
    const a = run(['a', `${network}.1:17946`], secret);
    await eventually('a runs', () => a.says('join a (alive)'));
    const b = run(['b', `${network}.2:17946`, `${network}.1:17946`], secret);
    await eventually('b has joined', () => b.says('joined 1 of 1') && b.says('join a (alive)'));
    await eventually('a sees b', () => a.says('join b (alive)'));
    b.child.stdin.write('good morning\n');
    await eventually('a hears b', () => a.says('b: good morning'));
    b.child.kill('SIGTERM');
    const [code] = await once(b.child, 'exit');
    assert.equal(code, 0);
    await eventually('b has left', () => a.says('leave b (left)'));
    a.child.kill('SIGINT');
    await once(a.child, 'exit');
  });
}

test('says how it is to be called', async () => {
  const child = spawn(process.execPath, [program, 'a'], { stdio: 'ignore' });
  assert.deepEqual(await once(child, 'exit'), [1, null]);
});
