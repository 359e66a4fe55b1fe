import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { type Address, addressFromBytes, formatAddress, parseAddress } from '../../src/ip/address.ts';
import { isHoldable } from '../../src/ip/holdable.ts';
import {
  counterNames,
  defaultGratuitous,
  isInterfacePattern,
  Responder,
  type ResponderEvent,
} from '../../src/layer2/responder.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { eventually, suite } from '../support/suite.ts';

// Everything here runs in a network namespace of its own: it makes interfaces, and announces on all there are.
const unavailable = enterNamespace();
const suiteHere = suite('layer2/responder');
const test = (title: string, body: () => unknown, limit?: number) =>
  unavailable === undefined ? suiteHere(title, body, limit) : suiteHere.skip(title, unavailable);

const module = new URL('../../src/layer2/responder.ts', import.meta.url).href;
const addonPath = fileURLToPath(new URL('../../build/Release/garpoon.node', import.meta.url));

const addonFunctions = [
  'open',
  'setAnnouncements',
  'announce',
  'probe',
  'ask',
  'addressCounters',
  'setBfdSessions',
  'bfdSessions',
  'renew',
  'status',
  'interfaces',
  'unresolved',
  'close',
] as const;
/** What the addon's `open` is given: everything. */
const settings = {
  excludeInterfaces: [],
  ...defaultGratuitous,
  deadline: 0,
  lapse: 0,
  realtime: true,
  filter: 'auto',
  seed: 1,
};

const ipv4 = parseAddress('198.18.0.5')!;
const ipv6 = parseAddress('2001:db8::5')!;
const everywhere = [
  { address: ipv4, interfaces: 'all' },
  { address: ipv6, interfaces: 'all' },
] as const;
const quiet = { excludeInterfaces: [], onEvent: () => {} };

if (unavailable === undefined) {
  ip('link add v0 address 02:00:00:00:00:0f type veth peer name v1');
  ip('link set v0 up');
  ip('link set v1 up');
}

function open(options: Partial<ConstructorParameters<typeof Responder>[0]> = {}): Responder {
  return new Responder({ ...quiet, ...options });
}

/** Runs with a responder that is closed afterwards. */
function using(body: (responder: Responder) => void): void {
  const responder = open();
  try {
    body(responder);
  } finally {
    responder.close();
  }
}

