import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Network } from '../../../src/lab/network/network.ts';
import { labTopology, managementAddress } from '../../../src/lab/network/topology.ts';
import { listenIn } from '../../../src/lab/process/listen-in.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { netSuite } from '../../support/net-suite.ts';

const test = netSuite('lab/listen-in');
const network = new Network(`t${Buffer.from(systemRandom.bytes(2)).toString('hex')}`, labTopology(2));
const management = network.namespace('management');
const at = { host: managementAddress, port: 6443 };

test.before(() => network.up());
test.after(() => network.down());

const get = (host: string) =>
  network.exec(host, ['curl', '-s', '--max-time', '1', `http://${managementAddress}:6443/`]);

test('an HTTP server of this process answers in another namespace', async () => {
  const http = createServer((request, response) => response.end(`hello ${request.socket.remoteAddress}`));
  const listener = await listenIn(management, at);
  listener.on('connection', (socket) => http.emit('connection', socket));
  assert.equal((await get('n2')).stdout, 'hello 198.19.255.12');
  assert.equal((await get('management')).stdout, `hello ${managementAddress}`);
  assert.equal((await get('client')).stdout, '');
  listener.close();
  assert.equal((await get('n2')).status, 7, 'the connection is refused once it is closed');
});

test('node:http can listen on it directly', async () => {
  const http = createServer((_, response) => response.end('direct'));
  http.listen(await listenIn(management, at));
  assert.equal((await get('n1')).stdout, 'direct');
  http.close();
});

test('an address that is taken or not there is refused with the reason', async () => {
  const first = await listenIn(management, at);
  await assert.rejects(listenIn(management, at), { code: 'LISTEN_REFUSED', message: /EADDRINUSE/ });
  first.close();
  await assert.rejects(listenIn(management, { ...at, host: '192.0.2.1' }), { message: /EADDRNOTAVAIL/ });
  await assert.rejects(listenIn('gp-none', at), { message: /Cannot open network namespace/ });
});
