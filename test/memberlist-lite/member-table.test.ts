import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Effect, isMember, MemberTable, type TableSettings } from '../../src/memberlist-lite/member-table.ts';
import { type Alive, type MemberState, memberStates, type NodeState } from '../../src/memberlist-lite/messages.ts';
import { suite } from '../support/suite.ts';
import { bytesOf } from './vectors.ts';

const test = suite('memberlist-lite/member-table');

const none = new Uint8Array(0);
const vsn = bytesOf('010502000000');
const settings: TableSettings = {
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  probeInterval: 1000,
  gossipToTheDeadTime: 30_000,
  deadNodeReclaimTime: 0,
  protocolVersion: 2,
};
const self = { name: 'us', address: '192.0.2.1', port: 7946, meta: none, vsn };

const alive = (node: string, incarnation: number, changes: Partial<Alive> = {}): Alive => ({
  node,
  incarnation,
  addr: node === 'us' ? '192.0.2.1' : '192.0.2.9',
  port: 7946,
  meta: none,
  vsn,
  ...changes,
});
const accuse = (node: string, incarnation: number, from = 'x') => ({ node, incarnation, from });

/** A table in which `them` is in the given state at incarnation 5. */
function tableWith(state: MemberState, changes: Partial<TableSettings> = {}): MemberTable {
  const table = new MemberTable(self, 0, { ...settings, ...changes });
  table.alive(alive('them', 5), 0);
  if (state === 'suspect') table.suspect(accuse('them', 5), 0);
  if (state === 'dead') table.dead(accuse('them', 5), 0);
  if (state === 'left') table.dead(accuse('them', 5, 'them'), 0);
  return table;
}

/** What an effect says, in one word. */
const words = (effects: readonly Effect[]) =>
  effects.map((effect) => {
    if (effect.type === 'broadcast') return `tell ${effect.message.type} ${effect.message.incarnation}`;
    if (effect.type === 'changed') return effect.change;
    return effect.type === 'refused' ? effect.reason : effect.type;
  });

const heard: readonly [
  before: MemberState,
  claim: 'alive' | 'suspect' | 'dead' | 'left',
  incarnation: number,
  after: MemberState,
  effects: readonly string[],
][] = [
  ['alive', 'alive', 4, 'alive', []],
  ['alive', 'alive', 5, 'alive', []],
  ['alive', 'alive', 6, 'alive', ['tell alive 6']],
  ['alive', 'suspect', 4, 'alive', []],
  ['alive', 'suspect', 5, 'suspect', ['tell suspect 5']],
  ['alive', 'suspect', 6, 'suspect', ['tell suspect 6']],
  ['alive', 'dead', 4, 'alive', []],
  ['alive', 'dead', 5, 'dead', ['tell dead 5', 'leave']],
  ['alive', 'left', 5, 'left', ['tell dead 5', 'leave']],
  ['suspect', 'alive', 5, 'suspect', []],
  ['suspect', 'alive', 6, 'alive', ['tell alive 6']],
  ['suspect', 'suspect', 4, 'suspect', []],
  ['suspect', 'dead', 4, 'suspect', []],
  ['suspect', 'dead', 5, 'dead', ['tell dead 5', 'leave']],
  ['suspect', 'left', 5, 'left', ['tell dead 5', 'leave']],
  ['dead', 'alive', 5, 'dead', []],
  ['dead', 'alive', 6, 'alive', ['tell alive 6', 'join']],
  ['dead', 'suspect', 6, 'dead', []],
  ['dead', 'dead', 6, 'dead', []],
  ['dead', 'left', 6, 'dead', []],
  ['left', 'alive', 5, 'left', []],
  ['left', 'alive', 6, 'alive', ['tell alive 6', 'join']],
  ['left', 'suspect', 6, 'left', []],
  ['left', 'dead', 6, 'left', []],
];
for (const [before, claim, incarnation, after, effects] of heard) {
  const than = incarnation < 5 ? 'older' : incarnation > 5 ? 'newer' : 'equal';
  test(`${before}, told ${claim} at ${than} incarnation: ${after}`, () => {
    const table = tableWith(before);
    const result =
      claim === 'alive'
        ? table.alive(alive('them', incarnation), 100)
        : claim === 'suspect'
          ? table.suspect(accuse('them', incarnation), 100)
          : table.dead(accuse('them', incarnation, claim === 'left' ? 'them' : 'x'), 100);
    assert.deepEqual(words(result), effects);
    assert.equal(table.get('them')?.state, after);
    assert.equal(table.get('them')?.incarnation, effects.length > 0 ? incarnation : 5);
    assert.equal(table.get('them')?.since, before === after ? 0 : 100);
  });
}

