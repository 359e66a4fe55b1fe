import assert from 'node:assert/strict';
import { formatAddress } from '../../src/ip/address.ts';
import { netSuite } from '../support/net-suite.ts';
import {
  allNodes,
  arpOperation,
  broadcastMac,
  describeFrame,
  type Frame,
  linkLayerOption,
  ndpOption,
  ndpType,
  zeroMac,
} from '../support/packets.ts';
import { ResponderProcess } from '../support/responder-process.ts';
import { eventually } from '../support/suite.ts';
import { advertisement, arpAnnouncement, client, node, station, Testbed, vip } from './testbed.ts';

const test = netSuite('net/asking');

/** No table has these, nor any host, unless a test says so. */
const asked = { v4: '198.18.2.20', v6: '2001:db8::b:20' } as const;
const both = [asked.v4, asked.v6] as const;
const second = '02:00:00:00:01:0f';

let bed: Testbed;
test.before.each(async () => {
  bed = await Testbed.create();
  await bed.responder.ask([asked.v4], ['nowhere']); // What it needs for the first question it keeps.
  // Whoever asks for an IPv6 address is asked from there.
  await eventually('the node has a link-local address', () =>
    /fe80::[^\n]*scope link *\n/.test(bed.node.ip('-6', 'addr', 'show', 'dev', 'n0', '-tentative')),
  );
});
test.after.each(() => bed.close());

const isQuestionFor = (address: string) => (frame: Frame) =>
  (frame.kind === 'arp' && frame.operation === arpOperation.request && frame.targetAddress === address) ||
  (frame.kind === 'ndp' && frame.type === ndpType.solicitation && frame.target === address);
const isQuestion = (frame: Frame) => both.some((address) => isQuestionFor(address)(frame));

/** What a host that has the address says to whoever asked. */
const reply = (mac: string, address: string, to: string = node.mac): Frame =>
  address === asked.v4
    ? arpAnnouncement(mac, address, {
        operation: arpOperation.reply,
        destination: to,
        targetMac: to,
        targetAddress: '0.0.0.0',
      })
    : advertisement(mac, address, { destination: to, to: node.v6, solicited: true });

/** The answers told so far, as `address mac interface`. */
const told = (): readonly string[] =>
  bed.responder.events.flatMap((event) =>
    event.type === 'answer' ? [`${formatAddress(event.address)} ${event.mac} ${event.name}`] : [],
  );

/** Asks, and resolves when the questions are on the wire. */
async function ask(addresses: readonly string[], interfaces?: readonly string[]): Promise<void> {
  assert.equal(await bed.responder.ask(addresses, interfaces), addresses.length);
  for (const address of addresses) await bed.wire.receive(`the question for ${address}`, isQuestionFor(address));
}

/** Resolves when the second is over in which answers count: its sockets are closed. */
const overFrom = (descriptors: number): Promise<boolean> =>
  eventually('nothing is listened to any more', () => bed.descriptors === descriptors);

const addTo = (netns: { ip(...args: string[]): string }, device: string, address: string) =>
  netns.ip('addr', 'add', ...(address.includes(':') ? [`${address}/128`, 'nodad'] : [`${address}/32`]), 'dev', device);

test('an ARP question goes to everyone, once, and is in no one’s name', async () => {
  const before = bed.descriptors;
  await bed.responder.ask([asked.v4]);
  const { frame, bytes } = await bed.wire.receive('the question', isQuestion);
  assert.ok(frame.kind === 'arp');
  const { destination, source, senderMac, senderAddress, targetMac } = frame;
  assert.deepEqual(
    [destination, source, senderMac, senderAddress, targetMac],
    [broadcastMac, node.mac, node.mac, '0.0.0.0', zeroMac],
  );
  assert.equal(bytes.length, 60);
  await overFrom(before);
  assert.deepEqual(bed.wire.takeAll(isQuestion), []);
  assert.deepEqual(told(), []);
});

test('a solicitation goes to the group of the address, once, from the link-local address of the interface', async () => {
  const before = bed.descriptors;
  await bed.responder.ask([asked.v6]);
  const { frame, bytes } = await bed.wire.receive('the question', isQuestion);
  assert.ok(frame.kind === 'ndp');
  assert.match(frame.from, /^fe80::/, describeFrame(bytes));
  assert.equal(frame.destination, '33:33:ff:0b:00:20');
  assert.deepEqual(frame.options, [linkLayerOption(ndpOption.sourceLinkLayer, node.mac)]);
  await overFrom(before);
  assert.deepEqual(bed.wire.takeAll(isQuestion), []);
});

