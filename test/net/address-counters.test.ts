import assert from 'node:assert/strict';
import { netSuite } from '../support/net-suite.ts';
import { eventually } from '../support/suite.ts';
import { solicit, Testbed, vip, whoHas } from './testbed.ts';

const test = netSuite('net/address-counters');

const other = { v4: '198.18.1.11', v6: '2001:db8::a:11' } as const;
const stranger = { v4: '198.18.1.99', v6: '2001:db8::a:99' } as const;
const rounds = 2;

let bed: Testbed;
test.before.each(async () => {
  bed = await Testbed.create({ gratuitous: { rounds, interval: 1_000 } });
});
test.after.each(() => bed.close());

/** Those of an address: requests received, responses sent, gratuitous frames sent. */
const countersOf = async (address: string) => (await bed.responder.addressCounters()).get(address);

for (const [address, neighbor, unknown, request, frames] of [
  [vip.v4, other.v4, stranger.v4, whoHas, 2],
  [vip.v6, other.v6, stranger.v6, solicit, 1],
] as const) {
  test(`counts what is asked, answered and announced for ${address}, and nothing of it for another`, async () => {
    await bed.serve(address, neighbor);
    assert.deepEqual(
      [await countersOf(address), await countersOf(neighbor)],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    );
    for (let i = 0; i < 3; i++) await bed.ask(address);
    await bed.responder.announce(address);
    const announced = frames * rounds;
    await eventually('it is announced', async () => (await countersOf(address))?.[2] === announced);
    assert.deepEqual(
      [await countersOf(address), await countersOf(neighbor)],
      [
        [3, 3, announced],
        [0, 0, 0],
      ],
    );
    const { gratuitousArpSent, unsolicitedNaSent } = await bed.responder.counters();
    assert.equal(gratuitousArpSent + unsolicitedNaSent, announced);
  });

  test(`counts no request for ${address} that it does not answer: held, elsewhere, or not in the table`, async () => {
    await bed.serve({ address, interfaces: 'all', held: true }, { address: neighbor, interfaces: ['eth7'] });
    bed.wire.send(request(address), request(neighbor), request(unknown));
    await bed.barrier();
    const all = await bed.responder.addressCounters();
    assert.deepEqual([all.get(address), all.get(neighbor), all.get(unknown)], [[0, 0, 0], [0, 0, 0], undefined]);
  });
}

test('an address keeps its counters through every table, and when it leaves and comes back', async () => {
  await bed.serve(vip.v4, vip.v6);
  await bed.ask(vip.v4);
  await bed.ask(vip.v6);
  await bed.serve(other.v4, vip.v6, vip.v4);
  await bed.ask(vip.v4);
  assert.deepEqual(
    [await countersOf(vip.v4), await countersOf(vip.v6)],
    [
      [2, 2, 0],
      [1, 1, 0],
    ],
  );
  await bed.serve(other.v4);
  await bed.expectNoAnswer(vip.v4);
  assert.deepEqual(await countersOf(vip.v4), [2, 2, 0]);
  await bed.serve(vip.v4);
  await bed.ask(vip.v4);
  assert.deepEqual(await countersOf(vip.v4), [3, 3, 0]);
});

test('of addresses that left it remembers the last thousand', async () => {
  await bed.serve(vip.v4);
  await bed.responder.serveRange({ first: '198.18.64.0', count: 2_000 });
  await bed.serve();
  await eventually('the table is in use', async () => (await bed.responder.addressCounters()).size === 1_024 + 2);
});
