import assert from 'node:assert/strict';
import type { NewObject } from '../../src/kubernetes/client.ts';
import { type ConfigurationStateObject, configurationStates } from '../../src/kubernetes/config-kinds.ts';
import { Configuration } from '../../src/kubernetes/configuration.ts';
import { ConfigurationReport, type ConfigurationReportOptions } from '../../src/kubernetes/configuration-report.ts';
import type { KubernetesObject, Pod } from '../../src/kubernetes/core.ts';
import { EventRecorder } from '../../src/kubernetes/events.ts';
import { customResourceDefinitions, events, pods, type Resource } from '../../src/kubernetes/resource.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/configuration-report');

/** What waits for a missing kind waits for a moment; what gathers gathers shortly. Its wall clock is the test's. */
class ShortClock implements Clock {
  /** For how long the report waits for everything to be read; milliseconds. A busy machine takes its time. */
  patience = 10_000;
  wall = Date.parse('2026-11-21T08:00:00.500Z');
  now = systemClock.now;
  every = systemClock.every;
  wallTime = () => this.wall;
  after: Clock['after'] = (delay, run) => systemClock.after(this.#shortened(delay), run);

  #shortened(delay: number): number {
    if (delay === 10_000) return this.patience;
    return delay === 60_000 ? 50 : delay === 200 ? 20 : delay;
  }
}

const key = `${system}/speaker-node-a`;

class World {
  readonly cluster: TestCluster;
  readonly log = new RecordedLog();
  readonly clock = new ShortClock();
  readonly #stops: (() => Promise<unknown>)[] = [];

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  /** A program with its configuration and its report, at work. Stopped with the world, or by what is returned. */
  start(options: Partial<ConfigurationReportOptions> = {}): () => Promise<void> {
    const { clock, log } = this;
    const stopping = new AbortController();
    const shared = { client: this.cluster.newClient(), namespace: system, clock, random: impatient, log };
    const configuration = new Configuration(shared);
    const recorder = new EventRecorder({ ...shared, component: 'metallb-speaker', host: 'node-a' });
    const report = new ConfigurationReport({
      ...shared,
      configuration,
      component: { speakerOn: 'node-a' },
      podName: '',
      events: recorder,
      signal: stopping.signal,
      ...options,
    });
    report.start();
    configuration.start();
    const stop = async () => {
      stopping.abort();
      await report.stop();
      await configuration.stop();
      await recorder.stop();
    };
    this.#stops.push(stop);
    return stop;
  }

  state(of = key): Promise<ConfigurationStateObject | undefined> {
    return this.cluster.client.get(configurationStates, of);
  }

  /** Resolves to the object when it says so. */
  async says(result: string, summary: RegExp | undefined = undefined, of = key): Promise<ConfigurationStateObject> {
    return eventually(`${of} is ${result} ${summary ?? ''}`, async () => {
      const state = await this.state(of);
      const { errorSummary } = state?.status ?? {};
      const fits = summary === undefined ? errorSummary === undefined : summary.test(errorSummary ?? '');
      return state?.status?.result === result && fits ? state : undefined;
    });
  }

  /** Type, reason and count of all that was told of the object. */
  async told(): Promise<readonly string[]> {
    const { items } = await this.cluster.client.list(events, { namespace: system });
    return (items ?? [])
      .filter(({ involvedObject }) => involvedObject.kind === 'ConfigurationState')
      .map(({ type, reason, count }) => `${type} ${reason} ${count}`)
      .sort();
  }

  async pod(name: string): Promise<string> {
    const spec = { containers: [{ name: 'speaker', image: 'garpoon' }] };
    return (await this.cluster.put(pods, { metadata: { name, namespace: system }, spec } as Pod)).metadata.uid!;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
    await this.cluster.stop();
  }
}

function inWorld(run: (world: World, cluster: TestCluster) => Promise<void>): () => Promise<void> {
  return async () => {
    const world = new World(await TestCluster.start());
    try {
      await run(world, world.cluster);
    } finally {
      await world.stop();
    }
  };
}