test('refuses what cannot be right, and names it', () => {
  const as = (value: unknown) => value as never;
  const misuse: [(responder: Responder) => unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [() => open({ excludeInterfaces: as('eth0') }), TypeError, /excludeInterfaces: not an array: 'eth0'/],
    [() => open({ excludeInterfaces: as([7]) }), TypeError, /excludeInterfaces: not a string: 7/],
    [() => open({ excludeInterfaces: ['eth0 '] }), RangeError, /'eth0 ' cannot be an interface's name/],
    [() => open({ onEvent: as(undefined) }), TypeError, /onEvent: not a function: undefined/],
    [() => open({ gratuitous: { rounds: 0, interval: 1000 } }), RangeError, /gratuitous\.rounds: 0 is not/],
    [() => open({ gratuitous: { rounds: 1.5, interval: 1000 } }), RangeError, /gratuitous\.rounds: 1\.5 is not/],
    [() => open({ gratuitous: { rounds: 5, interval: Number.NaN } }), RangeError, /gratuitous\.interval: NaN is not/],
    [() => open({ gratuitous: { rounds: as('5'), interval: 1000 } }), TypeError, /gratuitous\.rounds: not a number/],
    [() => open({ gratuitous: { rate: 0 } }), RangeError, /gratuitous\.rate: 0 is not/],
    [() => open({ gratuitous: { burst: 65_537 } }), RangeError, /gratuitous\.burst: 65537 is not/],
    [() => open({ gratuitous: { refresh: 10 } }), RangeError, /gratuitous\.refresh: 10 is not/],
    [() => open({ gratuitous: { unicast: as('everyone') } }), RangeError, /unicast: unknown: "everyone"/],
    [() => open({ deadline: -1 }), RangeError, /deadline: -1 is not/],
    [() => open({ lapse: 99 }), RangeError, /lapse: 99 is not/],
    [() => open({ filter: as('xdp') }), RangeError, /filter: unknown: "xdp"/],
    [() => open({ realtime: as(1) }), TypeError, /realtime: not a boolean/],
    [(r) => r.announce([ipv4], 0), RangeError, /rounds: 0 is not/],
    [(r) => r.probe(as('all')), TypeError, /addresses: not an array: 'all'/],
    [(r) => r.ask(as(ipv4)), TypeError, /addresses: not an array/],
    [(r) => r.ask([ipv4], as('v0')), TypeError, /interfaces: not an array: 'v0'/],
    [(r) => r.ask([ipv4], ['a/b']), RangeError, /interfaces: 'a\/b' cannot be/],
    [(r) => r.ask([parseAddress('224.0.0.1')!]), RangeError, /224\.0\.0\.1 is not an address that a host can hold/],
    [(r) => r.setAnnouncements(as({})), TypeError, /announcements: not an array: \{\}/],
    [(r) => r.setAnnouncements(as([null])), TypeError, /announcements: not an address: undefined/],
    [(r) => r.setAnnouncements([as({ address: ipv4 })]), TypeError, /interfaces of 198\.18\.0\.5: not an array/],
    [(r) => r.setAnnouncements([{ address: ipv4, interfaces: as('v0') }]), TypeError, /not an array: 'v0'/],
    [(r) => r.announce(as(7)), TypeError, /addresses: not an array: 7/],
    [(r) => r.setAnnouncements([{ address: as('198.18.0.5'), interfaces: 'all' }]), TypeError, /'198\.18\.0\.5'/],
    [(r) => r.announce([as({ family: 5, value: 1n })]), TypeError, /family: 5/],
    [(r) => r.announce([{ family: 4, value: 1n << 32n }]), RangeError, /not an IPv4 address: .*4294967296/],
    [(r) => r.announce([{ family: 6, value: -1n }]), RangeError, /not an IPv6 address: .*-1/],
    [(r) => r.announce([parseAddress('0.0.0.0')!]), RangeError, /0\.0\.0\.0 is not an address that a host can hold/],
    [(r) => r.announce([parseAddress('ff02::1')!]), RangeError, /ff02::1 is not an address that a host can hold/],
  ];
  for (const pattern of ['', 'sixteen-letters-', 'a/b', 'a b', 'a:1', '.', '..', 'a\0b', 'a\u00a0b', '*'.repeat(65)]) {
    const table = [{ address: ipv4, interfaces: [pattern] }];
    misuse.push([(r) => r.setAnnouncements(table), RangeError, /interfaces of 198\.18\.0\.5: .* cannot be/]);
  }
  using((responder) => {
    for (const [call, type, message] of misuse) {
      assert.throws(
        () => call(responder),
        (thrown) => {
          assert.ok(thrown instanceof type, `${thrown} is no ${type.name}`);
          assert.match(thrown.message, message);
          return true;
        },
      );
    }
  });
});

test('the addon checks its arguments by itself', () => {
  const addon = loadAddon();
  const handle = addon.open(settings, () => {});
  const packed = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  const good = 'c6120005000000000000000000000000 04 00 0000';
  const misuse: [() => unknown, RegExp][] = [
    [() => addon.open(), /options: not an object/],
    [() => addon.open({}, () => {}), /excludeInterfaces: not an array/],
    [() => addon.open({ ...settings, interval: '5' }, () => {}), /interval: not a number/],
    [() => addon.open({ ...settings, rounds: 101 }, () => {}), /rounds: 101/],
    [() => addon.open({ ...settings, unicast: 'x' }, () => {}), /unicast: unknown: "x"/],
    [() => addon.open(settings), /onEvent: not a function/],
    [() => addon.interfaces(), /not a responder/],
    [() => addon.interfaces({}), /not a responder/],
    [() => addon.interfaces(Object.create(handle)), /not a responder/],
    [() => addon.close(new Proxy(handle, {})), /not a responder/],
    [() => addon.setAnnouncements(handle, new Uint16Array(10), [[]]), /not a Uint8Array/],
    [() => addon.setAnnouncements(handle, new DataView(new ArrayBuffer(20)), [[]]), /not a Uint8Array/],
    [() => addon.setAnnouncements(handle, packed('c6'), [[]]), /not a multiple of 20/],
    [() => addon.setAnnouncements(handle, packed(good), []), /announcement 0: there is no interface set 0/],
    [() => addon.setAnnouncements(handle, packed(good), [['a/b']]), /"a\/b" cannot be an interface's name/],
    [() => addon.setAnnouncements(handle, packed(good), ['eth0']), /interfaces: not an array/],
    [() => addon.setAnnouncements(handle, packed(good.replace('04 00', '04 02')), [[]]), /a byte that must be zero/],
    [() => addon.announce(handle, packed(good)), /rounds: not a number/],
    [() => addon.ask(handle, packed(good)), /interfaces: not an array/],
    [() => addon.ask(handle, packed('c6'), []), /not a multiple of 20/],
    [() => addon.addressCounters({}), /not a responder/],
    [() => addon.renew({}), /not a responder/],
    [() => addon.announce(handle, packed(good.replace('04 00', '09 00'))), /announcement 0: the family is neither/],
  ];
  for (const [call, message] of misuse) assert.throws(call, message);
  // Reading an argument may run JavaScript, and that may close the handle.
  const closes = Object.defineProperty([[]], 0, { get: () => addon.close(handle) });
  assert.throws(() => addon.setAnnouncements(handle, packed(''), closes), /not an array|closed/);
  assert.throws(() => addon.interfaces(handle), /the responder is closed/);
});

test('the addon refuses the addresses that no host can hold, and those only', () => {
  const boundaries = [
    ...['0.0.0.0', '0.255.255.255', '1.0.0.0', '126.255.255.255', '127.0.0.0', '127.255.255.255', '128.0.0.0'],
    ...['223.255.255.255', '224.0.0.0', '239.255.255.255', '240.0.0.0', '255.255.255.254', '255.255.255.255'],
    ...['::', '::1', '::2', '1::1', 'fe80::1', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ff00::'],
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ].map((text) => parseAddress(text)!);
  const responder = open({ excludeInterfaces: ['*'] });
  const check = (address: Address) => {
    const takes = () => responder.setAnnouncements([{ address, interfaces: 'all' }]);
    const holdable = isHoldable({ family: address.family, first: address.value, last: address.value });
    if (holdable) assert.doesNotThrow(takes);
    else assert.throws(takes, / is not an address that a host can hold/, formatAddress(address));
  };
  for (const address of boundaries) check(address);
  const anyBytes = fc.oneof(...[4, 16].map((length) => fc.uint8Array({ minLength: length, maxLength: length })));
  fc.assert(fc.property(anyBytes, (bytes) => check(addressFromBytes(bytes)!)));
  responder.close();
});

test('the addon refuses the names that are no interface pattern, and those only', () => {
  const addon = loadAddon();
  const handle = addon.open({ ...settings, excludeInterfaces: ['*'] }, () => {});
  const names = [
    'eth0',
    'v*',
    'à',
    'a\u2003b',
    'a\u00a0b',
    '.',
    '..',
    '.a',
    'fifteen-letters',
    'sixteen-letters-',
    '\ud800',
  ];
  const check = (name: string) => {
    const takes = () => addon.setAnnouncements(handle, new Uint8Array(0), [[name]]);
    if (isInterfacePattern(name)) assert.doesNotThrow(takes);
    else assert.throws(takes, / cannot be an interface's name/);
  };
  for (const name of names) check(name);
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 20 }), check), { numRuns: 1000 });
  addon.close(handle);
});

