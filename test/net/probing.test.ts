import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import {
  arpRequest,
  describeFrame,
  type Frame,
  ndpType,
  neighborSolicitation,
  writeFrame,
} from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import {
  advertisement,
  arpAnnouncement,
  arpPadding,
  client,
  isAnnouncementOf,
  node,
  station,
  Testbed,
  vip,
} from './testbed.ts';

const test = netSuite('net/probing');

const other = '198.18.1.11';

let bed: Testbed;
test.before.each(async () => {
  bed = await Testbed.create({ gratuitous: { rounds: 1 } });
});
test.after.each(() => bed.close());

const heldWish = (address: string) => ({ address, interfaces: 'all', held: true }) as const;

test('does not answer for or announce an address that is held, and tells who claims it', async () => {
  await bed.serve(heldWish(vip.v4), heldWish(vip.v6), other);
  await bed.expectNoAnswer(vip.v4);
  await bed.expectNoAnswer(vip.v6);
  assert.equal((await bed.responder.counters()).dropHeld, 2);
  await bed.responder.announce(vip.v4, vip.v6, other);
  await bed.wire.receive('the announcement of another', isAnnouncementOf(other));
  for (const address of [vip.v4, vip.v6]) assert.equal(bed.wire.take(isAnnouncementOf(address)), undefined);
  assert.deepEqual(await bed.conflicts(), []);
  bed.wire.send(arpAnnouncement(station.mac, vip.v4), advertisement(station.mac, vip.v6));
  const expected = [vip.v4, vip.v6].map((address) => ({ address, mac: station.mac, ...bed.nodeInterface('n0') }));
  assert.deepEqual(new Set(await bed.conflicts()), new Set(expected));
  await bed.serve(vip.v4, vip.v6);
  for (const address of [vip.v4, vip.v6]) await bed.ask(address);
});

const probes = 3;
const probeInterval = 350;
const isProbeOf = (address: string) => (frame: Frame) =>
  (frame.kind === 'arp' && frame.senderAddress === '0.0.0.0' && frame.targetAddress === address) ||
  (frame.kind === 'ndp' && frame.type === ndpType.solicitation && frame.from === '::' && frame.target === address);
/** All probes for the address, once none has come for longer than they are apart. */
const allProbes = (address: string) => bed.receiveUntilQuiet(isProbeOf(address), 2 * probeInterval);

for (const [what, address, form] of [
  [
    'ARP probes (RFC 5227)',
    vip.v4,
    arpRequest({ senderMac: node.mac, senderAddress: '0.0.0.0', targetAddress: vip.v4, trailer: arpPadding }),
  ],
  [
    'solicitations of duplicate detection (RFC 4862)',
    vip.v6,
    neighborSolicitation({ source: node.mac, from: '::', target: vip.v6 }),
  ],
] as const) {
  test(`looks for another owner of ${address} by three ${what}, and tells of none where there is none`, async () => {
    await bed.serve(heldWish(address));
    await bed.responder.probe(address);
    const all = await allProbes(address);
    assert.deepEqual(
      all.map((each) => describeFrame(each.bytes)),
      Array.from({ length: probes }, () => describeFrame(writeFrame(form))),
    );
    for (let i = 1; i < probes; i++) {
      const gap = all[i]!.arrival - all[i - 1]!.arrival;
      assert.ok(gap > 0.9 * probeInterval && gap < 2 * probeInterval, `${gap} ms between two probes`);
    }
    assert.deepEqual(await bed.conflicts(), []);
    assert.equal((await bed.responder.counters()).probesSent, probes);
  });

  for (const held of [true, false]) {
    test(`finds a host that holds ${address} while it is ${held ? 'held' : 'served'} here`, async () => {
      const [prefix, ...options] = address === vip.v4 ? [`${address}/32`] : [`${address}/128`, 'nodad'];
      bed.client.ip('addr', 'add', prefix!, ...options, 'dev', 'c0');
      await bed.serve({ address, interfaces: 'all', held });
      assert.deepEqual(await bed.conflicts(), []);
      await bed.responder.probe(address);
      await eventually('the owner is found', async () => (await bed.conflicts()).length > 0);
      assert.deepEqual(await bed.conflicts(), [{ address, mac: client.mac, ...bed.nodeInterface('n0') }]);
    });
  }
}

test('does not probe for what is not in the table, and no further for what has left it', async () => {
  await bed.serve(vip.v4);
  await bed.responder.probe(vip.v6, vip.v4);
  await bed.wire.receive('the first probe', isProbeOf(vip.v4));
  await bed.serve(other);
  bed.wire.clear();
  await bed.responder.probe(other);
  assert.equal((await allProbes(other)).length, probes);
  for (const address of [vip.v4, vip.v6]) assert.deepEqual(bed.wire.takeAll(isProbeOf(address)), []);
});
