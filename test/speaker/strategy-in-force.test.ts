import assert from 'node:assert/strict';
import { encodeMemberMeta } from '../../src/speaker/member-meta.ts';
import { StrategyNotice, strategyInForce } from '../../src/speaker/strategy-in-force.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/strategy-in-force');

const ours = (name: string) => ({ name, meta: encodeMemberMeta([]) });
const metallbs = (name: string) => ({ name, meta: new Uint8Array(0) });

for (const [fact, wanted, members, strategy, because] of [
  ['metallb is wanted', 'metallb', [ours('a')], 'metallb', undefined],
  ['metallb is wanted, and is elsewhere', 'metallb', [metallbs('a')], 'metallb', undefined],
  ['all speakers are ours', 'balanced', [ours('a'), ours('b')], 'balanced', undefined],
  [
    'some speakers are MetalLB’s',
    'balanced',
    [ours('a'), metallbs('c'), metallbs('b')],
    'metallb',
    "MetalLB's speakers are in the ring, on b, c: remove them",
  ],
  [
    'many are',
    'balanced',
    ['f', 'e', 'd', 'c', 'b', 'a'].map(metallbs),
    'metallb',
    "MetalLB's speakers are in the ring, on a, b, c, d, e, …: remove them",
  ],
  ['there is no ring', 'balanced', undefined, 'metallb', 'this speaker has no ring: set --ml-bindaddr'],
] as const) {
  test(`when ${fact}, the election is ${strategy}`, () => {
    const found = strategyInForce(wanted, members);
    assert.deepEqual([found.strategy, found.because], [strategy, because]);
    const isEachElected = members?.every(({ meta }) => meta.length > 0) ?? false;
    assert.equal(found.together === undefined, isEachElected, 'several addresses are spread among ours, and only then');
  });
}

const policy = { metadata: { name: 'default', namespace: 'metallb-system' }, kind: 'Layer2Policy' };

function notice(policies: readonly (typeof policy)[] = [policy]) {
  const log = new RecordedLog();
  const told: string[] = [];
  const events = {
    record: ({ metadata }: { metadata: { name: string } }, { type, reason, message }: Record<string, string>) => {
      told.push(`${metadata.name}: ${type} ${reason}: ${message}`);
    },
  };
  return { log, told, notice: new StrategyNotice({ events, policies: () => policies, log }) };
}

test('that balanced is not in force is told once, and that it is again, by the log and one Event each', () => {
  const { log, told, notice: seen } = notice([{ ...policy, metadata: { ...policy.metadata, name: 'x' } }, policy]);
  seen.see({ strategy: 'balanced' }, true);
  assert.deepEqual(told, []);
  seen.see({ strategy: 'metallb', because: 'A' }, true);
  seen.see({ strategy: 'metallb', because: 'B' }, true);
  assert.deepEqual(told, [
    'default: Warning electionNotBalanced: the election is metallb instead of balanced, because A',
  ]);
  seen.see({ strategy: 'balanced' }, true);
  seen.see({ strategy: 'balanced' }, true);
  assert.deepEqual(told.slice(1), ['default: Normal electionInForce: the election is balanced, as it says']);
  assert.equal(log.of('election not as in the Layer2Policy').length, 1);
  assert.equal(log.of('election as in the Layer2Policy').length, 1);
});

test('who is not the teller, or knows of no policy, tells its log alone', () => {
  for (const [{ log, told, notice: seen }, isTeller] of [
    [notice(), false],
    [notice([]), true],
  ] as const) {
    seen.see({ strategy: 'metallb', because: 'A' }, isTeller);
    assert.deepEqual([told, log.of('election not as in the Layer2Policy').length], [[], 1]);
  }
});
