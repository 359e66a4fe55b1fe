import assert from 'node:assert/strict';
import { Liveness } from '../../src/liveness/liveness.ts';
import { fast } from '../../src/memberlist-lite/config.ts';
import { Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SimNetwork } from '../support/sim-network.ts';
import { suite } from '../support/suite.ts';

const test = suite('liveness/liveness');

type Speaker = { readonly name: string; readonly liveness: Liveness; readonly warnings: string[] };

/** Speakers in one simulated network, all told of the same list of peers. */
class Cluster {
  readonly clock = new FakeClock();
  readonly network = new SimNetwork(this.clock, seededRandom(1));
  readonly speakers: Speaker[] = [];
  peers: string[] = [];

  /** Starts a speaker. The list of peers names it from then on, unless `listed` is false. */
  async add(listed = true): Promise<Speaker> {
    const number = this.speakers.length + 1;
    const endpoint = { address: `192.0.2.${number}`, port: 7946 };
    const warnings: string[] = [];
    const log: Logger = { ...silentLogger, warn: (event) => warnings.push(event) };
    const random = seededRandom(number);
    const transport = this.network.transport(endpoint);
    const runtime = { clock: this.clock, random, log: silentLogger };
    const meta = Uint8Array.of(number);
    const name = `node-${number}`;
    const own = { name, advertise: endpoint, transport, config: fast, meta, ...runtime };
    const liveness = new Liveness({
      ring: (options) => new Memberlist({ ...own, ...options }),
      node: name,
      peers: () => this.peers,
      clock: this.clock,
      random,
      log,
    });
    const speaker = { name, liveness, warnings };
    this.speakers.push(speaker);
    if (listed) this.list();
    await liveness.start();
    return speaker;
  }

  list(): void {
    this.peers = this.speakers.map((_, i) => `192.0.2.${i + 1}:7946`);
  }

  /** Time until each of these speakers sees exactly these nodes. */
  agree(numbers: readonly number[], limit = 10_000, among: readonly number[] = numbers): Promise<number> {
    const want = numbers.map((number) => `node-${number}`).join(' ');
    const speakers = among.map((number) => this.speakers[number - 1] as Speaker);
    return this.clock.until(`all see ${want}`, () => speakers.every(({ liveness }) => seen(liveness) === want), limit);
  }

  async stop(): Promise<void> {
    const stopped = Promise.all(this.speakers.map(({ liveness }) => liveness.stop()));
    await this.clock.advance(100);
    await stopped;
  }
}

const seen = (liveness: Liveness) => [...liveness.alive()].sort().join(' ');

test('speakers that know of each other are one ring at once', async () => {
  const cluster = new Cluster();
  for (let i = 0; i < 4; i++) await cluster.add();
  await cluster.agree([1, 2, 3, 4], 1000);
  await cluster.stop();
});

test('alone we are the only one alive', async () => {
  const cluster = new Cluster();
  const { liveness } = await cluster.add();
  assert.equal(seen(liveness), 'node-1');
  await cluster.clock.advance(300_000);
  assert.equal(seen(liveness), 'node-1');
  await cluster.stop();
});

test('tells of each change of the set, and of nothing else', async () => {
  const cluster = new Cluster();
  const { liveness } = await cluster.add();
  const told: string[] = [];
  liveness.onChange((alive) => told.push([...alive].sort().join(' ')));
  await cluster.add();
  await cluster.agree([1, 2]);
  cluster.network.cut('192.0.2.2');
  await cluster.agree([1], 10_000, [1]);
  await cluster.clock.advance(120_000);
  assert.deepEqual(told, ['node-1 node-2', 'node-1']);
  await cluster.stop();
});

for (const [how, told, limit] of [
  ['within seconds of being listed', false, 5100],
  ['at once when the others are told that the list has changed', true, 100],
] as const) {
  test(`a speaker that was not listed at first is found ${how}`, async () => {
    const cluster = new Cluster();
    const first = await cluster.add();
    await cluster.add();
    await cluster.agree([1, 2]);
    cluster.peers = [];
    await cluster.add(false);
    await cluster.clock.advance(30_000);
    assert.equal(seen(first.liveness), 'node-1 node-2');
    cluster.list();
    if (told) first.liveness.rejoin();
    assert.ok((await cluster.agree([1, 2, 3])) < limit);
    assert.deepEqual(first.warnings, []);
    await cluster.stop();
  });
}

test('after a partition the ring is one again, the sooner the shorter it was', async () => {
  for (const length of [2_500, 5_000, 10_000]) {
    const cluster = new Cluster();
    for (let i = 0; i < 3; i++) await cluster.add();
    await cluster.agree([1, 2, 3]);
    cluster.network.partition(['192.0.2.3']);
    await cluster.agree([3], 5_000);
    await cluster.clock.advance(length);
    cluster.network.heal();
    // An attempt that was under way waits for its deadline of a second; then comes a pause as long as it has grown.
    const limit = Math.min(6_000, 2_000 + length / 2);
    assert.ok((await cluster.agree([1, 2, 3], limit)) < limit);
    await cluster.stop();
  }
});

test('after a long partition the ring is one again within seconds', async () => {
  const cluster = new Cluster();
  for (let i = 0; i < 4; i++) await cluster.add();
  await cluster.agree([1, 2, 3, 4]);
  cluster.network.partition(['192.0.2.1', '192.0.2.2']);
  await cluster.agree([1, 2], 10_000);
  await cluster.clock.advance(600_000);
  cluster.network.heal();
  // An attempt that was under way waits for its deadline; then comes the pause of at most 5 s.
  assert.ok((await cluster.agree([1, 2, 3, 4], 16_000)) < 16_000);
  await cluster.stop();
});

test('a peer that stays away is tried again and again, and warned about once', async () => {
  const cluster = new Cluster();
  const speaker = await cluster.add();
  cluster.peers = ['192.0.2.1:7946', '192.0.2.9:7946'];
  await cluster.clock.advance(600_000);
  assert.deepEqual(speaker.warnings, ['cannot join']);
  await cluster.stop();
});

test('who stops is missed at once', async () => {
  const cluster = new Cluster();
  for (let i = 0; i < 3; i++) await cluster.add();
  await cluster.agree([1, 2, 3]);
  void cluster.speakers[2]?.liveness.stop();
  assert.ok((await cluster.agree([1, 2])) < 2);
  await cluster.stop();
});

test('tells where each of the living is and what it says of itself', async () => {
  const cluster = new Cluster();
  const { liveness } = await cluster.add();
  await cluster.add();
  await cluster.agree([1, 2]);
  const members = () =>
    liveness
      .members()
      .map(({ name, address, meta }) => `${name} ${address} ${meta}`)
      .sort();
  assert.deepEqual(members(), ['node-1 192.0.2.1 1', 'node-2 192.0.2.2 2']);
  cluster.network.cut('192.0.2.2');
  await cluster.agree([1], 10_000, [1]);
  assert.deepEqual(members(), ['node-1 192.0.2.1 1']);
  await cluster.stop();
});

test('leaves no timer behind, and may be stopped twice', async () => {
  const cluster = new Cluster();
  for (let i = 0; i < 2; i++) await cluster.add();
  await cluster.agree([1, 2]);
  await cluster.stop();
  await cluster.stop();
  await cluster.clock.advance(20_000);
  assert.equal(cluster.clock.pending(), 0);
});
