import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { arpOperation, linkLayerOption, ndpOption } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { advertisement, arpAnnouncement, node, solicit, Testbed, type TestbedOptions, vip, whoHas } from './testbed.ts';

const test = netSuite('net/conflicts');

const second = '02:00:00:00:01:0f';
const other = '198.18.1.11';

// Each claims in one test only: what was told of a host is not told again for a while.
let hosts = 0;
function newHost(): string {
  hosts += 1;
  return `02:00:00:02:${hex(hosts >> 8)}:${hex(hosts & 255)}`;
}
const hex = (byte: number) => byte.toString(16).padStart(2, '0');

let bed: Testbed;
test.before(async () => {
  bed = await Testbed.create({ gratuitous: { rounds: 1 } });
  await bed.serve(vip.v4, vip.v6, other);
});
test.after(() => bed.close());

/** Runs `body` with another testbed as `bed`. */
async function elsewhere(options: TestbedOptions, body: () => Promise<void>): Promise<void> {
  const here = bed;
  bed = await Testbed.create({ gratuitous: { rounds: 1 }, ...options });
  try {
    await bed.serve(vip.v4, vip.v6, other);
    await body();
  } finally {
    await bed.close();
    bed = here;
  }
}

const toldOf = async (mac: string) => (await bed.conflicts()).filter((each) => each.mac === mac);

const { reply } = arpOperation;
const toNode = { destination: node.mac, targetMac: node.mac, targetAddress: node.v4 };
const sourceOption = (mac: string) => linkLayerOption(ndpOption.sourceLinkLayer, mac);

for (const [name, address, claimOf] of [
  [
    'an ARP request from the address',
    vip.v4,
    (mac: string) => arpAnnouncement(mac, vip.v4, { targetAddress: node.v4 }),
  ],
  [
    'an ARP request from the address for another that is served',
    vip.v4,
    (mac: string) => arpAnnouncement(mac, vip.v4, { targetAddress: other }),
  ],
  ['an ARP announcement as a request', vip.v4, (mac: string) => arpAnnouncement(mac, vip.v4)],
  ['an ARP announcement as a reply', vip.v4, (mac: string) => arpAnnouncement(mac, vip.v4, { operation: reply })],
  ['an ARP reply to the node', vip.v4, (mac: string) => arpAnnouncement(mac, vip.v4, { operation: reply, ...toNode })],
  ['an unsolicited advertisement', vip.v6, (mac: string) => advertisement(mac, vip.v6)],
  [
    'an advertisement to the node',
    vip.v6,
    (mac: string) => advertisement(mac, vip.v6, { destination: node.mac, to: node.v6, solicited: true }),
  ],
  [
    'a solicitation of the address from the address itself',
    vip.v6,
    (mac: string) => solicit(vip.v6, { source: mac, from: vip.v6, options: [sourceOption(mac)] }),
  ],
] as const) {
  test(`tells of ${name}, once, and goes on answering`, async () => {
    const host = newHost();
    const before = await bed.responder.counters();
    bed.wire.send(claimOf(host), claimOf(host), claimOf(host));
    assert.deepEqual(await toldOf(host), [{ address, mac: host, ...bed.nodeInterface('n0') }]);
    const after = await bed.responder.counters();
    assert.equal(after.dropForeignClaim - before.dropForeignClaim, 3);
    assert.equal(after.conflictsSuppressed - before.conflictsSuppressed, 2);
    await bed.ask(address);
  });
}

const stranger = newHost();
for (const [name, mac, frame] of [
  ['an ARP probe, which is answered', stranger, whoHas(vip.v4, { senderMac: stranger, senderAddress: '0.0.0.0' })],
  ['a duplicate check, which is answered', stranger, solicit(vip.v6, { source: stranger, from: '::', options: [] })],
  ['a claim to an address that is not served', stranger, arpAnnouncement(stranger, '198.18.1.12')],
  ['an ARP claim in VLAN 100', stranger, arpAnnouncement(stranger, vip.v4, { tags: [{ protocol: 0x8100, vid: 100 }] })],
  ['an ARP claim sent to another host', stranger, arpAnnouncement(stranger, vip.v4, { destination: stranger })],
  [
    'an advertisement from beyond the link (hop limit 254)',
    stranger,
    advertisement(stranger, vip.v6, { hopLimit: 254 }),
  ],
  ['an advertisement with a wrong checksum', stranger, advertisement(stranger, vip.v6, { checksum: 0x1234 })],
  ["an ARP claim in the node's own name", node.mac, arpAnnouncement(node.mac, vip.v4)],
  ["an advertisement in the node's own name", node.mac, advertisement(node.mac, vip.v6)],
] as const) {
  test(`does not take for a claim: ${name}`, async () => {
    const before = await bed.responder.counters();
    bed.wire.send(frame);
    assert.deepEqual(await toldOf(mac), []);
    const after = await bed.responder.counters();
    assert.equal(after.dropForeignClaim, before.dropForeignClaim);
  });
}

test('tells of each claimant, and of each interface that hears it', async () => {
  const wire = await bed.plug('n1', second);
  await eventually('n1 answers', () => bed.arpBarrier({ wire, limit: 100 }));
  const claimants = [newHost(), newHost()];
  for (const mac of claimants) {
    bed.wire.send(arpAnnouncement(mac, vip.v4));
    wire.send(arpAnnouncement(mac, vip.v4));
  }
  await bed.arpBarrier({ wire });
  const told = (await Promise.all(claimants.map(toldOf))).flat();
  const places = ['n0', 'n1'].map((name) => bed.nodeInterface(name));
  const expected = claimants.flatMap((mac) => places.map((place) => ({ address: vip.v4, mac, ...place })));
  assert.deepEqual(new Set(told), new Set(expected));
});

test("does not take its own announcements, heard on another of the node's interfaces, for a conflict", async () => {
  await elsewhere({ joinedBy: 'switch' }, async () => {
    bed.plugIntoSwitch('n1', second);
    await eventually('each has heard the other', async () => {
      await bed.responder.announce(vip.v4, vip.v6);
      const { dropOwnSender } = await bed.responder.counters();
      // Two forms of ARP and an advertisement, both ways.
      return dropOwnSender >= 6;
    });
    assert.deepEqual(await bed.conflicts(), []);
    const host = newHost();
    bed.wire.send(arpAnnouncement(host, vip.v4));
    assert.ok((await toldOf(host)).length > 0, 'a foreign claim would be told of');
  });
});

test('tells of few of a storm of claims, counts them all, and goes on answering', async () => {
  await elsewhere({}, async () => {
    const begun = performance.now();
    const storm = 5_000;
    for (let sent = 0; sent < storm; sent += 100) {
      bed.wire.send(...Array.from({ length: 50 }, () => arpAnnouncement(newHost(), vip.v4)));
      bed.wire.send(...Array.from({ length: 50 }, () => advertisement(newHost(), vip.v6)));
      await bed.ask(vip.v4);
      await bed.ask(vip.v6);
    }
    const told = await bed.conflicts();
    const seconds = (performance.now() - begun) / 1_000;
    const counters = await bed.responder.counters();
    assert.ok(told.length <= 16 * (seconds + 1), `${told.length} were told in ${seconds} s`);
    assert.ok(told.length >= 16, `only ${told.length} were told`);
    assert.equal(counters.conflictsReported + counters.conflictsSuppressed + counters.kernelDrops, storm);
    assert.equal(counters.eventsDropped, 0);
  });
});
