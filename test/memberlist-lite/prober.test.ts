import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Awareness } from '../../src/memberlist-lite/awareness.ts';
import { lan } from '../../src/memberlist-lite/config.ts';
import { MemberTable } from '../../src/memberlist-lite/member-table.ts';
import { ProbeRotation } from '../../src/memberlist-lite/probe-rotation.ts';
import { Prober } from '../../src/memberlist-lite/prober.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';
import { bytesOf } from './vectors.ts';

const test = suite('memberlist-lite/prober');

/** A prober over `others`, ticking once a second, and a log of what it did at which time. */
class Bench {
  readonly clock = new FakeClock();
  readonly awareness = new Awareness(8);
  readonly table: MemberTable;
  readonly prober: Prober;
  readonly log: string[] = [];
  /** What a stream ping comes to, and whether packets leave at all. */
  streamAnswers = false;
  sends = true;
  seqNo = 0;

  constructor(others: readonly string[], vsn = '010502000000') {
    const member = { address: '192.0.2.1', port: 7946, meta: new Uint8Array(0), vsn: bytesOf(vsn) };
    this.table = new MemberTable({ name: 'us', ...member }, 0, lan);
    this.prober = new Prober({
      self: 'us',
      table: this.table,
      awareness: this.awareness,
      settings: lan,
      clock: this.clock,
      random: seededRandom(1),
      done: (target, result) => this.#note(`${target.name} ${result}`),
      wire: {
        nextSeqNo: () => ++this.seqNo,
        probe: (target, _seqNo, failed) => {
          this.#note(`ping ${target.name}`);
          if (!this.sends) failed();
        },
        askHelper: (helper) => this.#note(`ask ${helper.name}`),
        probeOverStream: async (target, _seqNo, timeout) => {
          this.#note(`stream ${target.name} for ${timeout}`);
          return this.streamAnswers;
        },
      },
    });
    for (const [i, name] of others.entries()) {
      const addr = `192.0.2.${i + 2}`;
      this.table.alive({ node: name, incarnation: 1, ...member, addr }, 0);
      this.prober.add(name);
    }
    this.clock.every(1000, () => this.prober.tick());
  }

  answerStreams(): void {
    this.streamAnswers = true;
  }

  #note(what: string): void {
    this.log.push(`${this.clock.now()} ${what}`);
  }
}

test('an acked probe is over, and the next one starts a tick later', async () => {
  const bench = new Bench(['a']);
  await bench.clock.advance(1000);
  bench.prober.ack(1);
  await bench.clock.advance(1000);
  assert.deepEqual(bench.log, ['1000 ping a', '1000 a acked', '2000 ping a']);
});

test('without an ack asks others and tries a stream, and gives up after one interval', async () => {
  const bench = new Bench(['a', 'b', 'c', 'd', 'e']);
  await bench.clock.advance(2000);
  const [, target] = bench.log[0]?.split(' ping ') ?? [];
  assert.equal(bench.log.filter((line) => line.startsWith('1500 ask ')).length, 3);
  assert.ok(!bench.log.includes(`1500 ask ${target}`));
  assert.ok(bench.log.includes(`1500 stream ${target} for 500`));
  assert.ok(bench.log.includes(`2000 ${target} missed`));
});

test('asks others at once when the ping did not even leave', async () => {
  const bench = new Bench(['a', 'b']);
  bench.sends = false;
  await bench.clock.advance(1000);
  assert.equal(bench.log.filter((line) => line.startsWith('1000 ask')).length, 1);
  assert.ok(bench.log.some((line) => line.endsWith('for 1000')));
});

