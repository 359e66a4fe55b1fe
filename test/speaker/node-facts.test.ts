import assert from 'node:assert/strict';
import type { Node } from '../../src/kubernetes/core.ts';
import { electionNode, sameToElection } from '../../src/speaker/node-facts.ts';
import { trimNode } from '../../src/speaker/trim.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/node-facts');

const plain = { name: 'node-a', labels: {}, networkUnavailable: false };
const annotated = (annotations: Record<string, string>): Node => ({ metadata: { name: 'node-a', annotations } });
const tainted = (...keys: string[]): Node => ({
  metadata: { name: 'node-a' },
  spec: { taints: keys.map((key) => ({ key, effect: 'NoExecute', value: 'x' })) },
});
const bare: Node = { metadata: { name: 'node-a' } };

for (const [what, node, facts] of [
  ['nothing', bare, {}],
  ['labels', { metadata: { name: 'node-a', labels: { rack: '1' } } }, { labels: { rack: '1' } }],
  [
    'no network',
    { ...bare, status: { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] } },
    { networkUnavailable: true },
  ],
  ['perhaps no network', { ...bare, status: { conditions: [{ type: 'NetworkUnavailable', status: 'Unknown' }] } }, {}],
  ['a condition of readiness', { ...bare, status: { conditions: [{ type: 'Ready', status: 'False' }] } }, {}],
  ['a weight', annotated({ 'garpoon.io/weight': '3' }), { weight: 3 }],
  ['the weight that all have', annotated({ 'garpoon.io/weight': '1' }), {}],
  ['a weight that is none', annotated({ 'garpoon.io/weight': 'three' }), {}],
  ['the wish to drain it', annotated({ 'garpoon.io/drain': 'true' }), { draining: true }],
  ['no wish to drain it', annotated({ 'garpoon.io/drain': 'false' }), {}],
  ['the taint not-ready', tainted('node.kubernetes.io/not-ready'), { notReady: true }],
  ['the taint unreachable', tainted('node.kubernetes.io/unreachable'), { notReady: true }],
  ['the taint out-of-service', tainted('node.kubernetes.io/out-of-service'), { outOfService: true }],
  [
    'all taints',
    tainted('node.kubernetes.io/unreachable', 'node.kubernetes.io/out-of-service', 'node.kubernetes.io/not-ready'),
    { notReady: true, outOfService: true },
  ],
  ['other taints', tainted('node.kubernetes.io/unschedulable', 'example.com/not-ready'), {}],
  ['a cordon', { ...bare, spec: { unschedulable: true } }, {}],
] as const satisfies readonly (readonly [string, Node, object])[]) {
  test(`of a Node with ${what} the election knows ${JSON.stringify(facts)}, and that is kept`, () => {
    assert.deepEqual(electionNode(node), { ...plain, ...facts });
    assert.deepEqual(electionNode(trimNode(node)), { ...plain, ...facts });
  });
}

for (const [what, a, b, same] of [
  ['a cordon', bare, { ...bare, spec: { unschedulable: true } }, true],
  ['another taint', bare, tainted('example.com/x'), true],
  ['a bad annotation', bare, annotated({ 'garpoon.io/drain': 'yes' }), true],
  [
    'the order of taints',
    tainted('node.kubernetes.io/not-ready', 'node.kubernetes.io/out-of-service'),
    tainted('node.kubernetes.io/out-of-service', 'node.kubernetes.io/not-ready'),
    true,
  ],
  [
    'which taint says that it is not ready',
    tainted('node.kubernetes.io/not-ready'),
    tainted('node.kubernetes.io/unreachable'),
    true,
  ],
  ['drain', bare, annotated({ 'garpoon.io/drain': 'true' }), false],
  ['a weight', bare, annotated({ 'garpoon.io/weight': '0' }), false],
  ['the taint out-of-service', bare, tainted('node.kubernetes.io/out-of-service'), false],
  ['the taint not-ready', tainted('node.kubernetes.io/not-ready'), bare, false],
  ['its presence', bare, undefined, false],
] as const) {
  test(`${what} ${same ? 'changes nothing' : 'is a change'} to the election`, () => {
    assert.equal(sameToElection(a, b), same);
    assert.equal(sameToElection(b, a), same);
  });
}
