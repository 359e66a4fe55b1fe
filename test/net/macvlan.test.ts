import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import type { Frame } from '../support/packets.ts';
import type { Wish } from '../support/responder-program.ts';
import { eventually } from '../support/suite.ts';
import { isAnnouncementOf, isAnswerToStation, node, requestFor, Testbed, type TestbedOptions, vip } from './testbed.ts';

const test = netSuite('net/macvlan');

// A macvlan hears every request that its parent hears. If both answered, with different MAC addresses, a neighbour
// would believe one of them at one time and the other at another.
const child = '02:00:00:00:01:0f';
const addresses = [vip.v4, vip.v6] as const;
// Each is served by one interface alone: whoever has answered has dealt with all that the interface heard before.
const beacons = { n0: ['198.18.254.2', '2001:db8::bea2'], mv0: ['198.18.254.3', '2001:db8::bea3'] } as const;

let bed: Testbed;
const start = async (options: TestbedOptions = {}) => {
  bed = await Testbed.create({ gratuitous: { rounds: 1 }, ...options });
  bed.node.ip('link', 'add', 'mv0', 'link', 'n0', 'address', child, 'type', 'macvlan', 'mode', 'bridge');
  bed.node.ip('link', 'set', 'mv0', 'up');
  await eventually('mv0 is up', async () => (await bed.interfaceNamed('mv0'))?.carrier);
};
test.after.each(() => bed.close());

const serve = (interfaces: Wish['interfaces']) =>
  bed.responder.setAnnouncements([
    ...addresses.map((address) => ({ address, interfaces })),
    ...Object.entries(beacons).flatMap(([name, each]) => each.map((address) => ({ address, interfaces: [name] }))),
  ]);

/** Resolves when each eligible interface has dealt with all that was sent before. */
async function dealtWith(): Promise<void> {
  for (const [name, each] of Object.entries(beacons)) {
    if (!(await bed.interfaceNamed(name))?.eligible) continue;
    for (const address of each) await eventually(`${name} answers`, () => bed.ask(address, { limit: 200 }));
  }
}

/** The MAC addresses that answer for the address, each as often as it does. */
async function answering(address: string): Promise<string[]> {
  bed.wire.clear();
  bed.wire.send(requestFor(address));
  await dealtWith();
  return bed.wire.takeAll(isAnswerToStation(address)).map(({ frame }) => frame.source);
}

/** The MAC addresses that the address is announced with. */
async function announcing(address: string): Promise<string[]> {
  const sent = async () => {
    const { gratuitousArpSent, unsolicitedNaSent } = await bed.responder.counters();
    return gratuitousArpSent + unsolicitedNaSent;
  };
  const before = await sent();
  bed.wire.clear();
  await bed.responder.announce(address);
  await eventually('it is announced', async () => (await sent()) > before);
  await dealtWith();
  return [...new Set(bed.wire.takeAll(isAnnouncementOf(address)).map(({ frame }) => frame.source))];
}

for (const [what, interfaces, excludeInterfaces, expected] of [
  ['the parent answers for both', 'all', [], node.mac],
  ['the parent answers where both are named', ['n0', 'mv0'], [], node.mac],
  ['the parent answers where a glob names both', ['*0'], [], node.mac],
  ['the parent answers where it is named alone', ['n0'], [], node.mac],
  ['the child answers where it is named alone', ['mv0'], [], child],
  ['the child answers where a glob names it alone', ['mv*'], [], child],
  ['the child answers when its parent is excluded', 'all', ['n0'], child],
  ['the child answers when its parent is excluded and both are named', ['n0', 'mv0'], ['n0'], child],
  ['the parent answers when its child is excluded', 'all', ['mv*'], node.mac],
] as const) {
  test(`${what}, alone and with its own MAC address`, async () => {
    await start({ excludeInterfaces });
    await serve(interfaces);
    await dealtWith();
    for (const address of addresses) {
      assert.deepEqual(await answering(address), [expected], address);
      assert.deepEqual(await announcing(address), [expected], address);
    }
  });
}

for (const [excludeInterfaces, expected] of [
  [[], 'shares-parent'],
  [['n0'], undefined],
] as const) {
  test(`says that a child is used ${expected ? 'only by name' : 'like any other, its parent being excluded'}`, async () => {
    await start({ excludeInterfaces });
    const state = await bed.interfaceNamed('mv0');
    assert.deepEqual([state?.eligible, state?.onlyByName], [true, expected]);
    assert.equal((await bed.interfaceNamed('n0'))?.onlyByName, undefined);
  });
}

test('the child takes over, and announces, when the parent is renamed out of the set', async () => {
  await start();
  await serve(['n0', 'mv0']);
  await dealtWith();
  for (const address of addresses) assert.deepEqual(await answering(address), [node.mac]);
  bed.wire.clear();
  bed.node.ip('link', 'set', 'n0', 'down');
  bed.node.ip('link', 'set', 'n0', 'name', 'lan0');
  bed.node.ip('link', 'set', 'lan0', 'up');
  for (const address of addresses) {
    const isFromChild = (frame: Frame) => frame.source === child && isAnnouncementOf(address)(frame);
    await bed.wire.receive('an announcement of the child', isFromChild);
  }
  await dealtWith();
  for (const address of addresses) assert.deepEqual(await answering(address), [child]);
});
