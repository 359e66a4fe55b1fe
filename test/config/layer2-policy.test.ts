import assert from 'node:assert/strict';
import { formatProblem } from '../../src/api/field.ts';
import { compile } from '../../src/config/compile.ts';
import { Config } from '../../src/config/config.ts';
import { suite } from '../support/suite.ts';

const test = suite('config/layer2-policy');

const policy = (spec: object, name = 'default', namespace = 'metallb-system') => ({
  metadata: { name, namespace },
  spec,
});
const make = (...layer2Policies: object[]) => compile({ pools: [], l2Advertisements: [], layer2Policies });
const metallb = { election: 'metallb', failBackAfter: undefined, requireSubnetAddress: false, onConflict: 'defend' };

test('without a policy all is as with MetalLB, and so it is with one that says nothing', () => {
  const [without, saying] = [make(), make(policy({}))];
  assert.ok('config' in without && 'config' in saying);
  assert.deepEqual(without.config.layer2, metallb);
  assert.deepEqual(Config.empty.layer2, metallb);
  assert.ok(without.config.equals(saying.config));
});

test('what the policy says is in force, for a speaker of any node', () => {
  const spec = { election: 'balanced', failBack: { after: '10m' }, requireSubnetAddress: true, onConflict: 'report' };
  for (const nodes of [undefined, [], [{ rack: '1' }]]) {
    const made = compile({ pools: [], l2Advertisements: [], layer2Policies: [policy(spec)] }, { nodes });
    assert.ok('config' in made);
    assert.deepEqual(made.config.layer2, {
      election: 'balanced',
      failBackAfter: 600_000,
      requireSubnetAddress: true,
      onConflict: 'report',
    });
  }
});

for (const [what, spec] of [
  ['the election', { election: 'balanced' }],
  ['the subnet', { requireSubnetAddress: true }],
  ['what is done about conflicts', { onConflict: 'yield' }],
] as const) {
  test(`a policy that differs in ${what} makes another configuration`, () => {
    const [before, after] = [make(policy({})), make(policy(spec))];
    assert.ok('config' in before && 'config' in after);
    assert.equal(before.config.equals(after.config), false);
  });
}

test('a fail-back time, and another one, make other configurations', () => {
  const configs = [{}, { failBack: { after: '0' } }, { failBack: { after: '1m' } }].map((change) => {
    const made = make(policy({ election: 'balanced', ...change }));
    assert.ok('config' in made);
    return made.config;
  });
  assert.deepEqual(
    configs.map((one) => configs.map((other) => one.equals(other))),
    [
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ],
  );
});

test('a policy of another name refuses the whole, beside a good one too', () => {
  const made = make(policy({}), policy({ election: 'balanced' }, 'rack-2'));
  assert.deepEqual('errors' in made ? made.errors.map(formatProblem) : [], [
    'Layer2Policy metallb-system/rack-2: metadata.name: is not default, the only name that counts: write it all into the one of that name (found "rack-2")',
  ]);
});
