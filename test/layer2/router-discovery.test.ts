import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { formatAddress } from '../../src/ip/address.ts';
import { RouterDiscovery, type RouterDiscoveryEvent } from '../../src/layer2/router-discovery.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { LineProgram } from '../support/line-program.ts';
import { isolatedSuite } from '../support/net-suite.ts';
import { Netns } from '../support/netns.ts';
import { eventually } from '../support/suite.ts';

// This process is the node; the router is another namespace:
//
//   this process  eth0 fe80::1  ──  eth0 fe80::2  router
const test = isolatedSuite('layer2/router-discovery');

const ip = (...args: readonly string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const descriptors = () => readdirSync('/proc/self/fd').length;
const module = new URL('../../src/layer2/router-discovery.ts', import.meta.url).href;

let router: Netns;
const closers: (() => unknown)[] = [];

function plug(): void {
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', router.name);
  const end = (run: (...args: readonly string[]) => string, host: number) => {
    run('link', 'set', 'eth0', 'addrgenmode', 'none');
    run('addr', 'add', `2001:db8::${host}/64`, 'dev', 'eth0', 'nodad');
    run('addr', 'add', `fe80::${host}/64`, 'dev', 'eth0', 'nodad');
    run('link', 'set', 'eth0', 'up');
  };
  end(ip, 1);
  end((...args) => router.ip(...args), 2);
}

test.before.each(() => {
  router = Netns.create('router');
});
test.after.each(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  if (readdirSync('/sys/class/net').includes('eth0')) ip('link', 'del', 'eth0');
  router.destroy();
});

function discover(...interfaces: readonly string[]) {
  const events: RouterDiscoveryEvent[] = [];
  const discovery = new RouterDiscovery({ onEvent: (event) => events.push(event) });
  closers.push(() => discovery.close());
  discovery.setInterfaces(interfaces);
  return { discovery, events };
}

async function discovering(): Promise<string[]> {
  const program = fileURLToPath(new URL('../support/router-discovery-program.ts', import.meta.url));
  const lines: string[] = [];
  const argv = router.command(process.execPath, program, 'eth0');
  const started = await LineProgram.start(argv, (line) => lines.push(line));
  closers.push(() => started.stop());
  return lines;
}

test('two ends of a cable find each other by their link-local addresses at once', async () => {
  plug();
  const { discovery, events } = discover('eth0');
  const began = performance.now();
  const lines = await discovering();
  await eventually('the router is heard', () => events.length > 0);
  await eventually('the router hears us', () => lines.includes('eth0 fe80::1'));
  assert.ok(performance.now() - began < 8_000, 'it waits for an interval');
  assert.equal(events.length, 1);
  const [event] = events;
  assert.ok(event?.type === 'router' && event.name === 'eth0' && formatAddress(event.address) === 'fe80::2');
  const [heard, ...others] = discovery.routers('eth0');
  assert.ok(heard !== undefined && others.length === 0);
  assert.equal(formatAddress(heard.address), 'fe80::2');
  assert.equal(heard.index, event.index);
  assert.ok(heard.age >= 0 && heard.age < 10_000);
  assert.deepEqual(discovery.routers('eth1'), []);
});

test('an interface that comes later is used, and one that is replaced is another', async () => {
  const { discovery, events } = discover('eth0');
  await eventually('it is told', () => events.length === 1);
  assert.deepEqual(events, [{ type: 'error', name: 'eth0', operation: 'if_nametoindex', code: 'ENODEV' }]);
  plug();
  await discovering();
  await eventually('the router is heard', () => discovery.routers('eth0').length === 1);
  const { index } = discovery.routers('eth0')[0]!;
  for (const close of closers.splice(1)) await close();
  ip('link', 'del', 'eth0');
  plug();
  discovery.setInterfaces(['eth0']);
  await discovering();
  await eventually('it is heard on the other', () => discovery.routers('eth0').some((each) => each.index !== index));
  assert.equal(events.filter((event) => event.type === 'router').length, 2);
});

test('an interface without a link-local address is told of, and used when it has one', async () => {
  plug();
  ip('addr', 'del', 'fe80::1/64', 'dev', 'eth0');
  const { events } = discover('eth0');
  await eventually('it is told', () => events.length === 1);
  assert.ok(events[0]?.type === 'error' && events[0].code === 'EADDRNOTAVAIL');
  const lines = await discovering();
  ip('addr', 'add', 'fe80::1/64', 'dev', 'eth0', 'nodad');
  await eventually('the router hears us', () => lines.includes('eth0 fe80::1'));
});

test('what is closed sends and tells nothing, and leaves no descriptor', async () => {
  plug();
  const before = descriptors();
  const { discovery, events } = discover('eth0');
  discovery.close();
  discovery.close();
  discovery.setInterfaces(['eth0']);
  assert.deepEqual(discovery.routers('eth0'), []);
  await eventually('no descriptor is left', () => descriptors() === before);
  assert.deepEqual(events, []);
});

test('it may be closed from its own event', async () => {
  const before = descriptors();
  const discovery = new RouterDiscovery({
    onEvent: () => {
      count += 1;
      discovery.close();
    },
  });
  let count = 0;
  discovery.setInterfaces(['absent', 'also-absent']);
  await eventually('it is told', () => count > 0);
  await eventually('no descriptor is left', () => descriptors() === before);
  assert.equal(count, 1);
});

const wrong: readonly [string, () => unknown, RegExp][] = [
  ['no function', () => new RouterDiscovery({ onEvent: undefined as never }), /onEvent: not a function/],
  ['half a second', () => new RouterDiscovery({ onEvent() {}, interval: 500 }), /interval: 500/],
  ['a glob too long', () => discover('x'.repeat(16)), /interfaces: 'x+' cannot/],
  ['a number', () => discover(7 as never), /interfaces: not a string: 7/],
  ['257 interfaces', () => discover(...Array.from({ length: 257 }, (_, i) => `e${i}`)), /too many/],
];
for (const [what, body, text] of wrong) {
  test(`${what} is refused`, () => assert.throws(body, text));
}

test('without CAP_NET_RAW it says so', () => {
  const script = `import(${JSON.stringify(module)}).then(({ RouterDiscovery }) => {
    try { new RouterDiscovery({ onEvent() {} }); } catch (error) { console.log(error.code, error.message); }
  })`;
  const output = execFileSync(
    'setpriv',
    ['--bounding-set=-net_raw', '--inh-caps=-net_raw', process.execPath, '-e', script],
    { encoding: 'utf8' },
  );
  assert.match(output, /^EPERM discover routers: .*CAP_NET_RAW/);
});

test('worker threads can be terminated in the middle of it, a hundred times', async () => {
  const before = descriptors();
  const code = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module)}).then(({ RouterDiscovery }) => {
      const all = [1, 2, 3].map(() => new RouterDiscovery({ onEvent() {} }));
      for (const each of all) each.setInterfaces(['lo', 'absent']);
      all[0].close();
      parentPort.postMessage('ready');
      parentPort.on('message', () => {});
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
