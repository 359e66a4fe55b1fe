import assert from 'node:assert/strict';
import fc from 'fast-check';
import { netSuite } from '../support/net-suite.ts';
import { describeFrame, type Frame, ndpType, writeFrame } from '../support/packets.ts';
import { node, solicit, station, Testbed, vip, whoHas } from './testbed.ts';

const test = netSuite('net/hostile');

let bed: Testbed;
test.before(async () => {
  bed = await Testbed.create();
  await bed.serve(vip.v4, vip.v6);
});
test.after(() => bed.close());

const seeds = [
  writeFrame(whoHas(vip.v4)),
  writeFrame(whoHas(vip.v4, { senderAddress: '0.0.0.0', destination: node.mac })),
  writeFrame(solicit(vip.v6)),
  writeFrame(solicit(vip.v6, { from: '::', options: [] })),
  writeFrame(solicit(vip.v6, { destination: node.mac, to: vip.v6 })),
];

/** A good request with a few bytes changed behind the EtherType, cut short or drawn out. */
const mutated = fc
  .record({
    seed: fc.constantFrom(...seeds),
    changes: fc.array(fc.tuple(fc.integer({ min: 14, max: 90 }), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    length: fc.option(fc.integer({ min: 14, max: 120 })),
    trailer: fc.uint8Array({ maxLength: 60 }),
  })
  .map(({ seed, changes, length, trailer }) => {
    const bytes = Uint8Array.of(...seed, ...trailer).slice(0, length ?? undefined);
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return bytes;
  });

const noise = fc
  .tuple(fc.constantFrom(...seeds), fc.uint8Array({ maxLength: 1_400 }))
  .map(([seed, rest]) => Uint8Array.of(...seed.subarray(0, 14), ...rest));

test('survives thousands of malformed frames, and sends nothing malformed itself', async () => {
  const answers: Frame[] = [];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(mutated, noise), { minLength: 50, maxLength: 200 }), async (frames) => {
      bed.wire.send(...frames);
      await bed.arpBarrier();
      await bed.ndpBarrier();
      assert.ok(bed.responder.running);
      for (const { bytes, frame } of bed.wire.takeAll((each) => each.source === node.mac)) {
        if (!isOurs(frame)) continue;
        answers.push(frame);
        checkAnswer(frame, bytes);
      }
    }),
    { numRuns: 60, seed: 20_260_731 },
  );
  assert.ok(answers.length > 100, `only ${answers.length} frames drew an answer: the mutations are too wild`);
}, 60_000);

/** Whatever the request was, an answer is about a served address, whole, and not to a group unless all nodes. */
function checkAnswer(frame: Frame, bytes: Uint8Array): void {
  const text = describeFrame(bytes);
  if (frame.kind === 'arp') {
    assert.equal(bytes.length, 60, text);
    assert.deepEqual([frame.operation, frame.senderMac, frame.senderAddress], [2, node.mac, vip.v4], text);
    assert.equal(frame.destination, frame.targetMac, text);
    assert.equal(Number.parseInt(frame.destination.slice(0, 2), 16) & 1, 0, text);
    return;
  }
  assert.ok(frame.kind === 'ndp' && frame.checksum === 'correct', text);
  assert.equal(bytes.length, 86, text);
  assert.deepEqual([frame.from, frame.target, frame.hopLimit, frame.code], [vip.v6, vip.v6, 255, 0], text);
  assert.ok(frame.to === 'ff02::1' || !frame.to.startsWith('ff'), text);
  assert.ok(frame.destination === station.mac || frame.destination === '33:33:00:00:00:01', text);
}

/** The kernel of the node has things to say as well, but never about these addresses. */
function isOurs(frame: Frame): boolean {
  if (frame.kind === 'arp') return frame.senderAddress !== node.v4;
  return frame.kind === 'ndp' && frame.type === ndpType.advertisement && frame.target !== node.v6;
}
