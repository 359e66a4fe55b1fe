import assert from 'node:assert/strict';
import { parseAddress } from '../../src/ip/address.ts';
import type { BfdEvent, BfdSession, BfdSessionState } from '../../src/layer2/bfd.ts';
import { BfdSessions, bfdOwner } from '../../src/layer2/bfd-sessions.ts';
import { suite } from '../support/suite.ts';

const test = suite('layer2/bfd-sessions');

const session = (id: string): BfdSession => ({
  id,
  peer: parseAddress('192.0.2.1')!,
  port: 3784,
  multihop: false,
  desiredMinTx: 100,
  requiredMinRx: 100,
  detectMultiplier: 3,
});

/** What the responder was told last, by ids; it refuses an id `bad`. */
function responder() {
  const handed: string[][] = [];
  return {
    handed,
    setBfdSessions(sessions: readonly BfdSession[]) {
      if (sessions.some(({ id }) => id.endsWith('/bad'))) throw new RangeError('refused');
      handed.push(sessions.map(({ id }) => id));
    },
    bfdSessions: () => (handed.at(-1) ?? []).map((id) => ({ id }) as BfdSessionState),
  };
}

test('each owner replaces its own sessions only', () => {
  const below = responder();
  const sessions = new BfdSessions(below);
  const [speakers, routers] = [sessions.share(bfdOwner.speakers), sessions.share(bfdOwner.routers)];
  speakers.setBfdSessions([session('a'), session('b')]);
  routers.setBfdSessions([session('a')]);
  speakers.setBfdSessions([session('c')]);
  assert.deepEqual(below.handed, [
    ['s/a', 's/b'],
    ['s/a', 's/b', 'r/a'],
    ['r/a', 's/c'],
  ]);
  assert.deepEqual(
    [speakers.bfdSessions(), routers.bfdSessions()].map((states) => states.map(({ id }) => id)),
    [['c'], ['a']],
  );
});

test('an event goes to whom the session belongs, by the id that it has there', () => {
  const sessions = new BfdSessions(responder());
  const heard: string[] = [];
  for (const owner of Object.values(bfdOwner)) sessions.onEvent(owner, ({ id }) => heard.push(`${owner} ${id}`));
  for (const id of ['s/a', 'r/a/b', 'x/a', 'a']) sessions.see({ type: 'bfd', id } as BfdEvent);
  assert.deepEqual(heard, ['s a', 'r a/b']);
});

test('what is refused to one owner does not stand in the way of the other', () => {
  const below = responder();
  const sessions = new BfdSessions(below);
  sessions.share(bfdOwner.routers).setBfdSessions([session('a')]);
  assert.throws(() => sessions.share(bfdOwner.routers).setBfdSessions([session('bad')]), /refused/);
  sessions.share(bfdOwner.speakers).setBfdSessions([session('b')]);
  assert.deepEqual(below.handed.at(-1), ['r/a', 's/b']);
});