test('the addon survives any arguments', () => {
  const addon = loadAddon();
  const handle = addon.open(settings, () => {});
  const value = fc.oneof(
    fc.anything({ withTypedArray: true, withBigInt: true, withNullPrototype: true, withSparseArray: true }),
    fc.constant(handle),
    fc.uint8Array({ maxLength: 60 }),
    fc.array(fc.array(fc.string())),
  );
  fc.assert(
    fc.property(fc.constantFrom(...addonFunctions), fc.array(value, { maxLength: 4 }), (name, args) => {
      try {
        const result = addon[name](...args);
        if (name === 'open') addon.close(result);
      } catch (thrown) {
        assert.ok(thrown instanceof TypeError || thrown instanceof RangeError, String(thrown));
      }
    }),
    { numRuns: 2000 },
  );
  addon.close(handle);
});

test('closes twice, and is of no use afterwards but for its counters', async () => {
  const before = packetSockets();
  const responder = open();
  responder.setAnnouncements(everywhere);
  await eventually('four sockets, two on each end', () => packetSockets() === before + 4);
  responder.close();
  responder.close();
  assert.equal(packetSockets(), before);
  const closed = /the responder is closed/;
  assert.throws(() => responder.setAnnouncements([]), closed);
  assert.throws(() => responder.announce([ipv4]), closed);
  assert.throws(() => responder.probe([ipv4]), closed);
  assert.throws(() => responder.ask([ipv4]), closed);
  assert.throws(() => responder.addressCounters(), closed);
  assert.throws(() => responder.renew(), closed);
  assert.throws(() => responder.status(), closed);
  assert.throws(() => responder.interfaces(), closed);
  assert.throws(() => responder.unresolvedInterfaces(), closed);
  const counters = responder.counters();
  assert.equal(counters.tableSwaps, 1);
  assert.deepEqual(responder.counters(), counters);
});