test(
  'a faulty resource makes it Invalid with the words, and its repair Valid again; each turn is one event',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    world.start();
    const { metadata, status } = await world.says('Valid');
    assert.deepEqual(metadata.labels, { 'metallb.io/component-type': 'speaker', 'metallb.io/node-name': 'node-a' });
    assert.equal(metadata.ownerReferences, undefined);
    assert.deepEqual(status?.conditions, [
      {
        type: 'configReconcilerValid',
        status: 'True',
        reason: 'Reconciled',
        message: 'the configuration is in force',
        lastTransitionTime: '2026-11-21T08:00:00Z',
      },
    ]);
    assert.deepEqual(await world.told(), []);

    world.clock.wall += 60_000;
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    const invalid = await world.says('Invalid', /^IPAddressPool metallb-system\/\S+: spec\.addresses\[0\]: [^\n]+$/);
    const [condition] = invalid.status!.conditions!;
    assert.deepEqual(
      [condition?.status, condition?.reason, condition?.lastTransitionTime],
      ['False', 'ConfigurationError', '2026-11-21T08:01:00Z'],
    );
    assert.equal(condition?.message, invalid.status?.errorSummary);

    world.clock.wall += 60_000;
    await cluster.pool('also-overlapping', ['192.0.2.9/32']);
    const worse = await world.says('Invalid', /\n/);
    assert.equal(worse.status?.conditions?.[0]?.lastTransitionTime, '2026-11-21T08:01:00Z');
    await cluster.removePool('also-overlapping');
    await cluster.removePool('overlapping');
    const { status: repaired } = await world.says('Valid');
    assert.equal(repaired?.conditions?.[0]?.lastTransitionTime, '2026-11-21T08:02:00Z');
    const expected = ['Normal ConfigurationValid 1', 'Warning ConfigurationInvalid 1'];
    await eventually('both were told', async () => (await world.told()).length === 2);
    assert.deepEqual(await world.told(), expected);
  }),
);

test(
  'the fields belong to the owner that MetalLB names',
  inWorld(async (world, cluster) => {
    world.start({ component: 'controller' });
    const ofController = `${system}/controller`;
    const { metadata, status } = await world.says('Valid', undefined, ofController);
    assert.deepEqual(metadata.labels, { 'metallb.io/component-type': 'controller' });
    assert.equal(status?.conditions?.[0]?.type, 'poolReconcilerValid');
    const { managedFields } = (await cluster.client.get(configurationStates, ofController))!.metadata as unknown as {
      managedFields: readonly { manager: string; operation: string; subresource?: string }[];
    };
    const status_ = managedFields.filter(({ subresource }) => subresource === 'status');
    assert.deepEqual(
      status_.map(({ manager, operation }) => `${manager} ${operation}`),
      ['poolReconciler Apply'],
    );
  }),
);

test(
  'it comes back when it is deleted, and as it was when somebody changes it',
  inWorld(async (world, cluster) => {
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    world.start();
    const { metadata } = await world.says('Invalid', /reversed/);
    await cluster.client.delete(configurationStates, key);
    await eventually('it is back', async () => {
      const state = await world.state();
      return state?.metadata.uid !== metadata.uid && state?.status?.result === 'Invalid';
    });
    await cluster.change(configurationStates, key, (state) => ({
      ...state,
      metadata: { ...state.metadata, labels: { mine: 'too' } },
    }));
    await eventually('its labels are back', async () => {
      const { labels } = (await world.state())!.metadata;
      return labels?.['metallb.io/node-name'] === 'node-a' && labels.mine === 'too';
    });
    const lie = { ...(await world.state())!, status: { result: 'Valid' as const, errorSummary: '' } };
    await cluster.client.update(configurationStates, lie, { subresource: 'status' });
    await world.says('Invalid', /reversed/);
  }),
);

