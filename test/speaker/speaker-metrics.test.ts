import assert from 'node:assert/strict';
import { parseAddress } from '../../src/ip/address.ts';
import { type Counters, counterNames } from '../../src/layer2/responder.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { registerSpeakerMetrics } from '../../src/speaker/speaker-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { eventually, suite } from '../support/suite.ts';
import { inWorld, type Station } from './support.ts';

const test = suite('speaker/speaker-metrics');

const [web, dns] = ['192.0.2.1', '2001:db8::1'].map((text) => parseAddress(text)!);
const countedOf = [
  { address: web!, requestsReceived: 5, responsesSent: 4, gratuitousSent: 10 },
  { address: dns!, requestsReceived: 0, responsesSent: 0, gratuitousSent: 3 },
];

/** Every counter has a value of its own, from 1 on in the order of the names. */
const counted = Object.fromEntries(counterNames.map((name, i) => [name, i + 1])) as Counters;

function metricsOf({ speaker, responder }: Station): Metrics {
  const metrics = new Metrics(silentLogger);
  registerSpeakerMetrics(metrics, speaker, {
    counters: () => counted,
    addressCounters: () => countedOf,
    status: () => responder.status(),
  });
  return metrics;
}

async function samples(metrics: Metrics, prefix: string): Promise<readonly string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(prefix));
}

const announced = (service: string, ip: string) =>
  `metallb_speaker_announced{service="default/${service}",protocol="layer2",node="node-a",ip="${ip}"} 1`;

test(
  'a scrape says which addresses this node announces for which Services',
  inWorld(['node-a', 'node-b'], async (world, cluster) => {
    const station = await world.start('node-a');
    const metrics = metricsOf(station);
    assert.deepEqual(await samples(metrics, 'metallb_speaker_announced'), []);
    await world.serve('web', '192.0.2.1 2001:db8::1');
    // The choice falls on node-b, which has no speaker here but an endpoint, and is alive.
    world.ring.add('node-b');
    await world.serve('mail', '192.0.2.2', ['node-b']);
    await world.announces(station, '192.0.2.1@all 2001:db8::1@all');
    const expected = [announced('web', '192.0.2.1'), announced('web', '2001:db8::1')];
    assert.deepEqual(await samples(metrics, 'metallb_speaker_announced{'), expected);
    await cluster.deleteService('web');
    await world.announces(station, '');
    assert.deepEqual(await samples(metrics, 'metallb_speaker_announced{'), []);
  }),
);

test(
  'an address that is held back is not announced',
  inWorld(['node-a'], async (world) => {
    const station = await world.start('node-a', { addressProbe: 'refuse' });
    const metrics = metricsOf(station);
    await world.serve('web', '192.0.2.1');
    await world.announces(station, '192.0.2.1@all(held)');
    assert.deepEqual(await samples(metrics, 'metallb_speaker_announced{'), []);
    await world.announces(station, '192.0.2.1@all');
    assert.deepEqual(await samples(metrics, 'metallb_speaker_announced{'), [announced('web', '192.0.2.1')]);
  }),
);

test(
  'it says what the packet thread counts, every counter once, with its meaning',
  inWorld(['node-a'], async (world) => {
    const station = await world.start('node-a');
    const metrics = metricsOf(station);
    const lines = await samples(metrics, 'garpoon_layer2_');
    const counters = lines.filter((line) => /_total(\{reason="\w+"\})? \d+$/.test(line));
    assert.deepEqual(
      counters.map((line) => Number(line.split(' ')[1])).sort((a, b) => a - b),
      Object.values(counted),
    );
    assert.ok(counters.includes(`garpoon_layer2_arp_answered_total ${counted.arpAnswered}`));
    assert.ok(counters.includes(`garpoon_layer2_dropped_total{reason="foreign_claim"} ${counted.dropForeignClaim}`));
    const helps = (await samples(metrics, '# HELP garpoon_')).map((line) => line.split(' ').slice(3).join(' '));
    assert.deepEqual(
      helps.filter((help) => help.length < 10),
      [],
    );
    assert.ok(lines.includes('garpoon_layer2_silent 0'));
    assert.ok(lines.includes('garpoon_layer2_scheduling{policy="fifo"} 1'));
    station.responder.silent = true;
    station.responder.scheduling = 'ordinary';
    const later = await samples(metrics, 'garpoon_layer2_s');
    assert.ok(later.includes('garpoon_layer2_silent 1'));
    assert.ok(later.includes('garpoon_layer2_scheduling{policy="ordinary"} 1'));
    assert.ok(!later.includes('garpoon_layer2_scheduling{policy="fifo"} 1'));
  }),
);