test('a method does not work on what is no responder', () => {
  for (const method of ['setAnnouncements', 'announce', 'interfaces', 'counters', 'close'] as const) {
    assert.throws(() => (Responder.prototype[method] as () => void).call({}), TypeError);
  }
});

test('a table that has an address twice is not taken, and an event names it', async () => {
  const events: ResponderEvent[] = [];
  const responder = open({ onEvent: (event) => events.push(event) });
  responder.setAnnouncements([...everywhere, everywhere[1]]);
  await eventually('the event', () => events.find((event) => event.type === 'error'));
  const [error] = events.filter((event) => event.type === 'error');
  assert.deepEqual(error, {
    type: 'error',
    operation: 'take a table that has an address twice',
    code: 'EEXIST',
    address: ipv6,
  });
  assert.equal(responder.counters().tableSwaps, 0);
  responder.close();
});

test('falls silent when it is not renewed in time, and speaks again only with a new table', async () => {
  const responder = open({ deadline: 300 });
  responder.setAnnouncements(everywhere);
  for (const until = performance.now() + 600; performance.now() < until; ) {
    assert.ok(responder.renew());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(responder.status().silent, false);
  assert.equal(responder.counters().silences, 0);
  await eventually('silence', () => responder.status().silent);
  assert.equal(responder.renew(), false);
  assert.equal(responder.renew(), false);
  await eventually('the silence is counted', () => responder.counters().silences === 1);
  responder.setAnnouncements(everywhere);
  await eventually('it speaks', () => !responder.status().silent);
  assert.ok(responder.renew());
  assert.equal(responder.counters().silences, 1);
  responder.close();
});

test('says how its thread is scheduled and what it is woken by', async () => {
  const responder = open({ realtime: false });
  assert.ok(['slice', 'ordinary'].includes(responder.status().scheduling));
  responder.setAnnouncements(everywhere);
  await eventually('the filters are exact', () => {
    const { arpFilter, ndpFilter } = responder.status();
    return arpFilter === 'exact' && ndpFilter === 'exact';
  });
  responder.close();
  const classic = open({ filter: 'classic', excludeInterfaces: ['*'] });
  const scattered = Array.from(
    { length: 20_000 },
    (_, i) => ({ family: 4, value: 0x0a000000n + BigInt(i * 3) }) as const,
  );
  classic.setAnnouncements(scattered.map((address) => ({ address, interfaces: 'all' })));
  await eventually('more addresses than a program can tell', () => classic.status().arpFilter === 'ranges');
  classic.close();
});

test('counts by the names it declares', () => {
  using((responder) => assert.deepEqual(Object.keys(responder.counters()), [...counterNames]));
});

test('an announcement on no interface is nowhere, not everywhere', async () => {
  const before = packetSockets();
  const responder = open();
  responder.setAnnouncements([{ address: ipv4, interfaces: [] }]);
  await eventually('the table is swapped', () => responder.counters().tableSwaps === 1);
  assert.equal(packetSockets(), before);
  responder.close();
});

test('says what each interface is and which names nothing answers to', () => {
  const responder = open({ excludeInterfaces: ['v1*'] });
  const byName = Object.fromEntries(responder.interfaces().map((state) => [state.name, state]));
  assert.deepEqual(byName.v0, {
    index: byName.v0!.index,
    name: 'v0',
    mac: '02:00:00:00:00:0f',
    up: true,
    carrier: true,
    eligible: true,
  });
  assert.equal(byName.v1!.reason, 'excluded');
  assert.equal(byName.lo!.reason, 'loopback');
  responder.setAnnouncements([{ address: ipv4, interfaces: ['v0', 'later0', 'v*', 'bond*'] }]);
  assert.deepEqual(responder.unresolvedInterfaces(), ['bond*', 'later0']);
  responder.close();
});

test('tells what happens to an interface, in order', async () => {
  const events: ResponderEvent[] = [];
  const responder = open({ onEvent: (event) => events.push(event) });
  const seen = () =>
    events.flatMap((e) => (e.type === 'interface' && e.name !== 'b1' ? [`${e.name} ${e.change}`] : []));
  const steps: [string, string[]][] = [
    ['link add b0 address 02:00:00:00:00:01 type veth peer name b1', ['b0 added']],
    ['link set b0 up', []],
    ['link set b1 up', ['b0 up']],
    ['link set b0 address 02:00:00:00:00:02', ['b0 mac']],
    ['link set b1 down', ['b0 down']],
    ['link set b0 down', []],
    ['link set b0 name c0', ['c0 renamed']],
    ['link del c0', ['c0 removed']],
  ];
  const expected: string[] = [];
  for (const [command, changes] of steps) {
    ip(command);
    expected.push(...changes);
    await eventually(`after ip ${command}: ${expected}`, () => seen().length >= expected.length);
  }
  assert.deepEqual(seen(), expected);
  responder.close();
});

test('tells of a missing capability once, as an event', () => {
  const { stdout } = child(
    `let told = 0;
     const responder = new Responder({ excludeInterfaces: [], onEvent(event) { told++; console.log(JSON.stringify(event)); } });
     responder.setAnnouncements([{ address: { family: 4, value: 0xc6120005n }, interfaces: ['v0'] }]);
     setTimeout(() => { responder.setAnnouncements([{ address: { family: 4, value: 0xc6120005n }, interfaces: ['v0'] }]); }, 300);
     setTimeout(() => { console.log(told, responder.counters().socketFailures > 1); responder.close(); }, 600);`,
    { wrapper: ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw'] },
  );
  const [event, counts] = stdout.trim().split('\n');
  const { index, ...rest } = JSON.parse(event!) as { index: number };
  assert.ok(index > 0);
  assert.deepEqual(rest, {
    name: 'v0',
    type: 'error',
    operation: 'open ARP socket',
    code: 'EPERM',
  });
  assert.equal(counts, '1 true');
});

test('what the event callback throws is an uncaught exception, whatever it is', () => {
  for (const thrown of ['new Error("boom")', 'null', 'undefined', '"text"']) {
    const { stdout, status } = child(
      `process.on('uncaughtException', (error) => { console.log('caught', String(error)); responder.close(); });
       const responder = new Responder({ excludeInterfaces: [], onEvent() { throw ${thrown}; } });
       const keepAlive = setTimeout(() => {}, 5000);
       execFileSync('ip', ['link', 'add', 'x0', 'type', 'veth', 'peer', 'name', 'x1']);
       process.on('uncaughtException', () => { clearTimeout(keepAlive); });`,
    );
    ip('link del x0');
    assert.match(stdout, /^caught /);
    assert.equal(status, 0);
  }
});

test('does not keep the process alive, and survives its end at any point', () => {
  const start = `const responder = new Responder({ excludeInterfaces: [], onEvent() {} });
    responder.setAnnouncements([{ address: { family: 4, value: 0xc6120005n }, interfaces: 'all' }]);
    responder.announce([{ family: 4, value: 0xc6120005n }]);`;
  const ends: [string, number][] = [
    ['', 0],
    ['process.exit(3);', 3],
    ['setTimeout(() => process.exit(4), 50);', 4],
    ['throw new Error("end");', 1],
    ['responder.close();', 0],
    ['process.on("exit", () => responder.close());', 0],
    ['process.on("exit", () => { responder.close(); responder.counters(); });', 0],
  ];
  for (const [end, status] of ends) assert.equal(child(start + end).status, status, end);
});

test('a forgotten responder is closed by garbage collection', () => {
  const { stdout } = child(
    `const threads = () => readdirSync('/proc/self/task').filter((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8') === 'l2-responder\\n').length;
     for (let i = 0; i < 20; i++) {
       new Responder({ excludeInterfaces: [], onEvent() {} }).setAnnouncements([{ address: { family: 6, value: 5n + BigInt(i) << 64n }, interfaces: 'all' }]);
     }
     const before = threads();
     const collect = setInterval(() => {
       gc();
       if (threads() > 0) return;
       console.log(before, threads());
       clearInterval(collect);
     }, 20);`,
    { nodeOptions: ['--expose-gc'] },
  );
  assert.equal(stdout.trim(), '20 0');
});

test('counters outlive everything else', () => {
  const { stdout } = child(
    `const addon = createRequire(import.meta.url)(${JSON.stringify(addonPath)});
     let handle = addon.open(${JSON.stringify(settings)}, () => {});
     const { counters } = handle;
     addon.setAnnouncements(handle, new Uint8Array(0), []);
     addon.close(handle);
     handle = undefined;
     for (let i = 0; i < 50; i++) { gc(); await new Promise((resolve) => setImmediate(resolve)); }
     console.log(counters.length, counters[addon.counterNames.indexOf('wakeups')] > 0n);`,
    { nodeOptions: ['--expose-gc'] },
  );
  assert.equal(stdout.trim(), `${counterNames.length} true`);
});

test('worker threads can be terminated in the middle of it, two hundred times', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module)}).then(({ Responder }) => {
      const table = [{ address: { family: 4, value: 0xc6120005n }, interfaces: 'all' }, { address: { family: 6, value: 5n << 64n }, interfaces: ['v*'] }];
      parentPort.postMessage('ready');
      for (;;) {
        const responders = [1, 2].map(() => new Responder({ excludeInterfaces: [], onEvent() {} }));
        for (const responder of responders) {
          responder.setAnnouncements(table);
          responder.announce(table.map((entry) => entry.address));
          responder.interfaces();
          responder.counters();
        }
        responders[0].close();
      }
    });`;
  const random = seededRandom(7);
  const run = async () => {
    for (let i = 0; i < 100; i++) {
      const worker = new Worker(code, { eval: true });
      await once(worker, 'message');
      await new Promise((resolve) => setTimeout(resolve, random.integer(20)));
      await worker.terminate();
    }
  };
  await Promise.all([run(), run()]);
  await eventually('no thread is left', () => threadsNamed('l2-responder') + threadsNamed('l2-compiler') === 0);
}, 120_000);

test('a worker thread gets its events and ends with its responder open', async () => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     import(${JSON.stringify(module)}).then(({ Responder }) => {
       const onEvent = (event) => {
         parentPort.postMessage(event);
         // What keeps the worker alive; a late event about something else must not end it early.
         if (event.change === 'mac') parentPort.unref();
       };
       globalThis.responder = new Responder({ excludeInterfaces: [], onEvent });
       parentPort.on('message', () => {});
       parentPort.postMessage('ready');
     });`,
    { eval: true },
  );
  const messages: ('ready' | ResponderEvent)[] = [];
  worker.on('message', (message) => messages.push(message));
  const ended = once(worker, 'exit');
  await eventually('the worker is ready', () => messages.includes('ready'));
  ip('link set v0 address 02:00:00:00:00:1f');
  await eventually('the event has come', () =>
    messages.some((event) => event !== 'ready' && event.type === 'interface' && event.change === 'mac'),
  );
  ip('link set v0 address 02:00:00:00:00:0f');
  await ended;
  await eventually('no thread is left', () => threadsNamed('l2-responder') === 0);
});

