import assert from 'node:assert/strict';
import { serviceL2Statuses } from '../../src/kubernetes/config-kinds.ts';
import { ownershipMetrics } from '../../src/speaker/ownership-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld } from './support.ts';

const test = suite('speaker/ownership');

// With the nodes a and b, 192.0.2.1 is for node-a and 192.0.2.2 for node-b.
const ab = ['node-a', 'node-b'];

/** What the statuses say: `web@node-a 192.0.2.2 from node-b`, sorted. */
async function statuses(cluster: TestCluster): Promise<readonly string[]> {
  const { items } = await cluster.client.list(serviceL2Statuses, { namespace: system });
  return (items ?? [])
    .map(({ status }) => {
      const addresses = (status?.addresses ?? []).map(
        ({ address, previousOwner }) => `${address} from ${previousOwner ?? 'nobody'}`,
      );
      return `${status?.serviceName}@${status?.node} ${addresses}`;
    })
    .sort();
}

test(
  'a speaker that takes over from a lost one says so on the Service, in the metrics and in a status',
  inWorld(ab, async (world, cluster) => {
    await world.serve('web', '192.0.2.2', ab);
    await world.serve('own', '192.0.2.1', ab);
    world.ring.add('node-b');
    const metrics = new Metrics(new RecordedLog());
    const station = await world.start('node-a', { ownershipMetrics: ownershipMetrics(metrics) });
    await eventually('its own is told of', async () => {
      return (await statuses(cluster)).join() === 'own@node-a 192.0.2.1 from nobody';
    });
    world.ring.remove('node-b');
    await world.announces(station, '192.0.2.1@all 192.0.2.2@all');
    const event = await eventually('the takeover is told of', async () =>
      (await cluster.events('web', 'TookOver')).at(0),
    );
    assert.match(
      event.message,
      /^took over 192\.0\.2\.2 from node-b, which was lost \d+ ms before; announced after \d+ ms$/,
    );
    assert.equal(event.type, 'Normal');
    assert.equal(await cluster.eventCount('own', 'TookOver'), 0);
    await eventually('both are told of', async () => {
      return (await statuses(cluster)).join() === 'own@node-a 192.0.2.1 from nobody,web@node-a 192.0.2.2 from node-b';
    });
    const text = await metrics.text();
    assert.match(text, /^garpoon_takeover_seconds_count\{phase="announced",cause="lost"\} 1$/m);
    assert.match(text, /^garpoon_takeover_seconds_count\{phase="announced",cause="start"\} 1$/m);
    world.ring.add('node-b');
    await eventually('it is no longer told of', async () => {
      return (await statuses(cluster)).join() === 'own@node-a 192.0.2.1 from nobody';
    });
  }),
);

test(
  'what a speaker tells of itself outlives its stop, for the Pod takes it along',
  inWorld(ab, async (world, cluster) => {
    await world.serve('web', '192.0.2.2', ab);
    const station = await world.start('node-a');
    await world.announces(station, '192.0.2.2@all');
    await eventually('it is told of', async () => {
      return (await statuses(cluster)).join() === 'web@node-a 192.0.2.2 from nobody';
    });
    await station.speaker.stop();
    assert.deepEqual(station.log.of('reconcile failed'), []);
    assert.deepEqual(await statuses(cluster), ['web@node-a 192.0.2.2 from nobody']);
  }),
);

test('conflicts and verifications are counted by what they are', async () => {
  const metrics = new Metrics(new RecordedLog());
  const { conflict, verification } = ownershipMetrics(metrics);
  conflict('stranger');
  conflict('speaker');
  conflict('speaker');
  verification('unanswered');
  const text = await metrics.text();
  for (const line of [
    'garpoon_conflicts_total{kind="stranger"} 1',
    'garpoon_conflicts_total{kind="speaker"} 2',
    'garpoon_takeover_verifications_total{outcome="unanswered"} 1',
  ]) {
    assert.ok(text.includes(line), line);
  }
});
