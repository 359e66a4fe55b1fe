import assert from 'node:assert/strict';
import { fast, lan, presets } from '../../src/memberlist-lite/config.ts';
import { maxMetaBytes } from '../../src/memberlist-lite/limits.ts';
import { Memberlist } from '../../src/memberlist-lite/memberlist.ts';
import { encodeMessage } from '../../src/memberlist-lite/messages.ts';
import { decodePacket } from '../../src/memberlist-lite/packet.ts';
import type { Stream } from '../../src/memberlist-lite/transport.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SimNetwork } from '../support/sim-network.ts';
import { suite } from '../support/suite.ts';
import { type Node, Ring, seenBy, withRings } from './ring.ts';
import { bytesOf, framing, sample } from './vectors.ts';

const test = suite('memberlist-lite/memberlist');

const stranger = { address: '192.0.2.200', port: 7946 };
const names = (count: number) => Array.from({ length: count }, (_, i) => `node-${i + 1}`);
const first = (ring: Ring) => ring.nodes[0] as Node;

for (const [members, seeds] of [
  [2, 5],
  [3, 5],
  [10, 3],
  [30, 2],
] as const) {
  test(`${members} members that join one of them all know each other`, async () => {
    await withRings(
      seeds,
      async (ring) => {
        await ring.grow(members, lan);
        for (const node of ring.nodes) {
          assert.deepEqual(node.events.map((event) => `${event.type} ${event.member.name}`).sort(), [
            ...names(members)
              .map((name) => `join ${name}`)
              .sort(),
          ]);
        }
      },
      { loss: 0.05, delay: [0.1, 5] },
    );
  });
}

test('a ring in which all traffic is encrypted works, and who has no key or another stays out', async () => {
  await withRings(2, async (ring) => {
    const keys = [new Uint8Array(32).fill(7)];
    for (const name of ['a', 'b', 'c']) await ring.add(name, lan, { keys });
    for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
    await ring.converge(['a', 'b', 'c']);
    const plain = await ring.add('plain', lan);
    const other = await ring.add('other', lan, { keys: [new Uint8Array(32).fill(8)] });
    const joins = [plain, other].map((node) => node.member.join([ring.endpoint(0)]));
    await ring.clock.advance(30_000);
    const errors = (await Promise.all(joins)).map(({ failed }) => failed[0]?.error);
    assert.deepEqual(errors, ['encrypted', 'undecryptable']);
    assert.deepEqual(seenBy(first(ring)), ['a', 'b', 'c']);
    assert.ok(first(ring).member.counters.dropped.undecryptable > 0);
  });
});

test('changes its key while it runs', async () => {
  await withRings(1, async (ring) => {
    const [old, next] = [1, 2].map((fill) => new Uint8Array(32).fill(fill)) as [Uint8Array, Uint8Array];
    for (const name of ['a', 'b', 'c']) await ring.add(name, fast, { keys: [old] });
    for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
    await ring.converge(['a', 'b', 'c']);
    for (const node of ring.nodes) node.member.keyring?.add(next);
    for (const node of ring.nodes) node.member.keyring?.use(next);
    for (const node of ring.nodes) node.member.keyring?.remove(old);
    await ring.clock.advance(20_000);
    for (const node of ring.nodes) assert.equal(node.events.filter(({ type }) => type === 'leave').length, 0);
  });
});

const failures: readonly [name: string, peer: string, error: string][] = [
  ['nobody listens', '192.0.2.99:7946', 'unreachable'],
  ['the text names no endpoint', '192.0.2.99', 'not-an-endpoint'],
  ['a peer does not answer', '192.0.2.66:7946', 'timeout'],
  ['versions do not go together', '192.0.2.3:7946', 'version'],
];
test('a join tells for each peer why it failed, and counts those that worked', async () => {
  await withRings(1, async (ring) => {
    await ring.add('a', lan);
    await ring.add('b', lan);
    await ring.add('serf', { ...lan, delegateVersions: [2, 5, 4] });
    ring.network.cut('192.0.2.66');
    const join = ring.nodes[1]?.member.join([ring.endpoint(0), ...failures.map(([, peer]) => peer)]);
    await ring.clock.advance(15_000);
    const result = await join;
    assert.equal(result?.joined, 1);
    const told = new Map(result?.failed.map(({ peer, error }) => [peer, error]));
    for (const [name, peer, error] of failures) assert.equal(told.get(peer), error, name);
    assert.deepEqual(seenBy(first(ring)), ['a', 'b']);
  });
});

