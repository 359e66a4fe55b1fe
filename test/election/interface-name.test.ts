import assert from 'node:assert/strict';
import fc from 'fast-check';
import { matchesInterface } from '../../src/election/interface-name.ts';
import { suite } from '../support/suite.ts';

const test = suite('election/interface-name');

// What fnmatch(3) of glibc answers.
for (const [pattern, matching, others] of [
  ['eth0', 'eth0', 'eth00 eth Eth0'],
  ['eth*', 'eth eth0 eth0.100', 'xeth0 et'],
  ['*', 'eth0 .hidden a', ''],
  ['*0', 'eth0 0 00', 'eth01'],
  ['*th*0', 'eth0 ththx0 eth00', 'eth tx0'],
  ['**a**b', 'ab aab xaxb', 'ba a'],
  ['eth?', 'eth0 etha', 'eth eth10'],
  ['?', 'a', 'ab'],
  ['eth[0-3]', 'eth0 eth3', 'eth4 eth'],
  ['eth[!0-3]', 'eth4 etha', 'eth0 eth'],
  ['eth[^0-3]', 'eth4 eth^', 'eth0'],
  ['eth[02]x', 'eth0x eth2x', 'eth1x eth0'],
  ['[]a]0', ']0 a0', 'b0'],
  ['[!]a]0', 'b0', ']0 a0'],
  ['[a-]0', 'a0 -0', 'b0'],
  ['[-a]0', 'a0 -0', 'b0'],
  ['[3-0]', '', '0 1 3 -'],
  ['[a\\]]x', 'ax ]x', '\\x'],
  ['[\\a-c]x', 'ax bx', '\\x'],
  ['[[.a.]-c]', 'a b c', 'd .'],
  ['[[=a=]b]', 'a b', '= c'],
  ['eth[0', 'eth[0', 'eth0'],
  ['[*', '[ [a', 'a'],
  ['[', '[', 'a'],
  ['[!', '[!', 'a'],
  ['a\\*', 'a*', 'a\\ ab'],
  ['a\\?*', 'a?b', 'ab'],
  ['*\\', '', 'a a\\'],
  ['a\\b', 'a\\b', 'ab'],
  ['\u00fc?', '', '\u00fc'],
  ['\u00fc*', '\u00fc \u00fca', 'u'],
  ['??', '\u00fc', 'a'],
] as const) {
  test(`${pattern} is an interface named ${matching || 'nothing'}, and not ${others || 'anything else'}`, () => {
    const split = (names: string) => names.split(' ').filter(Boolean);
    assert.deepEqual(
      split(matching).filter((name) => !matchesInterface([pattern], name)),
      [],
    );
    assert.deepEqual(
      split(others).filter((name) => matchesInterface([pattern], name)),
      [],
    );
  });
}

test('one of several is enough, and of none nothing is', () => {
  assert.equal(matchesInterface(['eth0', 'bond*'], 'bond1'), true);
  assert.equal(matchesInterface(['eth0', 'bond*'], 'eth1'), false);
  assert.equal(matchesInterface([], 'eth0'), false);
});

test('a name answers to itself, and to itself with a star or question marks in it', () => {
  const anyName = fc.stringMatching(/^[a-z0-9._@-]{1,15}$/);
  fc.assert(
    fc.property(anyName, fc.nat(), fc.nat(), (name, from, length) => {
      const start = from % name.length;
      const end = Math.min(name.length, start + (length % name.length));
      const with_ = (text: string) => name.slice(0, start) + text + name.slice(end);
      assert.ok(matchesInterface([name], name));
      assert.ok(matchesInterface([with_('*')], name));
      assert.ok(matchesInterface([with_('?'.repeat(end - start))], name));
      assert.ok(!matchesInterface([with_('?'.repeat(end - start + 1))], name));
    }),
  );
});

test('the worst of patterns is answered at once', () => {
  const pattern = `${'*a'.repeat(31)}*b`;
  for (let i = 0; i < 10_000; i++) assert.equal(matchesInterface([pattern], 'a'.repeat(15)), false);
});