test(
  'it says by MetalLB’s names what was asked, answered and announced for each address',
  inWorld(['node-a'], async (world) => {
    assert.deepEqual(await samples(metricsOf(await world.start('node-a')), 'metallb_layer2_'), [
      'metallb_layer2_requests_received{ip="192.0.2.1"} 5',
      'metallb_layer2_requests_received{ip="2001:db8::1"} 0',
      'metallb_layer2_responses_sent{ip="192.0.2.1"} 4',
      'metallb_layer2_responses_sent{ip="2001:db8::1"} 0',
      'metallb_layer2_gratuitous_sent{ip="192.0.2.1"} 10',
      'metallb_layer2_gratuitous_sent{ip="2001:db8::1"} 3',
    ]);
  }),
);

test(
  'it says how many speakers are alive, and nothing of that without a ring',
  inWorld(['node-a', 'node-b'], async (world) => {
    const metrics = metricsOf(await world.start('node-a'));
    const alive = () => samples(metrics, 'garpoon_memberlist_alive');
    assert.deepEqual(await alive(), ['garpoon_memberlist_alive 1']);
    world.ring.add('node-b');
    assert.deepEqual(await alive(), ['garpoon_memberlist_alive 2']);
    world.ring.remove('node-b');
    assert.deepEqual(await alive(), ['garpoon_memberlist_alive 1']);
    const alone = metricsOf(await world.start('node-b', { liveness: undefined }));
    assert.deepEqual(await samples(alone, 'garpoon_memberlist_alive'), []);
  }),
);

test(
  'it says whether a configuration is in force, whether the resources have a fault, and what was done',
  inWorld(['node-a'], async (world, cluster) => {
    const metrics = metricsOf(await world.start('node-a'));
    const state = async () =>
      (await samples(metrics, 'metallb_k8s_client_config_')).map((line) => line.at(-1)).join('');
    assert.equal(await state(), '10');
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    await eventually('it is stale', async () => (await state()) === '11');
    await cluster.removePool('overlapping');
    await eventually('it is stale no more', async () => (await state()) === '10');
    await cluster.service('web');
    await eventually('a Service was looked at', async () => {
      const [line] = await samples(metrics, 'metallb_k8s_client_updates_total');
      return Number(line?.split(' ')[1]) >= 1;
    });
  }),
);

test(
  'it says how old that is from which the speaker works, once it does',
  inWorld(['node-a'], async (world, cluster) => {
    const station = world.station('node-a');
    const metrics = metricsOf(station);
    assert.deepEqual(await samples(metrics, 'garpoon_state_age_seconds'), []);
    await station.speaker.start();
    assert.deepEqual(await samples(metrics, 'garpoon_state_age_seconds'), ['garpoon_state_age_seconds 0']);
    await cluster.away();
    const age = async () => Number((await samples(metrics, 'garpoon_state_age_seconds'))[0]?.split(' ')[1]);
    const first = await eventually('it is no longer new', age);
    await eventually('it grows older', async () => (await age()) > first);
    await cluster.back();
    await eventually('it is new again', async () => (await age()) === 0);
  }),
);
