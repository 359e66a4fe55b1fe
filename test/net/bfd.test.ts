import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { BfdEvent } from '../../src/layer2/bfd.ts';
import { allUp, BfdBed, stateOf, towardsPeer } from '../support/bfd-bed.ts';
import { netSuite } from '../support/net-suite.ts';
import { PacketIo } from '../support/packet-io.ts';
import type { ResponderProcess, ResponderProcessOptions } from '../support/responder-process.ts';
import type { BfdWish } from '../support/responder-program.ts';
import { eventually } from '../support/suite.ts';

const test = netSuite('net/bfd');

let bed: BfdBed;
test.before.each(() => {
  bed = BfdBed.create();
});
test.after.each(() => bed.close());

type Pair = { readonly a: ResponderProcess; readonly b: ResponderProcess };
type Options = { readonly a?: ResponderProcessOptions; readonly b?: ResponderProcessOptions };

async function pair(options: Options = {}): Promise<Pair> {
  return { a: await bed.responder('a', options.a), b: await bed.responder('b', options.b) };
}

async function connected(
  wishes: { readonly a?: Partial<BfdWish>; readonly b?: Partial<BfdWish> } = {},
  options?: Options,
) {
  const both = await pair(options);
  await both.a.setBfdSessions(towardsPeer('a', wishes.a));
  await both.b.setBfdSessions(towardsPeer('b', wishes.b));
  await allUp(both.a, both.b);
  await settled(both.a);
  await settled(both.b);
  return both;
}

const settled = (responder: ResponderProcess) =>
  eventually('the timers asked for are in use', async () => (await stateOf(responder)).receiveInterval < 1000);

const isBfd = (state: BfdEvent['state']) => (event: { type: string }) =>
  event.type === 'bfd' && (event as BfdEvent).state === state;
const down = async (responder: ResponderProcess) =>
  (await responder.event('the session is down', isBfd('down'))) as BfdEvent;
const flapsOf = async (...responders: ResponderProcess[]) =>
  Promise.all(responders.map(async (responder) => (await stateOf(responder)).flaps));
const passed = (milliseconds: number) => {
  const until = performance.now() + milliseconds;
  return eventually('time has passed', () => performance.now() > until, milliseconds + 5_000);
};

async function stop(responder: ResponderProcess): Promise<void> {
  process.kill(responder.pid, 'SIGSTOP');
  await eventually('it stands still', () =>
    readdirSync(`/proc/${responder.pid}/task`).every((thread) =>
      / T /.test(readFileSync(`/proc/${responder.pid}/task/${thread}/stat`, 'utf8')),
    ),
  );
}

const single = { port: 3784, multihop: false, interface: 'eth0' } as const;
const key = (text: string) => Buffer.from(text).toString('hex');
const signed = { type: 'meticulousSha1', keyId: 1, key: key('gossip') } as const;

for (const [how, a, b] of [
  ['over IPv4, on a port of their own', {}, {}],
  ['over IPv6', { peer: '2001:db8::2' }, { peer: '2001:db8::1' }],
  ['over one hop', single, single],
  ['over one hop, from an address', { ...single, local: '198.18.0.1' }, { ...single, local: '198.18.0.2' }],
  ['authenticated', { authentication: signed }, { authentication: signed }],
  ['when one waits for the other', { passive: true }, {}],
  ['when one asks for silence', { demand: true }, {}],
  ['when both ask for silence', { demand: true }, { demand: true }],
] as const) {
  test(`two come up ${how}, and go down when nothing passes`, async () => {
    const both = await connected({ a, b });
    await passed(1_000);
    assert.deepEqual(await flapsOf(both.a, both.b), [0, 0]);
    both.a.events.length = 0;
    both.b.events.length = 0;
    const cut = Date.now();
    bed.cut();
    for (const [side, responder] of Object.entries(both)) {
      const { at, diagnostic } = await down(responder);
      assert.equal(diagnostic, 'detectionTimeExpired', side);
      // With silence on request, one detection time may pass before it asks.
      assert.ok(at - cut < ('demand' in a ? 1_000 : 450), `${side} after ${at - cut} ms`);
      assert.ok(at - cut > 100, `${side} after ${at - cut} ms`);
    }
    bed.repair();
    await allUp(both.a, both.b);
  });
}