test('a member not heard of before joins', () => {
  const table = new MemberTable(self, 0, settings);
  assert.deepEqual(words(table.alive(alive('new', 1), 0)), ['added', 'tell alive 1', 'join']);
  assert.equal(table.get('new')?.state, 'alive');
});

test('accusations of unknown members change nothing', () => {
  const table = new MemberTable(self, 0, settings);
  assert.deepEqual([...table.suspect(accuse('new', 1), 0), ...table.dead(accuse('new', 1), 0)], []);
  assert.equal(table.size, 1);
});

test('other application data is an update', () => {
  const table = tableWith('alive');
  assert.deepEqual(words(table.alive(alive('them', 6, { meta: bytesOf('01') }), 0)), ['tell alive 6', 'update']);
});

test('a member without a port is at ours', () => {
  const table = new MemberTable(self, 0, settings);
  table.alive(alive('old', 1, { port: 0 }), 0);
  assert.equal(table.get('old')?.port, 7946);
});

const moves: readonly [state: MemberState, reclaim: number, moved: boolean][] = [
  ['alive', 0, false],
  ['suspect', 0, false],
  ['dead', 0, false],
  ['dead', 2000, false],
  ['dead', 500, true],
  ['left', 0, true],
];
for (const [state, deadNodeReclaimTime, moved] of moves) {
  test(`a ${state} name ${moved ? 'may' : 'may not'} come back elsewhere within 1 s (reclaim ${deadNodeReclaimTime} ms)`, () => {
    const table = tableWith(state, { deadNodeReclaimTime });
    // A restarted member begins again at incarnation 1.
    const effects = table.alive(alive('them', 1, { addr: '192.0.2.77' }), 1000);
    assert.deepEqual(words(effects), moved ? ['tell alive 1', 'join'] : ['address-conflict']);
    assert.equal(table.get('them')?.address, moved ? '192.0.2.77' : '192.0.2.9');
  });
}

const versions: readonly [name: string, vsn: string, known: boolean, accepted: boolean][] = [
  ['minimum 0', '000502000000', true, false],
  ['maximum 0', '010002000000', true, false],
  ['minimum above maximum', '050402000000', true, false],
  ['none, from a known member', '', true, true],
  ['none, from a new member', '', false, false],
];
for (const [name, hex, known, accepted] of versions) {
  test(`${accepted ? 'accepts' : 'refuses'} protocol versions: ${name}`, () => {
    const table = known ? tableWith('alive') : new MemberTable(self, 0, settings);
    const effects = table.alive(alive('them', 6, { vsn: bytesOf(hex) }), 0);
    assert.deepEqual(words(effects), accepted ? ['tell alive 6'] : ['version']);
    assert.deepEqual(table.get('them')?.vsn, known ? vsn : undefined);
  });
}

const aboutUs: readonly [name: string, act: (table: MemberTable) => readonly Effect[], incarnation: number][] = [
  ['an accusation at our incarnation', (table) => table.suspect(accuse('us', 1), 0), 2],
  ['an accusation far ahead of us', (table) => table.suspect(accuse('us', 40), 0), 41],
  ['a death sentence', (table) => table.dead(accuse('us', 7), 0), 8],
  ['a farewell in our name', (table) => table.dead(accuse('us', 1, 'us'), 0), 2],
  ['an old accusation', (table) => table.suspect(accuse('us', 0), 0), 1],
  ['our own words', (table) => table.alive(alive('us', 1), 0), 1],
  ['an older life of ours', (table) => table.alive(alive('us', 9), 0), 10],
  ['our words with other data', (table) => table.alive(alive('us', 1, { meta: bytesOf('01') }), 0), 2],
  ['our name at another address', (table) => table.alive(alive('us', 9, { addr: '192.0.2.99' }), 0), 1],
];
for (const [name, act, incarnation] of aboutUs) {
  test(`answers ${name} with incarnation ${incarnation}`, () => {
    const table = new MemberTable(self, 0, settings);
    const effects = words(act(table));
    assert.equal(table.get('us')?.incarnation, incarnation);
    assert.equal(table.get('us')?.state, 'alive');
    if (incarnation > 1) assert.deepEqual(effects, ['refuted', `tell alive ${incarnation}`]);
  });
}