const lateAnswers: readonly [name: string, answer: (bench: Bench) => void, outcome: string][] = [
  ['an ack by way of another member', (bench) => bench.prober.ack(1), '1700 a acked'],
  ['an ack over the stream', (bench) => bench.answerStreams(), '2000 a stream-only'],
  ['an ack to another probe', (bench) => bench.prober.ack(7), '2000 a missed'],
  ['only nacks', (bench) => bench.prober.nack(1), '2000 a missed'],
];
for (const [name, answer, outcome] of lateAnswers) {
  test(`${name} makes of it "${outcome}"`, async () => {
    const bench = new Bench(['a']);
    if (name.includes('stream')) answer(bench);
    await bench.clock.advance(1700);
    answer(bench);
    await bench.clock.advance(300);
    assert.ok(bench.log.includes(outcome), bench.log.join(', '));
  });
}

test('a tick that falls into a running probe is made up for right after it', async () => {
  const bench = new Bench(['a']);
  bench.awareness.change(1);
  await bench.clock.advance(500);
  bench.prober.tick();
  await bench.clock.advance(2400);
  const log = bench.log.filter((line) => !line.includes('stream'));
  assert.deepEqual(log, ['500 ping a', '2500 a missed', '2500 ping a']);
});

const blames: readonly [name: string, vsn: string, helpers: number, nacks: number, score: number][] = [
  ['no helper to hear from', '010502000000', 0, 0, 1],
  ['three helpers, all heard from', '010502000000', 3, 3, 0],
  ['three helpers, one heard from', '010502000000', 3, 1, 2],
  ['three helpers that send no nacks', '010302000000', 3, 0, 1],
];
for (const [name, vsn, helpers, nacks, score] of blames) {
  test(`a missed probe with ${name} counts ${score} against ourselves`, async () => {
    const bench = new Bench(['a', 'b', 'c', 'd'].slice(0, helpers + 1), vsn);
    await bench.clock.advance(1600);
    for (let i = 0; i < nacks; i++) bench.prober.nack(1);
    await bench.clock.advance(400);
    assert.equal(bench.awareness.score, score);
  });
}

test('does not try a stream with a member too old to answer', async () => {
  const bench = new Bench(['a'], '010202000000');
  await bench.clock.advance(1900);
  assert.deepEqual(bench.log, ['1000 ping a']);
});

test('a voided probe has no result, and its target is next', async () => {
  const bench = new Bench(['a', 'b', 'c']);
  await bench.clock.advance(1900);
  bench.prober.void();
  await bench.clock.advance(200);
  const pings = bench.log.filter((line) => line.includes('ping')).map((line) => line.split(' ')[2]);
  assert.equal(pings.length, 2);
  assert.equal(pings[0], pings[1]);
  assert.ok(!bench.log.some((line) => line.endsWith('missed')));
});

test('passes over the dead, forgets them at the end of a round, and does nothing alone', async () => {
  const bench = new Bench(['a']);
  bench.table.dead({ node: 'a', incarnation: 1, from: 'x' }, 0);
  await bench.clock.advance(40_000);
  assert.deepEqual(bench.log, []);
  assert.equal(bench.table.get('a'), undefined);
});

test('starts nothing after it was stopped', async () => {
  const bench = new Bench(['a']);
  await bench.clock.advance(1100);
  bench.prober.stop();
  await bench.clock.advance(5000);
  assert.deepEqual(bench.log, ['1000 ping a']);
});

test('gives every member one turn in each round, whenever it joined', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat({ max: 8 }),
      fc.nat({ max: 8 }),
      fc.nat({ max: 5 }),
      (seed, members, before, joining) => {
        const rotation = new ProbeRotation(seededRandom(seed));
        const names = Array.from({ length: members }, (_, i) => `node-${i}`);
        rotation.restart(names);
        const turns: string[] = [];
        for (let i = 0; i < Math.min(before, members); i++) turns.push(rotation.next() as string);
        const newcomers = Array.from({ length: joining }, (_, i) => `new-${i}`);
        for (const name of newcomers) rotation.add(name);
        for (let name = rotation.next(); name !== undefined; name = rotation.next()) turns.push(name);
        assert.deepEqual(turns.sort(), [...names, ...newcomers].sort());
      },
    ),
  );
});
