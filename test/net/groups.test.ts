import assert from 'node:assert/strict';
import { addressBytes, parseAddress } from '../../src/ip/address.ts';
import { netSuite } from '../support/net-suite.ts';
import { type Frame, solicitedNodeGroup } from '../support/packets.ts';
import { eventually } from '../support/suite.ts';
import { Testbed, vip } from './testbed.ts';

const test = netSuite('net/groups');

let bed: Testbed;
test.before.each(async () => {
  bed = await Testbed.create();
});
test.after.each(() => bed.close());

const hexOf = (group: string) => Buffer.from(addressBytes(parseAddress(group)!)).toString('hex');

/** How often each group has been joined on n0, by its address in hexadecimal digits. */
function memberships(): Map<string, number> {
  const lines = bed.node.run('cat', '/proc/net/igmp6').trim().split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/));
  return new Map(fields.filter(([, name]) => name === 'n0').map(([, , group, users]) => [group!, Number(users)]));
}

test('is a member of the solicited-node group while it serves an address of it, once and no longer', async () => {
  const [first, sharing, third] = ['2001:db8::b:20', '2001:db8:1::b:20', '2001:db8:2::b:20'];
  const group = hexOf(solicitedNodeGroup(first));
  assert.equal(hexOf(solicitedNodeGroup(sharing)), group);
  assert.equal(memberships().get(group), undefined);
  await bed.serve(vip.v6, first, sharing, third);
  await eventually('joined', () => memberships().get(group) === 1);
  await bed.serve(vip.v6, sharing);
  assert.equal(memberships().get(group), 1, 'left while an address of the group is still served');
  await bed.serve(vip.v6);
  await eventually('left', () => !memberships().has(group));
  assert.equal(memberships().get(hexOf(solicitedNodeGroup(vip.v6))), 1);
});

// Neighbours of ours that snoop on MLD, and have been replaced or have forgotten us, learn of it by this alone.
for (const [what, netns, name] of [
  ['the interface was switched off', 'node', 'n0'],
  ['the cable was out', 'client', 'c0'],
] as const) {
  test(`its groups are reported again after ${what}`, async () => {
    await bed.serve(vip.v6);
    const isReport = (frame: Frame) => groupsIn(frame).includes(hexOf(solicitedNodeGroup(vip.v6)));
    bed[netns].ip('link', 'set', name, 'down');
    await bed.responder.event('n0 down', (event) => event.type === 'interface' && event.change === 'down');
    const since = Date.now();
    bed[netns].ip('link', 'set', name, 'up');
    await bed.wire.receive('a report', isReport, { since });
  });
}

test('joins more groups than a socket holds, and lets in all multicast beyond 4,096 of them', async () => {
  const first = '2001:db8::c:1';
  const solicitedNode = () => [...memberships().keys()].filter((group) => /^ff02.*01ff0c/.test(group)).length;
  const allMulticast = () => Number(/allmulti (\d+)/.exec(bed.node.ip('-d', 'link', 'show', 'n0'))![1]);
  await bed.responder.serveRange({ first, count: 3_000 });
  await eventually('all are joined', () => solicitedNode() === 3_000);
  await bed.ask('2001:db8::c:bb8');
  assert.equal(allMulticast(), 0);
  await bed.responder.serveRange({ first, count: 4_200 });
  const event = await bed.responder.event('an error', ({ type }) => type === 'error');
  assert.ok(event.type === 'error');
  assert.deepEqual([event.operation, event.code, event.name], ['join so many solicited-node groups', 'ENOBUFS', 'n0']);
  assert.equal(solicitedNode(), 4_096);
  assert.equal(allMulticast(), 1);
  await bed.ask('2001:db8::c:1068');
  await bed.responder.serveRange({ first, count: 1 });
  await eventually('all others are left', () => solicitedNode() === 1 && allMulticast() === 0);
});

/** The groups that a report of MLD version 2 (RFC 3810 section 5.2) says are wanted from any source. */
function groupsIn(frame: Frame): string[] {
  if (frame.kind !== 'other' || frame.etherType !== 0x86dd) return [];
  const packet = Buffer.from(frame.payload);
  // Behind a Hop-by-Hop header with the router alert option.
  const [hopByHop, start, report] = [0, 48, 143];
  if (packet[6] !== hopByHop || packet[start] !== report) return [];
  const [isExclude, toExclude] = [2, 4];
  const groups: string[] = [];
  let at = start + 8;
  for (let left = packet.readUInt16BE(start + 6); left > 0; left--) {
    const type = packet[at]!;
    const [auxiliary, sources] = [packet[at + 1]!, packet.readUInt16BE(at + 2)];
    if (type === isExclude || type === toExclude) groups.push(packet.toString('hex', at + 4, at + 20));
    at += 20 + 16 * sources + 4 * auxiliary;
  }
  return groups;
}
