import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ConnectionCallbacks, DialTarget } from '../../../src/bgp/transport.ts';
import { formatAddress, parseAddress } from '../../../src/ip/address.ts';
import { TcpTransport } from '../../../src/speaker/bgp/tcp-transport.ts';
import { LineProgram } from '../../support/line-program.ts';
import { isolatedSuite } from '../../support/net-suite.ts';
import { Netns } from '../../support/netns.ts';
import { PacketIo } from '../../support/packet-io.ts';
import { eventually } from '../../support/suite.ts';
import type { TcpPeerWish } from '../../support/tcp-peer-program.ts';

// This process is the node; the router is another namespace:
//
//   this process  eth0 198.18.0.1, .3 and 2001:db8::1  ──  eth0 198.18.0.2 and 2001:db8::2  router
const test = isolatedSuite('speaker/bgp/tcp-transport');

const address = (text: string) => parseAddress(text)!;
const ip = (...args: readonly string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const port = 7179;
const transport = new TcpTransport({ userTimeout: 90_000 });
const descriptors = () => readdirSync('/proc/self/fd').length;

let router: Netns;
test.before(() => {
  router = Netns.create('router');
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', router.name);
  const end = (run: (...args: readonly string[]) => string, host: number) => {
    run('addr', 'add', `198.18.0.${host}/24`, 'dev', 'eth0');
    run('addr', 'add', `2001:db8::${host}/64`, 'dev', 'eth0', 'nodad');
    run('link', 'set', 'eth0', 'addrgenmode', 'none');
    run('link', 'set', 'eth0', 'up');
    run('addr', 'add', `fe80::${host}/64`, 'dev', 'eth0', 'nodad');
  };
  end(ip, 1);
  end((...args) => router.ip(...args), 2);
  ip('addr', 'add', '198.18.0.3/24', 'dev', 'eth0');
});
test.after(() => router.destroy());

const closers: (() => unknown)[] = [];
test.after.each(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The router's end; its lines so far. */
async function listening(wish: Partial<TcpPeerWish> = {}): Promise<string[]> {
  const program = fileURLToPath(new URL('../../support/tcp-peer-program.ts', import.meta.url));
  const lines: string[] = [];
  const argument = JSON.stringify({ address: '198.18.0.2', port, ...wish });
  const peer = await LineProgram.start(router.command(process.execPath, program, argument), (line) => lines.push(line));
  closers.push(() => peer.stop());
  return lines;
}

/** What a session would be told. */
class Told implements ConnectionCallbacks {
  readonly events: string[] = [];
  onData(bytes: Uint8Array): void {
    this.events.push(`data ${Buffer.from(bytes)}`);
  }
  onDrain(): void {
    this.events.push('drain');
  }
  onClose(error?: Error): void {
    this.events.push(`close ${error === undefined ? '' : Reflect.get(error, 'code')}`.trimEnd());
  }
}

async function dial(target: Partial<DialTarget> = {}, told = new Told()) {
  const connection = await transport.dial(
    { address: address('198.18.0.2'), port, ttl: 64, signal: new AbortController().signal, ...target },
    told,
  );
  closers.push(() => connection.destroy());
  return { connection, told };
}

/** Whether a connection is not made within 400 ms. */
async function silent(target: Partial<DialTarget>): Promise<boolean> {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), 400);
  try {
    await dial({ ...target, signal: giveUp.signal });
    return false;
  } catch (error) {
    assert.equal((error as Error).name, 'AbortError');
    return true;
  } finally {
    clearTimeout(timer);
  }
}

const rows: readonly [string, Partial<TcpPeerWish>, Partial<DialTarget>, string][] = [
  ['IPv4', {}, {}, '198.18.0.1'],
  ['a source address', {}, { sourceAddress: address('198.18.0.3') }, '198.18.0.3'],
  ['a device', {}, { device: 'eth0' }, '198.18.0.1'],
  ['IPv6', { address: '2001:db8::2' }, { address: address('2001:db8::2') }, '2001:db8::1'],
  ['a link-local address', { address: '::' }, { address: address('fe80::2'), interface: 'eth0' }, 'fe80::1%eth0'],
  [
    'a link-local source and a device',
    { address: '::' },
    { address: address('fe80::2'), interface: 'eth0', device: 'eth0', sourceAddress: address('fe80::1') },
    'fe80::1%eth0',
  ],
  ['a password', { peers: [{ address: '198.18.0.1', password: 's3cret' }] }, { password: 's3cret' }, '198.18.0.1'],
  [
    'a password over IPv6',
    { address: '::', peers: [{ address: 'fe80::1', password: 'x'.repeat(80) }] },
    { address: address('fe80::2'), interface: 'eth0', password: 'x'.repeat(80) },
    'fe80::1%eth0',
  ],
  [
    'TTL security',
    { peers: [{ address: '198.18.0.1', ttl: 255, minimumTtl: 255 }] },
    { ttl: 255, minimumTtl: 255 },
    '198.18.0.1',
  ],
  [
    'TTL security over IPv6',
    { address: '2001:db8::2', peers: [{ address: '2001:db8::1', ttl: 255, minimumTtl: 255 }] },
    { address: address('2001:db8::2'), ttl: 255, minimumTtl: 255 },
    '2001:db8::1',
  ],
];
for (const [what, wish, target, from] of rows) {
  test(`a connection with ${what} carries bytes both ways and is closed in order`, async () => {
    const before = descriptors();
    const lines = await listening(wish);
    const { connection, told } = await dial(target);
    assert.equal(formatAddress(connection.remoteAddress), formatAddress(target.address ?? address('198.18.0.2')));
    assert.equal(formatAddress(connection.localAddress), from.split('%')[0]);
    assert.equal(connection.localInterface, target.interface);
    assert.equal(connection.remotePort, port);
    connection.write(Buffer.from('hello'));
    await eventually('it is sent back', () => told.events.includes('data hello'));
    assert.deepEqual(lines, [`from ${from}`, 'read hello']);
    assert.equal(connection.info()!.state, 1);
    connection.end();
    await eventually('it is closed', () => told.events.at(-1) === 'close');
    assert.deepEqual(told.events, ['data hello', 'close']);
    assert.equal(connection.info(), undefined);
    connection.write(Buffer.from('late'));
    connection.end();
    for (const close of closers.splice(0).reverse()) await close();
    await eventually('no descriptor is left', () => descriptors() <= before);
  });
}

