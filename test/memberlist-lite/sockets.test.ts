import assert from 'node:assert/strict';
import { type Config, fast } from '../../src/memberlist-lite/config.ts';
import { type Member, Memberlist, type MemberlistOptions } from '../../src/memberlist-lite/memberlist.ts';
import { NodeTransport } from '../../src/memberlist-lite/node-transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { eventually, suite } from '../support/suite.ts';

/** Members on real sockets, with everything that a ring can be configured to. */
const test = suite('memberlist-lite/sockets');

const port = 17950;
const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill);
const [firstKey, nextKey] = [bytes(32, 1), bytes(32, 2)];
/** Patient, because the machine may be busy: nobody is to be lost here. */
const patient: Config = { ...fast, suspicionMult: 20, tcpTimeout: 5000 };

type Told = { readonly text: string; readonly by: string | undefined };
type Party = {
  readonly member: Memberlist;
  readonly address: string;
  readonly told: Told[];
  readonly merged: string[];
};

/** Members at addresses of their own that know each other; all are gone afterwards. */
async function withMembers(
  net: number,
  count: number,
  options: { config?: Partial<Config>; keys?: MemberlistOptions['keys'] },
  body: (parties: readonly Party[]) => Promise<void>,
): Promise<void> {
  const parties = Array.from({ length: count }, (_, i) => party(`127.73.${net}.${i + 1}`, `m${i}`, options));
  try {
    for (const { member } of parties) await member.start();
    for (const { member } of parties.slice(1)) {
      assert.deepEqual(await member.join([`127.73.${net}.1:${port}`]), { joined: 1, failed: [] });
    }
    await eventually('all know each other', () => parties.every(({ member }) => member.members().length === count));
    await body(parties);
  } finally {
    await Promise.all(parties.map(({ member }) => member.close()));
  }
}

function party(
  address: string,
  name: string,
  { config, keys }: { config?: Partial<Config>; keys?: MemberlistOptions['keys'] },
): Party {
  const told: Told[] = [];
  const merged: string[] = [];
  const member = new Memberlist({
    name,
    advertise: { address, port },
    transport: new NodeTransport({ address, port }),
    config: { ...patient, ...config },
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    localState: () => new TextEncoder().encode(`state of ${name}`),
    mergeState: (state) => merged.push(new TextDecoder().decode(state)),
    keys,
  });
  member.onMessage((payload, { name: by }) => told.push({ text: new TextDecoder().decode(payload), by }));
  return { member, address, told, merged };
}

const dropped = (parties: readonly Party[]) =>
  parties.flatMap(({ member }) => Object.entries(member.counters.dropped).filter(([, count]) => count > 0));

const rings: readonly [name: string, config: Partial<Config>, keys: MemberlistOptions['keys']][] = [
  ['plain', {}, undefined],
  ['compressed', { compression: true }, undefined],
  ['encrypted', {}, [firstKey]],
  ['encrypted as in protocol 1', { protocolVersion: 1 }, [bytes(16)]],
  ['compressed, encrypted and labelled', { compression: true, label: 'lab1' }, [firstKey]],
];
for (const [net, [name, config, keys]] of rings.entries()) {
  test(`messages short and long, and states, get through: ${name}`, async () => {
    await withMembers(10 + net, 3, { config, keys }, async (parties) => {
      const [a, b, c] = parties as [Party, Party, Party];
      const long = 'long '.repeat(100_000);
      a.member.send('m1', new TextEncoder().encode('short'));
      a.member.send('m1', new TextEncoder().encode(long));
      await eventually('b is told both', () => b.told.length === 2);
      assert.deepEqual(new Set(b.told.map(({ text }) => text)), new Set(['short', long]));
      assert.ok(b.told.every(({ by }) => by === 'm0'));
      c.member.sendToAll(new TextEncoder().encode('to all'));
      await eventually('both are told', () => [a, b].every(({ told }) => told.at(-1)?.text === 'to all'));
      // An exchange that nobody asked for may come at any time, the first one soon.
      const [ofA, ofB] = [a, b].map(({ merged }) => new Set(merged));
      assert.ok(ofA?.has('state of m1') && ofA.has('state of m2') && ofA.size === 2, [...(ofA ?? [])].join());
      assert.ok(ofB?.has('state of m0'), [...(ofB ?? [])].join());
      assert.equal(await a.member.reach('m2', 2000), true);
      assert.deepEqual(dropped(parties), []);
    });
  });
}

test('a ring changes its key while everybody talks, and nothing is lost', async () => {
  await withMembers(20, 3, { keys: [firstKey] }, async (parties) => {
    let said = 0;
    const talk = async () => {
      for (const { member } of parties)
        member.sendToAll(new TextEncoder().encode(`${said++} ${'x'.repeat(said % 2 ? 10 : 3000)}`));
      await eventually('all arrive', () => parties.every(({ told }) => told.length === (said / 3) * 2));
    };
    for (const change of ['add', 'use', 'remove'] as const) {
      for (const { member } of parties) {
        await talk();
        member.keyring?.[change](change === 'remove' ? firstKey : nextKey);
      }
    }
    await talk();
    assert.deepEqual(dropped(parties), []);
    assert.equal(await parties[0]?.member.reach('m2', 2000), true);
  });
});

test('who has no key, another key or another label stays out, is told nothing, and is counted', async () => {
  await withMembers(21, 1, { keys: [firstKey], config: { label: 'lab1' } }, async ([inside]) => {
    const outsiders = [
      { config: { label: 'lab1' } },
      { config: { label: 'lab1' }, keys: [nextKey] },
      { keys: [firstKey] },
    ];
    for (const [i, options] of outsiders.entries()) {
      const { member } = party(`127.73.21.${i + 10}`, `outsider-${i}`, options);
      await member.start();
      const { joined, failed } = await member.join([`127.73.21.1:${port}`]);
      assert.equal(joined, 0, JSON.stringify(failed));
      await member.close();
    }
    assert.deepEqual(
      inside?.member.members().map(({ name }: Member) => name),
      ['m0'],
    );
    const { label = 0, undecryptable = 0 } = inside?.member.counters.dropped ?? {};
    assert.deepEqual([label, undecryptable], [1, 2]);
  });
});

test('a member that hangs is reached by nobody, is declared dead, and objects when it goes on', async () => {
  await withMembers(22, 3, {}, async (parties) => {
    const [a, b, c] = parties as [Party, Party, Party];
    assert.equal(a.member.declareDead('m2'), true);
    assert.ok(!a.member.members().some(({ name }) => name === 'm2'));
    await eventually('m2 has objected', () => c.member.counters.refutations > 0);
    await eventually('all see m2 again', () => [a, b].every(({ member }) => member.members().length === 3));
    await c.member.close();
    assert.equal(await a.member.reach('m2', 300), false);
    a.member.declareDead('m2');
    await eventually('b knows', () => b.member.members().length === 2);
  });
});