test('two come up by link-local addresses', async () => {
  const linkLocal = (netns: BfdBed['a']) => {
    const text = netns.ip('-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'link');
    return /fe80::[0-9a-f:]+/.exec(text)![0];
  };
  const [a, b] = [linkLocal(bed.a), linkLocal(bed.b)];
  const both = await connected({ a: { ...single, peer: b }, b: { ...single, peer: a } });
  assert.deepEqual(await flapsOf(both.a, both.b), [0, 0]);
});

test('a process that is stopped is missed within the detection time', async () => {
  const { a, b } = await connected();
  await settled(b);
  b.events.length = 0;
  const stopped = Date.now();
  await stop(a);
  const { at, diagnostic } = await down(b);
  assert.equal(diagnostic, 'detectionTimeExpired');
  assert.ok(at - stopped < 450, `after ${at - stopped} ms`);
  process.kill(a.pid, 'SIGCONT');
  await allUp(a, b);
});

test('a process that was stopped itself blames nobody', async () => {
  // The other side is patient: 50 ms times 40.
  const timers = { desiredMinTx: 50, requiredMinRx: 50 };
  const { a, b } = await connected({ a: { ...timers, detectMultiplier: 40 }, b: timers });
  for (let i = 0; i < 3; i++) {
    await stop(a);
    await passed(700);
    process.kill(a.pid, 'SIGCONT');
    await passed(300);
    assert.deepEqual(await flapsOf(a, b), [0, 0]);
  }
});

test('a process that was stopped still misses who has gone meanwhile', async () => {
  const timers = { desiredMinTx: 50, requiredMinRx: 50 };
  const { a } = await connected({ a: { ...timers, detectMultiplier: 40 }, b: timers });
  a.events.length = 0;
  await stop(a);
  bed.cut();
  await passed(700);
  process.kill(a.pid, 'SIGCONT');
  const continued = Date.now();
  const { at } = await down(a);
  assert.ok(at - continued < 300, `after ${at - continued} ms`);
});

test('nothing happens while the event loop stands still for 2 s', async () => {
  const { a, b } = await connected();
  await a.blockEventLoop(2_000);
  await passed(2_300);
  assert.deepEqual(await flapsOf(a, b), [0, 0]);
});

test('a wrong key is refused and counted, and another one is taken into use without going down', async () => {
  const { a, b } = await connected({ a: { authentication: signed }, b: { authentication: signed } });
  const next = { ...signed, keyId: 2, key: key('newer') };
  await b.setBfdSessions(towardsPeer('b', { authentication: { ...signed, accept: [{ keyId: 2, key: next.key }] } }));
  await a.setBfdSessions(towardsPeer('a', { authentication: { ...next, accept: [{ keyId: 1, key: signed.key }] } }));
  await passed(600);
  await b.setBfdSessions(towardsPeer('b', { authentication: next }));
  await passed(600);
  assert.deepEqual(await flapsOf(a, b), [0, 0]);

  await b.setBfdSessions(towardsPeer('b', { authentication: { ...next, key: key('wrong') } }));
  await down(a);
  await down(b);
  await eventually('the drops are counted', async () => (await stateOf(a)).drops.wrongKey > 2);
  await b.setBfdSessions(towardsPeer('b'));
  await eventually('the drops are counted', async () => (await stateOf(a)).drops.missingAuthentication > 0);
  await eventually('the drops are counted', async () => (await stateOf(b)).drops.unexpectedAuthentication > 0);
  await b.setBfdSessions(towardsPeer('b', { authentication: next }));
  await allUp(a, b);
});

test('what has passed a router is refused on one hop, and where a TTL is asked for', async () => {
  const both = await pair();
  const drops = async () => (await stateOf(both.a)).drops.ttlTooLow;
  await both.a.setBfdSessions(towardsPeer('a', { minimumTtl: 255 }));
  await both.b.setBfdSessions(towardsPeer('b'));
  await allUp(both.a, both.b);
  assert.equal(await drops(), 0);
  // A stranger on the same host, whose packets have the TTL of any other.
  bed.b.run(
    process.execPath,
    '-e',
    `const socket = require('dgram').createSocket('udp4');
     const packet = Buffer.from('2040031800000063000000000000 86a0000186a000000000'.replace(' ', ''), 'hex');
     socket.send(packet, 7950, '198.18.0.1', () => socket.close());`,
  );
  await eventually('it is refused', async () => (await drops()) === 1);
  assert.deepEqual(await flapsOf(both.a, both.b), [0, 0]);
});

test('what is of nobody is refused and counted', async () => {
  const { a } = await connected();
  const lines = [
    ['unknownDiscriminator', '20c0031800000063000000ff0000186a0000186a000000'.padEnd(48, '0')],
    ['badVersion', '40400318000000630000000000000000000000000000'.padEnd(48, '0')],
    ['truncated', '2040'],
  ] as const;
  for (const [reason, hex] of lines) {
    bed.b.run(
      process.execPath,
      '-e',
      `const socket = require('dgram').createSocket('udp4');
       socket.send(Buffer.from('${hex}', 'hex'), 7950, '198.18.0.1', () => socket.close());`,
    );
    await eventually(reason, async () => (await a.bfdDrops())[reason] === 1);
  }
});

const echoed = { ...single, echo: { interval: 30 } } as const;
const forwarding = (netns: BfdBed['a'], on: boolean) =>
  netns.run('sysctl', '-q', '-w', `net.ipv4.conf.all.forwarding=${on ? 1 : 0}`);
const echoes = async (responder: ResponderProcess, state: string) =>
  eventually(`echo is ${state}`, async () => (await stateOf(responder)).echo.state === state);

async function echoing(): Promise<Pair> {
  for (const netns of [bed.a, bed.b]) forwarding(netns, true);
  const both = await pair();
  await both.a.setBfdSessions(towardsPeer('a', echoed));
  await both.b.setBfdSessions(towardsPeer('b', echoed));
  await allUp(both.a, both.b);
  for (const each of [both.a, both.b]) await echoes(each, 'working');
  return both;
}

test('echo packets come back by the peer, control packets become few, and a cut is found by echo', async () => {
  const { a, b } = await echoing();
  await eventually('few control packets are asked for', async () => (await stateOf(a)).receiveInterval === 1_000);
  const before = await stateOf(a);
  await passed(1_500);
  const after = await stateOf(a);
  assert.ok(after.echo.received - before.echo.received > 25, `${after.echo.received - before.echo.received} came back`);
  assert.ok(after.sent - before.sent <= 6, `${after.sent - before.sent} control packets`);
  assert.deepEqual(await flapsOf(a, b), [0, 0]);
  assert.equal(after.echo.sendFailures, 0);

  a.events.length = 0;
  const cut = Date.now();
  bed.cut();
  const { at, diagnostic } = await down(a);
  assert.equal(diagnostic, 'echoFailed');
  assert.ok(at - cut < 300, `after ${at - cut} ms`);
  bed.repair();
  await allUp(a, b);
  await echoes(a, 'working');
});

test('with a peer that has no echo, or whose kernel does not forward, a session is as it is without', async () => {
  forwarding(bed.a, true);
  const both = await pair();
  await both.a.setBfdSessions(towardsPeer('a', echoed));
  for (const theirs of [single, echoed]) {
    await both.b.setBfdSessions(towardsPeer('b', theirs));
    await allUp(both.a, both.b);
    await settled(both.a);
    await passed(1_200);
    const { echo, detectionTime, flaps } = await stateOf(both.a);
    assert.deepEqual([echo.state, echo.sent, detectionTime, flaps], ['off', 0, 300, 0]);
  }
  // Now it does.
  forwarding(bed.b, true);
  await echoes(both.a, 'working');
  assert.equal((await stateOf(both.a)).flaps, 0);
  // And not any more: the peer says so within a second, or it shows before.
  forwarding(bed.b, false);
  await echoes(both.a, 'off');
  await allUp(both.a, both.b);
});

test('a process that is stopped is missed by control packets, though its kernel returns what comes', async () => {
  const { a, b } = await echoing();
  b.events.length = 0;
  await stop(a);
  assert.equal((await down(b)).diagnostic, 'detectionTimeExpired');
  process.kill(a.pid, 'SIGCONT');
  await allUp(a, b);
});

test('a process that was stopped itself blames no path', async () => {
  const { a, b } = await echoing();
  for (let i = 0; i < 3; i++) {
    await stop(a);
    await passed(700);
    process.kill(a.pid, 'SIGCONT');
    await passed(400);
    assert.deepEqual(await flapsOf(a, b), [0, 0]);
  }
});

test('an echo packet that the peer addresses to us is sent back to it, and one from elsewhere is not', async () => {
  const { a } = await echoing();
  const ask = (ttl: number) =>
    bed.b.run(
      process.execPath,
      '-e',
      `const socket = require('dgram').createSocket('udp4');
       socket.on('message', (message) => { console.log(message.toString()); socket.close(); });
       socket.bind(0, '198.18.0.2', () => { socket.setTTL(${ttl}); socket.send('echo', 3785, '198.18.0.1'); });
       setTimeout(() => socket.close(), 1500).unref();
       if (${ttl} !== 255) setTimeout(() => process.exit(), 300);`,
    );
  assert.equal(ask(255).trim(), 'echo');
  assert.equal((await stateOf(a)).echo.returned, 1);
  assert.equal(ask(254).trim(), '');
  const { returned, drops } = (await stateOf(a)).echo;
  assert.deepEqual([returned, drops.echoTtlTooLow], [1, 1]);
});

test('a forged echo packet is refused and counted', async () => {
  const { a } = await echoing();
  const { discriminator, echo } = await stateOf(a);
  const stamp = discriminator.toString(16).padStart(8, '0');
  // As the peer would return it: from our address to our address. 254 is what the peer leaves of the TTL.
  const datagram = `45c0003000004000fe11efd5c6120001c61200010ec90ec9001c0000${stamp}${'ff'.repeat(16)}`;
  const wire = await PacketIo.open(bed.b, 'eth0');
  wire.send(Buffer.from(`ffffffffffff0200000000010800${datagram}`, 'hex'));
  await eventually('it is refused', async () => {
    return (await stateOf(a)).echo.drops.echoWrongTag === echo.drops.echoWrongTag + 1;
  });
  await wire.close();
});

test('timers are changed in both directions without going down', async () => {
  const { a, b } = await connected();
  for (const [desiredMinTx, requiredMinRx] of [
    [300, 400],
    [50, 100],
    [100, 300],
    [20, 20],
  ] as const) {
    await a.setBfdSessions(towardsPeer('a', { desiredMinTx, requiredMinRx }));
    await eventually('the new timers are in use', async () => {
      const [ours, theirs] = [await stateOf(a), await stateOf(b)];
      const [sends, hears] = [Math.max(desiredMinTx, 100), Math.max(requiredMinRx, 100)];
      return (
        ours.transmitInterval === sends &&
        ours.receiveInterval === hears &&
        ours.detectionTime === 3 * hears &&
        theirs.transmitInterval === hears &&
        theirs.detectionTime === 3 * sends
      );
    });
  }
  assert.deepEqual(await flapsOf(a, b), [0, 0]);
});

test('a session that is not wanted any more is no failure, and others go on', async () => {
  const { a, b } = await connected();
  const other = { id: 'other', peer: '2001:db8::2' };
  await a.setBfdSessions(towardsPeer('a'), towardsPeer('a', other));
  await b.setBfdSessions(towardsPeer('b'), towardsPeer('b', { ...other, peer: '2001:db8::1' }));
  await allUp(a, b);
  b.events.length = 0;
  await a.setBfdSessions(towardsPeer('a', other));
  const { id, remoteState, remoteDiagnostic, diagnostic } = await down(b);
  assert.deepEqual(
    [id, diagnostic, remoteState, remoteDiagnostic],
    ['peer', 'neighborSignaledDown', 'adminDown', 'administrativelyDown'],
  );
  assert.equal((await stateOf(b, 'other')).state, 'up');
  assert.equal((await stateOf(b, 'other')).flaps, 0);
  await a.setBfdSessions(towardsPeer('a'), towardsPeer('a', other));
  await allUp(a, b);
});

test('a responder that is closed tells its peers that this is no failure', async () => {
  const { a, b } = await connected();
  b.events.length = 0;
  await a.closeResponder();
  assert.equal((await down(b)).remoteState, 'adminDown');
});

test('a control plane that hangs takes down what is tied to its lease, and no more', async () => {
  const deadline = 1_000;
  const free = { id: 'free', peer: '2001:db8::2' };
  const both = await pair({ a: { deadline, renewEvery: 100 } });
  await both.a.setBfdSessions(towardsPeer('a', { tiedToLease: true }), towardsPeer('a', free));
  await both.b.setBfdSessions(towardsPeer('b'), towardsPeer('b', { ...free, peer: '2001:db8::1' }));
  await allUp(both.a, both.b);
  both.b.events.length = 0;
  const blocked = Date.now();
  await both.a.blockEventLoop(2_500);
  const event = await down(both.b);
  assert.deepEqual(
    [event.id, event.diagnostic, event.remoteState, event.remoteDiagnostic],
    ['peer', 'neighborSignaledDown', 'down', 'forwardingPlaneReset'],
  );
  assert.ok(event.at - blocked > deadline - 200 && event.at - blocked < deadline + 200, `${event.at - blocked} ms`);
  assert.equal((await stateOf(both.b, 'free')).state, 'up');
  await both.a.setAnnouncements([]);
  await allUp(both.a, both.b);
  assert.equal((await stateOf(both.b, 'free')).flaps, 0);
});

test('an interface that goes and comes again under its name is used', async () => {
  const { a, b } = await connected({ a: { interface: 'eth0' }, b: { interface: 'eth0' } });
  bed.a.ip('link', 'set', 'eth0', 'down');
  bed.a.ip('link', 'set', 'eth0', 'name', 'away');
  await down(b);
  bed.a.ip('link', 'set', 'away', 'name', 'eth0');
  bed.a.ip('link', 'set', 'eth0', 'up');
  await allUp(a, b);
});

test('a port that is taken is told once, and used when it is free', async () => {
  const { a, b } = await pair();
  const holder = await bed.responder('a');
  await holder.setBfdSessions(towardsPeer('a', { id: 'holder' }));
  await eventually('it listens', () => bed.a.run('ss', '-uln').includes(':7950'));
  await a.setBfdSessions(towardsPeer('a'));
  const told = await a.event('it is told', (event) => event.type === 'error');
  assert.ok(told.type === 'error' && told.code === 'EADDRINUSE' && told.operation === 'listen for BFD');
  await holder.stop();
  await b.setBfdSessions(towardsPeer('b'));
  await allUp(a, b);
});
