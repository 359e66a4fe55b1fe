import assert from 'node:assert/strict';
import {
  registerAllocatorMetrics,
  registerAnnouncedMetric,
  registerClientMetrics,
  registerLayer2Metrics,
} from '../../src/telemetry/metallb-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { registerProcessMetrics } from '../../src/telemetry/process-metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { suite } from '../support/suite.ts';

const test = suite('telemetry/metrics');

/** The lines that are no comments. */
async function samples(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function made(): { readonly metrics: Metrics; readonly log: RecordedLog } {
  const log = new RecordedLog();
  return { metrics: new Metrics(log), log };
}

test('a counter counts by its labels', async () => {
  const { metrics } = made();
  const counter = metrics.counter({ name: 'ships_total', help: 'Ships', labels: ['port'] });
  counter.increase({ port: 'a' });
  counter.increase({ port: 'b' }, 2);
  counter.increase({ port: 'a' });
  assert.deepEqual(await samples(metrics), ['ships_total{port="a"} 2', 'ships_total{port="b"} 2']);
});

test('a histogram counts by its labels how many values are within each bound', async () => {
  const { metrics } = made();
  const histogram = metrics.histogram({ name: 'wait_seconds', help: 'Wait', labels: ['port'] }, [0.5, 1]);
  for (const value of [0.25, 0.75, 3]) histogram.observe({ port: 'a' }, value);
  assert.deepEqual(await samples(metrics), [
    'wait_seconds_bucket{le="0.5",port="a"} 1',
    'wait_seconds_bucket{le="1",port="a"} 2',
    'wait_seconds_bucket{le="+Inf",port="a"} 3',
    'wait_seconds_sum{port="a"} 4',
    'wait_seconds_count{port="a"} 3',
  ]);
});

test('what is collected is what there is at the scrape, and what is gone is gone', async () => {
  const { metrics } = made();
  let depths = [
    { labels: { port: 'a' }, value: 3 },
    { labels: { port: 'b' }, value: 4 },
  ];
  metrics.register('gauge', { name: 'depth', help: 'Depth', labels: ['port'] }, () => depths);
  metrics.register('counter', { name: 'tides_total', help: 'Tides', labels: [] }, () => [{ labels: {}, value: 7 }]);
  assert.deepEqual(await samples(metrics), ['depth{port="a"} 3', 'depth{port="b"} 4', 'tides_total 7']);
  depths = [{ labels: { port: 'b' }, value: 5 }];
  assert.deepEqual(await samples(metrics), ['depth{port="b"} 5', 'tides_total 7']);
});

test('a metric that cannot be collected is left out, told once, and comes back', async () => {
  const { metrics, log } = made();
  let broken = true;
  const value = () => {
    if (broken) throw new Error('no sounding line');
    return [{ labels: {}, value: 1 }];
  };
  metrics.register('gauge', { name: 'depth', help: 'Depth', labels: [] }, value);
  metrics.counter({ name: 'ships_total', help: 'Ships', labels: [] }).increase({});
  assert.deepEqual(await samples(metrics), ['ships_total 1']);
  assert.deepEqual(await samples(metrics), ['ships_total 1']);
  assert.equal(log.of('metric not collected').length, 1);
  broken = false;
  assert.deepEqual(await samples(metrics), ['depth 1', 'ships_total 1']);
});

test('a name is registered once', () => {
  const { metrics } = made();
  const description = { name: 'ships_total', help: 'Ships', labels: [] } as const;
  metrics.counter(description);
  assert.throws(() => metrics.counter(description), /ships_total/);
});

test('two registries know nothing of each other', async () => {
  const [one, other] = [made().metrics, made().metrics];
  one.counter({ name: 'ships_total', help: 'Ships', labels: [] }).increase({});
  assert.deepEqual(await samples(other), []);
});

test('the allocator’s metrics have MetalLB’s names, and add up families beyond what a number counts', async () => {
  const { metrics } = made();
  registerAllocatorMetrics(metrics, () => [
    { pool: 'lan', ipv4: { total: 256, inUse: 3 }, ipv6: { total: 2n ** 64n, inUse: 2n }, services: 4 },
  ]);
  assert.deepEqual(await samples(metrics), [
    'metallb_allocator_addresses_total{pool="lan"} 18446744073709552000',
    'metallb_allocator_ipv4_addresses_total{pool="lan"} 256',
    'metallb_allocator_ipv6_addresses_total{pool="lan"} 18446744073709552000',
    'metallb_allocator_addresses_in_use_total{pool="lan"} 5',
    'metallb_allocator_ipv4_addresses_in_use_total{pool="lan"} 3',
    'metallb_allocator_ipv6_addresses_in_use_total{pool="lan"} 2',
    'metallb_allocator_services_allocated_total{pool="lan"} 4',
  ]);
});

test('the client’s metrics have MetalLB’s names', async () => {
  const { metrics } = made();
  registerClientMetrics(metrics, () => ({
    reconciles: 10,
    failures: 1,
    configuration: { loaded: true, stale: false },
  }));
  assert.deepEqual(await samples(metrics), [
    'metallb_k8s_client_updates_total 10',
    'metallb_k8s_client_update_errors_total 1',
    'metallb_k8s_client_config_loaded_bool 1',
    'metallb_k8s_client_config_stale_bool 0',
  ]);
});

test('of a configuration that nobody reads nothing is said', async () => {
  const { metrics } = made();
  registerClientMetrics(metrics, () => ({ reconciles: 0, failures: 0, configuration: undefined }));
  assert.deepEqual(await samples(metrics), [
    'metallb_k8s_client_updates_total 0',
    'metallb_k8s_client_update_errors_total 0',
  ]);
});

test('the speaker’s metrics have MetalLB’s names and labels', async () => {
  const { metrics } = made();
  registerAnnouncedMetric(metrics, () => [
    { service: 'default/web', protocol: 'layer2', node: 'n1', ip: '192.0.2.1' },
    { service: 'default/web', protocol: 'layer2', node: 'n1', ip: '2001:db8::1' },
  ]);
  assert.deepEqual(await samples(metrics), [
    'metallb_speaker_announced{service="default/web",protocol="layer2",node="n1",ip="192.0.2.1"} 1',
    'metallb_speaker_announced{service="default/web",protocol="layer2",node="n1",ip="2001:db8::1"} 1',
  ]);
});

test('the process says what it uses, and since when it runs', async () => {
  const { metrics } = made();
  registerProcessMetrics(metrics, new FakeClock(1_000_000_000_000));
  const values = new Map((await samples(metrics)).map((line) => line.split(' ') as [string, string]));
  assert.ok(Number(values.get('process_cpu_seconds_total')) > 0);
  assert.ok(Number(values.get('process_resident_memory_bytes')) > 10_000_000);
  assert.ok(Math.abs(Number(values.get('process_start_time_seconds')) - 1e9) < 60);
});

test('what happens on the LAN is counted by address, under MetalLB’s names', async () => {
  const { metrics } = made();
  const use = { requestsReceived: 3, responsesSent: 2, gratuitousSent: 10 };
  let all = [{ ip: '192.0.2.1', ...use }];
  registerLayer2Metrics(metrics, () => all);
  const text = await metrics.text();
  for (const name of ['requests_received', 'responses_sent', 'gratuitous_sent']) {
    assert.ok(text.includes(`# TYPE metallb_layer2_${name} counter`), name);
  }
  assert.deepEqual(await samples(metrics), [
    'metallb_layer2_requests_received{ip="192.0.2.1"} 3',
    'metallb_layer2_responses_sent{ip="192.0.2.1"} 2',
    'metallb_layer2_gratuitous_sent{ip="192.0.2.1"} 10',
  ]);
  all = [];
  assert.deepEqual(await samples(metrics), []);
});
