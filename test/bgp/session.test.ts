import assert from 'node:assert/strict';
import { encodeMessage } from '../../src/bgp/codec.ts';
import type { Capability } from '../../src/bgp/message.ts';
import type { Route } from '../../src/bgp/route.ts';
import { keepalive, routerCapabilities, routerOpen } from '../support/scripted-router.ts';
import { manyRoutes, route, routerAddress, SessionBed } from '../support/session-bed.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/session');

const gracefully: Capability = {
  kind: 'graceful-restart',
  restarted: false,
  notification: true,
  restartTime: 120,
  families: [{ family: 4, forwardingPreserved: true }],
};
const gracefulSettings = { gracefulRestart: { restartTime: 30, restarted: true } };

test('is established with what both sides have offered', async () => {
  const bed = await new SessionBed({ keepaliveTime: 10 }).establish({ holdTime: 60 });
  const { state, peerAsn, peerRouterId, holdTime, keepaliveTime, families, capabilities } = bed.status;
  assert.deepEqual(
    { state, peerAsn, peerRouterId, holdTime, keepaliveTime, families },
    {
      state: 'Established',
      peerAsn: 64501,
      peerRouterId: 0x0a000001,
      holdTime: 60,
      keepaliveTime: 10,
      families: [4, 6],
    },
  );
  const common = ['IPv4 unicast', 'IPv6 unicast', '4-byte AS', 'route refresh', 'enhanced route refresh'];
  assert.deepEqual([...capabilities.ours].sort(), [...common].sort());
  assert.deepEqual([...capabilities.theirs].sort(), [...common].sort());
});

test('tells its routes, and of each family that it is done', async () => {
  const bed = new SessionBed();
  bed.routes.set([route('198.18.0.1/32'), route('198.18.0.2/32')]);
  await bed.establish();
  const updates = bed.router.of('update');
  assert.deepEqual(
    updates.map(({ announced, endOfRib }) => [announced.length, endOfRib]),
    [
      [2, undefined],
      [0, 4],
      [0, 6],
    ],
  );
  assert.deepEqual([bed.status.announced, bed.status.counters.updatesSent], [{ 4: 2, 6: 0 }, 3]);
});

test('one changed route among 10,000 is one message, and changes of one turn go together', async () => {
  const bed = new SessionBed();
  bed.routes.set(manyRoutes(10_000));
  await bed.establish();
  const before = bed.status.counters.updatesSent;
  assert.ok(before <= 14 + 2, `${before} messages for 10,000 routes`);
  bed.routes.change([route('198.18.0.7/32', { med: 5 })], []);
  bed.session.routesChanged();
  bed.session.routesChanged();
  await bed.clock.advance(10);
  assert.equal(bed.status.counters.updatesSent, before + 1);
});

test('sends KEEPALIVEs at most a third of the hold time apart, and never two within a second', async () => {
  const bed = await new SessionBed({ holdTime: 3 }).establish();
  let heard = bed.router.of('keepalive').length;
  let last = bed.clock.now();
  for (const end = bed.clock.now() + 30_000; bed.clock.now() < end; await bed.clock.advance(10)) {
    bed.router.say(keepalive);
    if (bed.router.of('keepalive').length === heard) continue;
    const gap = bed.clock.now() - last;
    assert.ok(gap <= 1_020, `${gap} ms without a KEEPALIVE`);
    assert.equal(bed.router.of('keepalive').length, heard + 1);
    heard++;
    last = bed.clock.now();
  }
  assert.ok(heard <= 32, `${heard} KEEPALIVEs in 30 s`);
});

test('with a hold time of 0 nobody has to say anything', async () => {
  const bed = await new SessionBed({ holdTime: 0 }).establish();
  const heard = bed.router.of('keepalive').length;
  await bed.clock.advance(3_600_000);
  assert.deepEqual([bed.status.state, bed.router.of('keepalive').length], ['Established', heard]);
});

test('a silent router is given up exactly when the hold time is over, with a NOTIFICATION', async () => {
  const bed = await new SessionBed({ holdTime: 9 }).establish();
  const took = await bed.clock.until('lost', () => bed.status.state !== 'Established', 10_000);
  assert.ok(took > 8_900 && took <= 9_000, `${took} ms`);
  await bed.clock.advance(10);
  assert.deepEqual(
    bed.routers[0]?.of('notification').map(({ code, subcode }) => [code, subcode]),
    [[4, 0]],
  );
  assert.equal(bed.status.flaps, 1);
  assert.match(bed.status.lastError?.text ?? '', /nothing was heard from the router/);
});

test('when we were held up beyond the hold time, what has arrived meanwhile is read before the end', async () => {
  const bed = await new SessionBed({ holdTime: 9 }).establish();
  bed.holdUp(20_000);
  await bed.clock.advance(9_000);
  assert.equal(bed.status.state, 'Established');
  bed.router.say(keepalive);
  await bed.clock.advance(5_000);
  assert.equal(bed.status.state, 'Established');
});

