import assert from 'node:assert/strict';
import { surviving } from '../../src/bgp/collision.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { node, route, routerAddress, SessionBed } from '../support/session-bed.ts';
import { suite } from '../support/suite.ts';
import { TcpNetwork } from '../support/tcp-network.ts';

const test = suite('bgp/collision');

for (const [ours, theirs, stays] of [
  [{ asn: 1, routerId: 2 }, { asn: 2, routerId: 1 }, 'outgoing'],
  [{ asn: 2, routerId: 1 }, { asn: 1, routerId: 2 }, 'incoming'],
  [{ asn: 2, routerId: 7 }, { asn: 1, routerId: 7 }, 'outgoing'],
  [{ asn: 1, routerId: 7 }, { asn: 2, routerId: 7 }, 'incoming'],
] as const) {
  test(`of AS ${ours.asn}, ${ours.routerId} against AS ${theirs.asn}, ${theirs.routerId} the ${stays} stays`, () => {
    assert.equal(surviving(ours, theirs), stays);
  });
}

/** Two of our sessions that both dial and both listen. */
function pair(seed: number): readonly [SessionBed, SessionBed] {
  const network = new TcpNetwork(new FakeClock());
  const left = new SessionBed({ address: routerAddress }, { network, local: node, seed });
  const right = new SessionBed(
    { address: node, localAsn: 64501, peerAsn: 64500, routerId: 0xc0000201 },
    { network, local: routerAddress, seed: seed + 1 },
  );
  network.listen(node, (incoming) => left.session.accept(incoming));
  network.listen(routerAddress, (incoming) => right.session.accept(incoming));
  return [left, right];
}

for (const lag of [0, 1, 2, 3, 4, 5, 20, 1_000]) {
  test(`two sessions that dial each other ${lag} ms apart end with one connection, and both know all routes`, async () => {
    const [left, right] = pair(lag);
    const { clock } = left;
    left.routes.set([route('198.18.0.1/32')]);
    right.routes.set([route('198.18.0.2/32'), route('198.18.0.3/32')]);
    left.session.start();
    await clock.advance(lag);
    right.session.start();
    await clock.advance(5_000);
    assert.deepEqual([left.status.state, right.status.state], ['Established', 'Established']);
    assert.deepEqual([left.status.received[4], right.status.received[4]], [2, 1]);
    assert.equal(left.network.open, 2);
    assert.deepEqual([left.status.flaps, right.status.flaps], [0, 0]);
    await Promise.all([left.session.stop('shutdown'), left.leftovers()]);
    void right.session.stop('hard');
    assert.deepEqual(await left.leftovers(), { timers: 0, connections: 0 });
  });
}

test('a peer that has restarted gracefully takes over from the session that it has lost', async () => {
  const network = new TcpNetwork(new FakeClock());
  const gracefulRestart = { restartTime: 30, restarted: false };
  const left = new SessionBed({ passive: true, gracefulRestart }, { network, local: node });
  const peerSettings = { address: node, localAsn: 64501, peerAsn: 64500, routerId: 7, gracefulRestart };
  const first = new SessionBed(peerSettings, { network, local: routerAddress });
  const second = new SessionBed(peerSettings, { network, local: routerAddress, seed: 2 });
  network.listen(node, (incoming) => left.session.accept(incoming));
  left.session.start();
  first.session.start();
  await network.clock.until('established', () => left.status.state === 'Established', 1_000);
  second.session.start();
  await network.clock.until('taken over', () => second.status.state === 'Established', 1_000);
  await network.clock.advance(100);
  assert.equal(left.status.state, 'Established');
  assert.match(left.status.lastError?.text ?? '', /connected anew/);
});

test('a second connection of an established peer without graceful restart is told Cease', async () => {
  const network = new TcpNetwork(new FakeClock());
  const left = new SessionBed({ passive: true }, { network, local: node });
  const peerSettings = { address: node, localAsn: 64501, peerAsn: 64500, routerId: 7 };
  const [first, second] = [1, 2].map((seed) => new SessionBed(peerSettings, { network, local: routerAddress, seed }));
  network.listen(node, (incoming) => left.session.accept(incoming));
  left.session.start();
  first?.session.start();
  await network.clock.until('established', () => left.status.state === 'Established', 1_000);
  second?.session.start();
  await network.clock.advance(500);
  assert.deepEqual([left.status.state, first?.status.state], ['Established', 'Established']);
  assert.equal(second?.status.counters.notificationsReceived, 1);
  assert.equal(left.status.flaps, 0);
});