test('a table of a hundred thousand is swapped whole', async () => {
  const responder = open({ excludeInterfaces: ['*'] });
  const table = Array.from({ length: 100_000 }, (_, i) => ({
    address: { family: 4, value: 0x0a000000n + BigInt(i) } satisfies Address,
    interfaces: 'all' as const,
  }));
  for (let i = 0; i < 3; i++) responder.setAnnouncements(table);
  await eventually('the table is swapped', () => responder.counters().tableSwaps >= 1);
  responder.close();
});

// ---- support

/** Undefined inside a network namespace of our own, otherwise why there is none. May not return. */
function enterNamespace(): string | undefined {
  const marker = 'GARPOON_TEST_OWN_NETNS';
  if (process.env[marker] !== undefined) return undefined;
  const ways = [['--net'], ['--user', '--map-root-user', '--net']];
  const way = ways.find((options) => spawnSync('unshare', [...options, 'true']).status === 0);
  if (way === undefined) return 'needs a network namespace: run as root, or let users make user namespaces';
  const again = spawnSync('unshare', [...way, process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: '1' },
  });
  // The other process has reported its tests; this one has none to report.
  process.removeAllListeners('exit');
  process.exit(again.status ?? 1);
}

// biome-ignore lint/suspicious/noExplicitAny: these tests call the addon as no type would let them
type Untyped = (...args: any[]) => any;

