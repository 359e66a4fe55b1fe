import assert from 'node:assert/strict';
import { type Config, fast, lan } from '../../src/memberlist-lite/config.ts';
import { maxMessageBytes, maxUserStateBytes } from '../../src/memberlist-lite/limits.ts';
import type { Sender } from '../../src/memberlist-lite/memberlist.ts';
import { suite } from '../support/suite.ts';
import { type Node, type NodeOptions, Ring, seenBy, withRings } from './ring.ts';

/** What applications do with a ring: messages, state in push/pulls, verdicts. */
const test = suite('memberlist-lite/application');

const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill);
const nodeAt = (ring: Ring, index: number) => ring.nodes[index] as Node;

type Heard = { readonly payload: Uint8Array; readonly from: Sender };

/** Three members that know each other, and what each has been told. */
async function three(ring: Ring, config: Config = lan, options: NodeOptions = {}): Promise<readonly Heard[][]> {
  for (const name of ['a', 'b', 'c']) await ring.add(name, config, options);
  for (const node of ring.nodes) void node.member.join([ring.endpoint(0)]);
  await ring.converge(['a', 'b', 'c']);
  return ring.nodes.map(({ member }) => {
    const heard: Heard[] = [];
    member.onMessage((payload, from) => heard.push({ payload, from }));
    return heard;
  });
}

const rings: readonly [name: string, config: Config, options: NodeOptions][] = [
  ['plain', { ...lan, compression: false }, {}],
  ['that compresses', lan, {}],
  ['that is encrypted', lan, { keys: [bytes(32)] }],
  ['with a label, encrypted, in protocol 1', { ...lan, label: 'lab1', protocolVersion: 1 }, { keys: [bytes(16)] }],
];
for (const [name, config, options] of rings) {
  for (const length of [0, 1, 1300, 1400, 60_000, maxMessageBytes]) {
    test(`in a ring ${name} a message of ${length} bytes reaches the member it is for, and tells who sent it`, async () => {
      const ring = new Ring(1);
      const [atA, atB, atC] = (await three(ring, config, options)) as [Heard[], Heard[], Heard[]];
      assert.equal(nodeAt(ring, 0).member.send('b', bytes(length)), undefined);
      await ring.clock.until('the message arrives', () => atB.length > 0, 1000);
      assert.deepEqual(atB, [{ payload: bytes(length), from: { name: 'a', address: '192.0.2.1' } }]);
      assert.equal(nodeAt(ring, 2).member.sendToAll(bytes(length)), undefined);
      await ring.clock.until('the message to all arrives', () => atA.length > 0 && atB.length > 1, 1000);
      assert.deepEqual(atA, [{ payload: bytes(length), from: { name: 'c', address: '192.0.2.3' } }]);
      assert.equal(atC.length, 0);
      await ring.clock.advance(100);
      assert.equal(nodeAt(ring, 2).member.counters.messagesSent, 2);
      await ring.close();
    });
  }
}

test('a message goes in one packet where one holds it, and over a stream where it is a byte longer', async () => {
  const ring = new Ring(1);
  const config = { ...lan, compression: false };
  const [, atB] = (await three(ring, config, { keys: [bytes(32)] })) as [Heard[], Heard[]];
  const longest = 1400 - 29 - 5 - 1;
  ring.network.sever('192.0.2.1', '192.0.2.2', 'packets');
  nodeAt(ring, 0).member.send('b', bytes(longest));
  await ring.clock.advance(100);
  assert.equal(atB.length, 0);
  nodeAt(ring, 0).member.send('b', bytes(longest + 1));
  await ring.clock.until('the longer one arrives', () => atB.length === 1, 100);
  await ring.close();
});

const refusals: readonly [name: string, to: string, length: number, failure: string][] = [
  ['to a stranger', 'nobody', 1, 'not-a-member'],
  ['to ourselves', 'a', 1, 'not-a-member'],
  ['above the limit', 'b', maxMessageBytes + 1, 'too-big'],
];
for (const [name, to, length, failure] of refusals) {
  test(`does not take on a message ${name}`, async () => {
    const ring = new Ring(1);
    await three(ring);
    assert.equal(nodeAt(ring, 0).member.send(to, bytes(length)), failure);
    await ring.close();
    assert.equal(nodeAt(ring, 0).member.send('b', bytes(1)), 'closed');
    assert.equal(nodeAt(ring, 0).member.sendToAll(bytes(1)), 'closed');
  });
}