test('UPDATEs keep a session alive as KEEPALIVEs do, and ROUTE-REFRESHes do not', async () => {
  const bed = await new SessionBed({ holdTime: 9 }).establish();
  const update = Uint8Array.of(...new Uint8Array(16).fill(255), 0, 23, 2, 0, 0, 0, 0);
  for (let i = 0; i < 10; i++) {
    bed.router.tcp.write(update);
    await bed.clock.advance(5_000);
  }
  assert.equal(bed.status.state, 'Established');
  for (let i = 0; i < 4; i++) {
    bed.router.say({ type: 'route-refresh', family: 4, subtype: 'request' });
    await bed.clock.advance(2_000);
  }
  assert.equal(bed.status.flaps, 1);
});

test('answers a ROUTE-REFRESH with all routes of the family, between marks', async () => {
  const bed = new SessionBed();
  bed.routes.set([route('198.18.0.1/32'), route('2001:db8::1/128')]);
  await bed.establish();
  const before = bed.router.heard.length;
  bed.router.say({ type: 'route-refresh', family: 4, subtype: 'request' });
  await bed.clock.advance(10);
  const answer = bed.router.heard.slice(before);
  assert.deepEqual(
    answer.map((message) =>
      message.type === 'route-refresh' ? message.subtype : message.type === 'update' && message.announced.length,
    ),
    ['begin', 1, 'end'],
  );
});

test('that we have restarted is told in the first OPEN only', async () => {
  const bed = await new SessionBed(gracefulSettings).establish({ capabilities: [...routerCapabilities, gracefully] });
  bed.router.tcp.destroy();
  await bed.clock.until('up again', () => bed.routers.length === 2 && bed.status.state === 'Established', 5_000);
  await bed.clock.advance(10);
  const restarted = bed.routers.map((router) =>
    router
      .of('open')
      .flatMap(({ capabilities }) =>
        capabilities.flatMap((each) => (each.kind === 'graceful-restart' ? [each.restarted] : [])),
      ),
  );
  assert.deepEqual(restarted, [[true], [false]]);
});

/** What the router hears last: the codes of the NOTIFICATION, and of what is in it for a hard reset. */
const farewells = [
  ['shutdown', 'plain', '6/2'],
  ['hard', 'plain', '6/2'],
  ['restart', 'plain', '6/4'],
  ['shutdown', 'graceful', '6/9 6/2'],
  ['hard', 'graceful', '6/9 6/2'],
  ['restart', 'graceful', ''],
] as const;
for (const [how, peer, expected] of farewells) {
  test(`a stop by ${how} tells a ${peer} peer ${expected || 'nothing'}, and leaves nothing behind`, async () => {
    const bed = new SessionBed(gracefulSettings);
    const more = peer === 'graceful' ? [gracefully] : [];
    await bed.establish({ capabilities: [...routerCapabilities, ...more] });
    const stopped = bed.session.stop(how, 'node draining');
    await bed.clock.advance(100);
    await stopped;
    const said = bed.router.of('notification').map(({ code, subcode, data }) => {
      const inside = subcode === 9 ? ` ${data[0]}/${data[1]}` : '';
      assert.match(new TextDecoder().decode(data), /node draining$/);
      return `${code}/${subcode}${inside}`;
    });
    assert.deepEqual([said.join(), bed.router.closed], [expected, true]);
    assert.deepEqual(await bed.leftovers(), { timers: 0, connections: 0 });
    assert.equal(bed.status.state, 'Idle');
  });
}

test('routes that were withdrawn just before a shutdown are still withdrawn', async () => {
  const bed = new SessionBed();
  bed.routes.set([route('198.18.0.1/32')]);
  await bed.establish();
  bed.routes.set([]);
  void bed.session.stop('shutdown');
  await bed.clock.advance(100);
  assert.equal(bed.router.of('update').at(-1)?.withdrawn.length, 1);
  assert.equal(bed.router.types.at(-1), 'notification');
});

test('a router that neither reads nor closes holds up a stop for one second', async () => {
  const bed = await new SessionBed().establish();
  bed.router.stall();
  let stopped = false;
  void bed.session.stop('shutdown').then(() => {
    stopped = true;
  });
  await bed.clock.advance(990);
  assert.equal(stopped, false);
  await bed.clock.advance(20);
  assert.equal(stopped, true);
});

test('BFD takes the session down at once, and it is tried again', async () => {
  const bed = await new SessionBed().establish();
  bed.session.bfdDown();
  assert.notEqual(bed.status.state, 'Established');
  await bed.clock.advance(10);
  assert.deepEqual(
    bed.router.of('notification').map(({ code, subcode }) => [code, subcode]),
    [[6, 10]],
  );
  assert.match(bed.status.lastError?.text ?? '', /BFD is down/);
  await bed.clock.until('up again', () => bed.status.state === 'Established', 2_000);
});

