import assert from 'node:assert/strict';
import type { NodeInterface } from '../../src/election/interface-fitness.ts';
import { parseAddress } from '../../src/ip/address.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type BulletinChange, Bulletins } from '../../src/speaker/bulletins.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/bulletins');

const address = (text: string) => parseAddress(text)!;
const eth0: NodeInterface = { name: 'eth0', up: true, prefixes: [] };

/** Speakers that hear each other after a millisecond, unless they are deaf. */
class Group {
  readonly clock: FakeClock;
  readonly deaf = new Set<string>();
  messages = 0;
  readonly #speakers = new Map<string, Speaker>();
  readonly #members = new Set<string>();

  constructor(clock = new FakeClock()) {
    this.clock = clock;
  }

  /** `isMember`: whether the others have it in the ring. */
  add(node: string, clock: FakeClock = this.clock, isMember = true): Speaker {
    const changes: BulletinChange[] = [];
    const interfaces = [eth0];
    const deliver = (to: string | undefined, message: Uint8Array) => {
      this.messages += 1;
      for (const [name, speaker] of this.#speakers) {
        if (name === node || (to !== undefined && to !== name) || this.deaf.has(name)) continue;
        this.clock.after(1, () => speaker.bulletins.hear(message));
      }
    };
    const channel = {
      send: (name: string, message: Uint8Array) => deliver(name, message),
      sendToAll: (message: Uint8Array) => deliver(undefined, message),
      members: () => [...this.#members].map((name) => ({ name })),
    };
    const bulletins = new Bulletins({ node, channel, interfaces: () => [...interfaces], clock, log: silentLogger });
    bulletins.onChange((change) => changes.push(change));
    const speaker = { bulletins, changes, interfaces };
    for (const other of this.#speakers.values()) {
      bulletins.merge(other.bulletins.state());
      if (isMember) other.bulletins.welcome(node);
    }
    this.#speakers.set(node, speaker);
    if (isMember) this.#members.add(node);
    return speaker;
  }

  /** The process has ended. */
  end(node: string): void {
    this.#speakers.get(node)?.bulletins.close();
    this.#speakers.delete(node);
    this.#members.delete(node);
  }
}

type Speaker = {
  readonly bulletins: Bulletins;
  readonly changes: BulletinChange[];
  readonly interfaces: NodeInterface[];
};

/** Speakers a, b and c, at work. */
async function three() {
  const group = new Group();
  const [a, b, c] = ['a', 'b', 'c'].map((node) => group.add(node)) as [Speaker, Speaker, Speaker];
  for (const { bulletins } of [a, b, c]) {
    bulletins.start();
    bulletins.settle();
  }
  await group.clock.advance(100);
  return { group, clock: group.clock, a, b, c };
}

const claimants = ({ bulletins }: Speaker, text: string) => bulletins.claimsOf(text).map(({ node }) => node);

test('all know of each other’s interfaces, and of changes', async () => {
  const { clock, a, b } = await three();
  assert.deepEqual([...b.bulletins.interfaces().keys()].sort(), ['a', 'b', 'c']);
  a.interfaces[0] = { ...eth0, up: false };
  a.bulletins.look();
  await clock.advance(100);
  assert.equal(b.bulletins.interfaces().get('a')?.[0]?.up, false);
  assert.deepEqual(b.changes.at(-1), { facts: true, claims: false });
});

test('a change of interfaces that nobody tells of is found within ten seconds', async () => {
  const { clock, a, b } = await three();
  a.interfaces.push({ ...eth0, name: 'eth1' });
  await clock.advance(10_100);
  assert.equal(b.bulletins.interfaces().get('a')?.length, 2);
});

test('at rest nothing is said', async () => {
  const { group, clock } = await three();
  const before = group.messages;
  await clock.advance(600_000);
  assert.equal(group.messages, before);
});

test('a claim is known to all within ten milliseconds, and so is its end', async () => {
  const { clock, a, b, c } = await three();
  a.bulletins.claim([address('192.0.2.1'), address('2001:db8::1')]);
  await clock.advance(10);
  for (const speaker of [a, b, c]) assert.deepEqual(claimants(speaker, '192.0.2.1'), ['a']);
  assert.deepEqual(b.changes.at(-1), { facts: false, claims: true });
  a.bulletins.release([address('192.0.2.1')]);
  await clock.advance(10);
  for (const speaker of [a, b, c]) assert.deepEqual(claimants(speaker, '192.0.2.1'), []);
  assert.deepEqual(claimants(c, '2001:db8::1'), ['a']);
});

test('a thousand claims at once are one message to each', async () => {
  const { group, clock, a, b } = await three();
  const before = group.messages;
  for (let i = 0; i < 1_000; i++) a.bulletins.claim([address(`198.18.${i >> 8}.${i & 255}`)]);
  await clock.advance(10);
  assert.equal(group.messages, before + 1);
  assert.deepEqual(claimants(b, '198.18.3.231'), ['a']);
});

test('who takes over claims it for later than the former claim, even if his clock is behind', async () => {
  const group = new Group();
  const late = new FakeClock(Date.UTC(2025, 0, 1));
  const a = group.add('a');
  const b = group.add('b', late);
  for (const { bulletins } of [a, b]) {
    bulletins.start();
    bulletins.settle();
  }
  a.bulletins.claim([address('192.0.2.1')]);
  await group.clock.advance(10);
  b.bulletins.claim([address('192.0.2.1')]);
  await late.advance(10);
  await group.clock.advance(10);
  const [first, second] = a.bulletins.claimsOf('192.0.2.1');
  assert.deepEqual([first?.node, second?.node], ['a', 'b']);
  assert.ok(second!.since > first!.since);
});

test('what was lost on the way is made good for when tables are exchanged, also by a third', async () => {
  const { group, clock, a, b, c } = await three();
  group.deaf.add('c');
  a.bulletins.claim([address('192.0.2.1')]);
  await clock.advance(100);
  assert.deepEqual(claimants(c, '192.0.2.1'), []);
  c.bulletins.merge(b.bulletins.state());
  assert.deepEqual(claimants(c, '192.0.2.1'), ['a']);
});

test('an old report that comes late changes nothing', async () => {
  const { clock, a, b, c } = await three();
  const old = a.bulletins.state();
  a.bulletins.claim([address('192.0.2.1')]);
  await clock.advance(10);
  const before = b.changes.length;
  b.bulletins.merge(old);
  c.bulletins.merge(old);
  assert.deepEqual(claimants(b, '192.0.2.1'), ['a']);
  assert.equal(b.changes.length, before);
});

test('a speaker that hands over says so at once', async () => {
  const { clock, a, b } = await three();
  assert.equal(b.bulletins.isDraining('a'), false);
  a.bulletins.drain();
  await clock.advance(1);
  assert.equal(b.bulletins.isDraining('a'), true);
});

test('a speaker that restarts is waited for until it is back, and its claims stand', async () => {
  const { group, clock, a, b } = await three();
  a.bulletins.claim([address('192.0.2.1')]);
  await clock.advance(10);
  const since = b.bulletins.claimsOf('192.0.2.1')[0]?.since;
  a.bulletins.restart(5_000);
  await clock.advance(10);
  group.end('a');
  assert.deepEqual([...b.bulletins.restarting()], ['a']);
  await clock.advance(4_000);
  assert.deepEqual(claimants(b, '192.0.2.1'), ['a']);
  const again = group.add('a');
  again.bulletins.start();
  await clock.advance(10);
  assert.deepEqual([...b.bulletins.restarting()], []);
  assert.deepEqual(claimants(b, '192.0.2.1'), ['a'], 'before it has decided anew');
  again.bulletins.claim([address('192.0.2.1')]);
  again.bulletins.settle();
  await clock.advance(10);
  assert.deepEqual(b.bulletins.claimsOf('192.0.2.1'), [{ node: 'a', since }]);
});

test('one that is heard again is waited for until it is in the ring, too', async () => {
  const { group, clock, a, b } = await three();
  a.bulletins.restart(5_000);
  await clock.advance(10);
  group.end('a');
  const again = group.add('a', clock, false);
  again.bulletins.start();
  await clock.advance(10);
  assert.equal(b.bulletins.reportOf('a')?.restartingUntil, undefined);
  assert.deepEqual([...b.bulletins.restarting()], ['a']);
  b.bulletins.welcome('a');
  assert.deepEqual([...b.bulletins.restarting()], []);
});

test('what it does not take up again is not claimed any more', async () => {
  const { group, clock, a, b } = await three();
  a.bulletins.claim([address('192.0.2.1')]);
  await clock.advance(10);
  group.end('a');
  const again = group.add('a');
  again.bulletins.start();
  await clock.advance(10);
  again.bulletins.settle();
  await clock.advance(10);
  assert.deepEqual(claimants(b, '192.0.2.1'), []);
});

test('when it is not back in time, that is a change', async () => {
  const { group, clock, a, b } = await three();
  a.bulletins.restart(5_000);
  await clock.advance(10);
  group.end('a');
  const before = b.changes.length;
  await clock.advance(4_980);
  assert.equal(b.changes.length, before);
  await clock.advance(20);
  assert.deepEqual(b.changes.slice(before), [{ facts: true, claims: true }]);
  assert.deepEqual([...b.bulletins.restarting()], []);
});

test('nobody is waited for longer than a minute', async () => {
  const { group, clock, a, b } = await three();
  a.bulletins.restart(86_400_000);
  await clock.advance(10);
  group.end('a');
  await clock.advance(60_000);
  assert.deepEqual([...b.bulletins.restarting()], []);
});

test('a speaker whose clock was set back while it restarted is listened to', async () => {
  const { group, clock, a, b } = await three();
  a.bulletins.claim([address('192.0.2.1')]);
  await clock.advance(10);
  group.end('a');
  const again = group.add('a', new FakeClock(Date.UTC(2020, 0, 1)));
  again.bulletins.start();
  again.bulletins.drain();
  await clock.advance(10);
  assert.equal(b.bulletins.isDraining('a'), true);
});

test('other messages reach those who listen for their kind, and are told from whom they are', async () => {
  const { clock, a, b, c } = await three();
  const heard: string[] = [];
  for (const [name, speaker] of Object.entries({ b, c })) {
    speaker.bulletins.onMessage(9, (payload, from) => heard.push(`${name} ${from} ${payload}`));
  }
  a.bulletins.tell('c', 9, Uint8Array.of(1, 2));
  a.bulletins.tell('b', 8, Uint8Array.of(1));
  a.bulletins.tell(undefined, 9, Uint8Array.of());
  await clock.advance(10);
  assert.deepEqual(heard.sort(), ['b a ', 'c a ', 'c a 1,2']);
});

test('nobody speaks for another', async () => {
  const { b, c } = await three();
  const forged = c.bulletins.state();
  const message = Uint8Array.from([1, 1, 'x'.charCodeAt(0), ...forged.subarray(1)]);
  const before = b.changes.length;
  b.bulletins.hear(message);
  assert.equal(b.changes.length, before);
});

for (const [what, bytes] of [
  ['nothing', []],
  ['a kind alone', [1]],
  ['an empty name', [1, 0, 1, 4]],
  ['a name that is cut off', [1, 9, 97]],
  ['a report that is none', [1, 1, 97, 255, 255]],
  ['an unknown kind', [200, 1, 97, 1]],
] as const) {
  test(`${what} is no message`, async () => {
    const { b } = await three();
    const before = b.changes.length;
    b.bulletins.hear(Uint8Array.from(bytes));
    b.bulletins.merge(Uint8Array.from(bytes));
    assert.equal(b.changes.length, before);
  });
}

test('closed, it says nothing and leaves no timer', async () => {
  const { group, clock, a, b, c } = await three();
  a.bulletins.restart(5_000);
  await clock.advance(10);
  for (const { bulletins } of [a, b, c]) bulletins.close();
  const before = group.messages;
  b.bulletins.claim([address('192.0.2.1')]);
  b.bulletins.drain();
  assert.equal(group.messages, before);
  assert.equal(clock.pending(), 0);
});
