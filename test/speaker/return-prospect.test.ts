import assert from 'node:assert/strict';
import type { KubernetesObject, Pod } from '../../src/kubernetes/core.ts';
import { daemonSets, pods } from '../../src/kubernetes/resource.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { willReturn } from '../../src/speaker/return-prospect.ts';
import { system, TestCluster } from '../support/cluster.ts';
import { suite } from '../support/suite.ts';

const test = suite('speaker/return-prospect');

/** A cluster with this Pod of a speaker and this DaemonSet, as far as there are any. */
async function prospect(
  pod: object | undefined,
  daemonSet: object | undefined,
  podName = 'speaker-x',
): Promise<boolean> {
  const cluster = await TestCluster.start();
  try {
    const template = { metadata: { labels: { app: 'speaker' } }, spec: { containers: [{ name: 's', image: 's' }] } };
    const spec = { selector: { matchLabels: { app: 'speaker' } }, template };
    const made =
      daemonSet &&
      (await cluster.client.create(daemonSets, {
        metadata: { name: 'speaker', namespace: system, ...daemonSet },
        spec,
      } as KubernetesObject));
    const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'speaker', uid: made?.metadata.uid ?? 'other' };
    if (pod !== undefined) {
      await cluster.put(pods, {
        metadata: { name: 'speaker-x', namespace: system, ownerReferences: [owner], ...pod },
        spec: template.spec,
      } as Pod);
    }
    const client = cluster.newClient();
    return await willReturn({ client, namespace: system, podName, clock: systemClock, log: silentLogger });
  } finally {
    await cluster.stop();
  }
}

for (const [what, pod, daemonSet, podName, expected] of [
  ['whose DaemonSet is there comes back', {}, {}, undefined, true],
  ['whose DaemonSet is gone does not', {}, undefined, undefined, false],
  ['that no DaemonSet made does not', { ownerReferences: [] }, {}, undefined, false],
  ['whose Pod is gone does not', undefined, {}, undefined, false],
  ['that does not know its Pod does not', {}, {}, '', false],
] as const) {
  test(`a speaker ${what}`, async () => {
    assert.equal(await prospect(pod, daemonSet, podName), expected);
  });
}