test('BFD tells a peer with graceful restart to keep no routes', async () => {
  const bed = new SessionBed(gracefulSettings);
  await bed.establish({ capabilities: [...routerCapabilities, gracefully] });
  bed.session.bfdDown();
  await bed.clock.advance(10);
  const [said] = bed.router.of('notification');
  assert.deepEqual([said?.code, said?.subcode, ...(said?.data ?? [])], [6, 9, 6, 10]);
  assert.match(bed.status.lastError?.text ?? '', /BFD is down/);
});

test('with DelayOpen our OPEN waits for the router to say its own', async () => {
  const bed = new SessionBed({ delayOpen: 5 }).listen();
  bed.session.start();
  await bed.clock.advance(2_000);
  assert.deepEqual(bed.router.types, []);
  bed.router.say(routerOpen, keepalive);
  await bed.clock.advance(10);
  assert.deepEqual([bed.router.types.slice(0, 2), bed.status.state], [['open', 'keepalive'], 'Established']);
});

test('with DelayOpen our OPEN goes when the router says nothing', async () => {
  const bed = new SessionBed({ delayOpen: 5 }).listen();
  bed.session.start();
  await bed.clock.advance(5_010);
  assert.deepEqual([bed.router.types, bed.status.state], [['open'], 'OpenSent']);
});

for (const [subcode, offers] of [
  [4, [5, 3, 0, 5]],
  [7, [5, 3, 0, 5]],
] as const) {
  test(`a router that refuses our OPEN with 2/${subcode} is offered fewer capabilities each time, and then all again`, async () => {
    const bed = new SessionBed().listen((router) =>
      router.say({ type: 'notification', code: 2, subcode, data: new Uint8Array() }),
    );
    bed.session.start();
    await bed.clock.until(
      'four attempts',
      () => bed.routers.filter(({ types }) => types[0] === 'open').length === 4,
      60_000,
    );
    assert.deepEqual(
      bed.routers.map((router) => router.of('open')[0]?.capabilities.length),
      offers,
    );
  });
}

test('a router that has refused our capabilities and is mended meanwhile is offered all again', async () => {
  const { capabilities } = routerOpen;
  const isIPv4 = (one: Capability) => one.kind === 'multiprotocol' && one.family === 4;
  const bed = new SessionBed({ families: [6], localAsn: 4_200_000_000 });
  bed.listen((router) => {
    if (bed.routers.length > 3)
      router.say({ ...routerOpen, capabilities: capabilities.filter((one) => !isIPv4(one)) }, keepalive);
    else router.say({ type: 'notification', code: 2, subcode: 7, data: new Uint8Array() });
  });
  bed.session.start();
  await bed.clock.until('established', () => bed.status.state === 'Established', 60_000);
  assert.deepEqual([bed.status.families, bed.status.capabilities.ours.length], [[6], 4]);
});

for (const [when, first] of [
  ['at the beginning', 400],
  ['later', 1],
] as const) {
  test(`a route whose communities outgrow a message ${when} is not told, in words, and the others are`, async () => {
    const communities = (count: number) => Array.from({ length: count }, (_, i) => [64_512, i, 1] as const);
    const large = (count: number) => route('198.18.0.1/32', { largeCommunities: communities(count) });
    const bed = new SessionBed();
    bed.routes.set([large(first), route('198.18.0.2/32')]);
    await bed.establish();
    const change = async (...routes: Route[]) => {
      bed.routes.change(routes, []);
      bed.session.routesChanged();
      await bed.clock.advance(10);
    };
    await change(large(401), route('198.18.0.3/32'));
    const told = () => {
      const known = new Set<bigint>();
      for (const { withdrawn, announced } of bed.router.of('update')) {
        for (const { value } of withdrawn) known.delete(value & 0xffn);
        for (const { value } of announced) known.add(value & 0xffn);
      }
      return [...known].sort();
    };
    assert.deepEqual([bed.status.state, told(), bed.status.announced[4]], ['Established', [2n, 3n], 2]);
    assert.match(bed.status.oversized ?? '', /^1 route is not announced, whose communities do not fit a message/);
    assert.equal(bed.log.of('routes too large for a message').at(-1)?.first, '198.18.0.1/32');
    await change(large(300));
    assert.deepEqual([told(), bed.status.announced[4], bed.status.oversized], [[1n, 2n, 3n], 3, undefined]);
  });
}