test('who leaves is gone for all at once, and is not accused first', async () => {
  await withRings(5, async (ring) => {
    const nodes = await ring.grow(5, lan);
    await ring.clock.advance(3000);
    const leaver = nodes[4] as Node;
    const left = leaver.member.leave();
    assert.ok((await ring.converge(names(4))) < 2);
    await ring.clock.advance(100);
    await left;
    await leaver.member.close();
    await ring.clock.advance(20_000);
    for (const node of nodes.slice(0, 4)) {
      const last = node.events.at(-1);
      assert.equal(`${last?.type} ${last?.member.name} ${last?.member.state}`, 'leave node-5 left');
    }
  });
});

test('says farewell twice, in case that a packet is lost', async () => {
  const { ring, heard, join } = await listening('a');
  await join('010502000000');
  await ring.clock.advance(3000);
  heard.length = 0;
  let left = false;
  void first(ring)
    .member.leave()
    .then(() => {
      left = true;
    });
  await ring.clock.until('the farewell is over', () => left, 100);
  await ring.clock.advance(1);
  assert.ok(heard.filter((type) => type === 'dead').length >= 2);
  await ring.close();
});

for (const [vsn, checked] of [
  ['010502000000', true],
  ['010402000000', false],
] as const) {
  test(`gossip to a member of versions ${vsn} has ${checked ? 'a' : 'no'} checksum`, async () => {
    const { ring, packets, join } = await listening('a');
    await join(vsn);
    await ring.clock.until('gossip', () => packets.length > 0, 1000);
    assert.equal(packets[0]?.[0] === 12, checked);
    await ring.close();
  });
}

test('the name of one that left may come back at another address', async () => {
  await withRings(2, async (ring) => {
    const nodes = await ring.grow(3, lan);
    void nodes[2]?.member.leave();
    await ring.converge(names(2));
    await nodes[2]?.member.close();
    const heir = await ring.add('node-3', lan);
    void heir.member.join([ring.endpoint(0)]);
    await ring.converge(names(3), [...nodes.slice(0, 2), heir]);
  });
});

test('a member that restarts at its place is back at once, even before the others missed it', async () => {
  await withRings(3, async (ring) => {
    const nodes = await ring.grow(3, lan);
    const old = nodes[2] as Node;
    await old.member.close();
    const heir = await ring.add(old.name, lan, { address: old.address });
    void heir.member.join([ring.endpoint(0)]);
    await ring.converge(names(3), [...nodes.slice(0, 2), heir]);
    await ring.clock.advance(20_000);
    for (const node of nodes.slice(0, 2))
      assert.deepEqual(
        node.events.filter(({ type }) => type === 'leave'),
        [],
      );
  });
});

test('one that is wrongly declared dead objects and is back', async () => {
  await withRings(3, async (ring) => {
    await ring.grow(5, lan);
    await ring.clock.advance(3000);
    const lie = encodeMessage({ type: 'dead', node: 'node-3', incarnation: 1, from: 'node-2' });
    ring.network.carryPacket(stranger, { address: '192.0.2.1', port: 7946 }, lie);
    await ring.converge(['node-1', 'node-2', 'node-4', 'node-5'], [first(ring)], 10);
    await ring.converge(names(5), ring.nodes, 5000);
    assert.equal(ring.nodes[2]?.member.counters.refutations, 1);
  });
});

