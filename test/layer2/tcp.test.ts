import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Server, Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { parseAddress } from '../../src/ip/address.ts';
import { type DialOptions, dialTcp, listenTcp, setPeerKey, setTcpTtl, tcpInfo } from '../../src/layer2/tcp.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { isolatedSuite } from '../support/net-suite.ts';
import { eventually } from '../support/suite.ts';

// In a network namespace of its own, with loopback and nothing else.
const test = isolatedSuite('layer2/tcp');

const port = 7179;
const address = (text: string) => parseAddress(text)!;
const loopback = address('127.0.0.1');
const descriptors = () => readdirSync('/proc/self/fd').length;
const module = new URL('../../src/layer2/tcp.ts', import.meta.url).href;

let server: Server | undefined;
async function serve(password?: string): Promise<Server> {
  const fd = listenTcp({ address: loopback, port, peers: [{ address: loopback, password }] });
  server = createServer((socket) => socket.on('error', () => {}).resume()).listen({ fd });
  await once(server, 'listening');
  return server;
}
test.after.each(async () => {
  if (server?.listening) await new Promise((resolve) => server!.close(resolve));
});

test('a connection is made, and its descriptor is that of a socket', async () => {
  await serve();
  const fd = await dialTcp({ address: loopback, port });
  const socket = new Socket({ fd });
  assert.equal(socket.remotePort, port);
  const info = tcpInfo(fd)!;
  assert.equal(info.state, 1);
  assert.ok(info.rtt > 0 && info.rtt < 1_000);
  assert.deepEqual([info.retransmits, info.unacknowledged, info.timeouts], [0, 0, 0]);
  socket.destroy();
  await once(socket, 'close');
});

const failures: readonly [string, Partial<DialOptions>, string, string, RegExp][] = [
  ['nobody listens', {}, 'ECONNREFUSED', 'connect', /connect to 127\.0\.0\.1 port 7179: .*nothing listens there/],
  [
    'there is no such device',
    { device: 'vrf-red' },
    'ENODEV',
    'SO_BINDTODEVICE',
    /through vrf-red: .*no interface or VRF vrf-red/,
  ],
  [
    'there is no such interface',
    { address: address('fe80::1'), interface: 'eth7' },
    'ENODEV',
    'if_nametoindex',
    /fe80::1%eth7 .*no interface eth7/,
  ],
  ['there is no interface', { address: address('fe80::1') }, 'EINVAL', 'connect', /link-local address needs its/],
  [
    'the source is not ours',
    { sourceAddress: address('192.0.2.1') },
    'EADDRNOTAVAIL',
    'bind',
    /from 192\.0\.2\.1: .*192\.0\.2\.1 is not an address of this node/,
  ],
  ['there is no route', { address: address('192.0.2.1') }, 'ENETUNREACH', 'connect', /no route/],
];
for (const [what, options, code, syscall, text] of failures) {
  test(`what is wrong is named when ${what}`, async () => {
    const before = descriptors();
    await assert.rejects(dialTcp({ address: loopback, port, ...options }), (error: Error) => {
      assert.match(error.message, text);
      assert.deepEqual([Reflect.get(error, 'code'), Reflect.get(error, 'syscall')], [code, syscall]);
      return true;
    });
    await eventually('no descriptor is left', () => descriptors() === before);
  });
}

test('with another key, and with none, there is silence, which is given up', async () => {
  await serve('right');
  const before = descriptors();
  for (const password of ['wrong', undefined]) {
    const giveUp = new AbortController();
    const dial = dialTcp({ address: loopback, port, password }, giveUp.signal);
    const outcome = Promise.race([dial, new Promise((resolve) => setTimeout(resolve, 300, 'silence'))]);
    assert.equal(await outcome, 'silence');
    const reason = new Error('enough');
    giveUp.abort(reason);
    await assert.rejects(dial, reason);
    await eventually('no descriptor is left', () => descriptors() === before);
  }
  closeSync(await dialTcp({ address: loopback, port, password: 'right' }));
});

test('what is given up before it begins is not begun', async () => {
  const before = descriptors();
  await assert.rejects(dialTcp({ address: loopback, port }, AbortSignal.abort()), { name: 'AbortError' });
  assert.equal(descriptors(), before);
});

test('giving up at any moment leaves no descriptor', async () => {
  await serve();
  const before = descriptors();
  const random = seededRandom(3);
  for (let i = 0; i < 200; i++) {
    const giveUp = new AbortController();
    const dial = dialTcp({ address: loopback, port }, giveUp.signal);
    const turns = random.integer(4);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    giveUp.abort();
    await dial.then(closeSync, () => {});
  }
  await eventually('no descriptor is left', () => descriptors() <= before);
});

test('keys are changed on a socket that listens', async () => {
  const fd = listenTcp({ address: loopback, port: 0, peers: [] });
  setPeerKey(fd, loopback, 'one');
  setPeerKey(fd, loopback, null);
  setPeerKey(fd, loopback, null);
  setTcpTtl(fd, { address: loopback, ttl: 255, minimumTtl: 255 });
  closeSync(fd);
  assert.throws(() => setPeerKey(fd, loopback, 'one'), { code: 'EBADF', syscall: 'TCP_MD5SIG' });
  assert.equal(tcpInfo(fd), undefined);
});

