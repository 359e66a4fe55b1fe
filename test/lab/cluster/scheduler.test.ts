import assert from 'node:assert/strict';
import type { Node } from '../../../src/kubernetes/core.ts';
import { chooseNode } from '../../../src/lab/cluster/scheduler.ts';
import type { LabPod, PodSpec } from '../../../src/lab/cluster/workload-objects.ts';
import { suite } from '../../support/suite.ts';
import { node, pod } from './objects.ts';

const test = suite('lab/scheduler');

const three = [node('n3'), node('n1'), node('n2')];

/** For one more Pod of the group `web`. */
const cases: readonly (readonly [string, PodSpec, readonly Node[], readonly LabPod[], string | undefined])[] = [
  ['the first by name when all are alike', {}, three, [], 'n1'],
  ['the one with the fewest of the group', {}, three, [pod('a', 'web', 'n1'), pod('b', 'web', 'n3')], 'n2'],
  ['then the one with the fewest pods', {}, three, [pod('a', 'other', 'n1')], 'n2'],
  [
    'the group counts more than the load',
    {},
    [node('n1'), node('n2')],
    [pod('a', 'web', 'n1'), pod('b', 'other', 'n2'), pod('c', 'other', 'n2')],
    'n2',
  ],
  ['a node that is not ready is left out', {}, [node('n1', { ready: false }), node('n2')], [], 'n2'],
  ['a cordoned node is left out', {}, [node('n1', { unschedulable: true }), node('n2')], [], 'n2'],
  [
    'the selector decides',
    { nodeSelector: { disk: 'fast' } },
    [...three, node('n4', { labels: { disk: 'fast' } })],
    [],
    'n4',
  ],
  ['nothing fits', { nodeSelector: { disk: 'fast' } }, three, [], undefined],
  ['a node name is taken as it is', { nodeName: 'n9' }, three, [], 'n9'],
];
for (const [name, spec, nodes, pods, want] of cases) {
  test(name, () =>
    assert.equal(
      chooseNode(spec, nodes, pods, (one) => one.metadata.labels?.app === 'web'),
      want,
    ),
  );
}