function loadAddon(): Record<(typeof addonFunctions)[number], Untyped> {
  return createRequire(import.meta.url)(addonPath);
}

/** Runs a script in a process of its own, with what it needs imported. */
function child(script: string, { nodeOptions = [] as string[], wrapper = [] as string[] } = {}) {
  const prelude = `
    import { execFileSync } from 'node:child_process';
    import { readdirSync, readFileSync } from 'node:fs';
    import { createRequire } from 'node:module';
    import { Responder } from ${JSON.stringify(module)};`;
  const [command, ...args] = [
    ...wrapper,
    process.execPath,
    ...nodeOptions,
    '--input-type=module',
    '-e',
    prelude + script,
  ];
  const { stdout, stderr, status, signal } = spawnSync(command!, args, { encoding: 'utf8', timeout: 20_000 });
  if (signal !== null) throw new Error(`ended by ${signal}: ${stderr}`);
  return { stdout, status };
}

function ip(command: string): void {
  execFileSync('ip', command.split(' '), { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}

function packetSockets(): number {
  return readFileSync('/proc/self/net/packet', 'utf8').trim().split('\n').length - 1;
}

function threadsNamed(name: string): number {
  const isNamed = (id: string) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8') === `${name}\n`;
    } catch {
      return false; // ended meanwhile
    }
  };
  return readdirSync('/proc/self/task').filter(isNamed).length;
}
