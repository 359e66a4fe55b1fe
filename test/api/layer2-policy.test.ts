import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatProblem } from '../../src/api/field.ts';
import { parseLayer2Policy } from '../../src/api/layer2-policy.ts';
import { suite } from '../support/suite.ts';

const test = suite('api/layer2-policy');

const policy = (spec?: unknown, name: unknown = 'default') => ({
  metadata: { name, namespace: 'metallb-system' },
  ...(spec === undefined ? {} : { spec }),
});

const ofMetallb = { election: 'metallb', failBackAfter: undefined, requireSubnetAddress: false, onConflict: 'defend' };

for (const [what, spec, expected] of [
  ['without a spec', undefined, ofMetallb],
  ['that says nothing', {}, ofMetallb],
  ['that says it all', { election: 'metallb', requireSubnetAddress: false, onConflict: 'defend' }, ofMetallb],
  [
    'that spreads, and never gives back',
    { election: 'balanced', onConflict: 'yield' },
    { ...ofMetallb, election: 'balanced', onConflict: 'yield' },
  ],
  [
    'that gives back',
    { election: 'balanced', failBack: { after: '1m30s' }, requireSubnetAddress: true },
    { ...ofMetallb, election: 'balanced', failBackAfter: 90_000, requireSubnetAddress: true },
  ],
  [
    'that gives back at once',
    { election: 'balanced', failBack: { after: '0' } },
    { ...ofMetallb, election: 'balanced', failBackAfter: 0 },
  ],
  [
    'that gives back what is spread as MetalLB does not',
    { failBack: { after: '1h' } },
    { ...ofMetallb, failBackAfter: 3_600_000 },
  ],
] as const) {
  test(`a policy ${what} is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(parseLayer2Policy(policy(spec)), {
      value: { object: 'Layer2Policy metallb-system/default', name: 'default', ...expected },
    });
  });
}

const object = 'Layer2Policy metallb-system';

for (const [what, raw, lines] of [
  [
    'another name',
    policy({}, 'mine'),
    [
      `${object}/mine: metadata.name: is not default, the only name that counts: write it all into the one of that name (found "mine")`,
    ],
  ],
  ['no name', policy({}, ''), [`${object}/(unnamed): metadata.name: must not be empty (found "")`]],
  [
    'strategies that there are not',
    policy({ election: 'random', onConflict: 'fight' }),
    [
      `${object}/default: spec.election: must be one of metallb, balanced (found "random")`,
      `${object}/default: spec.onConflict: must be one of defend, yield, report (found "fight")`,
    ],
  ],
  [
    'fail-back after nothing',
    policy({ election: 'balanced', failBack: {} }),
    [`${object}/default: spec.failBack.after: is required`],
  ],
  [
    'fail-back in too long a time',
    policy({ election: 'balanced', failBack: { after: '721h' } }),
    [`${object}/default: spec.failBack.after: must be at most 720h (found "721h")`],
  ],
] as const) {
  test(`refused: ${what}`, () => {
    const parsed = parseLayer2Policy(raw);
    assert.deepEqual('problems' in parsed ? parsed.problems.map(formatProblem) : [], lines);
  });
}

test('anything at all is parsed or refused, and never throws', () => {
  const fields = ['election', 'failBack', 'requireSubnetAddress', 'onConflict'];
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom(...fields), (anything, field) => {
      assert.ok('problems' in parseLayer2Policy(anything));
      parseLayer2Policy(policy(anything));
      parseLayer2Policy(policy({ [field]: anything }));
      parseLayer2Policy(policy({ election: 'balanced', [field]: { after: anything } }));
    }),
  );
});
