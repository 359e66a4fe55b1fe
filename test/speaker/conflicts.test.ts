import assert from 'node:assert/strict';
import { parseAddress } from '../../src/ip/address.ts';
import { layer2Policies } from '../../src/kubernetes/config-kinds.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { system } from '../support/cluster.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type Station, type World } from './support.ts';

const test = suite('speaker/conflicts');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];
const printer = '02:00:00:00:00:99';
const camera = '02:00:00:00:00:98';
const ofB = '02:00:00:00:00:0b';

/** The responder of the station tells that it has heard this. */
function hear(station: Station, address: string, mac: string): void {
  station.speaker.claimed({ type: 'conflict', address: parseAddress(address)!, mac, name: 'eth0', index: 2 });
}

/** What takes seconds happens when the test advances `slow`; the rest takes its time. */
function clockInHand() {
  const slow = new FakeClock();
  const after = (delay: number, run: () => void) => (delay < 1_000 ? systemClock : slow).after(delay, run);
  return { clock: { ...systemClock, now: () => systemClock.now() + slow.now(), after }, slow };
}

async function message(world: World, service: string, reason: string): Promise<string> {
  const event = await eventually(`${service} is told ${reason}`, async () =>
    (await world.cluster.events(service, reason)).at(0),
  );
  assert.equal(event.type, 'Warning');
  return event.message;
}

/** Resolves when whatever was to be told before has been. */
async function allTold(world: World): Promise<void> {
  await world.serve('mark', '192.0.2.9');
  await world.told('mark', 'nodeAssigned', 1);
}

test(
  'a stranger that claims an address is told of in the log and on each of its Services, and answered once in 10 s',
  inWorld(['node-a'], async (world) => {
    let later = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + later };
    await world.serve('tcp', '192.0.2.1');
    await world.serve('udp', '192.0.2.1');
    await world.serve('dns', '192.0.2.2');
    const station = await world.start('node-a', { clock });
    const { log, responder } = station;
    responder.bursts.length = 0;
    hear(station, '192.0.2.1', printer);
    for (const service of ['tcp', 'udp']) {
      assert.equal(
        await message(world, service, 'AddressConflict'),
        `192.0.2.1 is announced from node "node-a", but the host with MAC address ${printer}, heard on interface eth0, ` +
          'claims it, too. Give that host another address, or take 192.0.2.1 out of the address pool',
      );
    }
    const fields = { address: '192.0.2.1', mac: printer, interface: 'eth0', services: ['default/tcp', 'default/udp'] };
    assert.deepEqual(log.of('address conflict'), [{ level: 'warn', event: 'address conflict', ...fields }]);
    assert.deepEqual(responder.bursts, ['192.0.2.1 x1']);
    hear(station, '192.0.2.1', camera);
    hear(station, '192.0.2.2', camera);
    later = 9_000;
    hear(station, '192.0.2.1', printer);
    assert.deepEqual(responder.bursts, ['192.0.2.1 x1', '192.0.2.2 x1']);
    later = 10_001;
    hear(station, '192.0.2.1', printer);
    assert.deepEqual(responder.bursts, ['192.0.2.1 x1', '192.0.2.2 x1', '192.0.2.1 x1']);
    assert.equal(log.of('address conflict').length, 5);
    await world.told('tcp', 'AddressConflict', 4);
    await world.told('dns', 'AddressConflict', 1);
  }),
);

for (const [how, macs, cache] of [
  ['that tells its MAC address', [ofB], {}],
  ['of MetalLB, which the ARP cache knows', undefined, { [ofB]: ['198.18.0.1'] }],
] as const) {
  test(
    `a living speaker ${how} is handing over: that is no conflict`,
    inWorld(ab, async (world) => {
      await world.serve('web', '192.0.2.1');
      world.ring.add('node-b', macs);
      const addressesOf = (mac: string) => (cache as Record<string, readonly string[]>)[mac] ?? [];
      const station = await world.start('node-a', { addressesOf, addressProbe: 'refuse' });
      station.responder.bursts.length = 0;
      hear(station, '192.0.2.1', ofB);
      assert.deepEqual(station.log.of('address claimed by another speaker'), [
        {
          level: 'info',
          event: 'address claimed by another speaker',
          ...{ address: '192.0.2.1', mac: ofB, interface: 'eth0', speaker: 'node-b' },
        },
      ]);
      await allTold(world);
      assert.equal(await world.cluster.eventCount('web', 'AddressConflict'), 0);
      assert.ok(!station.responder.bursts.some((burst) => burst.includes('192.0.2.1')));
    }),
  );
}

test(
  'a speaker that was lost from the ring, claims an address and is not back within 6 s is told of, and not fought',
  inWorld(ab, async (world) => {
    const { clock, slow } = clockInHand();
    await world.serve('web', '192.0.2.1');
    world.ring.add('node-b', [ofB]);
    const station = await world.start('node-a', { clock });
    world.ring.remove('node-b');
    await allTold(world);
    station.responder.bursts.length = 0;
    hear(station, '192.0.2.1', ofB);
    await slow.advance(5_999);
    assert.deepEqual(station.log.of('address conflict'), []);
    await slow.advance(1);
    const text = await message(world, 'web', 'AddressConflict');
    assert.match(text, /^192\.0\.2\.1 is announced from node "node-a", but node "node-b" with MAC address 02:00:00/);
    assert.match(text, /\. Its speaker is not in the gossip ring: see why the speakers of the two nodes do not hear/);
    assert.equal(station.log.of('address conflict').at(0)?.speaker, 'node-b');
    assert.deepEqual(station.responder.bursts, []);
  }),
);