test('the last incarnation there is does not overflow', () => {
  const table = new MemberTable(self, 0, settings);
  assert.deepEqual(words(table.suspect(accuse('us', 0xffff_ffff), 0)), ['refuted', 'tell alive 4294967295']);
});

test('a suspect that nobody saves is declared dead when its time is up', () => {
  const table = tableWith('suspect');
  assert.equal(table.nextDeadline(), 4000);
  assert.deepEqual(table.expire(3999), []);
  assert.deepEqual(words(table.expire(4000)), ['tell dead 5', 'leave']);
  assert.equal(table.nextDeadline(), undefined);
});

test('each new accuser shortens the wait and is passed on, the same one again is not', () => {
  const table = tableWith('alive');
  for (let i = 0; i < 3; i++) table.alive(alive(`other-${i}`, 1), 0);
  table.suspect(accuse('them', 5, 'a'), 0);
  assert.equal(table.nextDeadline(), 24_000);
  assert.deepEqual(table.suspect(accuse('them', 5, 'a'), 0), []);
  assert.deepEqual(words(table.suspect(accuse('them', 5, 'b'), 0)), ['tell suspect 5']);
  assert.equal(table.nextDeadline(), 11_381);
  table.suspect(accuse('them', 5, 'c'), 0);
  assert.equal(table.nextDeadline(), 4000);
  assert.deepEqual(table.suspect(accuse('them', 5, 'd'), 0), []);
});

test('an accusation from a probe that began before the member objected is void', () => {
  const table = tableWith('alive');
  const probed = table.get('them');
  assert.ok(probed);
  table.alive(alive('them', 6), 0);
  assert.deepEqual(table.accuse(probed, 0), []);
});

const merged: readonly [told: MemberState, after: MemberState][] = [
  ['alive', 'alive'],
  ['suspect', 'suspect'],
  ['dead', 'suspect'],
  ['left', 'left'],
];
for (const [told, after] of merged) {
  test(`a peer's table that calls a living member ${told} makes it ${after}`, () => {
    const table = tableWith('alive');
    table.merge([nodeState('them', told, 5)], 0);
    assert.equal(table.get('them')?.state, after);
  });
}

test('after a restart, learns from a peer that it had left and objects', () => {
  const table = new MemberTable(self, 0, settings);
  assert.deepEqual(words(table.merge([nodeState('us', 'left', 12)], 0)), ['refuted', 'tell alive 13']);
});

test('having left, it stays so whatever is said', () => {
  const table = tableWith('alive');
  assert.deepEqual(words(table.leave(0)), ['tell dead 1', 'leave']);
  assert.deepEqual([...table.alive(alive('us', 9), 0), ...table.suspect(accuse('us', 9), 0)], []);
  assert.equal(table.get('us')?.state, 'left');
});

test('forgets the dead and the departed after their time, and never itself', () => {
  for (const state of memberStates) {
    const table = tableWith(state);
    table.leave(0);
    table.forget(30_000);
    assert.ok(table.get('them') !== undefined);
    table.forget(30_001);
    assert.equal(table.get('them') !== undefined, state === 'alive' || state === 'suspect', state);
    assert.ok(table.get('us') !== undefined);
  }
});

test('takes no more members than its limit', () => {
  const table = new MemberTable(self, 0, settings);
  for (let i = 0; i < 10_005; i++) table.alive(alive(`node-${i}`, 1), 0);
  assert.equal(table.size, 10_000);
  assert.deepEqual(words(table.alive(alive('one-more', 1), 0)), ['table-full']);
});