for (const [preset, config, duration] of [
  ['lan', lan, 2500],
  ['fast', fast, 500],
] as const) {
  test(`a partition of ${duration} ms loses nobody with ${preset} timers`, async () => {
    await withRings(25, async (ring) => {
      const nodes = await ring.grow(6, config);
      await ring.clock.advance(3000);
      ring.network.partition(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
      await ring.clock.advance(duration);
      ring.network.heal();
      await ring.clock.advance(15_000);
      for (const node of nodes)
        assert.deepEqual(
          node.events.filter(({ type }) => type === 'leave'),
          [],
        );
    });
  });
}

test('a long partition makes two rings, and one join after it makes them one again', async () => {
  await withRings(3, async (ring) => {
    const nodes = await ring.grow(6, lan);
    await ring.clock.advance(3000);
    ring.network.partition(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    await ring.converge(names(3), nodes.slice(0, 3), 60_000);
    await ring.converge(['node-4', 'node-5', 'node-6'], nodes.slice(3), 60_000);
    await ring.clock.advance(120_000);
    ring.network.heal();
    void nodes[0]?.member.join([ring.endpoint(5)]);
    await ring.converge(names(6), nodes, 5000);
  });
});

const answers: readonly [name: string, sent: string, type: string | undefined][] = [
  ['a ping by the name it has', 'ping', 'ack'],
  ['a ping for another name', 'sealed ping', undefined],
];
for (const [name, sent, type] of answers) {
  test(`${type === undefined ? 'does not answer' : 'answers'} ${name}`, async () => {
    const { ring, heard } = await listening('c');
    ring.network.carryPacket(stranger, { address: '192.0.2.1', port: 7946 }, withoutSource(bytesOf(sample(sent).hex)));
    await ring.clock.advance(100);
    assert.equal(heard[0], type);
    await ring.close();
  });
}

test('sends the nack for an indirect ping early enough to count', async () => {
  const { ring, heard } = await listening('a');
  const request = encodeMessage({
    type: 'indirectPing',
    seqNo: 77,
    target: '192.0.2.99',
    port: 7946,
    node: 'gone',
    nack: true,
    sourceAddr: '',
    sourcePort: 0,
    sourceNode: '',
  });
  ring.network.carryPacket(stranger, { address: '192.0.2.1', port: 7946 }, request);
  const nacked = () => heard.includes('nack');
  const time = await ring.clock.until('the nack', nacked, 1000);
  assert.ok(time > 350 && time < 450, `after ${time} ms`);
  await ring.close();
});

test('takes on a limited number of indirect pings, and forgets them in time', async () => {
  const { ring } = await listening('a');
  for (let seqNo = 0; seqNo < 1500; seqNo++) {
    const node = 'gone';
    const source = { sourceAddr: '', sourcePort: 0, sourceNode: '' };
    const request = {
      type: 'indirectPing',
      seqNo,
      target: '192.0.2.99',
      port: 7946,
      node,
      nack: true,
      ...source,
    } as const;
    ring.network.carryPacket(stranger, { address: '192.0.2.1', port: 7946 }, encodeMessage(request));
  }
  await ring.clock.advance(100);
  assert.equal(first(ring).member.counters.dropped['relay-limit'], 1500 - 1024);
  await ring.clock.advance(1000);
  await ring.close();
  assert.equal(ring.clock.pending(), 0);
});

test('holds a limited number of streams open, and none of them for long', async () => {
  const { ring } = await listening('a');
  let closed = 0;
  const open = (): Stream => {
    const stream = ring.network.carryStream(stranger, { address: '192.0.2.1', port: 7946 });
    stream.receive({ data() {}, end() {}, closed: () => closed++ });
    return stream;
  };
  for (let i = 0; i < 150; i++) open().write(Uint8Array.of(6));
  await ring.clock.advance(100);
  assert.equal(closed, 150 - 128);
  await ring.clock.advance(10_000);
  assert.equal(closed, 150, 'closed by their deadline');
  const { dropped } = first(ring).member.counters;
  assert.deepEqual([dropped['stream-limit'], dropped['stream-timeout']], [22, 128]);
  const stream = ring.network.carryStream(stranger, { address: '192.0.2.1', port: 7946 });
  let reply: number | undefined; // 9: compressed
  stream.receive({ data: (bytes) => (reply ??= bytes[0]), end: () => stream.destroy(), closed() {} });
  stream.write(bytesOf(sample('push/pull query without nodes').hex));
  await ring.clock.until('a reply', () => reply === 9, 100);
  await ring.close();
});

test('a ring under a rain of garbage goes on', async () => {
  await withRings(1, async (ring) => {
    const nodes = await ring.grow(3, fast);
    const random = seededRandom(99);
    const captured = ['alive', 'ack with gossip', 'compressed gossip', 'indirect ping'].map((name) => sample(name).hex);
    for (let i = 0; i < 3000; i++) {
      const base = bytesOf(captured[i % captured.length] ?? '');
      const bytes = i % 2 === 0 ? random.bytes(random.integer(200)) : base;
      if (bytes.length > 0) bytes[random.integer(bytes.length)] = random.integer(256);
      const to = { address: `192.0.2.${1 + (i % 3)}`, port: 7946 };
      ring.network.carryPacket(stranger, to, bytes);
      if (i % 10 === 0) {
        const stream = ring.network.carryStream(stranger, to);
        stream.receive({ data() {}, end() {}, closed() {} });
        stream.write(bytes);
      }
      if (i % 100 === 0) await ring.clock.advance(50);
    }
    await ring.clock.advance(15_000);
    for (const node of nodes) for (const name of names(3)) assert.ok(seenBy(node).includes(name));
    assert.ok(first(ring).member.counters.dropped['unknown-type'] > 0);
  });
});

test('is silent after close, which may be called again, and leaves no timer', async () => {
  const ring = new Ring(1);
  const nodes = await ring.grow(3, fast);
  await ring.clock.advance(100);
  for (const node of nodes) await Promise.all([node.member.close(), node.member.close()]);
  await ring.clock.advance(20_000);
  assert.equal(ring.clock.pending(), 0);
  const counted = nodes.map((node) => node.member.counters.packetsSent);
  await ring.clock.advance(20_000);
  assert.deepEqual(
    nodes.map((node) => node.member.counters.packetsSent),
    counted,
  );
  await Promise.all(nodes.map((node) => node.member.leave()));
});

const longest = new Uint8Array(maxMetaBytes).fill(7);
const metaOf = (node: Node, name: string) => node.member.members().find((member) => member.name === name)?.meta;

test('what a member says of itself is known to all, keeps to what it was, and is no change later', async () => {
  await withRings(
    2,
    async (ring) => {
      const told = longest.slice();
      await ring.add('a', fast);
      await ring.add('b', fast, { meta: told });
      await ring.add('c', fast, { meta: Uint8Array.of(1, 0) });
      told.fill(0);
      for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
      await ring.converge(['a', 'b', 'c']);
      for (const node of ring.nodes) {
        assert.deepEqual(metaOf(node, 'a'), new Uint8Array(0));
        assert.deepEqual(metaOf(node, 'b'), longest);
        assert.deepEqual(metaOf(node, 'c'), Uint8Array.of(1, 0));
      }
      await ring.clock.advance(60_000);
      for (const { events } of ring.nodes) assert.ok(events.every(({ type }) => type === 'join'));
    },
    { loss: 0.02, delay: [0.1, 5] },
  );
});

test('a member that restarts and says something else of itself is believed', async () => {
  await withRings(2, async (ring) => {
    await ring.add('a', fast);
    const old = await ring.add('b', fast, { meta: Uint8Array.of(1) });
    void old.member.join([ring.endpoint(0)]);
    await ring.converge(['a', 'b']);
    await old.member.close();
    const heir = await ring.add('b', fast, { address: old.address, meta: Uint8Array.of(2) });
    void heir.member.join([ring.endpoint(0)]);
    await ring.clock.until('a knows', () => metaOf(first(ring), 'b')?.[0] === 2, 5_000);
    assert.deepEqual(
      first(ring).events.map(({ type }) => type),
      ['join', 'join', 'update'],
    );
  });
});

test('throws for more to say of itself than the protocol allows', () => {
  const clock = new FakeClock();
  const advertise = { address: '192.0.2.1', port: 7946 };
  const transport = new SimNetwork(clock, seededRandom(1)).transport(advertise);
  const rest = { name: 'a', advertise, transport, clock, random: seededRandom(1), log: silentLogger, config: lan };
  const meta = new Uint8Array(maxMetaBytes + 1);
  assert.throws(() => new Memberlist({ ...rest, meta }), {
    name: 'ConfigError',
    code: 'META',
    message: /512 bytes: 513/,
  });
});

test('stops telling a listener that has gone', async () => {
  const ring = new Ring(1);
  const node = await ring.add('a', lan);
  const heard: string[] = [];
  const stop = node.member.onChange((event) => heard.push(event.member.name));
  stop();
  await ring.add('b', lan);
  void node.member.join([ring.endpoint(1)]);
  await ring.converge(['a', 'b']);
  assert.deepEqual(heard, []);
  await ring.close();
});

const unusable: readonly [name: string, member: string, address: string, port: number, code: string][] = [
  ['no name', '', '192.0.2.1', 7946, 'NAME'],
  ['a name above the limit', 'x'.repeat(513), '192.0.2.1', 7946, 'NAME'],
  ['a host name for an address', 'a', 'node-1', 7946, 'ADDRESS'],
  ['no port', 'a', '192.0.2.1', 0, 'ADDRESS'],
];
for (const [name, member, address, port, code] of unusable) {
  test(`throws for ${name}`, () => {
    const clock = new FakeClock();
    const network = new SimNetwork(clock, seededRandom(1));
    const transport = network.transport({ address: '192.0.2.1', port: 7946 });
    const rest = { transport, clock, random: seededRandom(1), log: silentLogger, config: lan };
    assert.throws(() => new Memberlist({ name: member, advertise: { address, port }, ...rest }), { code });
  });
}

test('the presets of HashiCorp have its timings', () => {
  const rows = Object.entries(presets).map(([name, c]) => [name, c.probeInterval, c.probeTimeout, c.suspicionMult]);
  assert.deepEqual(rows, [
    ['lan', 1000, 500, 4],
    ['wan', 5000, 3000, 6],
    ['local', 1000, 200, 3],
    ['fast', 200, 100, 4],
  ]);
});

/** A lone member, and what it sends to a stranger, who is no member until it joins: the packets, and the types in them. */
async function listening(name: string) {
  const ring = new Ring(1);
  await ring.add(name, lan);
  const packets: Uint8Array[] = [];
  const heard: string[] = [];
  const packet = (bytes: Uint8Array) => {
    packets.push(bytes);
    for (const message of decodePacket(bytes, framing(), () => {})) heard.push(message.type);
  };
  await ring.network.transport(stranger).listen({ packet, stream() {} });
  const join = async (vsn: string) => {
    const { address: addr, port } = stranger;
    const claim = { node: 'stranger', incarnation: 1, addr, port, meta: new Uint8Array(0), vsn: bytesOf(vsn) };
    ring.network.carryPacket(stranger, { address: '192.0.2.1', port }, encodeMessage({ type: 'alive', ...claim }));
    await ring.clock.until('the stranger counts', () => seenBy(first(ring)).length === 2, 100);
  };
  return { ring, packets, heard, join };
}

/** A captured ping without the address that its answer should go to. */
function withoutSource(ping: Uint8Array): Uint8Array {
  return ping[0] === 0
    ? encodeMessage({ type: 'ping', seqNo: 1, node: 'c', sourceAddr: '', sourcePort: 0, sourceNode: '' })
    : ping;
}