test(
  'a speaker that was lost, claims an address and then is back in the ring hands over, too',
  inWorld(ab, async (world) => {
    const { clock, slow } = clockInHand();
    await world.serve('web', '192.0.2.1');
    world.ring.add('node-b', [ofB]);
    const station = await world.start('node-a', { clock });
    world.ring.remove('node-b');
    hear(station, '192.0.2.1', ofB);
    world.ring.add('node-b', [ofB]);
    await slow.advance(6_000);
    assert.deepEqual(station.log.of('address conflict'), []);
    assert.equal(station.log.of('address claimed by another speaker').length, 1);
    await allTold(world);
    assert.equal(await world.cluster.eventCount('web', 'AddressConflict'), 0);
  }),
);

test(
  'a Service that was given the address of a node is told, and the node is not fought',
  inWorld(ab, async (world) => {
    await world.pod('node-b', '192.0.2.1');
    await world.serve('web', '192.0.2.1');
    world.ring.add('node-b', [ofB]);
    const station = await world.start('node-a');
    station.responder.bursts.length = 0;
    hear(station, '192.0.2.1', ofB);
    const text = await message(world, 'web', 'AddressConflict');
    assert.match(text, /but node "node-b" with MAC .* take 192\.0\.2\.1 out of the address pool$/);
    assert.deepEqual(station.responder.bursts, []);
  }),
);

test(
  'a claim of an address that is not announced here any more is nobody’s business',
  inWorld(['node-a'], async (world, cluster) => {
    await world.serve('web', '192.0.2.1');
    const station = await world.start('node-a');
    await cluster.endpoints('web', []);
    await world.announces(station, '');
    hear(station, '192.0.2.1', printer);
    assert.deepEqual(station.log.of('address conflict'), []);
    assert.deepEqual(
      station.responder.bursts.filter((burst) => burst.endsWith('x1')),
      [],
    );
  }),
);

test(
  'a claim after the end changes nothing',
  inWorld(['node-a'], async (world) => {
    await world.serve('web', '192.0.2.1');
    const { clock, slow } = clockInHand();
    world.ring.add('node-b', [ofB]);
    const station = await world.start('node-a', { clock });
    world.ring.remove('node-b');
    hear(station, '192.0.2.1', ofB);
    await station.speaker.stop();
    hear(station, '192.0.2.1', printer);
    await slow.advance(60_000);
    assert.deepEqual(station.log.of('address conflict'), []);
  }),
);

test(
  'with policy refuse, an address that a stranger has is not announced until the stranger has gone, and that is told',
  inWorld(['node-a'], async (world) => {
    const { clock, slow } = clockInHand();
    const station = await world.start('node-a', { addressProbe: 'refuse', clock });
    const { log, responder } = station;
    await world.serve('web', '192.0.2.1');
    await world.announces(station, '192.0.2.1@all(held)');
    hear(station, '192.0.2.1', printer);
    assert.equal(
      await message(world, 'web', 'AddressInUse'),
      `192.0.2.1 is not announced from node "node-a", because the host with MAC address ${printer}, heard on interface ` +
        'eth0, has it already. Whether it still has is asked again in 30 s. Give that host another address, or take ' +
        '192.0.2.1 out of the address pool',
    );
    await slow.advance(30_000);
    assert.equal(responder.probes.length, 2);
    hear(station, '192.0.2.1', printer);
    await slow.advance(30_000);
    assert.equal(responder.table(), '192.0.2.1@all(held)');
    await slow.advance(1_300);
    await world.announces(station, '192.0.2.1@all');
    assert.deepEqual(responder.probes, ['192.0.2.1', '192.0.2.1', '192.0.2.1']);
    assert.deepEqual(responder.bursts, ['192.0.2.1']);
    await world.told('web', 'AddressInUse', 2);
    const [line, ...more] = log.of('address in use');
    assert.deepEqual([line?.level, line?.mac, line?.services, more.length], ['warn', printer, ['default/web'], 0]);
    assert.equal(await world.cluster.eventCount('web', 'AddressConflict'), 0);
  }),
);

type Begin = (world: World) => Promise<Station>;

const justStarted: Begin = (world) => world.start('node-a');