test('messages for a member that does not take them wait in bounded room, and are given up in time', async () => {
  const ring = new Ring(1);
  await three(ring, { ...fast, suspicionMult: 100 });
  const { member } = nodeAt(ring, 0);
  ring.network.cut('192.0.2.2');
  let taken = 0;
  while (member.send('b', bytes(maxMessageBytes - 10)) === undefined) taken++;
  // 16 are on their way, the others wait.
  assert.ok(taken >= 31 && taken <= 32 + 16, `${taken}`);
  while (member.send('b', bytes(2000)) === undefined) taken++;
  assert.ok(taken <= 1024 + 16, `${taken}`);
  assert.equal(member.send('c', bytes(2000)), 'overloaded');
  assert.equal(member.send('c', bytes(10)), undefined, 'packets do not wait');
  await ring.clock.advance(80_000);
  assert.equal(member.send('c', bytes(2000)), undefined);
  assert.ok(member.counters.messagesUnsent >= taken);
  await ring.close();
});

test('a listener that throws harms nobody, and one that has gone hears nothing', async () => {
  const ring = new Ring(1);
  const [, atB] = (await three(ring)) as [Heard[], Heard[]];
  const { member } = nodeAt(ring, 1);
  let thrown = 0;
  const stop = member.onMessage(() => {
    thrown++;
    throw new Error('cannot read that');
  });
  nodeAt(ring, 0).member.send('b', bytes(3));
  nodeAt(ring, 0).member.send('b', bytes(3000));
  await ring.clock.until('both arrive', () => thrown === 2, 100);
  stop();
  nodeAt(ring, 0).member.send('b', bytes(3));
  await ring.clock.until('the third arrives', () => atB.length === 3, 100);
  assert.equal(thrown, 2);
  await ring.close();
});

test('joining exchanges the state of both applications, and so does every push/pull after it', async () => {
  const ring = new Ring(1);
  const merged: string[] = [];
  const options = (name: string): NodeOptions => ({
    localState: (join) => new TextEncoder().encode(`${name}, ${join ? 'joining' : 'as before'}`),
    mergeState: (state, from, join) =>
      merged.push(`${name} from ${from.name} ${join}: ${new TextDecoder().decode(state)}`),
  });
  for (const name of ['a', 'b']) await ring.add(name, lan, options(name));
  void nodeAt(ring, 1).member.join([ring.endpoint(0)]);
  await ring.converge(['a', 'b']);
  assert.deepEqual(merged.sort(), ['a from b true: b, joining', 'b from a true: a, joining']);
  merged.length = 0;
  await ring.clock.advance(61_000);
  assert.ok(merged.includes('a from b false: b, as before') && merged.includes('b from a false: a, as before'));
  await ring.close();
});

const states: readonly [name: string, localState: () => Uint8Array, arrives: number | undefined][] = [
  ['as big as may be', () => bytes(maxUserStateBytes), maxUserStateBytes],
  ['that is empty', () => bytes(0), undefined],
  ['above the limit', () => bytes(maxUserStateBytes + 1), undefined],
  [
    'that cannot be told',
    () => {
      throw new Error('not now');
    },
    undefined,
  ],
];
for (const [name, localState, arrives] of states) {
  test(`members join whatever their applications do: state ${name}`, async () => {
    const ring = new Ring(1);
    const lengths: number[] = [];
    await ring.add('a', lan, {
      mergeState: (state) => {
        lengths.push(state.length);
        throw new Error('cannot take that');
      },
    });
    await ring.add('b', lan, { localState });
    void nodeAt(ring, 1).member.join([ring.endpoint(0)]);
    await ring.converge(['a', 'b']);
    assert.deepEqual(lengths, arrives === undefined ? [] : [arrives]);
    await ring.close();
  });
}

test('a verdict of another detector is known to all at once, and a live member is back at once', async () => {
  await withRings(5, async (ring) => {
    const nodes = await ring.grow(6, lan);
    await ring.clock.advance(3000);
    for (const node of nodes) node.events.length = 0;
    assert.equal(nodeAt(ring, 0).member.declareDead('node-6'), true);
    assert.ok(!seenBy(nodeAt(ring, 0)).includes('node-6'));
    await ring.clock.advance(0.6);
    for (const node of nodes.slice(0, 5)) {
      const [first] = node.events;
      assert.deepEqual([first?.type, first?.member.name, first?.member.state], ['leave', 'node-6', 'dead'], node.name);
    }
    // The accused tells its accuser directly; the others hear it by gossip.
    assert.ok((await ring.converge(seenBy(nodeAt(ring, 5)), [nodeAt(ring, 0)], 10)) < 5);
    await ring.converge(seenBy(nodeAt(ring, 5)), nodes, 5000);
    assert.equal(nodeAt(ring, 5).member.counters.refutations, 1);
  });
});

