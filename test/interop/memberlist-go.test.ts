import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { provideGoMember } from '../../scripts/go-member.mjs';
import { type Config, fast, lan } from '../../src/memberlist-lite/config.ts';
import { type MemberEvent, Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import { messageType } from '../../src/memberlist-lite/messages.ts';
import { NodeTransport } from '../../src/memberlist-lite/node-transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom, systemRandom } from '../../src/runtime/random.ts';
import { stateAt } from '../memberlist-lite/table-query.ts';
import { GoMembers, type GoSettings } from '../support/go-member.ts';
import { PullableTransport } from '../support/pullable-transport.ts';
import { eventually, suite } from '../support/suite.ts';

/**
 * Against hashicorp/memberlist v0.5.1 as MetalLB runs it: `lan` settings, compression. Every case has loopback
 * addresses of its own. The case that lasts a minute runs beside all others.
 */
const port = 17966;
const test = suite('interop/memberlist-go');
const key = new Uint8Array(32).fill(7);
const otherKey = new Uint8Array(16).fill(9);

type Ours = {
  readonly member: Memberlist;
  readonly events: readonly MemberEvent[];
  readonly cable: PullableTransport;
};
type Way = {
  readonly keys?: readonly Uint8Array[];
  readonly label?: string;
  readonly plain?: boolean;
  readonly protocol?: 1;
};
type Scene = {
  /** One of us, listening at `.1`, or where else it is said. */
  readonly ours: (options?: Way & { config?: Config; name?: string; meta?: string; at?: number }) => Promise<Ours>;
  /** A process with these Go members, the first one at `.11`, or where else it is said. */
  readonly theirs: (names: readonly string[], options?: Way & { state?: string; at?: number }) => Promise<GoMembers>;
  readonly address: (host: number) => string;
};

const ways: readonly (readonly [how: string, way: Way])[] = [
  ['in plain text', {}],
  ['without compression', { plain: true }],
  ['encrypted', { keys: [key] }],
  ['encrypted without compression', { keys: [key], plain: true }],
  ['under a label', { label: 'ring-1' }],
  ['encrypted under a label', { keys: [otherKey], label: 'ring-1' }],
  ['encrypted by protocol 1', { keys: [key], protocol: 1 }],
];

/** Our side and theirs do not fit. What we count, and what they log. */
const strangers: readonly (readonly [what: string, ours: Way, theirs: Way, counted: string, logged: string])[] = [
  ['another key', { keys: [key] }, { keys: [otherKey] }, 'undecryptable', 'o installed keys could decrypt'],
  ['no key where we have one', { keys: [key] }, {}, 'undecryptable', 'encryption is not configured'],
  ['a key where we have none', {}, { keys: [key] }, 'encrypted', 'remote state is not encrypted'],
  ['another label', { label: 'ring-1' }, { label: 'ring-2' }, 'label', 'unacceptable label'],
  ['no label where we have one', { label: 'ring-1' }, {}, 'label', 'unacceptable label'],
  ['a label where we have none', {}, { label: 'ring-2' }, 'label', 'unacceptable label'],
];

const { program, problem } = provideGoMember();
if (program === undefined) test.skip('a ring with hashicorp/memberlist', problem);
else prove(program);

function prove(goMember: string): void {
  let minute: Promise<void> | undefined;
  test.before(() => {
    minute = inScene(goMember, 1, minuteUnderLoad);
    // Its own test reports what went wrong.
    minute.catch(() => {});
  });

  let scenes = 1;
  const scene = (name: string, body: (scene: Scene) => Promise<void>) => {
    scenes += 1;
    const net = scenes;
    test(name, () => inScene(goMember, net, body));
  };

  for (const [how, way] of ways) {
    scene(`we join a Go member, ${how}, and it leaves`, async ({ ours, theirs, address }) => {
      const [us, them] = await Promise.all([ours(way), theirs(['go'], way)]);
      assert.deepEqual(await us.member.join([`${address(11)}:${port}`]), { joined: 1, failed: [] });
      await eventually('each sees the other', async () => sees(us, 'go') && (await them.sees('ours')));
      await content(us);
      await them.leave();
      await eventually('it has left', () => !sees(us, 'go'));
      assert.equal(us.events.at(-1)?.member.state, 'left');
      assert.deepEqual(drops(us), {});
    });

    scene(`a Go member joins us, ${how}, and is killed`, async ({ ours, theirs, address }) => {
      const [us, them] = await Promise.all([ours(way), theirs(['go'], { ...way, state: 'x'.repeat(1000) })]);
      assert.equal((await them.join([`${address(1)}:${port}`])).joined, 1);
      await eventually('each sees the other', async () => sees(us, 'go') && (await them.sees('ours')));
      await content(us);
      them.kill();
      await eventually('it is missed', () => !sees(us, 'go'), 4000);
      assert.equal(us.events.at(-1)?.member.state, 'dead');
      assert.deepEqual(drops(us), {});
    });
  }

  for (const [what, our, their, counted, logged] of strangers) {
    scene(`a ring with ${what} stays another ring, and both sides say why`, async ({ ours, theirs, address }) => {
      const [us, them] = await Promise.all([ours(our), theirs(['go'], their)]);
      const { joined } = await us.member.join([`${address(11)}:${port}`]);
      assert.equal(joined, 0);
      assert.match((await them.join([`${address(1)}:${port}`])).error ?? '', /./);
      assert.deepEqual([us.member.members().length, (await them.members()).length], [1, 1]);
      assert.ok((drops(us)[counted] ?? 0) > 0, JSON.stringify(drops(us)));
      await eventually(`it logs "${logged}"`, () => them.logged(logged).length > 0);
    });
  }

  scene('garbage is dropped and counted on both sides, and the ring stays', async ({ ours, theirs, address }) => {
    const [us, them] = await Promise.all([ours(), theirs(['go'])]);
    await us.member.join([`${address(11)}:${port}`]);
    const packets = garbage(200);
    for (const host of [1, 11]) {
      await sendPackets(packets, address(host));
      for (const packet of packets.slice(0, 20)) await sendStream(packet, address(host));
    }
    await eventually('we count it', () => Object.values(drops(us)).reduce((a, b) => a + b, 0) >= 100);
    const complaints = () => them.logged('[ERR]').length + them.logged('[WARN]').length;
    await eventually('it logs it', () => complaints() >= 100);
    await content(us);
    assert.ok(await them.sees('ours'));
    assert.deepEqual(departures(us, them), []);
  });

  scene('three Go members and one of us: each sees all, and one that leaves', async ({ ours, theirs, address }) => {
    const [us, three] = await Promise.all([ours({ keys: [key] }), theirs(['go-1', 'go-2', 'go-3'], { keys: [key] })]);
    for (const name of ['go-1', 'go-2', 'go-3']) await three.join([`${address(1)}:${port}`], name);
    await eventually('each sees four', () => everyoneSees(us, three, ['go-1', 'go-2', 'go-3'], 4));
    await content(us);
    await three.leave('go-2');
    await eventually('the rest see three', () => everyoneSees(us, three, ['go-1', 'go-3'], 3));
    // The farewell of one of us goes to everyone directly: sooner than any of them gossips.
    await us.member.leave();
    await eventually('the rest see two', () => everyoneSees(undefined, three, ['go-1', 'go-3'], 2), 1000);
    assert.equal(await stateAt({ address: address(11), port }, 'ours', key), 'left');
    assert.deepEqual(three.logged('Suspect ours'), []);
  });

  scene('three Go members miss one of us that falls silent', async ({ ours, theirs, address }) => {
    const names = ['go-1', 'go-2', 'go-3'];
    const [us, three] = await Promise.all([ours(), theirs(names)]);
    for (const name of names) await three.join([`${address(1)}:${port}`], name);
    await eventually('each sees four', () => everyoneSees(us, three, names, 4));
    await us.member.close();
    await eventually('they see three', () => everyoneSees(undefined, three, names, 3), 15_000);
    assert.equal(await stateAt({ address: address(11), port }, 'ours'), 'dead');
  });

  scene('a Go member that was frozen and is suspected objects, and stays', async ({ ours, theirs, address }) => {
    const [us, them] = await Promise.all([ours({ keys: [key] }), theirs(['go'], { keys: [key] })]);
    await us.member.join([`${address(11)}:${port}`]);
    await content(us);
    them.freeze();
    await eventually('we suspect it', () => viewOf(us, 'go')?.state === 'suspect');
    them.thaw();
    await eventually('it objects', () => viewOf(us, 'go')?.state === 'alive');
    assert.equal(viewOf(us, 'go')?.incarnation, 2);
    assert.deepEqual(departures(us, them), []);
  });

  scene('one of us that is suspected by Go members objects, and stays', async ({ ours, theirs, address }) => {
    const config = { ...lan, stallTolerance: 5000 };
    const [us, three] = await Promise.all([ours({ config }), theirs(['go-1', 'go-2', 'go-3'])]);
    for (const name of ['go-1', 'go-2', 'go-3']) await three.join([`${address(1)}:${port}`], name);
    await eventually('each sees four', () => everyoneSees(us, three, ['go-1', 'go-2', 'go-3'], 4));
    us.cable.pull();
    await eventually('they suspect us', () => three.logged('Suspect ours has failed').length > 0, 8000);
    us.cable.plug();
    await eventually('we object', () => us.member.counters.refutations > 0);
    // Longer than the suspicion lasts that three of them agree on.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    assert.ok(await everyoneSees(us, three, ['go-1', 'go-2', 'go-3'], 4));
    assert.deepEqual(departures(us, three), []);
  });

  scene('one of us that restarts is known again at once, as who it is now', async ({ ours, theirs, address }) => {
    const [before, three] = await Promise.all([ours({ meta: 'before' }), theirs(['go-1', 'go-2', 'go-3'])]);
    for (const name of ['go-1', 'go-2', 'go-3']) await three.join([`${address(1)}:${port}`], name);
    await eventually('each sees four', () => everyoneSees(before, three, ['go-1', 'go-2', 'go-3'], 4));
    await before.member.close();
    const after = await ours({ meta: 'after' });
    await after.member.join([`${address(11)}:${port}`]);
    await eventually('each knows what it is now', async () => {
      const views = await Promise.all(['go-1', 'go-2', 'go-3'].map((name) => three.members(name)));
      return views.every((view) => view.find(({ name }) => name === 'ours')?.meta === 'after');
    });
    assert.ok((viewOf(after, 'ours')?.incarnation ?? 0) > 1);
    await content(after);
    assert.deepEqual(departures(after, three), []);
  });

  scene('one of us that restarts after it was missed is back at once', async ({ ours, theirs, address }) => {
    const [before, them] = await Promise.all([ours(), theirs(['go'])]);
    await before.member.join([`${address(11)}:${port}`]);
    await before.member.close();
    await eventually('it misses us', async () => !(await them.sees('ours')), 15_000);
    const after = await ours();
    await after.member.join([`${address(11)}:${port}`]);
    await eventually('we are back', async () => await them.sees('ours'), 2000);
    assert.ok((viewOf(after, 'ours')?.incarnation ?? 0) > 1);
  });

  scene('the key of a ring is changed while it runs', async ({ ours, theirs, address }) => {
    const [us, them] = await Promise.all([ours({ keys: [key] }), theirs(['go'], { keys: [key] })]);
    await us.member.join([`${address(11)}:${port}`]);
    const keyring = us.member.keyring;
    assert.ok(keyring);
    keyring.add(otherKey);
    for (const change of ['add', 'use'] as const)
      assert.equal((await them.changeKey(change, otherKey)).error, undefined);
    await content(us);
    keyring.use(otherKey);
    keyring.remove(key);
    assert.equal((await them.changeKey('remove', key)).error, undefined);
    await content(us);
    assert.deepEqual([drops(us), departures(us, them)], [{}, []]);
    const late = await ours({ keys: [key], name: 'late', at: 2 });
    assert.equal((await late.member.join([`${address(11)}:${port}`])).joined, 0);
  });

  test('twenty Go members and one of us see each other alive for a minute, under load', async () => {
    await minute;
  }, 90_000);
}

/** Encrypted, labelled and compressed, while the Go members talk at us and new ones come and go. */
async function minuteUnderLoad({ ours, theirs, address }: Scene): Promise<void> {
  const way = { keys: [key], label: 'load' };
  const names = Array.from({ length: 20 }, (_, i) => `go-${i + 1}`);
  const [us, them, comers] = await Promise.all([ours(way), theirs(names, way), theirs(['comer'], { ...way, at: 100 })]);
  await Promise.all(names.map((name) => them.join([`${address(1)}:${port}`], name)));
  await eventually('each sees all', () => everyoneSees(us, them, names, 21), 20_000);
  const seen = us.member.counters.packetsReceived;
  const end = performance.now() + 60_000;
  for (let round = 0; performance.now() < end; round++) {
    const of = names[round % names.length] ?? 'go-1';
    await them.send('ours', `packet ${round} ${'x'.repeat(1000)}`, { of, count: 20 });
    await them.send('ours', `stream ${round} ${'y'.repeat(50_000)}`, { of, reliable: true });
    if (round === 100) await comers.join([`${address(1)}:${port}`]);
    if (round === 300) await comers.leave();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(await everyoneSees(us, them, names, 21));
  const lost = departures(us, them).filter((departure) => !departure.endsWith('comer'));
  assert.deepEqual([lost, drops(us)], [[], {}]);
  assert.ok(us.member.counters.packetsReceived - seen > 5000, 'the load did not arrive');
}

async function inScene(goMember: string, net: number, body: (scene: Scene) => Promise<void>): Promise<void> {
  const close: (() => Promise<void> | void)[] = [];
  const address = (host: number) => `127.74.${net}.${host}`;
  try {
    await body({
      address,
      async ours({ config = fast, name = 'ours', meta = '', at = 1, keys, label = '' } = {}) {
        const here = { address: address(at), port };
        const cable = new PullableTransport(new NodeTransport(here));
        const member = new Memberlist({
          name,
          advertise: here,
          transport: cable,
          clock: systemClock,
          random: systemRandom,
          log: silentLogger,
          config: { ...config, label },
          meta: Buffer.from(meta),
          ...(keys && { keys }),
        });
        close.push(() => member.close());
        const events: MemberEvent[] = [];
        member.onChange((event) => events.push(event));
        await member.start();
        return { member, events, cable };
      },
      async theirs(names, { at = 11, ...options } = {}) {
        const settings: GoSettings = { names, address: address(at), port, ...options };
        const members = await GoMembers.start(goMember, settings);
        close.push(() => members.kill());
        return members;
      },
    });
  } finally {
    for (const end of close) await end();
  }
}

function sees(us: Ours, name: string): boolean {
  return viewOf(us, name) !== undefined;
}

function viewOf(us: Ours, name: string) {
  return us.member.members().find((member) => member.name === name);
}

async function everyoneSees(us: Ours | undefined, them: GoMembers, names: readonly string[], count: number) {
  const views = await Promise.all(names.map((name) => them.members(name)));
  return views.every((view) => view.length === count) && (us?.member.members().length ?? count) === count;
}

/** Who was lost, on either side. */
function departures(us: Ours, them: GoMembers): readonly string[] {
  const lost = us.events.filter(({ type }) => type === 'leave').map(({ member }) => `ours lost ${member.name}`);
  const theirLost = them.events
    .filter(({ event }) => event === 'leave')
    .map(({ at, member }) => `${at} lost ${member?.name}`);
  return [...lost, ...theirLost];
}

/** What was dropped, by reason. */
function drops({ member }: Ours): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(member.counters.dropped).filter(([, count]) => count > 0));
}

/** Some probes succeed, none fails, and nobody accuses us. */
async function content({ member }: Ours): Promise<void> {
  const { probes, probesMissed, refutations } = member.counters;
  await eventually('five probes', () => member.counters.probes >= probes + 5);
  assert.equal(member.counters.probesMissed, probesMissed);
  assert.equal(member.counters.refutations, refutations);
}

/** Packets that begin like a message of each type and go on like none. */
function garbage(count: number): readonly Uint8Array[] {
  const random = seededRandom(1);
  const types = Object.values(messageType);
  return Array.from({ length: count }, (_, i) => {
    const noise = random.bytes(1 + random.integer(200));
    return Uint8Array.of(types[i % types.length] ?? 0, 0xc1, ...noise);
  });
}

async function sendPackets(packets: readonly Uint8Array[], address: string): Promise<void> {
  const socket = createSocket('udp4');
  for (const packet of packets) await new Promise((done) => socket.send(packet, port, address, done));
  socket.close();
}

/** Resolves when the other side has closed. */
function sendStream(bytes: Uint8Array, host: string): Promise<void> {
  return new Promise((done) => {
    const socket = connect({ host, port }, () => socket.end(bytes));
    socket.on('error', () => {}).on('close', () => done());
    socket.resume();
  });
}