for (const address of both) {
  test(`tells that a kernel has ${address}`, async () => {
    addTo(bed.client, 'c0', address);
    await ask([address]);
    const event = await bed.responder.event('the answer', ({ type }) => type === 'answer');
    assert.ok(event.type === 'answer');
    const expected = { address, mac: client.mac, ...bed.nodeInterface('n0') };
    assert.deepEqual(
      { address: formatAddress(event.address), mac: event.mac, name: event.name, index: event.index },
      expected,
    );
  });

  test(`tells that another responder announces ${address}, and changes nobody's mind about it`, async () => {
    const theirs = await ResponderProcess.start(bed.client);
    try {
      await theirs.serve(address);
      await eventually('it is told', async () => {
        await bed.responder.ask([address]);
        return told().includes(`${address} ${client.mac} n0`);
      });
      // In nobody's name nothing is learned, and what is sent to all would be.
      const heard = bed.wire.takeAll((frame) => frame.kind === 'ndp' && frame.to === allNodes);
      assert.deepEqual(
        heard.map(({ bytes }) => describeFrame(bytes)),
        [],
      );
    } finally {
      await theirs.stop();
    }
  });

  test(`tells of two hosts that say they have ${address}, each once`, async () => {
    const before = bed.descriptors;
    await ask([address]);
    for (const mac of [station.mac, second, station.mac]) bed.wire.send(reply(mac, address));
    await overFrom(before);
    assert.deepEqual(told(), [`${address} ${station.mac} n0`, `${address} ${second} n0`]);
  });

  test(`takes an announcement of ${address} for an answer, and nothing for one when nobody says so`, async () => {
    const before = bed.descriptors;
    await ask([address]);
    const theirs = address === asked.v4 ? '198.18.2.21' : '2001:db8::b:21';
    const announce = address === asked.v4 ? arpAnnouncement : advertisement;
    bed.wire.send(
      announce(station.mac, theirs), // another address
      announce(node.mac, address), // our own frame
      reply(station.mac, address, second), // to another host
      announce(station.mac, address),
    );
    await overFrom(before);
    assert.deepEqual(told(), [`${address} ${station.mac} n0`]);
    bed.wire.send(announce(second, address));
    await ask([theirs]);
    await overFrom(before);
    assert.equal(told().length, 1, 'the first question is forgotten');
  });
}

test('asks on every interface, or on those that are named, and says where it heard the answer', async () => {
  const before = bed.descriptors;
  const wire = await bed.plug('n1', second);
  for (const address of both) for (const end of ['c0', 'c-n1']) addTo(bed.client, end, address);
  await eventually('n1 is up', async () => (await bed.interfaceNamed('n1'))?.carrier === true);
  await eventually('both are heard', async () => {
    await bed.responder.ask(both);
    return ['n0', 'n1'].every((name) => both.every((address) => told().includes(`${address} ${macAt(name)} ${name}`)));
  });
  await overFrom(before);
  bed.wire.clear();
  wire.clear();
  assert.equal(await bed.responder.ask([asked.v4], ['n1', 'eth*']), 1);
  await wire.receive('the question', isQuestion);
  assert.equal(await bed.responder.ask([asked.v4], ['eth*']), 1);
  assert.equal(await bed.responder.ask([asked.v4], []), 0);
  assert.deepEqual(bed.wire.takeAll(isQuestion), []);
});

/** The client's end of the cable: it answers on each for the addresses of all. */
const macAt = (name: string) =>
  bed.client.run('cat', `/sys/class/net/${name === 'n0' ? 'c0' : `c-${name}`}/address`).trim();

test('asks for so many at a time, and for more when time has passed', async () => {
  const begun = performance.now();
  let count = 0;
  const askMore = async (): Promise<number> => {
    const more = Array.from({ length: 100 }, (_, i) => `198.18.${4 + ((count + i) >> 8)}.${(count + i) & 255}`);
    const accepted = await bed.responder.ask(more);
    count += accepted;
    return accepted;
  };
  const atOnce = await askMore();
  assert.ok(atOnce >= 64 && atOnce < 90, `${atOnce} at once`);
  await eventually('so many are asked for', async () => {
    await askMore();
    return count > 300;
  });
  const seconds = (performance.now() - begun) / 1_000;
  assert.ok(count <= 128 * (Math.floor(seconds) + 1), `${count} in ${seconds} s`);
});

test('tells of few of a flood of answers, and goes on answering for its own', async () => {
  await bed.serve(vip.v4);
  const before = bed.descriptors;
  await ask(both);
  for (let sent = 0; sent < 5_000; sent += 100) {
    const mac = (i: number) => `02:00:00:03:${hex((sent + i) >> 8)}:${hex((sent + i) & 255)}`;
    for (let i = 0; i < 50; i++) bed.wire.send(reply(mac(i), asked.v4), reply(mac(i), asked.v6));
    await bed.ask(vip.v4);
  }
  await overFrom(before);
  for (const address of both) assert.equal(told().filter((line) => line.startsWith(`${address} `)).length, 4);
  assert.equal((await bed.responder.counters()).eventsDropped, 0);
  assert.deepEqual(await bed.conflicts(), []);
});

const hex = (byte: number) => byte.toString(16).padStart(2, '0');

test('an interface that is pulled out while it is asked on does no harm', async () => {
  const before = bed.descriptors;
  const wire = await bed.plug('n1', second);
  await eventually('n1 is up', async () => (await bed.interfaceNamed('n1'))?.carrier === true);
  await bed.responder.ask(both);
  await wire.receive('a question', isQuestion);
  bed.node.ip('link', 'del', 'n1');
  bed.wire.send(reply(station.mac, asked.v4));
  await overFrom(before);
  assert.deepEqual(told(), [`${asked.v4} ${station.mac} n0`]);
});
