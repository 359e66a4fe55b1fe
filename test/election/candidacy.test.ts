import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type CandidacyRules, candidacyOf, firstChoice, type NodeFacts } from '../../src/election/candidacy.ts';
import { elect } from '../../src/election/metallb.ts';
import { suite } from '../support/suite.ts';
import { clusterOf, serviceAt, sha256 } from './support.ts';

const test = suite('election/candidacy');

const exclude = 'node.kubernetes.io/exclude-from-external-load-balancers';
const plain: NodeFacts = { name: 'node-a', labels: {}, networkUnavailable: false };

const mixed: CandidacyRules = { election: 'metallb', oursAlone: false, ignoreExcludeLabel: false };
const ours: CandidacyRules = { ...mixed, oursAlone: true };
const balanced: CandidacyRules = { ...ours, election: 'balanced' };

/** `may`, `last`, `hands over` or `lost`. */
function standing(facts: Partial<NodeFacts>, rules: CandidacyRules): string {
  const { may, planned } = candidacyOf({ ...plain, ...facts }, rules);
  if (may) return planned ? 'comes last' : 'may';
  return planned ? 'hands over' : 'lost';
}

for (const [what, facts, besideMetallb, alone, spread] of [
  ['with nothing unusual', {}, 'may', 'may', 'may'],
  ['without a network', { networkUnavailable: true }, 'lost', 'lost', 'lost'],
  ['labelled to be excluded', { labels: { [exclude]: '' } }, 'hands over', 'hands over', 'hands over'],
  ['out of service', { outOfService: true }, 'may', 'lost', 'lost'],
  ['that drains', { draining: true }, 'may', 'comes last', 'comes last'],
  ['that is not ready', { notReady: true }, 'may', 'may', 'comes last'],
  ['of no weight', { weight: 0 }, 'may', 'may', 'comes last'],
  ['of much weight', { weight: 100 }, 'may', 'may', 'may'],
  ['that drains and has no network', { draining: true, networkUnavailable: true }, 'lost', 'lost', 'lost'],
  [
    'that is excluded and out of service',
    { labels: { [exclude]: '' }, outOfService: true },
    'hands over',
    'lost',
    'lost',
  ],
  [
    'that is excluded and drains',
    { labels: { [exclude]: '' }, draining: true },
    'hands over',
    'hands over',
    'hands over',
  ],
] as const) {
  test(`a node ${what}: ${besideMetallb} beside MetalLB, ${alone} without, ${spread} when balanced`, () => {
    assert.deepEqual(
      [mixed, ours, balanced].map((rules) => standing(facts, rules)),
      [besideMetallb, alone, spread],
    );
  });
}

for (const rules of [mixed, ours, balanced]) {
  test(`the label is ignored when that is asked for: ${JSON.stringify(rules)}`, () => {
    const facts = { labels: { [exclude]: '' } };
    assert.equal(standing(facts, { ...rules, ignoreExcludeLabel: true }), 'may');
    assert.equal(standing({ ...facts, draining: true }, { ...balanced, ignoreExcludeLabel: true }), 'comes last');
  });
}

test('every reason is told, and the weight is kept for when nobody else is left', () => {
  const told = [
    { networkUnavailable: true },
    { outOfService: true },
    { labels: { [exclude]: '' } },
    { draining: true },
    { notReady: true },
    { weight: 0 },
    {},
  ].map((facts) => candidacyOf({ ...plain, weight: 3, ...facts }, balanced));
  assert.deepEqual(
    told.map(({ reason, weight }) => [reason, weight]),
    [
      ['nodeNetworkUnavailable', 3],
      ['nodeOutOfService', 3],
      ['nodeLabeledExcludeBalancers', 3],
      ['nodeDraining', 3],
      ['nodeNotReady', 3],
      ['nodeWeightZero', 0],
      [undefined, 3],
    ],
  );
  assert.equal(candidacyOf(plain, balanced).weight, 1);
});

for (const [what, nodes, chosen] of [
  ['those without a mark, if there are any', { a: {}, b: { draining: true }, c: {} }, 'a c'],
  ['those that come last, if there are no others', { a: { draining: true }, b: { notReady: true } }, 'a b'],
  ['never those that may not', { a: { draining: true }, b: { outOfService: true } }, 'a'],
  ['nobody, when none may', { a: { labels: { [exclude]: '' } }, b: { networkUnavailable: true } }, ''],
] as const) {
  test(`the first choice is ${what}`, () => {
    const all = Object.entries(nodes).map(([name, facts]) => ({
      name,
      candidacy: candidacyOf({ ...plain, ...facts }, balanced),
    }));
    assert.equal(
      firstChoice(all)
        .map(({ name }) => name)
        .join(' '),
      chosen,
    );
  });
}

const marks = [
  {},
  { draining: true },
  { outOfService: true },
  { notReady: true },
  { weight: 0 },
  { weight: 7 },
] as const;
const anyNodes = fc
  .array(fc.constantFrom(...marks), { minLength: 1, maxLength: 6 })
  .map((all) => all.map((mark, i) => ({ name: `node-${i}`, ...mark })));
const unmarked = (nodes: readonly { readonly name: string }[]) => clusterOf(nodes.map(({ name }) => name));
const ownerIn = (cluster: ReturnType<typeof clusterOf>) => elect(serviceAt('10.0.0.1'), cluster, sha256);

test('beside MetalLB an election is the same whatever only we know', () => {
  fc.assert(
    fc.property(anyNodes, (nodes) => {
      const interfaces = new Map(nodes.map(({ name }) => [name, []]));
      const cluster = { ...clusterOf(nodes), interfaces, requireSubnetAddress: true };
      assert.deepEqual(ownerIn(cluster), ownerIn(unmarked(nodes)));
    }),
  );
});

test('among ours alone a node is passed over while another can announce, and only then', () => {
  fc.assert(
    fc.property(anyNodes, (nodes) => {
      const { owner } = ownerIn({ ...clusterOf(nodes), oursAlone: true });
      const marked = (name: string | undefined) =>
        nodes.find((one) => one.name === name) as Partial<NodeFacts> | undefined;
      const living = nodes.filter((node) => !('outOfService' in node));
      assert.equal(owner === undefined, living.length === 0);
      assert.notEqual(marked(owner)?.outOfService, true);
      if (living.some((node) => !('draining' in node))) assert.notEqual(marked(owner)?.draining, true);
    }),
  );
});

test('among ours alone, without a mark, an election is MetalLB’s', () => {
  fc.assert(
    fc.property(anyNodes, (nodes) => {
      assert.deepEqual(ownerIn({ ...unmarked(nodes), oursAlone: true }), ownerIn(unmarked(nodes)));
    }),
  );
});
