import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeMessage } from '../../src/bgp/codec.ts';
import { keepalive, routerOpen, type ScriptedRouter } from '../support/scripted-router.ts';
import { node, plainAttributes, route, routerAddress, SessionBed } from '../support/session-bed.ts';
import { suite } from '../support/suite.ts';

const test = suite('bgp/session at random');

type Event = (bed: SessionBed) => void;

const end =
  (kind: 'end' | 'destroy'): Event =>
  (bed) =>
    bed.routers.at(-1)?.tcp[kind]();
const says =
  (...messages: Parameters<ScriptedRouter['say']>): Event =>
  (bed) =>
    bed.routers.at(-1)?.say(...messages);
const writes =
  (bytes: Uint8Array): Event =>
  (bed) =>
    bed.routers.at(-1)?.tcp.write(bytes);
const notification = (code: number, subcode: number) =>
  ({ type: 'notification', code, subcode, data: new Uint8Array() }) as const;

/** A connection of the router to us. */
const connects: Event = (bed) => {
  void bed.network
    .transport(routerAddress)
    .dial({ address: node, port: 179, ttl: 1, signal: new AbortController().signal }, quiet)
    .then(
      (tcp) => {
        tcp.write(encodeMessage(routerOpen));
        tcp.write(encodeMessage(keepalive));
        bed.clock.after(3_000, () => tcp.destroy());
      },
      () => {},
    );
};
const quiet = { onData() {}, onDrain() {}, onClose() {} };

const events: fc.Arbitrary<Event> = fc.oneof(
  fc.constantFrom<Event>(
    says(routerOpen),
    says(keepalive),
    says(routerOpen, keepalive),
    says({ ...routerOpen, asn: 1, capabilities: [] }),
    says({ type: 'route-refresh', family: 4, subtype: 'request' }),
    end('end'),
    end('destroy'),
    connects,
    (bed) => bed.routers.at(-1)?.stall(),
    (bed) => bed.routers.at(-1)?.resume(),
    (bed) => bed.session.bfdDown(),
    (bed) => {
      bed.routes.change([route('198.18.0.1/32', { med: bed.clock.now() & 0xffff })], []);
      bed.session.routesChanged();
    },
    (bed) => {
      bed.routes.set(bed.routes.pending[4] > 0 ? [] : [{ ...route('198.18.0.2/32'), attributes: plainAttributes }]);
      bed.session.routesChanged();
    },
  ),
  fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 11 }))
    .map(([code, subcode]) => says(notification(code, subcode))),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map(writes),
  // A header that is right, with anything behind it.
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 60 }))
    .map(([type, body]) => writes(Uint8Array.of(...new Uint8Array(16).fill(255), 0, 19 + body.length, type, ...body))),
);

const streams = fc.array(fc.tuple(events, fc.constantFrom(0, 1, 10, 500, 1_000, 5_000, 30_000, 100_000)), {
  maxLength: 25,
});

test('whatever happens, the session tries again, says why it was lost, and leaves nothing behind', async () => {
  const run = async (
    seed: number,
    passive: boolean,
    polite: boolean,
    stream: readonly (readonly [Event, number])[],
    how: 'shutdown' | 'restart' | 'hard',
  ) => {
    const bed = new SessionBed({ passive, holdTime: 9, delayOpen: seed % 4 === 0 ? 2 : undefined }, { seed });
    bed.listen((router) => {
      if (polite) router.say(routerOpen, keepalive);
    });
    bed.network.listen(node, (incoming) => bed.session.accept(incoming));
    bed.session.start();
    let before = bed.status;
    for (const [event, pause] of stream) {
      event(bed);
      await bed.clock.advance(pause);
      const { status } = bed;
      assert.ok(passive || status.state !== 'Idle' || status.nextAttempt !== undefined, 'idle for ever');
      if (status.flaps > before.flaps) assert.ok((status.lastError?.text ?? '').length > 10, 'lost without a reason');
      assert.equal(status.establishedAt !== undefined, status.state === 'Established');
      before = status;
    }
    for (const status of bed.statuses)
      assert.ok(!/undefined|NaN/.test(status.lastError?.text ?? ''), status.lastError?.text);
    void bed.session.stop(how, 'done');
    for (const router of bed.routers) router.resume();
    await bed.clock.advance(3_000);
    assert.deepEqual(await bed.leftovers(), { timers: 0, connections: 0 });
    assert.equal(bed.status.state, 'Idle');
  };
  const how = fc.constantFrom('shutdown' as const, 'restart' as const, 'hard' as const);
  await fc.assert(fc.asyncProperty(fc.integer(), fc.boolean(), fc.boolean(), streams, how, run), { numRuns: 200 });
});