for (const [what, begin, then, probes] of [
  [
    'that was there at the start',
    async (world) => world.serve('web', '192.0.2.1').then(() => world.start('node-a')),
    undefined,
    [],
  ],
  ['that is assigned later', justStarted, (world) => world.serve('web', '192.0.2.1'), ['192.0.2.1']],
  [
    'of a Service that changes its address',
    async (world) => world.serve('web', '192.0.2.1').then(() => world.start('node-a')),
    (world) => world.cluster.setAddresses('web', ['192.0.2.1', '2001:db8::1']),
    ['2001:db8::1'],
  ],
  [
    'that another node announced before it died',
    async (world) => {
      world.ring.add('node-b');
      const station = await world.start('node-a');
      await world.serve('web', '192.0.2.2');
      await eventually('it is looked at', () =>
        station.log.of('serviceNotAnnounced').some(({ owner }) => owner === 'node-b'),
      );
      return station;
    },
    async (world) => world.ring.remove('node-b'),
    [],
  ],
  [
    'whose first endpoint comes later',
    async (world) => {
      const station = await world.start('node-a');
      await world.serve('web', '192.0.2.1', []);
      await world.cluster.endpoints('web', []);
      await eventually('it is looked at', () => station.log.of('serviceNotAnnounced').length > 0);
      return station;
    },
    (world) => world.cluster.endpoints('web', [{ node: 'node-a' }]),
    ['192.0.2.1'],
  ],
  [
    'that has been free in between',
    async (world) => {
      await world.serve('web', '192.0.2.1');
      const station = await world.start('node-a');
      await world.cluster.deleteService('web');
      await world.announces(station, '');
      return station;
    },
    (world) => world.serve('web', '192.0.2.1'),
    ['192.0.2.1'],
  ],
] as readonly (readonly [string, Begin, ((world: World) => Promise<void>) | undefined, readonly string[]])[]) {
  test(
    `the LAN is asked ${probes.length === 0 ? 'nothing' : 'once'} about an address ${what}`,
    inWorld(ab, async (world) => {
      const station = await begin(world);
      await then?.(world);
      await eventually('it is announced', () => station.responder.table() !== '');
      const table = station.responder.table();
      // Another reconcile of the same.
      await world.cluster.edit('web', {}, { version: '2' });
      await world.cluster.advertisement('another');
      await allTold(world);
      assert.deepEqual(
        station.responder.probes.filter((probe) => probe !== '192.0.2.9'),
        probes,
      );
      assert.ok(station.responder.table().includes(table));
    }),
  );
}

test(
  'with policy refuse, an address that was withdrawn before it could be announced is asked for again',
  inWorld(['node-a'], async (world, cluster) => {
    const station = await world.start('node-a', { addressProbe: 'refuse' });
    await world.serve('web', '192.0.2.1');
    await world.announces(station, '192.0.2.1@all(held)');
    hear(station, '192.0.2.1', printer);
    await cluster.endpoints('web', []);
    await world.announces(station, '');
    await cluster.endpoints('web', [{ node: 'node-a' }]);
    await world.announces(station, '192.0.2.1@all(held)');
    // It has been heard a moment ago, so it is not asked.
    await world.told('web', 'AddressInUse', 2);
    assert.deepEqual(station.responder.probes, ['192.0.2.1']);
  }),
);

for (const [onConflict, burst, table, reasons] of [
  ['defend', ['192.0.2.1 x1'], '192.0.2.1@all', ['AddressConflict']],
  ['report', [], '192.0.2.1@all', ['AddressConflict']],
  ['yield', [], '192.0.2.1@all(held)', ['AddressConflict', 'AddressInUse']],
] as const) {
  test(
    `with onConflict: ${onConflict}, a stranger’s claim leads to ${burst.length} announcements, and then to ${table}`,
    inWorld(['node-a'], async (world, cluster) => {
      const metadata = { name: 'default', namespace: system };
      await cluster.put(layer2Policies, { metadata, spec: { onConflict } });
      await world.serve('web', '192.0.2.1');
      const counted: string[] = [];
      const conflict = (kind: string) => void counted.push(kind);
      const ownershipMetrics = { takeover() {}, verification() {}, conflict };
      const station = await world.start('node-a', { ownershipMetrics });
      station.responder.bursts.length = 0;
      hear(station, '192.0.2.1', printer);
      assert.equal(station.responder.table(), table);
      assert.deepEqual(station.responder.bursts, burst);
      assert.deepEqual(counted, ['stranger']);
      for (const reason of reasons) await world.told('web', reason, 1);
      const text = await message(world, 'web', 'AddressConflict');
      assert.equal(text.includes('This node gives way, as onConflict: yield says. '), onConflict === 'yield');
    }),
  );
}

test(
  'an address that was yielded to a stranger is announced again when the stranger has gone',
  inWorld(['node-a'], async (world, cluster) => {
    const { clock, slow } = clockInHand();
    await cluster.put(layer2Policies, {
      metadata: { name: 'default', namespace: system },
      spec: { onConflict: 'yield' },
    });
    await world.serve('web', '192.0.2.1');
    const station = await world.start('node-a', { clock });
    hear(station, '192.0.2.1', printer);
    await slow.advance(30_000);
    hear(station, '192.0.2.1', printer);
    await slow.advance(29_999);
    assert.equal(station.responder.table(), '192.0.2.1@all(held)');
    await slow.advance(1_301);
    await world.announces(station, '192.0.2.1@all');
    assert.equal(station.responder.bursts.at(-1), '192.0.2.1');
  }),
);