test('more keys than a socket can have are refused with what to do, and leave no descriptor', () => {
  const before = descriptors();
  // 136 bytes each, of 128 kB at most where nobody has raised it.
  const peers = Array.from({ length: 4_096 }, (_, i) => ({
    address: address(`198.18.${i >> 8}.${i & 255}`),
    password: 'x',
  }));
  assert.throws(() => listenTcp({ address: address('0.0.0.0'), port, peers }), {
    code: 'ENOMEM',
    message: /for the peer 198\.18\.\d+\.\d+: TCP_MD5SIG: ENOMEM: .*net\.core\.optmem_max/,
  });
  assert.equal(descriptors(), before);
});

test('a port that is taken is named', async () => {
  await serve();
  assert.throws(() => listenTcp({ address: loopback, port, peers: [] }), {
    code: 'EADDRINUSE',
    message: /listen on 127\.0\.0\.1 port 7179: .*another BGP speaker/,
  });
});

const wrong: readonly [string, Record<string, unknown>, RegExp][] = [
  ['no port', { port: 0 }, /port: 0 is not a whole number from 1 to 65535/],
  ['half a port', { port: 1.5 }, /port: 1.5/],
  ['an empty password', { password: '' }, /password: 0 bytes/],
  ['a password of 81 bytes', { password: `${'x'.repeat(79)}é` }, /password: 81 bytes/],
  ['a password that is a number', { password: 7 }, /password: not a string/],
  ['TTL 0', { ttl: 0 }, /ttl: 0/],
  ['a minimum TTL of 256', { minimumTtl: 256 }, /minimumTtl: 256/],
  ['a device with a slash', { device: 'a/b' }, /device: 'a\/b'/],
  ['an interface of 16 bytes', { interface: 'x'.repeat(16) }, /interface: 'x+'/],
  ['a source of the other family', { sourceAddress: address('::1') }, /sourceAddress: ::1/],
  ['a time of 0', { userTimeout: 0 }, /userTimeout: 0/],
];
for (const [what, options, text] of wrong) {
  test(`${what} is refused`, async () => {
    await assert.rejects(dialTcp({ address: loopback, port, ...options } as DialOptions), (error: Error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
      assert.match(error.message, text);
      return true;
    });
  });
}

test('the addon takes nothing but what it asks for, and opens nothing for it', () => {
  const path = new URL('../../build/Release/garpoon.node', import.meta.url).pathname;
  const addon = createRequire(import.meta.url)(path) as Record<string, (...args: unknown[]) => unknown>;
  const before = descriptors();
  const bytes = fc.uint8Array({ maxLength: 100 });
  const field = fc.oneof(fc.anything(), bytes, fc.nat(300), fc.constant(''));
  const names = ['address', 'port', 'interface', 'source', 'device', 'key', 'ttl', 'minimumTtl', 'userTimeout'];
  const shape = fc.record(Object.fromEntries(names.map((name) => [name, field])), { requiredKeys: [] });
  fc.assert(
    fc.property(
      fc.constantFrom('tcpDial', 'tcpListen', 'setTcpKey', 'setTcpTtl', 'tcpInfo', 'discoverRouters'),
      fc.array(fc.oneof(fc.anything(), shape, fc.constant(-1)), { maxLength: 4 }),
      (name, args) => {
        // A number is a descriptor, maybe one of ours.
        if (typeof args[0] === 'number') args[0] = -1;
        try {
          addon[name]!(...args);
        } catch (thrown) {
          assert.ok(thrown instanceof TypeError || thrown instanceof RangeError, String(thrown));
          return;
        }
        assert.fail(`${name} took it`);
      },
    ),
    { numRuns: 3_000 },
  );
  const thrown = new Error('from a getter');
  const trap = Object.defineProperty({}, 'address', {
    get() {
      throw thrown;
    },
  });
  for (const name of ['tcpDial', 'tcpListen']) assert.throws(() => addon[name]!(trap), thrown);
  assert.equal(descriptors(), before);
});

test('worker threads can be terminated in the middle of it, a hundred times', async () => {
  // Silence: the dials wait for ever.
  await serve('right');
  const before = descriptors();
  const code = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module)}).then(({ dialTcp }) => {
      const address = { family: 4, value: 0x7f000001n };
      const controllers = Array.from({ length: 8 }, () => new AbortController());
      for (const { signal } of controllers) dialTcp({ address, port: ${port} }, signal).catch(() => {});
      for (const controller of controllers.slice(0, 3)) controller.abort();
      dialTcp({ address, port: 1 }).catch(() => {});
      parentPort.postMessage('ready');
    });`;
  const random = seededRandom(5);
  for (let i = 0; i < 100; i++) {
    const worker = new Worker(code, { eval: true });
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, random.integer(5)));
    await worker.terminate();
  }
  await eventually('no descriptor is left', () => descriptors() <= before);
}, 120_000);
