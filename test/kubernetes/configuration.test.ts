import assert from 'node:assert/strict';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import { Configuration, ipAddressPools } from '../../src/kubernetes/configuration.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { impatient, system, TestCluster } from '../support/cluster.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { eventually, suite } from '../support/suite.ts';

const test = suite('kubernetes/configuration');

type World = {
  readonly cluster: TestCluster;
  readonly configuration: Configuration;
  readonly log: RecordedLog;
  /** Every configuration that came into force after the first, as the names of its pools. */
  readonly changes: readonly string[];
};

function inWorld(run: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const cluster = await TestCluster.start();
    const log = new RecordedLog();
    const client = cluster.newClient();
    const configuration = new Configuration({ client, namespace: system, clock: systemClock, random: impatient, log });
    const changes: string[] = [];
    configuration.onChange((config) => changes.push(config.pools.map((pool) => pool.name).join(' ')));
    try {
      await run({ cluster, configuration, log, changes });
    } finally {
      await configuration.stop();
      await cluster.stop();
    }
  };
}

const pools = (configuration: Configuration) => configuration.current().pools.map((pool) => pool.name);

test(
  'an empty configuration is one',
  inWorld(async ({ configuration }) => {
    configuration.start();
    await configuration.inForce;
    assert.deepEqual(pools(configuration), []);
    assert.deepEqual(configuration.errors(), []);
  }),
);

test(
  'the resources of its namespace are in force, and those of others are not',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.advertisement('everywhere', { interfaces: ['eth0'] });
    const elsewhere = { metadata: { name: 'other', namespace: 'default' }, spec: { addresses: ['192.0.2.0/24'] } };
    await cluster.put(ipAddressPools, elsewhere);
    configuration.start();
    await configuration.inForce;
    assert.deepEqual(pools(configuration), ['lan']);
    assert.deepEqual(
      configuration.current().pools[0]?.l2Advertisements.map(({ interfaces }) => interfaces),
      [['eth0']],
    );
  }),
);

test(
  'a change is told when it is in force, and what changes nothing is not told',
  inWorld(async ({ cluster, configuration, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    const before = changes.length;
    await updateStatus(cluster.client, ipAddressPools, `${system}/lan`, (pool) => ({
      ...pool,
      status: { assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 255, availableIPv6: 0 },
    }));
    await cluster.pool('lan', ['192.0.2.0/24'], { autoAssign: true });
    await cluster.pool('lan', ['192.0.2.0/24'], {}, { labels: { site: 'north' } });
    await cluster.pool('wan', ['198.18.0.0/24']);
    await eventually('it is in force', () => pools(configuration).length === 2);
    assert.deepEqual(changes.slice(before), ['lan wan']);
    await cluster.removePool('lan');
    await eventually('it is in force', () => pools(configuration).length === 1);
    assert.deepEqual(changes.slice(before), ['lan wan', 'wan']);
  }),
);

test(
  'a label that a selector looks for makes another configuration',
  inWorld(async ({ cluster, configuration }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.advertisement('north', { ipAddressPoolSelectors: [{ matchLabels: { site: 'north' } }] });
    configuration.start();
    await configuration.inForce;
    const advertised = () => configuration.current().pools[0]?.l2Advertisements.length;
    assert.equal(advertised(), 0);
    await cluster.pool('lan', ['192.0.2.0/24'], {}, { labels: { site: 'north' } });
    await eventually('it is advertised', () => advertised() === 1);
  }),
);

test(
  'a fault is told once per change, leaves the last good one in force, and its end is told',
  inWorld(async ({ cluster, configuration, log, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    const before = changes.length;
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    await eventually('it is refused', () => configuration.errors().length === 1);
    assert.deepEqual(pools(configuration), ['lan']);
    await cluster.advertisement('everywhere');
    await cluster.pool('reversed', ['198.18.0.9-198.18.0.1']);
    await eventually('both are refused', () => configuration.errors().length === 2);
    const refused = log.of('configuration refused');
    assert.deepEqual(
      refused.map(({ level, inForce, problems }) => [level, inForce, (problems as string[]).length]),
      [
        ['error', 'the last one without a fault', 1],
        ['error', 'the last one without a fault', 2],
      ],
    );
    assert.deepEqual(changes.slice(before), []);
    await cluster.removePool('overlapping');
    await cluster.removePool('reversed');
    await eventually('it is in force', () => configuration.errors().length === 0);
    assert.equal(configuration.current().pools[0]?.l2Advertisements.length, 1);
    assert.deepEqual(changes.slice(before), ['lan']);
  }),
);

test(
  'a fault that is taken back is told to be over, and changes nothing',
  inWorld(async ({ cluster, configuration, log, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    configuration.start();
    await configuration.inForce;
    const before = changes.length;
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    await eventually('it is refused', () => configuration.errors().length === 1);
    const said = log.of('configuration in force').length;
    await cluster.removePool('overlapping');
    await eventually('it is said', () => log.of('configuration in force').length === said + 1);
    assert.deepEqual(configuration.errors(), []);
    assert.deepEqual(changes.slice(before), []);
  }),
);

test(
  'a fault from the beginning leaves nothing in force until it is repaired',
  inWorld(async ({ cluster, configuration, log, changes }) => {
    await cluster.pool('lan', ['192.0.2.0/24']);
    await cluster.pool('overlapping', ['192.0.2.5/32']);
    let inForce = false;
    void configuration.inForce.then(() => {
      inForce = true;
    });
    configuration.start();
    await eventually('it is refused', () => configuration.errors().length === 1);
    assert.equal(log.of('configuration refused')[0]?.inForce, 'none');
    assert.equal(inForce, false);
    assert.deepEqual(pools(configuration), []);
    await cluster.removePool('overlapping');
    await configuration.inForce;
    assert.deepEqual(pools(configuration), ['lan']);
    assert.deepEqual(changes, ['lan']);
  }),
);

test(
  'it stops before it was started, before it was in force, and twice; who waits is told',
  inWorld(async ({ cluster, configuration }) => {
    const client = cluster.newClient();
    const options = { client, namespace: system, clock: systemClock, random: impatient, log: new RecordedLog() };
    const idle = new Configuration(options);
    await idle.stop();
    await assert.rejects(idle.inForce, /stopped before/);
    cluster.api.faults.pause();
    configuration.start();
    await configuration.stop();
    await configuration.stop();
    await assert.rejects(configuration.inForce, /stopped before/);
    cluster.api.faults.resume();
  }),
);
