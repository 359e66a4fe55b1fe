import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { handOverLoopbackSocket, receiveLoopbackSocket } from '../../../src/lab/process/socket-handover.ts';
import { suite } from '../../support/suite.ts';

const test = suite('lab/socket-handover');

const receiver = fileURLToPath(new URL('./socket-receiver.ts', import.meta.url));

const startReceiver = () => spawn(process.execPath, [receiver], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });

test('every connection to the port reaches the child, from the first one', async () => {
  const child = startReceiver();
  const port = await handOverLoopbackSocket(child);
  for (let i = 0; i < 20; i++) {
    const [response] = await once(get({ host: '127.0.0.1', port, agent: false }), 'response');
    let body = '';
    for await (const chunk of response) body += chunk;
    assert.equal(body, `served by ${child.pid}`);
  }
  child.kill();
  await once(child, 'exit');
});

test('a port that is taken is an error', async () => {
  const child = startReceiver();
  const port = await handOverLoopbackSocket(child);
  await assert.rejects(handOverLoopbackSocket(child, port), { code: 'EADDRINUSE' });
  child.kill();
  await once(child, 'exit');
});

test('a process without a parent to ask says so', async () => {
  await assert.rejects(receiveLoopbackSocket(), /no channel to a parent/);
});
