import assert from 'node:assert/strict';
import { type ServiceL2StatusObject, serviceL2Statuses } from '../../src/kubernetes/config-kinds.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { DepartedStatuses } from '../../src/speaker/departed-statuses.ts';
import { system, TestCluster } from '../support/cluster.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { eventually, suite } from '../support/suite.ts';
import { sha256 } from './support.ts';

const test = suite('speaker/departed-statuses');

test('what a node has left that is gone for a minute is deleted by who announces the Service now', async () => {
  const cluster = await TestCluster.start();
  const clock = new FakeClock();
  const stopping = new AbortController();
  let departed: readonly string[] = [];
  const statuses = new DepartedStatuses({
    client: cluster.newClient(),
    namespace: system,
    departed: () => departed,
    isAnnounced: (service) => service === 'default/web',
    hash: sha256,
    signal: stopping.signal,
    clock,
    log: silentLogger,
  });
  const put = (name: string, node: string, service: string) => {
    const labels = {
      'metallb.io/node': node,
      'metallb.io/service-name': service,
      'metallb.io/service-namespace': 'default',
    };
    const object: ServiceL2StatusObject = { metadata: { name, namespace: system, labels }, spec: {} };
    return cluster.put(serviceL2Statuses, object);
  };
  const names = async () =>
    ((await cluster.client.list(serviceL2Statuses, { namespace: system })).items ?? [])
      .map(({ metadata }) => metadata.name)
      .sort()
      .join(' ');
  try {
    await put('l2-1', 'node-b', 'web');
    await put('l2-2', 'node-b', 'dns');
    await put('l2-3', 'node-c', 'web');
    statuses.start();
    await clock.advance(60_000);
    departed = ['node-b'];
    await clock.advance(30_000);
    departed = [];
    await clock.advance(30_000);
    departed = ['node-b'];
    await clock.advance(60_000);
    assert.equal(await names(), 'l2-1 l2-2 l2-3');
    await clock.advance(30_000);
    await eventually('its status of web is deleted', async () => (await names()) === 'l2-2 l2-3');
  } finally {
    stopping.abort();
    await statuses.stop();
    await cluster.stop();
  }
});