test('a full table makes room by forgetting who has been dead for long, and looks for them once a second at most', () => {
  const table = new MemberTable(self, 0, settings);
  for (let i = 1; i < 10_000; i++) {
    table.alive(alive(`node-${i}`, 1), 0);
    table.dead(accuse(`node-${i}`, 1), i % 2 === 0 ? 0 : 20_000);
  }
  assert.deepEqual(words(table.alive(alive('early', 1), 29_500)), ['table-full']);
  assert.deepEqual(words(table.alive(alive('too-soon', 1), 30_001)), ['table-full']);
  assert.equal(table.alive(alive('late', 1), 30_600).length, 3);
  assert.equal(table.size, 10_000 - 4999 + 1);
});

test('takes the verdict of another detector for a member, and never for ourselves, a stranger, or when we leave', () => {
  for (const state of memberStates) {
    const table = tableWith(state);
    const isOne = state === 'alive' || state === 'suspect';
    assert.deepEqual(words(table.declareDead('them', 1)), isOne ? ['tell dead 5', 'leave'] : []);
    assert.equal(table.get('them')?.state, isOne ? 'dead' : state);
    assert.equal(table.nextDeadline(), undefined);
    assert.deepEqual(table.declareDead('us', 1), []);
    assert.deepEqual(table.declareDead('nobody', 1), []);
  }
  const table = tableWith('alive');
  table.leave(0);
  assert.deepEqual(table.declareDead('them', 1), []);
});

test('one that was declared dead is back with a higher incarnation, and not with the same', () => {
  const table = tableWith('alive');
  table.declareDead('them', 1);
  assert.deepEqual(table.alive(alive('them', 5), 2), []);
  assert.ok(table.alive(alive('them', 6), 3).length > 0);
  assert.equal(table.get('them')?.state, 'alive');
});

test('takes in nobody without a name', () => {
  assert.deepEqual(words(tableWith('alive').alive(alive('', 1), 0)), ['malformed']);
});

test('with protocol 1, which has no ports, everyone has ours', () => {
  const table = new MemberTable(self, 0, { ...settings, protocolVersion: 1 });
  table.alive(alive('them', 1, { port: 1 }), 0);
  assert.equal(table.get('them')?.port, self.port);
});

test('whatever is said: we are alive, suspects have a deadline, and no incarnation of a member at its place falls', () => {
  const node = fc.constantFrom('us', 'a', 'b', 'c');
  const incarnation = fc.nat({ max: 4 });
  const from = fc.constantFrom('us', 'a', 'b', 'c');
  const options = { noNullPrototype: true };
  const step = fc.oneof(
    fc.record({ type: fc.constant('alive' as const), node, incarnation, last: fc.nat({ max: 1 }) }, options),
    fc.record({ type: fc.constant('suspect' as const), node, incarnation, from }, options),
    fc.record({ type: fc.constant('dead' as const), node, incarnation, from }, options),
    fc.record({ type: fc.constant('wait' as const), time: fc.nat({ max: 20_000 }) }, options),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new MemberTable(self, 0, settings);
      let now = 0;
      for (const next of steps) {
        const before = new Map([...table.entries()].map((entry) => [entry.name, entry]));
        if (next.type === 'alive')
          table.alive(alive(next.node, next.incarnation, { addr: `192.0.2.${next.last}` }), now);
        else if (next.type === 'suspect') table.suspect(next, now);
        else if (next.type === 'dead') table.dead(next, now);
        else {
          now += next.time;
          table.expire(now);
        }
        assert.equal(table.get('us')?.state, 'alive');
        const suspects = [...table.entries()].filter((entry) => entry.state === 'suspect');
        assert.equal(table.nextDeadline() !== undefined, suspects.length > 0);
        for (const entry of table.entries()) {
          const was = before.get(entry.name);
          if (was === undefined) continue;
          if (was.address === entry.address) assert.ok(entry.incarnation >= was.incarnation);
          else assert.ok(was.state === 'left' && isMember(entry));
        }
      }
    }),
    { numRuns: 500 },
  );
});

function nodeState(name: string, state: MemberState, incarnation: number): NodeState {
  const { addr, port, meta } = alive(name, incarnation);
  return { name, addr, port, meta, incarnation, state: memberStates.indexOf(state), vsn };
}