test('to a router without any capability IPv4 is told in two-byte AS numbers', async () => {
  const bed = new SessionBed({ localAsn: 4_200_000_000 });
  bed.routes.set([route('198.18.0.1/32'), route('2001:db8::1/128')]);
  await bed.establish({ capabilities: [] });
  assert.deepEqual([bed.status.families, bed.status.announced], [[4], { 4: 1, 6: 0 }]);
  assert.match(bed.status.withheld[6] ?? '', /activate the address family/);
  assert.deepEqual(
    bed.router.of('update').map(({ announced }) => announced.length),
    [1, 0],
  );
});

test('IPv6 routes are withheld on a session over IPv4 without a next hop, in words', async () => {
  const bed = new SessionBed();
  bed.routes.set([route('2001:db8::1/128')]);
  await bed.establish();
  assert.match(bed.status.withheld[6] ?? '', /no global IPv6 address/);
  assert.deepEqual([bed.status.announced[6], bed.status.pending[6]], [0, 0]);
});

test('counts what the router announces, and keeps nothing of it', async () => {
  const bed = await new SessionBed().establish();
  const attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf5, 0x40, 3, 4, 192, 0, 2, 1];
  const body = [0, 0, 0, attributes.length, ...attributes, 24, 10, 0, 1, 24, 10, 0, 2];
  bed.router.tcp.write(Uint8Array.of(...new Uint8Array(16).fill(255), 0, 19 + body.length, 2, ...body));
  await bed.clock.advance(10);
  assert.deepEqual([bed.status.received, bed.status.counters.updatesReceived], [{ 4: 2, 6: 0 }, 1]);
});

test('a router that sends one byte at a time is understood', async () => {
  const bed = new SessionBed().listen((router) => {
    for (const message of [routerOpen, keepalive]) {
      for (const byte of encodeMessage(message)) router.tcp.write(Uint8Array.of(byte));
    }
  });
  bed.session.start();
  await bed.clock.until('established', () => bed.status.state === 'Established', 1_000);
});

test('a flood of requests to tell everything again does it once more at a time', async () => {
  const bed = new SessionBed();
  bed.routes.set(manyRoutes(20_000));
  await bed.establish();
  const { updatesSent } = bed.status.counters;
  bed.router.stall();
  for (let i = 0; i < 1_000; i++) bed.router.say({ type: 'route-refresh', family: 4, subtype: 'request' });
  await bed.clock.advance(100);
  bed.router.resume();
  await bed.clock.advance(1_000);
  const once = updatesSent - 2;
  const more = bed.status.counters.updatesSent - updatesSent;
  assert.ok(more <= 5 * once, `${more} messages where one table is ${once}`);
});

test('a router that never reads costs one batch of messages and is given up after the send hold time', async () => {
  const bed = new SessionBed();
  bed.listen((router) => {
    router.say(routerOpen, keepalive);
    router.stall();
  });
  bed.routes.set(manyRoutes(200_000));
  bed.session.start();
  await bed.clock.until('established', () => bed.status.state === 'Established', 1_000);
  let most = 0;
  const lost = () => {
    bed.router.say(keepalive);
    return bed.status.state !== 'Established';
  };
  const start = bed.clock.now();
  while (!lost()) {
    most = Math.max(most, bed.status.counters.updatesSent);
    await bed.clock.advance(10_000);
  }
  const took = bed.clock.now() - start;
  assert.ok(most < 120, `${most} messages`);
  assert.ok(took >= 480_000 && took <= 490_000, `${took} ms`);
  assert.deepEqual([bed.status.lastError?.code, bed.status.lastError?.sent], [8, true]);
});

test('what changes twice while the router does not read is told once', async () => {
  const bed = new SessionBed();
  bed.routes.set(manyRoutes(100_000));
  bed.listen((router) => {
    router.say(routerOpen, keepalive);
    router.stall();
  });
  bed.session.start();
  await bed.clock.until('established', () => bed.status.state === 'Established', 1_000);
  for (const med of [1, 2, 3]) {
    bed.routes.change([route('198.18.0.7/32', { med })], []);
    bed.session.routesChanged();
    await bed.clock.advance(100);
  }
  bed.router.resume();
  await bed.clock.advance(1_000);
  const told = bed.router.of('update').flatMap(({ announced }) => announced);
  assert.ok(told.length <= 100_002, `${told.length} prefixes`);
  assert.deepEqual(bed.status.pending, { 4: 0, 6: 0 });
});

test('a passive session never dials, and takes who connects', async () => {
  const bed = new SessionBed({ passive: true });
  bed.session.start();
  await bed.clock.advance(600_000);
  assert.deepEqual([bed.network.dials, bed.status.state, bed.status.nextAttempt], [0, 'Active', undefined]);
  bed.network.listen(routerAddress, (incoming) => bed.session.accept(incoming));
  const peer = new SessionBed({ routerId: 9, localAsn: 64501, peerAsn: 64500 }, { network: bed.network });
  peer.session.start();
  await bed.clock.until('established', () => bed.status.state === 'Established', 1_000);
});
