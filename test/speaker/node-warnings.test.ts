import assert from 'node:assert/strict';
import type { KubernetesObject, Node } from '../../src/kubernetes/core.ts';
import type { Occurrence } from '../../src/kubernetes/events.ts';
import { NodeWarnings } from '../../src/speaker/node-warnings.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/node-warnings');

const node = (annotations: Record<string, string>, resourceVersion = '1'): Node => ({
  metadata: { name: 'node-a', uid: 'u', resourceVersion, annotations },
});

function watched() {
  const log = new RecordedLog();
  const told: (readonly [KubernetesObject, Occurrence])[] = [];
  const events = { record: (object: KubernetesObject, what: Occurrence) => void told.push([object, what]) };
  return { log, told, warnings: new NodeWarnings({ events, log }) };
}

test('a bad annotation is told once, in the log and to the Node, until it is another', () => {
  const { log, told, warnings } = watched();
  warnings.see(node({}));
  warnings.see(node({ 'garpoon.io/weight': 'heavy' }));
  warnings.see(node({ 'garpoon.io/weight': 'heavy' }, '2'));
  assert.equal(log.of('node annotations refused').length, 1);
  const [involved, { type, reason, message }] = told[0]!;
  assert.deepEqual(
    [involved.apiVersion, involved.kind, involved.metadata.uid, type, reason],
    ['v1', 'Node', 'u', 'Warning', 'invalidAnnotation'],
  );
  assert.match(message, /^Node node-a: metadata.annotations\[garpoon.io\/weight\]: must be a whole number/);
  warnings.see(node({ 'garpoon.io/weight': 'heavy', 'garpoon.io/drain': 'yes' }));
  assert.equal(told.length, 2);
  assert.match(told[1]![1].message, /weight.*; .*drain/);
});

test('one that is repaired and broken again is told again', () => {
  const { told, warnings } = watched();
  for (const weight of ['heavy', '2', 'heavy']) warnings.see(node({ 'garpoon.io/weight': weight }));
  assert.equal(told.length, 2);
});
