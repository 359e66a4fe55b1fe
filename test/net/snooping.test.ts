import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { PacketIo } from '../support/packet-io.ts';
import { type Frame, ndpType } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { isAdvertisementOf, node, solicit, station, Testbed, vip } from './testbed.ts';

const test = netSuite('net/snooping');

// On a switch that snoops on MLD a solicitation reaches only who has joined its group; nothing but a join in the
// kernel makes the kernel report the group.
let bed: Testbed;
let far: PacketIo;
test.before(async () => {
  bed = await Testbed.create({ joinedBy: 'switch' });
  far = await PacketIo.open(bed.node, 'n0');
});
test.after(async () => {
  await far.close();
  await bed.close();
});

/** Whether a solicitation of the address reaches the node. The kernel's own address proves that the way is open. */
async function arrives(address: string): Promise<boolean> {
  const isSolicitationOf = (target: string) => (frame: Frame) =>
    frame.kind === 'ndp' && frame.type === ndpType.solicitation && frame.target === target && frame.from === station.v6;
  const since = Date.now();
  bed.wire.send(solicit(address), solicit(node.v6));
  await far.receive('the solicitation after it', isSolicitationOf(node.v6), { since });
  return far.take(isSolicitationOf(address), since) !== undefined;
}

test('gets the solicitations of the addresses it serves through a snooping switch, and only of those', async () => {
  await eventually('the switch snoops', async () => !(await arrives(vip.v6)), 25_000);
  await bed.responder.serve(vip.v6);
  await eventually('the switch lets them through', () => arrives(vip.v6));
  await bed.wire.ask(solicit(vip.v6), 'an advertisement', isAdvertisementOf(vip.v6));
  assert.equal(await arrives('2001:db8::a:11'), false);
  await bed.responder.serve();
  await eventually('the switch holds them back again', async () => !(await arrives(vip.v6)), 15_000);
}, 60_000);

test('is reported again after the interface was down', async () => {
  await bed.responder.serve(vip.v6);
  await eventually('the switch lets them through', () => arrives(vip.v6));
  bed.node.ip('link', 'set', 'n0', 'down');
  bed.node.ip('link', 'set', 'n0', 'up');
  bed.node.ip('addr', 'replace', `${node.v6}/64`, 'dev', 'n0', 'nodad');
  await eventually('the switch lets them through again', () => arrives(vip.v6), 15_000);
}, 60_000);