test(
  'the next run goes on from what the last one said, and takes over the object for its own Pod',
  inWorld(async (world, cluster) => {
    const [first, second] = [await world.pod('speaker-1'), await world.pod('speaker-2')];
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    const stop = world.start({ podName: 'speaker-1' });
    const { metadata } = await world.says('Invalid', /reversed/);
    assert.deepEqual(metadata.ownerReferences, [{ apiVersion: 'v1', kind: 'Pod', name: 'speaker-1', uid: first }]);
    await stop();
    world.clock.wall += 60_000;
    world.start({ podName: 'speaker-2' });
    const owners = async () => (await world.state())?.metadata.ownerReferences?.map(({ uid }) => uid).join();
    await eventually('it has another owner', async () => (await owners()) === second);
    const { status } = await world.says('Invalid', /reversed/);
    assert.equal(status?.conditions?.[0]?.lastTransitionTime, '2026-11-21T08:00:00Z');
    assert.deepEqual(await world.told(), ['Warning ConfigurationInvalid 1']);
  }),
);

test(
  'without the Pod that it should run in it says so once, and reports without an owner',
  inWorld(async (world, cluster) => {
    world.start({ podName: 'nobody' });
    const { metadata } = await world.says('Valid');
    assert.equal(metadata.ownerReferences, undefined);
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    await world.says('Invalid', /reversed/);
    assert.equal(world.log.of('own Pod not found').length, 1);
  }),
);

test(
  'what happened while the API server was away is reported when it is back',
  inWorld(async (world, cluster) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    const verdict = { now: 'Valid' as 'Valid' | 'Invalid', tell: () => {} };
    const fault = { object: 'IPAddressPool metallb-system/lan', field: 'spec', value: 1, message: 'is wrong' };
    world.start({
      configuration: {
        verdict: () => verdict.now,
        errors: () => (verdict.now === 'Invalid' ? [fault] : []),
        onVerdict: (listener) => {
          verdict.tell = listener;
          return () => {};
        },
      },
    });
    await world.says('Valid');
    await cluster.away();
    verdict.now = 'Invalid';
    verdict.tell();
    await eventually('it was tried', () => world.log.of('reconcile failed').length > 0);
    await cluster.back();
    await world.says('Invalid', /is wrong/);
  }),
);

test(
  'while the resources cannot be read, what an earlier run said stands for a while, and then nothing is known',
  inWorld(async (world, cluster) => {
    world.clock.patience = 50;
    const stop = world.start();
    await world.says('Valid');
    await stop();
    await cluster.client.delete(customResourceDefinitions, 'ipaddresspools.metallb.io');
    world.start();
    const { status } = await world.says('Unknown');
    assert.deepEqual([status?.conditions?.[0]?.status, status?.conditions?.[0]?.reason], ['Unknown', 'UnknownError']);
    assert.deepEqual(await world.told(), []);
  }),
);

test(
  'more faults than there is room for are counted',
  inWorld(async (world) => {
    const fault = { object: 'IPAddressPool metallb-system/lan', field: 'spec', value: undefined };
    const errors = Array.from({ length: 200 }, (_, i) => ({ ...fault, message: `${i} ${'x'.repeat(90)}` }));
    world.start({
      configuration: { verdict: () => 'Invalid', errors: () => errors, onVerdict: () => () => {} },
    });
    const { status } = await world.says('Invalid', /\nand \d+ more$/);
    assert.ok(status!.errorSummary!.length < 8_300);
    const lines = status!.errorSummary!.split('\n');
    assert.equal(Number(/\d+/.exec(lines.at(-1)!)![0]) + lines.length - 1, 200);
  }),
);

test(
  'a cluster without the kind is told once, is in nobody’s way, and gets the report when it has the kind',
  inWorld(async (world, cluster) => {
    const name = 'configurationstates.metallb.io';
    const of = customResourceDefinitions as unknown as Resource<KubernetesObject>;
    const definition = await cluster.client.get(of, name);
    await cluster.client.delete(of, name);
    await cluster.pool('reversed', ['2001:db8::9-2001:db8::1']);
    world.start();
    await eventually('the configuration is refused', () => world.log.of('configuration refused').length === 1);
    await eventually('the kind is missed', () => world.log.of('kind not served').length === 1);
    const { resourceVersion: _, ...metadata } = definition!.metadata;
    await cluster.client.create(of, { ...definition, metadata } as NewObject<KubernetesObject>);
    await world.says('Invalid', /reversed/);
    assert.equal(world.log.of('kind not served').length, 1);
    assert.deepEqual(world.log.of('reconcile failed'), []);
  }),
);