test('a verdict on a member that is really gone stands, and is faster than any suspicion', async () => {
  await withRings(3, async (ring) => {
    const nodes = await ring.grow(4, lan);
    await ring.clock.advance(3000);
    ring.network.cut('192.0.2.4');
    nodeAt(ring, 0).member.declareDead('node-4');
    const survivors = nodes.slice(0, 3);
    assert.ok((await ring.converge(['node-1', 'node-2', 'node-3'], survivors)) < 2);
    await ring.clock.advance(60_000);
    for (const node of survivors) assert.equal(node.events.filter(({ type }) => type === 'leave').length, 1);
  });
});

test('no verdict on ourselves, on strangers, on the dead, when we leave or are closed', async () => {
  const ring = new Ring(1);
  await three(ring);
  const { member } = nodeAt(ring, 0);
  assert.equal(member.declareDead('a'), false);
  assert.equal(member.declareDead('nobody'), false);
  ring.network.cut('192.0.2.3');
  assert.equal(member.declareDead('c'), true);
  assert.equal(member.declareDead('c'), false);
  void member.leave();
  assert.equal(member.declareDead('b'), false);
  await nodeAt(ring, 1).member.close();
  assert.equal(nodeAt(ring, 1).member.declareDead('a'), false);
  await ring.close();
});

const reaches: readonly [name: string, arrange: (ring: Ring) => void, reached: boolean][] = [
  ['is there', () => {}, true],
  [
    'is behind a path that carries streams only',
    (ring) => ring.network.sever('192.0.2.1', '192.0.2.3', 'packets'),
    true,
  ],
  ['only another member reaches', (ring) => ring.network.sever('192.0.2.1', '192.0.2.3', 'everything'), true],
  ['nobody reaches', (ring) => ring.network.cut('192.0.2.3'), false],
  ['is held up', (ring) => nodeAt(ring, 2).process.hold(), false],
];
for (const [name, arrange, reached] of reaches) {
  test(`says of a member that ${name} whether it is reached, in the time it was given`, async () => {
    const ring = new Ring(1);
    await three(ring, fast);
    arrange(ring);
    let result: boolean | undefined;
    void nodeAt(ring, 0)
      .member.reach('c', 150)
      .then((found) => {
        result = found;
      });
    const time = await ring.clock.until('a result', () => result !== undefined, 150);
    assert.equal(result, reached);
    if (reached) assert.ok(time < 5, `${time}`);
    await ring.close();
  });
}

test('finds nothing out about a member while we are held up or closed, and that is no verdict', async () => {
  const ring = new Ring(1);
  await three(ring, fast);
  const { member, process } = nodeAt(ring, 0);
  ring.network.cut('192.0.2.3');
  const results: boolean[] = [];
  const ask = () => void member.reach('c', 150).then((reached) => results.push(reached));
  ask();
  process.hold();
  await ring.clock.advance(300);
  process.resume();
  await ring.clock.until('the first result', () => results.length === 1, 1);
  for (let i = 0; i < 1030; i++) ask();
  await ring.clock.advance(0);
  assert.equal(results.length, 1 + 6, 'as many as run at one time; the others find nothing out');
  await member.close();
  ask();
  await ring.clock.advance(0);
  assert.deepEqual(new Set(results), new Set([true]));
  assert.equal(results.length, 1032);
  assert.equal(await member.reach('nobody', 10), false);
  await ring.close();
});

test('a member that is vouched for is not lost, until that ends', async () => {
  const ring = new Ring(1);
  let isHeard = true;
  await three(ring, fast, { vouches: (name) => name === 'c' && isHeard });
  ring.network.cut(nodeAt(ring, 2).address);
  await ring.clock.advance(20_000);
  for (const index of [0, 1]) assert.deepEqual(seenBy(nodeAt(ring, index)), ['a', 'b', 'c']);
  isHeard = false;
  await ring.converge(['a', 'b'], ring.nodes.slice(0, 2), 5_000);
  await ring.close();
});
