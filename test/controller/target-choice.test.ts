import assert from 'node:assert/strict';
import { type Standing, TargetChoice } from '../../src/controller/target-choice.ts';
import { formatAddress, parseAddress } from '../../src/ip/address.ts';
import { suite } from '../support/suite.ts';

const test = suite('controller/target-choice');

const grace = 30_000;

/** `1v 2u 3s`: the Service has 192.0.2.1, which is verified, .2, which is announced and not verified, and .3 of nobody. */
type Assigned = string;

const standings: Readonly<Record<string, Standing>> = { v: 'verified', u: 'unverified', s: 'silent' };

class Name {
  readonly #choice = new TargetChoice(grace);
  #targets: readonly string[];
  isStarved = false;
  again: number | undefined;

  constructor(targets: string) {
    this.#targets = words(targets);
  }

  /** The targets then, written before the next look. */
  at(now: number, assigned: Assigned, elsewhere = ''): string {
    const standingOf = new Map(words(assigned).map((word) => [word.slice(0, -1), standings[word.at(-1)!]!]));
    const choice = this.#choice.choose('shop/web', {
      assigned: [...standingOf.keys()].map(toAddress),
      current: this.#targets.map(toAddress),
      standingOf: (address) => standingOf.get(toNumber(address))!,
      isElsewhere: (address) => words(elsewhere).includes(toNumber(address)),
      now,
    });
    this.#targets = choice.targets.map(toNumber);
    this.isStarved = choice.isStarved;
    this.again = choice.again;
    return this.#targets.join(' ');
  }
}

for (const [fact, targets, looks] of [
  ['what is verified becomes a target, in order', '', [[0, '3v 1v', '1 3']]],
  ['what is not verified yet becomes none', '1', [[0, '1v 2u 3s', '1']]],
  [
    'a failover that ends within the grace changes nothing',
    '1 2',
    [
      [0, '1v 2v', '1 2'],
      [1_000, '1v 2s', '1 2'],
      [5_000, '1v 2u', '1 2'],
      [9_000, '1v 2v', '1 2'],
      [60_000, '1v 2u', '1 2'],
      [89_999, '1v 2u', '1 2'],
    ],
  ],
  [
    'what is not verified after the grace goes, and comes back when it is',
    '1 2',
    [
      [0, '1v 2u', '1 2'],
      [29_999, '1v 2s', '1 2'],
      [30_000, '1v 2u', '1'],
      [31_000, '1v 2u', '1'],
      [32_000, '1v 2v', '1 2'],
    ],
  ],
  ['what the Service has no more goes at once', '1 2', [[0, '1v', '1']]],
  ['another family goes like any other address', '1', [[0, '1v 6v', '1 6']]],
  [
    'the last good stay while nothing is verified',
    '1 2',
    [
      [0, '1s 2s', '1 2'],
      [29_999, '1s 2s', '1 2'],
      [30_000, '1s 2s', '1 2'],
      [90_000, '1s 2s', '1 2'],
      [91_000, '1s 2v', '2'],
    ],
  ],
  [
    'an address the Service has no more stays until another is verified',
    '1',
    [
      [0, '2u', '1'],
      [40_000, '2u', '1'],
      [41_000, '2v', '2'],
    ],
  ],
] as const) {
  test(fact, () => {
    const name = new Name(targets);
    for (const [now, assigned, expected] of looks) assert.equal(name.at(now, assigned), expected, `at ${now}`);
  });
}

test('an address that another Service has is no target any more, be it the last', () => {
  const name = new Name('1');
  assert.equal(name.at(0, '', '1'), '');
  assert.ok(!name.isStarved);
});

test('a Service is starved when nothing has been verified for the grace, and not before', () => {
  const name = new Name('');
  const starved = [0, 29_999, 30_000, 31_000].map((now) => [name.at(now, '1u 2s'), name.isStarved]);
  assert.deepEqual(starved, [
    ['', false],
    ['', false],
    ['', true],
    ['', true],
  ]);
  assert.equal(name.at(32_000, '1v 2s'), '1');
  assert.ok(!name.isStarved);
});

test('a Service that never had an address is not starved', () => {
  const name = new Name('');
  assert.equal(name.at(0, ''), '');
  assert.ok(!name.isStarved);
});

test('it says when it may come to another choice: at the end of the first grace', () => {
  const name = new Name('1 2 3');
  name.at(0, '1v 2v 3v');
  assert.equal(name.again, undefined);
  name.at(1_000, '1v 2u 3v');
  assert.equal(name.again, grace);
  name.at(5_000, '1v 2u 3u');
  assert.equal(name.again, 26_000);
  name.at(31_000, '1v 2u 3u');
  assert.equal(name.again, 4_000);
});

test('after a restart the grace begins anew', () => {
  assert.equal(new Name('1 2').at(1_000_000, '1v 2u'), '1 2');
});

function words(text: string): readonly string[] {
  return text.split(' ').filter(Boolean);
}

function toAddress(number: string) {
  return parseAddress(number === '6' ? '2001:db8::6' : `192.0.2.${number}`)!;
}

function toNumber(address: ReturnType<typeof toAddress>): string {
  return formatAddress(address).at(-1)!;
}
