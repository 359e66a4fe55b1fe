import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { netSuite } from './net-suite.ts';
import { connect, Netns } from './netns.ts';

const test = netSuite('support/netns');

const made: Netns[] = [];
const create = (label: string) => {
  const netns = Netns.create(label);
  made.push(netns);
  return netns;
};
test.after.each(() => {
  for (const netns of made.splice(0)) netns.destroy();
});

test('joins two namespaces by a cable that packets pass', () => {
  const left = create('left');
  const right = create('right');
  connect({ netns: left, name: 'l0', mac: '02:00:00:00:00:01' }, { netns: right, name: 'r0' });
  left.ip('addr', 'add', '198.18.0.1/24', 'dev', 'l0');
  right.ip('addr', 'add', '198.18.0.2/24', 'dev', 'r0');
  assert.match(left.run('ping', '-c', '1', '-W', '2', '198.18.0.2'), / 1 received/);
  assert.match(right.ip('neigh', 'show', '198.18.0.1'), /lladdr 02:00:00:00:00:01/);
});

test('removes a namespace once, and it does not matter how often', () => {
  const netns = create('short');
  assert.ok(readdirSync('/run/netns').includes(netns.name));
  netns.destroy();
  netns.destroy();
  assert.ok(!readdirSync('/run/netns').includes(netns.name));
});

test('says what a failing program printed', () => {
  assert.throws(() => create('wrong').ip('link', 'set', 'nothing', 'up'), /Cannot find device "nothing"/);
});

test('the next run removes what a dead run has left, and nothing of a living one', async () => {
  // A pid just past its life is as dead as a pid gets; this process's parent is alive.
  const gone = spawn('true');
  await once(gone, 'exit');
  const dead = `garpoon-test-${gone.pid}-1-left`;
  const living = `garpoon-test-${process.ppid}-1-left`;
  mkdirSync('/run/netns', { recursive: true });
  for (const name of [dead, living]) writeFileSync(`/run/netns/${name}`, '');
  const program = `import { Netns } from '${new URL('./netns.ts', import.meta.url)}'; Netns.create('new').destroy();`;
  const next = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], { stdio: 'inherit' });
  const [status] = await once(next, 'exit');
  const left = readdirSync('/run/netns');
  rmSync(`/run/netns/${living}`);
  assert.equal(status, 0);
  assert.ok(!left.includes(dead));
  assert.ok(left.includes(living));
});
