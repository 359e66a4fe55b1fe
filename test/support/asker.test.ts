import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { programArgv } from '../../src/lab/process/program.ts';
import { Asker } from './asker.ts';
import { netSuite } from './net-suite.ts';
import { connect, Netns } from './netns.ts';
import { outageOf } from './outage.ts';
import { OwnerWatch } from './owner-watch.ts';
import { eventually } from './suite.ts';

const test = netSuite('support/asker');
const mac = '02:00:00:00:00:0f';
const [served, unused] = ['198.18.0.2', '198.18.0.3'];
let client: Netns;
let server: Netns;
let echo: ChildProcess;

test.before(async () => {
  client = Netns.create('client');
  server = Netns.create('server');
  connect({ netns: client, name: 'c0' }, { netns: server, name: 's0', mac });
  client.ip('addr', 'add', '198.18.0.1/24', 'dev', 'c0');
  server.ip('addr', 'add', `${served}/24`, 'dev', 's0');
  const [program = '', ...args] = server.command(...programArgv('pod-server'), 'echo', '7/udp');
  echo = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(echo, 'message');
});
test.after(async () => {
  const ended = once(echo, 'exit');
  echo.disconnect();
  await ended;
  client.destroy();
  server.destroy();
});

test('a client asks every address in turn, and is answered by whom has it', async () => {
  const asker = await Asker.start(client, { addresses: [served, unused], port: 7, rate: 100 });
  await eventually('a request is answered', () => asker.answered() > 0);
  const requests = await asker.stop();
  const [answered = [], unanswered = []] = [requests.get(0), requests.get(1)];
  assert.ok(Math.abs(answered.length - unanswered.length) <= 1);
  assert.equal(outageOf(answered).lost, 0);
  assert.equal(outageOf(unanswered).lost, unanswered.length);
});

test('an outage is as long as the server does not run', async () => {
  const asker = await Asker.start(client, { addresses: [served], port: 7, rate: 100 });
  await eventually('a request is answered', () => asker.servedUntil() > 0);
  echo.kill('SIGSTOP');
  const stopped = Date.now();
  await eventually('it has been stopped for 200 ms', () => Date.now() - stopped >= 200);
  echo.kill('SIGCONT');
  const resumed = Date.now();
  await eventually('a request is answered', () => asker.servedUntil() > resumed);
  const { longest, lost } = outageOf((await asker.stop()).get(0) ?? []);
  assert.ok(longest >= 150 && longest < 1_000, `${longest} ms`);
  assert.equal(lost, 0, 'the kernel kept them');
});

test('a bystander sees who answers for an address and who announces it, and the client learns nothing of it', async () => {
  client.ip('neigh', 'flush', 'dev', 'c0');
  const watch = await OwnerWatch.start(client, { interfaceName: 'c0', addresses: [served, unused], rate: 100 });
  await eventually('somebody answers', () => watch.owners().size > 0);
  // It waits for an answer, of which there is none.
  server.run('sh', '-c', `arping -U -c 1 -i s0 -S ${served} ${served} || true`);
  await eventually('an announcement', () => watch.sightings().some(({ kind }) => kind === 'announcement'));
  const sightings = await watch.stop();
  assert.deepEqual([...watch.owners()], [[0, mac]]);
  assert.ok(sightings.every((each) => each.target === 0 && each.mac === mac));
  assert.ok(!client.run('ip', 'neigh', 'show', served).includes(mac));
});