const silences: readonly [string, Partial<TcpPeerWish>, Partial<DialTarget>][] = [
  ['another password', { peers: [{ address: '198.18.0.1', password: 'right' }] }, { password: 'wrong' }],
  ['no password', { peers: [{ address: '198.18.0.1', password: 'right' }] }, {}],
  ['a password of our own', {}, { password: 'right' }],
  ['a TTL below what the router asks for', { peers: [{ address: '198.18.0.1', minimumTtl: 255 }] }, { ttl: 254 }],
  ['a TTL below what we ask for', { peers: [{ address: '198.18.0.1', ttl: 254 }] }, { minimumTtl: 255 }],
];
for (const [what, wish, target] of silences) {
  test(`with ${what} nothing is heard, and the dial can be given up`, async () => {
    const lines = await listening(wish);
    const before = descriptors();
    assert.ok(await silent(target));
    assert.deepEqual(lines, []);
    await eventually('no descriptor is left', () => descriptors() === before);
  });
}

test('the first packet already has the TTL and the class of network control', async () => {
  await listening();
  const io = await PacketIo.open(router, 'eth0');
  closers.push(() => io.close());
  const ttls = [1, 64, 255];
  for (const ttl of ttls) (await dial({ ttl })).connection.destroy();
  const syns: Uint8Array[] = [];
  for (const ttl of ttls) {
    const { frame } = await io.receive(`a SYN with TTL ${ttl}`, (each) => {
      const payload = each.kind === 'other' ? each.payload : undefined;
      return payload !== undefined && payload[9] === 6 && payload[33] === 0x02 && payload[8] === ttl;
    });
    if (frame.kind === 'other') syns.push(frame.payload);
  }
  assert.deepEqual(
    syns.map((payload) => payload[1]),
    [0xc0, 0xc0, 0xc0],
  );
});

test('a router that is not there is named', async () => {
  await assert.rejects(dial({ address: address('198.18.0.77') }), { code: 'EHOSTUNREACH', syscall: 'connect' });
});

test('what a router does not read is buffered, and told of when it drains', async () => {
  const lines = await listening();
  const { connection, told } = await dial();
  const chunk = Buffer.alloc(1 << 20, 'x');
  for (let i = 0; i < 16; i++) connection.write(chunk);
  assert.ok(connection.bufferedBytes > 0);
  await eventually('it drains', () => told.events.includes('drain'));
  assert.equal(connection.bufferedBytes, 0);
  assert.ok(lines.length > 1);
});

test('a connection that breaks says how, once, and one that is destroyed says nothing', async () => {
  await listening({ peers: [] });
  const { told } = await dial();
  router.run('ss', '-K', 'sport', '=', `:${port}`);
  await eventually('it is closed', () => told.events.length > 0);
  assert.match(told.events[0]!, /^close/);
  const other = await dial();
  other.connection.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(other.told.events, []);
});

test('peers connect to us with keys and TTLs of their own, and a key is changed meanwhile', async () => {
  const accepted: string[] = [];
  const told = new Told();
  const listener = await transport.listen({
    address: address('0.0.0.0'),
    port,
    peers: [
      { address: address('198.18.0.1'), password: 'one', ttl: 255, minimumTtl: 255 },
      { address: address('127.0.0.1') },
    ],
    onConnection: (incoming) => {
      accepted.push(formatAddress(incoming.remoteAddress));
      const connection = incoming.open(told);
      connection.write(Buffer.from('welcome'));
      closers.push(() => connection.destroy());
    },
    onError: (error) => assert.fail(error),
  });
  closers.push(() => listener.close());
  // To ourselves, by either address.
  const ours = { address: address('198.18.0.1'), ttl: 255 };
  const first = await dial({ ...ours, password: 'one' });
  await eventually('it is welcome', () => first.told.events.includes('data welcome'));
  assert.ok(await silent({ ...ours, password: 'two' }));
  listener.setPeers([{ address: address('198.18.0.1'), password: 'two', ttl: 255, minimumTtl: 255 }]);
  const second = await dial({ ...ours, password: 'two' });
  await eventually('it is welcome', () => second.told.events.includes('data welcome'));
  listener.setPeers([{ address: address('198.18.0.1') }]);
  await dial(ours);
  await eventually('all three are accepted', () => accepted.length === 3);
  assert.deepEqual(accepted, ['198.18.0.1', '198.18.0.1', '198.18.0.1']);
});

test('whom nobody opens the door to is sent away', async () => {
  const listener = await transport.listen({
    address: address('::1'),
    port: 0,
    peers: [],
    onConnection: () => {},
    onError: (error) => assert.fail(error),
  });
  closers.push(() => listener.close());
  const { told } = await dial({ address: address('::1'), port: listener.port });
  await eventually('it is closed', () => told.events.length === 1);
  assert.match(told.events[0]!, /^close/);
});
