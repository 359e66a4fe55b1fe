import assert from 'node:assert/strict';
import type { Notification, Open } from '../../src/bgp/message.ts';
import type { PeerSettings } from '../../src/bgp/peer-settings.ts';
import { keepalive, routerOpen, type ScriptedRouter } from '../support/scripted-router.ts';
import { routerAddress, SessionBed } from '../support/session-bed.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/session failures');

const notification = (code: number, subcode: number, ...data: number[]): Notification => ({
  type: 'notification',
  code,
  subcode,
  data: Uint8Array.from(data),
});
const opens = (open: Partial<Open>) => (router: ScriptedRouter) => {
  const { asn = routerOpen.asn, capabilities = routerOpen.capabilities } = open;
  const fourOctets = { kind: 'four-octet-asn', asn } as const;
  const others = capabilities.filter(({ kind }) => kind !== 'four-octet-asn');
  router.say({ ...routerOpen, ...open, capabilities: [...others, fourOctets] });
};
const says = (message: Notification) => (router: ScriptedRouter) => router.say(message);

/** What the router does, and what the status says of it, with the code of the NOTIFICATION and who has sent it. */
const failures: readonly (readonly [
  string,
  (router: ScriptedRouter) => void,
  Partial<PeerSettings>,
  RegExp,
  string,
])[] = [
  ['has another AS', opens({ asn: 64999 }), {}, /peer says AS 64999, BGPPeer tor says 64501: set peerASN/, 'sent 2/2'],
  [
    'is external, and is to be internal',
    opens({}),
    { peerAsn: 'internal' },
    /AS 64501.*expects ours, 64500/,
    'sent 2/2',
  ],
  [
    'is internal, and is to be external',
    opens({ asn: 64500 }),
    { peerAsn: 'external' },
    /AS 64500, which is ours/,
    'sent 2/2',
  ],
  [
    'has our router ID in our AS',
    opens({ asn: 64500, routerId: 0xc000020a }),
    { peerAsn: 64500 },
    /our router ID 192\.0\.2\.10/,
    'sent 2/3',
  ],
  ['has no router ID', opens({ routerId: 0 }), {}, /identifier is 0\.0\.0\.0/, 'sent 2/3'],
  ['asks for a hold time of 2 s', opens({ holdTime: 2 }), {}, /hold time of 2 s/, 'sent 2/6'],
  [
    'takes another family',
    opens({ capabilities: [{ kind: 'multiprotocol', family: 6 }] }),
    { families: [4] },
    /takes IPv6 routes, BGPPeer tor is for IPv4/,
    'sent 2/7',
  ],
  ['expects another AS of us', says(notification(2, 2)), {}, /Bad Peer AS.*we said AS 64500.*myASN/, 'heard 2/2'],
  ['wants another router ID', says(notification(2, 3)), {}, /set another routerID in BGPPeer tor/, 'heard 2/3'],
  ['does not like our hold time', says(notification(2, 6)), {}, /we offered a hold time of 90 s/, 'heard 2/6'],
  ['speaks of a collision that is none', says(notification(6, 7)), {}, /Connection Collision/, 'heard 6/7'],
  ['does not know us', says(notification(6, 5)), {}, /Connection Rejected.*not, or no longer, configured/, 'heard 6/5'],
  [
    'is shut',
    says(notification(6, 2, 5, 0x68, 0x65, 0x6c, 0x6c, 0x6f)),
    {},
    /Administrative Shutdown: hello: somebody has shut/,
    'heard 6/2',
  ],
  [
    'closes before its OPEN',
    (router) => router.tcp.end(),
    {},
    /closed the connection before the session was up.*AS 64500/,
    'neither',
  ],
  [
    'sends what is no BGP',
    (router) => router.tcp.write(new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n')),
    {},
    /./,
    'sent 1/1',
  ],
  ['says KEEPALIVE first', (router) => router.say(keepalive), {}, /keepalive in the state OpenSent/, 'sent 5/1'],
];
for (const [what, act, settings, text, code] of failures) {
  test(`a router that ${what} is named as such at the first attempt`, async () => {
    const bed = new SessionBed(settings).listen(act);
    bed.session.start();
    await bed.clock.until('an error', () => bed.status.lastError !== undefined, 1_000);
    const error = bed.status.lastError;
    assert.match(error?.text ?? '', text);
    assert.equal(
      error?.code === undefined ? 'neither' : `${error.sent ? 'sent' : 'heard'} ${error.code}/${error.subcode}`,
      code,
    );
    await bed.clock.advance(10);
    const heard = bed.router.of('notification').map(({ code, subcode }) => `sent ${code}/${subcode}`);
    assert.deepEqual(heard, code.startsWith('sent') ? [code] : []);
    assert.ok((bed.status.nextAttempt ?? 0) > bed.clock.wallTime());
    assert.equal(bed.log.of('session not established').length, 1);
  });
}

test('a router that does not answer is named after one attempt, with the password', async () => {
  const bed = new SessionBed({ password: 'secret' });
  bed.network.silence(routerAddress);
  bed.session.start();
  await bed.clock.advance(10_000);
  assert.match(bed.status.lastError?.text ?? '', /192\.0\.2\.1:179 within 10 s \(no SYN-ACK\).*password/);
  assert.doesNotMatch(bed.status.lastError?.text ?? '', /secret/);
  void bed.session.stop('hard');
  assert.deepEqual(await bed.leftovers(), { timers: 0, connections: 0 });
});

test('a router that refuses connections is named, and tried less and less often', async () => {
  const bed = new SessionBed();
  bed.session.start();
  await bed.clock.advance(10);
  assert.match(bed.status.lastError?.text ?? '', /192\.0\.2\.1:179 refuses the connection/);
  const times: number[] = [];
  for (let dials = bed.network.dials; times.length < 9; await bed.clock.advance(10)) {
    if (bed.network.dials === dials) continue;
    dials = bed.network.dials;
    times.push(bed.clock.now());
  }
  const waits = times.map((time, index) => time - (times[index - 1] ?? 0)).slice(1);
  for (const [index, wait] of waits.entries()) {
    const full = Math.min(60_000, 2_000 * 2 ** index);
    assert.ok(wait >= full * 0.75 - 20 && wait <= full + 20, `attempt ${index} after ${wait} ms`);
  }
});

for (const [what, greet, limit] of [
  ['says Cease instead of OPEN', says(notification(6, 2)), 10],
  ['says Cease after its OPEN', (router: ScriptedRouter) => router.say(routerOpen, notification(6, 4)), 10],
  [
    'says Cease once established',
    (router: ScriptedRouter) => router.say(routerOpen, keepalive, notification(6, 4)),
    10,
  ],
  ['closes at once', (router: ScriptedRouter) => router.tcp.end(), 10],
  ['has the wrong AS', opens({ asn: 1 }), 8],
] as const) {
  test(`a router that ${what} is connected to at most once a second, and soon less often`, async () => {
    const bed = new SessionBed({ connectTime: 60_000 }).listen(greet);
    bed.session.start();
    let last = -Infinity;
    for (let dials = 0; bed.clock.now() < 120_000; await bed.clock.advance(5)) {
      if (bed.network.dials === dials) continue;
      dials = bed.network.dials;
      assert.ok(bed.clock.now() - last >= 995, `${bed.clock.now() - last} ms between two attempts`);
      last = bed.clock.now();
    }
    assert.ok(bed.network.dials <= limit, `${bed.network.dials} attempts in two minutes`);
  });
}

test('after a session that has lasted it is tried again within a second', async () => {
  const bed = await new SessionBed({ holdTime: 9 }).establish();
  for (let i = 0; i < 5; i++) {
    bed.router.say(keepalive);
    await bed.clock.advance(3_000);
  }
  bed.router.tcp.destroy();
  const took = await bed.clock.until(
    'up again',
    () => bed.routers.length === 2 && bed.status.state === 'Established',
    5_000,
  );
  assert.ok(took <= 1_010, `${took} ms`);
  assert.match(bed.status.lastError?.text ?? '', /closed the connection without a NOTIFICATION/);
});
